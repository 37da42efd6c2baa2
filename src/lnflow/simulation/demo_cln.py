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

DEMO_TIMES = ClnTimes(listing_s=600.0, facts_s=6 * 3600.0, lease_s=600.0, ledger_s=6 * 3600.0)
"""Simulated seconds.  A plugin lists its channels every half a minute; every ten minutes are enough for a table,
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
    """The real plugin, hosted by the node of a world; a new one after each absence."""

    def __init__(self, world: ClnWorld, make_plugin: PluginMaker, database: Path) -> None:
        self._world = world
        self._make_plugin = make_plugin
        self._database = database
        self._plugin: ClockedPlugin | None = None
        self._host: PluginHere | None = None
        self._rows_before = 0

    @property
    def status(self) -> CollectorStatus:
        found = None if self._plugin is None else self._plugin.collecting
        return found or CollectorStatus()

    async def began(self) -> None:
        """Start it for the first time: what the node has by now is history."""
        self._rows_before = self._rows()
        await self.start()

    async def start(self) -> None:
        """Start the plugin; return when it follows the node and has read the history."""
        world = self._world
        self._plugin = self._make_plugin(world.clock)
        self._host = PluginHere(world.commands, self._plugin.serve, lightning_dir=world.directory, rpc_file=RPC_FILE)
        await self._host.start({DATABASE_OPTION: str(self._database)})
        while not (self.status.backfill_done and self.status.subscriptions):
            await self._look()
        await self.heard()

    async def stop(self) -> None:
        """Stop it, as lightningd does, once it has heard everything."""
        if self._host is None:
            return
        await self.heard()
        await self.leave()
        self._rows_before = self._rows()

    async def leave(self) -> None:
        """Stop it wherever it stands."""
        if self._host is not None:
            await self._host.stop()
        self._plugin = self._host = None

    async def heard(self) -> None:
        """Return when the plugin has worked on everything that the node told, at this instant of the world."""
        if self._plugin is None or self._host is None:
            return
        loop = asyncio.get_running_loop()
        deadline, seen = loop.time() + _PATIENCE_S, self.status.events
        await asyncio.sleep(0)
        while True:
            await self._look()
            events = self.status.events
            if events == self._rows() - self._rows_before and self._plugin.has_heard(self._host.notified):
                return
            if events != seen:
                deadline, seen = loop.time() + _PATIENCE_S, events
            elif loop.time() > deadline:
                raise StoreError(f"the demo got stuck after {seen} rows: {self.status.trouble}")

    async def caught_up(self, most_behind: int) -> None:
        """Nothing to wait for: the world goes on only when everything was heard."""

    def _rows(self) -> int:
        """Rows created and changes of rows so far: whoever follows reads each of them once."""
        forwards = self._world.node.forwards
        return forwards.created + forwards.updated

    async def _look(self) -> None:
        killed_for = None if self._host is None else self._host.killed_for
        if killed_for is not None or self.status.stream is StreamState.STOPPED:
            raise StoreError(f"the demo's plugin ended: {killed_for or self.status.trouble}")
        await asyncio.sleep(_LOOK_S)
        self._world.clock.advance(self._world.clock.now_ns())  # whoever waits for this very instant goes on


def on_cln(make_plugin: PluginMaker) -> Stage:
    """Return the stage on which a world is a lightningd that hosts this plugin."""

    @asynccontextmanager
    async def stage(
        recording: Recording, clock: SimulatedClock, directory: Path, database: Path
    ) -> AsyncIterator[tuple[ClnWorld, ClnListener]]:
        async with served_cln_world(recording, directory, clock) as world:
            listener = ClnListener(world, make_plugin, database)
            try:
                await listener.began()
                world.host(listener)
                yield world, listener
            finally:
                await listener.leave()

    return stage
