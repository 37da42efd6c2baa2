"""The chance that a wish pays us if we pass it on, by peer and size: beta-binomial, shrunk step by step.

What is shrunk is the chance to fail: most payments settle, and peers differ by how much more often theirs fail.
The node's sizes are the prior of a peer's sizes, times how the peer fails overall.  Amounts larger than any that
ever settled here get less with every step beyond: large amounts that never settle must not become large losses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from lnflow.domain.amounts import AMOUNT_BOUNDS_SAT

STRENGTH = 4.0  # a record of 4 wishes weighs as much as the prior
BEYOND = 1.5
"""Chance of an amount x times as large as the largest that settled regularly: divided by x to this power."""
REGULAR = 3
"""A size that settled this often settles regularly."""
_CLASSES = len(AMOUNT_BOUNDS_SAT) + 1
_MIN, _MAX = 0.005, 0.97

Ends = tuple[int, int]
"""(settled, failed downstream), wishes."""


class Chance(Struct, frozen=True, kw_only=True, gc=False):
    """A Beta distribution with its own evidence, times `reach` for amounts beyond all evidence."""

    alpha: float
    beta: float
    settled: int
    downstream: int
    reach: float = 1.0

    @property
    def mean(self) -> float:
        return self.reach * self.alpha / (self.alpha + self.beta)

    @property
    def variance(self) -> float:
        """Of the mean; `reach` is itself in doubt by as much as it says, or half of what it takes away if less."""
        n = self.alpha + self.beta
        share = self.alpha / n
        doubt = min(self.reach, 0.5 * (1 - self.reach)) * share
        return self.reach**2 * share * (1 - share) / (n + 1) + doubt * doubt


def posterior(ends: Ends, prior_mean: float) -> Chance:
    """Return the chance after seeing `ends`, starting from `prior_mean` worth 4 wishes.

    >>> posterior((4, 0), prior_mean=0.5).mean
    0.75
    """
    settled, downstream = ends
    prior = 1 - min(_MAX, max(_MIN, 1 - prior_mean))
    return Chance(
        alpha=STRENGTH * prior + settled,
        beta=STRENGTH * (1 - prior) + downstream,
        settled=settled,
        downstream=downstream,
    )


class SettleChances:
    """Chances of one node and window; `by_peer` holds (peer, amount class) → ends.

    `arrived_msat` holds what settled altogether, by amount class.
    """

    def __init__(
        self, by_peer: Mapping[tuple[object, int | None], Ends], arrived_msat: Mapping[int, int] | None = None
    ) -> None:
        self._own = by_peer
        self.settled = sum(s for s, _ in by_peer.values())
        self.downstream = sum(d for _, d in by_peer.values())
        self.average = (self.settled + 1) / (self.settled + self.downstream + 2)
        self._classes = _summed((index, ends) for (_, index), ends in by_peer.items() if index is not None)
        self.class_failure = self._by_class()
        self._excess = self._by_peer()
        self.regular_msat = self._largest_regular(arrived_msat or {})
        """Mean of the largest size that settles regularly; None: nothing settled, or no amounts are known."""
        self._known: dict[tuple[object, int | None], Chance] = {}

    def of(self, peer: object, amount_class: int | None, amount_msat: float | None = None) -> Chance:
        """Return the chance for one peer and size; None for the size means that it is not known."""
        key = (peer, amount_class)
        found = self._known.get(key)
        if found is None:
            failure = (1 - self.average) if amount_class is None else self.class_failure[amount_class]
            ends = (0, 0) if amount_class is None else self._own.get(key, (0, 0))
            found = self._known[key] = posterior(ends, 1 - failure * self._excess.get(peer, 1.0))
        reach = self.reach(amount_msat) if amount_msat else 1.0
        return msgspec.structs.replace(found, reach=reach) if reach < 1 else found

    def reach(self, amount_msat: float) -> float:
        """Return what the chance is multiplied by for an amount beyond those that settle regularly."""
        if self.regular_msat is None or amount_msat <= self.regular_msat:
            return 1.0
        return float((self.regular_msat / amount_msat) ** BEYOND)

    def _by_class(self) -> list[float]:
        """Return the chance to fail by class; each is the prior of the next larger one."""
        means: list[float] = []
        prior = 1 - self.average
        for index in range(_CLASSES):
            settled, failed = self._classes.get(index, (0, 0))
            prior = (STRENGTH * prior + failed) / (STRENGTH + settled + failed)
            means.append(prior)
        return means

    def _by_peer(self) -> dict[object, float]:
        """Return how much more often a peer's wishes fail than those of the same sizes elsewhere."""
        failed: dict[object, float] = {}
        expected: dict[object, float] = {}
        for (peer, index), (s, d) in self._own.items():
            usual = 1 - self.average if index is None else self.class_failure[index]
            failed[peer] = failed.get(peer, 0.0) + d
            expected[peer] = expected.get(peer, 0.0) + (s + d) * usual
        return {peer: (failed[peer] + STRENGTH) / (expected[peer] + STRENGTH) for peer in failed}

    def _largest_regular(self, arrived_msat: Mapping[int, int]) -> float | None:
        settled = {index: s for index, (s, _) in self._classes.items() if s and arrived_msat.get(index)}
        regular = [index for index, s in settled.items() if s >= REGULAR] or list(settled)
        if not regular:
            return None
        top = max(regular)
        return arrived_msat[top] / settled[top]


def _summed(pairs: Iterable[tuple[int, Ends]]) -> dict[int, Ends]:
    sums: dict[int, Ends] = {}
    for key, (settled, downstream) in pairs:
        s, d = sums.get(key, (0, 0))
        sums[key] = (s + settled, d + downstream)
    return sums
