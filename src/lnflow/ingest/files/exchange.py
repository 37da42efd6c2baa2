"""Domain values → the exchange files of `lnflow export --raw`, which are the node's own JSON forms.

Every function gives pieces of bytes to be written one after the other, so that a long history never stands
in memory.  What is read back is equal to what was written; 64-bit numbers are strings, as in LND's JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

import msgspec

from lnflow.domain.causes import Outcome
from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo, PendingHtlc, Policy
from lnflow.domain.htlc import (
    Attempt,
    DownstreamFailed,
    Forward,
    HtlcEvent,
    Offered,
    Refused,
    Resolved,
    Settled,
    StreamEnded,
    StreamEvent,
    Subscribed,
)
from lnflow.domain.scid import scid_block
from lnflow.domain.time import SECOND_NS
from lnflow.ingest.files.items import ChannelSnapshot, Coverage
from lnflow.nodes.lnd.failures import FailureDetail, WireFailure
from lnflow.nodes.lnd.json_form import GraphEdge

Json = dict[str, object]

_encode = msgspec.json.Encoder().encode
_WIRE_NAMES = {int(code): code.name for code in WireFailure}
_DETAIL_NAMES = {int(detail): detail.name for detail in FailureDetail}


def events_jsonl(events: Iterable[StreamEvent]) -> Iterator[bytes]:
    """Return `events.jsonl`."""
    return _lines(map(event_document, events))


def fwdinghistory_json(forwards: Iterable[Forward]) -> Iterator[bytes]:
    """Return `fwdinghistory.json`."""
    return _listing("forwarding_events", map(_forward, forwards))


def getinfo_json(info: NodeInfo) -> Iterator[bytes]:
    """Return `getinfo.json`, in the form of the node's own implementation."""
    yield _encode(_cln_getinfo(info) if info.implementation == "cln" else _lnd_getinfo(info)) + b"\n"


def channels_json(channels: Iterable[ChannelState]) -> Iterator[bytes]:
    """Return `channels.json` (undated).  LND's form has whole sats: fractions of the balances are cut off."""
    return _listing("channels", map(_channel, channels))


def closedchannels_json(channels: Iterable[ClosedChannel]) -> Iterator[bytes]:
    """Return `closedchannels.json`."""
    return _listing("channels", map(_closed_channel, channels))


def channel_snapshots_jsonl(snapshots: Iterable[ChannelSnapshot]) -> Iterator[bytes]:
    """Return `channel_snapshots.jsonl`; snapshots without a date are left out."""
    for snapshot in snapshots:
        if snapshot.at_ns is not None:
            head = b'{"timestamp": %s, "channels": [' % _seconds(snapshot.at_ns)
            yield head + b", ".join(_encode(_channel(channel)) for channel in snapshot.channels) + b"]}\n"


def policies_json(records: Iterable[tuple[int, GraphEdge]]) -> Iterator[bytes]:
    """Return `policies.json`, dated by when each was seen (ns), one a line."""
    return _lines({"timestamp_ns": str(at_ns), "edge": _edge(edge)} for at_ns, edge in records)


def describegraph_json(names: Mapping[str, str], edges: Iterable[GraphEdge]) -> Iterator[bytes]:
    """Return `describegraph.json`: names by public key, and the channels whose policies are known."""
    nodes = [{"pub_key": pubkey, "alias": alias} for pubkey, alias in names.items()]
    yield b'{"nodes": %s,\n' % _encode(nodes)
    yield b'"edges": '
    yield from _array(map(_edge, edges))
    yield b"}\n"


def stream_log_json(intervals: Iterable[Coverage]) -> Iterator[bytes]:
    """Return `stream_log.json`."""
    return _array(
        {
            "subscribed_ns": str(interval.since_ns),
            "ended_ns": None if interval.until_ns is None else str(interval.until_ns),
            "reason": interval.reason,
        }
        for interval in intervals
    )


def edge_seen_from(our_pubkey: str, policies: ChannelPolicies) -> GraphEdge:
    """Return a channel of ours as the graph has it: `seen_from` of the result gives the policies back."""
    is_first = our_pubkey < policies.peer_pubkey  # BOLT 7: node 1 is the lesser of both keys
    return GraphEdge(
        scid=policies.scid,
        channel_point=policies.channel_point,
        node1_pubkey=our_pubkey if is_first else policies.peer_pubkey,
        node2_pubkey=policies.peer_pubkey if is_first else our_pubkey,
        capacity_sat=policies.capacity_sat,
        node1_policy=policies.ours if is_first else policies.theirs,
        node2_policy=policies.theirs if is_first else policies.ours,
    )


