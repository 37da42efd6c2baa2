"""revenue_max: the price that earned most per covered day, with shrinkage, and careful trials beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from lnflow.pricing.facts import PriceLevel
from lnflow.pricing.strategies.bounds import Span, span
from lnflow.pricing.strategies.charge_lnd import priced
from lnflow.pricing.strategies.terms import Case, Terms, known

LEAST_DAYS = 3.0  # below that there is no evidence, and the price is fee_ppm
PRIOR_DAYS = 3.0  # each price starts with 3 days at the channel's own average
HOLD_DAYS = 2.0  # a price is tried for two covered days before it is judged
STEP = 1.15  # neighbours are 15 % apart
BUCKET = math.log(1.10)  # prices within 10 % of each other are one level
EAGERNESS = 0.5  # how many standard errors an untried price is given the benefit of


class Level(Struct, frozen=True, kw_only=True):
    """Prices within 10 % of each other, taken together."""

    fee_ppm: int
    days: float
    forwards: int
    earned_msat: int


def revenue_max(case: Case) -> Terms:
    between = span(case)
    levels = pool(known(case.channel.price_levels))
    days = sum(level.days for level in levels)
    forwards = sum(level.forwards for level in levels)
    if days < LEAST_DAYS or forwards == 0:
        reason = f"revenue_max: {days:.1f} days, {forwards} forwards are no evidence, so {between.middle} ppm"
        return priced(case, reason, between.middle)
    learning = case.properties.flag("learning_enabled", default=True)
    held = known(case.channel.days_at_price)
    present = case.ours.fee_ppm
    if learning and held < HOLD_DAYS and between.lowest <= present <= between.highest:
        reason = f"revenue_max: {present} ppm is on trial since {held:.1f} of {HOLD_DAYS:.0f} covered days"
        return priced(case, reason, present)
    best = best_level(levels, between)
    if not learning:
        return priced(case, f"revenue_max: {_told(best, levels)}", best.fee_ppm)
    choice = trial(best, levels, between)
    verb = "keeps" if choice == best.fee_ppm else f"tries {choice} ppm beside"
    return priced(case, f"revenue_max: {verb} {_told(best, levels)}", choice)


def pool(levels: Sequence[PriceLevel]) -> list[Level]:
    """Return the levels with near prices joined, cheapest first; a level's price is its days' average."""
    buckets: dict[int, list[PriceLevel]] = {}
    for level in levels:
        if level.days > 0:
            buckets.setdefault(_bucket(level.fee_ppm), []).append(level)
    pooled = []
    for _, members in sorted(buckets.items()):
        days = sum(m.days for m in members)
        pooled.append(
            Level(
                fee_ppm=round(sum(m.fee_ppm * m.days for m in members) / days),
                days=days,
                forwards=sum(m.forwards for m in members),
                earned_msat=sum(m.earned_msat for m in members),
            )
        )
    return pooled


def expected_per_day(level: Level | None, levels: Sequence[Level]) -> float:
    """Return msat a day, shrunk towards the channel's average by `PRIOR_DAYS`; None: a price never tried.

    >>> a = Level(fee_ppm=100, days=3, forwards=30, earned_msat=9000)
    >>> b = Level(fee_ppm=200, days=3, forwards=30, earned_msat=15000)
    >>> expected_per_day(a, [a, b]), expected_per_day(b, [a, b]), expected_per_day(None, [a, b])
    (3500.0, 4500.0, 4000.0)
    """
    average = sum(m.earned_msat for m in levels) / sum(m.days for m in levels)
    if level is None:
        return average
    return (level.earned_msat + PRIOR_DAYS * average) / (level.days + PRIOR_DAYS)


def best_level(levels: Sequence[Level], between: Span) -> Level:
    """Return the level with the best expected revenue within the bounds; of equal ones the cheapest.

    A price that was tried for less than two covered days is not judged; without any it is the middle.
    """
    allowed = [m for m in levels if m.days >= HOLD_DAYS and between.lowest <= m.fee_ppm <= between.highest]
    if not allowed:
        return Level(fee_ppm=between.middle, days=0.0, forwards=0, earned_msat=0)
    return max(allowed, key=lambda level: (expected_per_day(level, levels), -level.fee_ppm))


def trial(best: Level, levels: Sequence[Level], between: Span) -> int:
    """Return the best price or a neighbour of it that might be better, by its optimistic revenue.

    The optimism of a price is half a standard error of its daily revenue (forwards taken as Poisson), so it
    fades with the days it was tried: trials become rare, and never cease.
    """
    forwards = sum(m.forwards for m in levels)
    days = sum(m.days for m in levels)
    fee_msat = sum(m.earned_msat for m in levels) / forwards
    daily_error = math.sqrt(forwards / days) * fee_msat

    def optimistic(price: int) -> float:
        level = next((m for m in levels if _bucket(m.fee_ppm) == _bucket(price)), None)
        tried = 0.0 if level is None else level.days
        return expected_per_day(level, levels) + EAGERNESS * daily_error / math.sqrt(tried + PRIOR_DAYS)

    near = {best.fee_ppm, math.floor(best.fee_ppm / STEP), math.ceil(best.fee_ppm * STEP)}
    prices = sorted({min(max(price, between.lowest), between.highest) for price in near})
    return max(prices, key=lambda price: (optimistic(price), price == best.fee_ppm))


def _bucket(fee_ppm: int) -> int:
    return round(math.log(fee_ppm + 1) / BUCKET)


def _told(best: Level, levels: Sequence[Level]) -> str:
    per_day_sat = expected_per_day(best, levels) / 1000
    return (
        f"{best.fee_ppm} ppm: {per_day_sat:.1f} sat/day expected from {best.forwards} forwards in "
        f"{best.days:.1f} days, best of {len(levels)} prices"
    )
