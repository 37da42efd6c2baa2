"""What an operator has: a lightning directory with a fake node in it, a home, and the command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.integration.cln.network import Network

from lnflow.domain.time import SystemClock
from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.personality import V26_06, Personality
from lnflow.simulation.lightningd.plugin_host import PluginHost
from lnflow.simulation.lightningd.socket_server import SocketServer

CHANGING = frozenset({"setchannel", "clboss-unmanage", "feeadjuster-toggle", "delforward", "setconfig", "datastore"})
PLUGIN = [sys.executable, "-m", "lnflow.plugin"]


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Operator(AbstractAsyncContextManager["Operator"]):
    """The node runs inside `async with`: its directory is `lightning_dir`, its socket in `regtest` there."""

    def __init__(self, home: Path, personality: Personality = V26_06) -> None:
        self.home = home
        self.network = Network(personality)
        self.network.node.clock = SystemClock().now_ns
        self.lightning_dir = home / "lightning"
        self.network_dir = self.lightning_dir / "regtest"
        self.network_dir.mkdir(parents=True)
        self.database = self.network_dir / "lnflow" / "lnflow.sqlite"
        self.commands = Commands(self.network.node)
        self.server = SocketServer(self.commands, self.network_dir / "lightning-rpc")
        self._running: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Operator:
        await self.server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            if process.returncode is None:
                process.kill()
                await process.wait()
        await self.server.stop()

    def changing_calls(self) -> list[str]:
        """What was asked of the node, over whatever way, that changes something."""
        return [method for method, _ in self.commands.calls if method in CHANGING]

    def plugin(self) -> PluginHost:
        return PluginHost(self.commands, PLUGIN, lightning_dir=self.network_dir, rpc_file="lightning-rpc")

    def write(self, name: str, text: str, *, mode: int = 0o600) -> Path:
        path = self.home / name
        path.write_text(text)
        path.chmod(mode)
        return path

    # -- the command line -------------------------------------------------------------------------------

    async def start(self, *arguments: str | Path) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lnflow", *map(str, arguments),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        self._running.append(process)
        return process

    async def finish(self, process: asyncio.subprocess.Process) -> Result:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return Result(process.returncode or 0, out.decode(), err.decode())

    async def interrupt(self, process: asyncio.subprocess.Process) -> Result:
        process.send_signal(signal.SIGTERM)
        return await self.finish(process)

    async def lnflow(self, *arguments: str | Path) -> Result:
        return await self.finish(await self.start(*arguments))


async def until(reached: Callable[[], Any], seconds: float = 30) -> None:
    """Wait for what other processes bring about."""
    async with asyncio.timeout(seconds):
        while not reached():
            await asyncio.sleep(0.02)
