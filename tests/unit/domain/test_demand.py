"""Wishes behind tries, by hand: who knocked twice, who knocked in parts, who only looked for our balance."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.demand import Try, Wish, find_wishes
from lnflow.domain.time import HOUR_NS, MINUTE_NS, SECOND_NS

T0 = 1_800_000_000 * SECOND_NS
SAT = 1000


def refused(
    at_s: float, sat: int, *, to: int = 2, fee_msat: int = 50_000, cause: Cause = Cause.INSUFFICIENT_BALANCE
) -> Try:
    return _try(at_s, sat * SAT, to, fee_msat, Outcome.REFUSED, cause)


def passed(at_s: float, sat: int, *, to: int = 2, fee_msat: int = 50_000, outcome: Outcome = Outcome.SETTLED) -> Try:
    return _try(at_s, sat * SAT, to, fee_msat, outcome, Cause.NONE)


def _try(at_s: float, msat: int | None, to: int, fee_msat: int | None, outcome: Outcome, cause: Cause) -> Try:
    return Try(T0 + int(at_s * SECOND_NS), 1, to, 11, 10 + to, msat, fee_msat, outcome, cause)


def wishes(*tries: Try) -> list[Wish]:
    return find_wishes(tries)


def figures(wish: Wish) -> dict[str, Any]:
    return {"tries": wish.refused, "sat": (wish.amount_msat or 0) // SAT, "fee": wish.fee_msat}


def test_tries_of_one_amount_within_a_minute_are_one_wish() -> None:
    """Another way behind the peer costs other fees: the amount differs by a little."""
    [wish] = wishes(refused(0, 100_000), refused(20, 100_120), refused(45, 99_950))
    assert figures(wish) == {"tries": 3, "sat": 100_000, "fee": 50_000}


def test_the_very_same_amount_within_an_hour_is_the_same_payer_again() -> None:
    [wish] = wishes(refused(0, 100_000), refused(40 * 60, 100_000))
    assert wish.refused == 2
    assert len(wishes(refused(0, 100_000), refused(61 * 60, 100_000))) == 2


def test_a_like_amount_a_quarter_of_an_hour_later_is_somebody_else() -> None:
    assert len(wishes(refused(0, 100_000), refused(15 * 60, 100_100))) == 2


def test_halves_after_a_refusal_belong_to_the_whole() -> None:
    """Refused whole, in halves, a quarter: one wish of the whole amount."""
    [wish] = wishes(refused(0, 400_000), refused(2, 200_000), refused(2.5, 200_000), refused(5, 100_000))
    assert figures(wish) == {"tries": 4, "sat": 400_000, "fee": 50_000}


def test_a_half_that_paid_is_taken_off() -> None:
    [wish] = wishes(refused(0, 400_000), passed(2, 200_000, fee_msat=25_000), refused(2.5, 200_000, fee_msat=25_000))
    assert (wish.fee_msat, wish.paid_msat, wish.recovered_ns) == (50_000, 25_000, None)


def test_equal_parts_at_once_are_one_wish_of_their_sum() -> None:
    """CLN's pay splits before it sends: four parts within milliseconds, and again after a minute."""
    parts = [refused(s + n * 0.007, 50_000, fee_msat=10_000) for s in (0, 60) for n in range(4)]
    [wish] = wishes(*parts)
    assert (wish.amount_msat, wish.part_msat, wish.fee_msat, wish.refused) == (200_000_000, 50_000_000, 40_000, 8)


def test_a_wish_that_passes_whole_later_was_not_missed() -> None:
    for outcome in (Outcome.SETTLED, Outcome.DOWNSTREAM, Outcome.PENDING):
        [wish] = wishes(refused(0, 100_000), passed(50, 100_000, outcome=outcome))
        assert wish.recovered_ns == T0 + 50 * SECOND_NS


def test_what_went_by_another_peer_of_ours_was_not_missed() -> None:
    first, other = wishes(refused(0, 100_000), passed(3, 100_050, to=3, fee_msat=40_000))
    assert (first.paid_msat, first.recovered_ns) == (40_000, T0 + 3 * SECOND_NS)
    assert (other.refused, other.paid_msat) == (0, 40_000)


def test_a_mended_price_that_meets_an_empty_channel_is_a_matter_of_balance() -> None:
    [wish] = wishes(refused(0, 100_000, fee_msat=10_000, cause=Cause.FEE_INSUFFICIENT), refused(1, 100_000))
    assert (wish.cause, wish.fee_msat) == (Cause.INSUFFICIENT_BALANCE, 50_000)


def test_bisecting_our_balance_is_nobodys_payment() -> None:
    """Half of the capacity, then half way between what passed and what did not."""
    steps = [(8_000_000, False), (4_000_000, True), (6_000_000, False), (5_000_000, True), (5_500_000, False)]
    tries = [
        passed(3 * n, sat, outcome=Outcome.DOWNSTREAM) if through else refused(3 * n, sat)
        for n, (sat, through) in enumerate(steps)
    ]
    assert all(w.probe for w in wishes(*tries))


def test_halving_below_the_smallest_shard_is_a_probe_of_an_empty_channel() -> None:
    sizes = [640_000 >> n for n in range(8)]
    assert all(w.probe for w in wishes(*(refused(2 * n, sat) for n, sat in enumerate(sizes))))
    assert not any(w.probe for w in wishes(*(refused(2 * n, sat) for n, sat in enumerate(sizes[:5]))))


def test_tries_without_amounts_are_one_wish_for_a_quarter_of_an_hour() -> None:
    blind = [_try(s, None, 2, None, Outcome.REFUSED, Cause.HTLC_ADD_FAILED) for s in (0, 600, 1200, 3000)]
    assert [w.refused for w in wishes(*blind)] == [3, 1]


def test_a_flood_for_ids_that_are_not_ours_is_one_entry() -> None:
    flood = [
        Try(T0 + n * SECOND_NS, 1, 0, 11, 0, n * SAT, 10, Outcome.REFUSED, Cause.UNKNOWN_NEXT_PEER) for n in range(500)
    ]
    [entry] = find_wishes(flood)
    assert entry.refused == 500


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2 * HOUR_NS // MINUTE_NS),
            st.sampled_from([1_000, 10_000, 20_000, 40_000, 80_000]),
            st.sampled_from([Outcome.REFUSED, Outcome.SETTLED, Outcome.DOWNSTREAM, Outcome.PENDING]),
            st.integers(2, 3),
        ),
        max_size=30,
    )
)
def test_every_refused_try_belongs_to_one_wish(rows: list[tuple[int, int, Outcome, int]]) -> None:
    tries = [
        refused(60 * m, sat, to=to) if outcome is Outcome.REFUSED else passed(60 * m, sat, to=to, outcome=outcome)
        for m, sat, outcome, to in sorted(rows)
    ]
    found = find_wishes(tries)
    assert sum(w.refused for w in found) == sum(t.outcome is Outcome.REFUSED for t in tries)
    assert [w.first_ns for w in found] == sorted(w.first_ns for w in found)
    for w in found:
        assert w.amount_msat is not None
        assert w.amount_msat >= (w.part_msat or 0) > 0
