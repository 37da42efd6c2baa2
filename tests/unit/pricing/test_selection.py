"""Which section decides: final and non-final ones, overlay, [default], [DEFAULT], priority, enabled."""

from __future__ import annotations

from tests.unit.pricing.builders import build, channel, decide_one, new, policy

from lnflow.pricing.decision import Action, StatusChange

TWO = "[a]\nstrategy = static\nfee_ppm = 1\n[b]\nstrategy = static\nfee_ppm = 2\n"


def test_the_first_match_with_a_strategy_decides() -> None:
    assert decide_one(TWO).policy == "a"


def test_later_keys_win_over_earlier_ones() -> None:
    text = "[base]\nbase_fee_msat = 7\nfee_ppm = 1\n[end]\nfee_ppm = 2\nstrategy = static\n"
    values = new(decide_one(text))
    assert (values.base_fee_msat, values.fee_ppm) == (7, 2)


def test_criteria_of_an_earlier_section_do_not_hold_later() -> None:
    text = "[base]\nchan.max_ratio = 0.6\nbase_fee_msat = 7\n[end]\nstrategy = static\nfee_ppm = 2\n"
    assert new(decide_one(text, channel(900_000))).base_fee_msat == 1000
    assert new(decide_one(text, channel(100_000))).base_fee_msat == 7


def test_an_empty_strategy_is_no_strategy() -> None:
    assert decide_one("[a]\nstrategy =\nfee_ppm = 1\n").action is Action.NO_POLICY


def test_default_comes_last_wherever_it_stands_and_its_criteria_are_ignored() -> None:
    text = "[default]\nchan.max_ratio = 0\nstrategy = static\nfee_ppm = 9\n[a]\nchan.min_ratio = 1\nstrategy = ignore\n"
    assert new(decide_one(text)).fee_ppm == 9


def test_default_is_overlaid_on_what_matched_before() -> None:
    text = "[base]\nbase_fee_msat = 7\n[default]\nstrategy = static\nfee_ppm = 9\n"
    values = new(decide_one(text))
    assert (values.base_fee_msat, values.fee_ppm) == (7, 9)


def test_no_default_or_one_without_strategy_leaves_the_channel() -> None:
    for text in ("", "[a]\nfee_ppm = 1\n", "[default]\nfee_ppm = 1\n"):
        decision = decide_one(text)
        assert (decision.action, decision.new, decision.policy) == (Action.NO_POLICY, None, None)


def test_a_differently_spelt_default_is_an_ordinary_rule() -> None:
    assert decide_one("[Default]\nstrategy = ignore\n" + TWO).policy == "Default"


def test_upper_case_default_is_inherited_by_every_section_criteria_too() -> None:
    text = "[DEFAULT]\nbase_fee_msat = 3\nchan.max_ratio = 0.6\n[a]\nstrategy = static\nfee_ppm = 1\n"
    assert new(decide_one(text)).base_fee_msat == 3
    assert decide_one(text, channel(700_000)).action is Action.NO_POLICY


def test_interpolation_from_the_same_and_another_section() -> None:
    text = "[limits]\nlow = 5\n[a]\nhigh = 1${limits:low}\nfee_ppm = ${high}\nstrategy = static\n"
    assert new(decide_one(text)).fee_ppm == 15


def test_keys_are_case_insensitive_and_values_may_continue() -> None:
    text = "[a]\nSTRATEGY: static\nFee_PPM = 5_0\nnode.id =\n   02aa,\n   " + "02" + "ab" * 32 + "\n"
    assert new(decide_one(text)).fee_ppm == 50


def test_lower_priority_numbers_come_first_and_equal_ones_in_file_order() -> None:
    assert decide_one(TWO + "priority = 10\n").policy == "b"
    assert decide_one(TWO + "priority = 100\n").policy == "a"
    assert decide_one(TWO.replace("fee_ppm = 1\n", "fee_ppm = 1\npriority = 200\n")).policy == "b"


def test_a_disabled_rule_does_not_exist() -> None:
    assert decide_one(TWO.replace("fee_ppm = 1\n", "fee_ppm = 1\nenabled = no\n")).policy == "b"


def test_a_rule_may_have_a_strategy_and_not_be_final() -> None:
    text = TWO.replace("fee_ppm = 1\n", "fee_ppm = 1\nfinal = false\nbase_fee_msat = 5\n")
    decision = decide_one(text)
    assert (decision.policy, new(decision).fee_ppm, new(decision).base_fee_msat) == ("b", 2, 5)
    only = decide_one("[a]\nstrategy = static\nfee_ppm = 1\nfinal = no\n")
    assert (only.policy, new(only).fee_ppm) == ("a", 1)


def test_a_rule_may_be_final_without_a_strategy() -> None:
    assert decide_one("[a]\nfinal = yes\n" + TWO.replace("[a]", "[c]")).action is Action.NO_POLICY


def test_section_keys_that_cannot_be_read_leave_the_channels_of_that_rule_alone() -> None:
    for key in ("priority = soon", "enabled = perhaps", "final = 2"):
        decision = decide_one(f"[a]\n{key}\nchan.max_ratio = 0.6\nstrategy = static\nfee_ppm = 1\n")
        assert decision.action is Action.ERROR
        assert decision.problem is not None
        assert decision.problem.line == 2
    elsewhere = "[a]\npriority = soon\nchan.max_ratio = 0.1\nstrategy = disable\n" + TWO.replace("[a]", "[c]")
    assert decide_one(elsewhere).policy == "c"


def test_manage_status_false_leaves_what_was_disabled_by_hand() -> None:
    ours = policy(disabled=True)
    assert decide_one(TWO, channel(ours=ours)).status_change is StatusChange.ENABLE
    kept = decide_one(TWO.replace("fee_ppm = 1\n", "fee_ppm = 1\nmanage_status = false\n"), channel(ours=ours))
    assert (kept.status_change, kept.action) == (None, Action.UPDATE)


def test_a_file_is_lnflows_by_its_criteria_strategies_limits_or_word() -> None:
    assert not build(TWO).lnflow
    assert not build("[lnflow]\ncompat = strict\nrail_max_fee_ppm = 9\n" + TWO).lnflow
    assert build("[lnflow]\ndialect = lnflow\n" + TWO).lnflow
    assert build("[lnflow]\nmax_step_ratio = 0.2\n" + TWO).lnflow
    assert build(TWO + "flow.7d.min = 3\n").lnflow
    assert build("[a]\nstrategy = balance_based\nfee_ppm = 1\n").lnflow


def test_bounds_hold_in_lnflows_files_and_are_only_proportionals_ends_in_charge_lnds() -> None:
    text = "[a]\nstrategy = static\nfee_ppm = 500\nmin_fee_ppm = 10\nmax_fee_ppm = 300\n"
    assert new(decide_one(text)).fee_ppm == 500
    bounded = decide_one("[lnflow]\ndialect = lnflow\n" + text)
    assert (new(bounded).fee_ppm, "bounded to 300" in bounded.reason) == (300, True)
