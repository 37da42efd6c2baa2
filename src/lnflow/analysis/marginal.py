"""What a little more outbound balance would bring: the gain of adding N sat once, within a month.

Balance that serves a payment is gone: N sat carry N sat of wishes, and no wish larger than what is then there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from lnflow.analysis.columns import Floats, Ints, summed, whole
from lnflow.analysis.finding import Finding
from lnflow.analysis.findings import Findings
from lnflow.domain.causes import Problem
from lnflow.domain.time import MONTH_S

STEPS_SAT = np.array([1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000])
_ALWAYS = 3  # so many steps are shown even where the first is enough


class Curves(Struct, frozen=True, kw_only=True):
    """Growing additions and what each would earn within a month, one finding after the other, as columns."""

    steps: list[int]
    """How many of the rows are each finding's."""
    added_sat: list[int]
    gain_msat: list[int]
    low_msat: list[int]
    high_msat: list[int]


class Gains:
    """What balance added to the peers of some findings would earn within a month; all findings in one pass.

    `covered_s` is above 0: where nothing was covered there is no rate to extrapolate.
    """

    def __init__(self, found: Findings, findings: Sequence[Finding], covered_s: float) -> None:
        self._findings = findings
        refusals, places = found.refusals, np.array([f.place for f in findings], np.int64)
        index = np.full(len(refusals), -1)
        index[places] = np.arange(len(findings))
        own = index[refusals.bins.of_row]
        groups = refusals.groups
        rows = np.flatnonzero((own >= 0) & refusals.valued & (groups.unserved > 0))
        self._finding = own[rows]
        self._wishes = groups.unserved[rows]
        # what came in parts at once needs room for a part only
        self._shown_msat = groups.open_part_msat[rows]
        scale = (found.circumstances.factor[places] * MONTH_S / covered_s)[self._finding]
        mean = refusals.chances.mean[rows]
        self._flow_msat = groups.open_msat[rows] * mean * scale
        self._value_msat = groups.open_fee_msat[rows] * mean * scale
        fullest = [max([c.local_msat or 0 for c in f.channels if not c.closed], default=0) for f in findings]
        self._local_msat = np.array(fullest, np.int64)

    def of(self, added_msat: Ints) -> Floats:
        """Return the msat that adding so much balance once would earn within a month, finding by finding.

        Of the wishes no larger than that and what the peer's fullest channel holds, worth E and moving F a month: E
        while F is less, else the part that the added balance can carry, E x added / F.
        """
        reach_msat = (added_msat + self._local_msat)[self._finding]
        fits = self._shown_msat <= reach_msat * self._wishes
        count = len(self._findings)
        flow_msat = summed(self._finding, self._flow_msat * fits, count)
        value_msat = summed(self._finding, self._value_msat * fits, count)
        served = np.divide(added_msat, flow_msat, out=np.zeros(count), where=flow_msat > 0)
        gain_msat: Floats = value_msat * np.minimum(1.0, served)
        return gain_msat

    def curves(self) -> Curves:
        """Return the gain of growing additions, up to the first that serves everything; empty without a rate.

        Only missing balance has one, and only where there is enough evidence for a figure per month.
        """
        steps = [self.of(np.full(len(self._findings), step_msat)) for step_msat in STEPS_SAT * 1000]
        # a size that pays little must not make more balance look worse than less
        most = np.maximum.accumulate(np.array(steps)).T
        expected = np.array([f.expected_msat for f in self._findings], np.int64)
        low, high = (
            np.array([getattr(f, end) for f in self._findings], np.int64) / np.maximum(expected, 1)
            for end in ("low_msat", "high_msat")
        )
        shown = np.where(expected > 0, self._shown(most), 0)
        finding, step = np.nonzero(np.arange(len(STEPS_SAT)) < shown[:, None])
        gain = most[finding, step]
        return Curves(
            steps=shown.tolist(),
            added_sat=STEPS_SAT[step].tolist(),
            gain_msat=whole(gain).tolist(),
            low_msat=whole(np.floor(gain * low[finding])).tolist(),
            high_msat=whole(gain * high[finding]).tolist(),
        )

    def _shown(self, most: Floats) -> Ints:
        """Return how many of the growing gains are worth showing of each finding."""
        rates = [f.per_month_msat if f.problem is Problem.LIQUIDITY else None for f in self._findings]
        per_month = np.array([np.nan if rate is None else rate for rate in rates], float)
        enough = most >= 0.99 * per_month[:, None]
        enough[:, : _ALWAYS - 1] = False
        count = np.where(enough.any(axis=1), enough.argmax(axis=1) + 1, len(STEPS_SAT))
        return np.where(np.isnan(per_month), 0, count)
