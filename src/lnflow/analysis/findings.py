"""Findings: the refused demands of one outgoing peer and one problem, valued.

Per peer first, since a node forwards non-strictly: a refusal says that no channel of that peer could.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import log, sqrt
from typing import TypeVar

from msgspec import Struct

from lnflow.analysis.chance import Chance, Ends, SettleChances
from lnflow.analysis.facts import ChannelFacts, DemandGroup, WindowFacts, WishFacts
from lnflow.analysis.month import per_month_msat
from lnflow.analysis.problems import MODEL_DOUBT, PROBLEM_CONFIDENCE, UNCOVERED_DOUBT, is_missed, problem_of
from lnflow.analysis.urgency import Urgency, urgency
from lnflow.analysis.valuation import Circumstances, OpenWishes, Value, value_findings
from lnflow.domain.causes import Cause, Circumstance, Problem

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
    circumstances: Circumstances
    chances: tuple[Chance | None, ...]
    """Of each group that counts as missed."""
    per_month_msat: int | None
    failure_rate: float
    urgency: Urgency
    confidence: float

    @property
    def settle_chance(self) -> float | None:
        """Mean over the open fees; None where nothing is open."""
        if not self.open_fee_msat:
            return None
        pairs = zip(self.groups, self.chances, strict=True)
        return sum(g.open_fee_msat * c.mean for g, c in pairs if c is not None) / self.open_fee_msat

    def holds(self, wish: WishFacts) -> bool:
        """Return whether a wish is one of this finding's."""
        channel = next((c for c in self.channels if c.channel_id == wish.channel_id), None)
        return (channel is not None or not self.channels) and problem_of(wish, channel) is self.problem

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
    def flow_msat(self) -> int:
        """What would have left in the covered time, had all servable wishes been passed on."""
        pairs = zip(self.groups, self.chances, strict=True)
        return round(sum(g.open_msat * c.mean for g, c in pairs if c is not None) * self.circumstances.factor)

    @property
    def largest_likely_msat(self) -> int:
        """No servable wish that more likely settles than not is larger; 0 if there is none."""
        pairs = zip(self.groups, self.chances, strict=True)
        return max((g.largest_msat or 0 for g, c in pairs if c is not None and c.mean >= 0.5), default=0)

    @property
    def without_amount(self) -> int:
        """Attempts of which the node gave no amounts."""
        return sum(g.attempts for g in self.groups if g.amount_class is None)


class _Evidence(Struct, frozen=True, kw_only=True):
    """What is known of each peer besides its refusals."""

    chances: SettleChances
    passed_on: dict[Hashable, Ends]
    volume_msat: dict[Hashable, int]
    earned_msat: dict[Hashable, int]
    parts: dict[Hashable, float]
    """How large a whole is compared with what was shown first, of the wishes that we passed on at once."""

    def chance(self, peer: Hashable, group: DemandGroup) -> Chance:
        mean_msat = group.open_msat / group.unserved if group.unserved and group.open_msat else None
        return self.chances.of(peer, group.amount_class, mean_msat)


class Findings(Struct, frozen=True, kw_only=True):
    """All findings of a window, the most valuable first; `total` includes those below any threshold."""

    findings: tuple[Finding, ...]
    total: Value
    per_month_msat: int | None
    naive_msat: int
    average_chance: float
    """Of the whole node: wishes that settled, of those that we passed on."""
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

    evidence = _evidence(facts, peer_of)
    wishes = OpenWishes()
    chances: list[tuple[Chance | None, ...]] = []
    lacking: dict[Hashable, float] = {}
    for index, ((peer, problem), groups) in enumerate(grouped.items()):
        own = tuple(evidence.chance(peer, g) if g.open_fee_msat and is_missed(g) else None for g in groups)
        chances.append(own)
        for g, chance in zip(groups, own, strict=True):
            if chance is not None:
                wishes.add(index, g.open_fee_msat, g.open_fee_squares, chance)
                if problem is Problem.LIQUIDITY:  # the measure of how short of balance a peer is
                    lacking[peer] = lacking.get(peer, 0.0) + g.open_fee_msat * chance.mean
    circumstances = [
        _circumstances(peer, problem, groups, own, evidence, lacking.get(peer, 0.0), facts.scope.covered_share)
        for ((peer, problem), groups), own in zip(grouped.items(), chances, strict=True)
    ]
    node = evidence.chances
    values, total = value_findings(wishes, circumstances, node.settled, node.downstream)
    found = [
        _finding(
            problem,
            groups,
            tuple(peers.get(peer, ())),
            evidence.passed_on.get(peer, (0, 0)),
            evidence.volume_msat.get(peer, 0),
            value,
            circumstance,
            own_chances,
            facts,
        )
        for ((peer, problem), groups), value, circumstance, own_chances in zip(
            grouped.items(), values, circumstances, chances, strict=True
        )
    ]
    found.sort(key=lambda f: (-f.value.expected_msat, -f.urgency.total, -f.attempts, f.problem))
    return Findings(
        findings=tuple(found),
        total=total,
        per_month_msat=per_month_msat(
            total.expected_msat, facts.scope.coverage.covered_s, sum(f.servable for f in found)
        ),
        naive_msat=sum(r.offered_fee_msat for r in facts.refusals),
        average_chance=node.average,
        noise_attempts=noise,
    )


