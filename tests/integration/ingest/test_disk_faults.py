"""What a disk, another program and a kill can do to us: nothing committed is lost, the stream is always drained."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.builders import check_rollups, dump
from tests.fakes import running_lnd
from tests.integration.ingest.live import (
    NODE,
    QUICK,
    Running,
    collecting,
    counters,
    covered,
    refusals,
    refused_forward,
    rows,
    settled_count,
    settled_forward,
    until,
)

from lnflow.domain.time import SECOND_NS, SystemClock
from lnflow.ingest.importer import import_paths
from lnflow.ingest.status import StreamState
from lnflow.simulation.lnd_server import LndServer
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program holds the write lock."""
    con = sqlite3.connect(database, isolation_level=None)
    con.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        con.execute("ROLLBACK")
        con.close()


def impatient(running: Running) -> None:
    """Let the store give up soon, so that a test sees many tries."""
    running.writer._con.execute("PRAGMA busy_timeout = 50")


@contextlib.asynccontextmanager
async def collecting_ten(database: Path, *, max_queued: int = 100_000) -> AsyncIterator[tuple[Running, LndServer]]:
    """A collector that has stored ten refusals."""
    async with running_lnd() as lnd, collecting(lnd, database, max_queued=max_queued) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        for _ in range(10):
            refused_forward(lnd)
        await running.until(lambda: running.status.attempts == 10, "ten attempts")
        impatient(running)
        yield running, lnd


async def test_a_locked_database_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    """The stream is drained meanwhile, and the status says why nothing is stored."""
    database = tmp_path / "store.sqlite"
    async with collecting_ten(database) as (running, lnd):
        told = running.status.events
        with locked(database):
            for _ in range(20):
                refused_forward(lnd)
            await running.until(lambda: "another program holds it" in (running.status.trouble or ""), "the trouble")
            await running.until(lambda: running.collector._events.received >= told + 40, "the stream drained")
            assert running.status.stream is StreamState.STREAMING
        await running.until(lambda: running.status.attempts == 30, "all of them")
        await running.until(lambda: running.status.trouble is None, "no trouble")
    assert refusals(database) == {"insufficient_balance": 30}
    assert counters(database).get("shed", 0) == 0
    check_rollups(database)


async def test_a_slow_disk_never_slows_the_node(tmp_path: Path) -> None:
    """The queue is bounded: what does not fit is counted, and its time is not covered."""
    database = tmp_path / "store.sqlite"
    async with collecting_ten(database, max_queued=50) as (running, lnd):
        began = running.collector._events.received
        with locked(database):
            await running.until(lambda: running.status.trouble, "the trouble")
            since_ns = time.time_ns()
            for _ in range(1_000):
                refused_forward(lnd)
            await running.until(lambda: running.collector._events.received >= began + 2_000, "the stream drained")
            until_ns = time.time_ns()
            assert len(running.collector._events) <= 51
        await running.until(lambda: running.status.shed, "what was shed counted")
        settled_forward(lnd)
        await running.until(lambda: settled_count(database) == 1, "what came after")
    [stored] = refusals(database).values()
    shed = counters(database)["shed"]
    assert shed == running.status.shed
    assert 2_020 - shed <= 2 * stored + 60
    assert 10 <= stored < 1_010
    uncovered = rows(database, "SELECT since_ns, until_ns FROM coverage WHERE source = 'shed'")
    assert any(since_ns <= a < b <= until_ns + SECOND_NS for a, b in uncovered)
    assert not any(a < u and b > s for a, b in covered(database) for s, u in uncovered)
    check_rollups(database)


