"""Where the recordings of real nodes are: `LNFLOW_FIXTURES`, by default `../shared/fixtures`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
FIXTURES = Path(os.environ.get("LNFLOW_FIXTURES", _ROOT.parent / "shared" / "fixtures"))


def recorded(*parts: str) -> Path:
    """Return a file or folder of the recordings; skip the test if it is not there."""
    path = FIXTURES.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {'/'.join(parts)} in {FIXTURES}: set LNFLOW_FIXTURES")
    return path
