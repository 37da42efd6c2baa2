"""JSON-RPC over lightningd's Unix socket: one connection per call, so a slow call delays no other."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from lnflow.domain.errors import InputError, NodeUnavailable
from lnflow.nodes.cln.errors import OutcomeUnknown
from lnflow.nodes.cln.json_stream import ArrayReader, MessageSplitter
from lnflow.nodes.cln.methods import require_allowed
from lnflow.nodes.cln.rpc import (
    DEFAULT_TIMEOUT_S,
    MAX_REPLY_BYTES,
    Envelope,
    convert_elements,
    decode_envelope,
    decode_result,
    error_body,
    malformed,
    raise_rpc_error,
)

T = TypeVar("T")
_CHUNK_BYTES = 256 * 1024
_CONNECT_TIMEOUT_S = 10.0
_BEGINNING = 100  # bytes; lightningd writes no space there


class SocketRpc:
    """Asks the lightningd behind `path`, only the methods in `allowed`.  See `ClnRpc` for what is raised."""

    def __init__(self, path: Path, *, allowed: frozenset[str], name: str = "lnflow") -> None:
        self._path = path
        self._allowed = allowed
        self._name = name
        self._numbers = itertools.count(1)

    async def call(
        self,
        method: str,
        params: Mapping[str, object],
        reply: type[T],
        *,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
    ) -> T:
        async with self._asked(method, params) as reader:
            try:
                async with asyncio.timeout(timeout_s):
                    envelope = await self._read_reply(method, reader)
            except TimeoutError:
                raise OutcomeUnknown(f"{method}: no answer from {self._path} within {timeout_s} s") from None
        if envelope.error is not None:
            raise_rpc_error(method, envelope.error.code, envelope.error.message)
        if not bytes(envelope.result):
            raise NodeUnavailable(f"{method}: the node's reply has neither result nor error")
        return decode_result(method, envelope.result, reply)

    async def elements(
        self,
        method: str,
        params: Mapping[str, object],
        array: str,
        element: type[T],
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> AsyncIterator[list[T]]:
        parser = ArrayReader(("result", array))
        async with self._asked(method, params) as reader:
            while not parser.finished:
                try:
                    async with asyncio.timeout(timeout_s):
                        chunk = await self._read(method, reader)
                    values = parser.feed(chunk)
                except TimeoutError:
                    raise OutcomeUnknown(f"{method}: the answer stopped for {timeout_s} s") from None
                except InputError as exc:
                    raise malformed(method, exc) from None
                if values:
                    yield convert_elements(method, values, element)
        if (error := error_body(parser.members.get("error"))) is not None:
            raise_rpc_error(method, error.code, error.message)
        if not parser.found:
            raise NodeUnavailable(f"{method}: the node's reply has no {array!r}")

    async def close(self) -> None:
        """Nothing is kept open between calls."""

    @asynccontextmanager
    async def _asked(self, method: str, params: Mapping[str, object]) -> AsyncIterator[asyncio.StreamReader]:
        """Connect, send the request, and close the connection at the end, which also cancels a `wait`."""
        require_allowed(method, self._allowed)
        request = {
            "jsonrpc": "2.0",
            "id": f"{self._name}:{method}#{next(self._numbers)}",
            "method": method,
            "params": params,
        }
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(str(self._path), limit=_CHUNK_BYTES)
        except (OSError, TimeoutError) as exc:
            raise NodeUnavailable(
                f"{self._path}: cannot connect to lightningd ({exc or 'timed out'}): is it running,"
                " and may we read the socket (rpc-file-mode)?"
            ) from None
        try:
            try:
                writer.write(msgspec.json.encode(request) + b"\n\n")
                await writer.drain()
            except OSError as exc:
                raise OutcomeUnknown(f"{method}: the connection broke while asking: {exc}") from None
            yield reader
        finally:
            writer.close()

    async def _read(self, method: str, reader: asyncio.StreamReader) -> bytes:
        try:
            chunk = await reader.read(_CHUNK_BYTES)
        except OSError as exc:
            raise OutcomeUnknown(f"{method}: the connection broke before the answer: {exc}") from None
        if not chunk:
            raise OutcomeUnknown(f"{method}: the node closed the connection before the whole answer came")
        return chunk

    async def _read_reply(self, method: str, reader: asyncio.StreamReader) -> Envelope:
        """Return the reply, decoded once when it looks whole; anything odd goes through the splitter."""
        buffer = bytearray()
        while True:
            buffer += await self._read(method, reader)
            if len(buffer) > MAX_REPLY_BYTES:
                raise NodeUnavailable(f"{method}: a reply of more than {MAX_REPLY_BYTES} bytes: refused")
            if not buffer[:_BEGINNING].lstrip().startswith(b"{"):
                raise NodeUnavailable(
                    f"{method}: the node's reply cannot be read, it is not JSON: {bytes(buffer[:40])!r}"
                )
            if not buffer.endswith((b"}", b"}\n", b"}\n\n")):
                continue
            try:
                envelope = decode_envelope(buffer)
            except msgspec.DecodeError:
                found = _reply_among(method, bytes(buffer))
                if found is None:
                    continue
                envelope = found
            if envelope.method is None:
                return envelope


def _reply_among(method: str, data: bytes) -> Envelope | None:
    """Return the first whole reply in `data` (notifications may stand before it), None if more must come."""
    try:
        for message in MessageSplitter(max_bytes=MAX_REPLY_BYTES).feed(data):
            envelope = decode_envelope(message)
            if envelope.method is None:
                return envelope
    except (InputError, msgspec.DecodeError) as exc:
        raise malformed(method, exc) from None
    return None
