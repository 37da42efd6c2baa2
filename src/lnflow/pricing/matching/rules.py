"""A rule: the criteria of one section, all of which must hold, and the keys it overlays."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from lnflow.pricing.dialect import vocabulary
from lnflow.pricing.dialect.ini import Entry, Section
from lnflow.pricing.facts import ChannelFacts, NodeFacts, Unknown
from lnflow.pricing.matching import charge_lnd, own
from lnflow.pricing.matching.context import Context
from lnflow.pricing.matching.criteria import NOTHING_NEEDED, Compiled, Criterion, Needs
from lnflow.pricing.problems import Problem, Severity, did_you_mean

DEFAULT_SECTION = "default"
SETTINGS_SECTION = "lnflow"
DEFAULT_PRIORITY = 100
UPSTREAM_NAMESPACES = frozenset({"chan", "node", "onchain"})
ALL_NAMESPACES = UPSTREAM_NAMESPACES | own.NAMESPACES


class Never(Struct, frozen=True, kw_only=True):
    """A condition that holds for no channel: charge-lnd's reading of a namespace nobody knows."""

    key: str
    line: int | None


Step = Criterion | Problem | Never


class Rule(Struct, frozen=True, kw_only=True):
    """One section.  `broken` is a section key (priority, enabled, final) that cannot be read."""

    name: str
    line: int | None
    steps: tuple[Step, ...]
    entries: Mapping[str, Entry]
    final: bool
    enabled: bool = True
    priority: int = DEFAULT_PRIORITY
    broken: Problem | None = None
    needs: Needs = NOTHING_NEEDED
    uses_lnflow: bool = False

    def matches(self, channel: ChannelFacts, node: NodeFacts) -> bool | Unknown | Problem:
        """Return whether all criteria hold; what cannot be learnt only matters if nothing else fails."""
        unknown: Unknown | None = None
        for step in self.steps:
            if type(step) is not Criterion:
                return step if isinstance(step, Problem) else False
            value = step.look(channel, node)
            if type(value) is Unknown:
                unknown = unknown or Unknown(f"{step.key}: {value.reason}")
            elif value is None or not step.accepts(value):
                return False
        return True if unknown is None else unknown


class StepState(Enum):
    HOLDS = "holds"
    FAILS = "fails"
    NOT_EVALUABLE = "not evaluable"


class StepReport(Struct, frozen=True, kw_only=True):
    """One criterion as it came out for one channel, for `test-channel`."""

    key: str
    wanted: str
    found: str
    state: StepState
    line: int | None


def explain_steps(rule: Rule, channel: ChannelFacts, node: NodeFacts) -> list[StepReport]:
    """Return every criterion of the rule with the value it met, also those after the first that fails."""
    return [_report(step, channel, node) for step in rule.steps]


def _report(step: Step, channel: ChannelFacts, node: NodeFacts) -> StepReport:
    if isinstance(step, Problem):
        return StepReport(key="", wanted="", found=str(step), state=StepState.NOT_EVALUABLE, line=step.line)
    if isinstance(step, Never):
        return StepReport(key=step.key, wanted="", found="unknown key", state=StepState.FAILS, line=step.line)
    value = step.look(channel, node)
    if isinstance(value, Unknown):
        found, state = value.reason, StepState.NOT_EVALUABLE
    elif value is None:
        found, state = "none", StepState.FAILS
    else:
        found = f"{value:.6g}" if isinstance(value, float) else str(value)
        state = StepState.HOLDS if step.accepts(value) else StepState.FAILS
    return StepReport(key=step.key, wanted=step.wanted, found=found, state=state, line=step.line)


