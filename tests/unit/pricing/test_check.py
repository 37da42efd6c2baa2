"""`check` says everything with file, line and remedy, and is content with what is right."""

from __future__ import annotations

import pytest
from tests.unit.pricing.builders import POLICIES, build, rule

from lnflow.pricing.dialect.check import check, is_fit
from lnflow.pricing.problems import Problem, Severity


def findings(text: str, files: dict[str, str] | None = None, *, strict: bool | None = None) -> list[Problem]:
    return check(build(text, files, strict=strict))


def test_our_acceptance_files_are_fit() -> None:
    files = {path.name: path.read_text() for path in POLICIES.glob("*.conf")}
    files |= {"ignored_peers.list": "", "pool.list": ""}
    for name, text in files.items():
        if name.endswith(".conf"):
            assert is_fit(check(build(text, files))), name


@pytest.mark.parametrize(
    ("lines", "line", "severity", "part"),
    [
        (["strategy = statick"], 2, Severity.ERROR, "did you mean"),
        (["strategy = static ; cheap"], 2, Severity.ERROR, "line of its own"),
        (["strategy = static", "fee_ppm = 1.5"], 3, Severity.ERROR, "without a fraction"),
        (["strategy = static", "fee_ppm = -5"], 3, Severity.ERROR, "between"),
        (["strategy = static", "feeppm = 5"], 3, Severity.ERROR, "did you mean"),
        (["chan.min_ration = 0.5", "strategy = ignore"], 2, Severity.ERROR, "chan.min_ratio"),
        (["chann.min_ratio = 0.5", "strategy = ignore"], 2, Severity.ERROR, "chan.min_ratio"),
        (["flow.7.min = 5", "strategy = ignore"], 2, Severity.ERROR, "flow.7d.min"),
        (["strategy = proportional", "max_fee_ppm = 5"], 2, Severity.ERROR, "needs min_fee_ppm"),
        (["strategy = use_config"], 2, Severity.ERROR, "config_file"),
        (["strategy = use_config", "config_file = no"], 3, Severity.ERROR, "cannot be read"),
        (["chan.id = file://no", "strategy = ignore"], 2, Severity.ERROR, "cannot be read"),
        (["chan.min_ratio = 0.9", "chan.max_ratio = 0.1", "strategy = ignore"], 2, Severity.WARNING, "nothing can"),
        (["flow.7d.min = 9", "flow.7d.max = 1", "strategy = ignore"], 2, Severity.WARNING, "nothing can"),
        (["node.id = 02abc", "strategy = ignore"], 2, Severity.WARNING, "matches no peer"),
        (["strategy = static", "max_fee_ppm = 9"], 3, Severity.WARNING, "no effect"),
        (["strategy = match_peer", "inbound_level_ppm = 9"], 3, Severity.WARNING, "no effect"),
        (["strategy = static", "cb_mode = 1"], 3, Severity.NOTE, "not applied"),
        (["strategy = static", "cb_mode = 7"], 3, Severity.ERROR, "between 0 and 3"),
        (["strategy = static", "cb_clear_limit = false"], 3, Severity.WARNING, "for true"),
        (["strategy = disable"], 2, Severity.NOTE, "undone"),
        (["strategy = static", "rollback_threshold = 30"], 3, Severity.ERROR, "between"),
        (["enabled = no", "strategy = statick"], 3, Severity.ERROR, "did you mean"),
    ],
)
def test_findings(lines: list[str], line: int, severity: Severity, part: str) -> None:
    found = [p for p in findings(rule(*lines)) if part in str(p)]
    assert [(p.file, p.line, p.section, p.severity) for p in found] == [("policy.conf", line, "rule", severity)]


def test_what_an_earlier_section_overlays_counts() -> None:
    text = "[base]\nmin_fee_ppm = 1\n" + rule("strategy = proportional", "max_fee_ppm = 5")
    assert is_fit(findings(text))


def test_rules_behind_one_that_takes_all_are_pointed_out() -> None:
    text = rule("strategy = ignore", name="all") + rule("strategy = disable", name="late")
    assert any(p.section == "late" and "never reached" in p.text for p in findings(text))


def test_criteria_in_default_and_its_other_spellings() -> None:
    text = "[default]\nchan.min_ratio = 0.5\nstrategy = ignore\n[Default]\nchan.min_ratio = 1\nstrategy = ignore\n"
    found = findings(text)
    assert [(p.line, p.severity) for p in found] == [(2, Severity.WARNING), (4, Severity.WARNING)]


def test_settings_are_checked() -> None:
    text = "[lnflow]\ncompat = loose\ntimezone = Mars/Base\nmin_interval_hours = 0.5\nrail_max = 3\n"
    text += "rail_min_fee_ppm = 9\nrail_max_fee_ppm = 1\n"
    found = findings(text)
    assert sorted(p.line or 0 for p in found) == [2, 3, 4, 5, 6]
    assert not is_fit(found)


def test_an_inherited_key_is_reported_once_at_its_own_line() -> None:
    text = "[DEFAULT]\nfee_ppm = x\n[a]\nchan.max_ratio = 0\nstrategy = static\n[b]\nstrategy = static\n"
    found = [p for p in findings(text) if "whole number" in p.text]
    assert {p.line for p in found} == {2}


def test_findings_of_included_files_name_those_files() -> None:
    found = findings(rule("strategy = use_config", "config_file = in"), {"in": "[x]\nstrategy = statick\n"})
    assert [(p.file, p.line) for p in found] == [("in", 2)]


def test_strict_tells_that_chan_disabled_stops_everything() -> None:
    text = rule("chan.disabled = true", "strategy = ignore")
    assert is_fit(findings(text))
    assert not is_fit(findings(text, strict=True))
