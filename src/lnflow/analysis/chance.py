"""The chance that an attempt settles if we pass it on: beta-binomial, shrunk to the node's own average."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

PRIOR_STRENGTH = 8.0  # a peer's own record outweighs the node's average from 8 attempts on


class Chance(Struct, frozen=True, kw_only=True, gc=False):
    """A Beta distribution; `settled` and `downstream` are the peer's own evidence in it."""

    alpha: float
    beta: float
    settled: int
    downstream: int

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)


def node_average(ends: Iterable[tuple[int, int]]) -> float:
    """Return the node's share of settled among passed-on attempts, with one of each added.

    >>> node_average([])
    0.5
    """
    settled = downstream = 0
    for s, d in ends:
        settled += s
        downstream += d
    return (settled + 1) / (settled + downstream + 2)


def chance_of(settled: int, downstream: int, prior_mean: float, strength: float = PRIOR_STRENGTH) -> Chance:
    """Return the posterior for one peer.

    >>> chance_of(8, 0, prior_mean=0.5).mean
    0.75
    """
    return Chance(
        alpha=strength * prior_mean + settled,
        beta=strength * (1 - prior_mean) + downstream,
        settled=settled,
        downstream=downstream,
    )
