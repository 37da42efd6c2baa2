"""Channels, policies, peers and the node itself in domain types.

A channel goes by its `channel_id`, in the place where LND has an outpoint: splices change SCID and funding
transaction, never the channel_id.
"""

from __future__ import annotations

from collections.abc import Sequence

from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo, PendingHtlc, Policy
from lnflow.nodes.cln.errors import RpcRefused
from lnflow.nodes.cln.rows import scid_number
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.version import require_floor
from lnflow.nodes.cln.wire import (
    Aliases,
    ClosedPeerChannel,
    Configs,
    GetInfo,
    GossipSide,
    NodePage,
    PeerChannel,
    msat,
    optional_msat,
)

USABLE_STATES = frozenset({"CHANNELD_NORMAL", "CHANNELD_AWAITING_SPLICE"})
_UNCAPPED_MSAT = 1 << 63  # both ends announce 2^64-1 by default: no cap


class NodeFacts:
    """Asks one node for what it is and has."""

    def __init__(self, rpc: ClnRpc) -> None:
        self._rpc = rpc

    async def node_info(self) -> NodeInfo:
        """Raises `NodeRefused` for a version that cannot page its forwards."""
        info = await self._rpc.call("getinfo", {}, GetInfo)
        return NodeInfo(
            pubkey=info.id,
            alias=info.alias,
            implementation="cln",
            network="mainnet" if info.network == "bitcoin" else info.network,
            version=info.version,
            version_tuple=require_floor(info.version),
            block_height=info.blockheight,
            synced_to_chain=info.warning_bitcoind_sync is None,
            synced_to_graph=info.warning_lightningd_sync is None,
        )

    async def peer_channels(self) -> list[PeerChannel]:
        """Every channel as the node lists it, those opening and closing too."""
        batches = self._rpc.elements("listpeerchannels", {}, "channels", PeerChannel)
        return [channel async for batch in batches for channel in batch]

    async def closed_channels(self) -> list[ClosedChannel]:
        batches = self._rpc.elements("listclosedchannels", {}, "closedchannels", ClosedPeerChannel)
        return [closed_channel(channel) async for batch in batches for channel in batch]

    async def max_dust_msat(self) -> int | None:
        """How much dust per channel the node bears; None where it does not tell."""
        name = "max-dust-htlc-exposure-msat"
        try:
            reply = await self._rpc.call("listconfigs", {"config": name}, Configs)
        except RpcRefused:
            return None
        found = reply.configs.get(name)
        return None if found is None else optional_msat(found.value_msat)

    async def aliases(self, pubkeys: Sequence[str]) -> dict[str, str]:
        """Names that the graph knows; asked one by one, since the whole graph is tens of megabytes."""
        names: dict[str, str] = {}
        for pubkey in pubkeys:
            page = await self._rpc.call("listnodes", {"id": pubkey}, NodePage)
            names.update({node.nodeid: node.alias for node in page.nodes if node.alias})
        return names


def channel_state(channel: PeerChannel) -> ChannelState | None:
    """Return the channel; None while it has no channel_id, no short id or no amounts (it opens or is gone)."""
    scids = _scids(channel.short_channel_id, channel.alias)
    if channel.channel_id is None or not scids or channel.to_us_msat is None or channel.total_msat is None:
        return None
    pending = tuple(
        PendingHtlc(
            incoming=h.direction == "in",
            amount_msat=msat(h.amount_msat),
            htlc_index=h.id,
            expiry_height=h.expiry,
            payment_hash=h.payment_hash,
        )
        for h in channel.htlcs
    )
    incoming = sum(h.amount_msat for h in pending if h.incoming)
    outgoing = sum(h.amount_msat for h in pending if not h.incoming)
    to_us, total = msat(channel.to_us_msat), msat(channel.total_msat)
    return ChannelState(
        channel_point=channel.channel_id,
        scid=scids[0],
        other_scids=tuple(scids[1:]),
        peer_pubkey=channel.peer_id,
        peer_alias=None,
        capacity_sat=total // 1000,
        local_msat=to_us - outgoing,
        remote_msat=max(0, total - to_us - incoming),
        unsettled_msat=incoming + outgoing,
        commit_fee_sat=(optional_msat(channel.last_tx_fee_msat) or 0) // 1000,
        local_reserve_sat=(optional_msat(channel.our_reserve_msat) or 0) // 1000,
        remote_reserve_sat=(optional_msat(channel.their_reserve_msat) or 0) // 1000,
        initiator=channel.opener == "local",
        private=channel.private is True,
        active=is_usable(channel),
        max_pending_msat=_most_in_flight(channel, total),
        total_sent_sat=None if channel.out_fulfilled_msat is None else msat(channel.out_fulfilled_msat) // 1000,
        total_received_sat=None if channel.in_fulfilled_msat is None else msat(channel.in_fulfilled_msat) // 1000,
        pending=pending,
    )


