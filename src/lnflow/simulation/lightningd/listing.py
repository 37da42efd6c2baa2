"""Channels, peers and the node itself as the fake prints them, by version."""

from __future__ import annotations

from typing import Any

from lnflow.simulation.lightningd.channel import CLTV_DELTA, FORWARDING, UNCAPPED_MSAT, Channel, State, Terms
from lnflow.simulation.lightningd.node import FakeNode

FEATURES = ["option_static_remotekey", "option_anchors"]


def show_getinfo(node: FakeNode) -> dict[str, Any]:
    channels = node.channels.values()
    return {
        "id": node.node_id,
        "alias": node.alias,
        "color": node.node_id[:6],
        "num_peers": len(node.connected | {c.peer_id for c in channels}),
        "num_pending_channels": sum(c.state == State.AWAITING_LOCKIN for c in channels),
        "num_active_channels": sum(c.state in FORWARDING for c in channels),
        "num_inactive_channels": sum(c.state not in FORWARDING | {State.AWAITING_LOCKIN} for c in channels),
        "address": [],
        "binding": [{"type": "ipv4", "address": "127.0.0.1", "port": 9735}],
        "version": node.personality.version,
        "blockheight": node.block_height,
        "network": node.network,
        "fees_collected_msat": node.fees_collected_msat,
        "lightning-dir": "/lightning/" + node.network,
        "our_features": {"init": "08a0", "node": "08a0", "channel": "", "invoice": "02"},
    }


def show_channel(node: FakeNode, channel: Channel) -> dict[str, Any]:
    """One element of listpeerchannels; `reestablished` is absent while the peer is away."""
    connected = channel.peer_id in node.connected
    shown: dict[str, Any] = {"peer_id": channel.peer_id, "peer_connected": connected}
    if node.personality.has_updates:
        if connected:
            shown["reestablished"] = node.link_is_up(channel.peer_id)
        shown["updates"] = {"local": _side(channel.terms, CLTV_DELTA)}
        if channel.peer_terms is not None:
            shown["updates"]["remote"] = _side(channel.peer_terms, channel.peer_cltv_delta)
        shown["lost_state"] = False
    shown |= {
        "channel_type": {"bits": [12, 22], "names": ["static_remotekey/even", "anchors/even"]},
        "ignore_fee_limits": True,
        "state": channel.state.value,
        "owner": "channeld",
        "direction": 0,
        "channel_id": channel.channel_id,
        "funding_txid": channel.funding_txid,
        "funding_outnum": channel.funding_outnum,
        "private": channel.private,
        "opener": "local" if channel.opened_by_us else "remote",
        "alias": {"local": channel.alias, "remote": channel.remote_alias},
        "features": FEATURES,
    }
    if channel.scid is not None:
        shown["short_channel_id"] = channel.scid
    if channel.closer is not None:
        shown["closer"] = channel.closer
    shown |= {
        "to_us_msat": channel.to_us_msat,
        "min_to_us_msat": channel.to_us_msat,
        "max_to_us_msat": channel.to_us_msat,
        "total_msat": channel.total_msat,
        "fee_base_msat": channel.terms.base_fee_msat,
        "fee_proportional_millionths": channel.terms.fee_ppm,
        "dust_limit_msat": channel.dust_limit_msat,
        "their_reserve_msat": channel.their_reserve_msat,
        "our_reserve_msat": channel.our_reserve_msat,
        "spendable_msat": channel.spendable_msat,
        "receivable_msat": channel.receivable_msat,
        "minimum_htlc_in_msat": 0,
        "minimum_htlc_out_msat": channel.terms.htlc_min_msat,
        "maximum_htlc_out_msat": channel.terms.htlc_max_msat,
        "their_to_self_delay": 6,
        "our_to_self_delay": 6,
        "max_accepted_htlcs": node.max_concurrent_htlcs,
    }
    if node.personality.has_peer_caps:
        shown["their_max_htlc_value_in_flight_msat"] = channel.peer_max_in_flight_msat
        shown["our_max_htlc_value_in_flight_msat"] = UNCAPPED_MSAT
    else:
        shown["max_total_htlc_in_msat"] = UNCAPPED_MSAT
    shown |= {
        "state_changes": [],
        "status": [f"{channel.state.value}:Channel ready for use."],
        "in_payments_offered": channel.in_fulfilled,
        "in_offered_msat": channel.in_fulfilled_msat,
        "in_payments_fulfilled": channel.in_fulfilled,
        "in_fulfilled_msat": channel.in_fulfilled_msat,
        "out_payments_offered": channel.out_fulfilled,
        "out_offered_msat": channel.out_fulfilled_msat,
        "out_payments_fulfilled": channel.out_fulfilled,
        "out_fulfilled_msat": channel.out_fulfilled_msat,
        "htlcs": [
            {
                "direction": "in" if h.incoming else "out",
                "id": h.id,
                "amount_msat": h.amount_msat,
                "expiry": h.expiry,
                "payment_hash": h.payment_hash,
                "local_trimmed": h.amount_msat < channel.dust_limit_msat,
                "state": "RCVD_ADD_ACK_REVOCATION" if h.incoming else "SENT_ADD_ACK_REVOCATION",
            }
            for h in channel.htlcs
        ],
    }
    for htlc in shown["htlcs"]:
        if not htlc["local_trimmed"]:
            del htlc["local_trimmed"]
    return shown


