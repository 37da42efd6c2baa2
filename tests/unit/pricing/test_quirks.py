"""charge_lnd.md §8: what we do by default, and what `compat = strict` reproduces."""

from __future__ import annotations

import pytest
from tests.unit.pricing.builders import DAY_S, PEER, build, channel, decide_one, new, node, policy, rule

from lnflow.pricing.decision import Action, StatusChange
from lnflow.pricing.dialect.check import check
from lnflow.pricing.facts import Balance, PeerFacts
from lnflow.pricing.problems import Severity

BOTH = pytest.mark.parametrize("strict", [False, True])


@BOTH
@pytest.mark.parametrize(
    "lines",
    [
        ["strategy = statick", "fee_ppm = 1"],
        ["strategy = static", "fee_ppm = 10.5"],
        ["strategy = static", "fee_ppm = 10 # cheap"],
        ["strategy = proportional", "min_fee_ppm = 1"],
        ["strategy = onchain_fee", "onchain_fee_numblocks = 99"],
        ["strategy = use_config", "config_file = missing.conf"],
        ["strategy = use_config"],
        ["strategy = static", "fee_ppm = ${nowhere}"],
        ["strategy = static", "fee_ppm = -1"],
        ["strategy = static", "base_fee_msat = 4294967296"],
        ["strategy = static", "time_lock_delta = 70000"],
        ["strategy = static", "min_htlc_msat = 999999999999"],
        ["strategy = static", "fee_ppm = 5", "manage_status = perhaps"],
        ["strategy = onchain_fee", "onchain_fee_btc = 0"],
    ],
)
def test_q1_an_error_in_a_strategy_never_touches_the_channel(lines: list[str], strict: bool) -> None:
    facts = channel(ours=policy(disabled=True))
    decision = decide_one(rule(*lines), facts, node(feerates_sat_per_vb={6: 10.0, 99: 0.5}), strict=strict)
    assert (decision.action, decision.status_change, decision.new) == (Action.ERROR, None, None)
    assert decision.problem is not None
    assert decision.problem.file == "policy.conf"
    assert decision.problem.line in {2, 3, 4}


def test_q1_the_message_helps() -> None:
    typo = decide_one(rule("strategy = proportionl"))
    assert 'did you mean "proportional"?' in typo.reason
    comment = decide_one(rule("strategy = static", "fee_ppm = 10 # cheap"))
    assert "a comment must stand on a line of its own" in comment.reason
    fraction = decide_one(rule("strategy = static", "fee_ppm = 10.5"))
    assert "policy.conf:3 [rule]" in fraction.reason
    assert "without a fraction" in fraction.reason


def test_q1_a_bad_value_that_the_strategy_does_not_use_harms_nobody() -> None:
    text = "[base]\nfee_ppm = 10.5\n" + rule("strategy = proportional", "min_fee_ppm = 1", "max_fee_ppm = 9")
    assert decide_one(text).action is Action.UPDATE


def test_q2_sum_peer_chans_false_means_false_unless_strict() -> None:
    peer = PeerFacts(pubkey=PEER, active=Balance(channels=2, local_msat=0, remote_msat=10**9))
    text = rule("strategy = proportional", "min_fee_ppm = 100", "max_fee_ppm = 300", "sum_peer_chans = false")
    assert new(decide_one(text, channel(peer=peer))).fee_ppm == 200
    assert new(decide_one(text, channel(peer=peer), strict=True)).fee_ppm == 300
    [warning] = [p for p in check(build(text)) if "sum_peer_chans" in p.text]
    assert (warning.severity, warning.line) == (Severity.WARNING, 5)


def test_q3_chan_disabled_is_the_peers_flag_and_skips_when_strict() -> None:
    text = rule("chan.disabled = true", "strategy = static", "fee_ppm = 5")
    facts = channel(theirs=policy(disabled=True))
    assert decide_one(text, facts).action is Action.UPDATE
    assert decide_one(text, facts, strict=True).action is Action.SKIPPED


