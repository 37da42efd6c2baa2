"""Between which prices a computed strategy moves, and how: `fee_ppm` in the middle, bounds around it."""

from __future__ import annotations

from msgspec import Struct

from lnflow.pricing.strategies.terms import Case

CEILING_PPM = 5000  # where no max_fee_ppm is written, nothing computed goes above it
DEFAULT_DISCOUNT_PPM = 50


class Span(Struct, frozen=True, kw_only=True):
    """`lowest` ≤ `middle` ≤ `highest`, in ppm."""

    lowest: int
    middle: int
    highest: int

    def up(self, share: float) -> float:
        """Return the price at `share` (0–1) of the way from the middle to the highest."""
        return self.middle + (self.highest - self.middle) * share

    def down(self, share: float) -> float:
        """Return the price at `share` (0–1) of the way from the middle to the lowest."""
        return self.middle - (self.middle - self.lowest) * share


def span(case: Case) -> Span:
    """Return the bounds as written; by default half and twice `fee_ppm`, and not above 5000 ppm.

    A `fee_ppm` outside the bounds is moved to the nearer one.
    """
    properties = case.properties
    written = properties.required("fee_ppm")
    lowest = properties.integer("min_fee_ppm")
    highest = properties.integer("max_fee_ppm")
    if lowest is None:
        lowest = written // 2 if highest is None else min(written // 2, highest)
    if highest is None:
        highest = max(written, lowest, min(2 * written, CEILING_PPM))
    if not 0 <= lowest <= highest:
        raise properties.bad(
            f"min_fee_ppm = {lowest} must be between 0 and max_fee_ppm = {highest}",
            "swap them, or write fee_ppm, min_fee_ppm and max_fee_ppm in rising order",
        )
    return Span(lowest=lowest, middle=min(max(written, lowest), highest), highest=highest)


def largest_discount_ppm(case: Case) -> int:
    """Return how far below zero the inbound fee may go (as a positive number): −`min_inbound_fee_ppm`."""
    written = case.properties.integer("min_inbound_fee_ppm")
    return DEFAULT_DISCOUNT_PPM if written is None else max(0, -written)