def show_closed(node: FakeNode, channel: Channel) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "peer_id": channel.peer_id,
        "channel_id": channel.channel_id,
        "alias": {"local": channel.alias, "remote": channel.remote_alias},
        "opener": "local" if channel.opened_by_us else "remote",
        "private": channel.private,
        "channel_type": {"bits": [12, 22], "names": ["static_remotekey/even", "anchors/even"]},
        "total_local_commitments": 2,
        "total_remote_commitments": 2,
        "total_htlcs_sent": channel.next_out_id,
        "funding_txid": channel.funding_txid,
        "funding_outnum": channel.funding_outnum,
        "leased": False,
        "total_msat": channel.total_msat,
        "final_to_us_msat": channel.to_us_msat,
        "min_to_us_msat": channel.to_us_msat,
        "max_to_us_msat": channel.to_us_msat,
        "close_cause": channel.close_cause,
    }
    if channel.scid is not None:
        shown["short_channel_id"] = channel.scid
    if channel.closer is not None:
        shown["closer"] = channel.closer
    if node.personality.has_withheld:
        shown["funding_withheld"] = False
    return shown


def show_graph(node: FakeNode, *, destination: str | None = None, source: str | None = None) -> list[dict[str, Any]]:
    """Our announced channels as listchannels prints them: two rows each, ours and the peer's."""
    rows: list[dict[str, Any]] = []
    for channel in node.channels.values():
        if channel.private or channel.scid is None:
            continue
        ends = [(node.node_id, channel.peer_id, channel.terms)]
        if channel.peer_terms is not None:
            ends.append((channel.peer_id, node.node_id, channel.peer_terms))
        for from_id, to_id, terms in ends:
            if source not in (None, from_id) or destination not in (None, to_id):
                continue
            rows.append(
                {
                    "source": from_id,
                    "destination": to_id,
                    "short_channel_id": channel.scid,
                    "direction": int(from_id > to_id),
                    "public": True,
                    "amount_msat": channel.total_msat,
                    "message_flags": 1,
                    "channel_flags": int(from_id > to_id),
                    "active": True,
                    "last_update": node.clock() // 1_000_000_000,
                    "base_fee_millisatoshi": terms.base_fee_msat,
                    "fee_per_millionth": terms.fee_ppm,
                    "delay": CLTV_DELTA,
                    "htlc_minimum_msat": terms.htlc_min_msat,
                    "htlc_maximum_msat": terms.htlc_max_msat,
                    "features": "",
                }
            )
    return rows


def _side(terms: Terms, cltv_delta: int) -> dict[str, int]:
    return {
        "htlc_minimum_msat": terms.htlc_min_msat,
        "htlc_maximum_msat": terms.htlc_max_msat,
        "cltv_expiry_delta": cltv_delta,
        "fee_base_msat": terms.base_fee_msat,
        "fee_proportional_millionths": terms.fee_ppm,
    }
