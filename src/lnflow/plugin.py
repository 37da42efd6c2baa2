"""`lnflow-plugin`: lnflow inside Core Lightning.  One line in its config, or `lightning-cli plugin start`.

It registers no hook and writes nothing to the node.  The store lies in `lnflow/lnflow.sqlite` under the network's
lightning directory and belongs to the node's user.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lnflow.advice.analyzing import Selection
from lnflow.analysis.facts import Window
from lnflow.domain.errors import InputError, LnflowError, NodeUnavailable
from lnflow.domain.time import Clock, SystemClock
from lnflow.ingest.cln_collector import ClnCollector, ClnStatus, ClnTimes
from lnflow.nodes.cln.facts import NodeFacts
from lnflow.nodes.cln.forwards import ForwardReader
from lnflow.nodes.cln.history import NodeHistory
from lnflow.nodes.cln.live import LiveForwards
from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.nodes.cln.observer import TOPICS
from lnflow.nodes.cln.plugin.inbox import Inbox
from lnflow.nodes.cln.plugin.manifest import Method, Option, Progress
from lnflow.nodes.cln.plugin.runtime import InitConfiguration, NodeLogHandler, PluginRuntime, take_stdio
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.service.opportunities import OpportunityService
from lnflow.service.windows import WindowChoice
from lnflow.store.writing import StoreWriter

logger = logging.getLogger(__name__)

DATABASE_OPTION = "lnflow-database"
DEFAULT_DATABASE = "lnflow/lnflow.sqlite"
NODE_NAME = "default"
_WAIT_FOR_NODE_S = 1.0

T = TypeVar("T")


class LnflowPlugin:
    """The plugin's state: the collector while it runs, and the store that the methods read."""

    def __init__(self, clock: Clock, *, times: ClnTimes | None = None, coalesce_s: float = 0.2) -> None:
        """`times` and `coalesce_s` are the collector's and the forward reader's."""
        self._clock = clock
        self._times = times
        self._coalesce_s = coalesce_s
        self._live: LiveForwards | None = None
        self._inbox = Inbox()
        self._database: Path | None = None
        self._collector: ClnCollector | None = None
        window = ("[hours]", "[all]")
        self.runtime = PluginRuntime(
            options=[
                Option(
                    name=DATABASE_OPTION,
                    description="lnflow's store; a relative path starts at the network's lightning directory",
                    default=DEFAULT_DATABASE,
                )
            ],
            methods=[
                Method(name="lnflow-status", description="What lnflow collects, and whether", run=self._status),
                Method(
                    name="lnflow-analyze",
                    description="What the node failed to earn, why, and what would fix it",
                    parameters=window,
                    run=self._analyze,
                ),
                Method(
                    name="lnflow-report",
                    description="The whole analysis with channels and flows",
                    parameters=window,
                    run=self._report,
                ),
                Method(
                    name="lnflow-why",
                    description="Refusals by cause, peer, channel, in_peer, pair or hour",
                    parameters=("[by]", *window),
                    run=self._why,
                ),
            ],
            subscriptions=TOPICS,
            inbox=self._inbox,
            background=self._collect,
            clock=clock,
        )

    async def _collect(self, configuration: InitConfiguration, options: Mapping[str, Any]) -> None:
        """Collect until cancelled; runs after `init` was answered, so a slow start delays nobody."""
        lightning_dir = Path(configuration.lightning_dir)
        database = lightning_dir / str(options.get(DATABASE_OPTION) or DEFAULT_DATABASE)
        await asyncio.to_thread(database.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        self._database = database
        rpc = SocketRpc(lightning_dir / configuration.rpc_file, allowed=READ_METHODS)
        while True:
            live = LiveForwards(
                ForwardReader(rpc, self._clock, coalesce_s=self._coalesce_s),
                NodeFacts(rpc),
                NodeHistory(hears_connections=True),
                self._clock,
            )
            self._live = live
            try:
                await self._collect_with(rpc, live, database)
            except* NodeUnavailable as group:
                logger.info("the node is not ready yet: %s", group.exceptions[0])
            await self._clock.sleep(_WAIT_FOR_NODE_S)

    async def _collect_with(self, rpc: SocketRpc, live: LiveForwards, database: Path) -> None:
        with StoreWriter(database, NODE_NAME) as writer:
            self._collector = ClnCollector(rpc, live, writer, self._clock, times=self._times)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._collector.run(), name="collector")
                group.create_task(self._pass_notices(live), name="notices")

    async def _pass_notices(self, live: LiveForwards) -> None:
        while True:
            for notice in await self._inbox.take():
                live.notice(notice.topic, notice.params, notice.at_ns)
            await asyncio.sleep(0)  # a flood must not keep the reader of stdin waiting

    # -- methods ----------------------------------------------------------------------------------------

    async def serve(self, stdin_fd: int, stdout_fd: int) -> None:
        """Serve lightningd until it says shutdown or closes our stdin."""
        await self.runtime.run(stdin_fd, stdout_fd)

    @property
    def collecting(self) -> ClnStatus | None:
        """What is collected so far; None before the node was found ready."""
        return None if self._collector is None else self._collector.status

    def has_heard(self, notifications: int) -> bool:
        """Whether so many notifications were taken, all were worked on, and no look at the channels is under way."""
        received = sum(self._inbox.received.values())
        return received >= notifications and not len(self._inbox) and not (self._live and self._live.looking)

    async def _status(self, params: dict[str, Any], progress: Progress) -> Any:
        collector = self._collector
        status = None if collector is None else collector.status
        return {
            "database": None if self._database is None else str(self._database),
            "collecting": status is not None,
            "status": None if status is None else msgspec.to_builtins(status),
            "ledger_holds": None if status is None or status.ledger is None else status.ledger.holds,
            "notifications": {
                "received": dict(self._inbox.received),
                "shed": dict(self._inbox.shed),
                "malformed": dict(self.runtime.malformed),
            },
        }

    async def _analyze(self, params: dict[str, Any], progress: Progress) -> Any:
        return await self._ask(params, progress, lambda s, w: s.analyze(w, Selection()))

    async def _report(self, params: dict[str, Any], progress: Progress) -> Any:
        return await self._ask(params, progress, lambda s, w: s.report(w, Selection()))

    async def _why(self, params: dict[str, Any], progress: Progress) -> Any:
        by = params.get("by", "cause")
        if by not in ("cause", "peer", "channel", "in_peer", "pair", "hour"):
            raise InputError(f"by: {by!r} is none of cause, peer, channel, in_peer, pair, hour")
        return await self._ask(params, progress, lambda s, w: s.failures(w, by))

    async def _ask(
        self, params: dict[str, Any], progress: Progress, question: Callable[[OpportunityService, Window], Any]
    ) -> Any:
        """Answer from the store, beside the loop; the reader never waits for the writer."""
        database = self._database
        if database is None or not database.exists():
            raise LnflowError("lnflow has stored nothing yet: see lnflow-status")
        choice = _choice(params)

        def answer() -> Any:
            with OpportunityService.open(database, NODE_NAME, self._clock) as service:
                return msgspec.to_builtins(question(service, service.window(choice)))

        progress(0, 2)
        answered = await asyncio.to_thread(answer)
        progress(1, 2)
        return answered