async def test_a_full_disk_is_told_and_recovered_from(tmp_path: Path) -> None:
    """As many pages as there are: what is committed stays, the rest is stored when there is room."""
    database = tmp_path / "store.sqlite"
    async with collecting_ten(database) as (running, lnd):
        [pages] = running.writer._con.execute("PRAGMA page_count").fetchone()
        running.writer._con.execute(f"PRAGMA max_page_count = {pages}")
        for _ in range(3_000):
            refused_forward(lnd)
        await running.until(lambda: "disk is full" in (running.status.trouble or ""), "the trouble")
        assert running.status.stream is StreamState.STREAMING
        assert rows(database, "SELECT count(*) >= 10 FROM attempt") == [(1,)]
        running.writer._con.execute("PRAGMA max_page_count = 1000000")
        await running.until(lambda: running.status.attempts == 3_010, "all of them", 60)
        await running.until(lambda: running.status.trouble is None, "no trouble")
    assert refusals(database) == {"insufficient_balance": 3_010}
    check_rollups(database)


async def test_a_file_that_cannot_grow_is_told_and_recovered_from(tmp_path: Path) -> None:
    """The operating system refuses to write: commits fail in the middle, and are made again whole."""
    database = tmp_path / "store.sqlite"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    async with collecting_ten(database) as (running, lnd):
        most = max(file.stat().st_size for file in tmp_path.glob("store.sqlite*"))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most + 10_000, hard))
            for _ in range(3_000):
                refused_forward(lnd)
            await running.until(lambda: running.status.store_trouble, "the trouble")
            assert running.status.stream is StreamState.STREAMING
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        await running.until(lambda: running.status.attempts == 3_010, "all of them", 60)
    assert refusals(database) == {"insufficient_balance": 3_010}
    check_rollups(database)


async def test_a_locked_database_at_the_end_does_not_hang_the_end(tmp_path: Path) -> None:
    """Stopped while somebody holds the lock: we say what is lost, and go."""
    database = tmp_path / "store.sqlite"
    with contextlib.ExitStack() as stack:
        async with collecting_ten(database) as (running, lnd):
            stack.enter_context(locked(database))
            refused_forward(lnd)
            await running.until(lambda: running.status.trouble, "the trouble")
        assert running.status.stream is StreamState.STOPPED
    assert refusals(database) == {"insufficient_balance": 10}


# -- kill -9 --------------------------------------------------------------------------------------------------

_IMPORT = """
import sys
from pathlib import Path
from lnflow.domain.time import SystemClock
from lnflow.ingest import importer
from lnflow.store.writing import StoreWriter
importer.BATCH_EVENTS = 500
with StoreWriter(Path(sys.argv[1]), "router") as writer:
    print("begin", flush=True)
    importer.import_paths(writer, [sys.argv[2]], clock=SystemClock())
"""


def event_log(path: Path, htlcs: int) -> None:
    """Write a saved stream of settled, failed and refused HTLCs over three days."""
    begin_ns, step_ns = 1_795_000_000 * SECOND_NS, 3 * 86_400 * SECOND_NS // htlcs
    luck = random.Random(7)
    with path.open("w") as file:
        for htlc in range(htlcs):
            at_ns = begin_ns + htlc * step_ns
            amount = luck.randrange(1, 1_000) * 1_000
            event: dict[str, object] = {
                "incoming_channel_id": str(700_000 << 40 | luck.randrange(3)),
                "outgoing_channel_id": str(700_001 << 40 | luck.randrange(3)),
                "incoming_htlc_id": str(htlc),
                "outgoing_htlc_id": str(htlc),
                "event_type": "FORWARD",
            }
            info = {"incoming_amt_msat": str(amount + 100), "outgoing_amt_msat": str(amount)}
            kinds: list[dict[str, object]] = [{"forward_event": {"info": info}}]
            match luck.randrange(3):
                case 0:
                    kinds.append({"settle_event": {}})
                case 1:
                    kinds.append({"forward_fail_event": {}})
                case _:
                    detail = {"wire_failure": "TEMPORARY_CHANNEL_FAILURE", "failure_detail": "INSUFFICIENT_BALANCE"}
                    kinds = [{"link_fail_event": {"info": info, **detail}}]
            for number, kind in enumerate(kinds):
                file.write(json.dumps(event | kind | {"timestamp_ns": str(at_ns + number * SECOND_NS)}) + "\n")


