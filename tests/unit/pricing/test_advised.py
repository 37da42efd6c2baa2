"""Advice becomes proposals under the same guards."""

from __future__ import annotations

from typing import Any

from tests.unit.pricing.builders import NOON_MONDAY_NS, channel, new, policy

from lnflow.advice.documents import Opportunity, Recommendation, UrgencyParts
from lnflow.pricing.advised import advised
from lnflow.pricing.decision import Action
from lnflow.pricing.facts import Unknown
from lnflow.pricing.guards import ChannelHistory, Guard, Pipeline, guard


def opportunity(rank: int = 1, **advice: Any) -> Opportunity:
    values: dict[str, Any] = {
        "type": "lower_fees",
        "channel": "840000x12x1",
        "amount_sat": None,
        "max_ppm": None,
        "fee_ppm": 80,
        "max_htlc_msat": None,
        "gain_per_month_msat": 9,
        "cost_msat": 1,
        "confidence": 0.5,
        "text": "Lower the price to 80 ppm.",
        "evidence": [],
    }
    return Opportunity(
        rank=rank,
        peer_pubkey=None,
        peer_alias=None,
        channels=[],
        cause="fee",
        confidence=0.5,
        attempts=1,
        attempted_msat=1,
        demands=1,
        servable_demands=1,
        offered_fee_msat=1,
        settle_chance=None,
        expected_missed_msat=1,
        low_msat=1,
        high_msat=1,
        per_month_msat=None,
        failure_rate=0.0,
        urgency=0.0,
        urgency_parts=UrgencyParts(revenue=0.0, frequency=0.0, rate=0.0),
        current_outbound_fee_ppm=None,
        marginal_gain=[],
        recommendation=Recommendation(**(values | advice)),
    )


def test_a_recommended_price_is_a_proposal_for_its_channel_alone() -> None:
    other = channel(scid=7, channel_point="bb:0")
    priced, untouched = advised([opportunity()], [channel(), other])
    assert (priced.action, priced.policy, priced.strategy) == (Action.UPDATE, "lower_fees", "advice")
    assert (new(priced).fee_ppm, new(priced).base_fee_msat) == (80, 1000)
    assert untouched.action is Action.NO_POLICY


def test_the_higher_rank_counts_and_other_advice_is_none_of_ours() -> None:
    listed = [opportunity(rank=2, fee_ppm=10), opportunity(rank=1, fee_ppm=90), opportunity(rank=0, type="investigate")]
    [decision] = advised(listed, [channel()])
    assert new(decision).fee_ppm == 90


def test_a_channel_without_an_id_or_a_known_policy_is_left() -> None:
    assert advised([opportunity(channel="ab:0")], [channel()])[0].action is Action.NO_POLICY
    assert advised([opportunity()], [channel(ours=Unknown("x"))])[0].action is Action.SKIPPED
    assert advised([opportunity(fee_ppm=100)], [channel()])[0].action is Action.NONE


def test_advice_moves_in_steps_keeps_intervals_and_may_be_rolled_back() -> None:
    [decision] = advised([opportunity(fee_ppm=100)], [channel(ours=policy(fee_ppm=1000))])
    pipeline = Pipeline(now_ns=NOON_MONDAY_NS, lnflow=True)
    assert new(guard(decision, ChannelHistory(), pipeline).decision).fee_ppm == 500
    recent = ChannelHistory(last_change_ns=NOON_MONDAY_NS - 3600 * 10**9)
    assert [note.guard for note in guard(decision, recent, pipeline).notes if note.refuses] == [Guard.INTERVAL]
    assert decision.rollback.enabled
