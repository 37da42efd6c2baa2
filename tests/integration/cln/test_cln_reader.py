"""The port's reader against the fake node, and the collector of LND working on Core Lightning unchanged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from msgspec import structs
from tests.integration.cln.network import SECOND_NS, START_NS, Network
from tests.integration.cln.recorded import expected
from tests.integration.cln.schemas import fixture

from lnflow.app import LiveCollection
from lnflow.domain.causes import Cause
from lnflow.domain.errors import InputError, NodeRefused, NodeUnavailable
from lnflow.domain.htlc import DownstreamFailed, Forward, Offered, Refused, Settled, StreamEvent, Subscribed
from lnflow.domain.scid import parse_scid, scid_text
from lnflow.domain.time import SystemClock
from lnflow.nodes.cln.fee_facts import ClnFeeFacts
from lnflow.nodes.cln.fee_writer import ClnFeeWriter
from lnflow.nodes.cln.methods import FEE_METHODS, READ_METHODS
from lnflow.nodes.cln.reader import ClnReader
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.nodes.port import ChannelEventKind, FeeFacts, FeeWriter, NodeReader
from lnflow.simulation.lightningd.personality import V24_11
from lnflow.simulation.lightningd.socket_server import SocketServer


@pytest.fixture
async def reader(server: SocketServer) -> AsyncIterator[ClnReader]:
    reader = ClnReader(lambda: SocketRpc(server.path, allowed=READ_METHODS), SystemClock(), poll_s=0.02)
    yield reader
    await reader.close()


def test_it_is_the_ports_reader_and_writer(tmp_path: Path) -> None:
    rpc = SocketRpc(tmp_path / "none", allowed=FEE_METHODS)
    reader: NodeReader = ClnReader(lambda: rpc, SystemClock())
    writer: FeeWriter = ClnFeeWriter(rpc, SystemClock())
    assert reader is not None
    assert writer is not None


async def test_a_node_that_never_comes_is_given_up(tmp_path: Path) -> None:
    reader = ClnReader(lambda: SocketRpc(tmp_path / "none", allowed=READ_METHODS), SystemClock(), start_patience_s=0.0)
    with pytest.raises(NodeUnavailable):
        await reader.wait_until_ready()


@pytest.mark.parametrize("since_s", [-10, 0, 3.3, 7, 1000])
async def test_settled_forwards_since_a_time(reader: ClnReader, network: Network, since_s: float) -> None:
    """Each once, in order, from the first at or after the time; refused rows between do not disturb."""
    for number in range(40):
        network.settled(network.bd, 1_000_000 + number)
        network.offer("700000x1x0", 1_000)
        network.clock.advance(0.2)
    since_ns = START_NS + int(since_s * SECOND_NS)
    found = [f async for page in reader.forwards_since(since_ns, page_size=7) for f in page]
    rows = [r for r in network.node.forwards if r.status == "settled" and (r.resolved_ns or 0) >= since_ns]
    assert [(f.in_htlc_id, f.at_ns, f.amount_out_msat) for f in found] == [
        (r.in_htlc_id, r.resolved_ns, r.out_msat) for r in rows
    ]
    assert all(isinstance(f, Forward) for f in found)


async def test_events_as_an_lnd_would_tell_them(reader: ClnReader, server: SocketServer, network: Network) -> None:
    network.node.clock = SystemClock().now_ns  # the stream asks the machine's clock
    stream = reader.htlc_stream()
    raws: list[bytes] = []
    running = asyncio.create_task(asyncio.to_thread(stream.run, raws.append))
    async with asyncio.timeout(20):
        while not server._commands._waiting:
            await asyncio.sleep(0.01)
        network.settled(network.bd, 1_000_000)
        network.failed(network.bc1, 2_000_000)
        network.offer(network.bd, 1_900_000_000)
        network.node.fail_onchain(network.offer(network.bc1, 3_000_000))
        network.offer(network.be, 4_000_000)
        while len(raws) < 9:
            await asyncio.sleep(0.01)
        stream.cancel()
        await running
    events = [e for raw in raws if (e := stream.decode(raw)) is not None]
    assert isinstance(events[0], Subscribed)
    by_htlc: dict[int, list[StreamEvent]] = {}
    for event in events[1:]:
        assert not isinstance(event, Subscribed)
        by_htlc.setdefault(getattr(event, "in_htlc_id", -1), []).append(event)
    last = {htlc: type(found[-1]) for htlc, found in by_htlc.items()}
    assert last == {0: Settled, 1: DownstreamFailed, 2: Refused, 3: DownstreamFailed, 4: Offered}
    [refused] = by_htlc[2]
    assert isinstance(refused, Refused)
    assert (refused.cause, refused.amount_out_msat) == (Cause.INSUFFICIENT_BALANCE, 1_900_000_000)
    with pytest.raises(InputError):
        stream.decode(b"{}")


async def test_the_stream_ends_with_the_node(server: SocketServer, reader: ClnReader) -> None:
    stream = reader.htlc_stream()
    running = asyncio.create_task(asyncio.to_thread(stream.run, lambda _: None))
    async with asyncio.timeout(20):
        while not server._commands._waiting:
            await asyncio.sleep(0.01)
        await server.stop()
        with pytest.raises(NodeUnavailable):
            await running


async def test_cancelled_before_it_began_it_returns(reader: ClnReader) -> None:
    stream = reader.htlc_stream()
    stream.cancel()
    await asyncio.wait_for(asyncio.to_thread(stream.run, lambda _: None), 10)


async def test_changes_of_channels_and_policies_are_told(reader: ClnReader, network: Network) -> None:
    async with asyncio.timeout(20), aclosing(reader.channel_events()) as events:
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.1)
        network.node.disconnect(network.bd.peer_id)
        event = await first
        assert (event.kind, event.channel_point) == (ChannelEventKind.INACTIVE, network.bd.channel_id)
        del network.node.channels[network.be.channel_id]
        assert (await anext(events)).kind is ChannelEventKind.CLOSED
    async with asyncio.timeout(20), aclosing(reader.policy_events()) as policies:
        change = asyncio.ensure_future(anext(policies))
        await asyncio.sleep(0.1)
        network.bd.terms = type(network.bd.terms)(
            base_fee_msat=500, fee_ppm=123, htlc_min_msat=0, htlc_max_msat=network.bd.terms.htlc_max_msat
        )
        told = await change
        assert (scid_text(told.scid), told.announced_by, told.policy.fee_ppm) == (
            "453x3x0",
            network.node.node_id,
            123,
        )


async def test_lnds_collector_runs_on_it_unchanged(server: SocketServer, network: Network, tmp_path: Path) -> None:
    network.node.clock = SystemClock().now_ns
    for number in range(5):
        network.settled(network.bd, 1_000_000 + number)
    reader = ClnReader(lambda: SocketRpc(server.path, allowed=READ_METHODS), SystemClock())
    live = LiveCollection(reader, tmp_path / "store.sqlite", "default")
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(30):
        while not (live.status.backfill_done and server._commands._waiting):
            await asyncio.sleep(0.02)
        network.offer(network.bd, 1_900_000_000)
        while live.status.attempts < 1:
            await asyncio.sleep(0.02)
        live.stop()
        await running
    assert live.status.backfilled == 5
    await reader.close()


async def test_a_price_is_written_and_seen(server: SocketServer, reader: ClnReader, network: Network) -> None:
    writer = ClnFeeWriter(SocketRpc(server.path, allowed=FEE_METHODS), SystemClock())
    [state] = [s for s in await reader.list_channels() if s.channel_point == network.bd.channel_id]
    [before] = await reader.list_policies([state])
    assert before.ours is not None
    new = structs.replace(before.ours, base_fee_msat=0, fee_ppm=250)
    assert await writer.write_policy(state.channel_point, before.ours, new) is None
    [after] = await reader.list_policies([state])
    assert after.ours == new


async def test_rebalances_are_the_two_moves_of_one_hash(reader: ClnReader, network: Network) -> None:
    network.settled(network.bd, 1_000_000)
    first = network.node.rebalance(network.bc1, network.bd, amount_msat=50_000_000, fee_msat=1234)
    second = network.node.rebalance(network.bc2, network.be, amount_msat=7_000_000, fee_msat=5)
    pages = [page async for page in reader.payments_after(0)]
    found = [(p.payment_hash, p.amount_msat, p.fee_msat) for page in pages for p in page.circular]
    assert found == [(first, 50_000_000, 1234), (second, 7_000_000, 5)]
    assert pages[0].circular[0].out_scid == parse_scid("453x5x0")
    assert pages[0].circular[0].in_scid == parse_scid("453x3x0")
    assert pages[-1].through == len(network.node.moves)


@pytest.mark.parametrize("network", [Network(V24_11)])
async def test_versions_without_that_ledger_say_so(reader: ClnReader, network: Network) -> None:
    with pytest.raises(NodeRefused):
        [page async for page in reader.payments_after(0)]


async def test_a_recorded_rebalance(network: Network, server: SocketServer, reader: ClnReader) -> None:
    """The recording's: 150,438,009 msat around for 5,008 msat, among invoices and payments of our own."""
    name = "cln_regtest_v26.06.6"
    network.node.moves = json.loads(fixture(name, "listchannelmoves.json").read_text())["channelmoves"]
    truth = next(o for o in expected(name)["own"] if o["kind"] == "rebalance")
    [found] = [c async for page in reader.payments_after(0) for c in page.circular]
    assert (found.payment_hash, found.amount_msat, found.fee_msat) == (
        truth["payment_hash"],
        truth["msat"],
        truth["cost_msat"],
    )


