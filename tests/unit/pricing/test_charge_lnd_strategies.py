"""charge-lnd's strategies, its common properties and its order of application, by numbers."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.pricing.builders import PEER, channel, decide_one, new, node, policy, rule

from lnflow.domain.lacks import OLD_LND
from lnflow.pricing.decision import Action, StatusChange
from lnflow.pricing.facts import Balance, PeerFacts, Unknown

HTLC_LINES = ["min_htlc_msat = 5", "max_htlc_msat = 70_000", "time_lock_delta = 40", "base_fee_msat = 3"]


def test_ignore_touches_nothing() -> None:
    decision = decide_one(rule("strategy = ignore", "fee_ppm = 5", *HTLC_LINES))
    assert (decision.action, decision.new, decision.status_change) == (Action.NONE, decision.old, None)


def test_ignore_fees_sets_sizes_and_delta_only() -> None:
    values = new(decide_one(rule("strategy = ignore_fees", "fee_ppm = 5", "inbound_fee_ppm = -5", *HTLC_LINES)))
    assert (values.fee_ppm, values.base_fee_msat, values.inbound_fee_ppm) == (100, 1000, 0)
    assert (values.min_htlc_msat, values.max_htlc_msat, values.time_lock_delta) == (5, 70_000, 40)


def test_disable_sets_the_status_and_nothing_else() -> None:
    decision = decide_one(rule("strategy = disable", *HTLC_LINES))
    assert (decision.new, decision.status_change) == (decision.old, StatusChange.DISABLE)


def test_static_sets_what_is_there() -> None:
    values = new(decide_one(rule("strategy = static", "inbound_base_fee_msat = -3")))
    assert (values.base_fee_msat, values.fee_ppm, values.inbound_base_fee_msat) == (1000, 100, -3)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], (7, 70, -3, -30)),
        (["fee_ppm = 5"], (7, 5, -3, -30)),
        (["base_fee_msat = 1", "inbound_fee_ppm = -1"], (1, 70, -3, -1)),
        (["inbound_base_fee_msat = 0", "inbound_level_ppm = 0"], (7, 70, 0, -30)),
    ],
)
def test_match_peer_takes_what_is_not_written(lines: list[str], expected: tuple[int, ...]) -> None:
    theirs = policy(base_fee_msat=7, fee_ppm=70, inbound_base_fee_msat=-3, inbound_fee_ppm=-30)
    values = new(decide_one(rule("strategy = match_peer", *lines), channel(theirs=theirs)))
    got = (values.base_fee_msat, values.fee_ppm, values.inbound_base_fee_msat, values.inbound_fee_ppm)
    assert got == expected


@pytest.mark.parametrize("theirs", [None, Unknown("edge not found")])
def test_match_peer_without_a_peer_policy_is_skipped(theirs: Any) -> None:
    decision = decide_one(rule("strategy = match_peer"), channel(theirs=theirs))
    assert (decision.action, decision.new) == (Action.SKIPPED, None)


@pytest.mark.parametrize(
    ("fee_sat", "factor", "ppm"), [(1234, "1.5", 1851), (1234, "1", 1234), (None, "9", 1), (999, "0.5", 499)]
)
def test_cost(fee_sat: int | None, factor: str, ppm: int) -> None:
    facts = channel(funding_fee_sat=fee_sat)
    assert new(decide_one(rule("strategy = cost", f"cost_factor = {factor}"), facts)).fee_ppm == ppm


def test_cost_without_knowledge_of_the_funding_is_skipped() -> None:
    assert decide_one(rule("strategy = cost")).action is Action.SKIPPED


@pytest.mark.parametrize(
    ("lines", "feerate", "ppm"),
    [([], 50.0, 1115), (["onchain_fee_btc = 0.05"], 50.0, 2230), (["onchain_fee_numblocks = 2"], 10.0, 446)],
)
def test_onchain_fee(lines: list[str], feerate: float, ppm: int) -> None:
    facts = node(feerates_sat_per_vb={6: feerate, 2: 20.0})
    assert new(decide_one(rule("strategy = onchain_fee", *lines), None, facts)).fee_ppm == ppm


@pytest.mark.parametrize(
    ("active", "inactive", "ppm"),
    [
        (Balance(channels=1, local_msat=1, remote_msat=3), Balance(channels=1, local_msat=9), 250),
        (Balance(), Balance(channels=1, local_msat=1, remote_msat=1), 200),
    ],
)
def test_proportional_over_all_channels_with_the_peer(active: Balance, inactive: Balance, ppm: int) -> None:
    facts = channel(0, peer=PeerFacts(pubkey=PEER, active=active, inactive=inactive))
    lines = ["strategy = proportional", "min_fee_ppm = 100", "max_fee_ppm = 300", "sum_peer_chans = true"]
    assert new(decide_one(rule(*lines), facts)).fee_ppm == ppm


def test_proportional_is_never_below_zero_and_may_run_the_other_way() -> None:
    lines = ["strategy = proportional", "min_fee_ppm = -100", "max_fee_ppm = 100", "min_fee_ppm_delta = 0"]
    assert new(decide_one(rule(*lines), channel(1_000_000))).fee_ppm == 0
    lines = ["strategy = proportional", "min_fee_ppm = 300", "max_fee_ppm = 100"]
    assert new(decide_one(rule(*lines), channel(1_000_000))).fee_ppm == 300


@pytest.mark.parametrize(("delta", "ppm"), [("", 100), ("min_fee_ppm_delta = -1", 100), ("min_fee_ppm_delta = 0", 105)])
def test_proportional_brings_a_delta_of_ten(delta: str, ppm: int) -> None:
    lines = ["strategy = proportional", "min_fee_ppm = 5", "max_fee_ppm = 205", delta]
    assert new(decide_one(rule(*lines))).fee_ppm == ppm


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["max_htlc_msat = 5000"], 5000),
        (["max_htlc_msat = 0"], 990_000_000),
        (["max_htlc_msat_ratio = 0.5"], 495_000_000),
        (["max_htlc_msat_ratio = 7"], 980_000_000),
        (["max_htlc_msat_ratio = 0"], 990_000_000),
        (["max_htlc_msat_ratio = -1"], 990_000_000),
        (["max_htlc_msat_ratio = 0.5", "max_htlc_msat = 5000"], 5000),
        (["max_htlc_msat_ratio = 0.001", "max_htlc_msat = 5000000000"], 990_000),
        (["max_htlc_msat = 999_999_999"], 980_000_000),
    ],
)
def test_largest_htlc(lines: list[str], expected: int) -> None:
    """Capacity 1,000,000 sat, the peer's reserve 10,000; 980,000,000 msat may be pending."""
    facts = channel(remote_reserve_sat=10_000, max_pending_msat=980_000_000)
    assert new(decide_one(rule("strategy = static", *lines), facts)).max_htlc_msat == expected


