"""lnflow: what a Lightning routing node failed to earn, why, and what would fix it.

The folders below are the way of an HTLC, read downwards: `domain` (values), `nodes` (LND, Core
Lightning), `store`, `ingest`, `analysis`, `advice`, then what uses them: `service`, `cli`, `api`.
The names that scripts import (`from lnflow import …`) live in `lnflow.api` and are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lnflow.api import *  # noqa: F403


def __getattr__(name: str) -> object:
    """Load the public Python API on first use, so that `lnflow --help` does not pay for it."""
    if name.startswith("_"):
        raise AttributeError(name)
    # Not `from lnflow import api`: that would ask this very function for it.
    api = import_module("lnflow.api")
    if name not in api.__all__:
        raise AttributeError(f"module 'lnflow' has no attribute {name!r}")
    found: object = getattr(api, name)
    return found
