"""cost_recovery: the price at which the outflow of `recovery_days` earns back what the channel cost."""

from __future__ import annotations

import math

from lnflow.pricing.strategies.bounds import CEILING_PPM
from lnflow.pricing.strategies.charge_lnd import priced
from lnflow.pricing.strategies.terms import Case, NotEvaluable, Terms, known

WINDOW_S = 30 * 86_400
DEFAULT_RECOVERY_DAYS = 90.0
LEAST_DAYS, MOST_DAYS = 0.01, 36_500
LEAST_SHARE_PER_DAY = 0.01  # so that a channel nobody uses gets a price somebody could use


def cost_recovery(case: Case) -> Terms:
    properties = case.properties
    days = properties.number("recovery_days", DEFAULT_RECOVERY_DAYS)
    if not LEAST_DAYS <= days <= MOST_DAYS:
        raise properties.bad(f"recovery_days must be between {LEAST_DAYS} and {MOST_DAYS}", key="recovery_days")
    cost = known(case.channel.cost)
    flow = known(case.channel.flow(WINDOW_S))
    if flow.days <= 0:
        raise NotEvaluable("cost_recovery needs covered time in the last 30 days")
    capacity_msat = case.channel.capacity_sat * 1000
    per_day_msat = max(flow.out_msat / flow.days, LEAST_SHARE_PER_DAY * capacity_msat)
    lowest = properties.integer("min_fee_ppm") or 0
    highest = properties.integer("max_fee_ppm")
    fee_ppm = recovering_ppm(cost.total_msat, per_day_msat, days)
    bounded = max(lowest, min(fee_ppm, CEILING_PPM if highest is None else highest))
    reason = (
        f"cost_recovery: opening {cost.opening_msat // 1000} + rebalancing {cost.rebalance_msat // 1000} + "
        f"closing {cost.closing_msat // 1000} sat over {days:g} days at {per_day_msat / 1000:.0f} sat/day "
        f"= {fee_ppm} ppm" + ("" if bounded == fee_ppm else f", bounded to {bounded}")
    )
    return priced(case, reason, bounded)


def recovering_ppm(cost_msat: int, per_day_msat: float, days: float) -> int:
    """Return the price, rounded up.

    >>> recovering_ppm(10_000_000, per_day_msat=1_000_000_000, days=90)  # 10,000 sat, 1,000,000 sat a day
    112
    """
    return math.ceil(max(0, cost_msat) * 1_000_000 / (per_day_msat * days))
