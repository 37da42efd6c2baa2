"""Money in the simulated channels is neither made nor lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import ALICE_SCID, BOB_LARGE_SCID, CAROL_ALIAS_SCID, NOW_NS, lnd_node

from lnflow.simulation.lnd_server import LndChannel

STEP = st.tuples(
    st.sampled_from(["forward", "settle", "fail", "send", "receive", "settle_send", "fail_send"]),
    st.sampled_from([(ALICE_SCID, BOB_LARGE_SCID), (BOB_LARGE_SCID, ALICE_SCID), (ALICE_SCID, CAROL_ALIAS_SCID)]),
    st.integers(1_000, 3_000_000_000),
)


def held_msat(channel: LndChannel) -> int:
    return channel.local_msat + channel.remote_msat + channel.unsettled_msat()


@settings(max_examples=60)
@given(st.lists(STEP, max_size=40))
def test_balances_and_htlcs_add_up_to_the_capacity(steps: list[tuple[str, tuple[int, int], int]]) -> None:
    node = lnd_node()
    forwards: list[tuple[int, int]] = []
    sends: list[int] = []
    for kind, (in_scid, out_scid), amount in steps:
        if kind == "forward" and amount * 2 < node.channel(in_scid).receivable_msat():
            made = node.forward_htlc(
                in_scid=in_scid,
                requested_out=out_scid,
                amount_in_msat=amount + amount // 1000 + 1_000,
                amount_out_msat=amount,
                now_ns=NOW_NS,
            )
            if made.refusal is None:
                forwards.append(made.key)
        elif kind == "settle" and forwards:
            node.settle(forwards.pop(0), NOW_NS)
        elif kind == "fail" and forwards:
            node.fail_downstream(forwards.pop(0), NOW_NS)
        elif kind == "receive" and amount <= node.channel(in_scid).receivable_msat():
            node.receive(in_scid=in_scid, amount_msat=amount, now_ns=NOW_NS)
        elif kind == "send":
            number = node.send(first_hop=out_scid, amount_msat=amount, now_ns=NOW_NS)
            sends += [] if number is None else [number]
        elif kind == "settle_send" and sends:
            node.settle_send(sends.pop(), NOW_NS)
        elif kind == "fail_send" and sends:
            node.fail_send(sends.pop(), NOW_NS)
        for channel in node.channels.values():
            assert held_msat(channel) == channel.capacity_sat * 1000
            assert min(channel.local_msat, channel.remote_msat) >= 0


def test_the_opener_pays_for_the_commitment() -> None:
    """Whole satoshis of both sides, the fee and the anchors are the capacity, as ListChannels shows it."""
    node = lnd_node()
    channel = node.channel(BOB_LARGE_SCID)
    assert channel.commit_fee_sat == 562
    assert channel.local_balance_sat() == 3_000_000 - 562 - 660
    assert channel.remote_balance_sat() == 2_000_000
