"""What unserved wishes were worth: expected value and an 80 % range, for findings and for their total.

Each wish settles or not by the chance of its peer and size.  Mean and variance of a finding follow exactly;
its distribution is a Beta on the share of the open fees with these moments, times an error of the model itself,
whose size was measured in simulated worlds (docs/concepts/valuation.md).  The total comes from joint samples,
since a wrong average of the node moves all findings together.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from lnflow.analysis.chance import STRENGTH, Chances
from lnflow.analysis.columns import Floats, Ints, summed, whole

DRAWS = 200  # the 10 % points are then right within 2 % of the draws
_MOST_SAMPLES = 120_000  # of all findings: what takes more than 600 findings has fewer draws,
_FEWEST_DRAWS = 64  # down to these, where the 10 % points are right within 4 %
LOW, HIGH = 0.1, 0.9
_SEED = 21  # fixed: the same facts give the same range


class OpenWishes(Struct, frozen=True, kw_only=True):
    """Unserved wishes that share a finding and a chance, as columns; fees once per wish."""

    finding: Ints
    fee_msat: Ints
    fee_squares: Floats
    chances: Chances


class Circumstances(Struct, frozen=True, kw_only=True):
    """What all wishes of a finding have in common, finding by finding.

    `unseen` (1 or more): parts that senders never tried, because the first was refused.  `lasting` (0-1): whether
    there would have been balance for them.  `doubt`: how far the model may be off, as the standard deviation of
    the logarithm of the true figure about the estimated one.
    """

    unseen: Floats
    lasting: Floats
    doubt: Floats

    @property
    def factor(self) -> Floats:
        return self.unseen * self.lasting

    def of(self, place: int) -> tuple[float, float, float]:
        """Return `unseen`, `lasting` and `doubt` of one finding."""
        return float(self.unseen[place]), float(self.lasting[place]), float(self.doubt[place])


class Value(Struct, frozen=True, gc=False):
    """Of all findings together, in msat; `low` and `high` bound the middle 80 %."""

    expected_msat: int
    low_msat: int
    high_msat: int


NOTHING = Value(expected_msat=0, low_msat=0, high_msat=0)


class Values(Struct, frozen=True):
    """The same of each finding, as columns."""

    expected_msat: Ints
    low_msat: Ints
    high_msat: Ints


def value_findings(
    wishes: OpenWishes, circumstances: Circumstances, node_settled: int, node_downstream: int
) -> tuple[Values, Value]:
    """Return a value for each finding, all of which have their circumstances, and one for all together.

    `node_settled` and `node_downstream` are the evidence of the node's average, whose doubt all share.
    """
    factor = circumstances.factor
    findings = len(factor)
    fee = wishes.fee_msat.astype(float)
    mean = wishes.chances.mean

    def per_finding(values: Floats) -> Floats:
        return summed(wishes.finding, values, findings)

    total_fee = per_finding(fee)
    expected = per_finding(fee * mean)
    variance = per_finding(fee * fee * wishes.chances.variance + wishes.fee_squares * mean * (1 - mean))
    evidence = wishes.chances.settled + wishes.chances.downstream
    borrowed = per_finding(fee * STRENGTH / (STRENGTH + evidence)) / np.maximum(total_fee, 1)

    valued = np.flatnonzero((total_fee > 0) & (factor > 0))
    middle, low, high = np.zeros((3, findings), np.int64)
    if not len(valued):
        return Values(middle, low, high), NOTHING
    share = np.clip(expected[valued] / total_fee[valued], 1e-9, 1 - 1e-9)
    spread = variance[valued] / total_fee[valued] ** 2
    weight = np.maximum(share * (1 - share) / np.maximum(spread, 1e-12) - 1, 0.05)
    rng = np.random.default_rng(_SEED)
    draws = min(DRAWS, max(_FEWEST_DRAWS, _MOST_SAMPLES // len(valued)))
    samples = rng.beta(share * weight, (1 - share) * weight, size=(draws, len(valued)))
    doubt = rng.beta(node_settled + 1, node_downstream + 1, size=(draws, 1))
    doubt *= (node_settled + node_downstream + 2) / (node_settled + 1)
    samples *= np.exp(np.log(doubt) * borrowed[valued])
    np.minimum(samples, 1, out=samples)
    samples *= total_fee[valued]
    samples *= factor[valued]
    luck = rng.standard_normal((draws, len(valued)))
    luck *= circumstances.doubt[valued]
    samples *= np.exp(luck, out=luck)

    middle[valued] = whole(expected[valued] * factor[valued])
    low[valued], high[valued] = _around(middle[valued], *_range(samples))
    all_msat = middle.sum(keepdims=True)
    total = np.concatenate((all_msat, *_around(all_msat, *_range(samples.sum(axis=1, keepdims=True)))))
    return Values(middle, low, high), Value(*total.tolist())


def _range(samples: Floats) -> tuple[Floats, Floats]:
    """Return the low and high points of each column, as `np.quantile` does, which takes five times as long."""
    ordered = np.sort(samples, axis=0)
    places = [share * (len(ordered) - 1) for share in (LOW, HIGH)]
    low, high = (ordered[int(p)] + (ordered[int(p) + 1] - ordered[int(p)]) * (p % 1) for p in places)
    return low, high


def _around(middle: Ints, low: Floats, high: Floats) -> tuple[Ints, Ints]:
    """Return a range in whole msat that has what is expected in it."""
    return np.minimum(middle, whole(np.floor(low))), np.maximum(middle, whole(high))
