"""The demo: a compressed week of a simulated node through the whole real pipeline, TLS and macaroon included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from msgspec import Struct, structs

from lnflow.domain.errors import StoreError
from lnflow.domain.time import HOUR_NS, SECOND_NS
from lnflow.ingest.collector import Collector, CollectorTimes
from lnflow.ingest.status import CollectorStatus
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.reader import LndReader
from lnflow.simulation.clock import SimulatedClock
from lnflow.simulation.playing import Pause, WorldServer, served_world
from lnflow.simulation.world import Recording, record
from lnflow.simulation.world.demo_world import DEMO_SEED, demo_world
from lnflow.simulation.world.spec import WorldSpec
from lnflow.store.writing import StoreWriter

DEMO_NODE = "demo"

# Simulated seconds: a week of hourly listings is enough for a table, and quick.
_TIMES = CollectorTimes(listing_s=3600.0, policies_s=6 * 3600.0, history_s=6 * 3600.0, lease_s=600.0, proof_s=600.0)
_AHEAD = 5_000  # how many events the player may run ahead of the store
_LOOK_S = 0.002
_PATIENCE_S = 60.0


_LIVE_STEP_S = 0.25
_LIVE_HOURS = 24.0


class DemoProgress(Struct, frozen=True, kw_only=True):
    """How far the week is: 0–1 of its time, and what the collector has so far."""

    share: float
    status: CollectorStatus


class World(Protocol):
    """A recording behind a node, and the clock that both live by."""

    recording: Recording
    clock: SimulatedClock

    async def play(self, until_ns: int, pause: Pause) -> None:
        """Let everything before `until_ns` happen, and await `pause` now and then."""

    def what_to_try(self, database: Path) -> str:
        """Return what an operator can type in another terminal while the world goes on."""


class Listening(Protocol):
    """The real collector of a world."""

    @property
    def status(self) -> CollectorStatus: ...

    async def caught_up(self, most_behind: int) -> None:
        """Wait until the store is that close to the world."""


Stage = Callable[[Recording, SimulatedClock, Path, Path], AbstractAsyncContextManager[tuple[World, Listening]]]
"""Serves a recording in a directory and lets the collector listen to it, into a database."""


class Demo:
    """A simulated node and the collector that listens to it; `run` it once.

    The week ends with the last full hour before `now_ns` and goes into `database`, which must be the demo's
    own.  `directory` becomes the directory of the node, which `stage` serves.
    """

    def __init__(
        self, database: Path, directory: Path, now_ns: int, *, stage: Stage | None = None, spec: WorldSpec | None = None
    ) -> None:
        self.database = database
        self.directory = directory
        self._stage = stage or on_lnd
        self._spec = spec or demo_world()
        self.until_ns = now_ns // HOUR_NS * HOUR_NS
        self.since_ns = self.until_ns - round(self._spec.hours * HOUR_NS)

    async def run(
        self,
        on_progress: Callable[[DemoProgress], None],
        *,
        after_week: Callable[[World], Awaitable[None]] | None = None,
    ) -> None:
        """Play the week; then let `after_week` go on with the world, still listening.

        `StoreError` if the pipeline gets stuck.
        """
        spec = self._spec
        if after_week is not None:
            spec = structs.replace(spec, hours=spec.hours + _LIVE_HOURS)
        recording = await asyncio.to_thread(record, spec, DEMO_SEED, start_ns=self.since_ns)
        clock = SimulatedClock(recording.since_ns)
        async with self._stage(recording, clock, self.directory, self.database) as (world, listener):
            length_ns = self.until_ns - self.since_ns

            async def pause() -> None:
                share = (clock.now_ns() - self.since_ns) / length_ns
                on_progress(DemoProgress(share=share, status=listener.status))
                await listener.caught_up(_AHEAD)

            await world.play(self.until_ns, pause)
            await listener.caught_up(0)
            if after_week is not None:
                await after_week(world)


async def play_live(world: World, speed: float) -> None:
    """Let the world go on, `speed` simulated seconds a second, to the end of its recording."""

    async def pause() -> None:
        await asyncio.sleep(0)

    while world.clock.now_ns() < world.recording.until_ns:
        await asyncio.sleep(_LIVE_STEP_S)
        await world.play(world.clock.now_ns() + round(_LIVE_STEP_S * speed * SECOND_NS), pause)


class Listener:
    """The real collector, listening to a world over gRPC."""

    def __init__(self, world: WorldServer, collector: Collector, collecting: asyncio.Task[None]) -> None:
        self._world = world
        self._collecting = collecting
        self.status = collector.status

    async def ready(self) -> None:
        """Return when it listens and knows channels, policies and history."""
        while not self.status.backfill_done:
            await self._look()

    async def caught_up(self, most_behind: int) -> None:
        """Wait until the store is that close to the world; what ended the collector is raised here."""
        loop = asyncio.get_running_loop()
        deadline, seen = loop.time() + _PATIENCE_S, self.status.events
        await asyncio.sleep(0)
        while self._world.events_pushed - self.status.events > most_behind:
            if self.status.events != seen:
                deadline, seen = loop.time() + _PATIENCE_S, self.status.events
            elif loop.time() > deadline:
                raise StoreError(f"the demo got stuck after {seen} events: {self.status.trouble}")
            await self._look()

    async def _look(self) -> None:
        if self._collecting.done():
            await self._collecting
        await asyncio.sleep(_LOOK_S)


@asynccontextmanager
async def on_lnd(
    recording: Recording, clock: SimulatedClock, directory: Path, database: Path
) -> AsyncIterator[tuple[WorldServer, Listener]]:
    """The stage on which a world is an LND."""
    async with (
        served_world(recording, directory, clock) as world,
        listening(world, database, DEMO_NODE) as listener,
    ):
        yield world, listener


@asynccontextmanager
async def listening(world: WorldServer, database: Path, node_name: str) -> AsyncIterator[Listener]:
    """Run the real collector against a world; leaving it stores what was received."""
    connection = discover(
        LndOptions(
            lnd_dir=world.server.directory.path, grpc_host=world.server.target, network=world.recording.node.network
        )
    )
    reader = LndReader(connection)
    with StoreWriter(database, node_name) as writer:
        collector = Collector(reader, writer, world.clock, times=_TIMES, steady_ns=world.clock.now_ns)
        collecting = asyncio.create_task(collector.run(), name="collector")
        try:
            listener = Listener(world, collector, collecting)
            await listener.ready()
            yield listener
        finally:
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
            await reader.close()
