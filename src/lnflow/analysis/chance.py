"""The chance that a wish pays us if we pass it on, by peer and size: beta-binomial, shrunk step by step.

What is shrunk is the chance to fail: most payments settle, and peers differ by how much more often theirs fail.
The node's sizes are the prior of a peer's sizes, times how the peer fails overall.  Amounts larger than any that
ever settled here get less with every step beyond: large amounts that never settle must not become large losses.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from lnflow.analysis.columns import Floats, Ints
from lnflow.domain.amounts import AMOUNT_BOUNDS_SAT

STRENGTH = 4.0  # a record of 4 wishes weighs as much as the prior
BEYOND = 1.5
"""Chance of an amount x times as large as the largest that settled regularly: divided by x to this power."""
REGULAR = 3
"""A size that settled this often settles regularly."""
CLASSES = len(AMOUNT_BOUNDS_SAT) + 1
UNKNOWN = -1
"""The class of wishes whose amount is not known: the last column, behind those of the sizes."""
_MIN, _MAX = 0.005, 0.97


class Chances(Struct, frozen=True, kw_only=True):
    """Beta distributions with their own evidence, times `reach` for amounts beyond all evidence; a chance a row."""

    alpha: Floats
    beta: Floats
    settled: Ints
    downstream: Ints
    reach: Floats

    def taken(self, rows: Ints) -> Chances:
        """Return some of the chances, in the order of their numbers."""
        return Chances(**{name: getattr(self, name).take(rows) for name in self.__struct_fields__})

    @property
    def mean(self) -> Floats:
        return self.reach * self.alpha / (self.alpha + self.beta)

    @property
    def variance(self) -> Floats:
        """Of the mean; `reach` is itself in doubt by as much as it says, or half of what it takes away if less."""
        n = self.alpha + self.beta
        share = self.alpha / n
        doubt = np.minimum(self.reach, 0.5 * (1 - self.reach)) * share
        return self.reach**2 * share * (1 - share) / (n + 1) + doubt * doubt


def posterior(settled: Ints, downstream: Ints, prior_mean: Floats) -> Chances:
    """Return the chances after seeing what settled and what failed downstream, from priors worth 4 wishes.

    >>> posterior(np.array([4]), np.array([0]), np.array([0.5])).mean.tolist()
    [0.75]
    """
    prior = 1 - np.clip(1 - prior_mean, _MIN, _MAX)
    return Chances(
        alpha=STRENGTH * prior + settled,
        beta=STRENGTH * (1 - prior) + downstream,
        settled=settled,
        downstream=downstream,
        reach=np.ones(len(prior)),
    )


class SettleChances:
    """Chances of one node and window, from what was `settled` and what failed `downstream`, by peer and class.

    Peers are rows, amount classes columns, the last one for wishes of unknown size.  `arrived_msat` is what
    settled altogether, by class.
    """

    def __init__(self, settled: Ints, downstream: Ints, arrived_msat: Ints) -> None:
        self._settled, self._downstream = settled, downstream
        self.settled, self.downstream = int(settled.sum()), int(downstream.sum())
        self.average = (self.settled + 1) / (self.settled + self.downstream + 2)
        self._failure = np.array([*self._by_class(), 1 - self.average])
        self._excess = self._by_peer()
        self.regular_msat = self._largest_regular(arrived_msat)
        """Mean of the largest size that settles regularly; None: nothing settled, or no amounts are known."""

    def of(self, peers: Ints, classes: Ints, mean_msat: Floats) -> Chances:
        """Return the chances for peers, classes and mean amounts (0: not known), row by row."""
        known = classes != UNKNOWN
        found = posterior(
            self._settled[peers, classes] * known,
            self._downstream[peers, classes] * known,
            1 - self._failure[classes] * self._excess[peers],
        )
        return Chances(
            alpha=found.alpha,
            beta=found.beta,
            settled=found.settled,
            downstream=found.downstream,
            reach=self.reach(mean_msat),
        )

    def reach(self, mean_msat: Floats) -> Floats:
        """Return what a chance is multiplied by for an amount beyond those that settle regularly."""
        reach = np.ones(len(mean_msat))
        if self.regular_msat is not None:
            beyond = mean_msat > self.regular_msat
            reach[beyond] = (self.regular_msat / mean_msat[beyond]) ** BEYOND
        return reach

    def _by_class(self) -> list[float]:
        """Return the chance to fail by class; each is the prior of the next larger one."""
        means: list[float] = []
        prior = 1 - self.average
        sums = zip(self._settled.sum(axis=0).tolist(), self._downstream.sum(axis=0).tolist(), strict=True)
        for settled, failed in list(sums)[:CLASSES]:
            prior = (STRENGTH * prior + failed) / (STRENGTH + settled + failed)
            means.append(prior)
        return means

    def _by_peer(self) -> Floats:
        """Return how much more often a peer's wishes fail than those of the same sizes elsewhere."""
        failed = self._downstream.sum(axis=1)
        expected = ((self._settled + self._downstream) * self._failure).sum(axis=1)
        excess: Floats = (failed + STRENGTH) / (expected + STRENGTH)
        return excess

    def _largest_regular(self, arrived_msat: Ints) -> float | None:
        settled = self._settled.sum(axis=0)[:CLASSES]
        arrived = (settled > 0) & (arrived_msat > 0)
        regular = np.flatnonzero(arrived & (settled >= REGULAR))
        some = regular if len(regular) else np.flatnonzero(arrived)
        return float(arrived_msat[some[-1]] / settled[some[-1]]) if len(some) else None
