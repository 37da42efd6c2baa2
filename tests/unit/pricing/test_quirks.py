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
