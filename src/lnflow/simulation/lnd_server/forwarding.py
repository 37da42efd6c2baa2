"""What the simulated LND does with HTLCs to be sent on: decide in LND's order, keep, end, and tell."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from lnflow.domain.htlc import Forward
from lnflow.domain.scid import scid_text
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import events
from lnflow.simulation.lnd_server.books import BLOCKS_TO_RECEIVER, NodeBooks
from lnflow.simulation.lnd_server.channels import InFlight, LndChannel
from lnflow.simulation.lnd_server.checks import ForwardRequest, check_link
from lnflow.simulation.lnd_server.events import Circuit
from lnflow.simulation.lnd_server.refusals import Refusal

# The history has the time the switch saw the preimage; the event follows a little later (recordings).
SETTLE_EVENT_DELAY_NS = 20_000


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


@dataclass(kw_only=True)
class ForwardingNode(NodeBooks):
    """A node that forwards, as LND's switch and links do."""

    _forwards: dict[Circuit, _Forward] = field(default_factory=dict)

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

    def peer_online(self, pubkey: str, now_ns: int) -> None:
        """The peer is back: what was not committed is offered again (a forward event once more)."""
        super().peer_online(pubkey, now_ns)
        for forward in self._forwards.values():
            if forward.outgoing.peer == pubkey and not forward.htlc_out.committed:
                forward.htlc_out.committed = True
                self._raise_forward(forward, now_ns)

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

    def _raise_forward(self, forward: _Forward, now_ns: int) -> None:
        key = (forward.incoming.scid, forward.htlc_in.htlc_id)
        outgoing = (forward.outgoing.scid, forward.htlc_out.htlc_id)
        self.tell(events.forward(key, outgoing, _info(forward.request), now_ns))


def _info(request: ForwardRequest) -> pb.HtlcInfo:
    return events.htlc_info(
        request.incoming_timelock,
        request.outgoing_timelock,
        request.amount_in_msat,
        request.amount_out_msat,
    )
