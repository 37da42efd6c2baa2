"""A collector at work against a wire-true LND, and what it stored."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import ALICE_SCID, BOB_LARGE_SCID

from lnflow.domain.causes import Cause
from lnflow.domain.time import Clock, SystemClock
from lnflow.ingest.collector import Collector, CollectorTimes
from lnflow.ingest.status import StreamState
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.reader import LndReader
from lnflow.simulation.lnd_server import LndServer
from lnflow.store.reading import StoreReader
from lnflow.store.records import FlowRow
from lnflow.store.writing import StoreWriter

QUICK = CollectorTimes(
    listing_s=0.2, policies_s=0.2, history_s=0.2, lease_s=0.2, proof_s=0.1, backoff_first_s=0.05, backoff_most_s=0.2
)
EVER = (0, 2**62)
NODE = "router"
Circuit = tuple[int, int]


async def until(condition: Callable[[], object], what: str, deadline_s: float = 30.0) -> None:
    """Wait for a condition, failing with its name."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not condition():
        if loop.time() > end:
            pytest.fail(f"waited {deadline_s} s for: {what}")
        await asyncio.sleep(0.01)


class Running:
    """A collector and the task it runs in."""

    def __init__(self, collector: Collector, task: asyncio.Task[None], writer: StoreWriter) -> None:
        self.collector = collector
        self.status = collector.status
        self.writer = writer
        self._task = task

    async def until(self, condition: Callable[[], object], what: str, deadline_s: float = 30.0) -> None:
        """Wait for a condition; what ends the collector meanwhile is raised."""

        def met() -> object:
            if self._task.done():
                self._task.result()
                pytest.fail(f"the collector ended before: {what}")
            return condition()

        await until(met, what, deadline_s)

    async def ended(self, deadline_s: float = 30.0) -> None:
        """Wait for its end; raises what it was."""
        await asyncio.wait_for(self._task, deadline_s)


def reader_for(lnd: LndServer) -> LndReader:
    return LndReader(discover(LndOptions(lnd_dir=lnd.directory.path, grpc_host=lnd.target, network="regtest")))


@contextlib.asynccontextmanager
async def collecting(
    lnd: LndServer,
    database: Path,
    *,
    max_queued: int = 100_000,
    raw_days: int | None = None,
    times: CollectorTimes = QUICK,
    clock: Clock | None = None,
    steady_ns: Callable[[], int] = time.monotonic_ns,
) -> AsyncIterator[Running]:
    """Run a collector until the block ends, then let it store what it has."""
    reader = reader_for(lnd)
    with StoreWriter(database, NODE) as writer:
        collector = Collector(
            reader,
            writer,
            clock or SystemClock(),
            times=times,
            max_queued=max_queued,
            raw_days=raw_days,
            steady_ns=steady_ns,
        )
        task = asyncio.create_task(collector.run())
        running = Running(collector, task, writer)
        try:
            await running.until(lambda: collector.status.stream is StreamState.STREAMING, "the stream")
            yield running
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await reader.close()


def forward(lnd: LndServer, amount_msat: int, *, out: int = BOB_LARGE_SCID, fee_msat: int = 10_000_000) -> Circuit:
    """Let Alice send an HTLC; return its circuit."""
    forwarding = lnd.node.forward_htlc(
        in_scid=ALICE_SCID,
        requested_out=out,
        amount_in_msat=amount_msat + fee_msat,
        amount_out_msat=amount_msat,
        now_ns=lnd.clock_ns(),
    )
    return forwarding.key


def settled_forward(lnd: LndServer, amount_msat: int = 1_000_000) -> None:
    lnd.node.settle(forward(lnd, amount_msat), lnd.clock_ns())


def refused_forward(lnd: LndServer) -> None:
    """More than Bob's channels hold."""
    forward(lnd, 4_000_000_000)


def flows(database: Path) -> dict[int | None, FlowRow]:
    with StoreReader(database) as store:
        scids = {c.channel_id: c.scid for c in store.channels(EVER[1])}
        return {scids.get(f.chan): f for f in store.flows(*EVER)}


def settled_count(database: Path) -> int:
    return sum(f.out_settled for f in flows(database).values())


def covered(database: Path) -> tuple[tuple[int, int], ...]:
    with StoreReader(database) as store:
        return store.coverage(*EVER).intervals


def refusals(database: Path) -> dict[str, int]:
    with StoreReader(database) as store:
        counts: dict[str, int] = {}
        for row in store.refusals(*EVER):
            name = Cause(row.cause).text
            counts[name] = counts.get(name, 0) + row.attempts
        return counts


def counters(database: Path) -> dict[str, int]:
    with StoreReader(database) as store:
        return store.counters()


def rows(database: Path, query: str) -> list[Any]:
    """Return what a query finds, by a connection of its own."""
    con = sqlite3.connect(database)
    try:
        return con.execute(query).fetchall()
    finally:
        con.close()
