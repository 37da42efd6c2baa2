"""What a run leaves behind is what a real node would have told, to the last event."""

from __future__ import annotations

from collections import defaultdict

import pytest
from tests.unit.simulation_world.tiny_worlds import (
    SINK,
    SOURCE,
    plain_population,
    sink_peer,
    tiny_world,
)

from lnflow.domain.causes import Cause
from lnflow.domain.htlc import (
    DownstreamFailed,
    HtlcEvent,
    Offered,
    Refused,
    Resolved,
    Settled,
    StreamEnded,
    Subscribed,
)
from lnflow.domain.time import HOUR_NS
from lnflow.nodes.port import ChannelEventKind
from lnflow.simulation.world import DEFAULT_START_NS, OwnKind, Recording, record
from lnflow.simulation.world.demo_world import DEMO_SEED, demo_world
from lnflow.simulation.world.run import settle_accounts
from lnflow.simulation.world.spec import ChannelSpec, OwnMove, PeerSpec, PolicyChange, Prober


@pytest.fixture(scope="module")
def demo() -> Recording:
    return record(demo_world(), DEMO_SEED)


def test_the_same_seed_and_luck_give_the_same_recording(demo: Recording) -> None:
    again = record(demo_world(), DEMO_SEED)
    assert list(again.script()) == list(demo.script())


def test_other_luck_and_other_seeds_give_other_recordings() -> None:
    spec = tiny_world(populations=(plain_population(dead_share=0.5),))
    first, luck, seed = record(spec, 1), record(spec, 1, luck=1), record(spec, 2)
    assert first.events != luck.events
    assert first.events != seed.events


def test_the_start_moves_times_and_nothing_else() -> None:
    spec = tiny_world()
    early, late = record(spec, 1, start_ns=0), record(spec, 1, start_ns=DEFAULT_START_NS)
    assert [f.at_ns + DEFAULT_START_NS for f in early.forwards] == [f.at_ns for f in late.forwards]


def test_the_demo_has_something_of_everything(demo: Recording) -> None:
    causes = {e.cause for e in demo.events if isinstance(e, Refused)}
    assert causes >= {
        Cause.INSUFFICIENT_BALANCE,
        Cause.HTLC_EXCEEDS_MAX,
        Cause.FEE_INSUFFICIENT,
        Cause.UNKNOWN_NEXT_PEER,
        Cause.INVALID_ONION,
        Cause.AMOUNT_BELOW_MINIMUM,
    }
    assert 12_000 < sum(isinstance(e, Offered | Refused) for e in demo.events) < 30_000
    assert (len(demo.aliases), len(demo.channels)) == (20, 30)
    assert {o.kind for o in demo.own} == {OwnKind.SEND, OwnKind.RECEIVE}
    assert len(demo.covered) == 2


def test_no_balance_is_ever_negative_and_capacity_is_conserved(demo: Recording) -> None:
    assert len(demo.snapshots) == 336
    for snapshot in demo.snapshots:
        for channel in snapshot.channels:
            assert channel.local_msat >= 0
            assert channel.remote_msat >= 0
            listed = channel.local_msat + channel.remote_msat + channel.unsettled_msat
            shared = (channel.capacity_sat - channel.commit_fee_sat - 660) * 1_000
            assert shared - 3_000 < listed <= shared  # each of the three is rounded down to a sat


def test_fees_are_what_came_in_less_what_went_out(demo: Recording) -> None:
    ledger = settle_accounts(demo_world(), DEMO_SEED)
    in_window = [f for f in demo.forwards if demo.since_ns <= f.at_ns < demo.until_ns]
    assert sum(ledger.fee_msat) == sum(f.amount_in_msat - f.amount_out_msat for f in in_window)
    assert all(f.amount_in_msat >= f.amount_out_msat for f in demo.forwards)


def test_every_htlc_has_one_of_lnds_sequences(demo: Recording) -> None:
    sequences: dict[tuple[int, int], list[type]] = defaultdict(list)
    for event in demo.events:
        sequences[event.in_scid, event.in_htlc_id].append(type(event))
    whole: list[list[type]] = [
        [Offered, Settled, Resolved],
        [Offered, DownstreamFailed, Resolved],
        [Refused, Resolved],
        [Resolved],  # a receipt of our own
    ]
    odd = [sequence for sequence in sequences.values() if sequence not in whole]
    # the window cuts HTLCs in flight at its start or its end
    cut = [one[:n] for one in whole for n in (1, 2)] + [one[-n:] for one in whole for n in (1, 2)]
    assert all(sequence in cut for sequence in odd)
    assert len(odd) <= 40


def test_settled_events_and_history_rows_are_the_same_htlcs(demo: Recording) -> None:
    settled = {(e.in_scid, e.in_htlc_id) for e in demo.events if isinstance(e, Settled)}
    rows = {(f.in_scid, f.in_htlc_id) for f in demo.forwards if f.at_ns >= demo.since_ns}
    assert len(settled ^ rows) <= 1  # the last settle event may fall beyond the window
    times = [f.at_ns for f in demo.forwards]
    assert times == sorted(set(times))


def test_everything_is_in_time_order(demo: Recording) -> None:
    times = [h.at_ns for h in demo.script()]
    assert times == sorted(times)
    parts = (demo.events, demo.own, demo.snapshots, demo.channel_events, demo.policy_events, demo.forwards)
    assert len(times) == sum(len(part) for part in parts)


