"""Memory does not grow with the file, whatever its outer form, and however bad it is."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator, Mapping

import pytest
from tests.unit.ingest_files.event_files import DOCUMENTS, LAYOUTS

from lnflow.ingest.files.reading import read
from lnflow.ingest.files.source import Source

PIECE_ROWS = 500
CHANNEL = {"remote_pubkey": "02" * 33, "channel_point": "ab:0", "chan_id": "5", "alias_scids": ["7"]}
FORWARD = {"chan_id_in": "1", "chan_id_out": "2", "amt_in_msat": "3000", "amt_out_msat": "2000", "timestamp_ns": "7"}
CSV_HEADER = b"chan_id_in,chan_id_out,timestamp,amt_in_msat,amt_out_msat,note\n"
CLN_ROW = {"in_channel": "1x2x3", "in_htlc_id": 5, "in_msat": 7, "status": "settled", "received_time": 1795261099.15}


class Generated(io.BufferedIOBase):
    """A file that is made as it is read: a beginning, a piece many times, an end."""

    def __init__(self, beginning: bytes, piece: bytes, times: int, end: bytes) -> None:
        self._left = self._pieces(beginning, piece, times, end)
        self._rest = b""

    @staticmethod
    def _pieces(beginning: bytes, piece: bytes, times: int, end: bytes) -> Iterator[bytes]:
        yield beginning
        for _ in range(times):
            yield piece
        yield end

    def read1(self, size: int = -1, /) -> bytes:
        while not self._rest:
            piece = next(self._left, None)
            if piece is None:
                return b""
            self._rest = piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def rows(row: Mapping[str, object], separator: str, indent: int | None = None) -> bytes:
    return "".join(json.dumps(row, indent=indent) + separator for _ in range(PIECE_ROWS)).encode()


EVENT_LINES = LAYOUTS["lines"](DOCUMENTS) * (PIECE_ROWS // len(DOCUMENTS))

FORMS: dict[str, tuple[bytes, bytes, bytes]] = {
    "event lines": (b"", EVENT_LINES, b""),
    "event array": (b"[", EVENT_LINES.replace(b"\n", b","), b"{}]"),
    "pretty-printed events": (b"", LAYOUTS["pretty-printed one after the other"](DOCUMENTS) + b"\n", b""),
    "one history": (b'{"forwarding_events": [', rows(FORWARD, ","), b'], "last_offset_index": 5}'),
    "graph": (b'{"nodes": [', rows({"pub_key": "02", "alias": "x", "addresses": ["a" * 200]}, ","), b'], "edges": []}'),
    "dated listings": (b"", json.dumps({"timestamp": 5, "channels": [CHANNEL] * 500}).encode() + b"\n", b""),
    "forwards of Core Lightning": (b'{"forwards": [', rows(CLN_ROW, ", "), b"]}"),
    "CSV": (CSV_HEADER, (b"1,2,3,4,3," + b"x" * 100 + b"\n") * PIECE_ROWS, b""),
    "bad lines": (EVENT_LINES, b'{"forward_event": {"info": "and so on and so forth", "timestamp\n' * PIECE_ROWS, b""),
    "one line without end": (EVENT_LINES, b"x" * 100_000, b""),
    "one string without end": (b"[" + EVENT_LINES.replace(b"\n", b",") + b'{"a": "', b"x" * 100_000, b""),
    "one object without end": (b"[" + EVENT_LINES.replace(b"\n", b","), b'{"and so on and so forth": ' * 500, b""),
    "brackets without end": (b'{"channels": [', b"[" * 10_000, b""),
}


def peak_bytes(form: str, times: int) -> int:
    beginning, piece, end = FORMS[form]
    source = Source(form, Generated(beginning, piece, times, end), None)
    tracemalloc.start()
    try:
        for chunk in read(source).chunks():
            assert chunk.rows <= 3_000
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", FORMS)
def test_a_longer_file_takes_no_more_memory(form: str) -> None:
    size = len(FORMS[form][1])
    times = max(2, (5 << 18) // size)  # beyond the megabyte that is looked at to recognise it
    small = peak_bytes(form, times)
    assert small < 16 << 20
    assert peak_bytes(form, 2 * times) < small * 1.15 + 100_000


def test_a_packed_file_takes_no_more_memory() -> None:
    peaks = []
    for times in (2, 6):
        packed = gzip.compress(EVENT_LINES * 20 * times)
        source = Source("packed", io.BytesIO(packed), len(packed))
        tracemalloc.start()
        for _ in read(source).chunks():
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.15 + 100_000
