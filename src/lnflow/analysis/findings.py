"""Findings: the refused demands of one outgoing peer and one problem, valued.

Per peer first, since a node forwards non-strictly: a refusal says that no channel of that peer could.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from lnflow.analysis.evidence import Evidence, gather
from lnflow.analysis.facts import WindowFacts
from lnflow.analysis.finding import Finding, make_findings
from lnflow.analysis.month import per_month_msat
from lnflow.analysis.peers import Peers
from lnflow.analysis.problems import MODEL_DOUBT, UNCOVERED_DOUBT
from lnflow.analysis.refusals import Refusals, sort_refusals
from lnflow.analysis.urgency import Urgencies
from lnflow.analysis.valuation import Circumstances, OpenWishes, Value, value_findings
from lnflow.domain.causes import Problem

_MODEL_DOUBT = np.array([0.0, *(MODEL_DOUBT[problem] for problem in Problem)])


class Findings(Struct, frozen=True, kw_only=True):
    """All findings of a window, the most valuable first; `total` includes those below any threshold."""

    findings: tuple[Finding, ...]
    refusals: Refusals
    """What they are made of, by their places; `circumstances` and `urgency` too."""
    circumstances: Circumstances
    urgency: Urgencies
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
    circumstances = _circumstances(refusals, evidence, facts.scope.covered_share)
    valued = np.flatnonzero(refusals.valued)
    values, total = value_findings(
        OpenWishes(
            finding=refusals.bins.of_row[valued],
            fee_msat=refusals.groups.open_fee_msat[valued],
            fee_squares=refusals.groups.open_fee_squares[valued],
            chances=refusals.chances.taken(valued),
        ),
        circumstances,
        evidence.chances.settled,
        evidence.chances.downstream,
    )
    found, urgency = make_findings(refusals, peers, evidence, circumstances, values, facts.scope)
    return Findings(
        findings=tuple(found),
        refusals=refusals,
        circumstances=circumstances,
        urgency=urgency,
        total=total,
        per_month_msat=per_month_msat(
            total.expected_msat, facts.scope.coverage.covered_s, sum(f.servable for f in found)
        ),
        naive_msat=sum(r.offered_fee_msat for r in facts.refusals),
        average_chance=evidence.chances.average,
        noise_attempts=refusals.noise_attempts,
    )


def _circumstances(refusals: Refusals, evidence: Evidence, covered_share: float) -> Circumstances:
    """Tell of each finding which parts were never shown, and what balance would have lacked."""
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
    return Circumstances(unseen=unseen, lasting=lasting, doubt=doubt)
