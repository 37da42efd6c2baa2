"""What a change brought: a peer's income per day before and after it, against comparable peers.

Difference in differences, in proportion: what the peer would have earned without the change is what it earned
before, times what became of the income of the comparable peers in the same days:

    gain = after - before * (their after / their before)

A price or a limit goes on earning: its gain a day counts for 30 days.  Balance that was added once is used up: of
it only the days that have passed count.  The 80 % range follows from how much the peer's days differ and how
differently the comparable peers fared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

MIN_DAYS = 3
MIN_PEERS = 2
MAX_PEERS = 10
MONTH_DAYS = 30
FINAL_DAYS = 28  # four whole weeks: what was added once has then earned its month

# Student's t at 90 % by degrees of freedom, each good up to the next: 80 % lie between -t and t.
_T90 = ((2, 1.886), (3, 1.638), (4, 1.533), (5, 1.476), (6, 1.440), (8, 1.397), (10, 1.372), (15, 1.341), (25, 1.316))


class DailyIncome(Struct, frozen=True, gc=False):
    """What one peer earned, msat per covered day, before and after the change."""

    before: Sequence[int]
    after: Sequence[int]

    @property
    def before_mean(self) -> float:
        return sum(self.before) / len(self.before)

    @property
    def after_mean(self) -> float:
        return sum(self.after) / len(self.after)


class Effect(Struct, frozen=True, kw_only=True, gc=False):
    """Msat within 30 days of the change."""

    gain_per_month_msat: int
    low_msat: int
    high_msat: int
    final: bool = True
    """False while what was added may go on earning."""


def measure(changed: DailyIncome, others: Sequence[DailyIncome], *, once: bool = False) -> Effect | str:
    """Return the effect, or in words why there is none yet.  `others` are all peers that were left alone.

    `once`: what was added is used up, so no day counts that has not passed.

    Before 1,000 a day and after 3,000, others 2,000 and 2,400: 3,000 - 1,000 x 1.2 = 1,800 a day.

    >>> flat = DailyIncome([1000] * 3, [3000] * 3)
    >>> measure(flat, [DailyIncome([2000] * 3, [2400] * 3)] * 2).gain_per_month_msat
    54000
    """
    days = min(len(changed.before), len(changed.after))
    if days < MIN_DAYS:
        return (
            f"{MIN_DAYS} covered days before and after are needed; there are {len(changed.before)} and "
            f"{len(changed.after)}"
        )
    alike = comparable(changed, others)
    if len(alike) < MIN_PEERS:
        return f"{MIN_PEERS} comparable peers are needed; there are {len(alike)}"
    weight = sum(o.before_mean for o in alike)
    ratio = sum(o.after_mean for o in alike) / weight
    spread = sum(o.before_mean * (o.after_mean / o.before_mean - ratio) ** 2 for o in alike) / weight
    spread *= len(alike) / (len(alike) - 1)
    before, after = changed.before_mean, changed.after_mean
    gain = after - before * ratio
    variance = (
        _variance_of_mean(changed.after)
        + ratio**2 * _variance_of_mean(changed.before)
        + before**2 * spread * (1 + 1 / len(alike))
    )
    margin = _t90(days - 1) * math.sqrt(variance)
    earning_days = len(changed.after) if once else MONTH_DAYS
    return Effect(
        gain_per_month_msat=round(gain * earning_days),
        low_msat=round((gain - margin) * earning_days),
        high_msat=round((gain + margin) * earning_days),
        final=not once or earning_days >= FINAL_DAYS,
    )


def comparable(changed: DailyIncome, others: Sequence[DailyIncome]) -> list[DailyIncome]:
    """Return the peers to compare with: those that earned on at least half of the days before, nearest in size."""
    steady = [o for o in others if sum(1 for day in o.before if day > 0) * 2 >= len(o.before) > 0 and o.after]
    size = math.log(max(changed.before_mean, 1.0))
    return sorted(steady, key=lambda o: abs(math.log(o.before_mean) - size))[:MAX_PEERS]


def _variance_of_mean(days: Sequence[int]) -> float:
    mean = sum(days) / len(days)
    return sum((day - mean) ** 2 for day in days) / (len(days) - 1) / len(days)


def _t90(freedom: int) -> float:
    return next(t for least, t in reversed(_T90) if freedom >= least)
