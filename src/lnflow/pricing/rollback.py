"""Did a price change hurt?  Revenue per covered bucket before and after, with the rest of the node as control.

A change is taken back when all of this holds:

1. the channel's policy at the node is still the one we wrote (otherwise somebody changed it: we yield);
2. there are at least `LEAST_BUCKETS` buckets of `BUCKET_S` before and after in which we were listening and the
   channel could route, and at least `LEAST_FORWARDS` forwards before;
3. revenue per bucket fell by the rule's threshold or more, after the fall of the rest of the node is taken out;
4. a one-sided Mann-Whitney test of the buckets, before (lowered by the fall of the rest) against after, gives
   p below `SIGNIFICANT`, or below `SIGNIFICANT_ALONE` where the rest of the node is too quiet to be a control.

The limits are strict because the question is asked again and again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from lnflow.pricing.changes import PolicyValues
from lnflow.pricing.decision import RollbackTerms
from lnflow.pricing.facts import Unknown

BUCKET_S = 6 * 3600
LEAST_BUCKETS = 8  # two covered days
MOST_BUCKETS = 56  # fourteen covered days; later a change has proven itself
LEAST_FORWARDS = 10
SIGNIFICANT = 0.01
SIGNIFICANT_ALONE = 0.001


class Bucket(Struct, frozen=True, kw_only=True, gc=False):
    """Six covered hours: what the channel earned, and what all channels with other peers earned."""

    earned_msat: int
    forwards: int
    rest_earned_msat: int
    rest_forwards: int


class Trial(Struct, frozen=True, kw_only=True):
    """A change that we made, and what came of it.  `present` is the node's policy now."""

    channel_point: str
    rule: str
    old: PolicyValues
    new: PolicyValues
    terms: RollbackTerms
    present: PolicyValues | Unknown
    superseded: bool = False
    """We changed the channel again ourselves."""
    before: tuple[Bucket, ...] = ()
    after: tuple[Bucket, ...] = ()


class Outcome(Enum):
    KEEP = "keep"
    """The change has proven itself, or its rule does not roll back."""
    WAIT = "wait"
    """Not enough evidence yet, or none of harm."""
    REVERT = "revert"
    YIELD = "yield"
    """Somebody else changed the channel since: it is theirs now."""


class Judgement(Struct, frozen=True, kw_only=True):
    """`revert_to` is set for `REVERT` only.  Rates are msat per bucket; None without evidence."""

    outcome: Outcome
    reason: str
    before_msat: float | None = None
    after_msat: float | None = None
    drop: float | None = None
    p_value: float | None = None
    revert_to: PolicyValues | None = None


def judge(trial: Trial) -> Judgement:
    """Return what to do about one change.  A pure function: the same figures give the same answer."""
    if not trial.terms.enabled:
        return Judgement(outcome=Outcome.KEEP, reason="enable_auto_rollback is off for this rule")
    if trial.new == trial.old:
        return Judgement(outcome=Outcome.KEEP, reason="no price was changed")
    if trial.superseded:
        return Judgement(outcome=Outcome.KEEP, reason="a later change of ours replaced it")
    if isinstance(trial.present, Unknown):
        reason = f"the present policy is not known: {trial.present.reason}"
        return Judgement(outcome=Outcome.WAIT, reason=reason)
    if trial.present != trial.new:
        return Judgement(outcome=Outcome.YIELD, reason="the policy was changed since by somebody else")
    missing = _missing_evidence(trial)
    if missing is not None:
        return Judgement(outcome=Outcome.WAIT, reason=missing)
    return _compare(trial)


def _missing_evidence(trial: Trial) -> str | None:
    for name, buckets in (("before", trial.before), ("after", trial.after)):
        if len(buckets) < LEAST_BUCKETS:
            return (
                f"{len(buckets)} covered buckets of 6 h {name} the change in which the channel could route, "
                f"{LEAST_BUCKETS} are needed"
            )
    forwards = sum(bucket.forwards for bucket in trial.before)
    if forwards < LEAST_FORWARDS:
        return f"{forwards} forwards before the change, {LEAST_FORWARDS} are needed"
    return None


def _compare(trial: Trial) -> Judgement:
    before = [bucket.earned_msat for bucket in trial.before]
    after = [bucket.earned_msat for bucket in trial.after]
    rest = rest_ratio(trial.before, trial.after)
    excused = 1.0 if rest is None else min(1.0, rest)
    expected = _mean(before) * excused
    drop = 1 - _mean(after) / expected if expected > 0 else 0.0
    p_value = less_after(before=[value * excused for value in before], after=after)
    significant = SIGNIFICANT if rest is not None else SIGNIFICANT_ALONE
    control = "the rest of the node is too quiet to compare" if rest is None else f"the rest made × {rest:.2f}"
    told = (
        f"{_mean(before) / 1000:.1f} → {_mean(after) / 1000:.1f} sat per 6 h, {control}: "
        f"{drop:.0%} less than expected, p = {p_value:.4f}"
    )
    hurt = drop >= trial.terms.threshold and p_value < significant
    if hurt:
        outcome, reason = Outcome.REVERT, f"{told}; the rule's threshold is {trial.terms.threshold:.0%}"
    elif len(after) >= MOST_BUCKETS:
        outcome, reason = Outcome.KEEP, f"{told}; no harm shown in 14 covered days"
    else:
        outcome, reason = Outcome.WAIT, f"{told}; no harm shown so far"
    return Judgement(
        outcome=outcome,
        reason=reason,
        before_msat=_mean(before),
        after_msat=_mean(after),
        drop=drop,
        p_value=p_value,
        revert_to=trial.old if hurt else None,
    )


def rest_ratio(before: Sequence[Bucket], after: Sequence[Bucket]) -> float | None:
    """Return how the revenue of the rest changed; None if it had too few forwards to say."""
    if sum(bucket.rest_forwards for bucket in before) < LEAST_FORWARDS:
        return None
    earned = _mean([bucket.rest_earned_msat for bucket in before])
    return _mean([bucket.rest_earned_msat for bucket in after]) / earned if earned else None


def less_after(*, before: Sequence[float], after: Sequence[float]) -> float:
    """Return the one-sided p of a Mann-Whitney test that `after` is lower (normal, corrected for ties).

    >>> round(less_after(before=[5, 6, 7, 8], after=[1, 2, 3, 4]), 4)
    0.0152
    >>> less_after(before=[0, 0, 0], after=[0, 0, 0])
    1.0
    """
    m, n = len(before), len(after)
    total = m + n
    ranks = _ranks([*before, *after])
    u = sum(ranks[:m]) - m * (m + 1) / 2
    ties = sum(count**3 - count for count in _tie_sizes([*before, *after]))
    variance = m * n / 12 * ((total + 1) - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = (u - m * n / 2 - 0.5) / math.sqrt(variance)
    return 0.5 * math.erfc(z / math.sqrt(2))


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 1, equal ones sharing their mean rank."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for position in order[start:end]:
            ranks[position] = (start + 1 + end) / 2
        start = end
    return ranks


def _tie_sizes(values: Sequence[float]) -> list[int]:
    sizes: dict[float, int] = {}
    for value in values:
        sizes[value] = sizes.get(value, 0) + 1
    return list(sizes.values())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
