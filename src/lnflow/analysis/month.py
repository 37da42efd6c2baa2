"""What may be said per month: only from covered time, and only with a minimum of evidence."""

from __future__ import annotations

from lnflow.domain.time import MONTH_S

MIN_COVERED_S = 6 * 3600  # less than a quarter of a day says nothing about a day's rhythm
MIN_DEMANDS = 3


def per_month_msat(window_msat: int, covered_s: float, demands: int) -> int | None:
    """Return a window's figure as a rate per 30 days, None below 6 covered hours or 3 distinct demands.

    >>> per_month_msat(1_000, covered_s=86_400, demands=5)
    30000
    >>> per_month_msat(1_000, covered_s=1, demands=5) is None
    True
    """
    if covered_s < MIN_COVERED_S or demands < MIN_DEMANDS:
        return None
    return round(window_msat * MONTH_S / covered_s)
