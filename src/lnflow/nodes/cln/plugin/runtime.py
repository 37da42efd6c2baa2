"""The loop of a plugin: read stdin without pause, answer, and end when told.

The real stdout belongs to the protocol alone: it is moved away, so that a stray print ends in stderr and
not in lightningd, which would kill us for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lnflow.domain.errors import InputError, LnflowError
from lnflow.domain.time import Clock
from lnflow.nodes.cln.errors import INVALID_PARAMS, METHOD_NOT_FOUND
from lnflow.nodes.cln.json_stream import MessageSplitter
from lnflow.nodes.cln.plugin.inbox import Inbox, Notice
from lnflow.nodes.cln.plugin.manifest import Method, Option, Progress, manifest

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_GENERAL_ERROR = -1
_MAX_UNSENT_BYTES = 4 << 20
_STOP_GRACE_S = 5.0


class InitConfiguration(Struct, frozen=True):
    """What lightningd tells at `init`."""

    lightning_dir: str = msgspec.field(name="lightning-dir")
    rpc_file: str = msgspec.field(name="rpc-file")
    network: str
    startup: bool = False


class _Init(Struct, frozen=True):
    options: dict[str, Any]
    configuration: InitConfiguration


class _Message(Struct, frozen=True):
    method: str
    id: str | int | None = None
    params: Raw = Raw(b"{}")  # immutable


_decode_message = msgspec.json.Decoder(_Message).decode
Background = Callable[[InitConfiguration, Mapping[str, Any]], Awaitable[None]]


class PluginRuntime:
    """Runs one plugin.  `background` starts after `init` was answered and is cancelled at the end."""

    def __init__(
        self,
        *,
        options: Sequence[Option],
        methods: Sequence[Method],
        subscriptions: Sequence[str],
        inbox: Inbox,
        background: Background,
        clock: Clock,
    ) -> None:
        self._options = options
        self._methods = {m.name: m for m in methods}
        self._subscriptions = subscriptions
        self._inbox = inbox
        self._background = background
        self._clock = clock
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended = asyncio.Event()
        self.malformed: Counter[str] = Counter()
        self.unsent = 0
        """Log lines and progress dropped because lightningd did not read them."""

    async def run(self, stdin_fd: int, stdout_fd: int) -> None:
        """Serve until lightningd says `shutdown` or closes our stdin."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(stdin_fd, "rb"))
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(stdout_fd, "wb")
        )
        self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        reading = asyncio.create_task(self._read(reader))
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait({reading, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._stop({reading, ended} | self._tasks)
            self._writer.close()

    async def _stop(self, tasks: set[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_GRACE_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        splitter = MessageSplitter()
        while chunk := await reader.read(_CHUNK_BYTES):
            try:
                messages = splitter.feed(chunk)
            except InputError as exc:
                self.malformed["too long"] += 1
                logger.warning("plugin input dropped: %s", exc)
                splitter = MessageSplitter()
                continue
            for raw in messages:
                self._take(raw)

    def _take(self, raw: bytes) -> None:
        try:
            message = _decode_message(raw)
        except msgspec.DecodeError as exc:
            self.malformed["message"] += 1
            logger.warning("plugin input dropped: not a request (%s)", exc)
            return
        if message.id is not None:
            self._answer(message)
        elif message.method == "shutdown":
            self._inbox.put(Notice("shutdown", message.params, self._clock.now_ns()))
            self._ended.set()
        else:
            self._inbox.put(Notice(message.method, message.params, self._clock.now_ns()))

    def _answer(self, message: _Message) -> None:
        match message.method:
            case "getmanifest":
                methods = list(self._methods.values())
                self._reply(message.id, manifest(self._options, methods, self._subscriptions))
            case "init":
                self._init(message)
            case name if name in self._methods:
                task = asyncio.create_task(self._call(self._methods[name], message), name=name)
                self._tasks.add(task)
                task.add_done_callback(lambda done: self._called(done, message.id))
            case name:
                self._refuse(message.id, METHOD_NOT_FOUND, f"lnflow has no method {name}")

    def _init(self, message: _Message) -> None:
        try:
            init = msgspec.json.decode(message.params, type=_Init)
        except msgspec.DecodeError as exc:
            self._reply(message.id, {"disable": f"lnflow does not understand this node's init: {exc}"})
            return
        self._reply(message.id, {})  # at once: a slow init would keep the node from starting
        task = asyncio.ensure_future(self._background(init.configuration, init.options))
        self._tasks.add(task)
        task.add_done_callback(self._background_ended)

    def _background_ended(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            logger.error("the collection stopped: %s: %s", type(error).__name__, error, exc_info=error)

    async def _call(self, method: Method, message: _Message) -> Any:
        try:
            given = msgspec.json.decode(message.params, type=dict[str, Any] | list[Any])
        except msgspec.DecodeError as exc:
            raise InputError(f"{method.name}: params must be an object or an array: {exc}") from None
        return await method.run(method.bind(given), self._progress(message.id))

    def _called(self, task: asyncio.Task[Any], request_id: str | int | None) -> None:
        """Answer with the result, or with the error however it came: a bug in one method ends only that call."""
        self._tasks.discard(task)
        if task.cancelled():
            self._refuse(request_id, _GENERAL_ERROR, "lnflow is stopping")
            return
        match task.exception():
            case None:
                self._reply(request_id, task.result())
            case InputError() as error:
                self._refuse(request_id, INVALID_PARAMS, str(error))
            case LnflowError() as error:
                self._refuse(request_id, _GENERAL_ERROR, str(error))
            case error:
                logger.error("%s failed: %s", task.get_name(), type(error).__name__, exc_info=error)
                self._refuse(request_id, _GENERAL_ERROR, f"{task.get_name()} failed: {type(error).__name__} (see log)")

    def _progress(self, request_id: str | int | None) -> Progress:
        """Tell a caller that asked for it (`notifications enable`) how far we are."""

        def tell(done: int, of: int) -> None:
            self.notify("progress", {"id": request_id, "num": min(done, max(of - 1, 0)), "total": max(of, 1)})

        return tell

    def notify(self, topic: str, params: Mapping[str, Any]) -> None:
        """Send `log` or `progress`; dropped, and counted, while lightningd does not read."""
        if self._writer is None or self._writer.transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            self.unsent += 1
            return
        self._send({"jsonrpc": "2.0", "method": topic, "params": params})

    def _reply(self, request_id: str | int | None, result: Any) -> None:
        self._send({"jsonrpc": "2.0", "id": request_id, "result": result})

    def _refuse(self, request_id: str | int | None, code: int, text: str) -> None:
        self._send({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}})

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n\n")


class NodeLogHandler(logging.Handler):
    """Our log lines in the node's log, at the node's levels; kept until the runtime can send them."""

    def __init__(self, runtime: PluginRuntime) -> None:
        super().__init__()
        self._runtime = runtime

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warn" if record.levelno >= logging.WARNING else "info"
        level = "debug" if record.levelno < logging.INFO else level
        self._runtime.notify("log", {"level": level, "message": self.format(record)})


def take_stdio() -> tuple[int, int]:
    """Return private copies of stdin and stdout; what anybody prints from now on goes to stderr."""
    stdin_fd, stdout_fd = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return stdin_fd, stdout_fd
