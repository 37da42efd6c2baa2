"""Channels, policies, forwards and node facts, as lncli, REST and gRPC give them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from tests.unit.nodes.lnd.recordings import VERSIONS, document

from lnflow.domain.errors import InputError
from lnflow.nodes.lnd import json_form, records
from lnflow.nodes.lnd.wire import lnd_pb2 as pb


def wire(element: dict[str, Any], message: Message) -> Any:
    """Return the protobuf form of what lncli printed."""
    element = dict(element)
    if "scid" in element:
        element["chan_id"] = element.pop("scid")
    for htlc in element.get("pending_htlcs", ()):
        htlc["hash_lock"] = base64.b64encode(bytes.fromhex(htlc["hash_lock"])).decode()
    element.pop("commitment_type", None)  # we have it as a number only
    return json_format.ParseDict(element, message, ignore_unknown_fields=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_channels_are_the_same_from_lncli_and_from_grpc(version: str) -> None:
    expected = document(version, "expected.json")["channels"]
    scids = {channel["channel_point"]: int(channel["scid"]) for channel in expected.values()}
    in_flight = 0
    for snapshot in document(version, "listchannels.json"):
        for element in snapshot["channels"]:
            state = json_form.decode_channel(element)
            assert state.scid == scids[state.channel_point]
            in_flight += len(state.pending)
            assert records.channel_state(wire(element, pb.Channel())) == state
    assert in_flight > 10


def test_a_channel_carries_the_limits_that_bind_us() -> None:
    """D accepts six HTLCs from B: that is in B's *local* constraints."""
    channels = [json_form.decode_channel(each) for each in document("v0.21.2", "listchannels_first.json")["channels"]]
    [to_d] = [channel for channel in channels if channel.max_accepted_htlcs == 6]
    assert to_d.scid == 443103186190336
    assert (to_d.capacity_sat, to_d.local_reserve_sat, to_d.max_pending_msat) == (4_000_000, 40_000, 3_960_000_000)
    assert to_d.other_scids == (17592186044416000002,)  # its own alias, not the peer's number for it
    [zero_conf] = [channel for channel in channels if channel.private]
    assert zero_conf.scid == 17592186044416000004
    assert zero_conf.peer_alias is None  # lncli printed the error of its look-up


def test_a_confirmed_zero_conf_channel_keeps_its_alias_and_knows_its_number() -> None:
    known = document("v0.21.2", "expected.json")["zero_conf_channel"]
    channels = [json_form.decode_channel(each) for each in document("v0.21.2", "listchannels_last.json")["channels"]]
    [channel] = [channel for channel in channels if channel.private]
    assert channel.scid == int(known["chan_id"])
    assert channel.other_scids == (int(known["zero_conf_confirmed_scid"]),)


@pytest.mark.parametrize("version", VERSIONS)
def test_history_rows_are_the_same_from_both(version: str) -> None:
    totals = document(version, "expected.json")["totals"]["settled"]
    rows = document(version, "fwdinghistory.json")["forwarding_events"]
    forwards = [json_form.decode_forward(row) for row in rows]
    assert forwards == [records.forward(wire(row, pb.ForwardingEvent())) for row in rows]
    assert len(forwards) == totals["count"]
    assert sum(forward.amount_in_msat - forward.amount_out_msat for forward in forwards) == totals["fee_msat"]
    assert all(forward.in_htlc_id is not None and not forward.whole_seconds for forward in forwards)


def test_an_id_of_zero_is_an_id() -> None:
    row = {"chan_id_in": 1, "chan_id_out": 2, "timestamp_ns": 3, "amt_in_msat": 5, "amt_out_msat": 4}
    assert json_form.decode_forward({**row, "incoming_htlc_id": "0"}).in_htlc_id == 0
    assert json_form.decode_forward(row).in_htlc_id is None


def test_rows_of_old_nodes_have_seconds_and_satoshis() -> None:
    row = {"chan_id_in": "1", "chan_id_out": "2", "timestamp": "1600000000", "amt_in": "1001", "amt_out": "1000"}
    forward = json_form.decode_forward(row)
    assert (forward.at_ns, forward.whole_seconds) == (1_600_000_000 * 10**9, True)
    assert (forward.amount_in_msat, forward.amount_out_msat) == (1_001_000, 1_000_000)