@BOTH
def test_q4_the_inverted_switch_works_as_upstream_and_is_pointed_out(strict: bool) -> None:
    text = rule("chan.activity_period = 7d", "chan.activity_period_ignore_channel_age = true", "strategy = ignore")
    young = channel(age_blocks=10)
    assert decide_one(text, young, strict=strict).action is Action.NO_POLICY
    assert any("requires_age" in (p.remedy or "") for p in check(build(text)))


def test_q5_flow_criteria_without_a_period() -> None:
    text = rule("chan.min_htlcs_out = 5", "strategy = static", "fee_ppm = 5")
    decision = decide_one(text)
    assert (decision.action, "activity_period" in decision.reason) == (Action.SKIPPED, True)
    assert new(decide_one(text, strict=True)).fee_ppm == 5  # ignored, as upstream does
    assert any(p.severity is Severity.ERROR and p.line == 2 for p in check(build(text)))


def test_q6_a_small_move_is_held_unless_strict() -> None:
    text = rule("strategy = static", "base_fee_msat = 0", "fee_ppm = 105", "min_fee_ppm_delta = 10")
    held = decide_one(text)
    assert (new(held).base_fee_msat, new(held).fee_ppm) == (0, 100)
    assert "less than min_fee_ppm_delta = 10" in held.reason
    ridden = decide_one(text, strict=True)
    assert (new(ridden).base_fee_msat, new(ridden).fee_ppm) == (0, 105)


def test_q6_the_inbound_level_then_counts_from_the_present_price() -> None:
    lines = ["strategy = static", "fee_ppm = 105", "min_fee_ppm_delta = 10", "inbound_level_ppm = 50"]
    safe = new(decide_one(rule(*lines)))
    assert (safe.fee_ppm, safe.inbound_fee_ppm) == (100, -50)
    strict = new(decide_one(rule(*lines), strict=True))
    assert (strict.fee_ppm, strict.inbound_fee_ppm) == (105, -50)


def test_q9_a_missing_comma_is_found() -> None:
    text = rule("node.id = 02aa,", "  02bb", "  02cc", "strategy = ignore")
    [warning] = [p for p in build(text).problems if "read as one" in p.text]
    assert (warning.line, warning.severity) == (2, Severity.WARNING)
    assert decide_one(rule("chan.id = 1x1x1", "  2x2x2", "strategy = ignore")).action is Action.SKIPPED


@BOTH
def test_q10_other_policies_re_enable_and_ignore_does_not(strict: bool) -> None:
    facts = channel(ours=policy(disabled=True))
    for strategy in ("static", "ignore_fees"):
        decision = decide_one(rule(f"strategy = {strategy}"), facts, strict=strict)
        assert decision.status_change is StatusChange.ENABLE
    assert decide_one(rule("strategy = ignore"), facts, strict=strict).action is Action.NONE
    empty = decide_one(rule("strategy = use_config", "config_file = o"), facts, files={"o": ""}, strict=strict)
    assert (empty.status_change, empty.new) == (StatusChange.ENABLE, empty.old)


def test_q10_an_inactive_channel_keeps_its_status() -> None:
    facts = channel(ours=policy(disabled=True), active=False)
    assert decide_one(rule("strategy = static"), facts).status_change is None
    assert decide_one(rule("strategy = disable"), channel(active=False)).action is Action.NONE


def test_the_file_says_compat_and_the_option_wins() -> None:
    text = rule("chan.min_htlcs_out = 5", "strategy = static", "fee_ppm = 5")
    in_file = "[lnflow]\ncompat = strict\n" + text
    assert decide_one(in_file).action is Action.UPDATE
    assert decide_one(in_file, strict=False).action is Action.SKIPPED


