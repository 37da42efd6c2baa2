"""Where bytes come from: a file or standard input, unpacked if need be, with the progress of it."""

from __future__ import annotations

import io
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

from lnflow.domain.errors import InputError

STDIN = "-"
_READ_BYTES = 64 * 1024
_XZ_MEMORY_BYTES = 128 << 20  # `xz -9` needs 65 MiB to unpack; a header may ask for 4 GiB
_BOMB_FLOOR_BYTES = 64 << 20
_BOMB_RATIO = 300  # event logs shrink 10-30 fold, deflate can at most 1032 fold, xz 7000 fold

_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"


class _Unpacker(Protocol):
    """What zlib and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the input it held back taken care of, as lzma's does by itself."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Xz:
    def __init__(self) -> None:
        self._inner = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(data, max_length)


class Source:
    """Bytes of one file, read once from front to back.

    `failure` says why reading ended early (truncated or damaged archive, I/O error); what came before is
    good.  `bytes_read` counts what was taken of the file itself, so that with `bytes_total` (None for
    standard input) it is the progress of compressed files too.
    """

    def __init__(self, name: str, raw: io.BufferedIOBase, bytes_total: int | None) -> None:
        self.name = name
        self.bytes_read = 0
        self.bytes_total = bytes_total
        self.failure: str | None = None
        self._raw = raw
        self._head = b""
        self._ended = False
        first = self._read_raw()
        if first.startswith(_GZIP_MAGIC):
            self._fetch = self._unpacking(_Gzip, first, "gzip")
        elif first.startswith(_XZ_MAGIC):
            self._fetch = self._unpacking(_Xz, first, "xz")
        else:
            self._head = first
            self._fetch = self._read_raw

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes (fewer only at the end) and leave them to be read."""
        parts, held = [self._head], len(self._head)
        while held < size and (more := self._next()):
            parts.append(more)
            held += len(more)
        self._head = b"".join(parts)
        return self._head[:size]

    def read(self) -> bytes:
        """Return some more bytes, at least one; nothing means the end."""
        if self._head:
            data, self._head = self._head[:_READ_BYTES], self._head[_READ_BYTES:]
            return data
        return self._next()

    def close(self) -> None:
        if self._raw is not sys.stdin.buffer:
            self._raw.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _next(self) -> bytes:
        if self._ended:
            return b""
        data = self._fetch()
        self._ended = not data
        return data

    def _read_raw(self) -> bytes:
        try:
            data = self._raw.read1(_READ_BYTES)
        except OSError as error:
            self.failure = f"reading stopped after {self.bytes_read:,} bytes: {error.strerror or error}"
            return b""
        self.bytes_read += len(data)
        return data

    def _unpacking(self, new: Callable[[], _Unpacker], first: bytes, form: str) -> Callable[[], bytes]:
        """Return a function that gives unpacked pieces of bounded size, over all members of the archive."""
        unpacker, pending, produced = new(), first, 0

        def fetch() -> bytes:
            nonlocal unpacker, pending, produced
            while True:
                if unpacker.eof:
                    pending = (unpacker.unused_data or self._read_raw()).lstrip(b"\0")  # padding is legal
                    if not pending:
                        return b""
                    unpacker = new()
                try:
                    data = unpacker.decompress(pending, _READ_BYTES)
                except (zlib.error, lzma.LZMAError, EOFError) as error:
                    self.failure = f"the {form} archive is damaged: {error}"
                    return b""
                pending = b""
                produced += len(data)
                if produced > _BOMB_FLOOR_BYTES and produced > _BOMB_RATIO * self.bytes_read:
                    self.failure = (
                        f"the {form} archive unpacks to more than {_BOMB_RATIO} times its size: "
                        "if it is no bomb, unpack it yourself"
                    )
                    return b""
                if data:
                    return data
                if not unpacker.eof:
                    pending = self._read_raw()
                    if not pending:
                        self.failure = self.failure or f"the {form} archive is truncated: its end is missing"
                        return b""

        return fetch


def open_source(path: Path | str) -> Source:
    """Open a file, or standard input for `-`; raise `InputError` saying what to do if it cannot be."""
    if str(path) == STDIN:
        binary = sys.stdin.buffer
        assert isinstance(binary, io.BufferedIOBase)
        return Source("standard input", binary, None)
    path = Path(path)
    try:
        # Without O_NONBLOCK opening a FIFO would wait for a writer that may never come.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}") from error
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        raise InputError(f"{path}: is not a file (a pipe can be read as standard input: '-')")
    return Source(str(path), io.BufferedReader(io.FileIO(descriptor)), facts.st_size)


def files_below(path: Path | str) -> list[Path | str]:
    """Return the file itself (or `-`), or all files of a directory tree in sorted order.

    Hidden files, links to directories and what is not a regular file are left out of a tree.
    """
    if str(path) == STDIN:
        return [STDIN]
    root = Path(path)
    if not root.is_dir():
        return [root]
    found: list[Path | str] = []
    for folder, folders, names in os.walk(root, onerror=_cannot_list):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(folder)
        found += [here / name for name in sorted(names) if not name.startswith(".") and (here / name).is_file()]
    return found


def _cannot_list(error: OSError) -> None:
    raise InputError(f"{error.filename}: the directory cannot be read: {error.strerror}") from error
