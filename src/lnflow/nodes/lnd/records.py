"""From LND's channels, policies, forwards and node facts to ours; the protobuf and JSON forms alike.

What LND means by zero ("not set") becomes None here, and satoshis become msat.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from msgspec import Struct

from lnflow.domain.channel import (
    ChannelPolicies,
    ChannelState,
    ClosedChannel,
    NodeInfo,
    PendingHtlc,
    Policy,
)
from lnflow.domain.costs import CircularHtlc, WalletTransaction
from lnflow.domain.errors import InputError
from lnflow.domain.htlc import Forward
from lnflow.nodes.lnd import json_messages as js
from lnflow.nodes.lnd.wire import lnd_pb2 as pb

IMPLEMENTATION = "lnd"

_MSAT = 1000
_SECOND_NS = 1_000_000_000
_FAILED_ALIAS = "unable to lookup peer"  # lncli prints LND's error text in the place of an alias
_CLOSE_TYPES = dict(pb.ChannelCloseSummary.ClosureType.items())
_OPENED_BY_US: dict[int | str, bool] = {  # both or unknown: not known who pays
    pb.INITIATOR_LOCAL: True,
    "INITIATOR_LOCAL": True,
    pb.INITIATOR_REMOTE: False,
    "INITIATOR_REMOTE": False,
}
_SUCCEEDED: frozenset[int | str] = frozenset({pb.HTLCAttempt.SUCCEEDED, "SUCCEEDED"})
_CLOSE_NAMES = {number: name.lower() for name, number in _CLOSE_TYPES.items()}


class GraphEdge(Struct, frozen=True, kw_only=True):
    """A channel of the graph with what each end announced (None: nothing yet)."""

    scid: int
    channel_point: str | None
    node1_pubkey: str
    node2_pubkey: str
    capacity_sat: int | None
    node1_policy: Policy | None
    node2_policy: Policy | None

    def seen_from(self, pubkey: str) -> ChannelPolicies | None:
        """Return both policies as this node sees them; None if it is neither end."""
        if pubkey == self.node1_pubkey:
            peer, ours, theirs = self.node2_pubkey, self.node1_policy, self.node2_policy
        elif pubkey == self.node2_pubkey:
            peer, ours, theirs = self.node1_pubkey, self.node2_policy, self.node1_policy
        else:
            return None
        return ChannelPolicies(
            scid=self.scid,
            channel_point=self.channel_point,
            peer_pubkey=peer,
            ours=ours,
            theirs=theirs,
            capacity_sat=self.capacity_sat,
        )


class ReportedFees(Struct, frozen=True, kw_only=True):
    """Our fees of one channel as FeeReport lists them: prices only, no limits."""

    scid: int
    channel_point: str | None
    base_fee_msat: int
    fee_ppm: int
    inbound_base_fee_msat: int
    inbound_fee_ppm: int


def channel_state(channel: pb.Channel | js.Channel) -> ChannelState:
    """Return a listed channel.  Raises `InputError` if it carries no short channel id."""
    scid = _scid_of(channel)
    local = channel.local_constraints  # local: what binds us (our reserve, what the peer accepts from us)
    return ChannelState(
        channel_point=channel.channel_point,
        scid=scid,
        other_scids=_other_scids(scid, channel),
        peer_pubkey=channel.remote_pubkey,
        peer_alias=known_alias(channel.peer_alias),
        capacity_sat=channel.capacity,
        local_msat=channel.local_balance * _MSAT,
        remote_msat=channel.remote_balance * _MSAT,
        unsettled_msat=channel.unsettled_balance * _MSAT,
        commit_fee_sat=channel.commit_fee,
        local_reserve_sat=local.chan_reserve_sat,
        remote_reserve_sat=channel.remote_constraints.chan_reserve_sat,
        initiator=channel.initiator,
        private=channel.private,
        active=channel.active,
        min_htlc_msat=local.min_htlc_msat or None,
        max_pending_msat=local.max_pending_amt_msat or None,
        max_accepted_htlcs=local.max_accepted_htlcs or None,
        uptime_s=channel.uptime,
        lifetime_s=channel.lifetime,
        total_sent_sat=channel.total_satoshis_sent,
        total_received_sat=channel.total_satoshis_received,
        pending=tuple(_pending_htlc(htlc) for htlc in channel.pending_htlcs),
    )


def closed_channel(summary: pb.ChannelCloseSummary | js.ChannelCloseSummary) -> ClosedChannel:
    """Return a closed channel; its scid is 0 if it never confirmed."""
    scid = _scid_of(summary)
    kind = summary.close_type
    return ClosedChannel(
        channel_point=summary.channel_point,
        scid=scid,
        other_scids=_other_scids(scid, summary),
        peer_pubkey=summary.remote_pubkey,
        capacity_sat=summary.capacity,
        close_height=summary.close_height,
        close_type=kind.lower() if isinstance(kind, str) else _CLOSE_NAMES.get(kind, f"close_type_{kind}"),
        closing_txid=summary.closing_tx_hash,
        settled_sat=summary.settled_balance,
        opened_by_us=_OPENED_BY_US.get(summary.open_initiator),
    )


def arrived_parts(payment: pb.Payment | js.Payment) -> list[tuple[str, CircularHtlc]]:
    """Return the parts of a payment that settled, each with who received it: it went in a circle if that is us."""
    found: list[tuple[str, CircularHtlc]] = []
    htlcs: Sequence[pb.HTLCAttempt | js.HTLCAttempt] = payment.htlcs
    for number, htlc in enumerate(htlcs, start=1):
        route = htlc.route
        if htlc.status not in _SUCCEEDED or route is None or not route.hops:
            continue
        first, last = route.hops[0], route.hops[-1]
        found.append(
            (
                last.pub_key,
                CircularHtlc(
                    payment_hash=payment.payment_hash,
                    part=htlc.attempt_id or number,
                    at_ns=htlc.resolve_time_ns or payment.creation_time_ns,
                    out_scid=first.chan_id,
                    in_scid=last.chan_id,
                    in_peer_pubkey=route.hops[-2].pub_key if len(route.hops) > 1 else None,
                    amount_msat=last.amt_to_forward_msat,
                    fee_msat=route.total_fees_msat,
                ),
            )
        )
    return found


def wallet_transaction(transaction: pb.Transaction) -> WalletTransaction:
    return WalletTransaction(
        txid=transaction.tx_hash,
        at_ns=transaction.time_stamp * _SECOND_NS,
        block_height=transaction.block_height,
        fee_sat=transaction.total_fees,
        label=transaction.label,
        outputs=tuple((output.output_index, output.amount) for output in transaction.output_details),
        spends=tuple(spent.outpoint for spent in transaction.previous_outpoints),
    )


def _scid_of(channel: pb.Channel | js.Channel | pb.ChannelCloseSummary | js.ChannelCloseSummary) -> int:
    if isinstance(channel, js.Channel | js.ChannelCloseSummary) and channel.scid:
        return channel.scid  # lncli since 0.19; its chan_id is another thing
    scid = channel.chan_id
    if isinstance(scid, int):
        return scid
    if scid.isascii() and scid.isdigit() and len(scid) <= 20:  # 2^64 has 20 digits
        return int(scid)
    raise InputError(
        f"channel {channel.channel_point}: chan_id {scid[:20]!r} is no short channel id and there is no scid"
    )


def _other_scids(
    scid: int, channel: pb.Channel | js.Channel | pb.ChannelCloseSummary | js.ChannelCloseSummary
) -> tuple[int, ...]:
    # never peer_scid_alias: it is the peer's number, and equals another channel's alias as a rule
    others = dict.fromkeys([*channel.alias_scids, channel.zero_conf_confirmed_scid])
    return tuple(other for other in others if other and other != scid)


def _pending_htlc(htlc: pb.HTLC | js.HTLC) -> PendingHtlc:
    lock = htlc.hash_lock
    return PendingHtlc(
        incoming=htlc.incoming,
        amount_msat=htlc.amount * _MSAT,
        htlc_index=htlc.htlc_index,
        expiry_height=htlc.expiration_height,
        payment_hash=lock.hex() if isinstance(lock, bytes) else _hex_hash(lock),
        forwarding_scid=htlc.forwarding_channel,
        forwarding_htlc_index=htlc.forwarding_htlc_index,
    )


def _hex_hash(text: str) -> str:
    if len(text) == 64:
        return text.lower()
    try:
        return base64.b64decode(text, validate=True).hex()
    except binascii.Error as exc:
        raise InputError(f"hash_lock {text[:20]!r} is neither hex nor base64") from exc


def known_alias(alias: str) -> str | None:
    """Return a node's name, or None where LND gave none or printed the error of its look-up."""
    return None if not alias or alias.startswith(_FAILED_ALIAS) else alias


