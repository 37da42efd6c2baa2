"""A small program on the plugin runtime, as the fake node starts it: it counts and follows forwards."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lnflow.domain.errors import ConfigurationError
from lnflow.domain.time import SystemClock
from lnflow.nodes.cln.forwards import Cursor, ForwardReader
from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.nodes.cln.observer import TOPICS
from lnflow.nodes.cln.plugin.inbox import Inbox
from lnflow.nodes.cln.plugin.manifest import Method, Option, Progress
from lnflow.nodes.cln.plugin.runtime import InitConfiguration, NodeLogHandler, PluginRuntime, take_stdio
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.nodes.cln.wire import GetInfo


class Program:
    def __init__(self) -> None:
        self.inbox = Inbox(hints=5000)
        self.rows: dict[int, str] = {}
        self.taken = 0
        self.rpc: SocketRpc | None = None
        self.runtime = PluginRuntime(
            options=[Option(name="lnflow-database", description="where the store is", default="lnflow.sqlite")],
            methods=[
                Method(name="lnflow-status", description="what was seen", run=self.status),
                Method(name="lnflow-long", description="slow", parameters=("steps", "[note]"), run=self.long),
                Method(name="lnflow-hang", description="asks the node, which never answers", run=self.hang),
                Method(name="lnflow-bug", description="raises", parameters=("kind",), run=self.bug),
            ],
            subscriptions=TOPICS,
            inbox=self.inbox,
            background=self.background,
            clock=SystemClock(),
        )

    async def background(self, configuration: InitConfiguration, options: Mapping[str, Any]) -> None:
        self.rpc = SocketRpc(Path(configuration.lightning_dir) / configuration.rpc_file, allowed=READ_METHODS)
        reader = ForwardReader(self.rpc, SystemClock(), coalesce_s=0.0)
        logging.getLogger("lnflow").info("started: database=%s", options["lnflow-database"])
        print("a stray print that must not reach lightningd")  # noqa: T201
        async with asyncio.TaskGroup() as group:
            group.create_task(self.take_notices(reader))
            group.create_task(self.follow(reader))

    async def take_notices(self, reader: ForwardReader) -> None:
        while True:
            self.taken += len(await self.inbox.take())
            reader.nudge()

    async def follow(self, reader: ForwardReader) -> None:
        async for batch in reader.follow(Cursor()):
            for row in batch.rows:
                self.rows[row.created_index or 0] = row.status

    async def status(self, params: dict[str, Any], progress: Progress) -> Any:
        return {
            "rows": len(self.rows),
            "received": dict(self.inbox.received),
            "shed": dict(self.inbox.shed),
            "taken": self.taken,
            "malformed": dict(self.runtime.malformed),
        }

    async def long(self, params: dict[str, Any], progress: Progress) -> Any:
        for step in range(int(params["steps"])):
            progress(step, int(params["steps"]))
            await asyncio.sleep(0)
        return {"done": params["steps"], "note": params.get("note")}

    async def hang(self, params: dict[str, Any], progress: Progress) -> Any:
        assert self.rpc is not None
        return {"alias": (await self.rpc.call("getinfo", {}, GetInfo, timeout_s=0.2)).alias}

    async def bug(self, params: dict[str, Any], progress: Progress) -> Any:
        if params["kind"] == "ours":
            raise ConfigurationError("config.toml: nothing is configured")
        raise KeyError("a secret detail")


async def main() -> None:
    stdin_fd, stdout_fd = take_stdio()
    program = Program()
    logger = logging.getLogger("lnflow")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(NodeLogHandler(program.runtime))
    await program.runtime.run(stdin_fd, stdout_fd)


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(0)
