"""Amounts: what none exceeds, and their classes.

Settle chance depends strongly on size, so evidence is kept by class.
"""

from __future__ import annotations

from bisect import bisect_right

MOST_MSAT = (1 << 50) - 1
"""11,259 BTC: more than all channels of Lightning hold, and thousands of such amounts still fit into a stored sum."""

# Upper bounds, sat: coarse where payments are rare, fine where they are frequent.  Part of the store's
# schema: a change needs a migration that makes the size rollup again.
AMOUNT_BOUNDS_SAT = (1_000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000, 5_000_000)
AMOUNT_BOUNDS_MSAT = tuple(sat * 1000 for sat in AMOUNT_BOUNDS_SAT)


def amount_class(amount_msat: int) -> int:
    """Return the class of an amount: how many of the bounds it has reached.

    >>> amount_class(999_999), amount_class(1_000_000), amount_class(7_500_000_000)
    (0, 1, 9)
    """
    return bisect_right(AMOUNT_BOUNDS_MSAT, amount_msat)