def policy(announced: pb.RoutingPolicy | js.RoutingPolicy) -> Policy:
    return Policy(
        base_fee_msat=announced.fee_base_msat,
        fee_ppm=announced.fee_rate_milli_msat,
        time_lock_delta=announced.time_lock_delta,
        min_htlc_msat=announced.min_htlc,
        max_htlc_msat=announced.max_htlc_msat or None,
        inbound_base_fee_msat=announced.inbound_fee_base_msat,
        inbound_fee_ppm=announced.inbound_fee_rate_milli_msat,
        disabled=announced.disabled,
        last_update_s=announced.last_update or None,
    )


def graph_edge(edge: pb.ChannelEdge | js.ChannelEdge) -> GraphEdge:
    if isinstance(edge, js.ChannelEdge):
        first = None if edge.node1_policy is None else policy(edge.node1_policy)
        second = None if edge.node2_policy is None else policy(edge.node2_policy)
    else:
        first = policy(edge.node1_policy) if edge.HasField("node1_policy") else None
        second = policy(edge.node2_policy) if edge.HasField("node2_policy") else None
    return GraphEdge(
        scid=edge.channel_id,
        channel_point=edge.chan_point or None,
        node1_pubkey=edge.node1_pub,
        node2_pubkey=edge.node2_pub,
        capacity_sat=edge.capacity or None,
        node1_policy=first,
        node2_policy=second,
    )