def test_smallest_htlc_is_what_the_channel_allows() -> None:
    facts = channel(min_htlc_msat=1000)
    assert new(decide_one(rule("strategy = static", "min_htlc_msat = 5"), facts)).min_htlc_msat == 1000


@pytest.mark.parametrize(("ppm", "moved"), [(109, False), (110, True), (90, True), (91, False)])
def test_the_delta_is_inclusive(ppm: int, moved: bool) -> None:
    decision = decide_one(rule("strategy = static", f"fee_ppm = {ppm}", "min_fee_ppm_delta = 10"))
    assert (decision.action is Action.UPDATE) is moved


@pytest.mark.parametrize(
    ("level", "fee_ppm", "inbound"), [(150, 100, 0), (60, 100, -40), (60, 200, -140), (60, 105, -40)]
)
def test_inbound_level(level: int, fee_ppm: int, inbound: int) -> None:
    lines = [f"inbound_level_ppm = {level}", f"fee_ppm = {fee_ppm}", "min_fee_ppm_delta = 6", "strategy = static"]
    assert new(decide_one(rule(*lines))).inbound_fee_ppm == inbound


@pytest.mark.parametrize(
    ("wanted", "base", "expected"),
    [(-45, None, -50), (-40, None, -40), (0, None, 0), (-45, -7, -45), (-59, None, -50), (-60, None, -60)],
)
def test_a_small_inbound_move_is_held_unless_it_is_to_zero(wanted: int, base: int | None, expected: int) -> None:
    ours = policy(inbound_fee_ppm=-50)
    lines = [f"inbound_fee_ppm = {wanted}", "min_inbound_fee_ppm_delta = 10", "strategy = static"]
    lines += [] if base is None else [f"inbound_base_fee_msat = {base}"]
    assert new(decide_one(rule(*lines), channel(ours=ours))).inbound_fee_ppm == expected


