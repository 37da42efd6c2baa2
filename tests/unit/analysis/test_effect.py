"""The effect of a change against comparable peers: numbers checked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.analysis.effect import DailyIncome, Effect, comparable, measure

STEADY = [DailyIncome([2_000] * 4, [2_400] * 4), DailyIncome([1_000] * 4, [1_200] * 4)]


def test_what_would_have_come_anyway_is_taken_off() -> None:
    """3,000 - 1,000 x 1.2 = 1,800 a day, 54,000 a month; nothing differs, so there is no doubt."""
    effect = measure(DailyIncome([1_000] * 4, [3_000] * 4), STEADY)
    assert effect == Effect(gain_per_month_msat=54_000, low_msat=54_000, high_msat=54_000)


def test_what_was_added_once_earns_only_in_days_that_have_passed() -> None:
    """1,800 a day in four days: 7,200, not 54,000 a month."""
    effect = measure(DailyIncome([1_000] * 4, [3_000] * 4), STEADY, once=True)
    assert effect == Effect(gain_per_month_msat=7_200, low_msat=7_200, high_msat=7_200, final=False)
    month = measure(DailyIncome([1_000] * 28, [3_000] * 28), [DailyIncome([2_000] * 28, [2_400] * 28)] * 2, once=True)
    assert month == Effect(gain_per_month_msat=50_400, low_msat=50_400, high_msat=50_400, final=True)


def test_the_range_grows_with_the_differences_between_days() -> None:
    """Variance of the mean before: 13,333 / 4 = 3,333; x 1.2² = 4,800; root 69.28 x 1.638 x 30 days = 3,404.5."""
    effect = measure(DailyIncome([900, 1_100, 900, 1_100], [3_000] * 4), STEADY)
    assert isinstance(effect, Effect)
    assert (effect.low_msat, effect.gain_per_month_msat, effect.high_msat) == (50_595, 54_000, 57_405)


def test_the_range_grows_with_the_differences_between_peers() -> None:
    """Ratios 1 and 2, equally heavy: 1.5, weighted variance 0.25 x 2 = 0.5; 1,000² x 0.5 x 1.5 = 750,000; root 866."""
    others = [DailyIncome([1_000] * 4, [1_000] * 4), DailyIncome([1_000] * 4, [2_000] * 4)]
    effect = measure(DailyIncome([1_000] * 4, [3_000] * 4), others)
    assert isinstance(effect, Effect)
    assert effect.gain_per_month_msat == 45_000
    assert effect.high_msat - 45_000 == round(866.0254 * 1.638 * 30)


@pytest.mark.parametrize(
    ("changed", "others", "reason"),
    [
        (DailyIncome([1] * 2, [1] * 9), STEADY, "3 covered days before and after are needed; there are 2 and 9"),
        (DailyIncome([1] * 9, []), STEADY, "3 covered days before and after are needed; there are 9 and 0"),
        (DailyIncome([1] * 4, [1] * 4), STEADY[:1], "2 comparable peers are needed; there are 1"),
    ],
)
def test_too_little_is_said_to_be_too_little(changed: DailyIncome, others: list[DailyIncome], reason: str) -> None:
    assert measure(changed, others) == reason


def test_comparable_is_who_earned_on_most_days_and_is_near_in_size() -> None:
    """A peer that earned once is no measure; of eleven the farthest in size is left out."""
    changed = DailyIncome([100] * 4, [100] * 4)
    rare = DailyIncome([400, 0, 0, 0], [100] * 4)
    near = [DailyIncome([100 + n] * 4, [100] * 4) for n in range(10)]
    far = DailyIncome([100_000] * 4, [100] * 4)
    assert comparable(changed, [rare, far, *near]) == near


days = st.lists(st.integers(1, 10**9), min_size=4, max_size=4)


@given(days, st.lists(st.tuples(days, st.integers(1, 5)), min_size=2, max_size=5))
def test_a_change_that_does_nothing_has_no_effect(before: list[int], others: list[tuple[list[int], int]]) -> None:
    """Everybody's income grows alike: the gain is nothing, and the range says so."""
    factor = others[0][1]
    alike = [DailyIncome(b, [x * factor for x in b]) for b, _ in others]
    effect = measure(DailyIncome(before, [x * factor for x in before]), alike)
    assert isinstance(effect, Effect)
    assert abs(effect.gain_per_month_msat) <= 1 + sum(before) // 10**9
    assert effect.low_msat <= effect.gain_per_month_msat <= effect.high_msat
