"""One finding: the refused demands of one outgoing peer and one problem, with all its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from lnflow.analysis.chance import UNKNOWN
from lnflow.analysis.columns import rounded
from lnflow.analysis.evidence import Evidence
from lnflow.analysis.facts import Scope, WishFacts
from lnflow.analysis.month import per_month_msat
from lnflow.analysis.peers import Peers
from lnflow.analysis.problems import PROBLEM_CONFIDENCE, problem_of, standing_of
from lnflow.analysis.refusals import Refusals
from lnflow.analysis.urgency import Urgencies, urgencies
from lnflow.analysis.valuation import Circumstances, Values
from lnflow.domain.causes import Circumstance, Problem
from lnflow.domain.channel import ChannelFacts

_PROBLEMS = {int(problem): problem for problem in Problem}
_CONFIDENCE = np.array([0.0, *(PROBLEM_CONFIDENCE[problem] for problem in Problem)])
_EVIDENCE_HALF = 3  # so many distinct demands make half of the confidence that numbers can give


class Finding(Struct, frozen=True, gc=False):
    """One peer × problem, made of its demand groups.  `channels` are the peer's.

    `unserved` are distinct wishes without a later success; `servable` those of them that could have paid.
    The `open_` figures are of the servable ones, once per wish.  `settled_msat` left by the peer's channels in
    the window: what a lower price would cost.
    """

    place: int
    """Its number among the refusals of the window."""
    problem: Problem
    channels: tuple[ChannelFacts, ...]
    attempts: int
    attempted_msat: int
    offered_fee_msat: int
    """Of every attempt: the naive figure."""
    attempts_by_channel: dict[int, int]
    """How often each channel was asked for."""
    attempts_by_cause: dict[int, int]
    """By the number of the cause."""
    without_amount: int
    """Attempts of which the node gave no amounts."""
    demands: int
    unserved: int
    servable: int
    open_msat: int
    open_fee_msat: int
    largest_msat: int | None
    """No servable wish is larger (see `Refusals.largest_msat`)."""
    largest_likely_msat: int
    """No servable wish that more likely settles than not is larger; 0 if there is none."""
    flow_msat: int
    """What would have left in the covered time, had all servable wishes been passed on."""
    settle_chance: float | None
    """Mean over the open fees; None where nothing is open."""
    settled: int
    downstream: int
    settled_msat: int
    expected_msat: int
    """Its value; `low_msat` and `high_msat` bound the middle 80 %."""
    low_msat: int
    high_msat: int
    per_month_msat: int | None
    failure_rate: float
    confidence: float

    def holds(self, wish: WishFacts) -> bool:
        """Return whether a wish is one of this finding's."""
        channel = next((c for c in self.channels if c.channel_id == wish.channel_id), None)
        problem = problem_of(wish.cause, wish.circumstance, wish.oversize, standing_of(channel))
        return (channel is not None or not self.channels) and problem is self.problem


def make_findings(
    refusals: Refusals, peers: Peers, evidence: Evidence, circumstances: Circumstances, values: Values, scope: Scope
) -> tuple[list[Finding], Urgencies]:
    """Return the findings that the refusals make, the most valuable first, and their urgencies, by place like all."""
    numbers = _numbers(refusals, evidence, circumstances)
    unserved = numbers["unserved"]
    urgency = urgencies(values.expected_msat / 1000, unserved, numbers["failure_rate"])
    order = np.lexsort((refusals.problem, -numbers["attempts"], -urgency.total, -values.expected_msat))
    places: list[int] = order.tolist()
    numbers |= structs.asdict(values)
    columns: dict[str, Sequence[Any]] = {name: column.take(order).tolist() for name, column in numbers.items()}
    columns["settle_chance"] = [
        chance if fee_msat else None
        for chance, fee_msat in zip(columns["settle_chance"], columns["open_fee_msat"], strict=True)
    ]
    columns["largest_msat"] = [largest or None for largest in columns["largest_msat"]]
    columns["place"] = places
    columns["problem"] = [_PROBLEMS[number] for number in refusals.problem[order].tolist()]
    columns["channels"] = [peers.channels[number] for number in refusals.peer[order].tolist()]
    for name, keys in (
        ("attempts_by_channel", refusals.groups.channel_id),
        ("attempts_by_cause", refusals.groups.cause),
    ):
        tallies = refusals.bins.tallies(keys, refusals.groups.attempts)
        columns[name] = [tallies[place] for place in places]
    covered_s, certainty = scope.coverage.covered_s, 0.5 + 0.5 * scope.covered_share
    columns["per_month_msat"] = [
        per_month_msat(expected_msat, covered_s, servable)
        for expected_msat, servable in zip(columns["expected_msat"], columns["servable"], strict=True)
    ]
    confidence = _CONFIDENCE[refusals.problem] * unserved / (unserved + _EVIDENCE_HALF) * certainty
    columns["confidence"] = rounded(confidence[order], 3)
    return list(map(Finding, *(columns[name] for name in Finding.__struct_fields__))), urgency


def _numbers(refusals: Refusals, evidence: Evidence, circumstances: Circumstances) -> dict[str, NDArray[Any]]:
    """Return the columns that are sums over the groups of a finding, or follow from such."""
    groups, bins, missed = refusals.groups, refusals.bins, refusals.missed
    mean = refusals.chances.mean * refusals.valued
    largest_msat = refusals.largest_msat
    counted = groups.circumstance != Circumstance.PROBE
    unserved = bins.total(groups.unserved * counted)
    settled, downstream = evidence.settled[refusals.peer], evidence.downstream[refusals.peer]
    open_fee_msat = bins.total(groups.open_fee_msat * missed)
    flow_msat = bins.sum(groups.open_msat * mean) * circumstances.factor
    expected_fee = bins.sum(groups.open_fee_msat * mean)
    return {
        "attempts": bins.total(groups.attempts),
        "attempted_msat": bins.total(groups.attempted_msat),
        "offered_fee_msat": bins.total(groups.offered_fee_msat),
        "without_amount": bins.total(groups.attempts * (groups.amount_class == UNKNOWN)),
        "demands": bins.total(groups.demands * counted),
        "unserved": unserved,
        "servable": bins.total(groups.unserved * missed),
        "open_msat": bins.total(groups.open_msat * missed),
        "open_fee_msat": open_fee_msat,
        "largest_msat": bins.largest(largest_msat * missed),
        "largest_likely_msat": bins.largest(largest_msat * (mean >= 0.5)),
        "flow_msat": np.rint(flow_msat).astype(int),
        "settle_chance": expected_fee / np.maximum(open_fee_msat, 1),
        "settled": settled,
        "downstream": downstream,
        "settled_msat": evidence.volume_msat[refusals.peer],
        "failure_rate": unserved / np.maximum(unserved + settled + downstream, 1),
    }
