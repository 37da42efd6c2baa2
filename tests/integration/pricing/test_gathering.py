"""The facts of a run: from the node alone, from a store that is up to date, and what cannot be had."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs
from tests.fakes.lnd import (
    ALICE,
    ALICE_SCID,
    BOB,
    BOB_LARGE_SCID,
    BOB_SMALL_SCID,
    CAROL,
    CAROL_ALIAS_SCID,
    CAROL_SCID,
    NOW_NS,
    lnd_node,
    peer_key,
    running_lnd,
)
from tests.integration.lnd.conftest import connection_to

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.channel import ChannelPolicies
from lnflow.domain.htlc import Forward
from lnflow.domain.time import DAY_NS, HOUR_NS, SECOND_NS
from lnflow.nodes.lnd.fee_facts import LndFeeFacts
from lnflow.nodes.lnd.reader import LndReader
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.pricing.facts import ChannelCost, ChannelFacts, Unknown
from lnflow.pricing.gathering.loading import LoadedFacts, load_facts
from lnflow.pricing.gathering.sources import Sources
from lnflow.pricing.matching.criteria import Needs
from lnflow.simulation.lnd_server import LndServer, messages
from lnflow.store.reading import StoreReader
from lnflow.store.rows import AttemptFacts
from lnflow.store.writing import StoreWriter

WEEK_S = 7 * 86_400
ROWS = (
    Forward(ALICE_SCID, BOB_LARGE_SCID, NOW_NS - 1 * DAY_NS, 2_000_500, 2_000_000, 1, 1),
    Forward(ALICE_SCID, CAROL_ALIAS_SCID, NOW_NS - 2 * DAY_NS, 1_000_250, 1_000_000, 2, 1),
    Forward(ALICE_SCID, CAROL_SCID, NOW_NS - 3 * DAY_NS, 1_000_250, 1_000_000, 3, 2),
    Forward(BOB_LARGE_SCID, ALICE_SCID, NOW_NS - 8 * DAY_NS, 9_000_900, 9_000_000, 1, 9),
)


@asynccontextmanager
async def sources_of(lnd: LndServer, store: StoreReader | None = None) -> AsyncIterator[Sources]:
    reader = LndReader(connection_to(lnd))
    further = LndFeeFacts(connection_to(lnd))
    try:
        yield Sources(reader=reader, further=further, store=store)
    finally:
        await further.close()
        await reader.close()


async def load(lnd: LndServer, needs: Needs, store: StoreReader | None = None) -> LoadedFacts:
    async with sources_of(lnd, store) as sources:
        return await load_facts(sources, needs, NOW_NS)


def of(loaded: LoadedFacts, scid: int) -> ChannelFacts:
    return next(c for c in loaded.channels if c.scid == scid)


@pytest.fixture
async def lnd() -> AsyncIterator[LndServer]:
    node = lnd_node()
    for row in reversed(ROWS):
        node.forwards.add(row)
    async with running_lnd(node=node, clock_ns=lambda: NOW_NS) as server:
        yield server


async def test_the_basics_cost_four_calls(lnd: LndServer) -> None:
    loaded = await load(lnd, Needs())
    assert {c.scid for c in loaded.channels} == {ALICE_SCID, BOB_LARGE_SCID, BOB_SMALL_SCID, CAROL_ALIAS_SCID}
    bob = of(loaded, BOB_LARGE_SCID)
    assert (bob.peer.pubkey, bob.peer.active.channels, bob.initiator) == (BOB, 2, True)
    assert (bob.age_blocks, bob.capacity_sat) == (800_000 - 700_001, 5_000_000)
    assert of(loaded, CAROL_ALIAS_SCID).age_blocks == 800_000 - 700_003  # by its confirmed id
    assert loaded.node.min_time_lock_delta == 24
    private = 1
    calls = {name.rpartition("/")[2]: n for name, n in lnd.calls.items()}
    assert calls == {"GetVersion": 1, "GetInfo": 1, "ListChannels": 1, "GetNodeInfo": 1, "GetChanInfo": private}


async def test_balances_count_the_openers_commitment_fee(lnd: LndServer) -> None:
    loaded = await load(lnd, Needs())
    listed = {c.chan_id: c for c in lnd_states(lnd)}
    for facts in loaded.channels:
        ours, theirs = (listed[facts.scid].commit_fee, 0) if facts.initiator else (0, listed[facts.scid].commit_fee)
        assert facts.local_msat == (listed[facts.scid].local_balance + ours) * 1000
        assert facts.remote_msat == (listed[facts.scid].remote_balance + theirs) * 1000


def lnd_states(lnd: LndServer) -> Sequence[pb.Channel]:
    return [messages.channel(lnd.node, c, now_ns=NOW_NS) for c in lnd.node.channels.values()]


async def test_flows_from_the_nodes_own_history(lnd: LndServer) -> None:
    loaded = await load(lnd, Needs(flow_windows=frozenset({WEEK_S, 2 * WEEK_S})))
    check_flows(loaded)


async def test_flows_from_a_store_that_is_up_to_date_are_the_same(lnd: LndServer, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store.sqlite", "node") as writer:
        async with sources_of(lnd) as sources:
            writer.bind_node(await sources.reader.node_info(), NOW_NS)
            writer.write_channels(NOW_NS - 9 * DAY_NS, await sources.reader.list_channels())
        writer.write_batch(
            [
                AttemptFacts(
                    f.in_scid, f.in_htlc_id, f.out_scid, f.out_htlc_id, 1, f.at_ns, f.amount_in_msat,
                    f.amount_out_msat, f.at_ns, f.at_ns, f.at_ns, Outcome.SETTLED, Cause.NONE, 0, 0, 1,
                )
                for f in ROWS
            ],
            covered=("live", NOW_NS - 9 * DAY_NS, NOW_NS, ""),
        )  # fmt: skip
    with StoreReader(tmp_path / "store.sqlite") as store:
        check_flows(await load(lnd, Needs(flow_windows=frozenset({WEEK_S, 2 * WEEK_S})), store))
        assert methods.FORWARDING_HISTORY not in lnd.calls


async def test_a_stale_store_is_not_taken_for_now(lnd: LndServer, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store.sqlite", "node") as writer:
        async with sources_of(lnd) as sources:
            writer.bind_node(await sources.reader.node_info(), NOW_NS)
        writer.write_batch([], covered=("live", NOW_NS - 9 * DAY_NS, NOW_NS - HOUR_NS, ""))
    with StoreReader(tmp_path / "store.sqlite") as store:
        check_flows(await load(lnd, Needs(flow_windows=frozenset({WEEK_S, 2 * WEEK_S})), store))


def check_flows(loaded: LoadedFacts) -> None:
    def flow(scid: int, window_s: int = WEEK_S) -> tuple[int, int, int, int, int]:
        found = of(loaded, scid).flow(window_s)
        assert not isinstance(found, Unknown)
        assert found.days == window_s / 86_400
        return found.htlcs_in, found.htlcs_out, found.in_msat, found.out_msat, found.earned_msat

    assert flow(ALICE_SCID) == (3, 0, 4_001_000, 0, 0)
    assert flow(ALICE_SCID, 2 * WEEK_S) == (3, 1, 4_001_000, 9_000_000, 900)
    assert flow(BOB_LARGE_SCID) == (0, 1, 0, 2_000_000, 500)
    assert flow(CAROL_ALIAS_SCID) == (0, 2, 0, 2_000_000, 500)  # by its alias and by its confirmed id
    assert flow(BOB_SMALL_SCID) == (0, 0, 0, 0, 0)


async def test_the_graph_is_read_once_for_all_peers(lnd: LndServer) -> None:
    other, third = peer_key("other"), peer_key("third")
    for one, two in ((other, ALICE), (other, BOB), (third, ALICE), (third, CAROL)):
        lnd.node.graph_edges.append(pb.ChannelEdge(node1_pub=one, node2_pub=two, capacity=50))
    loaded = await load(lnd, Needs(facts=frozenset({"alternatives", "alias"})))
    alice = of(loaded, ALICE_SCID).peer
    assert (alice.alias, alice.graph_channels, alice.graph_capacity_sat) == ("alice", 3, 16_000_100)
    assert alice.alternatives == 2  # `other` reaches Bob, `third` reaches Carol: both had traffic
    assert of(loaded, BOB_LARGE_SCID).peer.alternatives == 1
    assert lnd.calls[methods.DESCRIBE_GRAPH] == 1


async def test_the_size_of_a_few_peers_is_asked_one_by_one_and_not_the_whole_graph(lnd: LndServer) -> None:
    lnd.node.graph_edges.append(pb.ChannelEdge(node1_pub=peer_key("other"), node2_pub=ALICE, capacity=50))
    loaded = await load(lnd, Needs(facts=frozenset({"graph_node"})))
    alice = of(loaded, ALICE_SCID).peer
    assert (alice.graph_channels, alice.graph_capacity_sat) == (2, 16_000_050)
    assert isinstance(alice.alternatives, Unknown)
    assert methods.DESCRIBE_GRAPH not in lnd.calls


async def test_the_graph_is_kept_for_some_hours(lnd: LndServer) -> None:
    async with sources_of(lnd) as sources:
        needs = Needs(facts=frozenset({"alternatives"}))
        for _ in range(3):
            await load_facts(sources, needs, NOW_NS)
    assert lnd.calls[methods.DESCRIBE_GRAPH] == 1


async def test_costs_are_shared_in_a_batch_and_rebalances_counted_where_they_came_in(lnd: LndServer) -> None:
    bob = lnd.node.channel(BOB_LARGE_SCID)
    txid = bob.channel_point.partition(":")[0]
    lnd.node.transactions.append(pb.Transaction(tx_hash=txid, total_fees=4_000, block_height=700_001))
    hops = [pb.Hop(chan_id=ALICE_SCID, pub_key=ALICE), pb.Hop(chan_id=BOB_LARGE_SCID, pub_key=lnd.node.pubkey)]
    for status, number in ((pb.HTLCAttempt.SUCCEEDED, 1), (pb.HTLCAttempt.FAILED, 2)):
        lnd.node.payments.append(
            pb.Payment(
                status=pb.Payment.SUCCEEDED,
                creation_time_ns=NOW_NS - DAY_NS,
                payment_index=number,
                htlcs=[pb.HTLCAttempt(status=status, route=pb.Route(hops=hops, total_fees_msat=7_000))],
            )
        )
    needs = Needs(facts=frozenset({"cost", "funding_fee"}), profit_windows=frozenset({WEEK_S}))
    loaded = await load(lnd, needs)
    facts = of(loaded, BOB_LARGE_SCID)
    rate = 2_500 * 6 // 144 * 4 / 1000
    assert facts.funding_fee_sat == 4_000
    assert facts.cost == ChannelCost(
        opening_msat=4_000_000, rebalance_msat=7_000, closing_msat=round(rate * 200 * 1000)
    )
    assert facts.profit_msat[WEEK_S] == 500 - 7_000
    assert of(loaded, ALICE_SCID).cost == ChannelCost(opening_msat=0, rebalance_msat=0, closing_msat=0)
    assert isinstance(of(loaded, BOB_SMALL_SCID).cost, Unknown)  # its funding is not in the wallet


async def test_on_chain_estimates_by_target(lnd: LndServer) -> None:
    loaded = await load(lnd, Needs(conf_targets=frozenset({2, 6})))
    assert dict(loaded.node.feerates_sat_per_vb) == {2: 30.0, 6: 10.0}


async def test_what_the_macaroon_does_not_allow_is_unknown_and_the_rest_is_there(lnd: LndServer) -> None:
    lnd.denied |= {methods.ESTIMATE_FEE, methods.DESCRIBE_GRAPH, methods.GET_TRANSACTIONS, methods.LIST_PAYMENTS}
    needs = Needs(
        conf_targets=frozenset({6}), facts=frozenset({"alternatives", "cost"}), profit_windows=frozenset({WEEK_S})
    )
    loaded = await load(lnd, needs)
    facts = of(loaded, BOB_LARGE_SCID)
    for value in (
        loaded.node.feerate(6), facts.peer.graph_channels, facts.cost, facts.funding_fee_sat, facts.profit_msat[WEEK_S]
    ):  # fmt: skip
        assert isinstance(value, Unknown)
        assert "does not allow" in value.reason


async def test_without_a_store_what_only_it_knows_is_unknown(lnd: LndServer) -> None:
    loaded = await load(lnd, Needs(missed_windows=frozenset({WEEK_S}), facts=frozenset({"price_levels"})))
    facts = of(loaded, BOB_LARGE_SCID)
    assert isinstance(facts.missed_msat[WEEK_S], Unknown)
    assert isinstance(facts.price_levels, Unknown)


async def test_earlier_prices_with_their_covered_days(lnd: LndServer, tmp_path: Path) -> None:
    start_ns = NOW_NS - 10 * DAY_NS
    with StoreWriter(tmp_path / "store.sqlite", "node") as writer:
        async with sources_of(lnd) as sources:
            states = await sources.reader.list_channels()
            writer.bind_node(await sources.reader.node_info(), NOW_NS)
            writer.write_channels(start_ns, states)
            policies = await sources.reader.list_policies(states)
            writer.write_policies([at_price(p, 100, start_ns) for p in policies], start_ns)
            writer.write_policies([at_price(p, 300, NOW_NS - 4 * DAY_NS) for p in policies], NOW_NS - 4 * DAY_NS)
        rows = [(NOW_NS - 9 * DAY_NS, 1), (NOW_NS - 2 * DAY_NS, 2), (NOW_NS - 1 * DAY_NS, 3)]
        writer.write_batch(
            [
                AttemptFacts(
                    ALICE_SCID, n, BOB_LARGE_SCID, n, 1, at, 1_000_100, 1_000_000, at, at, at,
                    Outcome.SETTLED, Cause.NONE, 0, 0, 1,
                )
                for at, n in rows
            ],
            covered=("live", start_ns, NOW_NS, ""),
        )  # fmt: skip
    with StoreReader(tmp_path / "store.sqlite") as store:
        loaded = await load(lnd, Needs(facts=frozenset({"price_levels"})), store)
    facts = of(loaded, BOB_LARGE_SCID)
    assert not isinstance(facts.price_levels, Unknown)
    found = [(p.fee_ppm, round(p.days), p.forwards, p.earned_msat) for p in facts.price_levels]
    assert found == [(100, 6, 1, 100), (300, 4, 2, 200)]
    assert facts.days_at_price == pytest.approx(4.0)


def at_price(policies: ChannelPolicies, fee_ppm: int, at_ns: int) -> ChannelPolicies:
    assert policies.ours is not None
    ours = structs.replace(policies.ours, fee_ppm=fee_ppm, last_update_s=at_ns // SECOND_NS)
    return structs.replace(policies, ours=ours)
