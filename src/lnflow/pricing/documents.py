"""What the policy commands print: `policy apply|test-channel|check|status|rollback --json` (docs/reference)."""

from __future__ import annotations

from msgspec import Struct

from lnflow.advice.documents import Document, NodeDocument
from lnflow.pricing.changes import PolicyValues
from lnflow.pricing.decision import Action, Decision
from lnflow.pricing.explain import Explanation
from lnflow.pricing.problems import Problem, Severity


class ProblemDocument(Document, frozen=True, kw_only=True):
    severity: str
    file: str
    line: int | None
    section: str | None
    text: str
    remedy: str | None


class DecisionDocument(Document, frozen=True, kw_only=True):
    channel_point: str
    scid: str
    peer_pubkey: str
    policy: str | None
    strategy: str | None
    action: str
    old: PolicyValues | None
    new: PolicyValues | None
    status_change: str | None
    reason: str
    error: str | None


class CallsDocument(Document, frozen=True, kw_only=True):
    """Changing calls that were made."""

    update_channel_policy: int = 0
    update_chan_status: int = 0


class ApplyDocument(Document, frozen=True, kw_only=True):
    dry_run: bool
    config: str
    node: NodeDocument
    channels: list[DecisionDocument]
    calls: CallsDocument
    errors: list[ProblemDocument]


class StepDocument(Document, frozen=True, kw_only=True):
    key: str
    wanted: str
    found: str
    state: str
    line: int | None


class RuleDocument(Document, frozen=True, kw_only=True):
    section: str
    line: int | None
    final: bool
    state: str
    criteria: list[StepDocument]


class OverlayDocument(Document, frozen=True, kw_only=True):
    key: str
    value: str | None
    before: str | None
    section: str
    line: int | None


class GuardDocument(Document, frozen=True, kw_only=True):
    guard: str
    text: str
    refuses: bool


class TestChannelDocument(ApplyDocument, frozen=True, kw_only=True):
    """`apply`'s document for one channel, with the way to its decision."""

    __test__ = False  # pytest collects classes of this name

    rules: list[RuleDocument]
    overlay: list[OverlayDocument]
    guards: list[GuardDocument]


class MatchedRule(Document, frozen=True, kw_only=True):
    section: str
    line: int | None
    strategy: str | None
    channels: list[str] | None


class CheckDocument(Document, frozen=True, kw_only=True):
    """`channels` is null without `--node`."""

    config: str
    ok: bool
    dialect: str
    compat: str
    errors: list[ProblemDocument]
    rules: list[MatchedRule]
    channels: list[DecisionDocument] | None


class ChangeDocument(Document, frozen=True, kw_only=True):
    """One recorded change.  `would_revert` and `reason` are the judgement of now, null where there is none."""

    at: str
    channel_point: str
    scid: str
    kind: str
    rule: str | None
    strategy: str | None
    old: PolicyValues | None
    new: PolicyValues | None
    result: str | None
    error: str | None
    why: str
    revenue_before: float | None
    revenue_after: float | None
    would_revert: bool | None
    reason: str | None


class StatusRule(Document, frozen=True, kw_only=True):
    section: str
    line: int | None
    channels: int | None
    last_change: str | None


class DaemonDocument(Document, frozen=True, kw_only=True):
    """The daemon that is alive.  `acts`: it writes to the node."""

    acts: bool
    interval_s: float


class StatusDocument(Document, frozen=True, kw_only=True):
    """`next_run` and `daemon` are null while no daemon runs."""

    config: str | None
    rules: list[StatusRule]
    changes: list[ChangeDocument]
    next_run: str | None
    daemon: DaemonDocument | None


class RollbackDocument(Document, frozen=True, kw_only=True):
    dry_run: bool
    changes: list[ChangeDocument]
    calls: CallsDocument


class WriteResult(Struct, frozen=True, kw_only=True):
    """How the write of one decision ended; `error` None: written and seen at the node."""

    error: str | None = None
    verified: bool = True


def problem_document(problem: Problem) -> ProblemDocument:
    return ProblemDocument(
        severity=problem.severity.value,
        file=problem.file,
        line=problem.line,
        section=problem.section,
        text=problem.text,
        remedy=problem.remedy,
    )


def decision_document(decision: Decision, written: WriteResult | None = None) -> DecisionDocument:
    """Return one channel's entry; a write that failed is an error, whatever was decided."""
    failed = None if written is None else written.error
    return DecisionDocument(
        channel_point=decision.channel_point,
        scid=decision.scid_text,
        peer_pubkey=decision.peer_pubkey,
        policy=decision.policy,
        strategy=decision.strategy,
        action=Action.ERROR.value if failed else decision.action.value,
        old=decision.old,
        new=decision.new,
        status_change=None if decision.status_change is None else decision.status_change.value,
        reason=decision.reason,
        error=failed or (decision.reason if decision.action is Action.ERROR else None),
    )


def errors_of(problems: list[Problem], decisions: list[Decision]) -> list[ProblemDocument]:
    """Return what is wrong in the file, whether or not a channel met it, each once."""
    wrong = [p for p in problems if p.severity is Severity.ERROR]
    wrong += [d.problem for d in decisions if d.problem is not None]
    return [problem_document(p) for p in dict.fromkeys(wrong)]


def way_of(explanation: Explanation) -> tuple[list[RuleDocument], list[OverlayDocument], list[GuardDocument]]:
    """Return rules, overlay and guards of an explanation."""
    rules = [
        RuleDocument(
            section=rule.name,
            line=rule.line,
            final=rule.final,
            state=rule.state.value,
            criteria=[
                StepDocument(key=s.key, wanted=s.wanted, found=s.found, state=s.state.value, line=s.line)
                for s in rule.steps
            ],
        )
        for rule in explanation.rules
    ]
    overlay = [
        OverlayDocument(key=o.key, value=o.value, before=o.before, section=o.section, line=o.line)
        for o in explanation.overlay
    ]
    guards = [
        GuardDocument(guard=note.guard.value, text=note.text, refuses=note.refuses)
        for note in explanation.guarded.notes
    ]
    return rules, overlay, guards
