"""flow_based: dearer the sooner the channel runs empty, cheaper while it fills or nothing leaves by it."""

from __future__ import annotations

from lnflow.pricing.facts import Flow
from lnflow.pricing.strategies.bounds import Span, span
from lnflow.pricing.strategies.charge_lnd import priced
from lnflow.pricing.strategies.terms import Case, NotEvaluable, Terms, known

WINDOW_S = 7 * 86_400
LEAST_DAYS = 1.0  # a price must not follow a few hours
HORIZON_DAYS = 3.0  # a channel that would be empty in 3 days is half way to the highest price
IDLE_SHARE_PER_DAY = 0.01  # 1 % of the capacity leaving per day is half idle
ROUTABLE_SHARE = 0.1  # below 10 % of the capacity, nothing moving may be for want of balance


def flow_based(case: Case) -> Terms:
    between = span(case)
    flow = known(case.channel.flow(WINDOW_S))
    if flow.days < LEAST_DAYS:
        raise NotEvaluable(f"flow_based needs a covered day of the last 7, there are {flow.days:.1f}")
    channel = case.channel
    fee_ppm = price_for(between, flow, channel.local_msat, channel.remote_msat, channel.capacity_sat * 1000)
    net_sat = round((flow.out_msat - flow.in_msat) / flow.days / 1000)
    reason = (
        f"flow_based: net outflow {net_sat} sat/day, {channel.local_msat // 1000} sat left, "
        f"{hours_to_empty(flow, channel.local_msat)}; between {between.lowest}, {between.middle} "
        f"and {between.highest} = {fee_ppm} ppm"
    )
    return priced(case, reason, fee_ppm)


def price_for(between: Span, flow: Flow, local_msat: int, remote_msat: int, capacity_msat: int) -> int:
    """Return the price; it never falls when more leaves, and never rises when more comes in.

    drain = n·T ÷ (n·T + local), fill = −n·T ÷ (−n·T + remote), with n the net outflow a day and T = 3 days;
    idle = 1 ÷ (1 + out a day ÷ 1 % of capacity), less where there is hardly anything to send.

    >>> between = Span(lowest=50, middle=100, highest=400)
    >>> drained = Flow(out_msat=7_000_000_000, days=7)  # 1,000,000 sat a day
    >>> price_for(between, drained, 3_000_000_000, 2_000_000_000, 5_000_000_000)
    248
    """
    net_msat = (flow.out_msat - flow.in_msat) / flow.days
    drain = _pressure(net_msat, local_msat)
    fill = _pressure(-net_msat, remote_msat)
    out_share = flow.out_msat / flow.days / capacity_msat
    routable = min(1.0, local_msat / (ROUTABLE_SHARE * capacity_msat))
    idle = routable / (1 + out_share / IDLE_SHARE_PER_DAY)
    cheaper = 1 - (1 - idle) * (1 - fill)
    return round(between.up(drain) + between.down(cheaper) - between.middle)


def hours_to_empty(flow: Flow, local_msat: int) -> str:
    net_msat = (flow.out_msat - flow.in_msat) / flow.days
    return f"empty in {local_msat / net_msat * 24:.0f} h" if net_msat > 0 else "not draining"


def _pressure(per_day_msat: float, left_msat: int) -> float:
    """Return 0 for no flow this way, ½ if what is left lasts 3 days, towards 1 as it lasts shorter."""
    if per_day_msat <= 0:
        return 0.0
    ahead = per_day_msat * HORIZON_DAYS
    return ahead / (ahead + left_msat)