def test_unknown_property_decides_as_upstream_and_is_an_error_of_check_only() -> None:
    text = rule("strategy = static", "fee_ppm = 5", "fee_pmm = 7")
    assert new(decide_one(text)).fee_ppm == 5
    file = build(text)
    assert [p.severity for p in file.problems] == [Severity.WARNING]
    [error] = [p for p in check(file) if p.severity is Severity.ERROR]
    assert (error.line, error.remedy) == (4, 'did you mean "fee_ppm"?')


def test_flow_window_facts_are_announced() -> None:
    file = build(rule("chan.activity_period = 12h", "chan.max_htlcs_in = 1", "flow.3d.min = 1"))
    assert file.needs.flow_windows == {43_200, 3 * DAY_S}


@BOTH
@pytest.mark.parametrize(
    "setting",
    [
        "rail_max_fee_ppm = 1o0",
        "rail_max_fee_pm = 100",
        "compat = strickt",
        "timezone = Moon",
        "rail_min_fee_ppm = 9\nrail_max_fee_ppm = 1",
    ],
)
def test_a_setting_that_cannot_be_read_stops_every_write(setting: str, strict: bool) -> None:
    """A misspelt rail must not be no rail."""
    static = rule("strategy = static", "fee_ppm = 5000")
    decision = decide_one(f"[lnflow]\n{setting}\n{static}", strict=strict)
    assert (decision.action, decision.new, decision.problem and decision.problem.line) == (Action.ERROR, None, 2)
    files = {"other": f"[lnflow]\n{setting}\n{static}"}
    included = decide_one(rule("strategy = use_config", "config_file = other"), files=files, strict=strict)
    assert (included.action, included.problem and included.problem.file) == (Action.ERROR, "other")
    untouched = decide_one(f"[lnflow]\n{setting}\n" + rule("strategy = ignore"), strict=strict)
    assert untouched.action is Action.NONE


@pytest.mark.parametrize("part", ["fee_ppm", "inbound_fee_ppm"])
def test_bounds_that_contradict_each_other_decide_nothing(part: str) -> None:
    lines = ["strategy = static", "fee_ppm = 5", "inbound_fee_ppm = -5", f"min_{part} = 9", f"max_{part} = 1"]
    text = "[lnflow]\ndialect = lnflow\n" + rule(*lines)
    decision = decide_one(text)
    assert (decision.action, decision.problem and decision.problem.line) == (Action.ERROR, 7)
    [error] = [p for p in check(build(text)) if p.severity is Severity.ERROR]
    assert (error.line, f"must be at most max_{part} = 1" in error.text) == (7, True)


def test_proportional_may_rise_with_our_balance_in_a_charge_lnd_file() -> None:
    text = rule("strategy = proportional", "min_fee_ppm = 300", "max_fee_ppm = 100")
    assert new(decide_one(text, channel(0))).fee_ppm == 100 or decide_one(text, channel(0)).action is Action.NONE
    assert new(decide_one(text, channel(1_000_000))).fee_ppm == 300
    assert not [p for p in check(build(text)) if p.severity is Severity.ERROR]


@pytest.mark.parametrize("key", ["chan.min_ratio", "chan.max_sats_ratio", "node.max_shared_ratio_active"])
def test_a_ratio_in_per_cent_is_pointed_out(key: str) -> None:
    text = rule("chan.activity_period = 7d", f"{key} = 80", "strategy = ignore")
    [warning] = [p for p in check(build(text)) if "between 0 and 1" in p.text]
    assert (warning.severity, warning.line) == (Severity.WARNING, 3)


def test_what_cannot_be_read_has_its_remedy() -> None:
    for line, remedy in (
        ("fee_ppm = 10.5", "write it without a fraction"),
        ("fee_ppm = 10 # cheap", "a comment must stand on a line of its own, here it is part of the value"),
    ):
        problem = decide_one(rule("strategy = static", line)).problem
        assert (problem and problem.remedy, problem and problem.line) == (remedy, 3)
    commented = decide_one(rule("strategy = static # cheap")).problem
    assert commented is not None
    assert "a comment must stand on a line of its own" in (commented.remedy or "")
