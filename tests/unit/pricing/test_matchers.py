"""Every criterion on both sides of each inclusive bound; what cannot be evaluated skips the channel."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.pricing.builders import DAY_S, NOON_MONDAY_NS, PEER, channel, decide_one, node, policy, rule

from lnflow.domain.scid import parse_scid
from lnflow.pricing.decision import Action
from lnflow.pricing.facts import Balance, Flow, PeerFacts, Unknown

UNKNOWN = Unknown("the store is empty")
HOUR_NS = 3600 * 10**9


def matches(criteria: str, facts: Any = None, node_facts: Any = None, **more: Any) -> bool:
    """Whether the rule decided (True), or was passed over (False); any other end fails the test."""
    decision = decide_one(rule(criteria, "strategy = ignore"), facts, node_facts, **more)
    assert decision.action in {Action.NONE, Action.NO_POLICY}, decision.reason
    return decision.action is Action.NONE


def peer(**changes: Any) -> PeerFacts:
    values: dict[str, Any] = {
        "pubkey": PEER,
        "alias": "Big [Hub] 1",
        "graph_channels": 10,
        "graph_capacity_sat": 1_000_000,
        "alternatives": 3,
        "active": Balance(channels=2, local_msat=300_000_000, remote_msat=700_000_000),
        "inactive": Balance(channels=1, local_msat=200_000_000, remote_msat=300_000_000),
    }
    return PeerFacts(**(values | changes))


def flow(window_days: int = 7, **changes: Any) -> dict[str, Any]:
    return {"flows": {window_days * DAY_S: Flow(**({"days": float(window_days)} | changes))}}


BUSY = flow(htlcs_in=3, htlcs_out=9, in_msat=2_000_000, out_msat=6_000_000, earned_msat=5_000)
PERIOD = "chan.activity_period = 7d\n"

# key without min_/max_, the value of the channel, a step below, a step above, the facts
BOUNDS: list[tuple[str, str, str, str, Any]] = [
    ("chan.{}_ratio", "0.25", "0.2499", "0.2501", channel(250_000)),
    ("chan.{}_capacity", "1_000_000", "999_999", "1_000_001", channel()),
    ("chan.{}_local_balance", "250000", "249999", "250001", channel(250_000)),
    ("chan.{}_remote_balance", "750000", "749999", "750001", channel(250_000)),
    ("chan.{}_base_fee_msat", "7", "6", "8", channel(theirs=policy(base_fee_msat=7))),
    ("chan.{}_fee_ppm", "70", "69", "71", channel(theirs=policy(fee_ppm=70))),
    ("chan.{}_age", "5000", "4999", "5001", channel()),
    ("chan.{}_age_days", "34.5", "34.4", "34.6", channel(age_s=34.5 * DAY_S)),
    ("chan.{}_count_pending_htlcs", "2", "1", "3", channel(pending_htlcs=2)),
    ("chan.{}_next_pending_htlc_expiry", "40", "39", "41", channel(next_expiry_height=845_040)),
    (PERIOD + "chan.{}_htlcs_in", "3", "2", "4", channel(**BUSY)),
    (PERIOD + "chan.{}_htlcs_out", "9", "8", "10", channel(**BUSY)),
    (PERIOD + "chan.{}_sats_in", "2000", "1999", "2001", channel(**BUSY)),
    (PERIOD + "chan.{}_sats_out", "6000", "5999", "6001", channel(**BUSY)),
    (PERIOD + "chan.{}_htlcs_ratio", "0.25", "0.24", "0.26", channel(**BUSY)),
    (PERIOD + "chan.{}_sats_ratio", "0.25", "0.24", "0.26", channel(**BUSY)),
    ("node.{}_channels", "10", "9", "11", channel(peer=peer())),
    ("node.{}_capacity", "1000000", "999999", "1000001", channel(peer=peer())),
    ("node.{}_shared_channels_active", "2", "1", "3", channel(peer=peer())),
    ("node.{}_shared_channels_inactive", "1", "0", "2", channel(peer=peer())),
    ("node.{}_shared_capacity_active", "1000000", "999999", "1000001", channel(peer=peer())),
    ("node.{}_shared_capacity_inactive", "500000", "499999", "500001", channel(peer=peer())),
    ("node.{}_shared_ratio_active", "0.3", "0.29", "0.31", channel(peer=peer())),
    ("node.{}_shared_ratio_inactive", "0.4", "0.39", "0.41", channel(peer=peer())),
    ("onchain.{}_fee_rate", "10", "9.99", "10.01", channel()),
    ("network.{}_alternatives", "3", "2", "4", channel(peer=peer())),
]
FITTING_RATIO = channel(peer=peer(inactive=Balance(channels=1, local_msat=300_000_000, remote_msat=700_000_000)))
BOUNDS.append(("node.{}_shared_ratio", "0.3", "0.29", "0.31", FITTING_RATIO))

# key with .min/.max at its end
SUFFIXED: list[tuple[str, str, str, str, Any]] = [
    ("flow.7d", "8000", "7999", "8000.001", channel(**BUSY)),
    ("flow.7d.in", "2000", "1999.999", "2000.001", channel(**BUSY)),
    ("flow.7d.out", "6000", "5999", "6001", channel(**BUSY)),
    ("revenue.7d", "5", "4.999", "5.001", channel(**BUSY)),
    ("missed.7d", "40", "39", "41", channel(missed_msat={7 * DAY_S: 40_000})),
    ("profit.30d", "-40", "-41", "-39", channel(profit_msat={30 * DAY_S: -40_000})),
    ("peer.fee_ratio", "0.5", "0.49", "0.51", channel(ours=policy(fee_ppm=50), theirs=policy(fee_ppm=100))),
    ("flow.12h", "1", "0.9", "1.1", channel(flows={43_200: Flow(days=0.5, in_msat=1000)})),
]
PAIRS = [(key.format("min"), key.format("max"), *rest) for key, *rest in BOUNDS] + [
    (f"{key}.min", f"{key}.max", *rest) for key, *rest in SUFFIXED
]


@pytest.mark.parametrize(("least", "most", "value", "below", "above", "facts"), PAIRS)
def test_bounds_include_their_ends(least: str, most: str, value: str, below: str, above: str, facts: Any) -> None:
    assert matches(f"{least} = {value}", facts)
    assert matches(f"{most} = {value}", facts)
    assert matches(f"{least} = {below}", facts)
    assert not matches(f"{least} = {above}", facts)
    assert matches(f"{most} = {above}", facts)
    assert not matches(f"{most} = {below}", facts)


@pytest.mark.parametrize(
    ("criteria", "yes", "no"),
    [
        ("chan.initiator = yes", channel(initiator=True), channel(initiator=False)),
        ("chan.initiator = 0", channel(initiator=False), channel(initiator=True)),
        ("chan.private = TRUE", channel(private=True), channel(private=False)),
        ("chan.disabled = on", channel(theirs=policy(disabled=True)), channel()),
        ("chan.disabled = off", channel(), channel(theirs=policy(disabled=True))),
        ("node.id = " + PEER, channel(peer=peer()), channel(peer=peer(pubkey="03" + "cd" * 32))),
        ("node.alias = big*", channel(peer=peer()), channel(peer=peer(alias="small"))),
        ("node.alias = x, *[HUB] ?", channel(peer=peer()), channel(peer=peer(alias="Big H 1"))),
        ("node.alias = a", channel(peer=peer(alias="A")), channel(peer=peer(alias=None))),
    ],
)
def test_words_and_flags(criteria: str, yes: Any, no: Any) -> None:
    assert matches(criteria, yes)
    assert not matches(criteria, no)


@pytest.mark.parametrize("wanted", ["840000x12x1", "840000:12:1", str(parse_scid("840000x12x1")), "1x1x1, 840000x12x1"])
def test_channel_ids_in_every_form(wanted: str) -> None:
    assert matches(f"chan.id = {wanted}")
    assert not matches(f"chan.id = {wanted}", channel(scid=parse_scid("840001x12x1")))
    alias = parse_scid("16000000x0x1")
    assert matches(f"chan.id = {wanted}", channel(scid=alias, other_scids=(parse_scid("840000x12x1"),)))


def test_ids_from_a_file_with_comments_commas_and_bad_lines() -> None:
    text = "# ours\n1x1x1, 840000x12x1 # the big one\nnonsense\n"
    assert matches("chan.id = file://ids", files={"ids": text})
    assert matches("chan.id = 2x2x2, file://ids", files={"ids": text})
    assert not matches("chan.id = file://ids", files={"ids": "# 840000x12x1\n"})


def test_synced_to_chain() -> None:
    assert matches("onchain.synced_to_chain = true")
    assert not matches("onchain.synced_to_chain = true", node_facts=node(synced_to_chain=False))


def test_the_confirmation_target_is_at_least_two() -> None:
    assert matches("onchain.conf_target = 1\nonchain.min_fee_rate = 20")
    assert not matches("onchain.conf_target = 144\nonchain.min_fee_rate = 2.1")


@pytest.mark.parametrize(
    ("moved_sat", "level"),
    [(0, "inactive"), (299_999, "low"), (300_000, "medium"), (2_999_999, "medium"), (3_000_000, "high")],
)
def test_activity_levels_are_shares_of_capacity_a_day(moved_sat: int, level: str) -> None:
    facts = channel(**flow(30, in_msat=moved_sat * 1000))
    assert matches(f"activity.level = {level}", facts)
    assert not matches("activity.level = " + ", ".join({"inactive", "low", "medium", "high"} - {level}), facts)


def test_activity_thresholds_are_set_in_the_file() -> None:
    facts = channel(**flow(30, in_msat=3_000_000_000))
    text = "[lnflow]\nactivity_low = 0.2\n" + rule("activity.level = low", "strategy = ignore")
    assert decide_one(text, facts).action is Action.NONE


@pytest.mark.parametrize(
    ("hours", "clock_h", "expected"),
    [
        ("09:00-17:00", 9, True),
        ("09:00-17:00", 17, True),
        ("09:01-17:00", 9, False),
        ("09:00-16:59", 17, False),
        ("22:00-06:00", 23, True),
        ("22:00-06:00", 6, True),
        ("22:00-06:00", 7, False),
    ],
)
def test_time_of_day_may_cross_midnight(hours: str, clock_h: int, expected: bool) -> None:
    at = node(now_ns=NOON_MONDAY_NS + (clock_h - 12) * HOUR_NS)
    assert matches(f"time.of_day = {hours}", node_facts=at) is expected
    assert matches(f"time_of_day = {hours}", node_facts=at) is expected


def test_times_are_in_the_zone_of_the_file() -> None:
    text = "[lnflow]\ntimezone = Asia/Tokyo\n" + rule(
        "time.of_day = 21:00-21:00", "time.day_of_week = mon", "strategy = ignore"
    )
    assert decide_one(text).action is Action.NONE  # 12:00 UTC is 21:00 in Tokyo
    assert decide_one(text.replace("Asia/Tokyo", "UTC")).action is Action.NO_POLICY


@pytest.mark.parametrize(("days", "expected"), [("mon", True), ("1-5", True), ("sat-mon", True), ("tue, 3-7", False)])
def test_days_of_the_week(days: str, expected: bool) -> None:
    assert matches(f"time.day_of_week = {days}") is expected


def test_old_spellings_mean_the_same() -> None:
    assert matches("revenue_7d_min = 5", channel(**BUSY))
    assert not matches("revenue_7d_min = 6", channel(**BUSY))


@pytest.mark.parametrize(
    ("criteria", "facts"),
    [
        (PERIOD + "chan.min_htlcs_ratio = 0", channel(**flow(htlcs_in=0))),
        ("chan.max_next_pending_htlc_expiry = 999", channel()),
        ("node.max_shared_ratio_active = 1", channel(peer=peer(active=Balance()))),
        ("node.max_shared_ratio_inactive = 1", channel(peer=peer(inactive=Balance()))),
    ],
    ids=["no traffic", "no pending", "no active", "no inactive"],
)
def test_what_does_not_exist_does_not_match(criteria: str, facts: Any) -> None:
    assert not matches(criteria, facts)


@pytest.mark.parametrize(
    ("criteria", "facts"),
    [
        ("chan.min_ratio = 0", channel(0, capacity_sat=1_000_000, remote_msat=0)),
        ("chan.min_fee_ppm = 0", channel(theirs=None)),
        ("chan.min_fee_ppm = 0", channel(theirs=UNKNOWN)),
        ("chan.min_age = 0", channel(age_blocks=UNKNOWN)),
        ("chan.min_age_days = 0", channel(age_s=UNKNOWN)),
        (PERIOD + "chan.max_htlcs_in = 9", channel(flows={7 * DAY_S: UNKNOWN})),
        (PERIOD + "chan.max_htlcs_in = 9", channel(age_blocks=UNKNOWN)),
        ("node.max_channels = 99", channel(peer=peer(graph_channels=UNKNOWN))),
        ("node.max_capacity = 9999999", channel(peer=peer(graph_capacity_sat=UNKNOWN))),
        ("node.max_shared_ratio = 1", channel(peer=peer(active=Balance(), inactive=Balance()))),
        ("node.alias = *", channel(peer=peer(alias=UNKNOWN))),
        ("network.min_alternatives = 0", channel(peer=peer(alternatives=UNKNOWN))),
        ("onchain.conf_target = 3\nonchain.max_fee_rate = 9", channel()),
        ("flow.9d.max = 99", channel()),
        ("missed.7d.max = 99", channel()),
        ("profit.30d.max = 99", channel(profit_msat={30 * DAY_S: UNKNOWN})),
        ("activity.level = inactive", channel(**flow(30, days=0.0))),
        ("peer.fee_ratio.max = 9", channel(theirs=policy(fee_ppm=0))),
        ("peer.fee_ratio.max = 9", channel(ours=UNKNOWN)),
        ("peer.fee_ratio.max = 9", channel(theirs=None)),
    ],
)
def test_what_is_not_known_skips_the_channel(criteria: str, facts: Any) -> None:
    text = rule(criteria, "strategy = static", "fee_ppm = 1") + "[default]\nstrategy = disable\n"
    decision = decide_one(text, facts)
    assert (decision.action, decision.policy, decision.new) == (Action.SKIPPED, "rule", None)
    assert criteria.splitlines()[-1].split(" =")[0].rsplit("_", 1)[0] in decision.reason or "period" in decision.reason


def test_what_is_not_known_does_not_matter_where_another_criterion_fails() -> None:
    text = rule("missed.7d.min = 1", "chan.min_capacity = 2_000_000", "strategy = disable")
    assert decide_one(text + "[default]\nstrategy = ignore").policy == "default"


@pytest.mark.parametrize(
    "criteria",
    [
        "chan.min_ratio = much",
        "chan.min_capacity = 1.5",
        "chan.private = maybe",
        "chan.id = 1x1x1, nonsense",
        "chan.id = file://missing",
        "chan.nonsense = 1",
        "node.nonsense = 1",
        "onchain.nonsense = 1",
        "chan.activity_period = 7w\nchan.max_htlcs_in = 9",
        "flow.7x.min = 1",
        "flow.0d.min = 1",
        "revenue.7d.in.min = 1",
        "activity.level = busy",
        "time.of_day = 25:00-26:00",
        "time.day_of_week = someday",
        "chan.max_ratio = ${nowhere}",
    ],
)
def test_what_cannot_be_read_skips_the_channel_and_names_the_line(criteria: str) -> None:
    decision = decide_one(rule(criteria, "strategy = disable"))
    assert decision.action is Action.SKIPPED
    assert decision.problem is not None
    assert (decision.problem.section, decision.problem.line) in {("rule", 2), ("rule", 3)}


def test_an_unreadable_criterion_is_not_reached_behind_another_namespace_that_fails() -> None:
    text = rule("node.max_channels = 1", "chan.id = file://missing", "strategy = disable")
    assert decide_one(text).action is Action.NO_POLICY


def test_an_unknown_namespace_matches_nothing() -> None:
    assert not matches("moon.phase = full")


def test_young_channels_do_not_match_a_period_unless_told() -> None:
    young = channel(age_blocks=6 * 24 * 7 - 1, **flow())
    old = channel(age_blocks=6 * 24 * 7, **flow())
    assert matches(PERIOD + "chan.max_htlcs_in = 0", old)
    assert not matches(PERIOD + "chan.max_htlcs_in = 0", young)
    for switch in ("chan.activity_period_ignore_channel_age", "chan.activity_period_requires_age"):
        assert matches(PERIOD + f"{switch} = false\nchan.max_htlcs_in = 0", young)
        assert not matches(PERIOD + f"{switch} = true\nchan.max_htlcs_in = 0", young)


@pytest.mark.parametrize("period", ["604800", "604800s", "10080m", "168h", "7d"])
def test_periods_in_every_unit(period: str) -> None:
    facts = channel(**flow())
    assert matches(f"chan.activity_period = {period}\nchan.max_htlcs_in = 0", facts)
