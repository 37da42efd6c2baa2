"""Costs from a wire-true LND to the profits of channels, peers and node."""

from __future__ import annotations

from pathlib import Path

from tests.fakes import ALICE_SCID, BOB, BOB_LARGE_SCID, BOB_SMALL_SCID, CAROL_ALIAS_SCID, running_lnd
from tests.integration.ingest.live import collecting, forward, until

from lnflow.advice.documents import ChannelsDocument
from lnflow.domain.htlc import Forward
from lnflow.domain.scid import scid_text
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.service.opportunities import OpportunityService
from lnflow.service.windows import WindowChoice
from lnflow.simulation.lnd_server import LndServer

BOBS = (BOB_LARGE_SCID, BOB_SMALL_SCID)  # LND takes either: it forwards non-strictly


def _fee(row: Forward) -> int:
    return row.amount_in_msat - row.amount_out_msat


def channels(database: Path) -> ChannelsDocument:
    with OpportunityService.open(database) as service:
        return service.channels(service.window(WindowChoice(hours=1)))


def wallet_transaction(lnd: LndServer, txid: str, fee_sat: int) -> pb.Transaction:
    return pb.Transaction(
        tx_hash=txid,
        block_height=lnd.node.height,
        time_stamp=lnd.clock_ns() // SECOND_NS,
        total_fees=fee_sat,
        label="0:openchannel:shortchanid-1",
    )


async def read_costs(lnd: LndServer, database: Path) -> None:
    async with collecting(lnd, database) as collector:
        await until(lambda: collector.status.costs_done, "costs")


async def test_profits_add_up_to_what_the_node_says(tmp_path: Path) -> None:
    """Channels, peers and node agree, and with ForwardingHistory; each cost is counted once, also when read again."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd:
        node = lnd.node
        node.settle(forward(lnd, 50_000_000, fee_msat=13_500), lnd.clock_ns())
        node.settle(forward(lnd, 20_000_000, fee_msat=9_000, out=BOB_SMALL_SCID), lnd.clock_ns())
        history = {scid: sum(_fee(f) for f in node.forwards.rows if f.out_scid == scid) for scid in BOBS}
        assert node.rebalance(
            out_scid=CAROL_ALIAS_SCID,
            in_scid=BOB_LARGE_SCID,
            amount_msat=5_000_000,
            fee_msat=2_500,
            now_ns=lnd.clock_ns(),
        )
        bought = node.send(first_hop=CAROL_ALIAS_SCID, amount_msat=1_000_000, now_ns=lnd.clock_ns(), fee_msat=70)
        assert bought is not None
        txid = node.channel(BOB_LARGE_SCID).channel_point.partition(":")[0]
        node.transactions.append(wallet_transaction(lnd, txid, fee_sat=3))
        await read_costs(lnd, database)
        node.settle_send(bought, lnd.clock_ns())  # was under way: everything after it is read again
        assert node.rebalance(
            out_scid=CAROL_ALIAS_SCID,
            in_scid=BOB_SMALL_SCID,
            amount_msat=1_000_000,
            fee_msat=900,
            now_ns=lnd.clock_ns(),
        )
        await read_costs(lnd, database)
    document = channels(database)
    profits = {c.scid: c.profit for c in document.channels}
    large, small = profits[scid_text(BOB_LARGE_SCID)], profits[scid_text(BOB_SMALL_SCID)]
    assert (large.earned_msat, small.earned_msat) == (history[BOB_LARGE_SCID], history[BOB_SMALL_SCID])
    assert (large.rebalance_cost_msat, small.rebalance_cost_msat) == (2_500, 900)
    assert (large.onchain_cost_msat, small.onchain_cost_msat) == (3_000, 0)
    assert profits[scid_text(ALICE_SCID)].sourced_msat == 22_500
    node_profit = document.node_profit
    for name in ("earned_msat", "sourced_msat", "rebalance_cost_msat", "onchain_cost_msat", "net_msat"):
        total = getattr(node_profit, name)
        assert sum(getattr(p, name) for p in profits.values()) == total, name
        assert sum(getattr(p.profit, name) for p in document.peer_profit) == total, name
    assert node_profit.earned_msat == node_profit.sourced_msat == sum(history.values()) == 22_500
    assert node_profit.net_msat == 22_500 - 2_500 - 900 - 3_000
    [bob] = [p for p in document.peer_profit if p.peer_pubkey == BOB]
    assert bob.profit.net_msat == 22_500 - 2_500 - 900 - 3_000


async def test_costs_that_may_not_be_read_stay_unknown(tmp_path: Path) -> None:
    """A macaroon without GetTransactions costs us the on-chain costs, and nothing else: null, never nothing."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd:
        lnd.denied.add(methods.GET_TRANSACTIONS)
        lnd.node.settle(forward(lnd, 50_000_000, fee_msat=13_500), lnd.clock_ns())
        async with collecting(lnd, database) as collector:
            await until(lambda: collector.status.costs_done, "costs")
            assert collector.status.trouble is None
    profit = channels(database).node_profit
    assert (profit.earned_msat, profit.rebalance_cost_msat) == (13_500, 0)
    assert (profit.onchain_cost_msat, profit.net_msat, profit.return_on_capital) == (None, None, None)