def is_usable(channel: PeerChannel) -> bool:
    """Whether forwards can leave by it: in a forwarding state, the peer there and the channel re-established.

    `reestablished` came with v24.02; where the node never says it, being connected must do.
    """
    return (
        channel.state in USABLE_STATES
        and channel.peer_connected
        and channel.reestablished is not False
        and not channel.lost_state
    )


def channel_policies(channel: PeerChannel) -> ChannelPolicies | None:
    """Return both ends' policies; ours stand in the channel itself, the peer's in `updates` (v24.02)."""
    scids = _scids(channel.short_channel_id, channel.alias)
    if channel.channel_id is None or not scids:
        return None
    sides = channel.updates
    return ChannelPolicies(
        scid=scids[0],
        channel_point=channel.channel_id,
        peer_pubkey=channel.peer_id,
        ours=_ours(channel),
        theirs=None if sides is None or sides.remote is None else _policy(sides.remote),
        capacity_sat=None if channel.total_msat is None else msat(channel.total_msat) // 1000,
    )


def closed_channel(channel: ClosedPeerChannel) -> ClosedChannel:
    """Return a channel that is gone; the node does not say at which height (0)."""
    scids = _scids(channel.short_channel_id, channel.alias)
    return ClosedChannel(
        channel_point=channel.channel_id,
        scid=scids[0] if scids else 0,
        other_scids=tuple(scids[1:]),
        peer_pubkey=channel.peer_id or "",
        capacity_sat=msat(channel.total_msat) // 1000,
        close_height=0,
        close_type=channel.close_cause,
        closing_txid=channel.last_commitment_txid or "",
        settled_sat=msat(channel.final_to_us_msat) // 1000,
    )


def _scids(real: str | None, alias: Aliases | None) -> list[int]:
    """Our names of the channel, the one the node's rows use first; the peer's alias is not ours."""
    names = (real, alias.local if alias else None)
    return [scid_number(name) for name in names if name]


def _ours(channel: PeerChannel) -> Policy | None:
    base, ppm = channel.fee_base_msat, channel.fee_proportional_millionths
    if base is None or ppm is None:
        return None
    side = None if channel.updates is None else channel.updates.local
    return Policy(
        base_fee_msat=msat(base),
        fee_ppm=ppm,
        time_lock_delta=0 if side is None else side.cltv_expiry_delta,
        min_htlc_msat=optional_msat(channel.minimum_htlc_out_msat) or 0,
        max_htlc_msat=optional_msat(channel.maximum_htlc_out_msat),
    )


def _policy(side: GossipSide) -> Policy:
    return Policy(
        base_fee_msat=msat(side.fee_base_msat),
        fee_ppm=side.fee_proportional_millionths,
        time_lock_delta=side.cltv_expiry_delta,
        min_htlc_msat=msat(side.htlc_minimum_msat),
        max_htlc_msat=msat(side.htlc_maximum_msat),
    )


def _most_in_flight(channel: PeerChannel, total_msat: int) -> int | None:
    """What no HTLC that leaves can exceed: the peer's cap, or all but the reserve, to which `htlcmax` is cut too."""
    caps = [_capped(channel.their_max_htlc_value_in_flight_msat)]
    reserve = optional_msat(channel.their_reserve_msat)
    caps.append(None if reserve is None else total_msat - reserve)
    return min((cap for cap in caps if cap is not None), default=None)


def _capped(value: int | str | None) -> int | None:
    amount = optional_msat(value)
    return None if amount is None or amount >= _UNCAPPED_MSAT else amount
