"""Findings: the refused demands of one outgoing peer and one problem, valued.

Per peer first, since a node forwards non-strictly: a refusal says that no channel of that peer could.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from lnflow.analysis.chance import UNKNOWN
from lnflow.analysis.columns import Floats
from lnflow.analysis.evidence import Evidence, gather
from lnflow.analysis.facts import ChannelFacts, Scope, WindowFacts, WishFacts
from lnflow.analysis.month import per_month_msat
from lnflow.analysis.peers import Peers
from lnflow.analysis.problems import (
    MODEL_DOUBT,
    PROBLEM_CONFIDENCE,
    UNCOVERED_DOUBT,
    problem_of,
    standing_of,
)
from lnflow.analysis.refusals import Refusals, sort_refusals
from lnflow.analysis.urgency import Urgency, urgency
from lnflow.analysis.valuation import Circumstances, OpenWishes, Value, value_findings
from lnflow.domain.causes import Circumstance, Problem

_EVIDENCE_HALF = 3  # so many distinct demands make half of the confidence that numbers can give
_MODEL_DOUBT = np.array([0.0, *(MODEL_DOUBT[problem] for problem in Problem)])


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
    value: Value
    circumstances: Circumstances
    per_month_msat: int | None
    failure_rate: float
    urgency: Urgency
    confidence: float

    def holds(self, wish: WishFacts) -> bool:
        """Return whether a wish is one of this finding's."""
        channel = next((c for c in self.channels if c.channel_id == wish.channel_id), None)
        problem = problem_of(wish.cause, wish.circumstance, wish.oversize, standing_of(channel))
        return (channel is not None or not self.channels) and problem is self.problem


class Findings(Struct, frozen=True, kw_only=True):
    """All findings of a window, the most valuable first; `total` includes those below any threshold."""

    findings: tuple[Finding, ...]
    refusals: Refusals
    """What they are made of, by their places."""
    total: Value
    per_month_msat: int | None
    naive_msat: int
    average_chance: float
    """Of the whole node: wishes that settled, of those that we passed on."""
    noise_attempts: int
    """Refusals for channels that are not ours, or no longer: nobody's opportunity."""


def find(facts: WindowFacts) -> Findings:
    """Group, value and rank what was refused in the window."""
    peers = Peers(facts.channels)
    evidence = gather(facts, peers)
    refusals = sort_refusals(facts.demands, peers, evidence.chances)
    unseen, lasting, doubt = _circumstances(refusals, evidence, facts.scope.covered_share)
    valued = np.flatnonzero(refusals.valued)
    values, total = value_findings(
        OpenWishes(
            finding=refusals.bins.of_row[valued],
            fee_msat=refusals.groups.open_fee_msat[valued],
            fee_squares=refusals.groups.open_fee_squares[valued],
            chances=refusals.chances.taken(valued),
        ),
        unseen * lasting,
        doubt,
        evidence.chances.settled,
        evidence.chances.downstream,
    )
    circumstances = [
        Circumstances(unseen=u, lasting=p, doubt=d)
        for u, p, d in zip(unseen.tolist(), lasting.tolist(), doubt.tolist(), strict=True)
    ]
    found = _findings(refusals, peers, evidence, circumstances, values, facts.scope)
    found.sort(key=lambda f: (-f.value.expected_msat, -f.urgency.total, -f.attempts, f.problem))
    return Findings(
        findings=tuple(found),
        refusals=refusals,
        total=total,
        per_month_msat=per_month_msat(
            total.expected_msat, facts.scope.coverage.covered_s, sum(f.servable for f in found)
        ),
        naive_msat=sum(r.offered_fee_msat for r in facts.refusals),
        average_chance=evidence.chances.average,
        noise_attempts=refusals.noise_attempts,
    )