def test_the_inbound_delta_is_the_outbound_one_by_default() -> None:
    lines = ["inbound_fee_ppm = -9", "min_fee_ppm_delta = 10", "strategy = static"]
    assert decide_one(rule(*lines)).action is Action.NONE


def test_an_old_lnd_has_no_inbound_fees() -> None:
    lines = ["inbound_fee_ppm = -9", "inbound_base_fee_msat = -9", "strategy = static"]
    assert decide_one(rule(*lines), None, node(lacks=OLD_LND)).action is Action.REFUSED


def test_a_stored_delta_below_the_nodes_minimum_is_raised_with_any_write() -> None:
    facts, lnd_021 = channel(ours=policy(time_lock_delta=18)), node(min_time_lock_delta=24)
    decision = decide_one(rule("strategy = static", "fee_ppm = 5"), facts, lnd_021)
    assert new(decision).time_lock_delta == 24
    assert "raised to the node's minimum" in decision.reason
    assert decide_one(rule("strategy = static", "fee_ppm = 100"), facts, lnd_021).action is Action.NONE


def test_an_unknown_policy_of_ours_skips_the_channel() -> None:
    decision = decide_one(rule("strategy = ignore"), channel(ours=Unknown("edge not found")))
    assert (decision.action, decision.old) == (Action.SKIPPED, None)


INNER = "[deep]\nstrategy = static\nfee_ppm = 50\nbase_fee_msat = 2\nmin_fee_ppm_delta = 60\n"


def test_use_config_takes_the_other_files_terms_and_delta() -> None:
    outer = rule("strategy = use_config", "config_file = file://in", "fee_ppm = 9", "time_lock_delta = 40")
    decision = decide_one(outer, files={"in": INNER})
    assert (decision.policy, decision.strategy) == ("deep (from in)", "static")
    values = new(decision)
    assert (values.fee_ppm, values.base_fee_msat, values.time_lock_delta) == (100, 2, 80)


def test_use_config_keeps_the_outer_delta_if_the_other_file_has_none() -> None:
    outer = rule("strategy = use_config", "config_file = in", "min_fee_ppm_delta = 60")
    inner = "[deep]\nstrategy = static\nfee_ppm = 50\n"
    assert decide_one(outer, files={"in": inner}).action is Action.NONE


def test_use_config_with_ignore_inside_touches_nothing() -> None:
    outer = rule("strategy = use_config", "config_file = in")
    facts = channel(ours=policy(disabled=True))
    assert decide_one(outer, facts, files={"in": "[a]\nstrategy = ignore\n"}).action is Action.NONE


@pytest.mark.parametrize(
    ("inner", "action"),
    [
        ("[a]\nstrategy = nonsense\n", Action.ERROR),
        ("[a]\nchan.id = nonsense\nstrategy = ignore\n", Action.ERROR),
        ("[a]\nchan.min_fee_ppm = 1\nstrategy = ignore\n", Action.SKIPPED),
        ("[a\n", Action.ERROR),
        ("[a]\nstrategy = use_config\nconfig_file = in\n", Action.ERROR),
        ("[a]\nstrategy = use_config\nconfig_file = policy.conf\n", Action.ERROR),
    ],
    ids=["typo", "bad criterion", "unknown fact", "no INI", "includes itself", "circle"],
)
def test_use_config_with_trouble_inside_leaves_the_channel_alone(inner: str, action: Action) -> None:
    outer = rule("strategy = use_config", "config_file = in")
    decision = decide_one(outer, channel(theirs=None), files={"in": inner, "policy.conf": outer})
    assert (decision.action, decision.new) == (action, None)


def test_use_config_may_nest() -> None:
    files = {"in": rule("strategy = use_config", "config_file = deeper"), "deeper": INNER}
    decision = decide_one(rule("strategy = use_config", "config_file = in"), files=files)
    assert (decision.policy, new(decision).base_fee_msat) == ("deep (from deeper)", 2)
