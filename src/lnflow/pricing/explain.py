"""Why does this channel cost what it costs: every rule with every criterion, the overlay, the guards."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from lnflow.pricing.decision import decide
from lnflow.pricing.dialect.policy_file import PolicyFile
from lnflow.pricing.facts import ChannelFacts, NodeFacts
from lnflow.pricing.guards import ChannelHistory, Guarded, Pipeline, guard
from lnflow.pricing.matching.rules import Rule, StepReport, explain_steps


class RuleState(Enum):
    MATCHES = "matches"
    DOES_NOT_MATCH = "does not match"
    NOT_EVALUABLE = "cannot be evaluated"
    NOT_REACHED = "not reached"
    DISABLED = "disabled"


class RuleReport(Struct, frozen=True, kw_only=True):
    """How one rule came out; all its criteria are shown, also after the first that fails."""

    name: str
    line: int | None
    final: bool
    state: RuleState
    steps: tuple[StepReport, ...]


class OverlayStep(Struct, frozen=True, kw_only=True):
    """A key that a matching rule set, over what an earlier one had set."""

    key: str
    value: str | None
    before: str | None
    section: str
    line: int | None


class Explanation(Struct, frozen=True, kw_only=True):
    """Rules in the order they are asked, the overlay in the order it grew, and the decision after the guards."""

    rules: tuple[RuleReport, ...]
    overlay: tuple[OverlayStep, ...]
    guarded: Guarded


def explain(
    file: PolicyFile, channel: ChannelFacts, node: NodeFacts, history: ChannelHistory, pipeline: Pipeline
) -> Explanation:
    """Return the whole way to the decision; the decision is `decide`'s own, not a second opinion."""
    reports: list[RuleReport] = []
    overlay: dict[str, OverlayStep] = {}
    steps: list[OverlayStep] = []
    ended = False
    for rule in file.rules:
        state = RuleState.NOT_REACHED if ended else _state(rule, channel, node)
        reports.append(_report(rule, state, channel, node))
        if state is RuleState.MATCHES:
            steps += _overlay(rule, overlay)
            ended = rule.final or rule.broken is not None
        ended = ended or state is RuleState.NOT_EVALUABLE
    if file.default is not None:
        state = RuleState.NOT_REACHED if ended else RuleState.MATCHES
        reports.append(_report(file.default, state, channel, node))
        if not ended:
            steps += _overlay(file.default, overlay)
    reports += [_report(rule, RuleState.DISABLED, channel, node) for rule in file.all_rules if not rule.enabled]
    return Explanation(
        rules=tuple(reports),
        overlay=tuple(steps),
        guarded=guard(decide(file, channel, node), history, pipeline),
    )


def _state(rule: Rule, channel: ChannelFacts, node: NodeFacts) -> RuleState:
    match rule.matches(channel, node):
        case True:
            return RuleState.MATCHES
        case False:
            return RuleState.DOES_NOT_MATCH
        case _:
            return RuleState.NOT_EVALUABLE


def _report(rule: Rule, state: RuleState, channel: ChannelFacts, node: NodeFacts) -> RuleReport:
    return RuleReport(
        name=rule.name,
        line=rule.line,
        final=rule.final,
        state=state,
        steps=tuple(explain_steps(rule, channel, node)),
    )


def _overlay(rule: Rule, overlay: dict[str, OverlayStep]) -> list[OverlayStep]:
    steps = []
    for key, entry in rule.entries.items():
        if "." in key:
            continue
        before = overlay[key].value if key in overlay else None
        step = OverlayStep(key=key, value=entry.value, before=before, section=rule.name, line=entry.line)
        overlay[key] = step
        steps.append(step)
    return steps
