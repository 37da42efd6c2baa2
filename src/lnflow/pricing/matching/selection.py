"""Which section decides: rules in order, keys of non-final ones overlaid, `[default]` last."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from lnflow.pricing.dialect.ini import Entry
from lnflow.pricing.facts import ChannelFacts, NodeFacts, Unknown
from lnflow.pricing.matching.rules import Rule
from lnflow.pricing.problems import Problem


class Selected(Enum):
    DECIDED = "decided"
    NO_POLICY = "no_policy"
    SKIPPED = "skipped"
    ERROR = "error"


class Selection(Struct, frozen=True, kw_only=True):
    """The deciding section and the overlay of all keys up to it, or why there is none."""

    state: Selected
    section: str | None = None
    overlay: dict[str, Entry] = {}
    reason: str | None = None
    problem: Problem | None = None


def select(rules: Sequence[Rule], default: Rule | None, channel: ChannelFacts, node: NodeFacts) -> Selection:
    """Return what decides this channel.  A rule that cannot be evaluated ends the search: skipped."""
    overlay: dict[str, Entry] = {}
    for rule in rules:
        verdict = rule.matches(channel, node)
        if verdict is False:
            continue
        if verdict is not True:
            return _not_evaluable(rule, verdict)
        if rule.broken is not None:
            return _broken(rule.name, rule.broken)
        overlay.update(rule.entries)
        if rule.final:
            return _decided(overlay)
    if default is not None:
        if default.broken is not None:
            return _broken(default.name, default.broken)
        overlay.update(default.entries)
    return _decided(overlay)


def _decided(overlay: dict[str, Entry]) -> Selection:
    strategy = overlay.get("strategy")
    if strategy is None or not strategy.value:
        return Selection(
            state=Selected.NO_POLICY,
            overlay=overlay,
            reason="no rule with a strategy matches, and [default] has none",
        )
    return Selection(state=Selected.DECIDED, section=strategy.section, overlay=overlay)


def _not_evaluable(rule: Rule, verdict: Unknown | Problem) -> Selection:
    if isinstance(verdict, Problem):
        return Selection(state=Selected.SKIPPED, section=rule.name, reason=str(verdict), problem=verdict)
    return Selection(
        state=Selected.SKIPPED,
        section=rule.name,
        reason=f"[{rule.name}] cannot be evaluated: {verdict.reason}",
    )


def _broken(section: str, problem: Problem) -> Selection:
    return Selection(state=Selected.ERROR, section=section, reason=str(problem), problem=problem)
