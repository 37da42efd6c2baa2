"""The vectors measured on charge-lnd 0.3.1 (charge_lnd.md §7), with rule files of our own that mean the same."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.unit.pricing.builders import DAY_S, PEER, POLICIES, build, channel, new, node, policy

from lnflow.domain.scid import parse_scid
from lnflow.pricing.decision import Action, Decision, StatusChange, decide
from lnflow.pricing.facts import ChannelFacts, Flow, NodeFacts, PeerFacts

LISTS = {
    "ignored_peers.list": "# nobody yet\n",
    "pool.list": "850000x1x0\nnot-a-channel\n851000x1x0, 852000x1x0  # two\n",
}


def decide_file(
    name: str,
    facts: ChannelFacts,
    node_facts: NodeFacts | None = None,
    lists: dict[str, str] | None = None,
) -> Decision:
    files = {path.name: path.read_text() for path in POLICIES.glob("*.conf")}
    file = build(files[name], files | (LISTS if lists is None else lists))
    return decide(file, facts, node_facts or node())


def prices(decision: Decision) -> tuple[int, int, int, int]:
    values = new(decision)
    return values.base_fee_msat, values.fee_ppm, values.inbound_base_fee_msat, values.inbound_fee_ppm


@pytest.mark.parametrize("name", ["all-static.conf", "include.conf"])
def test_one_price_for_all(name: str) -> None:
    decision = decide_file(name, channel())
    assert decision.action is Action.UPDATE
    assert prices(decision) == (1000, 200, -500, -100)


def test_an_included_file_names_itself_and_its_own_section() -> None:
    decision = decide_file("include.conf", channel())
    assert (decision.policy, decision.strategy) == ("everything (from all-static.conf)", "static")


@pytest.mark.parametrize(
    ("local_sat", "fee_ppm"),
    [(0, 300), (20_000, 296), (50_000, 290), (150_000, 270), (500_000, 200), (950_000, 110)],
)
def test_proportional(local_sat: int, fee_ppm: int) -> None:
    assert new(decide_file("all-proportional.conf", channel(local_sat))).fee_ppm == fee_ppm


def test_proportional_without_a_difference_writes_nothing() -> None:
    decision = decide_file("all-proportional.conf", channel(1_000_000))
    assert (decision.action, decision.new) == (Action.NONE, decision.old)


@pytest.mark.parametrize("local_sat", [0, 20_000])
def test_extremes_disable_an_empty_channel(local_sat: int) -> None:
    decision = decide_file("extremes.conf", channel(local_sat))
    assert decision.status_change is StatusChange.DISABLE
    assert (decision.action, decision.new) == (Action.UPDATE, decision.old)


@pytest.mark.parametrize(("local_sat", "fee_ppm"), [(50_000, 300), (150_000, 200)])
def test_extremes_price_what_is_nearly_empty(local_sat: int, fee_ppm: int) -> None:
    assert new(decide_file("extremes.conf", channel(local_sat))).fee_ppm == fee_ppm


def test_extremes_leave_the_rest() -> None:
    assert decide_file("extremes.conf", channel(950_000)).action is Action.NONE


def test_low_flow_takes_the_first_rule_that_matches() -> None:
    decision = decide_file("low-flow.conf", channel())
    assert (new(decision).fee_ppm, decision.policy) == (50, "quiet for a fortnight")


@pytest.mark.parametrize(
    ("local_sat", "fee_ppm"), [(0, 2000), (20_000, 392), (500_000, 200), (950_000, 20), (1_000_000, 0)]
)
def test_by_ratio(local_sat: int, fee_ppm: int) -> None:
    decision = decide_file("by-ratio.conf", channel(local_sat))
    assert new(decision).fee_ppm == fee_ppm
    assert new(decision).base_fee_msat == 1000, "[default] is not reached, so its base fee is not either"


def test_complex_balanced() -> None:
    decision = decide_file("complex.conf", channel())
    assert (decision.policy, prices(decision)) == ("balanced", (1000, 105, 0, 0))


@pytest.mark.parametrize(
    ("facts", "node_facts", "base_fee_msat"),
    [
        (channel(theirs=policy(base_fee_msat=0, fee_ppm=250)), node(), 0),
        (channel(), node(feerates_sat_per_vb={6: 600.0}), 5000),
        (channel(), node(synced_to_chain=False), 210_000),
    ],
    ids=["peer without base fee", "on-chain 600 sat/vB", "not synced"],
)
def test_complex_overlays_set_the_base_fee_and_proportional_its_price(
    facts: ChannelFacts, node_facts: NodeFacts, base_fee_msat: int
) -> None:
    assert prices(decide_file("complex.conf", facts, node_facts)) == (base_fee_msat, 105, 0, 0)


def test_complex_leaves_a_listed_peer_alone() -> None:
    decision = decide_file("complex.conf", channel(), lists=LISTS | {"ignored_peers.list": PEER + "\n"})
    assert (decision.action, decision.strategy, decision.status_change) == (Action.NONE, "ignore", None)


@pytest.mark.parametrize(("last", "fee_ppm"), [(1, 3500), (2, None), (3, None), (4, 3500)])
def test_complex_a_missing_comma_loses_the_two_ids_beside_it(last: int, fee_ppm: int | None) -> None:
    facts = channel(peer=PeerFacts(pubkey=f"02{'a' * 62}0{last}", graph_channels=10))
    decision = decide_file("complex.conf", facts)
    assert (decision.policy == "drains") is (fee_ppm is not None)
    if fee_ppm is not None:
        assert new(decision).fee_ppm == fee_ppm


def test_complex_match_peer_keeps_the_overlaid_base_fee() -> None:
    facts = channel(theirs=policy(base_fee_msat=3000, fee_ppm=9000))
    decision = decide_file("complex.conf", facts)
    assert (decision.strategy, prices(decision)) == ("match_peer", (1000, 9000, 0, 0))


def test_complex_small_node() -> None:
    small = PeerFacts(pubkey=PEER, graph_channels=5, graph_capacity_sat=100_000_000)
    assert prices(decide_file("complex.conf", channel(900_000, peer=small))) == (0, 1, 0, 0)


@pytest.mark.parametrize(("share", "expected"), [(0.95, (500, 5)), (0.1, (10_000, 500))])
def test_complex_large_channels(share: float, expected: tuple[int, int]) -> None:
    facts = channel(round(3_000_000 * share), capacity_sat=3_000_000)
    assert prices(decide_file("complex.conf", facts))[:2] == expected


def test_complex_cost_of_a_channel_we_opened() -> None:
    decision = decide_file("complex.conf", channel(100_000, funding_fee_sat=1234))
    assert (decision.strategy, new(decision).fee_ppm) == ("cost", 1851)


def test_complex_default() -> None:
    decision = decide_file("complex.conf", channel(100_000, initiator=False))
    assert (decision.policy, prices(decision)) == ("default", (1000, 10, -500, -5))


def test_complex_pool_file() -> None:
    facts = channel(100_000, initiator=False, scid=parse_scid("851000x1x0"))
    assert prices(decide_file("complex.conf", facts))[:2] == (500, 1)
    files = {path.name: path.read_text() for path in POLICIES.glob("*.conf")}
    problems = [p for p in build(files["complex.conf"], LISTS).problems if p.file == "pool.list"]
    assert [(p.line, "not-a-channel" in p.text) for p in problems] == [(2, True)]


@pytest.mark.parametrize(("share", "fee_ppm"), [(0.2, 162), (0.9, 28)])
def test_complex_bounds_are_inclusive_and_prices_truncated(share: float, fee_ppm: int) -> None:
    ours = policy(fee_ppm=1)
    assert new(decide_file("complex.conf", channel(round(share * 10**6), ours=ours))).fee_ppm == fee_ppm


def test_complex_a_missing_list_file_skips_the_channel() -> None:
    lists = {"ignored_peers.list": ""}
    decision = decide_file("complex.conf", channel(), lists=lists)
    assert decision.action is Action.SKIPPED
    assert decision.problem is not None
    assert "pool.list" in decision.problem.text
    assert decision.problem.section == "pool"


def test_a_channel_with_outflow_in_the_last_week_is_not_quiet() -> None:
    flows = {14 * DAY_S: Flow(days=14.0, htlcs_out=1), 7 * DAY_S: Flow(days=7.0, htlcs_out=1)}
    decision = decide_file("low-flow.conf", structs.replace(channel(), flows=flows))
    assert (decision.policy, new(decision).fee_ppm) == ("default", 150)
