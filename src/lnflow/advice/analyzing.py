"""The `analyze` document: facts → findings → ranked opportunities, totals, notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from lnflow.advice.documents import (
    AnalyzeDocument,
    AttemptsDocument,
    CauseDocument,
    DownstreamDocument,
    MarginalGain,
    NodeDocument,
    Opportunity,
    OpportunityChannel,
    ProblemName,
    Recommendation,
    SettledDocument,
    TotalsDocument,
    UrgencyParts,
    WindowDocument,
)
from lnflow.advice.notes import notes_of
from lnflow.advice.recommend import Case, case_of, idle_sources, recommend
from lnflow.advice.verdict import judge
from lnflow.analysis.columns import rounded
from lnflow.analysis.facts import NodeFacts, RefusalTotal, Window, WindowFacts
from lnflow.analysis.finding import Finding
from lnflow.analysis.findings import Findings, find
from lnflow.analysis.marginal import NO_CURVE, Curve, Gains
from lnflow.domain.causes import Cause, Problem
from lnflow.domain.scid import scid_text
from lnflow.domain.time import iso_utc

View = Literal["liquidity", "fee", "capacity"]

VIEWS: dict[View, frozenset[Problem]] = {
    "liquidity": frozenset({Problem.LIQUIDITY}),
    "fee": frozenset({Problem.FEE, Problem.STALE_FEE}),
    "capacity": frozenset({Problem.SIZE, Problem.SLOTS}),
}

PROBLEM_NAMES: dict[Problem, ProblemName] = {
    Problem.LIQUIDITY: "liquidity",
    Problem.OFFLINE: "offline",
    Problem.SIZE: "size",
    Problem.FEE: "fee",
    Problem.STALE_FEE: "stale_fee",
    Problem.SLOTS: "slots",
    Problem.UNATTRIBUTED: "unattributed",
    Problem.OTHER: "other",
}


class Selection(Struct, frozen=True, kw_only=True):
    """What is worth showing: refused attempts, expected missed sat, a view, how many."""

    min_failures: int = 3
    min_missed_sat: int = 100
    view: View | None = None
    top: int | None = None

    def matters(self, finding: Finding) -> bool:
        return finding.attempts >= self.min_failures and finding.expected_msat >= self.min_missed_sat * 1000

    def choose(self, findings: Sequence[Finding]) -> list[Finding]:
        chosen = [f for f in findings if self.view is None or f.problem in VIEWS[self.view]]
        return chosen[: self.top]


def analyze(facts: WindowFacts, selection: Selection) -> AnalyzeDocument:
    """Return the document; totals include what the selection hides."""
    found = find(facts)
    material = [f for f in found.findings if selection.matters(f)]
    ends = facts.outcomes
    refused = sum(r.attempts for r in facts.refusals)
    return AnalyzeDocument(
        node=node_document(facts.scope.node),
        window=window_document(facts.scope.window),
        collecting_since=None if facts.scope.coverage.first_ns is None else iso_utc(facts.scope.coverage.first_ns),
        covered_s=round(facts.scope.coverage.covered_s),
        coverage=facts.scope.covered_share,
        settled=SettledDocument(
            forwards=facts.settled.forwards,
            amount_out_msat=facts.settled.amount_out_msat,
            income_msat=facts.settled.income_msat,
        ),
        attempts=AttemptsDocument(
            total=ends.settled + ends.failed_here + ends.failed_downstream + ends.pending,
            settled=ends.settled,
            failed_here=ends.failed_here,
            failed_downstream=ends.failed_downstream,
            pending=ends.pending,
        ),
        failures=[
            CauseDocument(
                cause=r.cause.text,
                attempts=r.attempts,
                attempted_msat=r.attempted_msat,
                offered_fee_msat=r.offered_fee_msat,
                share=round(r.attempts / refused, 4),
                confidence=_confidence(r, facts.scope.node),
            )
            for r in sorted(facts.refusals, key=lambda r: (-r.attempts, r.cause))
        ],
        downstream=DownstreamDocument(
            attempts=facts.downstream.attempts,
            attempted_msat=facts.downstream.attempted_msat,
            offered_fee_msat=facts.downstream.offered_fee_msat,
        ),
        totals=_totals(found),
        opportunities=opportunities_of(facts, found, selection.choose(material)),
        verdict=None if material else judge(facts, found),
        notes=notes_of(facts, found),
    )


def _confidence(refused: RefusalTotal, node: NodeFacts) -> float | None:
    if node.implementation == "lnd":
        return 1.0
    if refused.cause is Cause.UNATTRIBUTED:
        return 0.0
    return None if refused.confidence is None else round(refused.confidence, 3)


def node_document(node: NodeFacts) -> NodeDocument:
    return NodeDocument(
        name=node.name,
        pubkey=node.pubkey,
        alias=node.alias,
        implementation=node.implementation,
        network=node.network,
    )


def window_document(window: Window) -> WindowDocument:
    return WindowDocument(since=iso_utc(window.since_ns), until=iso_utc(window.until_ns))


def _totals(found: Findings) -> TotalsDocument:
    return TotalsDocument(
        naive_missed_msat=found.naive_msat,
        expected_missed_msat=found.total.expected_msat,
        low_msat=found.total.low_msat,
        high_msat=found.total.high_msat,
        per_month_msat=found.per_month_msat,
    )


def opportunities_of(
    facts: WindowFacts, found: Findings, findings: Sequence[Finding], first_rank: int = 1
) -> list[Opportunity]:
    """Return some findings with what to do about them and what that would bring."""
    covered_s = facts.scope.coverage.covered_s
    sources = idle_sources(facts.channels)
    cases = [case_of(finding) for finding in findings]
    brings = _brings(found, cases, covered_s) if covered_s else {}
    opportunities = []
    for rank, (case, figures) in enumerate(zip(cases, _rounded(findings), strict=True), first_rank):
        gain_msat, curve = brings.get(case.finding.place, (None, NO_CURVE))
        recommendation = recommend(case, sources, gain_msat, covered_s)
        opportunities.append(_opportunity(rank, case, figures, recommendation, curve))
    return opportunities


_Figures = tuple[float, float, float, float, float, float]


def _rounded(findings: Sequence[Finding]) -> Iterator[_Figures]:
    """Return of each finding its chance (0: none), failure rate, urgency and its three parts, as they are shown."""
    columns = (
        (4, [f.settle_chance or 0.0 for f in findings]),
        (4, [f.failure_rate for f in findings]),
        (1, [f.urgency for f in findings]),
        (1, [f.revenue for f in findings]),
        (1, [f.frequency for f in findings]),
        (1, [f.rate for f in findings]),
    )
    return zip(*(rounded(np.array(column, float), digits) for digits, column in columns), strict=True)


def _brings(found: Findings, cases: Sequence[Case], covered_s: float) -> dict[int, tuple[float, Curve]]:
    """Return, by the places of findings that lack balance, what its amount would earn, and what others would."""
    short = [case for case in cases if case.finding.problem is Problem.LIQUIDITY]
    gains = Gains(found.refusals, [case.finding for case in short], covered_s)
    added_msat = np.array([(case.amount_sat or 0) * 1000 for case in short], np.int64)
    places = (case.finding.place for case in short)
    return dict(zip(places, zip(gains.of(added_msat).tolist(), gains.curves(), strict=True), strict=True))


def _opportunity(rank: int, case: Case, figures: _Figures, recommendation: Recommendation, curve: Curve) -> Opportunity:
    finding = case.finding
    some = finding.channels[0] if finding.channels else None
    asked_for = finding.attempts_by_channel
    chance, failure_rate, urgency, revenue, frequency, rate = figures
    return Opportunity(
        rank=rank,
        peer_pubkey=some.peer_pubkey if some is not None else None,
        peer_alias=some.peer_alias if some is not None else None,
        channels=[
            OpportunityChannel(
                None if c.scid is None else scid_text(c.scid),
                c.channel_point,
                c.capacity_sat,
                None if c.local_msat is None else c.local_msat // 1000,
                asked_for.get(c.channel_id, 0),
            )
            for c in finding.channels
            if not c.closed or c.channel_id in asked_for
        ],
        cause=PROBLEM_NAMES[finding.problem],
        confidence=finding.confidence,
        attempts=finding.attempts,
        attempted_msat=finding.attempted_msat,
        demands=finding.demands,
        servable_demands=finding.servable,
        offered_fee_msat=finding.offered_fee_msat,
        settle_chance=None if finding.settle_chance is None else chance,
        expected_missed_msat=finding.expected_msat,
        low_msat=finding.low_msat,
        high_msat=finding.high_msat,
        per_month_msat=finding.per_month_msat,
        failure_rate=failure_rate,
        urgency=urgency,
        urgency_parts=UrgencyParts(revenue, frequency, rate),
        current_outbound_fee_ppm=case.outbound_ppm,
        marginal_gain=list(map(MarginalGain, *curve)),
        recommendation=recommendation,
    )
