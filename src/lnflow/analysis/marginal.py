"""What a little more outbound balance would bring: the gain of adding N sat once, within a month.

Balance that serves a payment is gone: N sat carry N sat of wishes, and no wish larger than what is then there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from lnflow.analysis.columns import Floats, Ints, summed
from lnflow.analysis.finding import Finding
from lnflow.analysis.refusals import Refusals
from lnflow.domain.causes import Problem
from lnflow.domain.time import MONTH_S

STEPS_SAT = (1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000)
_ALWAYS = 3  # so many steps are shown even where the first is enough


class Gain(Struct, frozen=True, kw_only=True, gc=False):
    added_msat: int
    gain_msat: int
    """Within a month, of `added_msat` added once."""
    low_msat: int
    high_msat: int


class Gains:
    """What balance added to the peers of some findings would earn within a month; all findings in one pass.

    `covered_s` is above 0: where nothing was covered there is no rate to extrapolate.
    """

    def __init__(self, refusals: Refusals, findings: Sequence[Finding], covered_s: float) -> None:
        self._findings = findings
        index = np.full(len(refusals), -1)
        index[[f.place for f in findings]] = np.arange(len(findings))
        own = index[refusals.bins.of_row]
        groups = refusals.groups
        rows = np.flatnonzero((own >= 0) & refusals.valued & (groups.unserved > 0))
        self._finding = own[rows]
        self._wishes = groups.unserved[rows]
        # what came in parts at once needs room for a part only
        self._shown_msat = groups.open_part_msat[rows]
        factor = np.array([f.circumstances.factor for f in findings], float)
        scale = (factor * MONTH_S / covered_s)[self._finding]
        mean = refusals.chances.mean[rows]
        self._flow_msat = groups.open_msat[rows] * mean * scale
        self._value_msat = groups.open_fee_msat[rows] * mean * scale
        fullest = [max((c.local_msat or 0 for c in f.channels if not c.closed), default=0) for f in findings]
        self._local_msat = np.array(fullest, np.int64)

    def of(self, added_msat: Ints) -> Floats:
        """Return the msat that adding so much balance once would earn within a month, finding by finding.

        Of the wishes no larger than that and what the peer's fullest channel holds, worth E and moving F a month: E
        while F is less, else the part that the added balance can carry, E x added / F.
        """
        reach_msat = (added_msat + self._local_msat)[self._finding]
        fits = self._shown_msat <= reach_msat * self._wishes
        finding, count = self._finding[fits], len(self._findings)
        flow_msat = summed(finding, self._flow_msat[fits], count)
        value_msat = summed(finding, self._value_msat[fits], count)
        served = np.divide(added_msat, flow_msat, out=np.zeros(count), where=flow_msat > 0)
        gain_msat: Floats = value_msat * np.minimum(1.0, served)
        return gain_msat

    def curves(self) -> list[list[Gain]]:
        """Return the gain of growing additions, up to the first that serves everything; empty without a rate.

        Only missing balance has one, and only where there is enough evidence for a figure per month.
        """
        # a size that pays little must not make more balance look worse than less
        steps = [self.of(np.full(len(self._findings), step_sat * 1000)) for step_sat in STEPS_SAT]
        most = np.maximum.accumulate(np.array(steps)).T
        return [_curve(finding, gains) for finding, gains in zip(self._findings, most.tolist(), strict=True)]


def _curve(finding: Finding, gains: Sequence[float]) -> list[Gain]:
    value = finding.value
    if finding.problem is not Problem.LIQUIDITY or finding.per_month_msat is None or not value.expected_msat:
        return []
    enough = 0.99 * finding.per_month_msat
    shown = next((n for n, gain in enumerate(gains, start=1) if n >= _ALWAYS and gain >= enough), len(gains))
    low, high = value.low_msat / value.expected_msat, value.high_msat / value.expected_msat
    return [
        Gain(
            added_msat=step_sat * 1000,
            gain_msat=round(gain),
            low_msat=int(gain * low),
            high_msat=round(gain * high),
        )
        for step_sat, gain in zip(STEPS_SAT[:shown], gains, strict=False)
    ]
