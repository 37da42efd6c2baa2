"""The fake node's Unix socket: undelimited requests in, replies that end with two newlines out, in any order.

`Faults` make it misbehave as nodes and networks do.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lnflow.nodes.cln.json_stream import MessageSplitter
from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.params import RpcFailure


@dataclass(slots=True)
class Faults:
    """What goes wrong, by method; empty means that all is well."""

    hang: set[str] = field(default_factory=set)
    """Never answered."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """These bytes instead of the reply."""
    cut_after: dict[str, int] = field(default_factory=dict)
    """The connection closes after so many bytes of the reply."""
    chunk_bytes: int = 1 << 20
    """How much of a reply is written at once."""


class SocketServer:
    """Serves `commands` at `path` inside `async with`; `connections` counts those ever accepted."""

    def __init__(self, commands: Commands, path: Path, *, faults: Faults | None = None) -> None:
        self.path = path
        self.faults = faults or Faults()
        self.connections = 0
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> SocketServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, path=str(self.path))

    async def stop(self) -> None:
        """Close the socket and all its connections, as a node that stops."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        for writer in list(self._writers):
            writer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        splitter = MessageSplitter()
        mine: set[asyncio.Task[None]] = set()
        try:
            while chunk := await reader.read(65536):
                for message in splitter.feed(chunk):
                    task = asyncio.create_task(self._answer(message, writer))
                    mine.add(task)
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        except ConnectionError:
            pass
        finally:
            for task in mine:
                task.cancel()
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = msgspec.json.decode(message)
        except msgspec.DecodeError:
            return  # the real one does not answer bytes that are no JSON either
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id")}
        method = str(request.get("method"))
        if fault := _missing(request):
            reply["error"] = {"code": -32600, "message": fault}
        elif method in self.faults.hang:
            await asyncio.get_running_loop().create_future()
        else:
            try:
                result = await self._commands.call(method, request["params"])
                reply["result"] = _filtered(result, request["filter"]) if "filter" in request else result
            except RpcFailure as exc:
                reply["error"] = {"code": exc.code, "message": exc.message}
        await self._write(method, msgspec.json.encode(reply) + b"\n\n", writer)

    async def _write(self, method: str, data: bytes, writer: asyncio.StreamWriter) -> None:
        data = self.faults.raw.get(method, data)
        cut = self.faults.cut_after.get(method)
        data = data if cut is None else data[:cut]
        size = self.faults.chunk_bytes
        try:
            for start in range(0, len(data), size):
                writer.write(data[start : start + size])
                await writer.drain()
        except ConnectionError:
            return
        if cut is not None:
            writer.close()


def _missing(request: object) -> str | None:
    if not isinstance(request, dict):
        return "Invalid request"
    if request.get("jsonrpc") != "2.0":
        return 'Expected "jsonrpc" to be "2.0"'
    if not isinstance(request.get("id"), str | int):
        return "No id"
    if not isinstance(request.get("method"), str):
        return "No method"
    if not isinstance(request.get("params"), dict | list):
        return "No params"
    return None


def _filtered(value: Any, wanted: Any) -> Any:
    """Keep what the request's `filter` names: `true` for an object gives `{}`, for an array all of it."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return {k: _filtered(value[k], w) for k, w in wanted.items() if k in value}
    if isinstance(wanted, list) and isinstance(value, list):
        return [_filtered(element, wanted[0]) for element in value] if wanted else value
    return {} if isinstance(value, dict) else value