def _choice(params: Mapping[str, Any]) -> WindowChoice:
    """Return the window that was asked for; `lightning-cli` gives numbers as text or as numbers."""
    hours = params.get("hours")
    try:
        number = None if hours is None else float(hours)
    except (TypeError, ValueError):
        raise InputError(f"hours: {hours!r} is not a number") from None
    choice = WindowChoice(hours=number, since=None, until=None, everything=params.get("all") in (True, "true"))
    choice.check()
    return choice


async def run() -> None:
    """Serve lightningd until it says shutdown or closes our stdin."""
    stdin_fd, stdout_fd = take_stdio()
    plugin = LnflowPlugin(SystemClock())
    root = logging.getLogger("lnflow")
    root.setLevel(logging.INFO)
    root.propagate = False
    root.addHandler(NodeLogHandler(plugin.runtime))
    await plugin.serve(stdin_fd, stdout_fd)


def main() -> None:
    """Started by lightningd, never by hand."""
    if "LIGHTNINGD_PLUGIN" not in os.environ:
        raise SystemExit(
            "lnflow-plugin is started by lightningd: add the line plugin=lnflow-plugin's path to its config,"
            ' or run: lightning-cli plugin start "$(command -v lnflow-plugin)"'
        )
    asyncio.run(run())


if __name__ == "__main__":
    main()
