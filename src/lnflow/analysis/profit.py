"""What a channel made after its costs, and what that is per year on the capital it ties up.

    net = earned - rebalance cost - on-chain cost + discounts borne - discounts given

Earned is credited to the outgoing channel, as ForwardingHistory has it; sourced is the same fees seen from
the incoming channel and never added.  A discount is moved from the channel whose fees it was taken from to
the one that gave it, so it cancels in every sum over the node.  A rebalance is charged to the channel that
received the balance.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

YEAR_S = 365 * 86_400


class Profit(Struct, frozen=True, kw_only=True, gc=False):
    """Of one channel, one peer or the node, in one window.  None is not known, and makes what needs it None."""

    earned_msat: int
    sourced_msat: int
    rebalance_cost_msat: int | None
    onchain_cost_msat: int | None
    discount_given_msat: int | None
    discount_borne_msat: int | None
    capital_msat: int | None
    """Our mean balance in it."""

    @property
    def net_msat(self) -> int | None:
        costs = (self.rebalance_cost_msat, self.onchain_cost_msat, self.discount_given_msat)
        known = [c for c in costs if c is not None]
        if len(known) < len(costs) or self.discount_borne_msat is None:
            return None
        return self.earned_msat + self.discount_borne_msat - sum(known)

    def return_on_capital(self, length_s: float) -> float | None:
        """Return net per year as a share of the capital; None without capital or with costs not known.

        1,000 sat in 30 days on 1,000,000 sat are 1.22 % a year.

        >>> p = Profit(earned_msat=1_000_000, sourced_msat=0, rebalance_cost_msat=0, onchain_cost_msat=0,
        ...     discount_given_msat=0, discount_borne_msat=0, capital_msat=1_000_000_000)
        >>> round(p.return_on_capital(30 * 86_400), 4)
        0.0122
        """
        net = self.net_msat
        if net is None or not self.capital_msat or length_s <= 0:
            return None
        return net / self.capital_msat * YEAR_S / length_s


def summed(profits: Iterable[Profit]) -> Profit:
    """Return the sum; a part that is not known of one is not known of all."""
    listed = list(profits)
    return Profit(
        earned_msat=sum(p.earned_msat for p in listed),
        sourced_msat=sum(p.sourced_msat for p in listed),
        rebalance_cost_msat=_sum(p.rebalance_cost_msat for p in listed),
        onchain_cost_msat=_sum(p.onchain_cost_msat for p in listed),
        discount_given_msat=_sum(p.discount_given_msat for p in listed),
        discount_borne_msat=_sum(p.discount_borne_msat for p in listed),
        capital_msat=_sum(p.capital_msat for p in listed),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total
