"""Channels, policies and payments of the node as LND's protobuf messages show them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lnflow.domain.channel import Policy
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server.channels import DUST_LIMIT_SAT, LndChannel
from lnflow.simulation.lnd_server.personality import Personality

if TYPE_CHECKING:
    from lnflow.simulation.lnd_server.books import NodeBooks

INBOUND_FEE_RECORD = 55_555  # TLV type of the inbound fee in a channel_update
NO_PREIMAGE = "00" * 32
_MSAT = 1000
_NO_ALIAS = "unable to lookup peer alias: alias for node not found"


def channel_point(text: str) -> pb.ChannelPoint:
    """Return `txid:output` as events have it: the txid as bytes, which are reversed."""
    txid, _, output = text.partition(":")
    return pb.ChannelPoint(funding_txid_bytes=bytes.fromhex(txid)[::-1], output_index=int(output))


def channel_point_text(point: pb.ChannelPoint) -> str:
    """Return `txid:output` whichever way the txid is given."""
    if point.WhichOneof("funding_txid") == "funding_txid_bytes":
        txid = point.funding_txid_bytes[::-1].hex()
    else:
        txid = point.funding_txid_str
    return f"{txid}:{point.output_index}"


def channel(node: NodeBooks, chan: LndChannel, *, now_ns: int, peer_alias: bool = False) -> pb.Channel:
    """Return the channel as ListChannels shows it."""
    active = node.is_active(chan)
    since_s = max(0, now_ns - chan.active_since_ns) // SECOND_NS
    # HTLCs of less than 1 sat never show; the amounts are whole satoshis
    pending = [
        pb.HTLC(
            incoming=htlc.incoming,
            amount=htlc.amount_msat // _MSAT,
            hash_lock=htlc.payment_hash,
            expiration_height=htlc.expiry_height,
            htlc_index=htlc.htlc_id,
            forwarding_channel=htlc.forwarding_scid,
            forwarding_htlc_index=htlc.forwarding_htlc_id,
            locked_in=node.personality.tells_locked_in and htlc.committed,
        )
        for htlc in chan.in_flight
    ]
    default_max_msat = (chan.capacity_sat - chan.capacity_sat // 100) * _MSAT
    return pb.Channel(
        active=active,
        remote_pubkey=chan.peer,
        channel_point=chan.channel_point,
        chan_id=chan.scid,
        capacity=chan.capacity_sat,
        local_balance=chan.local_balance_sat(),
        remote_balance=chan.remote_balance_sat(),
        commit_fee=chan.commit_fee_sat,
        commit_weight=chan.commit_weight,
        fee_per_kw=chan.fee_per_kw,
        unsettled_balance=chan.unsettled_msat() // _MSAT,
        total_satoshis_sent=chan.sent_msat // _MSAT,
        total_satoshis_received=chan.received_msat // _MSAT,
        num_updates=chan.updates,
        pending_htlcs=pending,
        private=chan.private,
        initiator=chan.initiator,
        chan_status_flags="ChanStatusDefault",
        lifetime=since_s,
        uptime=since_s,  # LND shows 100 % for offline peers too (until 0.22)
        commitment_type=3,  # ANCHORS
        local_constraints=pb.ChannelConstraints(
            csv_delay=144,
            chan_reserve_sat=chan.reserve_sat,
            dust_limit_sat=DUST_LIMIT_SAT,
            max_pending_amt_msat=chan.max_pending_msat,
            min_htlc_msat=chan.peer_min_htlc_msat,
            max_accepted_htlcs=chan.max_accepted_htlcs,
        ),
        remote_constraints=pb.ChannelConstraints(
            csv_delay=144,
            chan_reserve_sat=chan.reserve_sat,
            dust_limit_sat=DUST_LIMIT_SAT,
            max_pending_amt_msat=default_max_msat,
            min_htlc_msat=1,
            max_accepted_htlcs=483,
        ),
        alias_scids=chan.alias_scids,
        zero_conf=chan.zero_conf,
        zero_conf_confirmed_scid=chan.confirmed_scid,
        peer_alias=(node.peers[chan.peer].alias or _NO_ALIAS) if peer_alias else "",
        peer_scid_alias=chan.peer_scid_alias,
    )


def close_summary(
    node: NodeBooks, chan: LndChannel, close_type: pb.ChannelCloseSummary.ClosureType, txid: str
) -> pb.ChannelCloseSummary:
    remote = close_type == pb.ChannelCloseSummary.REMOTE_FORCE_CLOSE
    return pb.ChannelCloseSummary(
        channel_point=chan.channel_point,
        chan_id=chan.scid,
        chain_hash=hashlib.sha256(node.network.encode()).hexdigest(),
        closing_tx_hash=txid,
        remote_pubkey=chan.peer,
        capacity=chan.capacity_sat,
        close_height=node.height,
        settled_balance=chan.local_balance_sat(),
        close_type=close_type,
        open_initiator=pb.INITIATOR_LOCAL if chan.initiator else pb.INITIATOR_REMOTE,
        close_initiator=pb.INITIATOR_REMOTE if remote else pb.INITIATOR_LOCAL,
        alias_scids=chan.alias_scids,
        zero_conf_confirmed_scid=chan.confirmed_scid,
    )


def routing_policy(policy: Policy, personality: Personality) -> pb.RoutingPolicy:
    """Return a policy as the graph shows it; a fee outside 32 bits is the operator's own (lnd.md §3.2)."""
    message = pb.RoutingPolicy(
        time_lock_delta=policy.time_lock_delta,
        min_htlc=policy.min_htlc_msat,
        fee_base_msat=policy.base_fee_msat,
        fee_rate_milli_msat=policy.fee_ppm,
        disabled=policy.disabled,
        max_htlc_msat=policy.max_htlc_msat or 0,
        last_update=policy.last_update_s or 0,
        inbound_fee_base_msat=policy.inbound_base_fee_msat,
        inbound_fee_rate_milli_msat=policy.inbound_fee_ppm,
    )
    inbound = (policy.inbound_base_fee_msat, policy.inbound_fee_ppm)
    if personality.inbound_fee_in_custom_records and inbound != (0, 0):
        message.custom_records[INBOUND_FEE_RECORD] = b"".join(
            value.to_bytes(4, "big", signed=True) for value in inbound
        )
    return message


