"""The true answer, in worlds where it can be worked out by hand."""

from __future__ import annotations

from tests.unit.simulation_world.tiny_worlds import (
    FEE_PPM,
    OTHER,
    SINK,
    SOURCE,
    plain_population,
    sink_peer,
    tiny_world,
)

from lnflow.domain.causes import Cause, Problem
from lnflow.domain.htlc import DownstreamFailed, Offered, Refused
from lnflow.domain.time import HOUR_NS
from lnflow.simulation.world import Truth, WorldSpec, expected_truth, record, truth
from lnflow.simulation.world.run import settle_accounts
from lnflow.simulation.world.spec import Amounts, PolicyChange, Prober


def offered_fees(spec: WorldSpec, seed: int, cause: Cause) -> list[int]:
    """What refused HTLCs offered, in order of time: the naive list."""
    return [
        e.amount_in_msat - e.amount_out_msat
        for e in record(spec, seed).events
        if isinstance(e, Refused) and e.cause is cause and e.amount_in_msat and e.amount_out_msat
    ]


def the_truth(spec: WorldSpec, seed: int, problem: Problem, peer: str = "sink") -> Truth:
    pubkeys = {alias: pubkey for pubkey, alias in record(spec, seed).aliases.items()}
    return truth(spec, seed)[pubkeys[peer], problem]


def test_each_refused_demand_would_have_paid_its_offer() -> None:
    """One attempt each, nobody comes back, everything arrives: here alone the naive sum is the truth."""
    spec = tiny_world(sink=sink_peer(local_share=0.0))
    fees = offered_fees(spec, 1, Cause.INSUFFICIENT_BALANCE)
    assert len(fees) > 30
    # 100,000 sat and 1 sat and up to 1,500 ppm for later hops, at 1,000 ppm
    assert all(100_001 <= fee <= 100_151 for fee in fees)
    in_flight_at_the_end = 1
    missing = sum(fees) - the_truth(spec, 1, Problem.LIQUIDITY).window_msat
    assert 0 <= missing <= in_flight_at_the_end * 100_151


def test_repeats_count_once() -> None:
    """Everybody comes back three times: four refusals, one fee."""
    stubborn = plain_population(returns=3, return_minutes=5.0)
    spec = tiny_world(sink=sink_peer(local_share=0.0), populations=(stubborn,))
    naive = sum(offered_fees(spec, 1, Cause.INSUFFICIENT_BALANCE))
    assert 3.7 < naive / the_truth(spec, 1, Problem.LIQUIDITY).window_msat <= 4.0


def test_parts_count_as_one_payment() -> None:
    """Refused whole, then halves, quarters …: all of them together offered about twice the fee."""
    splitting = plain_population(mpp=True)
    spec = tiny_world(sink=sink_peer(local_share=0.0), populations=(splitting,))
    naive = sum(offered_fees(spec, 1, Cause.INSUFFICIENT_BALANCE))
    whole = tiny_world(sink=sink_peer(local_share=0.0))
    assert naive > 1.8 * sum(offered_fees(whole, 1, Cause.INSUFFICIENT_BALANCE))
    assert the_truth(spec, 1, Problem.LIQUIDITY) == the_truth(whole, 1, Problem.LIQUIDITY)


def test_what_never_arrives_is_worth_nothing() -> None:
    """One payer, 7.5 M sat, eight tries each time: the way behind us never carries it."""
    whale = plain_population(
        amounts=(Amounts(median_sat=7_500_000),),
        per_day=3.0,
        payers=1,
        returns=7,
        reach_sat=400_000,
    )
    spec = tiny_world(sink=sink_peer(local_share=0.0, capacity_sat=20_000_000), populations=(whale,))
    assert sum(offered_fees(spec, 3, Cause.INSUFFICIENT_BALANCE)) > 50_000_000
    assert the_truth(spec, 3, Problem.LIQUIDITY).window_msat == 0


