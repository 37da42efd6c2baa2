"""The `analyze` document: facts → findings → ranked opportunities, totals, notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, Literal

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
from lnflow.analysis.marginal import Gains
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
    gains, curves = _brings(found, cases, covered_s) if covered_s else ({}, {})
    some = [f.channels[0] if f.channels else None for f in findings]
    figures = _rounded(found, findings)
    columns: dict[str, Iterable[Any]] = {name: map(attrgetter(name), findings) for name in _AS_THEY_ARE}
    columns |= {
        "rank": range(first_rank, first_rank + len(findings)),
        "peer_pubkey": [None if c is None else c.peer_pubkey for c in some],
        "peer_alias": [None if c is None else c.peer_alias for c in some],
        "channels": map(_channels, findings),
        "cause": [PROBLEM_NAMES[f.problem] for f in findings],
        "servable_demands": [f.servable for f in findings],
        "settle_chance": [
            None if f.settle_chance is None else chance
            for f, chance in zip(findings, figures["settle_chance"], strict=True)
        ],
        "expected_missed_msat": [f.expected_msat for f in findings],
        "failure_rate": figures["failure_rate"],
        "urgency": figures["total"],
        "urgency_parts": map(UrgencyParts, figures["revenue"], figures["frequency"], figures["rate"]),
        "current_outbound_fee_ppm": [case.outbound_ppm for case in cases],
        "marginal_gain": [curves.get(f.place, []) for f in findings],
        "recommendation": [recommend(case, sources, gains.get(case.finding.place), covered_s) for case in cases],
    }
    return list(map(Opportunity, *(columns[name] for name in Opportunity.__struct_fields__)))


_AS_THEY_ARE = (
    "confidence", "attempts", "attempted_msat", "demands", "offered_fee_msat", "low_msat", "high_msat",
    "per_month_msat",
)  # fmt: skip
"""Figures that a finding and its opportunity have in common."""


def _rounded(found: Findings, findings: Sequence[Finding]) -> dict[str, list[float]]:
    """Return of all findings some figures as they are shown, 0 for a chance that is not known."""
    places = np.array([f.place for f in findings], np.int64)
    parts = ("total", "revenue", "frequency", "rate")
    return {
        "settle_chance": rounded(np.array([f.settle_chance or 0.0 for f in findings], float), 4),
        "failure_rate": rounded(np.array([f.failure_rate for f in findings], float), 4),
        **{part: rounded(getattr(found.urgency, part)[places], 1) for part in parts},
    }


def _brings(
    found: Findings, cases: Sequence[Case], covered_s: float
) -> tuple[dict[int, float], dict[int, list[MarginalGain]]]:
    """Return, by the places of findings that lack balance, what its amount would earn, and what others would."""
    short = [case for case in cases if case.finding.problem is Problem.LIQUIDITY]
    gains = Gains(found, [case.finding for case in short], covered_s)
    added_msat = np.array([(case.amount_sat or 0) * 1000 for case in short], np.int64)
    places = [case.finding.place for case in short]
    curves = gains.curves()
    steps = map(MarginalGain, curves.added_sat, curves.gain_msat, curves.low_msat, curves.high_msat)
    return (
        dict(zip(places, gains.of(added_msat).tolist(), strict=True)),
        {place: list(islice(steps, count)) for place, count in zip(places, curves.steps, strict=True)},
    )


def _channels(finding: Finding) -> list[OpportunityChannel]:
    asked_for = finding.attempts_by_channel
    return [
        OpportunityChannel(
            None if c.scid is None else scid_text(c.scid),
            c.channel_point,
            c.capacity_sat,
            None if c.local_msat is None else c.local_msat // 1000,
            asked_for.get(c.channel_id, 0),
        )
        for c in finding.channels
        if not c.closed or c.channel_id in asked_for
    ]
