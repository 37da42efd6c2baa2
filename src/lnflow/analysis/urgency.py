"""Urgency 0-100: how soon a finding deserves attention."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from lnflow.analysis.columns import Floats, Ints


class Urgency(Struct, frozen=True, gc=False):
    revenue: float
    frequency: float
    rate: float

    @property
    def total(self) -> float:
        return self.revenue + self.frequency + self.rate


def urgencies(missed_sat: Floats, failures: Ints, failure_rate: Floats) -> list[Urgency]:
    """Return for each finding revenue (0-40) + frequency (0-30) + rate (0-30).

    `missed_sat` is the expected missed revenue, `failures` the distinct demands that stayed unserved and
    `failure_rate` their share (0-1), all of the window.

    >>> [one] = urgencies(missed_sat=np.array([5_000.0]), failures=np.array([5]), failure_rate=np.array([0.5]))
    >>> one.total
    50.0
    """
    parts = (
        np.minimum(40.0, missed_sat / 1000 * 4),
        np.minimum(30.0, failures / 10 * 30),
        np.minimum(1.0, failure_rate) * 30,
    )
    return list(map(Urgency, *(part.tolist() for part in parts)))