def _evidence(facts: WindowFacts, peer_of: Mapping[int, Hashable]) -> _Evidence:
    ends: dict[tuple[object, int | None], Ends] = {}
    passed_on: dict[Hashable, Ends] = {}
    arrived: dict[int, int] = {}
    whole: dict[Hashable, tuple[int, int]] = {}
    for end in facts.ends:
        peer = peer_of.get(end.channel_id)
        ends[(peer, end.amount_class)] = _added(ends.get((peer, end.amount_class)), end.settled, end.downstream)
        passed_on[peer] = _added(passed_on.get(peer), end.settled, end.downstream)
        whole[peer] = _added(whole.get(peer), end.amount_msat, end.part_msat)
        if end.amount_class is not None:
            arrived[end.amount_class] = arrived.get(end.amount_class, 0) + end.arrived_msat
    volume: dict[Hashable, int] = {}
    earned: dict[Hashable, int] = {}
    for flow in facts.flows:
        peer = peer_of.get(flow.channel_id)
        volume[peer] = volume.get(peer, 0) + flow.out_msat
        earned[peer] = earned.get(peer, 0) + flow.earned_msat
    return _Evidence(
        chances=SettleChances(ends, arrived),
        passed_on=passed_on,
        volume_msat=volume,
        earned_msat=earned,
        parts={peer: amount / part for peer, (amount, part) in whole.items() if part},
    )


def _added(pair: tuple[int, int] | None, one: int, other: int) -> tuple[int, int]:
    return (one, other) if pair is None else (pair[0] + one, pair[1] + other)


def _circumstances(
    peer: Hashable,
    problem: Problem,
    groups: Sequence[DemandGroup],
    chances: Sequence[Chance | None],
    evidence: _Evidence,
    lacking_msat: float,
    covered_share: float,
) -> Circumstances:
    """Return what scales all wishes of a finding: parts that were never shown, balance that would have lacked."""
    open_msat = shown = 0
    for g, chance in zip(groups, chances, strict=True):
        if chance is not None:
            open_msat += g.open_msat
            shown += g.open_msat if g.open_part_msat is None else g.open_part_msat
    unseen = max(1.0, evidence.parts.get(peer, 1.0) * shown / open_msat) if open_msat else 1.0
    lasting = 1.0
    if problem is not Problem.LIQUIDITY and lacking_msat:
        lasting = evidence.earned_msat.get(peer, 0) / (evidence.earned_msat.get(peer, 0) + lacking_msat)
    if problem is Problem.SIZE and open_msat:
        volume = evidence.volume_msat.get(peer, 0)
        lasting *= volume / (volume + open_msat) if volume else 1.0
    # what was added for parts that nobody saw is in doubt by half of it
    doubt = sqrt(MODEL_DOUBT[problem] ** 2 + (UNCOVERED_DOUBT * (1 - covered_share)) ** 2 + (0.5 * log(unseen)) ** 2)
    return Circumstances(unseen=unseen, lasting=lasting, doubt=doubt)


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
    circumstances: Circumstances,
    chances: tuple[Chance | None, ...],
    facts: WindowFacts,
) -> Finding:
    attempts = demands = unserved = servable = open_msat = open_fee = 0
    for g in groups:
        attempts += g.attempts
        if g.circumstance is Circumstance.PROBE:
            continue
        demands += g.demands
        unserved += g.demands - g.recovered
        if is_missed(g):
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
        circumstances=circumstances,
        chances=chances,
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
