"""The pipeline after the decision: steps, intervals, budget, equality, rails; charge-lnd files get two of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.unit.pricing.builders import NOON_MONDAY_NS, channel, decide_one, new, policy, rule

from lnflow.pricing.decision import Action, Decision, RollbackTerms, StatusChange
from lnflow.pricing.guards import ChannelHistory, Guard, Guarded, Pipeline, guard, guard_all
from lnflow.pricing.limits import Limits, Rails

HOUR_NS = 3600 * 10**9


def wants(fee_ppm: int, *more: str, now_ppm: int = 100, computed: bool = True) -> Decision:
    """A decision for `fee_ppm`, by a computed strategy whose bounds leave it no choice."""
    lines = ["strategy = cost_recovery" if computed else "strategy = static", f"fee_ppm = {fee_ppm}", *more]
    if computed:
        lines = ["strategy = revenue_max", f"fee_ppm = {fee_ppm}", *more]
    return decide_one(rule(*lines), channel(ours=policy(fee_ppm=now_ppm), price_levels=()))


def pipe(*, lnflow: bool = True, **changes: Any) -> Pipeline:
    return Pipeline(now_ns=NOON_MONDAY_NS, lnflow=lnflow, **changes)


def ago(hours: float) -> ChannelHistory:
    return ChannelHistory(last_change_ns=NOON_MONDAY_NS - round(hours * HOUR_NS))


def refusals(guarded: Guarded) -> list[Guard]:
    assert (guarded.decision.action is Action.REFUSED) == any(note.refuses for note in guarded.notes)
    return [note.guard for note in guarded.notes if note.refuses]


@pytest.mark.parametrize(
    ("now_ppm", "wanted", "goes"),
    [(100, 130, 130), (100, 400, 150), (100, 20, 50), (1000, 4000, 1500), (1, 400, 11), (0, 400, 10), (5, 0, 0)],
)
def test_computed_prices_move_at_most_a_step(now_ppm: int, wanted: int, goes: int) -> None:
    guarded = guard(wants(wanted, now_ppm=now_ppm), ChannelHistory(), pipe())
    assert (guarded.decision.action, new(guarded.decision).fee_ppm) == (Action.UPDATE, goes)


def test_written_prices_go_where_they_are_written_unless_a_limit_is_written_too() -> None:
    decision = wants(4000, computed=False)
    assert new(guard(decision, ChannelHistory(), pipe()).decision).fee_ppm == 4000
    limits = Limits(max_step_ratio=0.2, step_limits_all=True)
    assert new(guard(decision, ChannelHistory(), pipe(limits=limits)).decision).fee_ppm == 120


@pytest.mark.parametrize(("wanted", "refused"), [(104, True), (105, False), (96, True), (95, False)])
def test_a_move_below_the_smallest_step_is_refused_and_keeps_what_was_wanted(wanted: int, refused: bool) -> None:
    guarded = guard(wants(wanted), ChannelHistory(), pipe())
    assert refusals(guarded) == ([Guard.STEP] if refused else [])
    assert new(guarded.decision).fee_ppm == wanted


@pytest.mark.parametrize(("hours", "refused"), [(0.9, True), (3.9, True), (4.0, False)])
def test_lnflow_files_keep_their_interval(hours: float, refused: bool) -> None:
    guarded = guard(wants(130), ago(hours), pipe())
    assert refusals(guarded) == ([Guard.INTERVAL] if refused else [])


@pytest.mark.parametrize(("hours", "refused"), [(0.0, True), (0.99, True), (1.0, False), (-2.0, True)])
def test_charge_lnd_files_keep_the_hourly_floor_and_their_decision(hours: float, refused: bool) -> None:
    """A policy's time may run ahead of our clock: that too is less than an hour ago."""
    guarded = guard(wants(4000, computed=False), ago(hours), pipe(lnflow=False))
    assert refusals(guarded) == ([Guard.INTERVAL] if refused else [])
    assert new(guarded.decision).fee_ppm == 4000


def test_the_hourly_floor_holds_whatever_the_limits_say() -> None:
    guarded = guard(wants(130), ago(0.5), pipe(limits=Limits(min_interval_s=0)))
    assert refusals(guarded) == [Guard.INTERVAL]


def test_charge_lnd_files_have_no_budget_no_steps_and_no_cool_down() -> None:
    history = ChannelHistory(changes_last_day=99, rolled_back_ns=NOON_MONDAY_NS)
    unasked = structs.replace(wants(4000), rollback=RollbackTerms())
    guarded = guard(unasked, history, pipe(lnflow=False))
    assert (guarded.decision.action, new(guarded.decision).fee_ppm) == (Action.UPDATE, 4000)


def test_a_charge_lnd_rule_that_asks_for_rollbacks_rests_after_one() -> None:
    asking = structs.replace(wants(4000), rollback=RollbackTerms(enabled=True))
    history = ChannelHistory(rolled_back_ns=NOON_MONDAY_NS)
    assert refusals(guard(asking, history, pipe(lnflow=False))) == [Guard.COOL_DOWN]