def test_probes_are_worth_nothing() -> None:
    prober = Prober(in_peer=SOURCE, out_peer=SINK, sessions_per_day=20)
    no_payer = (plain_population(per_day=0.0),)
    spec = tiny_world(sink=sink_peer(local_share=0.2), populations=no_payer, probers=(prober,))
    assert offered_fees(spec, 1, Cause.INSUFFICIENT_BALANCE)
    assert the_truth(spec, 1, Problem.LIQUIDITY).window_msat == 0


def test_a_demand_that_another_of_our_peers_served_is_not_missed() -> None:
    """Refused at the sink, paid through the other peer at the same price: the difference is a few msat."""
    either = plain_population(out_peers=(SINK, OTHER))
    spec = tiny_world(sink=sink_peer(local_share=0.0), populations=(either,))
    naive = sum(offered_fees(spec, 1, Cause.INSUFFICIENT_BALANCE))
    assert abs(the_truth(spec, 1, Problem.LIQUIDITY).window_msat) < naive / 200


def test_those_who_remember_our_failures_come_back_when_there_are_none() -> None:
    """Ten payers who avoid us for hours: few refusals are seen, the demand behind them is all there."""
    silenced = plain_population(payers=10, memory_minutes=600.0)
    spec = tiny_world(sink=sink_peer(local_share=0.0), populations=(silenced,))
    frank = tiny_world(sink=sink_peer(local_share=0.0))
    assert sum(offered_fees(spec, 1, Cause.INSUFFICIENT_BALANCE)) < 0.6 * sum(
        offered_fees(frank, 1, Cause.INSUFFICIENT_BALANCE)
    )
    silent = the_truth(spec, 1, Problem.LIQUIDITY).window_msat
    assert abs(silent - the_truth(frank, 1, Problem.LIQUIDITY).window_msat) <= 2 * 100_151


def test_inbound_that_runs_out_limits_what_outbound_would_have_earned() -> None:
    """The source can send us ten times 100,000 sat, not more."""
    spec = tiny_world(sink=sink_peer(local_share=0.0))
    source = spec.peers[SOURCE]
    narrow = type(source)(
        alias="source",
        fee_ppm=FEE_PPM,
        channels=(type(source.channels[0])(capacity_sat=2_000_000, local_share=0.47),),
    )
    spec = tiny_world(sink=spec.peers[SINK])
    peers = (narrow, *spec.peers[1:])
    limited = WorldSpec(
        name="tiny", hours=24.0, warmup_hours=0.0, strays_per_day=0.0, peers=peers, populations=spec.populations
    )
    assert the_truth(limited, 1, Problem.LIQUIDITY).window_msat // 100_000 == 10


def test_an_absent_peer_cost_what_was_refused_meanwhile() -> None:
    spec = tiny_world(sink=sink_peer(local_share=0.9, offline_h=((6.0, 12.0),)))
    refused = sum(offered_fees(spec, 1, Cause.UNKNOWN_NEXT_PEER))
    assert refused > 0
    # payments whose HTLC was under way when the peer left settle in either run
    assert the_truth(spec, 1, Problem.OFFLINE).window_msat == refused


def test_those_who_heed_the_disabled_channel_count_as_missed_too() -> None:
    away = sink_peer(local_share=0.9, offline_h=((6.0, 12.0),))
    frank = tiny_world(sink=away)
    heeding = tiny_world(sink=away, populations=(plain_population(heeds_disabled=1.0, gossip_minutes=0.1),))
    seen = sum(offered_fees(heeding, 1, Cause.UNKNOWN_NEXT_PEER))
    assert seen < 0.3 * sum(offered_fees(frank, 1, Cause.UNKNOWN_NEXT_PEER))
    assert the_truth(heeding, 1, Problem.OFFLINE) == the_truth(frank, 1, Problem.OFFLINE)


def test_a_limit_on_size_cost_what_it_refused() -> None:
    defiant = plain_population(heeds_max_htlc=0.0)
    spec = tiny_world(sink=sink_peer(local_share=0.9, max_htlc_sat=50_000), populations=(defiant,))
    fees = offered_fees(spec, 1, Cause.HTLC_EXCEEDS_MAX)
    assert 0 <= sum(fees) - the_truth(spec, 1, Problem.SIZE).window_msat <= 100_151


