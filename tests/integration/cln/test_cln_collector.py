"""The CLN way from the node to the store, against the fake node: remotely, over outages, and as a plugin."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cln.network import Network, channel_id
from tests.integration.cln.recorded import expected, recording
from tests.integration.cln.schemas import RECORDINGS
from tests.integration.cln.stored import Stored

from lnflow.domain.causes import Cause
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.fees import forward_fee_msat
from lnflow.domain.time import HOUR_NS, SystemClock
from lnflow.ingest.cln_collector import ClnCollector, ClnTimes
from lnflow.nodes.cln.facts import NodeFacts
from lnflow.nodes.cln.forwards import ForwardReader
from lnflow.nodes.cln.history import NodeHistory
from lnflow.nodes.cln.live import LiveForwards
from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.simulation.lightningd.channel import State
from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.node import FakeNode
from lnflow.simulation.lightningd.personality import V26_06
from lnflow.simulation.lightningd.plugin_host import PluginHost
from lnflow.simulation.lightningd.recording import Player
from lnflow.simulation.lightningd.socket_server import SocketServer
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

FAST = ClnTimes(listing_s=0.2, facts_s=0.5, ledger_s=0.2, lease_s=5.0, backoff_first_s=0.01, backoff_most_s=0.05)


class RealTime(Network):
    """The test network under the machine's clock, since the collector asks the machine too."""

    def __init__(self) -> None:
        super().__init__(V26_06)
        self.node.clock = SystemClock().now_ns


@pytest.fixture
def network() -> Network:
    return RealTime()


def collector_of(rpc: ClnRpc, writer: StoreWriter, *, page: int = 4) -> ClnCollector:
    clock = SystemClock()
    live = LiveForwards(
        ForwardReader(rpc, clock, page_size=page, coalesce_s=0.0),
        NodeFacts(rpc),
        NodeHistory(),
        clock,
        min_look_s=0.0,
    )
    return ClnCollector(rpc, live, writer, clock, times=FAST, history_page=page)


@asynccontextmanager
async def collecting(path: Path, database: Path) -> AsyncIterator[ClnCollector]:
    rpc = SocketRpc(path, allowed=READ_METHODS)
    with StoreWriter(database, "default") as writer:
        collector = collector_of(rpc, writer)
        task = asyncio.create_task(collector.run())
        try:
            yield collector
        finally:
            task.cancel()
            [ended] = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended


