"""Findings: the refused demands of one outgoing peer and one problem, valued.

Per peer first, since a node forwards non-strictly: a refusal says that no channel of that peer could.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from msgspec import Struct

from lnflow.analysis.chance import Ends, SettleChances
from lnflow.analysis.facts import ChannelFacts, DemandGroup, WindowFacts
from lnflow.analysis.month import per_month_msat
from lnflow.analysis.problems import PROBLEM_CONFIDENCE, SENDERS_FAULT, is_missed, problem_of
from lnflow.analysis.urgency import Urgency, urgency
from lnflow.analysis.valuation import OpenWishes, Value, value_findings
from lnflow.domain.causes import Cause, Problem

_EVIDENCE_HALF = 3  # so many distinct demands make half of the confidence that numbers can give

K = TypeVar("K", bound=Hashable)


class Finding(Struct, frozen=True, kw_only=True):
    """One peer × problem, made of its demand groups.  `channels` are the peer's.

    `unserved` are distinct wishes without a later success; `servable` those of them that could have paid.
    The `open_` figures are of the servable ones, once per wish.  `settled_msat` left by the peer's channels in
    the window: what a lower price would cost.
    """

    problem: Problem
    channels: tuple[ChannelFacts, ...]
    groups: tuple[DemandGroup, ...]
    attempts: int
    demands: int
    unserved: int
    servable: int
    open_msat: int
    open_fee_msat: int
    settled: int
    downstream: int
    settled_msat: int
    value: Value
    per_month_msat: int | None
    failure_rate: float
    urgency: Urgency
    confidence: float

    @property
    def settle_chance(self) -> float | None:
        """Expected value by open fee; None where nothing is open."""
        return self.value.expected_msat / self.open_fee_msat if self.open_fee_msat else None

    @property
    def attempted_msat(self) -> int:
        return sum(g.attempted_msat for g in self.groups)

    @property
    def offered_fee_msat(self) -> int:
        """Of every attempt: the naive figure."""
        return sum(g.offered_fee_msat for g in self.groups)

    @property
    def attempts_by_channel(self) -> dict[int, int]:
        """How often each channel was asked for."""
        return _attempts_by(self.groups, lambda g: g.channel_id)

    @property
    def attempts_by_cause(self) -> dict[Cause, int]:
        return _attempts_by(self.groups, lambda g: g.cause)

    @property
    def largest_msat(self) -> int | None:
        """No servable wish is larger (see `DemandGroup.largest_msat`)."""
        return max((g.largest_msat for g in self.groups if is_missed(g) and g.largest_msat), default=None)

    @property
    def without_amount(self) -> int:
        """Attempts of which the node gave no amounts."""
        return sum(g.attempts for g in self.groups if g.amount_class is None)


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
    peer_of: dict[int, Hashable] = {}
    for channel in facts.channels:
        peer = peer_of[channel.channel_id] = _peer(channel)
        peers.setdefault(peer, []).append(channel)

    grouped: dict[tuple[Hashable, Problem], list[DemandGroup]] = {}
    noise = 0
    for group in facts.demands:
        problem = problem_of(group, channels.get(group.channel_id))
        if problem is None:
            noise += group.attempts
        else:
            grouped.setdefault((peer_of.get(group.channel_id), problem), []).append(group)

    ends: dict[tuple[object, int | None], Ends] = {}
    volume: dict[Hashable, int] = {}
    for end in facts.ends:
        peer = peer_of.get(end.channel_id)
        settled, downstream = ends.get((peer, end.amount_class), (0, 0))
        ends[(peer, end.amount_class)] = (settled + end.settled, downstream + end.downstream)
    for flow in facts.flows:
        peer = peer_of.get(flow.channel_id)
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


def _peer(channel: ChannelFacts) -> Hashable:
    """Return what findings are grouped by: the peer, or the channel while its peer is not known."""
    return ("peer", channel.peer_id) if channel.peer_id is not None else ("channel", channel.channel_id)


def _attempts_by(groups: Iterable[DemandGroup], key: Callable[[DemandGroup], K]) -> dict[K, int]:
    sums: dict[K, int] = {}
    for g in groups:
        sums[key(g)] = sums.get(key(g), 0) + g.attempts
    return sums


def _finding(
    problem: Problem,
    groups: list[DemandGroup],
    channels: tuple[ChannelFacts, ...],
    ends: Ends,
    settled_msat: int,
    value: Value,
    facts: WindowFacts,
) -> Finding:
    attempts = demands = unserved = servable = open_msat = open_fee = 0
    for g in groups:
        attempts += g.attempts
        demands += g.demands
        unserved += g.demands - g.recovered
        if g.cause not in SENDERS_FAULT:
            servable += g.demands - g.recovered
            open_msat += g.open_msat
            open_fee += g.open_fee_msat
    settled, downstream = ends
    offered = settled + downstream
    rate = unserved / (unserved + offered) if unserved else 0.0
    return Finding(
        problem=problem,
        channels=channels,
        groups=tuple(groups),
        attempts=attempts,
        demands=demands,
        unserved=unserved,
        servable=servable,
        open_msat=open_msat,
        open_fee_msat=open_fee,
        settled=settled,
        downstream=downstream,
        settled_msat=settled_msat,
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
