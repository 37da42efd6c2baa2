"""The simulated LND as a state machine: channels, HTLCs, history; no I/O and no clock.

Whoever drives it (a payment world, a test) says what reaches the node and when; the node decides as LND
decides and tells its listeners the events LND would raise, with the same ids, order and times.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import structs

from lnflow.domain.channel import Policy
from lnflow.domain.htlc import Forward
from lnflow.domain.scid import scid_text
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import events, messages
from lnflow.simulation.lnd_server.channels import InFlight, LndChannel
from lnflow.simulation.lnd_server.checks import ForwardRequest, check_link
from lnflow.simulation.lnd_server.events import NO_CIRCUIT, Circuit
from lnflow.simulation.lnd_server.forward_log import ForwardLog
from lnflow.simulation.lnd_server.personality import Personality
from lnflow.simulation.lnd_server.refusals import ReceiveRefusal, Refusal

# The history has the time the switch saw the preimage; the event follows a little later, and the final one
# when the peer has revoked (medians of the recordings).
SETTLE_EVENT_DELAY_NS = 20_000
FINAL_DELAY_NS = 40_000_000
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """What became of an HTLC that came in to be sent on: under way by `outgoing`, or refused."""

    key: Circuit
    outgoing: Circuit | None
    refusal: Refusal | None


@dataclass(slots=True, kw_only=True)
class _Forward:
    """A forward under way."""

    request: ForwardRequest
    incoming: LndChannel
    outgoing: LndChannel
    htlc_in: InFlight
    htlc_out: InFlight
    preimage: bytes


@dataclass(slots=True, kw_only=True)
class _OwnSend:
    channel: LndChannel
    htlc: InFlight
    payment: pb.Payment
    preimage: bytes


@dataclass(slots=True, kw_only=True)
class LndNode:
    """One LND node.  Times are given by the caller and must not run backwards by much."""

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
    _forwards: dict[Circuit, _Forward] = field(default_factory=dict)
    _sends: dict[int, _OwnSend] = field(default_factory=dict)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    # ---- peers and channels ----------------------------------------------------------------------------

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
        """The peer is back: what was not committed is offered again (a forward event once more)."""
        self._set_online(pubkey, now_ns, online=True)
        self.peers[pubkey].responsive = True
        for forward in self._forwards.values():
            if forward.outgoing.peer == pubkey and not forward.htlc_out.committed:
                forward.htlc_out.committed = True
                self._raise_forward(forward, now_ns)

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

    # ---- forwards --------------------------------------------------------------------------------------

    def forward_htlc(
        self,
        *,
        in_scid: int,
        requested_out: int,
        amount_in_msat: int,
        amount_out_msat: int,
        now_ns: int,
        incoming_timelock: int | None = None,
        outgoing_timelock: int | None = None,
    ) -> Forwarding:
        """An HTLC comes in with the order to send it on by `requested_out` (0: a node id, in 0.21.2).

        Default expiries suit the policy.  A forward under way is ended with `settle`, `fail_downstream`,
        `give_up` or `resolve_on_chain`.  `ValueError` if it could not even come in.
        """
        incoming = self._incoming_link(in_scid)
        requested = self._by_id.get(requested_out)
        if outgoing_timelock is None:
            outgoing_timelock = self.height + BLOCKS_TO_RECEIVER
        if incoming_timelock is None:
            delta = requested.policy.time_lock_delta if requested else 80
            incoming_timelock = outgoing_timelock + delta
        request = ForwardRequest(
            in_scid=incoming.scid,
            requested_out=requested.scid if requested else requested_out,
            amount_in_msat=amount_in_msat,
            amount_out_msat=amount_out_msat,
            incoming_timelock=incoming_timelock,
            outgoing_timelock=outgoing_timelock,
        )
        preimage = self._random.randbytes(32)
        payment_hash = hashlib.sha256(preimage).digest()
        htlc_in = incoming.add_incoming(amount_in_msat, expiry_height=incoming_timelock, payment_hash=payment_hash)
        key = (incoming.scid, htlc_in.htlc_id)
        self.tell_changed(incoming, now_ns)
        chosen = self._choose_link(request, incoming, requested)
        if isinstance(chosen, Refusal):
            self._refuse(request, incoming, htlc_in, chosen, now_ns)
            return Forwarding(key=key, outgoing=None, refusal=chosen)
        htlc_out = chosen.add_outgoing(amount_out_msat, expiry_height=outgoing_timelock, payment_hash=payment_hash)
        if htlc_out is None:
            self._refuse(request, incoming, htlc_in, Refusal.HTLC_ADD_FAILED, now_ns)
            return Forwarding(key=key, outgoing=None, refusal=Refusal.HTLC_ADD_FAILED)
        htlc_in.forwarding_scid, htlc_in.forwarding_htlc_id = chosen.scid, htlc_out.htlc_id
        htlc_out.forwarding_scid, htlc_out.forwarding_htlc_id = key
        forward = _Forward(
            request=request,
            incoming=incoming,
            outgoing=chosen,
            htlc_in=htlc_in,
            htlc_out=htlc_out,
            preimage=preimage,
        )
        # The first add for a frozen peer still goes out with a signature; later ones wait for its answer.
        if not self.peers[chosen.peer].responsive:
            waits = any(other.outgoing is chosen for other in self._forwards.values())
            htlc_out.committed = not waits
        self._forwards[key] = forward
        self._raise_forward(forward, now_ns)
        self.tell_changed(chosen, now_ns)
        return Forwarding(key=key, outgoing=(chosen.scid, htlc_out.htlc_id), refusal=None)

    def _choose_link(
        self, request: ForwardRequest, incoming: LndChannel, requested: LndChannel | None
    ) -> LndChannel | Refusal:
        """Return the channel it leaves by, any of the peer's that accepts; else why the asked one does not."""
        if self.rejects_htlcs:
            return Refusal.FORWARDS_DISABLED
        if incoming is requested and not self.allows_circular:
            return Refusal.CIRCULAR_ROUTE
        if requested is None or not self.peers[requested.peer].online:
            return Refusal.UNKNOWN_NEXT_PEER
        willing: list[LndChannel] = []
        refusal: Refusal | None = None
        for link in self.channels_with(requested.peer):
            found = check_link(request, incoming, link, height=self.height)
            if found is None:
                willing.append(link)
            elif link is requested:
                refusal = found
        if not willing:
            return refusal or Refusal.UNKNOWN_NEXT_PEER
        chosen = self._random.choice(willing)
        if chosen.dust_exposed or incoming.dust_exposed:
            return Refusal.FEE_EXPOSURE
        return chosen

    def settle(self, key: Circuit, now_ns: int) -> None:
        """The preimage came from downstream: the forward pays us."""
        forward = self._forwards.pop(key)
        forward.outgoing.remove(forward.htlc_out, settled=True)
        self.tell_changed(forward.outgoing, now_ns)
        outgoing = (forward.outgoing.scid, forward.htlc_out.htlc_id)
        with_ids = self.personality.history_has_htlc_ids
        at_ns = self.forwards.add(
            Forward(
                in_scid=key[0],
                out_scid=outgoing[0],
                at_ns=now_ns,
                amount_in_msat=forward.request.amount_in_msat,
                amount_out_msat=forward.request.amount_out_msat,
                in_htlc_id=key[1] if with_ids else None,
                out_htlc_id=outgoing[1] if with_ids else None,
            )
        )
        self.tell(events.settle(key, outgoing, forward.preimage, at_ns + SETTLE_EVENT_DELAY_NS))
        self._end_incoming(forward.incoming, forward.htlc_in, now_ns, settled=True)

    def settle_by_interceptor(self, *, in_scid: int, requested_out: int, amount_in_msat: int, now_ns: int) -> Circuit:
        """An HTLC interceptor settles it itself: a settle without a forward, and no row in the history."""
        key, incoming, htlc_in, preimage = self._arrive(in_scid, amount_in_msat, now_ns)
        self.tell(events.settle(key, (requested_out, 0), preimage, now_ns))
        self._end_incoming(incoming, htlc_in, now_ns, settled=True)
        return key

    def fail_by_interceptor(self, *, in_scid: int, requested_out: int, amount_in_msat: int, now_ns: int) -> Circuit:
        """An HTLC interceptor fails it: a forward_fail without a forward."""
        key, incoming, htlc_in, _ = self._arrive(in_scid, amount_in_msat, now_ns)
        self.tell(events.forward_fail(key, (requested_out, 0), now_ns))
        self._end_incoming(incoming, htlc_in, now_ns, settled=False)
        return key

    def fail_downstream(self, key: Circuit, now_ns: int) -> None:
        """A later hop failed it (or it timed out there)."""
        forward = self._forwards.pop(key)
        forward.outgoing.remove(forward.htlc_out, settled=False)
        self.tell_changed(forward.outgoing, now_ns)
        self.tell(events.forward_fail(key, (forward.outgoing.scid, forward.htlc_out.htlc_id), now_ns))
        self._end_incoming(forward.incoming, forward.htlc_in, now_ns, settled=False)

    def give_up(self, key: Circuit, now_ns: int) -> None:
        """It sat uncommitted for a minute: failed after its forward event; its outgoing id is used again."""
        forward = self._forwards.pop(key)
        if forward.htlc_out.committed:
            raise ValueError(f"HTLC {key} is committed: only its peer can end it")
        forward.outgoing.take_back(forward.htlc_out)
        self.tell_changed(forward.outgoing, now_ns)
        self._refuse(forward.request, forward.incoming, forward.htlc_in, Refusal.HTLC_ADD_FAILED, now_ns)

    def resolve_on_chain(self, key: Circuit, now_ns: int, *, settled: bool) -> None:
        """The incoming channel was force-closed: no settle or fail, only a final event."""
        forward = self._forwards.pop(key)
        forward.outgoing.remove(forward.htlc_out, settled=settled)
        forward.incoming.remove(forward.htlc_in, settled=settled)
        self.hear(now_ns)
        self.tell(events.final(key, now_ns, settled=settled, offchain=False))

    def repeat_settle(self, row: Forward, now_ns: int) -> None:
        """An unacknowledged settle is forwarded again after a restart: the event comes a second time."""
        key = (row.in_scid, row.in_htlc_id or 0)
        self.tell(events.settle(key, (row.out_scid, row.out_htlc_id or 0), bytes(32), now_ns))

    def resume_after_restart(self, now_ns: int) -> None:
        """Come back: half-open adds are failed as INCOMPLETE_FORWARD, open ones are kept in silence."""
        for key, forward in list(self._forwards.items()):
            if not forward.htlc_out.committed:
                del self._forwards[key]
                forward.outgoing.take_back(forward.htlc_out)
                self._refuse(forward.request, forward.incoming, forward.htlc_in, Refusal.INCOMPLETE_FORWARD, now_ns)

    def refuse_onion(
        self,
        *,
        in_scid: int,
        amount_in_msat: int,
        now_ns: int,
        refusal: Refusal = Refusal.INVALID_ONION_PAYLOAD,
    ) -> Circuit:
        """An HTLC whose payload cannot be used: refused while decoding, the outgoing side unknown."""
        key, incoming, htlc_in, _ = self._arrive(in_scid, amount_in_msat, now_ns)
        info = events.htlc_info(htlc_in.expiry_height, 0, amount_in_msat, 0)
        self.tell(events.link_fail(key, 0, refusal, info, now_ns, self.personality))
        self._end_incoming(incoming, htlc_in, now_ns, settled=False)
        return key

    def drop_malformed_onion(self, *, in_scid: int, amount_in_msat: int, now_ns: int) -> Circuit:
        """An onion with a bad HMAC, key or version: no link_fail at all, only a final event."""
        key, incoming, htlc_in, _ = self._arrive(in_scid, amount_in_msat, now_ns)
        self._end_incoming(incoming, htlc_in, now_ns, settled=False)
        return key

    # ---- own payments ----------------------------------------------------------------------------------

    def receive(
        self,
        *,
        in_scid: int,
        amount_msat: int,
        now_ns: int,
        refusal: ReceiveRefusal | None = None,
        preimage: bytes | None = None,
    ) -> Circuit:
        """An HTLC for one of our invoices comes in and is settled or refused at once."""
        key, incoming, htlc_in, preimage = self._arrive(in_scid, amount_msat, now_ns, preimage)
        if refusal is None:
            self.tell(events.settle(key, NO_CIRCUIT, preimage, now_ns))
        elif refusal.unmarshallable_before_0_21 and self.personality.fatal_receive_failures:
            for listener in self.listeners:
                listener.htlc_streams_died(f"unknown fail resolution: {refusal.text}")
        else:
            timelock = htlc_in.expiry_height
            self.tell(events.receive_refused(key, refusal, timelock, amount_msat, now_ns))
        self._end_incoming(incoming, htlc_in, now_ns, settled=refusal is None)
        return key

    def send(
        self, *, first_hop: int, amount_msat: int, now_ns: int, receiver: str = "", fee_msat: int = 0
    ) -> int | None:
        """Start a payment of our own by `first_hop`; return its number, None if the first hop refuses.

        `amount_msat` is what leaves us, fee included.  Ended with `settle_send` or `fail_send`.
        """
        self.hear(now_ns)
        channel = self.channel(first_hop)
        preimage = self._random.randbytes(32)
        payment_hash = hashlib.sha256(preimage).digest()
        timelock = self.height + BLOCKS_TO_RECEIVER
        number = len(self.payments) + 1
        payment = messages.payment(number, payment_hash, amount_msat, fee_msat, receiver, channel, timelock, now_ns)
        self.payments.append(payment)
        info = pb.HtlcInfo(outgoing_timelock=timelock, outgoing_amt_msat=amount_msat)
        refusal: Refusal | None = None
        if not self.peers[channel.peer].online:
            refusal = Refusal.UNKNOWN_NEXT_PEER
        elif amount_msat > channel.spendable_msat():
            refusal = Refusal.INSUFFICIENT_BALANCE
        if refusal is not None:
            messages.end_payment(payment, now_ns, succeeded=False)
            self.tell(events.send_refused(channel.scid, refusal, info, now_ns))
            return None
        htlc = channel.add_outgoing(amount_msat, expiry_height=timelock, payment_hash=payment_hash)
        if htlc is None:
            # refused after the circuit was committed: LND shows it as a failed attempt
            messages.end_payment(payment, now_ns, succeeded=False)
            self.tell(events.forward_fail(NO_CIRCUIT, (channel.scid, channel.next_out_id), now_ns))
            return None
        self._sends[number] = _OwnSend(channel=channel, htlc=htlc, payment=payment, preimage=preimage)
        self.tell(events.forward(NO_CIRCUIT, (channel.scid, htlc.htlc_id), info, now_ns))
        self.tell_changed(channel, now_ns)
        return number

    def settle_send(self, number: int, now_ns: int) -> None:
        send = self._end_send(number, now_ns, succeeded=True)
        send.payment.payment_preimage = send.preimage.hex()
        outgoing = (send.channel.scid, send.htlc.htlc_id)
        self.tell(events.settle(NO_CIRCUIT, outgoing, send.preimage, now_ns))

    def fail_send(self, number: int, now_ns: int) -> None:
        send = self._end_send(number, now_ns, succeeded=False)
        self.tell(events.forward_fail(NO_CIRCUIT, (send.channel.scid, send.htlc.htlc_id), now_ns))

    def rebalance(self, *, out_scid: int, in_scid: int, amount_msat: int, fee_msat: int, now_ns: int) -> int | None:
        """Pay ourselves in a circle: a SEND and a RECEIVE, never a forward; None if the first hop refuses."""
        number = self.send(
            first_hop=out_scid,
            amount_msat=amount_msat + fee_msat,
            now_ns=now_ns,
            receiver=self.pubkey,
            fee_msat=fee_msat,
        )
        if number is not None:
            preimage = self._sends[number].preimage
            self.receive(in_scid=in_scid, amount_msat=amount_msat, now_ns=now_ns, preimage=preimage)
            self.settle_send(number, now_ns)
        return number

    def _end_send(self, number: int, now_ns: int, *, succeeded: bool) -> _OwnSend:
        send = self._sends.pop(number)
        send.channel.remove(send.htlc, settled=succeeded)
        messages.end_payment(send.payment, now_ns, succeeded=succeeded)
        self.tell_changed(send.channel, now_ns)
        return send

    # ---- what all of it shares -------------------------------------------------------------------------

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

    def _refuse(
        self,
        request: ForwardRequest,
        incoming: LndChannel,
        htlc_in: InFlight,
        refusal: Refusal,
        now_ns: int,
    ) -> None:
        key = (incoming.scid, htlc_in.htlc_id)
        text = None
        requested = self._by_id.get(request.requested_out)
        if refusal.text_has_channel_update and requested is not None:
            about = f"htlc_amt=={request.amount_out_msat} mSAT, "
            text = events.channel_update_dump(
                refusal,
                about,
                scid_text(requested.scid),
                requested.policy.last_update_s or 0,
                requested.policy.fee_ppm,
            )
        event = events.link_fail(
            key, request.requested_out, refusal, _info(request), now_ns, self.personality, text=text
        )
        if refusal.needs_channel_update and requested is not None and not requested.announced:
            event.link_fail_event.wire_failure = pb.Failure.TEMPORARY_NODE_FAILURE
            if refusal.text_has_channel_update:
                event.link_fail_event.failure_string = "TemporaryNodeFailure"
        self.tell(event)
        self._end_incoming(incoming, htlc_in, now_ns, settled=False)

    def _end_incoming(self, incoming: LndChannel, htlc_in: InFlight, now_ns: int, *, settled: bool) -> None:
        incoming.remove(htlc_in, settled=settled)
        self.tell_changed(incoming, now_ns)
        key = (incoming.scid, htlc_in.htlc_id)
        self.tell(events.final(key, now_ns + FINAL_DELAY_NS, settled=settled))

    def _raise_forward(self, forward: _Forward, now_ns: int) -> None:
        key = (forward.incoming.scid, forward.htlc_in.htlc_id)
        outgoing = (forward.outgoing.scid, forward.htlc_out.htlc_id)
        self.tell(events.forward(key, outgoing, _info(forward.request), now_ns))

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


def _info(request: ForwardRequest) -> pb.HtlcInfo:
    return events.htlc_info(
        request.incoming_timelock,
        request.outgoing_timelock,
        request.amount_in_msat,
        request.amount_out_msat,
    )
