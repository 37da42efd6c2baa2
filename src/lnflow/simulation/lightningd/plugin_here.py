"""A plugin inside this process: the same protocol over pipes, so that it can live by a simulated clock."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.plugin_host import PluginHost, Process

Program = Callable[[int, int], Awaitable[None]]
"""Serves a node over two file descriptors, its stdin and its stdout, and closes them at the end."""

_CHUNK_BYTES = 1 << 20


class PluginHere(PluginHost):
    """Hosts `program` as a task of the running loop."""

    def __init__(self, commands: Commands, program: Program, *, lightning_dir: Path, rpc_file: str) -> None:
        super().__init__(commands, (), lightning_dir=lightning_dir, rpc_file=rpc_file)
        self._program = program

    async def _launch(self) -> Process:
        return await _Running.start(self._program)


class _Running:
    """The pipes of a program and the task that it is."""

    def __init__(self, task: asyncio.Future[None], stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader) -> None:
        self._task = task
        self.stdin = stdin
        self.stdout = stdout

    @classmethod
    async def start(cls, program: Program) -> _Running:
        loop = asyncio.get_running_loop()
        their_stdin, our_end = os.pipe()
        our_other_end, their_stdout = os.pipe()
        stdout = asyncio.StreamReader(limit=_CHUNK_BYTES)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(our_other_end, "rb"))
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(our_end, "wb"))
        stdin = asyncio.StreamWriter(transport, protocol, None, loop)
        return cls(asyncio.ensure_future(program(their_stdin, their_stdout)), stdin, stdout)

    @property
    def returncode(self) -> int | None:
        return 0 if self._task.done() else None

    async def wait(self) -> int:
        await asyncio.wait({self._task})
        self.stdin.close()
        return 0

    def kill(self) -> None:
        self._task.cancel()
