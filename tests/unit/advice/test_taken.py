"""Whether advice was taken, told from facts; half of it counts."""

from __future__ import annotations

import pytest

from lnflow.advice.documents import Action, Recommendation
from lnflow.advice.taken import Balance, Move, Since, brought_in, taken_at_ns
from lnflow.domain.channel import Policy


def advice(
    action: Action, *, amount_sat: int | None = None, fee_ppm: int | None = None, max_htlc_msat: int | None = None
) -> Recommendation:
    return Recommendation(
        type=action,
        channel="840000x12x1",
        amount_sat=amount_sat,
        max_ppm=None,
        fee_ppm=fee_ppm,
        max_htlc_msat=max_htlc_msat,
        gain_per_month_msat=None,
        cost_msat=None,
        confidence=1.0,
        text="",
        evidence=[],
    )


def policy(ppm: int = 0, most: int | None = None) -> Policy:
    return Policy(base_fee_msat=0, fee_ppm=ppm, time_lock_delta=40, min_htlc_msat=1, max_htlc_msat=most)


def since(
    *,
    balances: tuple[Balance, ...] = (),
    moves: tuple[Move, ...] = (),
    returned: tuple[Move, ...] = (),
    then: Policy | None = None,
    policies: tuple[tuple[int, Policy], ...] = (),
    new: tuple[tuple[int, int], ...] = (),
) -> Since:
    return Since(
        locals_then_msat={1: 1_000_000_000},
        balances=balances,
        moves=moves,
        returned=returned,
        policy_then=then,
        policies=policies,
        new_channels=new,
    )


def test_what_forwards_do_not_explain_was_brought_in() -> None:
    """1.0 M sat, 0.8 M left by forwards, 1.9 M now: 1.7 M came in, the half of 3 M is 1.5 M."""
    facts = since(
        balances=(Balance(10, 1, 800_000_000), Balance(30, 1, 1_900_000_000)),
        moves=(Move(5, -200_000_000), Move(25, -600_000_000)),
    )
    assert brought_in(facts) == [Move(10, 0), Move(30, 1_700_000_000)]
    assert taken_at_ns(advice("rebalance_outbound", amount_sat=3_000_000), facts) == 30
    assert taken_at_ns(advice("rebalance_outbound", amount_sat=3_500_000), facts) is None


def test_incoming_forwards_alone_are_no_rebalance() -> None:
    """Balance that a forward brought is not the operator's doing."""
    facts = since(balances=(Balance(10, 1, 3_000_000_000),), moves=(Move(5, 2_000_000_000),))
    assert taken_at_ns(advice("rebalance_outbound", amount_sat=2_000_000), facts) is None


def test_a_new_channel_brings_its_balance() -> None:
    facts = since(balances=(Balance(10, 2, 2_000_000_000),), new=((10, 2_000_000),))
    assert taken_at_ns(advice("rebalance_outbound", amount_sat=2_000_000), facts) == 10
    assert taken_at_ns(advice("increase_capacity", amount_sat=4_000_000), facts) == 10
    assert taken_at_ns(advice("increase_capacity", amount_sat=4_000_001), facts) is None


def test_circular_payments_add_up() -> None:
    """0.4 M and 0.6 M sat of 2 M: the second one made it half."""
    facts = since(returned=(Move(7, 400_000_000), Move(8, 600_000_000)))
    assert taken_at_ns(advice("rebalance_outbound", amount_sat=2_000_000), facts) == 8


@pytest.mark.parametrize(("ppm", "taken"), [(200, 9), (150, 9), (201, None), (300, None), (500, None)])
def test_a_price_half_of_the_way_counts(ppm: int, taken: int | None) -> None:
    """From 300 to 100 ppm advised: 200 ppm is half of the way; the wrong way is not."""
    facts = since(then=policy(300), policies=((9, policy(ppm)),))
    assert taken_at_ns(advice("lower_fees", fee_ppm=100), facts) == taken


def test_a_limit_raised_counts() -> None:
    facts = since(then=policy(most=1_000), policies=((9, policy(most=2_000)),))
    assert taken_at_ns(advice("raise_max_htlc", max_htlc_msat=3_000), facts) == 9
    assert taken_at_ns(advice("fix_uptime"), facts) is None