def reported_fees(report: pb.ChannelFeeReport | js.ChannelFeeReport) -> ReportedFees:
    return ReportedFees(
        scid=report.chan_id,
        channel_point=report.channel_point or None,
        base_fee_msat=report.base_fee_msat,
        fee_ppm=report.fee_per_mil,
        inbound_base_fee_msat=report.inbound_base_fee_msat,
        inbound_fee_ppm=report.inbound_fee_per_mil,
    )


def forward(row: pb.ForwardingEvent | js.ForwardingEvent) -> Forward:
    """Return one settled forward.  Rows before LND 0.13 have whole seconds only."""
    if isinstance(row, js.ForwardingEvent):
        htlc_ids = row.incoming_htlc_id, row.outgoing_htlc_id
    else:
        htlc_ids = (
            row.incoming_htlc_id if row.HasField("incoming_htlc_id") else None,
            row.outgoing_htlc_id if row.HasField("outgoing_htlc_id") else None,
        )
    return Forward(
        row.chan_id_in,
        row.chan_id_out,
        row.timestamp_ns or row.timestamp * _SECOND_NS,
        row.amt_in_msat or row.amt_in * _MSAT,
        row.amt_out_msat or row.amt_out * _MSAT,
        htlc_ids[0],
        htlc_ids[1],
        not row.timestamp_ns,
    )


def node_info(info: pb.GetInfoResponse | js.GetInfoResponse, version: tuple[int, int, int] | None = None) -> NodeInfo:
    """Return who the node is; `version` as verrpc says it, read from the text if not given."""
    networks = [chain.network for chain in info.chains]
    return NodeInfo(
        pubkey=info.identity_pubkey,
        alias=info.alias,
        implementation=IMPLEMENTATION,
        network=networks[0] if networks else ("testnet" if info.testnet else "mainnet"),
        version=info.version.split(" ", 1)[0],
        version_tuple=version or version_from_text(info.version),
        block_height=info.block_height,
        synced_to_chain=info.synced_to_chain,
        synced_to_graph=info.synced_to_graph,
    )


def version_from_text(text: str) -> tuple[int, int, int]:
    """Return the numbers of a version as GetInfo prints it; zeros if there are none.

    >>> version_from_text("0.21.2-beta commit=v0.21.2-beta")
    (0, 21, 2)
    """
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def channel_point_text(point: pb.ChannelPoint) -> str:
    """Return `txid:output`; LND's bytes have the reverse order of the text."""
    if point.WhichOneof("funding_txid") == "funding_txid_bytes":
        return f"{point.funding_txid_bytes[::-1].hex()}:{point.output_index}"
    return f"{point.funding_txid_str}:{point.output_index}"
