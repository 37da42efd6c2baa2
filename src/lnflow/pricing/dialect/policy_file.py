"""A policy file ready to decide: its rules in order, its settings, and the files it includes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from lnflow.pricing.dialect import values
from lnflow.pricing.dialect.ini import IniFile, parse_ini
from lnflow.pricing.dialect.settings import FileSettings, read_settings
from lnflow.pricing.matching.charge_lnd import DEFAULT_CONF_TARGET, conf_target
from lnflow.pricing.matching.context import Context
from lnflow.pricing.matching.criteria import NOTHING_NEEDED, Needs
from lnflow.pricing.matching.rules import DEFAULT_SECTION, SETTINGS_SECTION, Rule, compile_rule
from lnflow.pricing.problems import Problem, Severity

DAY_S = 86_400
STRATEGY_NEEDS: dict[str, Needs] = {
    "match_peer": Needs(facts=frozenset({"peer_policy"})),
    "cost": Needs(facts=frozenset({"funding_fee"})),
    "flow_based": Needs(flow_windows=frozenset({7 * DAY_S})),
    "revenue_max": Needs(facts=frozenset({"price_levels"})),
    "inbound_discount": Needs(flow_windows=frozenset({30 * DAY_S}), facts=frozenset({"cheapest_other"})),
    "cost_recovery": Needs(flow_windows=frozenset({30 * DAY_S}), facts=frozenset({"cost"})),
}


class PolicyFile(Struct, frozen=True, kw_only=True):
    """`lnflow` says whose file it is: charge-lnd's decisions are upstream's, lnflow's are guarded."""

    path: str
    ini: IniFile
    settings: FileSettings
    strict: bool
    lnflow: bool
    rules: tuple[Rule, ...]
    all_rules: tuple[Rule, ...]
    """In file order, disabled ones and `[default]` included, for `check` and `status`."""
    default: Rule | None
    included: Mapping[str, PolicyFile | Problem]
    """By the value of `config_file` as written."""
    problems: tuple[Problem, ...]
    needs: Needs
    settings_problem: Problem | None = None
    """A setting that cannot be read or is not known: nothing may be written, since it may have been a rail."""


def build_policy_file(
    text: str,
    path: str,
    read_file: Callable[[str], str],
    *,
    strict: bool | None = None,
    including: tuple[str, ...] = (),
) -> PolicyFile:
    """Return the compiled file.  A file that cannot be parsed has problems and no rules.

    `read_file` gives the text of list files and included files and raises `OSError` when it cannot;
    `strict` overrides the file's own `compat`; `including` are the files that led here.
    """
    ini = parse_ini(text, path)
    by_name = {section.name: section for section in ini.sections}
    settings, setting_problems = read_settings(by_name.get(SETTINGS_SECTION))
    is_strict = settings.strict if strict is None else strict
    context = Context(strict=is_strict, read_file=read_file, timezone=settings.timezone, activity=settings.activity)
    rules: list[Rule] = []
    problems = [*ini.problems, *setting_problems]
    for section in ini.sections:
        if section.name != SETTINGS_SECTION:
            rule, found = compile_rule(section, context)
            rules.append(rule)
            problems += found
    included = _included(rules, read_file, strict=is_strict, including=(*including, path))
    inner = [file for file in included.values() if isinstance(file, PolicyFile)]
    ordered = sorted(
        (rule for rule in rules if rule.enabled and rule.name != DEFAULT_SECTION),
        key=lambda rule: rule.priority,
    )
    default = next((rule for rule in rules if rule.name == DEFAULT_SECTION and rule.enabled), None)
    uses_lnflow = any(rule.uses_lnflow for rule in rules) or any(file.lnflow for file in inner)
    needs = _strategy_needs(rules)
    for part in (*(rule.needs for rule in rules), *(file.needs for file in inner)):
        needs |= part
    return PolicyFile(
        path=path,
        ini=ini,
        settings=settings,
        strict=is_strict,
        lnflow=(settings.limits_set or uses_lnflow) if settings.lnflow is None else settings.lnflow,
        rules=tuple(ordered),
        all_rules=tuple(rules),
        default=default,
        included=included,
        problems=tuple(problems),
        needs=needs,
        settings_problem=next(iter(setting_problems), None),
    )


def _included(
    rules: list[Rule], read_file: Callable[[str], str], *, strict: bool, including: tuple[str, ...]
) -> dict[str, PolicyFile | Problem]:
    found: dict[str, PolicyFile | Problem] = {}
    for rule in rules:
        entry = rule.entries.get("config_file")
        if entry is None or not entry.value or entry.value in found:
            continue
        path = entry.value.removeprefix(values.FILE_PREFIX)
        if path in including:
            found[entry.value] = entry.problem(f"config_file = {entry.value}: the file includes itself")
            continue
        try:
            text = read_file(path)
        except (OSError, UnicodeDecodeError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
            found[entry.value] = entry.problem(
                f"config_file = {entry.value} cannot be read: {reason}",
                "the path is relative to the directory lnflow runs in",
            )
            continue
        file = build_policy_file(text, path, read_file, strict=strict, including=including)
        fatal = next((p for p in file.ini.problems if p.severity is Severity.ERROR), None)
        found[entry.value] = fatal or file
    return found


def _strategy_needs(rules: list[Rule]) -> Needs:
    needs = NOTHING_NEEDED
    for rule in rules:
        strategy = rule.entries.get("strategy")
        name = strategy.value if strategy is not None and strategy.value else ""
        needs |= STRATEGY_NEEDS.get(name, NOTHING_NEEDED)
        blocks = rule.entries.get("onchain_fee_numblocks")
        target = blocks.read(values.integer) if blocks is not None else DEFAULT_CONF_TARGET
        if isinstance(target, int) and (name == "onchain_fee" or blocks is not None):
            needs |= Needs(conf_targets=frozenset({conf_target(target)}))
    return needs
