"""What an empty list of opportunities means, from the evidence."""

from __future__ import annotations

from lnflow.advice.documents import Verdict
from lnflow.advice.wording import duration, sats
from lnflow.analysis.facts import WindowFacts
from lnflow.analysis.findings import Findings
from lnflow.analysis.month import MIN_COVERED_S

MIN_ATTEMPTS_A_DAY = 10


def judge(facts: WindowFacts, found: Findings) -> Verdict:
    """Return whether the node was watched too briefly, has too little traffic, or is well served."""
    covered_h = facts.scope.coverage.covered_s / 3600
    ends = facts.outcomes
    total = ends.settled + ends.failed_here + ends.failed_downstream + ends.pending
    evidence = [
        f"watched for {duration(facts.scope.coverage.covered_s)} of {duration(facts.scope.window.length_s)}",
        f"{total} attempts: {ends.settled} settled, {ends.failed_here} refused here, "
        f"{ends.failed_downstream} failed downstream",
        f"expected missed revenue, all findings: {sats(found.total.expected_msat)} sat",
    ]
    if facts.scope.coverage.covered_s < MIN_COVERED_S:
        return Verdict(
            code="watched_briefly",
            text=f"The node was watched too briefly to tell: {duration(facts.scope.coverage.covered_s)}, at least "
            f"{MIN_COVERED_S // 3600} h are needed. Keep 'lnflow monitor' running.",
            evidence=evidence,
        )
    a_day = total * 24 / covered_h
    if a_day < MIN_ATTEMPTS_A_DAY:
        return Verdict(
            code="little_traffic",
            text=f"Too little asks to pass the node: {a_day:.1f} attempts a day. It lacks demand, not liquidity.",
            evidence=evidence,
        )
    return Verdict(
        code="well_served",
        text="The node serves nearly all that it is asked for: nothing above the thresholds was missed.",
        evidence=evidence,
    )
