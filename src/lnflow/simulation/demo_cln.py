"""The demo on Core Lightning: the same week behind a lightningd's socket, and the real plugin that it hosts.

The plugin lives in this process, since its clock is the world's; it speaks with its node over two pipes and the
socket, as ever.  After a refusal the world stands still until the plugin has seen what it would have seen in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from lnflow.domain.errors import StoreError
from lnflow.domain.time import Clock
from lnflow.ingest.cln_collector import ClnTimes
from lnflow.ingest.status import CollectorStatus, StreamState
from lnflow.simulation.clock import SimulatedClock
from lnflow.simulation.demo import Stage
from lnflow.simulation.lightningd.plugin_here import PluginHere
from lnflow.simulation.playing_cln import RPC_FILE, ClnWorld, served_cln_world
from lnflow.simulation.world.recording import Recording

DEMO_TIMES = ClnTimes(listing_s=300.0, facts_s=6 * 3600.0, lease_s=600.0, ledger_s=6 * 3600.0)
"""Simulated seconds.  A plugin lists its channels every half a minute; every five minutes are enough for a table,
since it also looks when something was refused, connected or lost."""
DATABASE_OPTION = "lnflow-database"
_LOOK_S = 0.0005
_PATIENCE_S = 60.0


class ClockedPlugin(Protocol):
    """The plugin, under a clock of ours."""

    async def serve(self, stdin_fd: int, stdout_fd: int) -> None: ...

    @property
    def collecting(self) -> CollectorStatus | None:
        """What is collected so far; None before the node was found ready."""

    def has_heard(self, notifications: int) -> bool:
        """Whether it has worked on so many notifications and looks at nothing at the moment."""


PluginMaker = Callable[[Clock], ClockedPlugin]


class ClnListener:
    """The real plugin, hosted by the node of a world."""

    def __init__(self, world: ClnWorld, host: PluginHere, plugin: ClockedPlugin) -> None:
        self._world = world
        self._host = host
        self._plugin = plugin
        forwards = world.node.forwards
        self._rows_before = forwards.created + forwards.updated

    @property
    def status(self) -> CollectorStatus:
        return self._plugin.collecting or CollectorStatus()

    async def ready(self) -> None:
        """Return when it follows and has read the node's history."""
        while not (self.status.backfill_done and self.status.subscriptions):
            await self._look()

    async def heard(self) -> None:
        """Return when the plugin has worked on everything that the node told, at this instant of the world."""
        loop = asyncio.get_running_loop()
        deadline, seen = loop.time() + _PATIENCE_S, self.status.events
        await asyncio.sleep(0)
        while True:
            await self._look()
            events = self.status.events
            if events >= self._rows() and self._plugin.has_heard(self._host.notified):
                return
            if events != seen:
                deadline, seen = loop.time() + _PATIENCE_S, events
            elif loop.time() > deadline:
                raise StoreError(f"the demo got stuck after {seen} rows: {self.status.trouble}")

    async def caught_up(self, most_behind: int) -> None:
        """Nothing to wait for: the world goes on only when everything was heard."""

    def _rows(self) -> int:
        """Rows that were created or changed since the plugin began: it reads each of them once."""
        forwards = self._world.node.forwards
        return forwards.created + forwards.updated - self._rows_before

    async def _look(self) -> None:
        if self._host.killed_for is not None or self.status.stream is StreamState.STOPPED:
            raise StoreError(f"the demo's plugin ended: {self._host.killed_for or self.status.trouble}")
        await asyncio.sleep(_LOOK_S)
        self._world.clock.advance(self._world.clock.now_ns())  # whoever waits for this very instant goes on


def on_cln(make_plugin: PluginMaker) -> Stage:
    """Return the stage on which a world is a lightningd that hosts this plugin."""

    @asynccontextmanager
    async def stage(
        recording: Recording, clock: SimulatedClock, directory: Path, database: Path
    ) -> AsyncIterator[tuple[ClnWorld, ClnListener]]:
        async with served_cln_world(recording, directory, clock) as world:
            plugin = make_plugin(clock)
            host = PluginHere(world.commands, plugin.serve, lightning_dir=world.directory, rpc_file=RPC_FILE)
            await host.start({DATABASE_OPTION: str(database)})
            try:
                listener = ClnListener(world, host, plugin)
                await listener.ready()
                world.wait_for(listener.heard)
                yield world, listener
            finally:
                await host.stop()

    return stage
