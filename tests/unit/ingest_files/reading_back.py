"""Reading bytes as if they were a file, and where the recordings are."""

from __future__ import annotations

import io
from pathlib import Path

from msgspec import Struct
from tests.recordings import recorded

from lnflow.ingest.files.items import FileItem, Rejected
from lnflow.ingest.files.reading import Reading, read
from lnflow.ingest.files.recognise import FileKind
from lnflow.ingest.files.source import Source

LND_VERSIONS = ("0.20.1", "0.21.2")
CLN_VERSIONS = ("24.11.2", "26.06.6")


class Result(Struct):
    """All that a reading gave."""

    reading: Reading
    items: list[FileItem]
    positions: list[int]
    rejected: list[Rejected]
    rows: int

    @property
    def kind(self) -> FileKind:
        return self.reading.kind

    @property
    def reasons(self) -> list[str]:
        return [str(rejected) for rejected in self.rejected]


def read_source(source: Source) -> Result:
    reading = read(source)
    result = Result(reading, [], [], [], 0)
    for chunk in reading.chunks():
        assert len(chunk.items) == len(chunk.positions)
        result.items += chunk.items
        result.positions += chunk.positions
        result.rejected += chunk.rejected
        result.rows += chunk.rows
    return result


def read_bytes(data: bytes) -> Result:
    return read_source(Source("test", io.BytesIO(data), len(data)))


def lnd_recording(version: str, name: str) -> Path:
    return _recording(f"lnd_simnet_v{version}", name)


def cln_recording(version: str, name: str) -> Path:
    return _recording(f"cln_regtest_v{version}", name)


def _recording(folder: str, name: str) -> Path:
    return recorded(folder, name)