@pytest.mark.parametrize("version", VERSIONS)
def test_edges_are_the_same_from_both_and_seen_from_either_end(version: str) -> None:
    graph = document(version, "describegraph.json")
    us = document(version, "expected.json")["nodes"]["B"]
    fees = {
        row.scid: row for row in map(json_form.decode_fee_report, document(version, "feereport.json")["channel_fees"])
    }
    seen = 0
    for element in graph["edges"]:
        edge = json_form.decode_edge(element)
        assert records.graph_edge(wire(element, pb.ChannelEdge())) == edge
        policies = edge.seen_from(us)
        if policies is None:
            continue
        seen += 1
        mirrored = edge.seen_from(policies.peer_pubkey)
        assert mirrored is not None
        assert (mirrored.peer_pubkey, mirrored.ours, mirrored.theirs) == (us, policies.theirs, policies.ours)
        assert policies.ours is not None
        report = fees[edge.scid]
        assert (policies.ours.base_fee_msat, policies.ours.fee_ppm) == (report.base_fee_msat, report.fee_ppm)
        assert policies.ours.max_htlc_msat is not None
        assert policies.ours.last_update_s is not None
    assert seen >= 3


def test_an_end_that_announced_nothing_has_no_policy() -> None:
    element = {"channel_id": "5", "node1_pub": "a", "node2_pub": "b", "node1_policy": None, "chan_point": "t:0"}
    edge = json_form.decode_edge(element)
    assert (edge.node1_policy, edge.node2_policy) == (None, None)
    assert edge.seen_from("c") is None


@pytest.mark.parametrize("version", VERSIONS)
def test_node_facts_are_the_same_from_both(version: str) -> None:
    element = document(version, "getinfo.json")
    info = json_form.decode_node_info(element)
    assert records.node_info(wire(element, pb.GetInfoResponse())) == info
    assert (info.alias, info.network, info.implementation) == ("B", "simnet", "lnd")
    assert info.version == f"{version[1:]}-beta"
    assert info.version_tuple == tuple(map(int, version[1:].split(".")))


def test_names_of_nodes() -> None:
    graph = document("v0.21.2", "describegraph.json")
    names = dict(json_form.decode_graph_node(node) for node in graph["nodes"])
    assert set(names.values()) - {None} <= {"A", "B", "C", "D", "E"}
    assert json_form.decode_graph_node({"pub_key": "02", "alias": ""}) == ("02", None)


@pytest.mark.parametrize("version", VERSIONS)
def test_closed_channels(version: str) -> None:
    for element in document(version, "closedchannels.json")["channels"]:
        closed = json_form.decode_closed_channel(element)
        assert records.closed_channel(wire(element, pb.ChannelCloseSummary())) == closed
        assert closed.close_type == "cooperative_close"
        assert closed.scid == int(element["scid"])
        assert closed.settled_sat == int(element["settled_balance"])


def test_a_way_of_closing_of_a_later_lnd_keeps_its_number() -> None:
    summary = pb.ChannelCloseSummary(channel_point="t:0", close_type=17)  # type: ignore[arg-type]  # open enum
    assert records.closed_channel(summary).close_type == "close_type_17"


def test_a_channel_id_in_hex_without_the_number_is_refused() -> None:
    with pytest.raises(InputError, match="no short channel id and there is no scid"):
        json_form.decode_channel({"remote_pubkey": "02", "channel_point": "t:0", "chan_id": "5a6b" * 16})


@pytest.mark.parametrize(
    ("decode", "element"),
    [
        (json_form.decode_channel, {"chan_id": "5"}),
        (json_form.decode_channel, {"remote_pubkey": 5, "channel_point": "t:0"}),
        (json_form.decode_forward, {"chan_id_in": "x", "chan_id_out": 1}),
        (json_form.decode_forward, {"chan_id_in": 1, "chan_id_out": 1}),
        (json_form.decode_forward, {"chan_id_in": 1, "chan_id_out": 1, "timestamp_ns": 5, "amt_in_msat": -1}),
        (json_form.decode_forward, [1, 2]),
        (json_form.decode_edge, {"node1_pub": "a", "node2_pub": "b"}),
        (json_form.decode_node_info, {}),
        (json_form.decode_graph_node, None),
        (json_form.decode_fee_report, {"chan_id": None}),
        (json_form.decode_closed_channel, {"channel_point": None}),
    ],
)
def test_what_does_not_fit_says_where(decode: Any, element: object) -> None:
    with pytest.raises(InputError):
        decode(element)


def test_outpoints_are_written_as_the_chain_writes_them() -> None:
    txid = bytes(range(32))
    as_bytes = pb.ChannelPoint(funding_txid_bytes=txid, output_index=3)
    as_text = pb.ChannelPoint(funding_txid_str=txid[::-1].hex(), output_index=3)
    assert records.channel_point_text(as_bytes) == records.channel_point_text(as_text) == f"{txid[::-1].hex()}:3"
