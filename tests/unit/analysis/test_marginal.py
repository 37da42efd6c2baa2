"""What more balance brings, by hand: ten wishes of 100,000 sat a day at 500 ppm, nine of ten settle."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.analysis.builders import channel, demands, ends, facts

from lnflow.analysis.finding import Finding
from lnflow.analysis.findings import find
from lnflow.analysis.marginal import Curves, Gains
from lnflow.domain.causes import Cause

DAY_S = 86_400
SAT = 1000


def found(**changes: int) -> tuple[Finding, Gains]:
    empty = channel(1, local_msat=0)
    passed = (ends(1, settled=900, downstream=100),)
    result = find(facts(demands(**changes), channels=(empty,), passed=passed))
    [finding] = result.findings
    return finding, Gains(result, [finding], DAY_S)


def gain_of(gains: Gains, added_sat: int) -> float:
    [gain] = gains.of(np.array([added_sat * SAT])).tolist()
    return float(gain)


def test_added_balance_earns_what_it_can_carry() -> None:
    """1 M sat carry 1 M sat at 500 ppm: 500 sat; 27 M sat a month are asked for, so 30 M bring 13,500 sat."""
    _, gains = found()
    assert gain_of(gains, 1_000_000) == pytest.approx(500 * SAT, rel=0.001)
    assert gain_of(gains, 30_000_000) == pytest.approx(13_500 * SAT, rel=0.01)


def test_what_is_larger_than_the_addition_is_not_served_by_it() -> None:
    _, large = found(amount_class=8, open_msat=10 * 3_000_000 * SAT)
    assert gain_of(large, 2_000_000) == 0
    assert gain_of(large, 5_000_000) > 0


def test_the_curve_rises_to_the_whole_and_ends_there() -> None:
    finding, gains = found()
    curves = gains.curves()
    rising = curves.gain_msat
    assert curves.steps == [len(rising)]
    assert curves.added_sat[:3] == [1_000_000, 2_000_000, 5_000_000]
    assert rising == sorted(rising)
    assert rising[-1] == pytest.approx(finding.per_month_msat, rel=0.01)
    for low, gain, high in zip(curves.low_msat, rising, curves.high_msat, strict=True):
        assert low <= gain <= high


def test_only_missing_balance_has_a_curve() -> None:
    _, gains = found(cause=Cause.HTLC_EXCEEDS_MAX)
    assert gains.curves() == Curves(steps=[0], added_sat=[], gain_msat=[], low_msat=[], high_msat=[])


def test_one_finding_alone_gains_what_it_gains_among_all() -> None:
    """`why` takes one, `analyze` all of them in one pass: the figures are the same."""
    channels = tuple(channel(n, local_msat=n * 10**9) for n in range(1, 5))
    groups = [demands(n, amount_class=size, open_msat=n * size * 10**9) for n in range(1, 5) for size in (4, 6, 8)]
    result = find(facts(*groups, channels=channels, passed=(ends(2, settled=40, downstream=7),)))
    together = Gains(result, result.findings, DAY_S)
    added = np.array([n * 10**9 for n, _ in enumerate(result.findings, 1)])
    alone = [Gains(result, [finding], DAY_S) for finding in result.findings]
    assert [g.of(added[n : n + 1])[0] for n, g in enumerate(alone)] == together.of(added).tolist()
    for name in Curves.__struct_fields__:
        assert [row for g in alone for row in getattr(g.curves(), name)] == getattr(together.curves(), name)
