"""inbound_discount and inbound_premium: pay for inflow that refills us, charge for inflow we do not want."""

from __future__ import annotations

from msgspec import structs

from lnflow.pricing.facts import Flow
from lnflow.pricing.strategies.charge_lnd import priced
from lnflow.pricing.strategies.terms import Case, Terms, known

WINDOW_S = 30 * 86_400
SHARE_FOR_REFILLS = 0.5  # of what refilled sats earn on leaving again, at most half is given away


def inbound_discount(case: Case) -> Terms:
    fee_ppm = case.properties.required("fee_ppm")
    ratio = known(case.channel.ratio())
    realised = realised_ppm(known(case.channel.flow(WINDOW_S)))
    payer = known(case.channel.cheapest_other_ppm)
    worth = discount_ppm(realised, ratio, payer)
    written = case.properties.integer("min_inbound_fee_ppm")
    discount = worth if written is None else min(worth, max(0, -written))
    reason = (
        f"inbound_discount: what leaves here earned {realised:.0f} ppm, local share {ratio:.3f}, "
        f"the cheapest other channel asks {'nothing yet' if payer is None else f'{payer} ppm'}: "
        f"inbound {-discount} ppm"
    )
    terms = priced(case, reason, fee_ppm)
    return structs.replace(terms, inbound_fee_ppm=-discount, inbound_level_ppm=None)


def inbound_premium(case: Case) -> Terms:
    fee_ppm = case.properties.required("fee_ppm")
    highest = case.properties.integer("max_inbound_fee_ppm")
    ratio = known(case.channel.ratio())
    premium = premium_ppm(fee_ppm if highest is None else max(0, highest), ratio)
    reason = f"inbound_premium: local share {ratio:.3f}: inbound +{premium} ppm"
    terms = priced(case, reason, fee_ppm)
    return structs.replace(terms, inbound_fee_ppm=premium, inbound_level_ppm=None)


def realised_ppm(flow: Flow) -> float:
    """Return what a forward by this channel really earned, in ppm of what left; 0 if nothing left."""
    return flow.earned_msat * 1_000_000 / flow.out_msat if flow.out_msat else 0.0


def discount_ppm(realised: float, ratio: float, cheapest_other_ppm: int | None) -> int:
    """Return half of what refilled sats earn, times how empty we are; never more than the payer's fee.

    `cheapest_other_ppm` is the outbound price of the cheapest channel by which such an HTLC could leave.

    >>> [discount_ppm(400, r, 120) for r in (0, 0.25, 0.4, 0.5, 0.8)]
    [120, 100, 40, 0, 0]
    """
    ceiling = 0 if cheapest_other_ppm is None else max(0, cheapest_other_ppm)
    return min(ceiling, round(SHARE_FOR_REFILLS * realised * max(0.0, 1 - 2 * ratio)))


def premium_ppm(highest: int, ratio: float) -> int:
    """Return nothing up to a half, then rising to the highest when all is ours.

    >>> [premium_ppm(200, r) for r in (0.3, 0.5, 0.75, 1)]
    [0, 0, 100, 200]
    """
    return round(highest * max(0.0, 2 * ratio - 1))