def events_of(attempt: Attempt) -> Iterator[HtlcEvent]:
    """Yield the events that join into this attempt again.  It must have an HTLC id; without one it is a
    row of `fwdinghistory.json`."""
    if attempt.in_htlc_id is None:
        raise ValueError("an attempt without HTLC id has no events")
    key = attempt.in_scid, attempt.in_htlc_id
    arrived_ns = attempt.arrived_ns
    end_ns = attempt.resolved_ns if attempt.resolved_ns is not None else arrived_ns or 0
    used = attempt.out_scid if attempt.out_used else 0, attempt.out_htlc_id or 0
    amounts = attempt.amount_in_msat, attempt.amount_out_msat
    is_refused = attempt.outcome is Outcome.REFUSED
    if arrived_ns is not None and not (is_refused and not attempt.out_used):
        yield Offered(*key, arrived_ns, *used, *amounts)
    match attempt.outcome:
        case Outcome.SETTLED:
            yield Settled(*key, end_ns, *used)
        case Outcome.DOWNSTREAM:
            yield DownstreamFailed(*key, end_ns, *used)
        case Outcome.REFUSED:
            cause = attempt.cause
            yield Refused(*key, end_ns, attempt.out_scid, cause, *amounts, attempt.wire_code, attempt.detail)
        case Outcome.UNRESOLVED:
            yield Resolved(*key, end_ns, settled=False, offchain=True)
        case Outcome.PENDING:
            pass
        case _:
            assert_never(attempt.outcome)


def event_document(event: StreamEvent) -> Json:
    """Return one event as LND's gRPC-JSON."""
    match event:
        case Subscribed():
            return {**_head("UNKNOWN", 0, 0, 0), "subscribed_event": {}, "_received_at_ns": str(event.at_ns)}
        case StreamEnded():
            return {"error": {"code": 2, "message": event.reason, "details": []}}
        case Resolved():
            final = {"settled": event.settled, "offchain": event.offchain}
            head = _head("UNKNOWN", event.in_scid, event.in_htlc_id, event.at_ns)
            return {**head, "final_htlc_event": final}
        case Refused():
            return {
                **_head("FORWARD", event.in_scid, event.in_htlc_id, event.at_ns, event.out_scid),
                "link_fail_event": {
                    "info": _info(event.amount_in_msat, event.amount_out_msat),
                    "wire_failure": _WIRE_NAMES.get(event.wire_code, event.wire_code),
                    "failure_detail": _DETAIL_NAMES.get(event.detail, event.detail),
                    "failure_string": "",
                },
            }
        case Offered():
            body: Json = {"forward_event": {"info": _info(event.amount_in_msat, event.amount_out_msat)}}
        case Settled():
            body = {"settle_event": {"preimage": ""}}
        case DownstreamFailed():
            body = {"forward_fail_event": {}}
        case _:
            assert_never(event)
    head = _head("FORWARD", event.in_scid, event.in_htlc_id, event.at_ns, event.out_scid, event.out_htlc_id)
    return head | body


def _head(event_type: str, in_scid: int, in_htlc_id: int, at_ns: int, out_scid: int = 0, out_htlc_id: int = 0) -> Json:
    return {
        "incoming_channel_id": str(in_scid),
        "outgoing_channel_id": str(out_scid),
        "incoming_htlc_id": str(in_htlc_id),
        "outgoing_htlc_id": str(out_htlc_id),
        "timestamp_ns": str(at_ns),
        "event_type": event_type,
    }


def _info(amount_in_msat: int | None, amount_out_msat: int | None) -> Json:
    return {"incoming_amt_msat": str(amount_in_msat or 0), "outgoing_amt_msat": str(amount_out_msat or 0)}


