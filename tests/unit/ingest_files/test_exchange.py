"""What is exported and read again is the same, to the msat and the nanosecond."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ingest_files.reading_back import LND_VERSIONS, Result, lnd_recording, read_bytes

from lnflow.domain.amounts import MOST_MSAT
from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo, PendingHtlc, Policy
from lnflow.domain.htlc import (
    Attempt,
    DownstreamFailed,
    Forward,
    Offered,
    Refused,
    Resolved,
    Settled,
    StreamEnded,
    Subscribed,
)
from lnflow.ingest.files import exchange
from lnflow.ingest.files.items import Aliases, ChannelSnapshot, ClosedChannels, Coverage, PolicyRecord
from lnflow.ingest.files.recognise import FileKind
from lnflow.ingest.join import Joiner
from lnflow.nodes.lnd.failures import classify
from lnflow.nodes.lnd.json_form import GraphEdge

SCIDS = st.integers(1, (1 << 64) - 1)
IDS = st.integers(0, (1 << 63) - 1)
TIMES = st.integers(1, (1 << 63) - 1)
MSAT = st.integers(1, MOST_MSAT)
AMOUNTS = st.none() | MSAT
SATS = st.integers(0, 21 * 10**14)
KEYS = st.integers(0, 1 << 256).map(lambda number: f"02{number:064x}"[:66])
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = WORDS.filter(lambda name: name != "" and not name.startswith("unable to lookup"))


@st.composite
def refusals(draw: st.DrawFn) -> Refused:
    wire, detail = draw(st.integers(0, 30)), draw(st.integers(0, 30))
    out_scid, amount_in = draw(st.just(0) | SCIDS), draw(AMOUNTS)
    # what nobody can mean, far more to send on than what came in, is not read back as it was said
    amount_out = None if amount_in is None else draw(st.none() | st.integers(1, amount_in))
    cause = classify(wire, detail, out_scid=out_scid, amount_out_msat=amount_out or 0)
    in_scid, in_htlc_id, at_ns = draw(SCIDS), draw(IDS), draw(TIMES)
    return Refused(in_scid, in_htlc_id, at_ns, out_scid, cause, amount_in, amount_out, wire, detail)


EVENTS = st.one_of(
    st.builds(Subscribed, TIMES),
    st.builds(StreamEnded, WORDS),
    st.builds(Offered, SCIDS, IDS, TIMES, SCIDS, IDS, AMOUNTS, AMOUNTS),
    st.builds(Settled, SCIDS, IDS, TIMES, SCIDS, IDS),
    st.builds(DownstreamFailed, SCIDS, IDS, TIMES, SCIDS, IDS),
    st.builds(Resolved, SCIDS, IDS, TIMES, st.booleans(), st.booleans()),
    refusals(),
)
FORWARDS = st.one_of(
    st.builds(Forward, SCIDS, SCIDS, TIMES, MSAT, MSAT, st.none() | IDS, st.none() | IDS),
    st.builds(
        Forward,
        SCIDS,
        SCIDS,
        st.integers(1, 9 * 10**9).map(lambda seconds: seconds * 10**9),
        MSAT,
        MSAT,
        whole_seconds=st.just(True),
    ),
)
WHOLE_SATS_MSAT = SATS.map(lambda sats: sats * 1000)
ALIASES = st.integers(16_000_000 << 40, (1 << 64) - 1)
CONFIRMED = st.integers(1 << 40, 15_999_999 << 40)
OTHER_SCIDS = st.tuples(st.lists(ALIASES, max_size=3, unique=True), st.lists(CONFIRMED, max_size=1)).map(
    lambda parts: (*parts[0], *parts[1])
)
LIMITS = st.none() | st.integers(1, (1 << 63) - 1)
CHANNELS = st.builds(
    ChannelState,
    channel_point=KEYS.map(lambda key: f"{key[2:]}:0"),
    scid=CONFIRMED.map(lambda scid: scid & ~1),  # even, and the others odd: a channel's ids differ
    other_scids=OTHER_SCIDS.map(lambda scids: tuple(dict.fromkeys(scid | 1 for scid in scids))),
    peer_pubkey=KEYS,
    peer_alias=st.none() | NAMES,
    capacity_sat=SATS,
    local_msat=WHOLE_SATS_MSAT,
    remote_msat=WHOLE_SATS_MSAT,
    unsettled_msat=WHOLE_SATS_MSAT,
    commit_fee_sat=SATS,
    local_reserve_sat=SATS,
    remote_reserve_sat=SATS,
    initiator=st.booleans(),
    private=st.booleans(),
    active=st.booleans(),
    min_htlc_msat=LIMITS,
    max_pending_msat=LIMITS,
    max_accepted_htlcs=st.none() | st.integers(1, 483),
    uptime_s=SATS,
    lifetime_s=SATS,
    total_sent_sat=SATS,
    total_received_sat=SATS,
    pending=st.lists(
        st.builds(
            PendingHtlc,
            incoming=st.booleans(),
            amount_msat=WHOLE_SATS_MSAT,
            htlc_index=IDS,
            expiry_height=st.integers(0, 10**6),
            payment_hash=st.integers(0, (1 << 256) - 1).map(lambda number: f"{number:064x}"),
            forwarding_scid=SCIDS,
            forwarding_htlc_index=IDS,
        ),
        max_size=2,
    ).map(tuple),
)
FEES = st.integers(-(1 << 31), (1 << 31) - 1)
POLICIES = st.none() | st.builds(
    Policy,
    base_fee_msat=IDS,
    fee_ppm=IDS,
    time_lock_delta=st.integers(0, 65535),
    min_htlc_msat=IDS,
    max_htlc_msat=LIMITS,
    inbound_base_fee_msat=FEES,
    inbound_fee_ppm=FEES,
    disabled=st.booleans(),
    last_update_s=st.none() | st.integers(1, (1 << 32) - 1),
)
EDGES = st.builds(
    GraphEdge,
    scid=SCIDS,
    channel_point=st.none() | st.just("ab:1"),
    node1_pubkey=KEYS,
    node2_pubkey=KEYS,
    capacity_sat=LIMITS,
    node1_policy=POLICIES,
    node2_policy=POLICIES,
)
CLOSED = st.builds(
    ClosedChannel,
    channel_point=st.just("ab:1"),
    scid=st.integers(0, 1000),
    other_scids=OTHER_SCIDS.map(lambda scids: tuple(dict.fromkeys(scids))),
    peer_pubkey=KEYS,
    capacity_sat=SATS,
    close_height=st.integers(0, 10**6),
    close_type=st.sampled_from(["cooperative_close", "local_force_close", "breach_close"]),
    closing_txid=st.just("cd" * 32),
    settled_sat=SATS,
)
ATTEMPTS = st.builds(
    Attempt,
    in_scid=SCIDS,
    in_htlc_id=IDS,
    out_scid=SCIDS,
    out_htlc_id=IDS,
    out_used=st.just(True),
    amount_in_msat=MSAT,
    amount_out_msat=MSAT,
    arrived_ns=st.integers(1, 10**18),
    resolved_ns=st.integers(10**18, (1 << 63) - 1),
    outcome=st.sampled_from([Outcome.SETTLED, Outcome.DOWNSTREAM, Outcome.UNRESOLVED]),
    cause=st.just(Cause.NONE),
)


def read_back(pieces: Any) -> Result:
    result = read_bytes(b"".join(pieces))
    assert result.reasons == []
    return result


@given(events=st.lists(EVENTS, min_size=1, max_size=8))
@settings(deadline=None)
def test_events(events: list[Any]) -> None:
    assert read_back(exchange.events_jsonl(events)).items == events


@given(forwards=st.lists(FORWARDS, max_size=8))
@settings(deadline=None)
def test_forwards(forwards: list[Forward]) -> None:
    result = read_back(exchange.fwdinghistory_json(forwards))
    assert (result.kind, result.items) == (FileKind.FORWARDS, forwards)


@given(
    snapshots=st.lists(
        st.builds(ChannelSnapshot, TIMES, st.lists(CHANNELS, max_size=3).map(tuple)), min_size=1, max_size=3
    )
)
@settings(deadline=None, max_examples=50)
def test_snapshots(snapshots: list[ChannelSnapshot]) -> None:
    assert read_back(exchange.channel_snapshots_jsonl(snapshots)).items == snapshots
    channels = snapshots[0].channels
    if channels:
        assert read_back(exchange.channels_json(channels)).items == [ChannelSnapshot(None, channels)]


@given(channels=st.lists(CLOSED, min_size=1, max_size=3))
@settings(deadline=None)
def test_closed_channels(channels: list[ClosedChannel]) -> None:
    items = read_back(exchange.closedchannels_json(channels)).items
    assert items == [ClosedChannels((channel,)) for channel in channels]


@given(records=st.lists(st.tuples(TIMES, EDGES), min_size=1, max_size=4))
@settings(deadline=None)
def test_policies(records: list[tuple[int, GraphEdge]]) -> None:
    items = read_back(exchange.policies_json(records)).items
    assert items == [PolicyRecord(at_ns, edge) for at_ns, edge in records]


@given(names=st.dictionaries(KEYS, NAMES, max_size=3), edges=st.lists(EDGES, max_size=3))
@settings(deadline=None)
def test_the_graph(names: dict[str, str], edges: list[GraphEdge]) -> None:
    result = read_back(exchange.describegraph_json(names, edges))
    assert result.kind is FileKind.GRAPH
    assert result.items == [
        *(Aliases({pubkey: name}) for pubkey, name in names.items()),
        *(PolicyRecord(None, edge) for edge in edges),
    ]


@given(
    intervals=st.lists(
        st.builds(
            lambda since, length, reason: Coverage(since, None if length is None else since + length, reason),
            st.integers(0, 1 << 60),
            st.none() | st.integers(0, 1 << 60),
            WORDS,
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(deadline=None)
def test_covered_intervals(intervals: list[Coverage]) -> None:
    assert read_back(exchange.stream_log_json(intervals)).items == intervals


@given(name=WORDS.filter(lambda name: len(name) <= 32), flags=st.tuples(st.booleans(), st.booleans()))
@pytest.mark.parametrize(
    ("implementation", "version", "numbers", "network"),
    [
        ("lnd", "0.21.2-beta", (0, 21, 2), "simnet"),
        ("lnd", "0.18.0-beta", (0, 18, 0), "mainnet"),
        ("cln", "v26.06.6", (26, 6, 6), "mainnet"),
        ("cln", "v24.11", (24, 11, 0), "regtest"),
    ],
)
def test_the_node(
    implementation: str,
    version: str,
    numbers: tuple[int, int, int],
    network: str,
    name: str,
    flags: tuple[bool, bool],
) -> None:
    info = NodeInfo(
        pubkey="02" * 33,
        alias=name,
        implementation=implementation,
        network=network,
        version=version,
        version_tuple=numbers,
        block_height=840_000,
        synced_to_chain=flags[0],
        synced_to_graph=flags[1],
    )
    assert read_back(exchange.getinfo_json(info)).items == [info]


@given(ours=POLICIES, theirs=POLICIES, keys=st.tuples(KEYS, KEYS).filter(lambda pair: pair[0] != pair[1]))
def test_our_side_of_a_channel_is_found_again(
    ours: Policy | None, theirs: Policy | None, keys: tuple[str, str]
) -> None:
    our_key, peer = keys
    policies = ChannelPolicies(scid=5, channel_point="ab:1", peer_pubkey=peer, ours=ours, theirs=theirs)
    assert exchange.edge_seen_from(our_key, policies).seen_from(our_key) == policies


def joined(events: list[Any]) -> Any:
    joiner = Joiner()
    for event in events:
        joiner.add(event)
    return joiner.take()


@given(attempt=ATTEMPTS)
@settings(deadline=None)
def test_the_events_of_an_attempt_join_into_it_again(attempt: Attempt) -> None:
    [facts] = joined(list(exchange.events_of(attempt)))
    assert (facts.in_scid, facts.in_htlc_id, facts.out_scid, facts.out_htlc_id) == (
        attempt.in_scid,
        attempt.in_htlc_id,
        attempt.out_scid,
        attempt.out_htlc_id,
    )
    assert (facts.amount_in_msat, facts.amount_out_msat) == (attempt.amount_in_msat, attempt.amount_out_msat)
    assert (facts.arrived_ns, facts.resolved_ns) == (attempt.arrived_ns, attempt.resolved_ns)
    assert (facts.outcome, facts.cause) == (attempt.outcome, attempt.cause)


@pytest.mark.parametrize("version", LND_VERSIONS)
def test_the_recorded_events_export_to_the_same_facts(version: str) -> None:
    """events → attempts → events → attempts, refusals with and without a forward event included."""
    data = lnd_recording(version, "htlc_events.jsonl").read_bytes()
    events = [item for item in read_bytes(data).items if not isinstance(item, Subscribed)]
    first = [facts for facts in joined(events) if not facts.only_known]
    attempts = [
        Attempt(
            facts.in_scid,
            facts.in_htlc_id,
            facts.out_scid,
            facts.out_htlc_id,
            bool(facts.out_used),
            facts.amount_in_msat,
            facts.amount_out_msat,
            facts.arrived_ns,
            facts.resolved_ns,
            Outcome(facts.outcome),
            Cause(facts.cause),
            facts.wire_code,
            facts.detail,
        )
        for facts in first
    ]
    exported = [event for attempt in attempts for event in exchange.events_of(attempt)]
    again = joined(read_back(exchange.events_jsonl(exported)).items)
    for before, after in zip(first, again, strict=True):
        after.out_at_ns = before.out_at_ns  # when the channel was last told: only orders what comes later
        assert after == before


@pytest.mark.parametrize("version", LND_VERSIONS)
def test_recorded_listings_are_the_same_after_a_round_trip(version: str) -> None:
    snapshots = [
        item
        for item in read_bytes(lnd_recording(version, "listchannels.json").read_bytes()).items
        if isinstance(item, ChannelSnapshot)
    ]
    assert read_back(exchange.channel_snapshots_jsonl(snapshots)).items == snapshots


def test_the_form_is_lnds_own() -> None:
    """Field by field as the recording has it, but for what we do not keep."""
    recorded = json.loads(lnd_recording("0.21.2", "htlc_events.jsonl").read_bytes().splitlines()[1])
    [event] = read_bytes(json.dumps(recorded).encode()).items
    assert isinstance(event, Offered)
    document = exchange.event_document(event)
    assert {**document, "forward_event": 0} == {
        **{name: value for name, value in recorded.items() if not name.startswith("_")},
        "forward_event": 0,
    }
