"""What unserved wishes were worth: expected value and an 80 % range, for findings and for their total.

Each wish settles or not by the chance of its peer and size.  Mean and variance of a finding follow exactly;
its distribution is a Beta on the share of the open fees with these moments.  The total comes from joint
samples, since a wrong average of the node moves all findings together.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lnflow.analysis.chance import STRENGTH, Chance

DRAWS = 400
LOW, HIGH = 0.1, 0.9
_SEED = 21  # fixed: the same facts give the same range


class OpenWishes(Struct, frozen=True, kw_only=True, gc=False):
    """Unserved wishes of one finding that share a settle chance; fees once per wish."""

    finding: int
    """Index of the finding they belong to."""
    fee_msat: int
    fee_squares: float
    chance: Chance


class Value(Struct, frozen=True, kw_only=True, gc=False):
    """msat; `low` and `high` bound the middle 80 %."""

    expected_msat: int
    low_msat: int
    high_msat: int


NOTHING = Value(expected_msat=0, low_msat=0, high_msat=0)


def value_findings(
    wishes: Sequence[OpenWishes], findings: int, node_settled: int, node_downstream: int
) -> tuple[list[Value], Value]:
    """Return a value for each of `findings` findings and one for all of them together.

    `node_settled` and `node_downstream` are the evidence of the node's average, whose doubt all share.
    """
    if not any(w.fee_msat for w in wishes):
        return [NOTHING] * findings, NOTHING
    import numpy as np

    index = np.array([w.finding for w in wishes])
    fee = np.array([float(w.fee_msat) for w in wishes])
    mean = np.array([w.chance.mean for w in wishes])
    own = np.array([w.chance.settled + w.chance.downstream for w in wishes])

    def per_finding(values: np.ndarray) -> np.ndarray:
        return np.bincount(index, weights=values, minlength=findings)

    total_fee = per_finding(fee)
    expected = per_finding(fee * mean)
    variance = per_finding(
        fee * fee * np.array([w.chance.variance for w in wishes])
        + np.array([w.fee_squares for w in wishes]) * mean * (1 - mean)
    )
    borrowed = per_finding(fee * STRENGTH / (STRENGTH + own)) / np.maximum(total_fee, 1)

    valued = np.flatnonzero(total_fee > 0)
    share = expected[valued] / total_fee[valued]
    spread = variance[valued] / total_fee[valued] ** 2
    weight = np.maximum(share * (1 - share) / np.maximum(spread, 1e-12) - 1, 0.05)
    rng = np.random.default_rng(_SEED)
    samples = rng.beta(share * weight, (1 - share) * weight, size=(DRAWS, len(valued)))
    doubt = rng.beta(node_settled + 1, node_downstream + 1, size=(DRAWS, 1))
    doubt *= (node_settled + node_downstream + 2) / (node_settled + 1)
    samples = np.minimum(samples * doubt ** borrowed[valued], 1) * total_fee[valued]

    values = [NOTHING] * findings
    lows, highs = np.quantile(samples, (LOW, HIGH), axis=0)
    for position, finding in enumerate(valued):
        values[finding] = _value(expected[finding], lows[position], highs[position])
    low, high = np.quantile(samples.sum(axis=1), (LOW, HIGH))
    return values, _value(sum(v.expected_msat for v in values), low, high)


def _value(expected: float, low: float, high: float) -> Value:
    middle = round(expected)
    return Value(expected_msat=middle, low_msat=min(middle, int(low)), high_msat=max(middle, round(high)))
