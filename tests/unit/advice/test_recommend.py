from __future__ import annotations

import pytest
from tests.unit.analysis.builders import DemandGroup, channel, demands, ends, facts

from lnflow.advice.analyzing import Selection, analyze
from lnflow.advice.documents import Opportunity
from lnflow.domain.causes import Cause, Circumstance
from lnflow.domain.channel import ChannelFacts


def advise(group: DemandGroup, *channels: ChannelFacts, settled: int = 90, downstream: int = 10) -> Opportunity:
    found = facts(
        group,
        channels=channels or (channel(1),),
        passed=(ends(1, settled=settled, downstream=downstream),),
    )
    [opportunity] = analyze(found, Selection(min_failures=0, min_missed_sat=0)).opportunities
    return opportunity


def test_lack_of_balance_asks_for_outbound_never_for_inbound() -> None:
    """Our refusals can only show missing outbound: the earlier lnflow had the direction inverted."""
    advice = advise(demands()).recommendation
    assert (advice.type, advice.channel) == ("rebalance_outbound", "840000x1x1")
    assert advice.amount_sat is not None
    assert 850_000 < advice.amount_sat <= 1_000_000  # ten wishes of 100,000, nine of ten settle
    assert advice.max_ppm is not None
    assert advice.max_ppm == 500  # what was offered: balance that one payment does not use serves the next


def test_no_more_than_fits_is_asked_for() -> None:
    advice = advise(demands(), channel(1, local_msat=9_800_000_000, remote_msat=200_000_000)).recommendation
    assert advice.amount_sat == 200_000


def test_a_rebalance_promises_what_its_amount_earns_once() -> None:
    """200,000 sat at 500 ppm are 100 sat, gone with the payments they serve; kept filled it would be more."""
    opportunity = advise(demands(), channel(1, local_msat=9_800_000_000, remote_msat=200_000_000))
    advice = opportunity.recommendation
    assert advice.gain_per_month_msat == 100_000
    assert advice.cost_msat is not None
    assert advice.cost_msat <= advice.gain_per_month_msat < (opportunity.per_month_msat or 0)
    assert "Once, that earns about 100 sat within a month" in advice.text
    assert "if it is kept filled" in advice.text


def test_of_parallel_channels_the_one_with_room_is_filled() -> None:
    full = channel(1, peer_id=7, remote_msat=1_000_000)
    empty = channel(2, peer_id=7, remote_msat=9_000_000_000)
    assert advise(demands(1), full, empty).recommendation.channel == "840000x2x1"


def test_idle_balance_elsewhere_is_named_as_the_source() -> None:
    idle = channel(2, local_msat=9_500_000_000, remote_msat=500_000_000)
    advice = advise(demands(1), channel(1), idle).recommendation
    assert "840000x2x1" in advice.text
    assert any("9,500,000 sat" in line for line in advice.evidence)


def test_too_large_for_max_htlc_raises_it() -> None:
    group = demands(cause=Cause.HTLC_EXCEEDS_MAX, amount_class=8, demands=1, open_msat=2_000_000_000)
    advice = advise(group).recommendation
    assert (advice.type, advice.max_htlc_msat) == ("raise_max_htlc", 2_000_000_000)


def test_too_large_for_the_channel_asks_for_capacity() -> None:
    small = channel(1, capacity_sat=1_000_000)
    group = demands(oversize=True, amount_class=8, demands=1, open_msat=3_000_000_000)
    advice = advise(group, small).recommendation
    assert (advice.type, advice.amount_sat) == ("increase_capacity", 2_000_000)


def test_a_lower_price_is_advised_only_where_it_brings_more_than_it_costs() -> None:
    group = demands(cause=Cause.FEE_INSUFFICIENT, open_fee_msat=400_000)  # 400 ppm; we ask 500
    cheap = advise(group, settled=5, downstream=0).recommendation
    dear = advise(group, settled=5_000, downstream=0).recommendation
    assert (cheap.type, cheap.fee_ppm) == ("lower_fees", 400)
    assert dear.type == "investigate"
    assert cheap.cost_msat is not None
    assert cheap.gain_per_month_msat is not None
    assert cheap.cost_msat < cheap.gain_per_month_msat


@pytest.mark.parametrize(
    ("group", "action", "cause"),
    [
        (
            demands(cause=Cause.FEE_INSUFFICIENT, circumstance=Circumstance.AFTER_RAISE),
            "investigate",
            "stale_fee",
        ),
        (
            demands(cause=Cause.UNKNOWN_NEXT_PEER, circumstance=Circumstance.LINK_DOWN),
            "fix_uptime",
            "offline",
        ),
        (demands(cause=Cause.UNKNOWN_NEXT_PEER), "investigate", "unattributed"),
        (demands(cause=Cause.HTLC_ADD_FAILED), "investigate", "slots"),
        (demands(cause=Cause.FORWARDS_DISABLED), "investigate", "other"),
    ],
)
def test_the_other_problems(group: DemandGroup, action: str, cause: str) -> None:
    opportunity = advise(group)
    assert (opportunity.recommendation.type, opportunity.cause) == (action, cause)


def test_the_evidence_has_the_working() -> None:
    evidence = advise(demands()).recommendation.evidence
    assert evidence[0].startswith("20 refused attempts (20 insufficient_balance), 10 distinct demands")
    assert "500 sat offered once per demand" in evidence[1]


def test_without_a_listing_there_is_no_invented_size() -> None:
    bare = channel(
        1, capacity_sat=None, local_msat=None, remote_msat=None, fee_ppm=None, max_htlc_msat=None, peer_id=None
    )
    advice = advise(demands(cause=Cause.HTLC_EXCEEDS_MAX), bare)
    assert advice.recommendation.type == "investigate"
    assert advice.current_outbound_fee_ppm is None


def test_a_rebalance_that_brings_less_than_1_ppm_is_not_advised() -> None:
    advice = advise(demands(open_fee_msat=900, offered_fee_msat=900)).recommendation
    assert advice.type == "investigate"
    assert "below 1 ppm" in advice.text


def test_closed_channels_are_not_acted_on() -> None:
    advice = advise(demands(), channel(1, closed=True)).recommendation
    assert (advice.type, advice.channel) == ("investigate", None)


def test_without_covered_time_nothing_is_promised_for_a_month() -> None:
    nothing_covered = facts(demands(), passed=(ends(1, settled=9, downstream=1),), covered=0.0)
    [opportunity] = analyze(nothing_covered, Selection(min_failures=0, min_missed_sat=0)).opportunities
    assert (opportunity.recommendation.type, opportunity.marginal_gain) == ("investigate", [])
    assert "none of the window is covered" in opportunity.recommendation.text
