"""The whole live side against a wire-true LND: stream, history, gaps, restarts, shedding."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes import ALICE_SCID, BOB, BOB_SMALL_SCID, running_lnd
from tests.integration.ingest.live import (
    EVER,
    QUICK,
    collecting,
    covered,
    flows,
    forward,
    refusals,
    until,
)

from lnflow.domain.causes import Cause
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.time import SystemClock
from lnflow.ingest.collector import Collector
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.reader import LndReader
from lnflow.simulation.lnd_server import Personality
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter


async def test_settled_forwards_and_refusals_are_stored_to_the_msat(tmp_path: Path) -> None:
    """A settled forward is one row with its fee; a refusal names its cause; own payments are no attempts."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as collector:
        key = forward(lnd, 50_000_000, fee_msat=13_500)
        lnd.node.settle(key, lnd.clock_ns())
        forward(lnd, 4_000_000_000)
        lnd.node.receive(in_scid=ALICE_SCID, amount_msat=1_000_000, now_ns=lnd.clock_ns())
        await until(lambda: collector.status.attempts + collector.status.backfilled >= 2, "two attempts stored")
    out = [f for f in flows(database).values() if f.out_settled]
    assert [(f.out_settled, f.earned_msat, f.out_settled_msat) for f in out] == [(1, 13_500, 50_000_000)]
    assert refusals(database) == {"insufficient_balance": 1}


async def test_a_gap_is_not_covered_and_its_settled_forwards_come_from_the_history(tmp_path: Path) -> None:
    """What settles while nobody listens is backfilled once; the time of the gap is not covered."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd:
        lnd.node.settle(forward(lnd, 1_000_000), lnd.clock_ns())
        async with collecting(lnd, database) as collector:
            await until(lambda: collector.status.backfill_done, "the first backfill")
        first_end = lnd.clock_ns()
        lnd.node.settle(forward(lnd, 2_000_000), lnd.clock_ns())
        second_start = lnd.clock_ns()
        async with collecting(lnd, database) as collector:
            lnd.node.settle(forward(lnd, 3_000_000), lnd.clock_ns())
            await until(lambda: collector.status.backfill_done, "the gap's history")
            await until(lambda: sum(f.out_settled_live for f in flows(database).values()), "the one that was heard")
    assert sum(f.out_settled for f in flows(database).values()) == 3
    assert sum(f.out_settled_live for f in flows(database).values()) == 1
    intervals = covered(database)
    assert intervals[0][1] <= first_end
    assert intervals[1][0] >= second_start


@pytest.mark.parametrize("personality", list(Personality))
async def test_a_restart_of_the_node_loses_and_doubles_nothing(tmp_path: Path, personality: Personality) -> None:
    """An HTLC in flight over a restart settles once, whichever version repeats what."""
    database = tmp_path / "store.sqlite"
    async with running_lnd(personality) as lnd, collecting(lnd, database) as collector:
        key = forward(lnd, 5_000_000)
        await until(lambda: collector.status.attempts == 1, "the offer stored")
        await lnd.restart()
        await until(lambda: collector.status.subscriptions == 2, "a second subscription")
        lnd.node.settle(key, lnd.clock_ns())
        forward(lnd, 4_000_000_000)
        await until(lambda: collector.status.attempts == 2, "what came after the restart")
        await until(lambda: sum(f.out_settled for f in flows(database).values()) == 1, "the settle")
    assert refusals(database) == {"insufficient_balance": 1}


async def test_peer_going_offline_is_a_stored_fact(tmp_path: Path) -> None:
    """A refusal for an absent link counts as offline only because we saw the link go."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as collector:
        await until(lambda: collector.status.backfill_done, "channels listed")
        lnd.node.peer_offline(BOB, lnd.clock_ns())

        def bob_is_down() -> bool:
            with StoreReader(database) as store:
                return all(c.active is False for c in store.channels(EVER[1]) if c.peer_pubkey == BOB)

        await until(bob_is_down, "the link state stored")
        forward(lnd, 1_000_000, out=BOB_SMALL_SCID)
        await until(lambda: collector.status.attempts == 1, "the refusal stored")
    with StoreReader(database) as store:
        demands = store.demands(*EVER)
    assert (demands["cause"].tolist(), demands["circumstance"].tolist()) == ([Cause.UNKNOWN_NEXT_PEER], [1])


async def test_a_full_queue_sheds_counts_and_uncovers(tmp_path: Path) -> None:
    """With room for ten messages a burst is shed in part: counted, and its time is not covered."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database, max_queued=10) as collector:
        await until(lambda: collector.status.backfill_done, "channels listed")
        for _ in range(3_000):
            forward(lnd, 4_000_000_000)
        await until(lambda: collector.status.shed > 0 and not collector.status.queued, "shedding")
        await until(lambda: collector.status.events + collector.status.shed >= 6_000, "the burst read")
        shed = collector.status.shed
    with StoreReader(database) as store:
        assert store.counters()["shed"] == shed
        assert store._con.execute("SELECT count(*) FROM coverage WHERE source = 'shed'").fetchone()[0] >= 1


async def test_one_collector_per_node(tmp_path: Path) -> None:
    """A second collector for the same node and store is refused, with the remedy."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database):
        connection = discover(LndOptions(lnd_dir=lnd.directory.path, grpc_host=lnd.target, network="regtest"))
        with StoreWriter(database, "router") as writer:
            second = Collector(LndReader(connection), writer, SystemClock(), times=QUICK)
            with pytest.raises(ConfigurationError, match="another lnflow is collecting"):
                await second.run()


async def test_another_node_under_the_same_name_is_refused(tmp_path: Path) -> None:
    """A name is bound to a public key at first contact."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database):
        pass
    with StoreWriter(database, "router") as writer:
        writer._con.execute("UPDATE node SET pubkey = '02ff'")
    async with running_lnd() as lnd:
        connection = discover(LndOptions(lnd_dir=lnd.directory.path, grpc_host=lnd.target, network="regtest"))
        with StoreWriter(database, "router") as writer, pytest.raises(ConfigurationError, match="--node NAME"):
            await Collector(LndReader(connection), writer, SystemClock(), times=QUICK).run()
