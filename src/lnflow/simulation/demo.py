"""The demo: a compressed week of a simulated node through the whole real pipeline, TLS and macaroon included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from lnflow.domain.errors import StoreError
from lnflow.domain.time import DAY_NS, HOUR_NS
from lnflow.ingest.collector import Collector, CollectorTimes
from lnflow.ingest.status import CollectorStatus
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.reader import LndReader
from lnflow.simulation.clock import SimulatedClock
from lnflow.simulation.playing import WorldServer, served_world
from lnflow.simulation.world import record
from lnflow.simulation.world.demo_world import DEMO_SEED, demo_world
from lnflow.store.writing import StoreWriter

DEMO_NODE = "demo"

# Simulated seconds: a week of hourly listings is enough for a table, and quick.
_TIMES = CollectorTimes(listing_s=3600.0, policies_s=6 * 3600.0, history_s=6 * 3600.0, lease_s=600.0, proof_s=600.0)
_AHEAD = 5_000  # how many events the player may run ahead of the store
_LOOK_S = 0.002
_PATIENCE_S = 60.0


class DemoProgress(Struct, frozen=True, kw_only=True):
    """How far the week is: 0–1 of its time, and what the collector has so far."""

    share: float
    status: CollectorStatus


async def play_demo(
    database: Path, directory: Path, now_ns: int, on_progress: Callable[[DemoProgress], None]
) -> tuple[int, int]:
    """Run the week that ends with the last full hour before `now_ns` into `database`; return its window.

    `directory` becomes the LND directory of the simulated node.  `StoreError` if the pipeline gets stuck.
    """
    until_ns = now_ns // HOUR_NS * HOUR_NS
    recording = await asyncio.to_thread(record, demo_world(), DEMO_SEED, start_ns=until_ns - 7 * DAY_NS)
    clock = SimulatedClock(recording.since_ns)
    async with served_world(recording, directory, clock) as world:
        await collect_world(world, database, DEMO_NODE, on_progress)
    return recording.since_ns, recording.until_ns


async def collect_world(
    world: WorldServer, database: Path, node_name: str, on_progress: Callable[[DemoProgress], None]
) -> None:
    """Play a world to the end while the real collector listens to it over gRPC."""
    connection = discover(
        LndOptions(
            lnd_dir=world.server.directory.path, grpc_host=world.server.target, network=world.recording.node.network
        )
    )
    reader = LndReader(connection)
    since_ns, length_ns = world.recording.since_ns, world.recording.until_ns - world.recording.since_ns
    with StoreWriter(database, node_name) as writer:
        collector = Collector(reader, writer, world.clock, times=_TIMES)
        status = collector.status
        collecting = asyncio.create_task(collector.run(), name="collector")

        async def caught_up(most_behind: int) -> None:
            """Wait until the store is that close; what ended the collector is raised here."""
            loop = asyncio.get_running_loop()
            deadline, seen = loop.time() + _PATIENCE_S, status.events
            while world.events_pushed - status.events > most_behind:
                if collecting.done():
                    await collecting
                if status.events != seen:
                    deadline, seen = loop.time() + _PATIENCE_S, status.events
                elif loop.time() > deadline:
                    raise StoreError(f"the demo got stuck after {status.events} events: {status.trouble}")
                await asyncio.sleep(_LOOK_S)

        async def pause() -> None:
            on_progress(DemoProgress(share=(world.clock.now_ns() - since_ns) / length_ns, status=status))
            await asyncio.sleep(0)
            await caught_up(_AHEAD)

        try:
            while not status.backfill_done:  # listening, channels and policies known
                if collecting.done():
                    await collecting
                await asyncio.sleep(_LOOK_S)
            await world.play(pause)
            await caught_up(0)
        finally:
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
            await reader.close()