def by_channel_and_day(path: Path) -> list[tuple[int, ...]]:
    """Return raw sums by channel and day; `check_rollups` says that the rollups are equal to them."""
    return rows(
        path,
        """SELECT s.scid, accounted_ns / 86400000000000, outcome, count(*), sum(amount_out_msat), sum(amount_in_msat)
           FROM attempt JOIN channel_scid s ON s.channel_id = out_chan GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
    )


@pytest.mark.slow
def test_an_import_killed_at_any_instant_is_whole_and_goes_on(tmp_path: Path) -> None:
    """After each kill totals and rows agree; at the end all is as if nothing had happened."""
    log, killed, undisturbed = tmp_path / "events.jsonl", tmp_path / "killed", tmp_path / "undisturbed"
    event_log(log, 12_000)
    with StoreWriter(undisturbed, NODE) as writer:
        import_paths(writer, [log], clock=SystemClock())
    luck = random.Random(1)
    kills = 0
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", _IMPORT, killed, log], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        timer = threading.Timer(luck.uniform(0, 0.8), process.kill)
        timer.start()
        code = process.wait(60)
        timer.cancel()
        kills += code == -signal.SIGKILL
        check_rollups(killed)
    assert kills >= 3
    with StoreWriter(killed, NODE) as writer:
        report = import_paths(writer, [log], clock=SystemClock())
        assert report[0].new + report[0].known == 12_000
    assert by_channel_and_day(killed) == by_channel_and_day(undisturbed)
    check_rollups(killed)
    assert dump(killed) == dump(undisturbed)


_COLLECT = """
import asyncio, sys
from pathlib import Path
from lnflow.domain.time import SystemClock
from lnflow.ingest.collector import Collector, CollectorTimes
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.reader import LndReader
from lnflow.store.writing import StoreWriter

async def main():
    database, directory, target = sys.argv[1:]
    reader = LndReader(discover(LndOptions(lnd_dir=directory, grpc_host=target, network="regtest")))
    times = CollectorTimes(history_s=0.2, lease_s=0.05, backoff_first_s=0.05)
    with StoreWriter(Path(database), "router") as writer:
        await Collector(reader, writer, SystemClock(), times=times).run()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_collector_killed_at_any_instant_loses_no_settled_forward(tmp_path: Path) -> None:
    """Killed again and again under traffic: what settled is there once, and rows and totals agree."""
    database = tmp_path / "store.sqlite"
    luck = random.Random(2)
    sent = 0
    async with running_lnd() as lnd:
        for _ in range(5):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _COLLECT, str(database), str(lnd.directory.path), lnd.target)
            )
            try:
                async with asyncio.timeout(30):
                    await lnd.htlc_events.wait_for_clients(1)
                end = time.monotonic() + luck.uniform(0.1, 1.0)
                while time.monotonic() < end:
                    settled_forward(lnd)
                    refused_forward(lnd)
                    sent += 1
                    await asyncio.sleep(0.005)
            finally:
                process.kill()
                await process.wait()
            check_rollups(database)
            async with asyncio.timeout(30):
                await lnd.htlc_events.wait_for_clients(0)
        [(lease_ns,)] = rows(database, "SELECT until_ns FROM lease")
        await until(lambda: time.time_ns() > lease_ns, "the end of the killed one's lease")
        async with collecting(lnd, database, times=QUICK) as running:
            await running.until(lambda: settled_count(database) == sent, "every settled forward")
    with StoreReader(database) as store:
        assert sum(f.out_settled for f in store.flows(0, 2**62)) == sent
    [stored] = refusals(database).values()
    assert stored <= sent
    assert all(a < b for a, b in covered(database))
    check_rollups(database)
