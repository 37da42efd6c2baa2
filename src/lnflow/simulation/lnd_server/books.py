"""The books of the simulated LND: peers, channels, policies, history; and the telling of what changes."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import structs

from lnflow.domain.channel import Policy
from lnflow.domain.scid import scid_text
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import events, messages
from lnflow.simulation.lnd_server.channels import InFlight, LndChannel
from lnflow.simulation.lnd_server.events import Circuit
from lnflow.simulation.lnd_server.forward_log import ForwardLog
from lnflow.simulation.lnd_server.personality import Personality

FINAL_DELAY_NS = 40_000_000  # the final event comes when the peer has revoked (median of the recordings)
BLOCKS_TO_RECEIVER = 40  # how far the default outgoing expiry is away


class NodeListener(Protocol):
    """What the node tells: the server puts it on its streams."""

    @property
    def wants_channel_updates(self) -> bool:
        """False spares the node a Channel message per commitment change."""

    def htlc_event(self, event: pb.HtlcEvent) -> None: ...

    def htlc_streams_died(self, reason: str) -> None:
        """An event that LND cannot marshal ends all subscriptions (before 0.21)."""

    def channel_event(self, update: pb.ChannelEventUpdate) -> None: ...

    def peer_event(self, event: pb.PeerEvent) -> None: ...

    def graph_update(self, update: pb.GraphTopologyUpdate) -> None: ...


@dataclass(slots=True, kw_only=True)
class LndPeer:
    """Another node that we have channels with."""

    pubkey: str
    alias: str
    """As announced; empty for a node that announced nothing (only private channels)."""
    address: str = "127.0.0.1:9735"
    online: bool = True
    responsive: bool = True
    """False: connected but frozen; what we add for it is not committed."""
    flaps: int = 0
    last_flap_ns: int = 0


@dataclass(kw_only=True)
class NodeBooks:
    """Who the node is, its peers and channels, its history, and who listens to it."""

    pubkey: str = "02" + "b0" * 32
    alias: str = "simulated"
    network: str = "regtest"
    personality: Personality = Personality.V0_21_2
    height: int = 800_000
    seed: int = 0
    rejects_htlcs: bool = False
    """LND's `rejecthtlc`."""
    allows_circular: bool = False
    """LND's `allow-circular-route`."""
    synced_to_chain: bool = True
    synced_to_graph: bool = True
    sat_per_kw: int = 2_500
    """What the wallet estimates for six blocks: 10 sat/vB."""

    peers: dict[str, LndPeer] = field(default_factory=dict)
    channels: dict[str, LndChannel] = field(default_factory=dict)
    """Open channels by channel point."""
    closed: list[pb.ChannelCloseSummary] = field(default_factory=list)
    payments: list[pb.Payment] = field(default_factory=list)
    transactions: list[pb.Transaction] = field(default_factory=list)
    forwards: ForwardLog = field(default_factory=ForwardLog)
    graph_aliases: dict[str, str] = field(default_factory=dict)
    """Announced names of nodes that are not our peers."""
    graph_edges: list[pb.ChannelEdge] = field(default_factory=list)
    """Announced channels of others."""
    listeners: list[NodeListener] = field(default_factory=list)
    latest_ns: int = 0
    """The latest time anybody told the node."""

    _by_id: dict[int, LndChannel] = field(default_factory=dict)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    # ---- peers and channels ------------------------------------------------------------------------------

    def add_peer(self, peer: LndPeer) -> LndPeer:
        self.peers[peer.pubkey] = peer
        return peer

    def add_channel(self, channel: LndChannel, now_ns: int = 0) -> LndChannel:
        """Open a channel; its peer must be known."""
        if channel.peer not in self.peers:
            raise ValueError(f"channel {channel.channel_point}: peer {channel.peer} is not known")
        self.hear(now_ns)
        channel.active_since_ns = now_ns
        self.channels[channel.channel_point] = channel
        for scid in self._ids_of(channel):
            self._by_id[scid] = channel
        for listener in self.listeners:
            listener.channel_event(
                pb.ChannelEventUpdate(
                    type=pb.ChannelEventUpdate.OPEN_CHANNEL,
                    open_channel=messages.channel(self, channel, now_ns=now_ns),
                )
            )
        return channel

    def channel(self, scid: int) -> LndChannel:
        """Return our channel by any id that LND resolves; `KeyError` if it knows none."""
        return self._by_id[scid]

    def find_channel(self, scid: int) -> LndChannel | None:
        return self._by_id.get(scid)

    def channels_with(self, pubkey: str) -> list[LndChannel]:
        return [channel for channel in self.channels.values() if channel.peer == pubkey]

    def is_active(self, channel: LndChannel) -> bool:
        return channel.established and self.peers[channel.peer].online

    def peer_offline(self, pubkey: str, now_ns: int) -> None:
        """The connection to a peer is lost: its links are gone, HTLCs in flight wait."""
        self._set_online(pubkey, now_ns, online=False)

    def peer_online(self, pubkey: str, now_ns: int) -> None:
        """The peer is back and answers."""
        self._set_online(pubkey, now_ns, online=True)
        self.peers[pubkey].responsive = True

    def _set_online(self, pubkey: str, now_ns: int, *, online: bool) -> None:
        peer = self.peers[pubkey]
        self.hear(now_ns)
        if peer.online == online:
            return
        peer.online = online
        if not online:
            peer.flaps += 1
            peer.last_flap_ns = now_ns
        kind = pb.PeerEvent.PEER_ONLINE if online else pb.PeerEvent.PEER_OFFLINE
        for listener in self.listeners:
            listener.peer_event(pb.PeerEvent(pub_key=pubkey, type=kind))
        for channel in self.channels_with(pubkey):
            channel.active_since_ns = now_ns
            self.tell_active(channel)

    def tell_active(self, channel: LndChannel) -> None:
        """Tell the listeners that a channel is usable, or no longer is."""
        point = messages.channel_point(channel.channel_point)
        if self.is_active(channel):
            update = pb.ChannelEventUpdate(type=pb.ChannelEventUpdate.ACTIVE_CHANNEL, active_channel=point)
        else:
            update = pb.ChannelEventUpdate(type=pb.ChannelEventUpdate.INACTIVE_CHANNEL, inactive_channel=point)
        for listener in self.listeners:
            listener.channel_event(update)

    def close_channel(
        self,
        channel: LndChannel,
        now_ns: int,
        *,
        close_type: pb.ChannelCloseSummary.ClosureType = pb.ChannelCloseSummary.COOPERATIVE_CLOSE,
    ) -> None:
        """Close a channel for good; it must have no HTLCs in flight unless the close is forced."""
        if channel.in_flight and close_type == pb.ChannelCloseSummary.COOPERATIVE_CLOSE:
            raise ValueError(f"{channel.channel_point} has HTLCs in flight: set established = False first")
        self.hear(now_ns)
        del self.channels[channel.channel_point]
        for scid in self._ids_of(channel):
            del self._by_id[scid]
        summary = messages.close_summary(self, channel, close_type, self._random.randbytes(32).hex())
        self.closed.append(summary)
        closed = pb.ClosedChannelUpdate(
            chan_id=channel.scid,
            capacity=channel.capacity_sat,
            closed_height=self.height,
            chan_point=messages.channel_point(channel.channel_point),
        )
        for listener in self.listeners:
            listener.channel_event(
                pb.ChannelEventUpdate(type=pb.ChannelEventUpdate.CLOSED_CHANNEL, closed_channel=summary)
            )
            if not channel.private:
                listener.graph_update(pb.GraphTopologyUpdate(closed_chans=[closed]))

    def confirm_zero_conf(self, channel: LndChannel, scid: int) -> None:
        """The funding of a zero-conf channel is in the chain: its id stays the alias everywhere."""
        channel.confirmed_scid = scid
        for known in self._ids_of(channel):
            self._by_id[known] = channel

    def set_policy(self, channel: LndChannel, policy: Policy, now_ns: int) -> None:
        """Announce our policy; its gossip time moves on by at least one second."""
        self.hear(now_ns)
        last = channel.policy.last_update_s or 0
        channel.policy = structs.replace(policy, last_update_s=max(now_ns // SECOND_NS, last + 1))
        self._announce(channel, channel.policy, self.pubkey, channel.peer)

    def set_peer_policy(self, channel: LndChannel, policy: Policy, now_ns: int) -> None:
        """The peer announces what it asks for its side."""
        self.hear(now_ns)
        channel.peer_policy = structs.replace(policy, last_update_s=now_ns // SECOND_NS)
        self._announce(channel, channel.peer_policy, channel.peer, self.pubkey)

    def _announce(self, channel: LndChannel, policy: Policy, advertiser: str, other: str) -> None:
        update = pb.ChannelEdgeUpdate(
            chan_id=channel.scid,
            chan_point=messages.channel_point(channel.channel_point),
            capacity=channel.capacity_sat,
            routing_policy=messages.routing_policy(policy, self.personality),
            advertising_node=advertiser,
            connecting_node=other,
        )
        for listener in self.listeners:
            listener.graph_update(pb.GraphTopologyUpdate(channel_updates=[update]))

    # ---- HTLCs that come in, and telling ----------------------------------------------------------------

    def _ids_of(self, channel: LndChannel) -> list[int]:
        ids = [channel.scid, *channel.alias_scids]
        if channel.confirmed_scid and not channel.private:
            ids.append(channel.confirmed_scid)
        return list(dict.fromkeys(ids))

    def hear(self, now_ns: int) -> None:
        """It is at least this late now."""
        self.latest_ns = max(self.latest_ns, now_ns)

    def _incoming_link(self, in_scid: int) -> LndChannel:
        incoming = self.channel(in_scid)
        if not self.is_active(incoming):
            raise ValueError(f"nothing can come in by {scid_text(in_scid)}: the peer is away")
        return incoming

    def _arrive(
        self, in_scid: int, amount_msat: int, now_ns: int, preimage: bytes | None = None
    ) -> tuple[Circuit, LndChannel, InFlight, bytes]:
        incoming = self._incoming_link(in_scid)
        preimage = preimage or self._random.randbytes(32)
        htlc_in = incoming.add_incoming(
            amount_msat,
            expiry_height=self.height + BLOCKS_TO_RECEIVER,
            payment_hash=hashlib.sha256(preimage).digest(),
        )
        self.tell_changed(incoming, now_ns)
        return (incoming.scid, htlc_in.htlc_id), incoming, htlc_in, preimage

    def _end_incoming(self, incoming: LndChannel, htlc_in: InFlight, now_ns: int, *, settled: bool) -> None:
        incoming.remove(htlc_in, settled=settled)
        self.tell_changed(incoming, now_ns)
        key = (incoming.scid, htlc_in.htlc_id)
        self.tell(events.final(key, now_ns + FINAL_DELAY_NS, settled=settled))

    def tell(self, event: pb.HtlcEvent) -> None:
        """Raise an HTLC event as it is."""
        self.hear(event.timestamp_ns)
        for listener in self.listeners:
            listener.htlc_event(event)

    def tell_changed(self, channel: LndChannel, now_ns: int) -> None:
        """A commitment changed; from 0.21 on every subscriber of channel events hears of it."""
        self.hear(now_ns)
        if not self.personality.streams_channel_updates:
            return
        for listener in self.listeners:
            if listener.wants_channel_updates:
                listener.channel_event(
                    pb.ChannelEventUpdate(
                        type=pb.ChannelEventUpdate.CHANNEL_UPDATE,
                        updated_channel=pb.ChannelCommitUpdate(channel=messages.channel(self, channel, now_ns=now_ns)),
                    )
                )
