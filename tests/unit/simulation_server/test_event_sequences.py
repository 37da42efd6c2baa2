"""What the node tells has the form of what a real LND told, HTLC by HTLC.

A sequence is all events of one HTLC, each reduced to its form: types, which fields are there, codes and
texts.  The recordings of a real network (v0.20.1 and v0.21.2) hold every sequence that ours must have, and
ours must have every one that they hold.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

import pytest
from google.protobuf.json_format import ParseDict
from msgspec import structs
from tests.fakes import ALICE, ALICE_SCID, BOB, BOB_LARGE_SCID, CAROL, CAROL_ALIAS_SCID, CAROL_SCID, NOW_NS, lnd_node
from tests.recordings import recorded

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import Forwarding, LndNode, Personality, ReceiveRefusal, Refusal

RECORDED = {Personality.V0_20_1: "lnd_simnet_v0.20.1", Personality.V0_21_2: "lnd_simnet_v0.21.2"}

Form = tuple[object, ...]
Sequence = tuple[Form, ...]


class Heard:
    """A listener that keeps all HTLC events; its other ears are closed."""

    wants_channel_updates = False

    def __init__(self, node: LndNode) -> None:
        self.events: list[pb.HtlcEvent] = []
        self.deaths: list[str] = []
        node.listeners.append(self)

    def htlc_event(self, event: pb.HtlcEvent) -> None:
        self.events.append(event)

    def htlc_streams_died(self, reason: str) -> None:
        self.deaths.append(reason)

    def channel_event(self, update: pb.ChannelEventUpdate) -> None: ...

    def peer_event(self, event: pb.PeerEvent) -> None: ...

    def graph_update(self, update: pb.GraphTopologyUpdate) -> None: ...


def form(event: pb.HtlcEvent) -> Form:
    kind = event.WhichOneof("event")
    shape: Form = (
        pb.HtlcEvent.EventType.Name(event.event_type),
        kind,
        event.incoming_channel_id > 0,
        event.outgoing_channel_id > 0,
    )
    if kind in ("forward_event", "link_fail_event"):
        info = event.forward_event.info if kind == "forward_event" else event.link_fail_event.info
        shape += tuple(
            value > 0
            for value in (
                info.incoming_timelock,
                info.outgoing_timelock,
                info.incoming_amt_msat,
                info.outgoing_amt_msat,
            )
        )
    if kind == "link_fail_event":
        failure = event.link_fail_event
        text = failure.failure_string
        # the texts of LND's failures are types with a dump in brackets; the dump is as long as LND's
        shape += (failure.wire_failure, failure.failure_detail, text.split("(")[0], len(text) > 1_000)
    if kind == "final_htlc_event":
        shape += (event.final_htlc_event.settled, event.final_htlc_event.offchain)
    return shape


def sequences(events: Iterable[pb.HtlcEvent]) -> set[Sequence]:
    by_htlc: dict[tuple[int, ...], list[Form]] = defaultdict(list)
    for event in events:
        if event.WhichOneof("event") == "subscribed_event":
            continue
        key: tuple[int, ...] = (event.incoming_channel_id, event.incoming_htlc_id)
        if not event.incoming_channel_id:
            key = (0, event.outgoing_channel_id, event.outgoing_htlc_id)
        by_htlc[key].append(form(event))
    return {tuple(forms) for forms in by_htlc.values()}


def recorded_sequences(personality: Personality) -> set[Sequence]:
    path = recorded(RECORDED[personality], "htlc_events.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("_received_at_ns", None)
    return sequences(ParseDict(line, pb.HtlcEvent(), ignore_unknown_fields=True) for line in lines)


def forward(node: LndNode, out: int = BOB_LARGE_SCID, **changes: int) -> Forwarding:
    return node.forward_htlc(
        **{
            "in_scid": ALICE_SCID,
            "requested_out": out,
            "amount_in_msat": 100_026_000,
            "amount_out_msat": 100_000_000,
            "now_ns": NOW_NS,
            **changes,
        }
    )


def play_all_recorded_steps(node: LndNode) -> None:
    """The scenario of the recordings, one HTLC per kind (two channels with Bob, so amounts exceed both)."""
    bobs = node.channels_with(BOB)
    carol = node.channel(CAROL_ALIAS_SCID)
    node.settle(forward(node).key, NOW_NS)
    node.fail_downstream(forward(node).key, NOW_NS)
    forward(node, amount_out_msat=4_000_000_000, amount_in_msat=4_002_000_000)  # more than anybody holds
    usual = [channel.policy for channel in bobs]
    for channel in bobs:
        channel.policy = structs.replace(channel.policy, max_htlc_msat=99_000_000)
    forward(node)
    for channel in bobs:
        channel.policy = structs.replace(channel.policy, min_htlc_msat=200_000_000)
    forward(node)
    for channel, policy in zip(bobs, usual, strict=True):
        channel.policy = policy
    forward(node, amount_in_msat=100_025_999)
    forward(node, incoming_timelock=node.height + 50)
    forward(node, outgoing_timelock=node.height + 2)
    forward(node, outgoing_timelock=node.height + 2200)
    forward(node, out=123 << 40)
    forward(node, out=ALICE_SCID)
    node.refuse_onion(in_scid=ALICE_SCID, amount_in_msat=32_714_457, now_ns=NOW_NS)
    node.rejects_htlcs = True
    forward(node)
    node.rejects_htlcs = False
    carol.established = False
    forward(node, out=CAROL_ALIAS_SCID)
    carol.established = True
    carol.max_accepted_htlcs = 0
    forward(node, out=CAROL_ALIAS_SCID)
    carol.max_accepted_htlcs = 6
    play_frozen_peer(node)
    play_own_payments(node)


def play_frozen_peer(node: LndNode) -> None:
    """Carol freezes twice: once she is back in time, once the second HTLC is given up."""
    for back_in_time in (True, False):
        node.peers[CAROL].responsive = False
        first, second = forward(node, out=CAROL_ALIAS_SCID), forward(node, out=CAROL_ALIAS_SCID)
        if not back_in_time:
            node.give_up(second.key, NOW_NS)
        node.peer_offline(CAROL, NOW_NS)
        node.peer_online(CAROL, NOW_NS)
        node.settle(first.key, NOW_NS)
        if back_in_time:
            node.settle(second.key, NOW_NS)


def play_own_payments(node: LndNode) -> None:
    paid = node.send(first_hop=BOB_LARGE_SCID, amount_msat=35_000_000, now_ns=NOW_NS, receiver=BOB)
    failed = node.send(first_hop=BOB_LARGE_SCID, amount_msat=27_000_000, now_ns=NOW_NS, receiver=BOB)
    assert paid is not None
    assert failed is not None
    node.settle_send(paid, NOW_NS)
    node.fail_send(failed, NOW_NS)
    assert node.send(first_hop=CAROL_ALIAS_SCID, amount_msat=2_900_000_000, now_ns=NOW_NS) is None
    node.receive(in_scid=ALICE_SCID, amount_msat=58_000_000, now_ns=NOW_NS)
    refusals = [ReceiveRefusal.UNKNOWN_INVOICE, ReceiveRefusal.INVOICE_NOT_OPEN]
    if not node.personality.fatal_receive_failures:
        refusals.append(ReceiveRefusal.HTLC_INVOICE_TYPE_MISMATCH)
    for refusal in refusals:
        node.receive(in_scid=ALICE_SCID, amount_msat=29_000_000, now_ns=NOW_NS, refusal=refusal)


@pytest.mark.parametrize("personality", RECORDED)
def test_every_sequence_is_one_that_a_real_lnd_told_and_none_is_missing(personality: Personality) -> None:
    node = lnd_node(personality)
    heard = Heard(node)
    play_all_recorded_steps(node)
    assert sequences(heard.events) == recorded_sequences(personality)


@pytest.mark.parametrize("personality", Personality)
def test_a_full_peer_shows_no_amounts_and_is_labelled_by_the_release(personality: Personality) -> None:
    node = lnd_node(personality)
    heard = Heard(node)
    node.channel(CAROL_ALIAS_SCID).max_accepted_htlcs = 0
    forward(node, out=CAROL_ALIAS_SCID)
    event = heard.events[0]
    assert event.link_fail_event.failure_detail == pb.HTLC_ADD_FAILED
    assert event.link_fail_event.info == pb.HtlcInfo()
    if personality is Personality.V0_21_2:
        assert (event.event_type, event.outgoing_channel_id) == (pb.HtlcEvent.FORWARD, CAROL_ALIAS_SCID)
    else:
        assert (event.event_type, event.outgoing_channel_id) == (pb.HtlcEvent.RECEIVE, 0)


def test_ids_count_up_per_channel_and_a_given_up_id_is_used_again() -> None:
    node = lnd_node()
    heard = Heard(node)
    node.peers[CAROL].responsive = False
    made = [forward(node, out=CAROL_ALIAS_SCID) for _ in range(2)]
    node.give_up(made[1].key, NOW_NS)
    again = forward(node, out=CAROL_ALIAS_SCID)
    assert [m.outgoing for m in made] == [(CAROL_ALIAS_SCID, 0), (CAROL_ALIAS_SCID, 1)]
    assert again.outgoing == (CAROL_ALIAS_SCID, 1)
    assert [m.key for m in (*made, again)] == [(ALICE_SCID, n) for n in range(3)]
    refused = [e for e in heard.events if e.HasField("link_fail_event")]
    assert [(e.incoming_htlc_id, e.outgoing_htlc_id) for e in refused] == [(1, 0)]


def test_a_rebalance_is_a_send_and_a_receive_and_no_forward() -> None:
    node = lnd_node()
    heard = Heard(node)
    number = node.rebalance(
        out_scid=BOB_LARGE_SCID, in_scid=ALICE_SCID, amount_msat=50_000_000, fee_msat=2_324, now_ns=NOW_NS
    )
    assert number == 1
    types = [pb.HtlcEvent.EventType.Name(e.event_type) for e in heard.events]
    assert types == ["SEND", "RECEIVE", "UNKNOWN", "SEND"]
    preimages = {e.settle_event.preimage for e in heard.events if e.HasField("settle_event")}
    assert len(preimages) == 1
    assert len(node.forwards) == 0
    [payment] = node.payments
    assert (payment.fee_msat, payment.htlcs[0].route.hops[-1].pub_key) == (2_324, node.pubkey)


def test_interceptors_leave_orphans_and_no_history() -> None:
    node = lnd_node()
    heard = Heard(node)
    node.settle_by_interceptor(
        in_scid=ALICE_SCID, requested_out=BOB_LARGE_SCID, amount_in_msat=9_000_000, now_ns=NOW_NS
    )
    node.fail_by_interceptor(in_scid=ALICE_SCID, requested_out=BOB_LARGE_SCID, amount_in_msat=9_000_000, now_ns=NOW_NS)
    kinds = [e.WhichOneof("event") for e in heard.events]
    assert kinds == ["settle_event", "final_htlc_event", "forward_fail_event", "final_htlc_event"]
    assert len(node.forwards) == 0


def test_a_malformed_onion_has_a_final_event_only() -> None:
    node = lnd_node()
    heard = Heard(node)
    node.drop_malformed_onion(in_scid=ALICE_SCID, amount_in_msat=9_000_000, now_ns=NOW_NS)
    assert [e.WhichOneof("event") for e in heard.events] == ["final_htlc_event"]


def test_a_node_id_hop_has_an_outgoing_amount_but_no_channel() -> None:
    node = lnd_node()
    heard = Heard(node)
    assert forward(node, out=0).refusal is Refusal.UNKNOWN_NEXT_PEER
    event = heard.events[0]
    assert (event.outgoing_channel_id, event.link_fail_event.info.outgoing_amt_msat) == (0, 100_000_000)


def test_a_resolution_on_chain_is_a_final_event_that_is_not_offchain() -> None:
    node = lnd_node()
    heard = Heard(node)
    node.resolve_on_chain(forward(node).key, NOW_NS, settled=True)
    assert [e.WhichOneof("event") for e in heard.events] == ["forward_event", "final_htlc_event"]
    assert not heard.events[1].final_htlc_event.offchain


def test_after_a_restart_half_open_adds_are_incomplete_forwards() -> None:
    node = lnd_node()
    node.peers[CAROL].responsive = False
    first, _ = forward(node, out=CAROL_ALIAS_SCID), forward(node, out=CAROL_ALIAS_SCID)
    heard = Heard(node)
    node.resume_after_restart(NOW_NS)
    assert heard.events[0].link_fail_event.failure_detail == pb.INCOMPLETE_FORWARD
    assert heard.events[0].link_fail_event.info.outgoing_amt_msat == 100_000_000
    node.settle(first.key, NOW_NS)
    assert heard.events[2].HasField("settle_event")


@pytest.mark.parametrize("personality", Personality)
def test_some_invoice_failures_end_the_streams_before_0_21(personality: Personality) -> None:
    node = lnd_node(personality)
    heard = Heard(node)
    refusal = ReceiveRefusal.HTLC_INVOICE_TYPE_MISMATCH
    node.receive(in_scid=ALICE_SCID, amount_msat=1_000_000, now_ns=NOW_NS, refusal=refusal)
    if personality is Personality.V0_21_2:
        assert heard.deaths == []
        assert heard.events[0].link_fail_event.failure_detail == pb.HTLC_INVOICE_TYPE_MISMATCH
    else:
        assert heard.deaths == ["unknown fail resolution: htlc invoice type mismatch"]


@pytest.mark.parametrize("personality", Personality)
def test_history_has_htlc_ids_from_0_19_2(personality: Personality) -> None:
    node = lnd_node(personality)
    node.settle(forward(node).key, NOW_NS)
    [row] = node.forwards.rows
    assert (row.amount_in_msat, row.amount_out_msat) == (100_026_000, 100_000_000)
    assert row.in_htlc_id == (None if personality is Personality.V0_18_5 else 0)


def test_the_settle_event_follows_its_history_row() -> None:
    node = lnd_node()
    heard = Heard(node)
    keys = [forward(node).key for _ in range(2)]
    for key in keys:
        node.settle(key, NOW_NS)  # at the same instant: the second row is bumped
    times = [row.at_ns for row in node.forwards.rows]
    assert times == [NOW_NS, NOW_NS + 1]
    settles = [e.timestamp_ns for e in heard.events if e.HasField("settle_event")]
    assert settles == [at_ns + 20_000 for at_ns in times]


def test_nothing_comes_in_from_a_peer_that_is_away() -> None:
    node = lnd_node()
    node.peer_offline(ALICE, NOW_NS)
    with pytest.raises(ValueError, match="the peer is away"):
        forward(node)


@pytest.mark.parametrize(
    ("amount_out_msat", "detail"),
    [(100_000_000, pb.NO_DETAIL), (2_900_000_000, pb.INSUFFICIENT_BALANCE), (2_990_000_000, pb.HTLC_EXCEEDS_MAX)],
)
def test_without_a_channel_update_the_wire_code_says_nothing(amount_out_msat: int, detail: pb.FailureDetail) -> None:
    """LND then answers TEMPORARY_NODE_FAILURE; only the detail tells (here: fee, balance, maximum)."""
    node = lnd_node()
    heard = Heard(node)
    node.channel(CAROL_ALIAS_SCID).announced = False
    fee_msat = 0 if detail == pb.NO_DETAIL else 10_000_000
    forward(node, out=CAROL_ALIAS_SCID, amount_out_msat=amount_out_msat, amount_in_msat=amount_out_msat + fee_msat)
    failure = heard.events[0].link_fail_event
    assert (failure.wire_failure, failure.failure_detail) == (pb.Failure.TEMPORARY_NODE_FAILURE, detail)


def test_a_settle_may_be_told_twice() -> None:
    node = lnd_node()
    made = forward(node)
    node.settle(made.key, NOW_NS)
    heard = Heard(node)
    node.repeat_settle(node.forwards.rows[0], NOW_NS + 1)
    [event] = heard.events
    assert (event.incoming_channel_id, event.incoming_htlc_id) == made.key
    assert (event.outgoing_channel_id, event.outgoing_htlc_id) == made.outgoing
    assert len(node.forwards) == 1


def test_a_public_zero_conf_channel_is_known_by_alias_and_by_its_real_id_once_confirmed() -> None:
    node = lnd_node()
    carol = node.channel(CAROL_ALIAS_SCID)
    carol.private, carol.confirmed_scid = False, 0
    assert forward(node, out=CAROL_SCID).refusal is Refusal.UNKNOWN_NEXT_PEER
    node.confirm_zero_conf(carol, CAROL_SCID)
    for requested in (CAROL_SCID, CAROL_ALIAS_SCID):
        outgoing = forward(node, out=requested).outgoing
        assert outgoing is not None
        assert outgoing[0] == CAROL_ALIAS_SCID
