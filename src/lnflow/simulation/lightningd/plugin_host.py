"""The fake node's side of the plugin protocol: it starts a program, speaks JSON-RPC with it over its
stdin and stdout, passes its methods on, floods it with notifications, and ends it as the real one does.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from lnflow.nodes.cln.json_stream import MessageSplitter
from lnflow.simulation.lightningd.commands import Commands, Given
from lnflow.simulation.lightningd.params import RpcFailure

LOG_LEVELS = frozenset({"trace", "debug", "info", "unusual", "warn", "error"})
_STOP_GRACE_S = 10.0


class Process(Protocol):
    """A running plugin, as `asyncio.subprocess` has it."""

    @property
    def stdin(self) -> asyncio.StreamWriter | None: ...

    @property
    def stdout(self) -> asyncio.StreamReader | None: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...

    def kill(self) -> None: ...


class PluginHost:
    """One plugin of the fake node; `killed_for` says why it was killed, None while it behaves."""

    def __init__(self, commands: Commands, command: Sequence[str], *, lightning_dir: Path, rpc_file: str) -> None:
        self._commands = commands
        self._command = command
        self._dir = lightning_dir
        self._rpc_file = rpc_file
        self._next_id = 0
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._progress: dict[str, list[dict[str, Any]]] = {}
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._subscriptions: frozenset[str] = frozenset()
        self._methods: list[str] = []
        self.manifest: dict[str, Any] = {}
        self.logs: list[tuple[str, str]] = []
        self.disabled: str | None = None
        self.killed_for: str | None = None
        self.exit_code: int | None = None
        self.notified = 0
        """How many notifications it was sent."""

    async def start(self, options: Mapping[str, Any] | None = None, *, startup: bool = False) -> None:
        """Run getmanifest and init; raise `RpcFailure` if the plugin does not answer in the node's time."""
        node = self._commands.node
        self._process = await self._launch()
        self._reader = asyncio.create_task(self._read())
        timeout_s = node.personality.init_timeout_s
        self.manifest = await self.request("getmanifest", {"allow-deprecated-apis": False}, timeout_s=timeout_s)
        self._subscriptions = frozenset(self.manifest.get("subscriptions", ()))
        values = {o["name"]: o.get("default") for o in self.manifest.get("options", ())}
        values = {k: v for k, v in values.items() if v is not None} | dict(options or {})
        configuration = {
            "lightning-dir": str(self._dir),
            "rpc-file": self._rpc_file,
            "startup": startup,
            "network": node.network,
            "feature_set": {"init": "", "node": "", "channel": "", "invoice": ""},
        }
        reply = await self.request("init", {"options": values, "configuration": configuration}, timeout_s=timeout_s)
        if isinstance(reply, dict) and "disable" in reply:
            self.disabled = str(reply["disable"])
        for method in self.manifest.get("rpcmethods", ()):
            self._add_method(str(method["name"]))
        node.listen(self.notify)

    async def _launch(self) -> Process:
        version = self._commands.node.personality.version
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=self._dir,
            env=os.environ | {"LIGHTNINGD_PLUGIN": "1", "LIGHTNINGD_VERSION": version},
        )

    def _add_method(self, name: str) -> None:
        async def passed_on(given: Given) -> Any:
            return await self.request(name, given, timeout_s=None)

        self._methods.append(name)
        self._commands.extra[name] = passed_on

    async def request(self, method: str, params: Given, *, timeout_s: float | None, progress: bool = False) -> Any:
        """Ask the plugin; its answer, or `RpcFailure` with its error."""
        self._next_id += 1
        request_id = f"cli:{method}#{self._next_id}"
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        if progress:
            self._progress[request_id] = []
        self.send({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            self._kill(f"no answer to {method} in {timeout_s} s")
            raise RpcFailure(-3, f"the plugin did not answer {method}") from None
        finally:
            self._waiting.pop(request_id, None)

    def progress_of(self, method: str) -> list[dict[str, Any]]:
        """What `progress` notifications the last request of this method got."""
        return next((v for k, v in reversed(self._progress.items()) if k.startswith(f"cli:{method}#")), [])

    def notify(self, topic: str, payload: dict[str, Any]) -> None:
        """Queue a notification, without bound and without waiting: the node never waits for a plugin."""
        if topic in self._subscriptions or "*" in self._subscriptions:
            self.notified += 1
            self.send({"jsonrpc": "2.0", "method": topic, "params": {topic: payload}})

    def send(self, message: Mapping[str, Any]) -> None:
        self.send_bytes(msgspec.json.encode(message) + b"\n\n")

    def send_bytes(self, data: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(data)

    async def stop(self) -> None:
        """`plugin stop`: announce the shutdown, wait, then kill."""
        node, process = self._commands.node, self._process
        if process is None:
            return
        node.unlisten(self.notify)
        self.send({"jsonrpc": "2.0", "method": "shutdown", "params": {}})
        try:
            async with asyncio.timeout(_STOP_GRACE_S):
                self.exit_code = await process.wait()
        except TimeoutError:
            self._kill("did not stop in time")
            self.exit_code = await process.wait()
        if self._reader is not None:
            await self._reader
        for name in self._methods:
            self._commands.extra.pop(name, None)

    def _kill(self, why: str) -> None:
        self.killed_for = self.killed_for or why
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        splitter = MessageSplitter()
        while chunk := await self._process.stdout.read(65536):
            for message in splitter.feed(chunk):
                self._take(message)
            if splitter.dropped_bytes:
                self._kill("stray output on stdout")
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(RpcFailure(-4, "Plugin terminated before replying to RPC call."))

    def _take(self, raw: bytes) -> None:
        try:
            message = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            self._kill("stray output on stdout")
            return
        method = message.get("method")
        if method is None:
            self._take_reply(message)
        elif method == "log":
            params = message.get("params", {})
            level, text = params.get("level", "info"), params.get("message")
            if level not in LOG_LEVELS or not isinstance(text, str):
                self._kill(f"a log line with level {level!r}")
            else:
                self.logs.append((level, text))
        elif method == "progress":
            params = message.get("params", {})
            self._progress.setdefault(str(params.get("id")), []).append(params)

    def _take_reply(self, message: dict[str, Any]) -> None:
        future = self._waiting.get(str(message.get("id")))
        if future is None or future.done():
            return
        error = message.get("error")
        if error is None:
            future.set_result(message.get("result"))
        else:
            future.set_exception(RpcFailure(int(error.get("code", -3)), str(error.get("message", ""))))