def test_stale_senders_who_pay_our_new_price_at_once_are_a_gain_not_a_loss() -> None:
    """Accepting the old price would have earned less, by the raise for every payer who tried it."""
    raise_price = (PolicyChange(at_h=1.0, peer=SINK, fee_ppm=1_500),)
    stale = {"gossip_minutes": 100_000.0}
    willing = tiny_world(policy_changes=raise_price, populations=(plain_population(fee_retry=1.0, **stale),))
    stubborn = tiny_world(policy_changes=raise_price, populations=(plain_population(fee_retry=0.0, **stale),))
    assert the_truth(willing, 1, Problem.FEE).window_msat < 0
    lost = sum(offered_fees(stubborn, 1, Cause.FEE_INSUFFICIENT))
    assert 0 <= lost - the_truth(stubborn, 1, Problem.FEE).window_msat <= 100_151


def test_lifting_what_stood_in_nobodys_way_changes_nothing() -> None:
    """Common random numbers: not one payment pays more or less."""
    spec = tiny_world(populations=(plain_population(mpp=True, dead_share=0.2, reach_sigma=1.0),))
    base = settle_accounts(spec, 1)
    assert base.met == frozenset()
    for problem in (Problem.LIQUIDITY, Problem.OFFLINE, Problem.SIZE, Problem.FEE):
        assert settle_accounts(spec, 1, lifted=(SINK, problem)).fee_msat == base.fee_msat
    assert truth(spec, 1) == {}


def test_recording_changes_nothing() -> None:
    """A run that is written down pays the same as one that is not."""
    spec = tiny_world(sink=sink_peer(local_share=0.012))
    recording = record(spec, 1)
    fees = sum(f.amount_in_msat - f.amount_out_msat for f in recording.forwards)
    assert fees == sum(settle_accounts(spec, 1).fee_msat) > 0


def test_downstream_failures_lower_the_truth_alone() -> None:
    """Half of all receivers are dead: half of the naive sum, and the failures show where we do forward."""
    population = plain_population(dead_share=0.5, per_day=200.0)
    spec = tiny_world(sink=sink_peer(local_share=0.0), populations=(population,))
    naive = sum(offered_fees(spec, 1, Cause.INSUFFICIENT_BALANCE))
    assert 0.4 < the_truth(spec, 1, Problem.LIQUIDITY).window_msat / naive < 0.6
    served = record(tiny_world(populations=(population,)), 1).events
    failed = sum(isinstance(e, DownstreamFailed) for e in served)
    assert 0.4 < failed / sum(isinstance(e, Offered) for e in served) < 0.6


def test_only_wishes_of_covered_time_count_as_covered() -> None:
    spec = tiny_world(sink=sink_peer(local_share=0.0), gaps_h=((0.0, 12.0),))
    figure = the_truth(spec, 1, Problem.LIQUIDITY)
    recording = record(spec, 1)
    later = [
        e.amount_in_msat - e.amount_out_msat
        for e in recording.events
        if isinstance(e, Refused)
        and e.amount_in_msat
        and e.amount_out_msat
        and e.at_ns - recording.since_ns >= 12 * HOUR_NS
    ]
    assert 0 <= sum(later) - figure.covered_msat <= 100_151
    assert figure.covered_msat < figure.window_msat


def test_several_lucks_give_a_standard_error() -> None:
    spec = tiny_world(sink=sink_peer(local_share=0.0), populations=(plain_population(dead_share=0.5, per_day=200.0),))
    [(key, estimate)] = expected_truth(spec, 1, range(4)).items()
    assert key[1] is Problem.LIQUIDITY
    singles = [truth(spec, 1, luck=luck)[key].window_msat for luck in range(4)]
    assert estimate.window_msat == sum(singles) / 4
    assert 0 < estimate.window_error_msat < estimate.window_msat / 5
    assert expected_truth(spec, 1, [0])[key].window_error_msat == 0