async def until(reached: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not reached():
            await asyncio.sleep(0.01)


def rebalance_fees_msat(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as con:
        return int(con.execute("SELECT coalesce(sum(fee_msat), 0) FROM circular_htlc").fetchone()[0])


def provoke(network: Network) -> dict[str, int]:
    """Each cause of a refusal once; what the store must say of them."""
    network.offer(network.bd, 1_600_000_000)
    network.offer("700000x1x0", 1_000_000)
    network.offer(network.bd, 10_000_000, fee_msat=3)
    network.offer(network.bd, 10_000_000, cltv_delta=3)
    network.offer(network.bd, 10_000_000, expiry_blocks=1)
    network.offer(network.bd, 10_000_000, expiry_blocks=5000)
    network.node.forward(network.ab, None, in_msat=5_000_000, out_msat=0, onion_error=49157)
    return {
        "insufficient_balance": 1,
        "unknown_next_peer": 1,
        "fee_insufficient": 1,
        "incorrect_cltv_expiry": 1,
        "expiry_too_soon": 1,
        "expiry_too_far": 1,
        "invalid_onion": 1,
    }


async def test_live_forwards_reach_the_store_with_their_causes(
    server: SocketServer, network: Network, tmp_path: Path
) -> None:
    database = tmp_path / "store.sqlite"
    async with collecting(server.path, database) as collector:
        await until(lambda: collector.status.backfill_done and collector.status.subscriptions > 0)
        for number in range(20):
            network.settled(network.bd, 1_000_000 + number)
        network.failed(network.bc1, 5_000_000)
        wanted = provoke(network)
        await until(lambda: collector.status.attempts >= 28)
        await until(lambda: collector.status.ledger is not None and collector.status.ledger.ours_msat > 0)
        assert collector.status.ledger is not None
        assert collector.status.ledger.holds
        network.node.rebalance(network.bc1, network.bd, amount_msat=50_000_000, fee_msat=1234)
        await until(lambda: rebalance_fees_msat(database) == 1234)
    stored = Stored(database)
    assert stored.fees_msat == stored.sourced_msat == network.node.fees_collected_msat
    assert (stored.settled, stored.downstream) == (20, 1)
    assert stored.causes == wanted
    assert len(stored.covered) == 1


async def test_how_sure_a_cause_is_counts_each_refusal_once(
    server: SocketServer, network: Network, tmp_path: Path
) -> None:
    """Over a stop and a start, where pages are read again from the stored cursor."""
    database = tmp_path / "store.sqlite"
    for round_ in (1, 2):
        async with collecting(server.path, database) as collector:
            await until(lambda c=collector: c.status.backfill_done and c.status.subscriptions > 0)  # type: ignore[misc]
            for _ in range(3):
                network.offer("700000x1x0", 1_000_000)
            network.offer(network.bd, 10_000_000, cltv_delta=3)
            await until(lambda n=round_: Stored(database).refused == 4 * n)  # type: ignore[misc]
    with contextlib.closing(sqlite3.connect(database)) as con:
        rows = con.execute("SELECT cause, sum(attempts), sum(percent) FROM attribution_hour GROUP BY cause").fetchall()
    assert sorted(rows) == [(int(Cause.UNKNOWN_NEXT_PEER), 6, 570), (int(Cause.INCORRECT_CLTV_EXPIRY), 2, 198)]
    with StoreReader(database, "default") as store:
        sure = store.confidences(0, SystemClock().now_ns())
    assert sure == pytest.approx({int(Cause.UNKNOWN_NEXT_PEER): 0.95, int(Cause.INCORRECT_CLTV_EXPIRY): 0.99})


async def test_an_earlier_price_is_still_known_after_a_restart(
    server: SocketServer, network: Network, tmp_path: Path
) -> None:
    """The sender pays what we asked a week ago: that is what he offered."""
    database = tmp_path / "store.sqlite"
    price = network.bd.terms
    async with collecting(server.path, database) as collector:
        await until(lambda: collector.status.backfill_done and collector.status.subscriptions > 0)
        network.node.set_terms(network.bd, replace(price, fee_ppm=5_000), grace_s=0)
        await until(lambda: ppm_stored(database, network) == 5_000)
    async with collecting(server.path, database) as collector:
        await until(lambda: collector.status.subscriptions > 0)
        network.offer(network.bd, 10_000_000, fee_msat=forward_fee_msat(10_000_000, price.base_fee_msat, price.fee_ppm))
        await until(lambda: collector.status.attempts == 1)
    with contextlib.closing(sqlite3.connect(database)) as con:
        assert con.execute("SELECT cause, amount_out_msat FROM attempt").fetchall() == [
            (int(Cause.FEE_INSUFFICIENT), 10_000_000)
        ]


def ppm_stored(database: Path, network: Network) -> int | None:
    ours = Stored(database).channels[network.bd.channel_id].ours
    return None if ours is None else ours.fee_ppm


async def test_history_is_read_behind_and_everything_counts_once(
    server: SocketServer, network: Network, tmp_path: Path
) -> None:
    database = tmp_path / "store.sqlite"
    for number in range(57):
        network.settled(network.bd, 1_000_000 + number)
        network.offer("700000x1x0", 1_000)
    held = network.offer(network.bc1, 3_000_000)
    async with collecting(server.path, database) as collector:
        await until(lambda: collector.status.subscriptions > 0)
        network.settled(network.bc1, 9_000_000)
        await until(lambda: collector.status.backfill_done)
        network.node.settle(held)
        await until(lambda: (collector.status.ledger or None) is not None and not Stored(database).pending)
        assert collector.status.history_down_to == 1
    stored = Stored(database)
    assert stored.fees_msat == network.node.fees_collected_msat
    assert (stored.settled, stored.refused) == (59, 57)
    assert len(stored.covered) == 1
    assert max(len(p) for m, p in server._commands.calls if m == "listforwards" and isinstance(p, dict)) == 3
    assert all(p["limit"] <= 4 for m, p in server._commands.calls if m == "listforwards" and isinstance(p, dict))


async def test_stopped_in_the_middle_of_history_it_goes_on_from_there(
    server: SocketServer, network: Network, tmp_path: Path
) -> None:
    database = tmp_path / "store.sqlite"
    for number in range(240):
        network.settled(network.bd, 1_000_000 + number)
    stops = 0
    while True:
        async with collecting(server.path, database) as collector:
            before = collector.status.backfilled
            await until(lambda c=collector, b=before: c.status.backfill_done or c.status.backfilled > b + 10)  # type: ignore[misc]
            if collector.status.backfill_done:
                await until(lambda n=stops: Stored(database).settled == 240 + n)  # type: ignore[misc]
                break
        stops += 1
        network.settled(network.bc1, 5_000_000 + stops)  # while nobody listens
    assert stops > 2
    assert Stored(database).fees_msat == network.node.fees_collected_msat


async def test_a_lost_socket_a_restart_a_splice_and_autoclean_lose_nothing(network: Network, tmp_path: Path) -> None:
    database, path = tmp_path / "store.sqlite", tmp_path / "lightning-rpc"
    async with SocketServer(Commands(network.node), path) as server, collecting(path, database) as collector:
        await until(lambda: collector.status.backfill_done)
        for round_ in range(4):
            network.settled(network.bd, 2_000_000 + round_)
            held = network.offer(network.bc1, 3_000_000 + round_)
            provoke(network)
            await until(lambda n=round_: collector.status.attempts >= 11 * n + 9)  # type: ignore[misc]
            await server.stop()
            network.node.restart()
            network.node.settle(held)
            network.settled(network.bc1, 4_000_000 + round_)
            network.offer(network.bd, 1_700_000_000)
            network.node.splice(network.bc1, f"{460 + round_}x1x1", add_msat=1_000_000)
            await server.start()
            await until(lambda n=round_: collector.status.attempts >= 11 * (n + 1))  # type: ignore[misc]
            network.node.delete([r for r in network.node.forwards if r.status in ("failed", "local_failed")])
        await until(lambda: Stored(database).fees_msat == network.node.fees_collected_msat)
        await until(lambda: collector.status.ledger is not None and collector.status.ledger.holds)
    stored = Stored(database)
    assert stored.fees_msat == network.node.fees_collected_msat
    assert (stored.settled, stored.refused, stored.pending) == (12, 32, 0)
    spliced = stored.channels[network.bc1.channel_id]
    assert spliced.channel_point == channel_id("BC1")
    assert len([c for c in stored.channels.values() if c.channel_point is not None]) == 5


async def test_only_one_collects_for_a_node(server: SocketServer, tmp_path: Path) -> None:
    database = tmp_path / "store.sqlite"
    async with collecting(server.path, database) as collector:
        await until(lambda: collector.status.subscriptions > 0)
        with StoreWriter(database, "default") as writer:
            second = collector_of(SocketRpc(server.path, allowed=READ_METHODS), writer)
            with pytest.raises(ConfigurationError, match="another lnflow"):
                await second.run()


async def test_another_node_behind_the_socket_is_refused(
    server: SocketServer, network: Network, tmp_path: Path
) -> None:
    database = tmp_path / "store.sqlite"
    async with collecting(server.path, database) as collector:
        await until(lambda: collector.status.subscriptions > 0)
    other = Network()
    node: FakeNode = other.node
    node.node_id = "03" + node.node_id[2:]
    async with SocketServer(Commands(node), tmp_path / "other-rpc") as elsewhere:
        with StoreWriter(database, "default") as writer:
            wrong = collector_of(SocketRpc(elsewhere.path, allowed=READ_METHODS), writer)
            with pytest.raises(ConfigurationError, match="name of its own"):
                await wrong.run()


@pytest.mark.parametrize("name", RECORDINGS)
async def test_a_recording_played_back_is_stored_as_the_real_node_had_it(name: str, tmp_path: Path) -> None:
    """Followed from the first row: settled sums by peer, and every refusal, as expected.json says."""
    database = tmp_path / "store.sqlite"
    player = Player(recording(name))
    truth = expected(name)
    rows = 0
    async with SocketServer(player.commands, tmp_path / "rpc") as server:
        first = next(m for m in player.commands.recording.moments if m.kind == "channels")
        player.commands.channels = first.body
        async with collecting(server.path, database) as collector:
            await until(lambda: collector.status.backfill_done)
            for moment in player.play():
                if moment.kind == "forwards":
                    rows = player.node.forwards.created
                    await until(lambda n=rows: collector.status.attempts >= n)  # type: ignore[misc]
            wanted = {p: t["fee_msat"] for p, t in truth["totals"]["settled_by_out_peer"].items()}
            names = {pubkey: letter for letter, pubkey in truth["nodes"].items()}
            # a spliced channel's new SCID is its own only after the next listing
            await until(lambda: earned_by_peer(database, names) == wanted)
    stored = Stored(database)
    assert stored.settled == truth["totals"]["settled"]["count"]
    assert stored.fees_msat == truth["totals"]["settled"]["fee_msat"]
    assert stored.downstream == 8  # seven that later hops failed, and the one that ended on-chain


def earned_by_peer(database: Path, names: dict[str, str]) -> dict[str, int]:
    with StoreReader(database, "default") as store:
        until_ns = SystemClock().now_ns() + 1000 * HOUR_NS
        peers = {c.channel_id: names.get(c.peer_pubkey or "", "?") for c in store.channels(until_ns)}
        earned: dict[str, int] = {}
        for flow in store.flows(0, until_ns):
            if flow.earned_msat:
                earned[peers[flow.chan]] = earned.get(peers[flow.chan], 0) + flow.earned_msat
        return earned


@pytest.fixture
async def plugin(server: SocketServer, tmp_path: Path) -> AsyncIterator[PluginHost]:
    host = PluginHost(
        server._commands, [sys.executable, "-m", "lnflow.plugin"], lightning_dir=tmp_path, rpc_file=server.path.name
    )
    await host.start()
    yield host
    await host.stop()
    assert (host.killed_for, host.exit_code) == (None, 0)


async def ask(host: PluginHost, method: str, **params: Any) -> Any:
    return await host.request(method, params, timeout_s=30)


async def plugin_until(host: PluginHost, reached: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(30):
        while True:
            status = await ask(host, "lnflow-status")
            if status["status"] and reached(status["status"]):
                return status
            await asyncio.sleep(0.05)


async def plugin_heard(host: PluginHost, topic: str) -> None:
    async with asyncio.timeout(30):
        while topic not in (await ask(host, "lnflow-status"))["notifications"]["received"]:
            await asyncio.sleep(0.02)


async def test_as_a_plugin_it_collects_and_answers(plugin: PluginHost, network: Network, tmp_path: Path) -> None:
    assert plugin.manifest["hooks"] == []
    await plugin_until(plugin, lambda s: s["backfill_done"])
    for number in range(5):
        network.settled(network.bd, 1_000_000 + number)
    network.node.disconnect(network.bd.peer_id)
    await plugin_heard(plugin, "disconnect")
    for _ in range(4):
        network.offer(network.bd, 50_000_000)
    network.node.connect(network.bd.peer_id)
    await plugin_heard(plugin, "connect")
    wanted = provoke(network)
    status = await plugin_until(plugin, lambda s: s["attempts"] >= 16)
    assert status["status"]["stream"] == "streaming"
    assert (tmp_path / "lnflow" / "lnflow.sqlite").exists()
    refused = await ask(plugin, "lnflow-failures", by="cause", hours=1)
    counts = {row["cause"]: row["attempts"] for row in refused["rows"]}
    assert counts.get("link_not_eligible") == 4, refused
    assert all(counts.get(cause) == number for cause, number in wanted.items())
    analysis = await ask(plugin, "lnflow-analyze", hours="1")
    assert analysis["node"]["implementation"] == "cln"
    assert analysis["attempts"]["settled"] == 5
    assert {f["cause"]: f["attempts"] for f in analysis["failures"]}["insufficient_balance"] == 1


async def test_a_peer_that_goes_is_stored_as_gone_at_once(plugin: PluginHost, network: Network, tmp_path: Path) -> None:
    """The next listing would come half a minute later."""
    await plugin_until(plugin, lambda s: s["backfill_done"])
    database = tmp_path / "lnflow" / "lnflow.sqlite"
    await until(lambda: bool(links(database, network)))
    before = links(database, network)
    network.node.disconnect(network.bd.peer_id)
    await until(lambda: len(links(database, network)) > len(before), seconds=10)
    assert [active for _, active in links(database, network)][-2:] == [1, 0]


def links(database: Path, network: Network) -> list[tuple[int, int]]:
    with contextlib.closing(sqlite3.connect(database)) as con:
        return con.execute(
            "SELECT at_ns, active FROM channel_online JOIN channel ON channel_id = chan WHERE channel_point = ?"
            " ORDER BY at_ns",
            (network.bd.channel_id,),
        ).fetchall()


async def test_through_lightning_cli(plugin: PluginHost, server: SocketServer) -> None:
    """The node passes the call on, whoever asks at its socket."""
    await plugin_until(plugin, lambda s: s["backfill_done"])
    rpc = SocketRpc(server.path, allowed=frozenset({"lnflow-status"}))
    assert (await rpc.call("lnflow-status", {}, dict))["collecting"] is True


async def test_stopping_the_channel_is_told(plugin: PluginHost, network: Network) -> None:
    await plugin_until(plugin, lambda s: s["backfill_done"])
    network.node.set_state(network.bd, State.SHUTTING_DOWN)
    network.offer("453x3x0", 1_000_000)
    status = await plugin_until(plugin, lambda s: s["attempts"] >= 1)
    assert status["notifications"]["received"]["channel_state_changed"] == 1


async def test_a_stop_waits_for_what_the_store_is_doing(server: SocketServer, tmp_path: Path) -> None:
    """Stopped while it takes its lease: the store may be closed as soon as `run` has ended, and no sooner."""
    database, rpc, clock = tmp_path / "store.sqlite", SocketRpc(server.path, allowed=READ_METHODS), SystemClock()
    with StoreWriter(database, "default") as writer:
        live = LiveForwards(ForwardReader(rpc, clock), NodeFacts(rpc), NodeHistory(), clock)
        collector = ClnCollector(rpc, live, writer, clock)
        with contextlib.closing(sqlite3.connect(database, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            running = asyncio.create_task(collector.run())
            await until(lambda: any(t.name.startswith("lnflow-writer") for t in threading.enumerate()))
            threading.Timer(0.3, other.rollback).start()  # the loop itself waits for the thread
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert not other.in_transaction
        assert not any(t.name.startswith("lnflow-writer") for t in threading.enumerate())