def _forward(forward: Forward) -> Json:
    row: Json = {
        "timestamp": str(forward.at_ns // SECOND_NS),
        "chan_id_in": str(forward.in_scid),
        "chan_id_out": str(forward.out_scid),
        "amt_in": str(forward.amount_in_msat // 1000),
        "amt_out": str(forward.amount_out_msat // 1000),
        "fee": str((forward.amount_in_msat - forward.amount_out_msat) // 1000),
        "fee_msat": str(forward.amount_in_msat - forward.amount_out_msat),
        "amt_in_msat": str(forward.amount_in_msat),
        "amt_out_msat": str(forward.amount_out_msat),
    }
    if not forward.whole_seconds:
        row["timestamp_ns"] = str(forward.at_ns)
    if forward.in_htlc_id is not None:
        row["incoming_htlc_id"] = str(forward.in_htlc_id)
    if forward.out_htlc_id is not None:
        row["outgoing_htlc_id"] = str(forward.out_htlc_id)
    return row


def _lnd_getinfo(info: NodeInfo) -> Json:
    return {
        "version": info.version,
        "identity_pubkey": info.pubkey,
        "alias": info.alias,
        "block_height": info.block_height,
        "synced_to_chain": info.synced_to_chain,
        "synced_to_graph": info.synced_to_graph,
        "testnet": info.network == "testnet",
        "chains": [{"chain": "bitcoin", "network": info.network}],
    }


def _cln_getinfo(info: NodeInfo) -> Json:
    document: Json = {
        "id": info.pubkey,
        "alias": info.alias,
        "version": info.version,
        "blockheight": info.block_height,
        "network": "bitcoin" if info.network == "mainnet" else info.network,
    }
    if not info.synced_to_chain:
        document["warning_bitcoind_sync"] = "was not in sync"
    if not info.synced_to_graph:
        document["warning_lightningd_sync"] = "was not in sync"
    return document


def _channel(channel: ChannelState) -> Json:
    aliases, confirmed = _other_ids(channel.other_scids)
    document: Json = {
        "active": channel.active,
        "remote_pubkey": channel.peer_pubkey,
        "channel_point": channel.channel_point,
        "chan_id": str(channel.scid),
        "capacity": str(channel.capacity_sat),
        "local_balance": str(channel.local_msat // 1000),
        "remote_balance": str(channel.remote_msat // 1000),
        "commit_fee": str(channel.commit_fee_sat),
        "unsettled_balance": str(channel.unsettled_msat // 1000),
        "pending_htlcs": [_pending(htlc) for htlc in channel.pending],
        "private": channel.private,
        "initiator": channel.initiator,
        "local_constraints": {
            "chan_reserve_sat": str(channel.local_reserve_sat),
            "max_pending_amt_msat": str(channel.max_pending_msat or 0),
            "min_htlc_msat": str(channel.min_htlc_msat or 0),
            "max_accepted_htlcs": channel.max_accepted_htlcs or 0,
        },
        "remote_constraints": {"chan_reserve_sat": str(channel.remote_reserve_sat)},
        "alias_scids": aliases,
        "zero_conf_confirmed_scid": confirmed,
        "peer_alias": channel.peer_alias or "",
    }
    counters = {
        "lifetime": channel.lifetime_s,
        "uptime": channel.uptime_s,
        "total_satoshis_sent": channel.total_sent_sat,
        "total_satoshis_received": channel.total_received_sat,
    }
    return document | {name: str(value) for name, value in counters.items() if value is not None}


def _closed_channel(channel: ClosedChannel) -> Json:
    aliases, confirmed = _other_ids(channel.other_scids)
    return {
        "channel_point": channel.channel_point,
        "chan_id": str(channel.scid),
        "closing_tx_hash": channel.closing_txid,
        "remote_pubkey": channel.peer_pubkey,
        "capacity": str(channel.capacity_sat),
        "close_height": channel.close_height,
        "settled_balance": str(channel.settled_sat),
        "close_type": channel.close_type.upper(),
        "alias_scids": aliases,
        "zero_conf_confirmed_scid": confirmed,
    }


def _other_ids(scids: Sequence[int]) -> tuple[list[str], str]:
    """Return the aliases and the confirmed id of a zero-conf channel, which stands last."""
    if scids and scid_block(scids[-1]) is not None:
        return [str(scid) for scid in scids[:-1]], str(scids[-1])
    return [str(scid) for scid in scids], "0"


def _pending(htlc: PendingHtlc) -> Json:
    return {
        "incoming": htlc.incoming,
        "amount": str(htlc.amount_msat // 1000),
        "hash_lock": htlc.payment_hash,
        "expiration_height": htlc.expiry_height,
        "htlc_index": str(htlc.htlc_index),
        "forwarding_channel": str(htlc.forwarding_scid),
        "forwarding_htlc_index": str(htlc.forwarding_htlc_index),
    }


def _edge(edge: GraphEdge) -> Json:
    return {
        "channel_id": str(edge.scid),
        "chan_point": edge.channel_point or "",
        "node1_pub": edge.node1_pubkey,
        "node2_pub": edge.node2_pubkey,
        "capacity": str(edge.capacity_sat or 0),
        "node1_policy": _policy(edge.node1_policy),
        "node2_policy": _policy(edge.node2_policy),
    }


def _policy(policy: Policy | None) -> Json | None:
    if policy is None:
        return None
    return {
        "time_lock_delta": policy.time_lock_delta,
        "min_htlc": str(policy.min_htlc_msat),
        "fee_base_msat": str(policy.base_fee_msat),
        "fee_rate_milli_msat": str(policy.fee_ppm),
        "disabled": policy.disabled,
        "max_htlc_msat": str(policy.max_htlc_msat or 0),
        "last_update": policy.last_update_s or 0,
        "inbound_fee_base_msat": policy.inbound_base_fee_msat,
        "inbound_fee_rate_milli_msat": policy.inbound_fee_ppm,
    }


def _seconds(at_ns: int) -> bytes:
    """Return unix seconds as a JSON number that holds every nanosecond."""
    seconds, rest_ns = divmod(at_ns, SECOND_NS)
    return (f"{seconds}.{rest_ns:09}" if rest_ns else f"{seconds}").encode()


def _lines(documents: Iterable[Json]) -> Iterator[bytes]:
    for document in documents:
        yield _encode(document) + b"\n"


def _listing(name: str, rows: Iterable[Json]) -> Iterator[bytes]:
    yield b'{"%s": ' % name.encode()
    yield from _array(rows)
    yield b"}\n"


def _array(rows: Iterable[Json]) -> Iterator[bytes]:
    """Yield an array with one element a line."""
    separator = b"[\n"
    is_empty = True
    for row in rows:
        yield separator + _encode(row)
        separator, is_empty = b",\n", False
    yield b"[]\n" if is_empty else b"\n]\n"