async def test_transactions_have_the_bookkeepers_fee(reader: ClnReader, network: Network) -> None:
    ours, foreign = "aa" * 32, "bb" * 32
    network.node.transactions = [
        {
            "hash": txid, "rawtx": "00", "blockheight": 500 + number, "txindex": 1, "locktime": 0, "version": 2,
            "inputs": [{"txid": "cc" * 32, "index": 3, "sequence": 0}],
            "outputs": [{"index": 0, "amount_msat": 5_000_000, "scriptPubKey": "00"}],
        }
        for number, txid in enumerate((ours, foreign))
    ]  # fmt: skip
    fee = {"tag": "onchain_fee", "credit_msat": 0, "currency": "bcrt", "timestamp": 1_795_261_095, "txid": ours}
    network.node.income_events = [
        {"account": "wallet", "debit_msat": 300_000, **fee},
        {"account": "ab" * 32, "debit_msat": 28_000, **fee},
    ]
    [found] = await reader.list_transactions(0)
    assert (found.txid, found.fee_sat, found.block_height) == (ours, 328, 500)
    assert (found.outputs, found.spends) == (((0, 5000),), (f"{'cc' * 32}:3",))
    assert await reader.list_transactions(501) == []


async def test_the_graph_and_fee_rates_for_pricing(server: SocketServer, network: Network) -> None:
    facts: FeeFacts = ClnFeeFacts(SocketRpc(server.path, allowed=READ_METHODS), SystemClock())
    edges = await facts.list_edges()
    assert sorted(capacity for _, _, capacity in edges) == [2_000_000, 4_000_000, 5_000_000, 16_000_000]
    asked = len(server._commands.calls)
    assert await facts.list_edges() == edges
    assert len(server._commands.calls) == asked
    sizes = await facts.list_node_sizes([network.bc1.peer_id, "02" + "00" * 32])
    assert sizes == {network.bc1.peer_id: (2, 7_000_000)}
    assert [await facts.feerate_sat_per_vb(n) for n in (1, 6, 10, 1000)] == [20.0, 12.0, 12.0, 2.0]
    network.node.feerates_perkb = {}
    with pytest.raises(NodeUnavailable, match="no estimates"):
        await facts.feerate_sat_per_vb(6)
    await facts.close()
