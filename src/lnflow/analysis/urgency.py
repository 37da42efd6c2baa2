"""Urgency 0-100: how soon a finding deserves attention."""

from __future__ import annotations

from msgspec import Struct


class Urgency(Struct, frozen=True, kw_only=True, gc=False):
    revenue: float
    frequency: float
    rate: float

    @property
    def total(self) -> float:
        return self.revenue + self.frequency + self.rate


def urgency(*, missed_sat: float, failures: int, failure_rate: float) -> Urgency:
    """Return revenue (0-40) + frequency (0-30) + rate (0-30).

    `missed_sat` is the expected missed revenue, `failures` the distinct demands that stayed unserved and
    `failure_rate` their share (0-1), all of the window.

    >>> urgency(missed_sat=5_000, failures=5, failure_rate=0.5).total
    50.0
    """
    return Urgency(
        revenue=min(40.0, missed_sat / 1000 * 4),
        frequency=min(30.0, failures / 10 * 30),
        rate=min(1.0, failure_rate) * 30,
    )