def compile_rule(section: Section, context: Context) -> tuple[Rule, list[Problem]]:
    """Return the rule of one section and everything that is wrong with its keys."""
    entries = {vocabulary.current_spelling(key): _respelt(entry) for key, entry in section.entries.items()}
    matchers = {} if section.name == DEFAULT_SECTION else {k: e for k, e in entries.items() if "." in k}
    steps: list[Step] = []
    problems: list[Problem] = []
    needs = NOTHING_NEEDED
    for namespace in dict.fromkeys(key.partition(".")[0] for key in matchers):
        compiled = [
            _compile(entry, matchers, context) for key, entry in matchers.items() if key.partition(".")[0] == namespace
        ]
        problems += [p for one in compiled for p in (*one.warnings, *([one.problem] if one.problem else []))]
        for one in compiled:
            needs |= one.needs
        broken = next((one.problem for one in compiled if one.problem), None)
        if namespace not in ALL_NAMESPACES:
            first = next(e for k, e in matchers.items() if k.partition(".")[0] == namespace)
            steps.append(Never(key=first.key, line=first.line))
        elif broken:
            steps.append(broken)
        else:
            steps += [one.criterion for one in compiled if one.criterion]
    return _finish(section, entries, tuple(steps), needs, problems)


def _respelt(entry: Entry) -> Entry:
    key = vocabulary.current_spelling(entry.key)
    if key == entry.key:
        return entry
    return Entry(
        key=key,
        value=entry.value,
        file=entry.file,
        section=entry.section,
        line=entry.line,
        inherited=entry.inherited,
        broken=entry.broken,
    )


def _compile(entry: Entry, matchers: Mapping[str, Entry], context: Context) -> Compiled:
    if entry.key in charge_lnd.KEYS:
        return charge_lnd.compile_key(entry, matchers, context)
    if own.is_own(entry.key):
        return own.compile_key(entry, matchers, context)
    namespace = entry.key.partition(".")[0]
    remedy = did_you_mean(entry.key, charge_lnd.KEYS | own.SUGGESTIONS)
    if namespace in ALL_NAMESPACES:
        text = f"unknown criterion {entry.key}: channels that reach this section are skipped"
        return Compiled(problem=entry.problem(text, remedy, code="unknown-key"))
    text = f"unknown criterion {entry.key}: this section matches no channel"
    return Compiled(warnings=(entry.problem(text, remedy, Severity.WARNING, code="unknown-key"),))


def _finish(
    section: Section,
    entries: Mapping[str, Entry],
    steps: tuple[Step, ...],
    needs: Needs,
    problems: list[Problem],
) -> tuple[Rule, list[Problem]]:
    broken: list[Problem] = []

    def setting(key: str, default: object) -> object:
        if key not in entries:
            return default
        value = entries[key].read(vocabulary.PROPERTIES[key])
        if isinstance(value, Problem):
            broken.append(value)
            return default
        return value

    strategy = entries.get("strategy")
    has_strategy = strategy is not None and strategy.value != ""
    final = bool(setting("final", has_strategy))
    enabled = bool(setting("enabled", True))
    priority = setting("priority", DEFAULT_PRIORITY)
    if strategy is not None and strategy.value is None:
        broken.append(strategy.problem(f"strategy: {strategy.broken}"))
    uses_lnflow = any(own.is_own(key) for key in entries) or (
        strategy is not None and strategy.value in vocabulary.COMPUTED_STRATEGIES
    )
    rule = Rule(
        name=section.name,
        line=section.line,
        steps=steps,
        entries=entries,
        final=final,
        enabled=enabled,
        priority=priority if isinstance(priority, int) else DEFAULT_PRIORITY,
        broken=broken[0] if broken else None,
        needs=needs,
        uses_lnflow=uses_lnflow,
    )
    problems += broken
    problems += [_unknown_property(e) for k, e in entries.items() if not known_property(k)]
    return rule, problems


def known_property(key: str) -> bool:
    return "." in key or key in vocabulary.PROPERTIES


def _unknown_property(entry: Entry) -> Problem:
    remedy = did_you_mean(entry.key, vocabulary.PROPERTIES)
    return entry.problem(f"unknown key {entry.key}: it has no effect", remedy, Severity.WARNING, "unknown-key")
