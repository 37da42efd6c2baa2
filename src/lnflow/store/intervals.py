"""Sets of time as lists of intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Interval = tuple[int, int]


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return disjoint intervals in order that cover the same instants.

    >>> merged([(5, 7), (1, 3), (2, 4), (7, 9)])
    [(1, 4), (5, 9)]
    """
    result: list[Interval] = []
    for since, until in sorted(intervals):
        if result and since <= result[-1][1]:
            result[-1] = (result[-1][0], max(until, result[-1][1]))
        else:
            result.append((since, until))
    return result


def within(intervals: Sequence[Interval], since: int, until: int) -> list[Interval]:
    """Return the parts of intervals that lie in [since, until).

    >>> within([(1, 4), (5, 9)], 3, 6)
    [(3, 4), (5, 6)]
    """
    return [(max(a, since), min(b, until)) for a, b in intervals if a < until and b > since]


def without(kept: Sequence[Interval], removed: Sequence[Interval]) -> list[Interval]:
    """Return the intervals less those removed.

    >>> without([(1, 9)], [(3, 4), (8, 12)])
    [(1, 3), (4, 8)]
    """
    result = list(kept)
    for since, until in removed:
        parts: list[Interval] = []
        for a, b in result:
            parts += [(x, y) for x, y in ((a, min(b, since)), (max(a, until), b)) if x < y]
        result = parts
    return result
