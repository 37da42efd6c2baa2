"""What more balance brings, by hand: ten wishes of 100,000 sat a day at 500 ppm, nine of ten settle."""

from __future__ import annotations

import pytest
from tests.unit.analysis.builders import channel, demands, ends, facts

from lnflow.analysis.findings import Finding, find
from lnflow.analysis.marginal import gain_curve, gain_of
from lnflow.domain.causes import Cause

DAY_S = 86_400
SAT = 1000


def finding(**changes: int) -> Finding:
    empty = channel(1, local_msat=0)
    passed = (ends(1, settled=900, downstream=100),)
    [found] = find(facts(demands(**changes), channels=(empty,), passed=passed)).findings
    return found


def test_added_balance_earns_what_it_can_carry() -> None:
    """1 M sat carry 1 M sat at 500 ppm: 500 sat; 27 M sat a month are asked for, so 30 M bring 13,500 sat."""
    assert gain_of(finding(), 1_000_000 * SAT, DAY_S) == pytest.approx(500 * SAT, rel=0.001)
    assert gain_of(finding(), 30_000_000 * SAT, DAY_S) == pytest.approx(13_500 * SAT, rel=0.01)


def test_what_is_larger_than_the_addition_is_not_served_by_it() -> None:
    large = finding(amount_class=8, open_msat=10 * 3_000_000 * SAT)
    assert gain_of(large, 2_000_000 * SAT, DAY_S) == 0
    assert gain_of(large, 5_000_000 * SAT, DAY_S) > 0


def test_the_curve_rises_to_the_whole_and_ends_there() -> None:
    found = finding()
    curve = gain_curve(found, DAY_S)
    gains = [g.gain_msat for g in curve]
    assert [g.added_msat // SAT for g in curve[:3]] == [1_000_000, 2_000_000, 5_000_000]
    assert gains == sorted(gains)
    assert gains[-1] == pytest.approx(found.per_month_msat, rel=0.01)
    assert all(g.low_msat <= g.gain_msat <= g.high_msat for g in curve)


def test_only_missing_balance_has_a_curve() -> None:
    assert gain_curve(finding(cause=Cause.HTLC_EXCEEDS_MAX), DAY_S) == []
