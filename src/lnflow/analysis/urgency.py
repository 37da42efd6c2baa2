"""Urgency 0-100: how soon a finding deserves attention."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from lnflow.analysis.columns import Floats, Ints


class Urgencies(Struct, frozen=True, kw_only=True):
    """The urgency of all findings, as columns."""

    revenue: Floats
    frequency: Floats
    rate: Floats

    @property
    def total(self) -> Floats:
        return self.revenue + self.frequency + self.rate


def urgencies(missed_sat: Floats, failures: Ints, failure_rate: Floats) -> Urgencies:
    """Return for each finding revenue (0-40) + frequency (0-30) + rate (0-30).

    `missed_sat` is the expected missed revenue, `failures` the distinct demands that stayed unserved and
    `failure_rate` their share (0-1), all of the window.

    >>> urgencies(missed_sat=np.array([5_000.0]), failures=np.array([5]), failure_rate=np.array([0.5])).total.tolist()
    [50.0]
    """
    return Urgencies(
        revenue=np.minimum(40.0, missed_sat / 1000 * 4),
        frequency=np.minimum(30.0, failures / 10 * 30),
        rate=np.minimum(1.0, failure_rate) * 30,
    )
