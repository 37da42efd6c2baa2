"""Just enough HTTP/2 to serve gRPC at full speed: messages prepared as bytes, many to a frame.

`grpc.aio` sends some thousand messages a second, far less than LND.  This is for load only; it knows the
frames that gRPC's own client sends (no Huffman coding, no dynamic table once it has our settings).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_INITIAL_WINDOW_SETTING = 4
_FRAME_SIZE = 16_384  # what every peer must accept
_FIRST_WINDOW = 65_535
_LARGE_WINDOW = (1 << 31) - 1
_STATIC_NAMES = {1: ":authority", 2: ":method", 4: ":path", 5: ":path", 6: ":scheme"}

Answer = Callable[["Call"], AsyncIterator[bytes]]
"""Yields what the call sends, as framed messages; raises `CallFailed` for another end than OK."""


class CallFailed(Exception):
    """A call ends with this gRPC status number and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a client: the method's full path, its metadata, its request."""

    path: str
    metadata: list[tuple[str, str]]
    request: bytes


def framed(message: bytes) -> bytes:
    """Return a gRPC message with its prefix: not compressed, and its length."""
    return struct.pack(">BI", 0, len(message)) + message


class Connection:
    """One client; calls are tasks of their own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._window = _FIRST_WINDOW
        self._first_window = _FIRST_WINDOW
        self._windows: dict[int, int] = {}
        self._opened = asyncio.Event()
        self._headers: dict[int, bytearray] = {}
        self._bodies: dict[int, bytearray] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Serve until the client goes."""
        try:
            if await self._reader.readexactly(len(PREFACE)) != PREFACE:
                return
            settings = struct.pack(">HIHI", 1, 0, _INITIAL_WINDOW_SETTING, _LARGE_WINDOW)  # 1: no dynamic table
            self._frame(_SETTINGS, 0, 0, settings)
            self._frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _LARGE_WINDOW - _FIRST_WINDOW))
            while True:
                head = await self._reader.readexactly(9)
                size = int.from_bytes(head[:3], "big")
                payload = await self._reader.readexactly(size)
                if head[3] == _GOAWAY:
                    return
                self._take(head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            for task in self._tasks.values():
                task.cancel()
            self._writer.close()

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            for offset in range(0, len(payload), 6):
                name, value = struct.unpack_from(">HI", payload, offset)
                if name == _INITIAL_WINDOW_SETTING:
                    for known in self._windows:
                        self._windows[known] += value - self._first_window
                    self._first_window = value
            self._frame(_SETTINGS, _ACK, 0, b"")
            self._opened.set()
        elif kind == _PING and not flags & _ACK:
            self._frame(_PING, _ACK, 0, payload)
        elif kind == _WINDOW_UPDATE:
            more = int.from_bytes(payload, "big") & 0x7FFFFFFF
            if stream == 0:
                self._window += more
            elif stream in self._windows:
                self._windows[stream] += more
            self._opened.set()
        elif kind == _RST_STREAM and stream in self._tasks:
            self._tasks[stream].cancel()
        elif kind in (_HEADERS, _CONTINUATION):
            if kind == _HEADERS:
                payload = _without_padding(payload, flags)
                self._headers[stream] = bytearray(payload[5:] if flags & _PRIORITY else payload)
                self._bodies[stream] = bytearray()
                self._windows[stream] = self._first_window
            else:
                self._headers[stream] += payload
            if kind == _HEADERS and flags & _END_STREAM:
                self._begin(stream)
        elif kind == _DATA and stream in self._bodies:
            self._bodies[stream] += _without_padding(payload, flags)
            if flags & _END_STREAM:
                self._begin(stream)

    def _begin(self, stream: int) -> None:
        headers = list(decode_headers(bytes(self._headers.pop(stream))))
        body = bytes(self._bodies.pop(stream))
        path = next((value for name, value in headers if name == ":path"), "")
        call = Call(path=path, metadata=headers, request=body[5:])
        task = asyncio.create_task(self._run(stream, call))
        self._tasks[stream] = task
        task.add_done_callback(lambda _: self._forget(stream))

    def _forget(self, stream: int) -> None:
        self._tasks.pop(stream, None)
        self._windows.pop(stream, None)

    async def _run(self, stream: int, call: Call) -> None:
        headers = b"\x88" + _literal("content-type", "application/grpc")  # 0x88: ":status: 200"
        self._frame(_HEADERS, _END_HEADERS, stream, headers)
        status, message = 0, ""
        try:
            async for messages in self._answer(call):
                await self._send(stream, messages)
        except CallFailed as failed:
            status, message = failed.status, str(failed)
        trailers = _literal("grpc-status", str(status)) + _literal("grpc-message", quote(message, safe=" ,:"))
        self._frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, trailers)

    async def _send(self, stream: int, data: bytes) -> None:
        """Send as the client's windows allow."""
        view = memoryview(data)
        while view:
            allowed = min(self._window, self._windows[stream])
            if allowed <= 0:
                self._opened.clear()
                await self._opened.wait()
                continue
            part, view = view[:allowed], view[allowed:]
            self._window -= len(part)
            self._windows[stream] -= len(part)
            for offset in range(0, len(part), _FRAME_SIZE):
                self._frame(_DATA, 0, stream, part[offset : offset + _FRAME_SIZE])
            await self._writer.drain()

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes | memoryview) -> None:
        head = struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream)
        self._writer.write(b"".join((head, payload)))


def decode_headers(block: bytes) -> Iterator[tuple[str, str]]:
    """Yield the literal fields of a header block (HPACK, RFC 7541); `ValueError` for Huffman coding."""
    at = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:  # a whole field from the static table: nothing that we read
            _, at = _integer(block, at, 7)
            continue
        if first & 0xE0 == 0x20:  # the size of the dynamic table
            _, at = _integer(block, at, 5)
            continue
        index, at = _integer(block, at, 6 if first & 0x40 else 4)
        if index:
            name = _STATIC_NAMES.get(index, "")
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        yield name, value


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    limit = (1 << bits) - 1
    value = block[at] & limit
    at += 1
    if value < limit:
        return value, at
    shift = 0
    while True:
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _string(block: bytes, at: int) -> tuple[str, int]:
    if block[at] & 0x80:
        raise ValueError("Huffman coded header: not from gRPC's own client")
    size, at = _integer(block, at, 7)
    return block[at : at + size].decode("latin-1"), at + size


def _literal(name: str, value: str) -> bytes:
    """Return a field without indexing; both parts are shorter than 127 bytes or get a longer length."""
    return b"\x00" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 0x7F:
        return bytes([len(raw)]) + raw
    rest = len(raw) - 0x7F
    length = bytearray([0x7F])
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes(length) + raw


def _without_padding(payload: bytes, flags: int) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
