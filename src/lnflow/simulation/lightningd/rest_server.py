"""The fake node's clnrest: POST /v1/<method> with a rune, 201 for success, as HTTP/1.1 on loopback.

A rune here is a name with the set of methods it allows (and limits on named parameters); the real ones are
signed, which changes nothing for a client.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.params import RpcFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Rune:
    """What one rune lets through."""

    methods: frozenset[str]
    below: Mapping[str, int] = field(default_factory=dict)
    """pname<param> absent or below this number, and no positional parameters."""

    def refuses(self, method: str, params: Any) -> str | None:
        if method not in self.methods:
            return "method is not allowed"
        if self.below and not isinstance(params, dict):
            return "parr0 is present"
        for name, limit in self.below.items():
            value = params.get(name)
            if value is not None and not isinstance(value, int):
                return f"pname{name}: not an integer field"
            if value is not None and value >= limit:
                return f"pname{name}: {value} is greater or equal to {limit}"
        return None


class RestServer:
    """Serves `commands` on a loopback port inside `async with`."""

    def __init__(self, commands: Commands, runes: Mapping[str, Rune], *, tls: ssl.SSLContext | None = None) -> None:
        self._commands = commands
        self._runes = runes
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> RestServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve_requests(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await task

    async def _serve_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (head := await _read_head(reader)) is not None:
                verb, path, headers = head
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status, payload = await self._answer(verb, path, headers, body)
                data = msgspec.json.encode(payload)
                writer.write(
                    b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (status, len(data), data)
                )
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, verb: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if verb != "POST" or not path.startswith("/v1/"):
            return 405, _error(-32600, "only POST /v1/<method>")
        method = path.removeprefix("/v1/")
        if "rune" not in headers:
            return 403, _error(1501, "Not authorized: Missing rune")
        rune = self._runes.get(headers["rune"])
        params = msgspec.json.decode(body) if body else {}
        if rune is None:
            return 401, _error(1501, "Not authorized: Not derived from master")
        if reason := rune.refuses(method, params):
            return 401, _error(1502, f"Not permitted: {reason}")
        try:
            return 201, await self._commands.call(method, params)
        except RpcFailure as exc:
            return (404 if exc.code == -32601 else 500), _error(exc.code, exc.message)


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    line = await reader.readline()
    if not line.strip():
        return None
    verb, path, _ = line.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        headers[name.strip().lower()] = value.strip()
    return verb, path, headers


def _error(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}