def _circumstances(refusals: Refusals, evidence: Evidence, covered_share: float) -> tuple[Floats, Floats, Floats]:
    """Return `unseen`, `lasting` and `doubt` of each finding: parts never shown, balance that would have lacked."""
    groups, bins, peer = refusals.groups, refusals.bins, refusals.peer
    open_msat = bins.total(groups.open_msat * refusals.valued)
    shown_msat = bins.total(groups.open_part_msat * refusals.valued)
    unseen = np.ones(len(refusals))
    np.divide(evidence.parts[peer] * shown_msat, open_msat, out=unseen, where=open_msat > 0)
    unseen = np.maximum(unseen, 1.0)

    is_liquidity, is_size = (refusals.problem == p for p in (Problem.LIQUIDITY, Problem.SIZE))
    expected = bins.sum(groups.open_fee_msat * refusals.valued * refusals.chances.mean)
    lacking = np.zeros(len(evidence.parts))  # the measure of how short of balance a peer is
    lacking[peer[is_liquidity]] = expected[is_liquidity]
    earned, volume = evidence.earned_msat[peer], evidence.volume_msat[peer]
    lasting = np.ones(len(refusals))
    np.divide(earned, earned + lacking[peer], out=lasting, where=~is_liquidity & (lacking[peer] > 0))
    holds = np.divide(volume, volume + open_msat, out=np.ones(len(refusals)), where=volume > 0)
    lasting = np.where(is_size & (open_msat > 0), lasting * holds, lasting)

    # what was added for parts that nobody saw is in doubt by half of it
    uncovered = UNCOVERED_DOUBT * (1 - covered_share)
    doubt = np.sqrt(_MODEL_DOUBT[refusals.problem] ** 2 + uncovered**2 + (0.5 * np.log(unseen)) ** 2)
    return unseen, lasting, doubt


def _findings(
    refusals: Refusals,
    peers: Peers,
    evidence: Evidence,
    circumstances: Sequence[Circumstances],
    values: Sequence[Value],
    scope: Scope,
) -> list[Finding]:
    groups, bins, missed = refusals.groups, refusals.bins, refusals.missed
    mean = refusals.chances.mean * refusals.valued
    largest_msat = refusals.largest_msat
    counted = groups.circumstance != Circumstance.PROBE
    unserved = bins.total(groups.unserved * counted)
    settled, downstream = evidence.settled[refusals.peer], evidence.downstream[refusals.peer]
    open_fee_msat = bins.total(groups.open_fee_msat * missed)
    flow_msat = bins.sum(groups.open_msat * mean) * [c.factor for c in circumstances]
    expected_fee = bins.sum(groups.open_fee_msat * mean)
    rate = unserved / np.maximum(unserved + settled + downstream, 1)
    numbers = {
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
        "failure_rate": rate,
    }
    columns: dict[str, Sequence[Any]] = {name: column.tolist() for name, column in numbers.items()}
    columns["settle_chance"] = [
        chance if fee_msat else None
        for chance, fee_msat in zip(columns["settle_chance"], columns["open_fee_msat"], strict=True)
    ]
    columns["largest_msat"] = [largest or None for largest in columns["largest_msat"]]
    columns["place"] = range(len(refusals))
    columns["problem"] = [Problem(number) for number in refusals.problem.tolist()]
    columns["channels"] = [peers.channels[number] for number in refusals.peer.tolist()]
    columns["attempts_by_channel"] = bins.tallies(groups.channel_id, groups.attempts)
    columns["attempts_by_cause"] = bins.tallies(groups.cause, groups.attempts)
    columns["value"], columns["circumstances"] = values, circumstances
    covered_s, certainty = scope.coverage.covered_s, 0.5 + 0.5 * scope.covered_share
    expected_msat = [value.expected_msat for value in values]
    columns["per_month_msat"] = [
        per_month_msat(msat, covered_s, servable)
        for msat, servable in zip(expected_msat, columns["servable"], strict=True)
    ]
    columns["urgency"] = [
        urgency(missed_sat=msat / 1000, failures=failures, failure_rate=rate)
        for msat, failures, rate in zip(expected_msat, columns["unserved"], columns["failure_rate"], strict=True)
    ]
    columns["confidence"] = [
        round(PROBLEM_CONFIDENCE[problem] * demands / (demands + _EVIDENCE_HALF) * certainty, 3)
        for problem, demands in zip(columns["problem"], columns["unserved"], strict=True)
    ]
    return list(map(Finding, *(columns[name] for name in Finding.__struct_fields__)))