def edge(node: NodeBooks, chan: LndChannel) -> pb.ChannelEdge:
    """Return the channel as the graph shows it: node 1 has the smaller key."""
    ours = routing_policy(chan.policy, node.personality)
    theirs = routing_policy(chan.peer_policy, node.personality) if chan.peer_policy else None
    first = node.pubkey < chan.peer
    return pb.ChannelEdge(
        channel_id=chan.scid,
        chan_point=chan.channel_point,
        last_update=max(ours.last_update, theirs.last_update if theirs else 0),
        node1_pub=node.pubkey if first else chan.peer,
        node2_pub=chan.peer if first else node.pubkey,
        capacity=chan.capacity_sat,
        node1_policy=ours if first else theirs,
        node2_policy=theirs if first else ours,
    )


def payment(
    number: int,
    payment_hash: bytes,
    amount_msat: int,
    fee_msat: int,
    receiver: str,
    first_hop: LndChannel,
    timelock: int,
    now_ns: int,
) -> pb.Payment:
    """Return a payment of ours in flight; `amount_msat` includes the fee."""
    value_msat = amount_msat - fee_msat
    hops = [
        pb.Hop(
            chan_id=first_hop.scid,
            expiry=timelock,
            amt_to_forward_msat=value_msat,
            fee_msat=fee_msat,
            pub_key=first_hop.peer,
            tlv_payload=True,
        )
    ]
    if receiver and receiver != first_hop.peer:
        hops.append(pb.Hop(expiry=timelock, amt_to_forward_msat=value_msat, pub_key=receiver, tlv_payload=True))
    return pb.Payment(
        payment_hash=payment_hash.hex(),
        payment_preimage=NO_PREIMAGE,
        value_sat=value_msat // _MSAT,
        value_msat=value_msat,
        status=pb.Payment.IN_FLIGHT,
        fee_sat=fee_msat // _MSAT,
        fee_msat=fee_msat,
        creation_time_ns=now_ns,
        payment_index=number,
        htlcs=[
            pb.HTLCAttempt(
                attempt_id=number,
                status=pb.HTLCAttempt.IN_FLIGHT,
                attempt_time_ns=now_ns,
                route=pb.Route(
                    total_time_lock=timelock,
                    hops=hops,
                    total_fees_msat=fee_msat,
                    total_amt_msat=amount_msat,
                ),
            )
        ],
    )


def come_back(message: pb.Payment, last_hop: LndChannel) -> None:
    """Let the route of a payment to ourselves end with this channel."""
    hops = message.htlcs[0].route.hops
    hops[-1].chan_id = last_hop.scid
    if hops[0].pub_key != last_hop.peer:
        us = hops.pop()
        hops.append(pb.Hop(expiry=us.expiry, amt_to_forward_msat=us.amt_to_forward_msat, pub_key=last_hop.peer))
        hops.append(us)


def end_payment(message: pb.Payment, now_ns: int, *, succeeded: bool) -> None:
    """Mark a payment as succeeded, or as failed (LND then deletes its attempts by default)."""
    if succeeded:
        message.status = pb.Payment.SUCCEEDED
        message.htlcs[0].status = pb.HTLCAttempt.SUCCEEDED
        message.htlcs[0].resolve_time_ns = now_ns
        return
    message.status = pb.Payment.FAILED
    message.failure_reason = pb.FAILURE_REASON_NO_ROUTE
    message.fee_msat = message.fee_sat = 0
    del message.htlcs[:]