def test_a_rail_refuses_a_charge_lnd_decision_and_bends_an_lnflow_one() -> None:
    rails = Rails(max_fee_ppm=120)
    upstream = guard(wants(400, computed=False), ChannelHistory(), pipe(lnflow=False, rails=rails))
    assert (refusals(upstream), new(upstream.decision).fee_ppm) == ([Guard.RAILS], 400)
    ours = guard(wants(400), ChannelHistory(), pipe(rails=rails))
    assert (ours.decision.action, new(ours.decision).fee_ppm) == (Action.UPDATE, 120)


def test_the_budget_of_a_channel() -> None:
    limits = Limits(max_changes_per_channel_per_day=6)
    assert refusals(guard(wants(130), ChannelHistory(changes_last_day=5), pipe(limits=limits))) == []
    spent = guard(wants(130), ChannelHistory(changes_last_day=6), pipe(limits=limits))
    assert refusals(spent) == [Guard.GOSSIP_BUDGET]


def test_a_run_changes_the_channels_that_move_furthest() -> None:
    decisions = [
        structs.replace(wants(ppm), channel_point=f"{index}:0") for index, ppm in enumerate((110, 150, 130, 102))
    ]
    guarded = guard_all(decisions, {}, pipe(limits=Limits(max_changes_per_run=2)))
    assert [g.decision.action for g in guarded] == [Action.REFUSED, Action.UPDATE, Action.UPDATE, Action.REFUSED]
    assert [refusals(g) for g in guarded] == [[Guard.GOSSIP_BUDGET], [], [], [Guard.STEP]]


@pytest.mark.parametrize(("hours", "refused"), [(71.9, True), (72.0, False)])
def test_after_a_rollback_nothing_is_tried_for_three_days(hours: float, refused: bool) -> None:
    history = ChannelHistory(rolled_back_ns=NOON_MONDAY_NS - round(hours * HOUR_NS))
    assert refusals(guard(wants(130), history, pipe())) == ([Guard.COOL_DOWN] if refused else [])


def test_positive_inbound_fees_need_a_node_that_takes_them() -> None:
    decision = decide_one(rule("strategy = static", "inbound_fee_ppm = 20"))
    for lnflow in (True, False):
        assert refusals(guard(decision, ChannelHistory(), pipe(lnflow=lnflow))) == [Guard.POSITIVE_INBOUND]
    accepted = guard(decision, ChannelHistory(), pipe(positive_inbound=True))
    assert accepted.decision.action is Action.UPDATE


def test_a_positive_inbound_fee_that_is_there_already_is_no_change() -> None:
    ours = policy(inbound_fee_ppm=20)
    decision = decide_one(rule("strategy = static", "fee_ppm = 5"), channel(ours=ours))
    assert guard(decision, ChannelHistory(), pipe(lnflow=False)).decision.action is Action.UPDATE


def test_a_rail_that_leaves_nothing_to_change_says_so() -> None:
    guarded = guard(wants(130), ChannelHistory(), pipe(rails=Rails(max_fee_ppm=100)))
    assert (refusals(guarded), new(guarded.decision).fee_ppm) == ([Guard.RAILS], 130)


def test_decisions_that_write_nothing_pass_untouched() -> None:
    for text in (rule("strategy = ignore"), "", rule("strategy = nonsense")):
        decision = decide_one(text)
        assert guard(decision, ago(0), pipe()).decision == decision


def test_a_status_change_alone_keeps_the_floor_too() -> None:
    decision = decide_one(rule("strategy = disable"))
    assert guard(decision, ChannelHistory(), pipe(lnflow=False)).decision.status_change is StatusChange.DISABLE
    assert refusals(guard(decision, ago(0.5), pipe(lnflow=False))) == [Guard.INTERVAL]


@pytest.mark.parametrize(("ours", "words"), [(True, "by a rule of ours"), (False, "manage_status = false")])
def test_enabling_says_who_had_disabled_the_channel(ours: bool, words: str) -> None:
    decision = decide_one(rule("strategy = static"), channel(ours=policy(disabled=True)))
    guarded = guard(decision, ChannelHistory(disabled_by_us=ours), pipe(lnflow=False))
    assert guarded.decision.status_change is StatusChange.ENABLE
    assert words in guarded.decision.reason


@given(
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.floats(0.01, 3),
    st.floats(0.01, 3),
)
def test_whatever_is_written_is_on_the_rails_and_within_a_step_of_them(
    now_ppm: int, wanted: int, low: int, width: int, step: float, least: float
) -> None:
    rails = Rails(min_fee_ppm=low, max_fee_ppm=low + width)
    limits = Limits(max_step_ratio=step, min_step_ratio=least)
    decision = guard(wants(wanted, now_ppm=now_ppm), ChannelHistory(), pipe(rails=rails, limits=limits)).decision
    if decision.writes:
        price = new(decision).fee_ppm
        assert low <= price <= low + width
        inside = low <= now_ppm <= low + width
        assert not inside or abs(price - now_ppm) <= max(10, step * now_ppm)
        assert price != now_ppm
