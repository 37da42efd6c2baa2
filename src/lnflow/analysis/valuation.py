"""What unserved wishes were worth: expected value and an 80 % range, for findings and for their total.

Each wish settles or not by the chance of its peer and size.  Mean and variance of a finding follow exactly;
its distribution is a Beta on the share of the open fees with these moments, times an error of the model itself,
whose size was measured in simulated worlds (docs/concepts/valuation.md).  The total comes from joint samples,
since a wrong average of the node moves all findings together.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lnflow.analysis.chance import STRENGTH, Chance

DRAWS = 200  # the 10 % points are then right within 2 % of the draws
LOW, HIGH = 0.1, 0.9
_SEED = 21  # fixed: the same facts give the same range


class OpenWishes:
    """Unserved wishes by finding and settle chance, as columns: there can be tens of thousands of groups."""

    def __init__(self) -> None:
        self.finding: list[int] = []
        self.fee_msat: list[float] = []
        self.fee_squares: list[float] = []
        self.chance: list[float] = []
        self.chance_variance: list[float] = []
        self.evidence: list[int] = []

    def add(self, finding: int, fee_msat: int, fee_squares: float, chance: Chance) -> None:
        """Take wishes of one finding that share a chance; fees once per wish."""
        self.finding.append(finding)
        self.fee_msat.append(fee_msat)
        self.fee_squares.append(fee_squares)
        self.chance.append(chance.mean)
        self.chance_variance.append(chance.variance)
        self.evidence.append(chance.settled + chance.downstream)


class Circumstances(Struct, frozen=True, kw_only=True, gc=False):
    """What all wishes of a finding have in common.

    `unseen` (1 or more): parts that senders never tried, because the first was refused.  `lasting` (0-1): whether
    there would have been balance for them.  `doubt`: how far the model may be off, as the standard deviation of
    the logarithm of the true figure about the estimated one.
    """

    unseen: float = 1.0
    lasting: float = 1.0
    doubt: float = 0.0

    @property
    def factor(self) -> float:
        return self.unseen * self.lasting


class Value(Struct, frozen=True, kw_only=True, gc=False):
    """msat; `low` and `high` bound the middle 80 %."""

    expected_msat: int
    low_msat: int
    high_msat: int


NOTHING = Value(expected_msat=0, low_msat=0, high_msat=0)


def value_findings(
    wishes: OpenWishes, circumstances: Sequence[Circumstances], node_settled: int, node_downstream: int
) -> tuple[list[Value], Value]:
    """Return a value for each finding, of which there are as many as circumstances, and one for all together.

    `node_settled` and `node_downstream` are the evidence of the node's average, whose doubt all share.
    """
    findings = len(circumstances)
    if not any(wishes.fee_msat):
        return [NOTHING] * findings, NOTHING
    import numpy as np

    index = np.array(wishes.finding)
    fee = np.array(wishes.fee_msat, dtype=float)
    mean, chance_variance = np.array(wishes.chance), np.array(wishes.chance_variance)

    def per_finding(values: np.ndarray) -> np.ndarray:
        return np.bincount(index, weights=values, minlength=findings)

    total_fee = per_finding(fee)
    expected = per_finding(fee * mean)
    variance = per_finding(fee * fee * chance_variance + np.array(wishes.fee_squares) * mean * (1 - mean))
    borrowed = per_finding(fee * STRENGTH / (STRENGTH + np.array(wishes.evidence))) / np.maximum(total_fee, 1)

    factor = np.array([c.factor for c in circumstances])
    doubt_of_model = np.array([c.doubt for c in circumstances])

    valued = np.flatnonzero((total_fee > 0) & (factor > 0))
    if not len(valued):
        return [NOTHING] * findings, NOTHING
    share = np.clip(expected[valued] / total_fee[valued], 1e-9, 1 - 1e-9)
    spread = variance[valued] / total_fee[valued] ** 2
    weight = np.maximum(share * (1 - share) / np.maximum(spread, 1e-12) - 1, 0.05)
    rng = np.random.default_rng(_SEED)
    samples = rng.beta(share * weight, (1 - share) * weight, size=(DRAWS, len(valued)))
    doubt = rng.beta(node_settled + 1, node_downstream + 1, size=(DRAWS, 1))
    doubt *= (node_settled + node_downstream + 2) / (node_settled + 1)
    samples = np.minimum(samples * doubt ** borrowed[valued], 1) * total_fee[valued] * factor[valued]
    samples *= np.exp(rng.standard_normal((DRAWS, len(valued))) * doubt_of_model[valued])

    values = [NOTHING] * findings
    lows, highs = np.quantile(samples, (LOW, HIGH), axis=0)
    for position, finding in enumerate(valued):
        values[finding] = _value(expected[finding] * factor[finding], lows[position], highs[position])
    low, high = np.quantile(samples.sum(axis=1), (LOW, HIGH))
    return values, _value(sum(v.expected_msat for v in values), low, high)


def _value(expected: float, low: float, high: float) -> Value:
    middle = round(expected)
    return Value(expected_msat=middle, low_msat=min(middle, int(low)), high_msat=max(middle, round(high)))
