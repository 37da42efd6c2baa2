"""The simulated LND as a state machine: channels, HTLCs, history; no I/O and no clock.

Whoever drives it (a payment world, a test) says what reaches the node and when; the node decides as LND
decides and tells its listeners the events LND would raise, with the same ids, order and times.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import events, messages
from lnflow.simulation.lnd_server.books import BLOCKS_TO_RECEIVER
from lnflow.simulation.lnd_server.channels import InFlight, LndChannel
from lnflow.simulation.lnd_server.events import NO_CIRCUIT, Circuit
from lnflow.simulation.lnd_server.forwarding import ForwardingNode
from lnflow.simulation.lnd_server.refusals import ReceiveRefusal, Refusal


@dataclass(slots=True, kw_only=True)
class _OwnSend:
    channel: LndChannel
    htlc: InFlight
    payment: pb.Payment
    preimage: bytes


@dataclass(kw_only=True)
class LndNode(ForwardingNode):
    """One LND node: it forwards, and pays and receives on its own account.

    Times are given by the caller and must not run backwards by much.
    """

    _sends: dict[int, _OwnSend] = field(default_factory=dict)

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
            messages.come_back(self._sends[number].payment, self.channel(in_scid))
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
