"""The node refuses for the first reason in LND's order, whatever else is wrong with the HTLC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.fakes import (
    ALICE,
    ALICE_SCID,
    BOB,
    BOB_LARGE_SCID,
    BOB_SMALL_SCID,
    CAROL_ALIAS_SCID,
    CAROL_SCID,
    NOW_NS,
    lnd_node,
)

from lnflow.domain.fees import forward_fee_msat, required_fee_msat
from lnflow.simulation.lnd_server import Forwarding, LndNode, Refusal


@dataclass
class Case:
    """A node and an HTLC for Bob's large channel; faults are added one by one."""

    node: LndNode
    requested: int = BOB_LARGE_SCID
    amount_out_msat: int = 200_000_000
    fee_msat: int = 51_000
    outgoing_timelock: int = 800_040
    incoming_timelock: int = 800_120

    def forward(self) -> Forwarding:
        return self.node.forward_htlc(
            in_scid=ALICE_SCID,
            requested_out=self.requested,
            amount_in_msat=self.amount_out_msat + self.fee_msat,
            amount_out_msat=self.amount_out_msat,
            incoming_timelock=self.incoming_timelock,
            outgoing_timelock=self.outgoing_timelock,
            now_ns=NOW_NS,
        )


def reject_all(case: Case) -> None:
    case.node.rejects_htlcs = True


def ask_for_the_incoming_channel(case: Case) -> None:
    case.requested = ALICE_SCID


def take_bob_offline(case: Case) -> None:
    case.node.peer_offline(BOB, NOW_NS)


def stop_links(case: Case) -> None:
    for channel in case.node.channels_with(BOB) + case.node.channels_with(ALICE):
        channel.established = channel.peer == ALICE


def underpay(case: Case) -> None:
    case.fee_msat = 50_999


def raise_minimum(case: Case) -> None:
    for channel in case.node.channels.values():
        channel.policy = structs.replace(channel.policy, min_htlc_msat=case.amount_out_msat + 1)


def lower_maximum(case: Case) -> None:
    for channel in case.node.channels.values():
        channel.policy = structs.replace(channel.policy, max_htlc_msat=case.amount_out_msat - 1)


def expire_too_soon(case: Case) -> None:
    case.outgoing_timelock = case.node.height + 13


def expire_too_far(case: Case) -> None:
    case.outgoing_timelock = case.node.height + 2017


def drain(case: Case) -> None:
    for channel in case.node.channels_with(BOB):
        channel.remote_msat += channel.local_msat - 100_000_000
        channel.local_msat = 100_000_000


def narrow_the_delta(case: Case) -> None:
    case.incoming_timelock = case.outgoing_timelock + 79


def expose_to_dust(case: Case) -> None:
    for channel in case.node.channels_with(BOB):
        channel.dust_exposed = True


def flush(case: Case) -> None:
    for channel in case.node.channels_with(BOB):
        channel.flushing = True


