"""HTLC events: JSON and protobuf give the same, and the recordings come out as their README says."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.nodes.lnd.recordings import VERSIONS, document, lines

from lnflow.domain.amounts import MOST_MSAT
from lnflow.domain.causes import Cause
from lnflow.domain.errors import InputError
from lnflow.domain.htlc import (
    DownstreamFailed,
    Offered,
    Refused,
    Resolved,
    Settled,
    StreamEnded,
    StreamEvent,
    Subscribed,
)
from lnflow.nodes.lnd.events import DecodeCounts
from lnflow.nodes.lnd.json_form import decode_event_line, decode_event_object
from lnflow.nodes.lnd.proto_events import decode_event
from lnflow.nodes.lnd.wire import lnd_pb2 as pb


def decode_line(line: bytes | str) -> StreamEvent | None:
    return decode_event_line(line, DecodeCounts())


@pytest.mark.parametrize("version", VERSIONS)
def test_json_and_protobuf_give_equal_events(version: str) -> None:
    json_counts, wire_counts = DecodeCounts(), DecodeCounts()
    for line in lines(version):
        message = json_format.Parse(line, pb.HtlcEvent(), ignore_unknown_fields=True)
        from_wire = decode_event(message.SerializeToString(), wire_counts)
        from_json = decode_event_line(line, json_counts)
        if isinstance(from_json, Subscribed):
            assert isinstance(from_wire, Subscribed)  # only the recording knows when
        else:
            assert from_json == from_wire
    assert json_counts == wire_counts
    assert json_counts.unrecognised == json_counts.malformed == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_rest_prints_the_same_events_but_for_the_ends_of_the_stream(version: str) -> None:
    plain = Counter(_timeless(decode_line(line)) for line in lines(version))
    rest = Counter(_timeless(decode_line(line)) for line in lines(version, "htlc_events_rest.jsonl"))
    assert not plain - rest
    assert all(isinstance(event, StreamEnded | Resolved) for event in rest - plain)
    assert {event.reason for event in rest if isinstance(event, StreamEnded)} <= {
        "htlc event subscription terminated",
        "subscription server shutting down",
        "unknown fail resolution: htlc invoice type mismatch",
    }


def _timeless(event: StreamEvent | None) -> StreamEvent | None:
    return Subscribed() if isinstance(event, Subscribed) else event


@pytest.mark.parametrize("version", VERSIONS)
def test_causes_and_ends_are_counted_as_provoked(version: str) -> None:
    totals = document(version, "expected.json")["totals"]
    events = [decode_line(line) for line in lines(version)]
    refused = Counter(event.cause.text for event in events if isinstance(event, Refused))
    expected = {
        # the recording names the wire code; every decode failure is one cause for us
        "invalid_onion" if cause.startswith("invalid_onion") else cause: group["count"]
        for cause, group in _refusals(totals).items()
    }
    assert refused == expected
    settled = {(event.in_scid, event.in_htlc_id) for event in events if isinstance(event, Settled)}
    failed = {(event.in_scid, event.in_htlc_id) for event in events if isinstance(event, DownstreamFailed)}
    assert (len(settled), len(failed)) == (totals["settled"]["count"], totals["downstream"]["count"])


def _refusals(totals: dict[str, Any]) -> dict[str, Any]:
    return {cause.lower(): group for cause, group in totals["refused_by_cause"].items()}


def test_a_refusal_keeps_amounts_and_numbers() -> None:
    line = """{"incoming_channel_id": "443103186059264", "outgoing_channel_id": "443103186190336",
        "incoming_htlc_id": "14", "timestamp_ns": "1795256345740980128", "event_type": "FORWARD",
        "link_fail_event": {"info": {"incoming_amt_msat": "1318581618", "outgoing_amt_msat": "1318053897"},
        "wire_failure": "TEMPORARY_CHANNEL_FAILURE", "failure_detail": "INSUFFICIENT_BALANCE"}}"""
    assert decode_line(line) == Refused(
        443103186059264,
        14,
        1795256345740980128,
        443103186190336,
        Cause.INSUFFICIENT_BALANCE,
        1318581618,
        1318053897,
        15,
        6,
    )


def test_numbers_digits_and_names_are_the_same() -> None:
    as_text = """{"incoming_channel_id": "5", "outgoing_channel_id": "7", "timestamp_ns": "9",
        "event_type": "FORWARD", "link_fail_event": {"wire_failure": "FEE_INSUFFICIENT",
        "failure_detail": "NO_DETAIL", "info": {"incoming_amt_msat": "3", "outgoing_amt_msat": "2"}}}"""
    as_numbers = """{"incoming_channel_id": 5, "outgoing_channel_id": 7, "timestamp_ns": 9, "event_type": 3,
        "link_fail_event": {"wire_failure": 12, "failure_detail": 1,
        "info": {"incoming_amt_msat": 3, "outgoing_amt_msat": 2}}, "key of a later LND": [1]}"""
    assert decode_line(as_text) == decode_line(as_numbers)


def test_grpcurl_prints_camel_case() -> None:
    line = """{"incomingChannelId": "5", "outgoingChannelId": "7", "timestampNs": "9", "eventType": "FORWARD",
        "forwardEvent": {"info": {"incomingAmtMsat": "30", "outgoingAmtMsat": "20"}}}"""
    assert decode_line(line) == Offered(5, 0, 9, 7, 0, 30, 20)


def test_an_incoming_side_failure_has_no_outgoing_amount() -> None:
    """The difference of its amounts is the whole HTLC: never a fee."""
    line = """{"incoming_channel_id": 5, "timestamp_ns": 9, "event_type": "FORWARD", "link_fail_event": {
        "info": {"incoming_amt_msat": 32714457}, "wire_failure": "INVALID_ONION_PAYLOAD",
        "failure_detail": "NO_DETAIL"}}"""
    event = decode_line(line)
    assert isinstance(event, Refused)
    assert (event.cause, event.out_scid, event.amount_out_msat) == (Cause.INVALID_ONION, 0, None)
    assert event.amount_in_msat == 32714457


def test_own_payments_are_no_forwards() -> None:
    counts = DecodeCounts()
    for kind in ("settle_event", "forward_event", "forward_fail_event"):
        for event_type in ("SEND", "RECEIVE"):
            line = json.dumps({"outgoing_channel_id": 7, "timestamp_ns": 9, "event_type": event_type, kind: {}})
            assert decode_event_line(line, counts) is None
    assert (counts.own_sends, counts.own_receives, counts.unrecognised) == (3, 3, 0)


def test_a_kind_of_event_of_a_later_lnd_is_counted() -> None:
    counts = DecodeCounts()
    line = '{"incoming_channel_id": 5, "timestamp_ns": 9, "event_type": "FORWARD", "weather_event": {}}'
    assert decode_event_line(line, counts) is None
    unknown_member = pb.HtlcEvent(incoming_channel_id=5, timestamp_ns=9).SerializeToString() + b"\x92\x03\x00"
    assert decode_event(unknown_member, counts) is None
    assert counts.unrecognised == 2


def test_ids_of_aliases_use_all_64_bits() -> None:
    event = pb.HtlcEvent(
        incoming_channel_id=17592186044416000004,
        outgoing_channel_id=2**64 - 1,
        timestamp_ns=9,
        event_type=pb.HtlcEvent.FORWARD,
        settle_event=pb.SettleEvent(),
    )
    decoded = decode_event(event.SerializeToString(), DecodeCounts())
    assert decoded == Settled(17592186044416000004, 0, 9, 2**64 - 1, 0)
    printed = json_format.MessageToJson(event, preserving_proto_field_name=True)
    assert decode_line(printed) == decoded


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"17",
        b"{}",
        b'{"channels": []}',
        b'{"incoming_channel_id": "x", "settle_event": {}}',
        b'{"incoming_channel_id": -1, "timestamp_ns": 1, "settle_event": {}}',
        b'{"timestamp_ns": 18446744073709551615, "settle_event": {}}',
        b'{"timestamp_ns": 1, "event_type": 3, "forward_event": {"info": {"incoming_amt_msat": -5}}}',
        b'{"settle_event": "\xff"}',
        b'{"a": ' * 100_000,
    ],
)
def test_what_is_no_event_is_refused_and_counted(line: bytes) -> None:
    counts = DecodeCounts()
    with pytest.raises(InputError, match="not an HTLC event of LND"):
        decode_event_line(line, counts)
    assert counts.malformed == 1


def test_bytes_that_are_no_message_are_refused_and_counted() -> None:
    counts = DecodeCounts()
    with pytest.raises(InputError, match="no HtlcEvent"):
        decode_event(b"\xff\xff\xff", counts)
    assert counts.malformed == 1


@pytest.mark.parametrize(
    "event",
    [
        pb.HtlcEvent(timestamp_ns=2**63, final_htlc_event=pb.FinalHtlcEvent()),
        pb.HtlcEvent(incoming_htlc_id=2**63, final_htlc_event=pb.FinalHtlcEvent()),
        pb.HtlcEvent(outgoing_htlc_id=2**63, event_type=pb.HtlcEvent.FORWARD, settle_event=pb.SettleEvent()),
        pb.HtlcEvent(
            incoming_channel_id=1,
            event_type=pb.HtlcEvent.FORWARD,
            forward_event=pb.ForwardEvent(info=pb.HtlcInfo(incoming_amt_msat=2**63)),
        ),
        pb.HtlcEvent(
            event_type=pb.HtlcEvent.FORWARD,
            link_fail_event=pb.LinkFailEvent(info=pb.HtlcInfo(incoming_amt_msat=2**64 - 1)),
        ),
    ],
)
def test_numbers_that_no_store_can_hold_are_refused(event: pb.HtlcEvent) -> None:
    counts = DecodeCounts()
    with pytest.raises(InputError, match="63 bits"):
        decode_event(event.SerializeToString(), counts)
    assert counts.malformed == 1


@pytest.mark.parametrize(("asked", "counted"), [(1_009, 1_009), (2_000, 2_000), (2_001, 1_000), (2**64 - 1, 1_000)])
def test_what_a_sender_writes_into_its_onion_counts_at_most_for_what_it_brought(asked: int, counted: int) -> None:
    """The amount to pass on is any 64-bit number of a stranger; a stale price asks a little too much."""
    event = pb.HtlcEvent(
        incoming_channel_id=1,
        timestamp_ns=1,
        event_type=pb.HtlcEvent.FORWARD,
        link_fail_event=pb.LinkFailEvent(
            info=pb.HtlcInfo(incoming_amt_msat=1_000, outgoing_amt_msat=asked), wire_failure=pb.Failure.FEE_INSUFFICIENT
        ),
    )
    printed = json_format.MessageToJson(event, preserving_proto_field_name=True)
    for refused in (decode_event(event.SerializeToString(), DecodeCounts()), decode_line(printed)):
        assert isinstance(refused, Refused)
        assert (refused.amount_in_msat, refused.amount_out_msat) == (1_000, counted)


@pytest.mark.parametrize("member", ["forward_event", "forward_fail_event", "settle_event", "link_fail_event"])
def test_a_forward_that_came_in_by_no_channel_is_none(member: str) -> None:
    event = pb.HtlcEvent(outgoing_channel_id=5, timestamp_ns=1, event_type=pb.HtlcEvent.FORWARD)
    getattr(event, member).SetInParent()
    counts = DecodeCounts()
    assert decode_event(event.SerializeToString(), counts) is None
    assert counts.unrecognised == 1
    assert decode_line(json_format.MessageToJson(event, preserving_proto_field_name=True)) is None


@given(st.binary(max_size=80))
def test_any_bytes_from_the_stream_are_an_event_or_an_input_error(raw: bytes) -> None:
    counts = DecodeCounts()
    try:
        decode_event(raw, counts)
    except InputError:
        assert counts.malformed == 1


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from([*msgspec.json.decode(b'["result","error","info","message","x"]'), "wire_failure"]), inner
    ),
    max_leaves=5,
)
EVENT_KEYS = [field.name for field in pb.HtlcEvent.DESCRIPTOR.fields]


@given(st.dictionaries(st.sampled_from([*EVENT_KEYS, "result", "error"]), JSON_VALUES))
def test_any_json_object_is_an_event_or_an_input_error(document: dict[str, object]) -> None:
    counts = DecodeCounts()
    from_text: StreamEvent | str | None = "refused"
    from_object: StreamEvent | str | None = "refused"
    with suppress(InputError):
        from_text = decode_event_line(json.dumps(document), counts)
    with suppress(InputError):
        from_object = decode_event_object(document, counts)
    assert from_text == from_object


U63 = st.integers(0, 2**63 - 1)
U64 = st.integers(0, 2**64 - 1)


AMOUNT = st.integers(0, MOST_MSAT)


@given(U64, U64, U63, U63, U63, st.sampled_from([0, 1, 2, 3]), st.integers(7, 12), AMOUNT, AMOUNT)
def test_every_event_reads_the_same_in_both_forms(
    in_scid: int,
    out_scid: int,
    in_id: int,
    out_id: int,
    at_ns: int,
    event_type: Any,
    member: int,
    amount_in: int,
    amount_out: int,
) -> None:
    info = pb.HtlcInfo(incoming_amt_msat=amount_in, outgoing_amt_msat=amount_out)
    event = pb.HtlcEvent(
        incoming_channel_id=in_scid,
        outgoing_channel_id=out_scid,
        incoming_htlc_id=in_id,
        outgoing_htlc_id=out_id,
        timestamp_ns=at_ns,
        event_type=event_type,
    )
    name = pb.HtlcEvent.DESCRIPTOR.fields_by_number[member].name
    getattr(event, name).SetInParent()
    if name == "forward_event":
        event.forward_event.info.CopyFrom(info)
    elif name == "link_fail_event":
        event.link_fail_event.info.CopyFrom(info)
        event.link_fail_event.wire_failure = pb.Failure.FEE_INSUFFICIENT
        event.link_fail_event.failure_detail = pb.NO_DETAIL
    from_wire = decode_event(event.SerializeToString(), DecodeCounts())
    printed = json_format.MessageToJson(event, preserving_proto_field_name=True)
    assert decode_line(printed) == from_wire


def test_the_first_event_says_that_we_listen_and_the_recording_says_since_when() -> None:
    assert decode_line(lines("v0.21.2")[0]) == Subscribed(1795256336985741141)
    assert decode_line(lines("v0.21.2", "htlc_events_rest.jsonl")[0]) == Subscribed(0)
