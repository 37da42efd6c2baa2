"""What a little more outbound balance would bring: the gain of adding N sat once, within a month.

Balance that serves a payment is gone: N sat carry N sat of wishes, and no wish larger than what is then there.
"""

from __future__ import annotations

from msgspec import Struct

from lnflow.analysis.findings import Finding
from lnflow.domain.causes import Problem
from lnflow.domain.time import MONTH_S

STEPS_SAT = (1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000)
_ALWAYS = 3  # so many steps are shown even where the first is enough


class Gain(Struct, frozen=True, kw_only=True, gc=False):
    added_msat: int
    gain_msat: int
    """Within a month, of `added_msat` added once."""
    low_msat: int
    high_msat: int


def gain_of(finding: Finding, added_msat: int, covered_s: float) -> float:
    """Return the msat that adding `added_msat` of balance once would earn within a month.

    Of the wishes no larger than that and what the peer's fullest channel holds, worth E and moving F a month: E
    while F is less, else the part that the added balance can carry, E x added / F.
    """
    flow_msat = value_msat = 0.0
    reach_msat = added_msat + max((c.local_msat or 0 for c in finding.channels if not c.closed), default=0)
    scale = finding.circumstances.factor * MONTH_S / covered_s
    for group, chance in zip(finding.groups, finding.chances, strict=True):
        # what came in parts at once needs room for a part only
        shown_msat = group.open_msat if group.open_part_msat is None else group.open_part_msat
        if chance is not None and group.unserved and shown_msat <= reach_msat * group.unserved:
            flow_msat += group.open_msat * chance.mean * scale
            value_msat += group.open_fee_msat * chance.mean * scale
    return value_msat * min(1.0, added_msat / flow_msat) if flow_msat else 0.0


def gain_curve(finding: Finding, covered_s: float) -> list[Gain]:
    """Return the gain of growing additions, up to the first that serves everything; empty without a rate.

    Only missing balance has one, and only where there is enough evidence for a figure per month.
    """
    if finding.problem is not Problem.LIQUIDITY or finding.per_month_msat is None or not finding.value.expected_msat:
        return []
    low = finding.value.low_msat / finding.value.expected_msat
    high = finding.value.high_msat / finding.value.expected_msat
    curve: list[Gain] = []
    most = 0.0
    for number, step_sat in enumerate(STEPS_SAT, start=1):
        # a size that pays little must not make more balance look worse than less
        most = max(most, gain_of(finding, step_sat * 1000, covered_s))
        curve.append(
            Gain(
                added_msat=step_sat * 1000,
                gain_msat=round(most),
                low_msat=int(most * low),
                high_msat=round(most * high),
            )
        )
        if number >= _ALWAYS and most >= 0.99 * finding.per_month_msat:
            break
    return curve
