"""balance_based: the more is ours, the cheaper to leave by this channel; the less, the dearer."""

from __future__ import annotations

from msgspec import structs

from lnflow.pricing.strategies.bounds import Span, largest_discount_ppm, span
from lnflow.pricing.strategies.charge_lnd import priced
from lnflow.pricing.strategies.terms import Case, Terms, known


def balance_based(case: Case) -> Terms:
    ratio = known(case.channel.ratio())
    between = span(case)
    fee_ppm = price_at(between, ratio)
    discount = discount_at(largest_discount_ppm(case), ratio)
    reason = (
        f"balance_based: local share {ratio:.3f} between {between.highest} (empty), {between.middle} (half) "
        f"and {between.lowest} ppm (full) = {fee_ppm} ppm, inbound {-discount} ppm"
    )
    terms = priced(case, reason, fee_ppm)
    return structs.replace(terms, inbound_fee_ppm=-discount, inbound_level_ppm=None)


def price_at(between: Span, ratio: float) -> int:
    """Return the outbound price: highest at 0, middle at ½, lowest at 1, straight lines between.

    >>> [price_at(Span(lowest=50, middle=100, highest=400), r) for r in (0, 0.25, 0.5, 0.75, 1)]
    [400, 250, 100, 75, 50]
    """
    if ratio <= 0.5:
        return round(between.up(1 - 2 * ratio))
    return round(between.down(2 * ratio - 1))


def discount_at(largest_ppm: int, ratio: float) -> int:
    """Return the inbound discount: the largest at 0, none from ½ on.

    >>> [discount_at(50, r) for r in (0, 0.1, 0.25, 0.5, 0.9)]
    [50, 40, 25, 0, 0]
    """
    return round(largest_ppm * max(0.0, 1 - 2 * ratio))