# In LND's order; EXPIRY_TOO_SOON and _TOO_FAR exclude each other, so the second is tried alone below.
ORDER: list[tuple[Callable[[Case], None], Refusal]] = [
    (reject_all, Refusal.FORWARDS_DISABLED),
    (ask_for_the_incoming_channel, Refusal.CIRCULAR_ROUTE),
    (take_bob_offline, Refusal.UNKNOWN_NEXT_PEER),
    (stop_links, Refusal.LINK_NOT_ELIGIBLE),
    (underpay, Refusal.FEE_INSUFFICIENT),
    (raise_minimum, Refusal.AMOUNT_BELOW_MINIMUM),
    (lower_maximum, Refusal.HTLC_EXCEEDS_MAX),
    (expire_too_soon, Refusal.EXPIRY_TOO_SOON),
    (drain, Refusal.INSUFFICIENT_BALANCE),
    (narrow_the_delta, Refusal.INCORRECT_CLTV_EXPIRY),
    (expose_to_dust, Refusal.FEE_EXPOSURE),
    (flush, Refusal.HTLC_ADD_FAILED),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_earliest_check_decides(first: int) -> None:
    """With this fault and all later ones at once, this one is reported."""
    case = Case(lnd_node())
    for fault, _ in reversed(ORDER[first:]):
        fault(case)
    assert case.forward().refusal is ORDER[first][1]


@pytest.mark.parametrize(("fault", "refusal"), [*ORDER, (expire_too_far, Refusal.EXPIRY_TOO_FAR)])
def test_each_fault_alone_is_reported(fault: Callable[[Case], None], refusal: Refusal) -> None:
    case = Case(lnd_node())
    fault(case)
    assert case.forward().refusal is refusal


def test_without_a_fault_it_is_forwarded() -> None:
    assert Case(lnd_node()).forward().refusal is None


def test_a_disabled_channel_forwards_all_the_same() -> None:
    """The gossip bit is for senders only."""
    case = Case(lnd_node())
    for channel in case.node.channels_with(BOB):
        channel.policy = structs.replace(channel.policy, disabled=True)
    assert case.forward().refusal is None


def test_a_closed_channel_and_an_invented_id_are_unknown_next_peers() -> None:
    case = Case(lnd_node())
    case.node.close_channel(case.node.channel(BOB_LARGE_SCID), NOW_NS)
    assert case.forward().refusal is Refusal.UNKNOWN_NEXT_PEER
    case.requested = 123 << 40
    assert case.forward().refusal is Refusal.UNKNOWN_NEXT_PEER


def test_the_real_id_of_an_unadvertised_alias_channel_is_unknown() -> None:
    case = Case(lnd_node(), requested=CAROL_SCID)
    assert case.forward().refusal is Refusal.UNKNOWN_NEXT_PEER
    case.requested = CAROL_ALIAS_SCID
    assert case.forward().refusal is None


def test_what_only_the_larger_parallel_channel_holds_leaves_by_it() -> None:
    """Non-strict forwarding: the sender asked for the smaller one."""
    case = Case(lnd_node(), requested=BOB_SMALL_SCID, amount_out_msat=1_900_000_000, fee_msat=500_000)
    outgoing = case.forward().outgoing
    assert outgoing is not None
    assert outgoing[0] == BOB_LARGE_SCID


def test_equal_parallel_channels_are_both_used() -> None:
    case = Case(lnd_node(), amount_out_msat=1_000_000, fee_msat=10_000)
    used = {outgoing[0] for _ in range(40) if (outgoing := case.forward().outgoing)}
    assert used == {BOB_LARGE_SCID, BOB_SMALL_SCID}


def test_a_total_refusal_reports_the_requested_channel() -> None:
    case = Case(lnd_node(), requested=BOB_SMALL_SCID)
    drain(case)
    small = case.node.channel(BOB_SMALL_SCID)
    small.policy = structs.replace(small.policy, fee_ppm=100_000)
    assert case.forward().refusal is Refusal.FEE_INSUFFICIENT


def test_the_slots_of_the_peer_run_out() -> None:
    case = Case(lnd_node(), requested=CAROL_ALIAS_SCID, amount_out_msat=1_000_000)
    case.node.channel(CAROL_ALIAS_SCID).max_accepted_htlcs = 6
    refusals = [case.forward().refusal for _ in range(8)]
    assert refusals == [None] * 6 + [Refusal.HTLC_ADD_FAILED] * 2


def test_exactly_what_is_spendable_passes() -> None:
    case = Case(lnd_node(), requested=CAROL_ALIAS_SCID, fee_msat=10_000_000)
    spendable = case.node.channel(CAROL_ALIAS_SCID).spendable_msat()
    case.amount_out_msat = spendable + 1
    assert case.forward().refusal is Refusal.INSUFFICIENT_BALANCE
    case.amount_out_msat = spendable
    assert case.forward().refusal is None


@given(
    amount_out_msat=st.integers(1_000, 1_000_000_000),
    inbound_base=st.integers(-5_000, 0),
    inbound_ppm=st.integers(-2_000, 0),
)
def test_the_asked_fee_is_exact_to_the_msat(amount_out_msat: int, inbound_base: int, inbound_ppm: int) -> None:
    """The sum of outbound and inbound fee passes, one msat less does not (unless the fee is already 0)."""
    case = Case(lnd_node(), requested=CAROL_ALIAS_SCID, amount_out_msat=amount_out_msat)
    alice = case.node.channel(ALICE_SCID)
    alice.policy = structs.replace(alice.policy, inbound_base_fee_msat=inbound_base, inbound_fee_ppm=inbound_ppm)
    required = required_fee_msat(amount_out_msat, 1_000, 250, inbound_base, inbound_ppm)
    assert required <= forward_fee_msat(amount_out_msat, 1_000, 250)
    case.fee_msat = required
    assert case.forward().refusal is None
    case.fee_msat = required - 1
    assert case.forward().refusal is Refusal.FEE_INSUFFICIENT
