"""The collector's life inside the plugin: started after `init`, started again whenever it ends."""

from __future__ import annotations

import asyncio
import logging

from lnflow.domain.errors import LnflowError, NodeUnavailable
from lnflow.domain.time import Clock
from lnflow.ingest.cln_collector import ClnCollector, ClnStatus, ClnTimes
from lnflow.nodes.cln.facts import NodeFacts
from lnflow.nodes.cln.forwards import ForwardReader
from lnflow.nodes.cln.history import NodeHistory
from lnflow.nodes.cln.live import LiveForwards
from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.nodes.cln.plugin.inbox import Inbox
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.plugin.options import PluginSettings
from lnflow.store.writing import StoreWriter

logger = logging.getLogger(__name__)

NODE_NAME = "default"
AGAIN_S = 1.0
AGAIN_AFTER_REFUSAL_S = 5.0  # such as another collector's lease, which a killed one leaves for a minute


class Collecting:
    """Collects until cancelled; `trouble` says why it does not at the moment."""

    def __init__(self, inbox: Inbox, clock: Clock, times: ClnTimes | None, coalesce_s: float) -> None:
        self._inbox = inbox
        self._times = times
        self._coalesce_s = coalesce_s
        self._live: LiveForwards | None = None
        self._clock = clock
        self._collector: ClnCollector | None = None
        self.trouble: str | None = None

    @property
    def status(self) -> ClnStatus | None:
        """The collector's own; None before its first start."""
        return None if self._collector is None else self._collector.status

    def has_heard(self, notifications: int) -> bool:
        """Whether so many notifications were taken, all were worked on, and no look at the channels is under way."""
        received = sum(self._inbox.received.values())
        return received >= notifications and not len(self._inbox) and not (self._live and self._live.looking)

    async def run(self, settings: PluginSettings) -> None:
        """Collect; a node that is away, a store or a node that refuses end one try, not the plugin."""
        while True:
            wait_s = AGAIN_AFTER_REFUSAL_S
            try:
                await asyncio.to_thread(settings.database.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
                await self._collect(settings)
            except* NodeUnavailable as group:
                wait_s = AGAIN_S
                self._tell(group.exceptions[0], logging.INFO)
            except* (LnflowError, OSError) as group:
                self._tell(group.exceptions[0], logging.ERROR)
            await self._clock.sleep(wait_s)

    def _tell(self, error: BaseException, level: int) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if self.trouble != str(error):
            logger.log(level, "not collecting, trying again: %s", error)
        self.trouble = str(error)

    async def _collect(self, settings: PluginSettings) -> None:
        rpc = SocketRpc(settings.socket, allowed=READ_METHODS)
        self._live = live = LiveForwards(
            ForwardReader(rpc, self._clock, coalesce_s=self._coalesce_s),
            NodeFacts(rpc),
            NodeHistory(hears_connections=True),
            self._clock,
        )
        with StoreWriter(settings.database, NODE_NAME) as writer:
            self._collector = ClnCollector(
                rpc,
                live,
                writer,
                self._clock,
                times=self._times,
                raw_days=settings.raw_days,
                on_change=self._changed,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(self._collector.run(), name="collector")
                group.create_task(self._pass_notices(live), name="notices")

    def _changed(self) -> None:
        self.trouble = None if self.status is None else self.status.trouble

    async def _pass_notices(self, live: LiveForwards) -> None:
        while True:
            for notice in await self._inbox.take():
                live.notice(notice.topic, notice.params, notice.at_ns)
            await asyncio.sleep(0)  # a flood must not keep the reader of stdin waiting
