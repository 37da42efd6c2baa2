"""Inbound discounts: which incoming channel gave them, and whose fees they were taken from.

A discount exists as far as the sender used it: what the outgoing channel asked, less what was paid, and no
more than the incoming channel's policy granted.  A sender that pays in full got none, whatever was on offer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from lnflow.domain.channel import Policy
from lnflow.domain.fees import forward_fee_msat, inbound_fee_msat


class PricedForward(Struct, frozen=True, gc=False):
    """A settled forward, and when it came in."""

    in_channel_id: int
    out_channel_id: int
    at_ns: int
    amount_in_msat: int
    amount_out_msat: int


class PriceHistory(Struct, frozen=True):
    """Our policies of one channel in order of time; each holds from its time until the next."""

    since_ns: Sequence[int]
    policies: Sequence[Policy]

    def at(self, at_ns: int) -> Policy | None:
        place = bisect_right(self.since_ns, at_ns)
        return self.policies[place - 1] if place else None

    @property
    def ever_discounts(self) -> bool:
        return any(p.inbound_fee_ppm < 0 or p.inbound_base_fee_msat < 0 for p in self.policies)


class Discounts(Struct, frozen=True):
    """By channel: what it gave as the incoming one, what it went without as the outgoing one; equal in sum."""

    given_msat: Mapping[int, int]
    borne_msat: Mapping[int, int]


def discount_msat(forward: PricedForward, incoming: Policy, outgoing: Policy) -> int:
    """Return what the sender was spared by the incoming channel's discount.

    Asked 1,000 msat + 200 ppm of 1,000,000 msat = 1,200; a discount of 100 ppm of what arrives before it,
    1,001,200 msat, is 100; the sender paid 1,100: it used it all.

    >>> ask = Policy(base_fee_msat=1_000, fee_ppm=200, time_lock_delta=40, min_htlc_msat=1, max_htlc_msat=None)
    >>> give = Policy(base_fee_msat=0, fee_ppm=0, time_lock_delta=40, min_htlc_msat=1, max_htlc_msat=None,
    ...               inbound_fee_ppm=-100)
    >>> discount_msat(PricedForward(1, 2, 0, 1_001_100, 1_000_000), give, ask)
    100
    >>> discount_msat(PricedForward(1, 2, 0, 1_001_200, 1_000_000), give, ask)
    0
    """
    asked = forward_fee_msat(forward.amount_out_msat, outgoing.base_fee_msat, outgoing.fee_ppm)
    granted = -inbound_fee_msat(
        forward.amount_out_msat, asked, incoming.inbound_base_fee_msat, incoming.inbound_fee_ppm
    )
    paid = forward.amount_in_msat - forward.amount_out_msat
    return max(0, min(granted, asked - paid))


def attribute(forwards: Iterable[PricedForward], prices: Mapping[int, PriceHistory]) -> Discounts:
    """Return who gave and who bore; forwards whose prices are not known are left out."""
    given: dict[int, int] = {}
    borne: dict[int, int] = {}
    for forward in forwards:
        incoming, outgoing = prices.get(forward.in_channel_id), prices.get(forward.out_channel_id)
        if incoming is None or outgoing is None:
            continue
        before, after = incoming.at(forward.at_ns), outgoing.at(forward.at_ns)
        if before is None or after is None:
            continue
        msat = discount_msat(forward, before, after)
        if msat:
            given[forward.in_channel_id] = given.get(forward.in_channel_id, 0) + msat
            borne[forward.out_channel_id] = borne.get(forward.out_channel_id, 0) + msat
    return Discounts(given, borne)