def test_a_listener_misses_the_gaps() -> None:
    recording = record(tiny_world(gaps_h=((6.0, 9.0), (22.0, 30.0))), 1)
    start = recording.since_ns
    assert recording.covered == (
        (start, start + 6 * HOUR_NS),
        (start + 9 * HOUR_NS, start + 22 * HOUR_NS),
    )
    heard = list(recording.heard_events())
    marks = [e for e in heard if isinstance(e, Subscribed | StreamEnded)]
    assert [type(m) for m in marks] == [Subscribed, StreamEnded, Subscribed, StreamEnded]
    expected: list[HtlcEvent] = [e for e in recording.events if any(a <= e.at_ns < b for a, b in recording.covered)]
    assert [e for e in heard if not isinstance(e, Subscribed | StreamEnded)] == expected


def test_an_absent_peer_is_told_and_refuses() -> None:
    spec = tiny_world(sink=sink_peer(local_share=0.9, offline_h=((6.0, 12.0),)))
    recording = record(spec, 1)
    start = recording.since_ns
    away = [e for e in recording.events if isinstance(e, Refused)]
    assert {e.cause for e in away} == {Cause.UNKNOWN_NEXT_PEER}
    assert all(6 * HOUR_NS <= e.at_ns - start < 12 * HOUR_NS for e in away)
    assert [(e.kind, e.at_ns - start) for e in recording.channel_events] == [
        (ChannelEventKind.PEER_OFFLINE, 6 * HOUR_NS),
        (ChannelEventKind.INACTIVE, 6 * HOUR_NS),
        (ChannelEventKind.PEER_ONLINE, 12 * HOUR_NS),
        (ChannelEventKind.ACTIVE, 12 * HOUR_NS),
    ]
    by_hour = [s.channels[1].active for s in recording.snapshots[::2]]
    assert by_hour == [True] * 6 + [False] * 6 + [True] * 12


def test_a_policy_change_is_announced_for_each_channel() -> None:
    sink = sink_peer(local_share=0.9)
    two = PeerSpec(alias="sink", channels=(*sink.channels, *sink.channels), fee_ppm=1_000)
    spec = tiny_world(sink=two, policy_changes=(PolicyChange(at_h=5.0, peer=SINK, fee_ppm=1_500),))
    recording = record(spec, 1)
    assert [(e.policy.fee_ppm, e.announced_by) for e in recording.policy_events] == [(1_500, recording.node.pubkey)] * 2
    assert {p.ours.fee_ppm for p in recording.policies if p.ours} == {1_000}


def test_probes_never_settle_and_find_the_balance() -> None:
    """No payer at all: a bisection of twenty steps ends within a millionth of what can be spent."""
    channels = (ChannelSpec(capacity_sat=10_000_000, local_share=0.37),)
    prober = Prober(in_peer=SOURCE, out_peer=SINK, sessions_per_day=20, steps=20)
    spec = tiny_world(
        sink=PeerSpec(alias="sink", channels=channels),
        populations=(plain_population(per_day=0.0),),
        probers=(prober,),
    )
    recording = record(spec, 1)
    assert recording.forwards == []
    assert not any(isinstance(e, Settled) for e in recording.events)
    refused = [e.amount_out_msat for e in recording.events if isinstance(e, Refused) and e.amount_out_msat]
    offered = [e.amount_out_msat for e in recording.events if isinstance(e, Offered) and e.amount_out_msat]
    sink = recording.channels[1]
    spendable = sink.local_msat - (sink.local_reserve_sat + sink.commit_fee_sat) * 1_000
    assert max(offered) <= spendable < min(refused)
    assert min(refused) - max(offered) < 20_000_000


def test_own_payments_are_noise_with_balances() -> None:
    moves = (
        OwnMove(every_h=6.0, amount_sat=50_000, first_h=1.0, from_peer=SOURCE, to_peer=SINK),
        OwnMove(every_h=6.0, amount_sat=900_000_000, first_h=2.0, from_peer=SOURCE),
    )
    recording = record(tiny_world(populations=(plain_population(per_day=0.0),), moves=moves), 1)
    assert recording.forwards == []
    assert [(o.kind, o.settled, o.refused) for o in recording.own] == [
        (OwnKind.SEND, True, False),
        (OwnKind.RECEIVE, True, False),
        (OwnKind.SEND, False, True),
    ] * 4
    assert {type(e) for e in recording.events} == {Resolved}
    moved = recording.snapshots[-1].channels[1].local_msat - recording.channels[1].local_msat
    assert moved == 4 * 50_000_000


def test_whatever_ends_in_the_window_was_passed_on_in_it_or_was_in_flight(demo: Recording) -> None:
    begun = {(e.in_scid, e.in_htlc_id) for e in (*demo.in_flight, *demo.events) if isinstance(e, Offered)}
    ended = {(e.in_scid, e.in_htlc_id) for e in demo.events if isinstance(e, Settled | DownstreamFailed)}
    assert ended <= begun
    assert all(e.at_ns < demo.since_ns for e in demo.in_flight)


def test_tries_of_one_payment_are_known_as_such_and_probes_belong_to_none() -> None:
    prober = Prober(in_peer=SOURCE, out_peer=SINK, sessions_per_day=5)
    spec = tiny_world(sink=sink_peer(local_share=0.0), populations=(plain_population(mpp=True),), probers=(prober,))
    recording = record(spec, 1)
    refused = [e for e in recording.events if isinstance(e, Refused)]
    tries: defaultdict[int, list[int]] = defaultdict(list)
    foreign = 0
    for event in refused:
        number = recording.payments.get((event.in_scid, event.in_htlc_id))
        if number is None:
            foreign += 1
        else:
            tries[number].append(event.amount_out_msat or 0)
    assert foreign > 5
    assert any(max(amounts) > 1.9 * min(amounts) for amounts in tries.values())
    assert all(max(amounts) < 110_000_000 for amounts in tries.values())
