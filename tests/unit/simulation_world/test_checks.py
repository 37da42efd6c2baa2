"""Our node decides in LND's order, over all channels with the peer, and keeps its books."""

from __future__ import annotations

import pytest

from lnflow.domain.causes import Cause, Problem
from lnflow.domain.htlc import Offered, Refused
from lnflow.simulation.world.holdings import Htlc
from lnflow.simulation.world.our_node import WIRE_NUMBERS, OurNode
from lnflow.simulation.world.spec import ChannelSpec, PeerSpec, WorldSpec

AMOUNT = 1_000_000
FEE = 1_000  # 1,000 ppm


def a_node(**sink: object) -> OurNode:
    settings = {"alias": "sink", "channels": (ChannelSpec(capacity_sat=1_000_000),), "fee_ppm": 1_000} | sink
    peers = (
        PeerSpec(alias="source", channels=(ChannelSpec(capacity_sat=1_000_000),)),
        PeerSpec(**settings),  # type: ignore[arg-type]  # names of PeerSpec
    )
    return OurNode(WorldSpec(name="checks", hours=1, peers=peers, populations=()), 0)


def offer(node: OurNode, *, amount: int = AMOUNT, fee: int | None = None, asked: int = 0) -> Htlc | Cause:
    source, sink = node.peers
    amount_in = amount + (amount // 1_000 if fee is None else fee)
    return node.offer(0, source.channels[0], sink.channels[asked], amount_in, amount, 0.0)


def test_each_check_comes_before_those_below_it() -> None:
    """One HTLC with every fault at once; faults are mended one by one from the top of LND's table."""
    node = a_node(
        channels=(ChannelSpec(capacity_sat=1_000_000, local_share=0.0, slots=0),),
        min_htlc_msat=2 * AMOUNT,
        max_htlc_sat=0,
    )
    sink = node.peers[1]
    sink.online = False
    assert offer(node, fee=0) is Cause.UNKNOWN_NEXT_PEER
    sink.online, sink.ready_ns = True, 1
    assert offer(node, fee=0) is Cause.LINK_NOT_ELIGIBLE
    sink.ready_ns = 0
    assert offer(node, fee=FEE - 1) is Cause.FEE_INSUFFICIENT
    assert offer(node) is Cause.AMOUNT_BELOW_MINIMUM
    assert offer(node, amount=2 * AMOUNT) is Cause.HTLC_EXCEEDS_MAX
    sink.terms[-1] = sink.terms[-1]._replace(max_htlc_msat=2 * AMOUNT)
    assert offer(node, amount=2 * AMOUNT) is Cause.INSUFFICIENT_BALANCE
    sink.channels[0].local_msat = 500_000_000
    assert offer(node, amount=2 * AMOUNT) is Cause.HTLC_ADD_FAILED
    sink.channels[0].slots = 1
    assert isinstance(offer(node, amount=2 * AMOUNT), Htlc)
    refusals = [e for e in node.events if isinstance(e, Refused)]
    assert [(e.wire_code, e.detail) for e in refusals] == [WIRE_NUMBERS[e.cause] for e in refusals]
    assert [e.in_htlc_id for e in refusals] == list(range(7))


def test_slot_exhaustion_says_no_amounts() -> None:
    node = a_node(channels=(ChannelSpec(capacity_sat=1_000_000, slots=0),))
    assert offer(node) is Cause.HTLC_ADD_FAILED
    [refused] = [e for e in node.events if isinstance(e, Refused)]
    assert (refused.amount_in_msat, refused.amount_out_msat) == (None, None)


def test_a_circle_over_one_channel_is_refused_first() -> None:
    node = a_node()
    channel = node.peers[0].channels[0]
    assert node.offer(0, channel, channel, AMOUNT, AMOUNT, 0.0) is Cause.CIRCULAR_ROUTE


def test_any_channel_with_the_peer_serves() -> None:
    """Forwarding is not strict: the empty channel was asked for, the full one carries it."""
    node = a_node(
        channels=(
            ChannelSpec(capacity_sat=1_000_000, local_share=0.0),
            ChannelSpec(capacity_sat=1_000_000, local_share=0.9),
        )
    )
    assert isinstance(offer(node, asked=0), Htlc)
    [offered] = [e for e in node.events if isinstance(e, Offered)]
    assert offered.out_scid == node.peers[1].channels[1].scid


def test_a_total_refusal_reports_the_channel_asked_for() -> None:
    node = a_node(
        channels=(
            ChannelSpec(capacity_sat=300_000, local_share=0.9),
            ChannelSpec(capacity_sat=1_000_000, local_share=0.0),
        )
    )
    assert offer(node, amount=400_000_000, asked=0) is Cause.HTLC_EXCEEDS_MAX
    assert offer(node, amount=400_000_000, asked=1) is Cause.INSUFFICIENT_BALANCE
    assert node.met == {(1, Problem.SIZE), (1, Problem.LIQUIDITY)}


def test_an_inbound_discount_lowers_what_is_asked() -> None:
    node = a_node()
    source = node.peers[0]
    source.terms[-1] = source.terms[-1]._replace(inbound_fee_ppm=-500)
    assert offer(node, fee=499) is Cause.FEE_INSUFFICIENT  # 1,000 - 1,001,000 x 500 ppm = 500
    assert isinstance(offer(node, fee=500), Htlc)


@pytest.mark.parametrize("settles", [True, False])
def test_money_moves_on_settlement_and_returns_on_failure(settles: bool) -> None:
    node = a_node()
    into, out = node.peers[0].channels[0], node.peers[1].channels[0]
    before = (into.local_msat, into.remote_msat, out.local_msat, out.remote_msat)
    htlc = offer(node)
    assert isinstance(htlc, Htlc)
    assert (into.unsettled_msat, out.unsettled_msat) == (AMOUNT + FEE, AMOUNT)
    if settles:
        assert node.settle(5, htlc) == FEE
        moved = (AMOUNT + FEE, -AMOUNT - FEE, -AMOUNT, AMOUNT)
    else:
        node.fail(5, htlc)
        moved = (0, 0, 0, 0)
    after = (into.local_msat, into.remote_msat, out.local_msat, out.remote_msat)
    assert after == tuple(b + m for b, m in zip(before, moved, strict=True))
    assert (into.unsettled_msat, out.unsettled_msat, out.out_count) == (0, 0, 0)


def test_lifted_liquidity_keeps_the_capacity_and_its_limit() -> None:
    """Missing balance is shifted over as a perfect rebalance would; the channel does not grow."""
    node = a_node(channels=(ChannelSpec(capacity_sat=1_000_000, local_share=0.0),))
    sink = node.peers[1]
    sink.lifted = Problem.LIQUIDITY
    assert isinstance(offer(node), Htlc)
    channel = sink.channels[0]
    assert channel.local_msat + channel.remote_msat + channel.unsettled_msat == channel.total_msat
    assert offer(node, amount=990_000_000, fee=990_000) in (
        Cause.INSUFFICIENT_BALANCE,
        Cause.HTLC_EXCEEDS_MAX,
    )


def test_lifted_size_uses_the_real_balance_where_the_channel_is_large_enough() -> None:
    node = a_node(channels=(ChannelSpec(capacity_sat=1_000_000, local_share=0.1),), max_htlc_sat=1)
    sink = node.peers[1]
    sink.lifted = Problem.SIZE
    assert offer(node, amount=500_000_000, fee=500_000) is Cause.HTLC_EXCEEDS_MAX
    assert isinstance(offer(node, amount=50_000_000, fee=50_000), Htlc)
    local_msat = sink.channels[0].local_msat
    larger_than_the_channel = offer(node, amount=2_000_000_000, fee=2_000_000)
    assert isinstance(larger_than_the_channel, Htlc)
    assert sink.channels[0].local_msat == local_msat
    node.fail(1, larger_than_the_channel)
    assert sink.channels[0].local_msat == local_msat


def test_lifted_fee_takes_any_offer_that_is_not_a_loss() -> None:
    node = a_node()
    node.peers[1].lifted = Problem.FEE
    assert isinstance(offer(node, fee=0), Htlc)
    assert offer(node, fee=-1) is Cause.FEE_INSUFFICIENT
