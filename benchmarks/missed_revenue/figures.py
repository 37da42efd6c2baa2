"""How good an estimate is: total, order, ranges; against the truth of many lucks of the same payers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from lnflow.domain.causes import Problem
from lnflow.simulation.world import Truth, TruthEstimate

Key = tuple[str, Problem]
MATERIAL_SHARE = 0.01
"""Of the total truth: what is smaller is nobody's concern."""


class Range(Struct, frozen=True):
    expected: float
    low: float
    high: float


class Figures(Struct, frozen=True, kw_only=True):
    """`ratio` is estimated total ÷ truth; `rank` is None with fewer than three material peers."""

    ratio: float
    rank: float | None
    inside: int = 0
    ranges: int = 0


def material(truth: Mapping[Key, TruthEstimate]) -> list[Key]:
    """Return the peers and causes that matter: above 1 % of the total and twice their standard error."""
    total = sum(t.covered_msat for t in truth.values())
    return [
        key
        for key, t in truth.items()
        if t.covered_msat > MATERIAL_SHARE * total and t.covered_msat > 2 * t.covered_error_msat
    ]


def judge(
    truth: Mapping[Key, TruthEstimate], estimate: Mapping[Key, float], ranges: Mapping[Key, Range] | None = None
) -> Figures:
    """Compare an estimate in msat, of covered time, with the truth."""
    keys = material(truth)
    total = sum(t.covered_msat for t in truth.values())
    inside = 0
    for key in keys if ranges is not None else ():
        t = truth[key]
        found = ranges.get(key, Range(0, 0, 0)) if ranges is not None else Range(0, 0, 0)
        inside += found.low - t.covered_error_msat <= t.covered_msat <= found.high + t.covered_error_msat
    return Figures(
        ratio=sum(estimate.values()) / total,
        rank=spearman([estimate.get(k, 0.0) for k in keys], [truth[k].covered_msat for k in keys]),
        inside=inside,
        ranges=len(keys) if ranges is not None else 0,
    )


def oracle_rank(truths: Sequence[Mapping[Key, Truth]], keys: Sequence[Key]) -> float | None:
    """Return how well one luck orders the mean of the others, on average: nobody can do better from one run."""
    ranks = []
    for place, one in enumerate(truths):
        others = [t for n, t in enumerate(truths) if n != place]
        mean = [sum(_covered(t, k) for t in others) for k in keys]
        rank = spearman([_covered(one, k) for k in keys], mean)
        if rank is None:
            return None
        ranks.append(rank)
    return sum(ranks) / len(ranks) if ranks else None


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the rank correlation, ties at their mean rank; None with fewer than three pairs or no variation."""
    if len(one) < 3:
        return None
    import numpy as np

    a, b = _ranks(one), _ranks(other)
    if a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Sequence[float]):  # type: ignore[no-untyped-def]  # numpy is imported only where needed
    import numpy as np

    array = np.array(values, dtype=float)
    return np.array([(array < v).sum() + ((array == v).sum() - 1) / 2 for v in array])


def _covered(truth: Mapping[Key, Truth], key: Key) -> float:
    return truth[key].covered_msat if key in truth else 0.0
