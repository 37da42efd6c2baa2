"""The recordings of a real LND network: where they are, and their lines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[4]
FIXTURES = Path(os.environ.get("LNFLOW_FIXTURES", REPOSITORY.parent / "shared" / "fixtures"))
VERSIONS = ("v0.20.1", "v0.21.2")


def recording(version: str) -> Path:
    path = FIXTURES / f"lnd_simnet_{version}"
    if not path.is_dir():
        pytest.skip(f"no {path}: set LNFLOW_FIXTURES")
    return path


def lines(version: str, name: str = "htlc_events.jsonl") -> list[bytes]:
    return (recording(version) / name).read_bytes().splitlines()


def document(version: str, name: str) -> Any:
    return json.loads((recording(version) / name).read_bytes())
