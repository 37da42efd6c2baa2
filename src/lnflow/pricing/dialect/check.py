"""Everything that can be said of a policy file without a node: errors, surprises, and what is not applied."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from lnflow.pricing.dialect import values
from lnflow.pricing.dialect.ini import Entry
from lnflow.pricing.dialect.policy_file import PolicyFile
from lnflow.pricing.dialect.vocabulary import (
    CIRCUITBREAKER_KEYS,
    COMPUTED_STRATEGIES,
    PROPERTIES,
    REQUIRED_PROPERTIES,
    STRATEGIES,
    strategy_remedy,
)
from lnflow.pricing.matching.rules import DEFAULT_SECTION, Rule
from lnflow.pricing.problems import Problem, Severity

_RANGES: dict[str, tuple[float, float]] = {
    "fee_ppm": (0, 2**32 - 1),
    "base_fee_msat": (0, 2**32 - 1),
    "time_lock_delta": (18, 65_535),
    "max_htlc_msat_ratio": (0, 1),
    "rollback_threshold": (0.01, 1),
    "recovery_days": (0.01, 36_500),
    "cb_mode": (0, 3),
    "onchain_fee_btc": (1e-8, 21e6),
    "onchain_fee_numblocks": (1, 1008),
}
_TRUTHY_TEXT = frozenset({"sum_peer_chans", "cb_clear_limit"})


def check(file: PolicyFile) -> list[Problem]:
    """Return all findings, by file and line; those with `Severity.ERROR` make the file unfit."""
    found = [_as_error(problem) for problem in file.problems]
    earlier: set[str] = set()
    closed_by: Rule | None = None
    for rule in file.rules:
        found += _check_rule(file, rule, earlier)
        if closed_by is not None:
            text = f"never reached: [{closed_by.name}] matches every channel and is final"
            found.append(_at(file, rule, text, "move it up, or give the other one criteria"))
        elif rule.final and not rule.steps:
            closed_by = rule
        if not rule.final:
            earlier |= set(rule.entries)
    for rule in file.all_rules:
        if not rule.enabled:
            found += _check_rule(file, rule, set(PROPERTIES))
        if rule.name == DEFAULT_SECTION:
            found += _check_rule(file, rule, earlier)
            found += _ignored_criteria(rule)
        elif rule.name.lower() in {DEFAULT_SECTION, "lnflow"}:
            remedy = f"write [{rule.name.lower()}] in lower case if it is meant to be the special one"
            found.append(_at(file, rule, f"[{rule.name}] is an ordinary rule", remedy))
    for included in file.included.values():
        found += [included] if isinstance(included, Problem) else check(included)
    return sorted(dict.fromkeys(found), key=lambda p: (p.file, p.line or 0))


def is_fit(problems: list[Problem]) -> bool:
    return not any(problem.severity is Severity.ERROR for problem in problems)


def _as_error(problem: Problem) -> Problem:
    """A key nobody knows is an error here; `apply` only warns, because charge-lnd ignores it."""
    if problem.code == "unknown-key":
        return structs.replace(problem, severity=Severity.ERROR)
    return problem


def _check_rule(file: PolicyFile, rule: Rule, earlier: set[str]) -> Iterator[Problem]:
    strategy = rule.entries.get("strategy")
    name = strategy.value if strategy is not None else None
    if strategy is not None and name and name not in STRATEGIES:
        yield strategy.problem(f"unknown strategy {name!r}", strategy_remedy(name))
    if strategy is not None and name:
        for key in REQUIRED_PROPERTIES.get(name, ()):
            if key not in rule.entries and key not in earlier:
                yield strategy.problem(f"strategy = {name} needs {key}", f"add {key} to the section")
        yield from _strategy_surprises(file, rule, strategy, name)
    for key, entry in rule.entries.items():
        if key in PROPERTIES and key not in {"strategy", "priority", "enabled", "final"}:
            yield from _check_value(file, entry)
    yield from _contradictions(rule)
    yield from _contradicting_bounds(file, rule)
    yield from _ratios(rule)
    yield from _pubkeys(rule)


def _check_value(file: PolicyFile, entry: Entry) -> Iterator[Problem]:
    value = entry.read(PROPERTIES[entry.key])
    if isinstance(value, Problem):
        if entry.key not in _TRUTHY_TEXT or not file.strict:
            yield value
        return
    lowest, highest = _RANGES.get(entry.key, (float("-inf"), float("inf")))
    if isinstance(value, int | float) and not lowest <= value <= highest:
        yield entry.problem(f"{entry.key} = {entry.value} must be between {lowest:g} and {highest:g}")
    if entry.key in _TRUTHY_TEXT and value is False:
        taken = "it is taken for true here too (compat = strict)" if file.strict else "here it means false"
        yield entry.problem(
            f"charge-lnd takes {entry.key} = {entry.value} for true; {taken}",
            "leave the key out to mean false in both",
            Severity.WARNING,
        )
    if entry.key in CIRCUITBREAKER_KEYS:
        yield entry.problem(
            f"{entry.key} is not applied: lnflow does not speak to circuitbreaker",
            "keep circuitbreaker's own limits",
            Severity.NOTE,
        )


def _strategy_surprises(file: PolicyFile, rule: Rule, strategy: Entry, name: str) -> Iterator[Problem]:
    if not file.lnflow and name != "proportional":
        for key in ("min_fee_ppm", "max_fee_ppm"):
            entry = rule.entries.get(key)
            if entry is not None and not entry.inherited:
                yield entry.problem(
                    f"{key} has no effect on strategy = {name} in a charge-lnd file",
                    "write dialect = lnflow under [lnflow] to make it a bound",
                    Severity.WARNING,
                )
    if name == "match_peer" and "inbound_level_ppm" in rule.entries:
        text = "inbound_level_ppm has no effect with strategy = match_peer"
        yield rule.entries["inbound_level_ppm"].problem(text, severity=Severity.WARNING)
    if name == "disable":
        yield strategy.problem(
            "disable is undone by the next rule with another strategy that decides the channel",
            "manage_status = false in the other rules keeps what you disabled",
            Severity.NOTE,
        )
    if name in COMPUTED_STRATEGIES and file.settings.lnflow is False:
        text = f"strategy = {name} is lnflow's, but [lnflow] says dialect = charge-lnd: no step limits hold"
        yield strategy.problem(text, "leave dialect out", Severity.WARNING)


def _contradictions(rule: Rule) -> Iterator[Problem]:
    for key, entry in rule.entries.items():
        prefix, _, last = key.rpartition(".")
        if last == "min":
            other = f"{prefix}.max"
        elif last.startswith("min_"):
            other = f"{prefix}.max_{last[4:]}"
        else:
            continue
        if "." not in key or other not in rule.entries:
            continue
        low, high = entry.read(values.number), rule.entries[other].read(values.number)
        if isinstance(low, float) and isinstance(high, float) and low > high:
            text = f"{key} = {entry.value} is above {other} = {rule.entries[other].value}: nothing can match"
            yield entry.problem(text, "swap them", Severity.WARNING)


def _contradicting_bounds(file: PolicyFile, rule: Rule) -> Iterator[Problem]:
    for part in ("fee_ppm", "inbound_fee_ppm"):
        low, high = rule.entries.get(f"min_{part}"), rule.entries.get(f"max_{part}")
        if low is None or high is None or (part == "fee_ppm" and not file.lnflow):
            continue  # charge-lnd's proportional may rise with our balance
        lowest, highest = low.read(values.integer), high.read(values.integer)
        if isinstance(lowest, int) and isinstance(highest, int) and lowest > highest:
            yield low.problem(f"{low.key} = {lowest} must be at most {high.key} = {highest}", "swap them")


def _ratios(rule: Rule) -> Iterator[Problem]:
    for key, entry in rule.entries.items():
        if key.startswith(("chan.m", "node.m")) and "_ratio" in key:
            value = entry.read(values.number)
            if isinstance(value, float) and not 0 <= value <= 1:
                text = f"{key} = {entry.value}: a ratio is between 0 and 1"
                yield entry.problem(text, "80 per cent is 0.8", Severity.WARNING)


def _pubkeys(rule: Rule) -> Iterator[Problem]:
    entry = rule.entries.get("node.id")
    if entry is None or entry.value is None:
        return
    for item in values.items(entry.value):
        if item and "\n" not in item and not item.startswith(values.FILE_PREFIX):
            try:
                values.pubkey(item)
            except ValueError as exc:
                yield entry.problem(f"node.id: {exc}: it matches no peer", severity=Severity.WARNING)


def _ignored_criteria(rule: Rule) -> Iterator[Problem]:
    for key, entry in rule.entries.items():
        if "." in key and not entry.inherited:
            text = f"{key} has no effect in [default], which applies to whatever no other rule decided"
            yield entry.problem(text, "move it to a rule of its own", Severity.WARNING)


def _at(file: PolicyFile, rule: Rule, text: str, remedy: str) -> Problem:
    return Problem(
        severity=Severity.WARNING, file=file.path, line=rule.line, section=rule.name, text=text, remedy=remedy
    )
