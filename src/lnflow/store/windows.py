"""Cutting a window into parts that the store can answer at once: running totals, whole hours, raw ends.

Inside raw retention a window is exact to the nanosecond; beyond it its ends are rounded outwards to whole
hours, and the plan says so.
"""

from __future__ import annotations

from msgspec import Struct

from lnflow.domain.time import HOUR_NS

PERIOD_H = 6  # hours per period of the running totals


class RawPart(Struct, frozen=True):
    """Raw rows accounted in [since_ns, until_ns), to be added (sign 1) or taken off (-1)."""

    sign: int
    since_ns: int
    until_ns: int


class HourPart(Struct, frozen=True):
    """Rollup rows of the hours [first, last), to be added or taken off."""

    sign: int
    first: int
    last: int


class TotalPart(Struct, frozen=True):
    """Running totals before `period`, to be added or taken off."""

    sign: int
    period: int


class Plan(Struct, frozen=True, kw_only=True):
    raw: tuple[RawPart, ...]
    hours: tuple[HourPart, ...]
    totals: tuple[TotalPart, ...]
    rounded: bool


def plan_window(
    since_ns: int,
    until_ns: int,
    *,
    raw_since_ns: int | None,
    last_ns: int | None,
    totals_through: int | None,
) -> Plan:
    """Return the parts whose sum is the window [since_ns, until_ns).

    `raw_since_ns` is from when on raw rows are kept (None: all of them), `last_ns` the newest accounted time:
    nothing lies behind it, so an end beyond it costs nothing.
    """
    if last_ns is None or until_ns <= since_ns:
        return Plan(raw=(), hours=(), totals=(), rounded=False)
    raw: list[RawPart] = []
    first, first_rounded = _edge(since_ns, 1, raw_since_ns, raw)
    last, last_rounded = -(-until_ns // HOUR_NS), False
    if until_ns <= last_ns:
        last, last_rounded = _edge(until_ns, -1, raw_since_ns, raw)
    if first > last:  # within one hour: the raw parts of both edges overlap, take the rows themselves
        raw, first, last = [RawPart(1, since_ns, until_ns)], 0, 0
    hours, totals = _whole_hours(first, last, totals_through)
    return Plan(raw=tuple(raw), hours=tuple(hours), totals=tuple(totals), rounded=first_rounded or last_rounded)


def _edge(at_ns: int, sign: int, raw_since_ns: int | None, raw: list[RawPart]) -> tuple[int, bool]:
    """Return the whole hour that stands for an edge, and whether it was rounded; append what is between.

    `sign` is 1 for the window's beginning, -1 for its end.  The shorter side of the hour is read raw.
    """
    hour, rest_ns = divmod(at_ns, HOUR_NS)
    if rest_ns == 0:
        return hour, False
    if raw_since_ns is not None and at_ns < raw_since_ns:
        return (hour if sign == 1 else hour + 1), True
    if rest_ns * 2 <= HOUR_NS:
        # The hour is counted whole on the later side; take off what lies before the edge.
        raw.append(RawPart(-sign, hour * HOUR_NS, at_ns))
        return hour, False
    raw.append(RawPart(sign, at_ns, (hour + 1) * HOUR_NS))
    return hour + 1, False


def _whole_hours(first: int, last: int, totals_through: int | None) -> tuple[list[HourPart], list[TotalPart]]:
    if first >= last:
        return [], []
    if totals_through is None or last - first <= PERIOD_H:
        return [HourPart(1, first, last)], []
    begin = min(round(first / PERIOD_H), totals_through)
    end = min(round(last / PERIOD_H), totals_through)
    if begin >= end:
        return [HourPart(1, first, last)], []
    hours = [*_between(first, begin * PERIOD_H), *_between(end * PERIOD_H, last)]
    return hours, [TotalPart(-1, begin), TotalPart(1, end)]


def _between(first: int, last: int) -> list[HourPart]:
    """Return the hours from one bound to the other: added if in order, taken off if reversed."""
    if first == last:
        return []
    return [HourPart(1, first, last)] if first < last else [HourPart(-1, last, first)]
