"""Findings: the refused demands of one outgoing peer and one problem, valued.

Per peer first, since a node forwards non-strictly: a refusal says that no channel of that peer could.
"""

from __future__ import annotations

from collections.abc import Hashable

from msgspec import Struct

from lnflow.analysis.chance import Ends, SettleChances
from lnflow.analysis.facts import ChannelFacts, DemandGroup, WindowFacts
from lnflow.analysis.month import per_month_msat
from lnflow.analysis.problems import PROBLEM_CONFIDENCE, is_missed, problem_of
from lnflow.analysis.urgency import Urgency, urgency
from lnflow.analysis.valuation import OpenWishes, Value, value_findings
from lnflow.domain.causes import Cause, Problem

_EVIDENCE_HALF = 3  # so many distinct demands make half of the confidence that numbers can give


class Finding(Struct, frozen=True, kw_only=True):
    """One peer × problem.  `channels` are the peer's, `attempts_by_channel` says where it was asked for.

    `unserved` are distinct wishes without a later success; `servable` those of them that could have paid.
    The `open_` figures are of the servable ones, once per wish.
    """

    problem: Problem
    channels: tuple[ChannelFacts, ...]
    attempts_by_channel: dict[int, int]
    attempts_by_cause: dict[Cause, int]
    attempts: int
    attempted_msat: int
    offered_fee_msat: int
    demands: int
    unserved: int
    servable: int
    open_msat: int
    open_fee_msat: int
    largest_msat: int | None
    without_amount: int
    settled: int
    downstream: int
    settled_msat: int
    """Left by the peer's channels in the window: what a lower price would cost."""
    settle_chance: float | None
    value: Value
    per_month_msat: int | None
    failure_rate: float
    urgency: Urgency
    confidence: float


class Findings(Struct, frozen=True, kw_only=True):
    """All findings of a window, the most valuable first; `total` includes those below any threshold."""

    findings: tuple[Finding, ...]
    total: Value
    per_month_msat: int | None
    naive_msat: int
    noise_attempts: int
    """Refusals for channels that are not ours, or no longer: nobody's opportunity."""


def find(facts: WindowFacts) -> Findings:
    """Group, value and rank what was refused in the window."""
    channels = {c.channel_id: c for c in facts.channels}
    peers: dict[Hashable, list[ChannelFacts]] = {}
    for channel in facts.channels:
        peers.setdefault(_peer(channel), []).append(channel)

    grouped: dict[tuple[Hashable, Problem], list[DemandGroup]] = {}
    noise = 0
    for group in facts.demands:
        asked_for = channels.get(group.channel_id)
        problem = problem_of(group, asked_for)
        if problem is None:
            noise += group.attempts
        else:
            grouped.setdefault((_peer(asked_for), problem), []).append(group)

    ends: dict[tuple[object, int | None], Ends] = {}
    volume: dict[Hashable, int] = {}
    for end in facts.ends:
        peer = _peer(channels.get(end.channel_id))
        settled, downstream = ends.get((peer, end.amount_class), (0, 0))
        ends[(peer, end.amount_class)] = (settled + end.settled, downstream + end.downstream)
    for flow in facts.flows:
        peer = _peer(channels.get(flow.channel_id))
        volume[peer] = volume.get(peer, 0) + flow.out_msat
    chances = SettleChances(ends)

    wishes = OpenWishes()
    for index, ((peer, _), groups) in enumerate(grouped.items()):
        for g in groups:
            if g.open_fee_msat and is_missed(g):
                wishes.add(index, g.open_fee_msat, g.open_fee_squares, chances.of(peer, g.amount_class))
    values, total = value_findings(wishes, len(grouped), chances.settled, chances.downstream)
    passed_on: dict[object, Ends] = {}
    for (peer, _), (settled, downstream) in ends.items():
        s, d = passed_on.get(peer, (0, 0))
        passed_on[peer] = (s + settled, d + downstream)

    found = [
        _finding(
            problem,
            groups,
            tuple(peers.get(peer, ())),
            passed_on.get(peer, (0, 0)),
            volume.get(peer, 0),
            value,
            facts,
        )
        for ((peer, problem), groups), value in zip(grouped.items(), values, strict=True)
    ]
    found.sort(key=lambda f: (-f.value.expected_msat, -f.urgency.total, -f.attempts, f.problem))
    return Findings(
        findings=tuple(found),
        total=total,
        per_month_msat=per_month_msat(
            total.expected_msat, facts.scope.coverage.covered_s, sum(f.servable for f in found)
        ),
        naive_msat=sum(r.offered_fee_msat for r in facts.refusals),
        noise_attempts=noise,
    )


def _peer(channel: ChannelFacts | None) -> Hashable:
    """Return what findings are grouped by: the peer, or the channel while its peer is not known."""
    if channel is None:
        return None
    return ("peer", channel.peer_id) if channel.peer_id is not None else ("channel", channel.channel_id)


def _finding(
    problem: Problem,
    groups: list[DemandGroup],
    channels: tuple[ChannelFacts, ...],
    ends: Ends,
    settled_msat: int,
    value: Value,
    facts: WindowFacts,
) -> Finding:
    by_channel: dict[int, int] = {}
    by_cause: dict[Cause, int] = {}
    attempts = attempted_msat = offered_fee_msat = demands = unserved = without_amount = 0
    servable = open_msat = open_fee = 0
    largest: int | None = None
    for g in groups:
        by_channel[g.channel_id] = by_channel.get(g.channel_id, 0) + g.attempts
        by_cause[g.cause] = by_cause.get(g.cause, 0) + g.attempts
        attempts += g.attempts
        attempted_msat += g.attempted_msat
        offered_fee_msat += g.offered_fee_msat
        demands += g.demands
        unserved += g.unserved
        if g.amount_class is None:
            without_amount += g.attempts
        if is_missed(g):
            servable += g.unserved
            open_msat += g.open_msat
            open_fee += g.open_fee_msat
            largest = max(largest or 0, g.largest_msat or 0) or None
    settled, downstream = ends
    offered = settled + downstream
    rate = unserved / (unserved + offered) if unserved else 0.0
    return Finding(
        problem=problem,
        channels=channels,
        attempts_by_channel=by_channel,
        attempts_by_cause=by_cause,
        attempts=attempts,
        attempted_msat=attempted_msat,
        offered_fee_msat=offered_fee_msat,
        demands=demands,
        unserved=unserved,
        servable=servable,
        open_msat=open_msat,
        open_fee_msat=open_fee,
        largest_msat=largest,
        without_amount=without_amount,
        settled=settled,
        downstream=downstream,
        settled_msat=settled_msat,
        settle_chance=value.expected_msat / open_fee if open_fee else None,
        value=value,
        per_month_msat=per_month_msat(value.expected_msat, facts.scope.coverage.covered_s, servable),
        failure_rate=rate,
        urgency=urgency(missed_sat=value.expected_msat / 1000, failures=unserved, failure_rate=rate),
        confidence=round(
            PROBLEM_CONFIDENCE[problem]
            * unserved
            / (unserved + _EVIDENCE_HALF)
            * (0.5 + 0.5 * facts.scope.covered_share),
            3,
        ),
    )
