"""The chance that an attempt settles if we pass it on, by peer and size: beta-binomial, shrunk step by step.

The node's average is the prior of each amount class, the class (scaled by how the peer does overall) the
prior of the peer's own class.  Where nothing of a size was ever passed on, the chance of the next smaller
class is halved: large amounts that never settle must not become large expected losses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from lnflow.domain.amounts import AMOUNT_BOUNDS_SAT

STRENGTH = 8.0  # a record of 8 attempts weighs as much as the prior
UNTRIED_FACTOR = 0.5
_CLASSES = len(AMOUNT_BOUNDS_SAT) + 1
_MIN, _MAX = 0.005, 0.995

Ends = tuple[int, int]
"""(settled, failed downstream)."""


class Chance(Struct, frozen=True, kw_only=True, gc=False):
    """A Beta distribution with its own evidence."""

    alpha: float
    beta: float
    settled: int
    downstream: int

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)


def posterior(ends: Ends, prior_mean: float) -> Chance:
    """Return the chance after seeing `ends`, starting from `prior_mean` worth 8 attempts.

    >>> posterior((8, 0), prior_mean=0.5).mean
    0.75
    """
    settled, downstream = ends
    prior = min(_MAX, max(_MIN, prior_mean))
    return Chance(
        alpha=STRENGTH * prior + settled,
        beta=STRENGTH * (1 - prior) + downstream,
        settled=settled,
        downstream=downstream,
    )


class SettleChances:
    """Chances of one node and window; `by_peer` holds (peer, amount class or None) → ends."""

    def __init__(self, by_peer: Mapping[tuple[object, int | None], Ends]) -> None:
        self._own = by_peer
        self._peers = _summed((peer, ends) for (peer, _), ends in by_peer.items())
        self.settled = sum(s for s, _ in self._peers.values())
        self.downstream = sum(d for _, d in self._peers.values())
        self.average = (self.settled + 1) / (self.settled + self.downstream + 2)
        self._class_means = self._by_class()
        self._overall: dict[object, Chance] = {}
        self._by_size: dict[tuple[object, int], Chance] = {}

    def of(self, peer: object, amount_class: int | None) -> Chance:
        """Return the chance for one peer and size; None for the size means that it is not known."""
        overall = self._overall.get(peer)
        if overall is None:
            overall = self._overall[peer] = posterior(self._peers.get(peer, (0, 0)), self.average)
        if amount_class is None:
            return overall
        key = (peer, amount_class)
        chance = self._by_size.get(key)
        if chance is None:
            prior = self._class_means[amount_class] * overall.mean / self.average
            chance = self._by_size[key] = posterior(self._own.get(key, (0, 0)), prior)
        return chance

    def _by_class(self) -> list[float]:
        classes: dict[int, Ends] = {}
        for (_, index), (settled, downstream) in self._own.items():
            if index is not None:
                s, d = classes.get(index, (0, 0))
                classes[index] = (s + settled, d + downstream)
        if not classes:
            return [self.average] * _CLASSES
        means: list[float] = []
        prior = self.average
        for index in range(_CLASSES):
            # Untried between tried classes is no news; untried above all of them is.
            prior = posterior(classes.get(index, (0, 0)), prior).mean
            if index > max(classes):
                prior *= UNTRIED_FACTOR
            means.append(prior)
        return means


def _summed(pairs: Iterable[tuple[object, Ends]]) -> dict[object, Ends]:
    sums: dict[object, Ends] = {}
    for key, (settled, downstream) in pairs:
        s, d = sums.get(key, (0, 0))
        sums[key] = (s + settled, d + downstream)
    return sums
