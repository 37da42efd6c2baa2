"""The recordings of a real LND network: where they are, and their lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.recordings import recorded

VERSIONS = ("v0.20.1", "v0.21.2")


def recording(version: str) -> Path:
    return recorded(f"lnd_simnet_{version}")


def lines(version: str, name: str = "htlc_events.jsonl") -> list[bytes]:
    return (recording(version) / name).read_bytes().splitlines()


def document(version: str, name: str) -> Any:
    return json.loads((recording(version) / name).read_bytes())
