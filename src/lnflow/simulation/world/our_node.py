"""Our node's ledger and its decisions, in LND's order of checks (lnd.md 1.5), fast and in memory.

Times inside a world are nanoseconds from the start of the window; what is recorded is absolute.
"""

from __future__ import annotations

from lnflow.domain.causes import Cause, Problem
from lnflow.domain.fees import required_fee_msat
from lnflow.domain.htlc import DownstreamFailed, Forward, HtlcEvent, Offered, Refused, Resolved, Settled
from lnflow.domain.time import SECOND_NS
from lnflow.simulation.world.holdings import Channel, Htlc, Peer, Terms
from lnflow.simulation.world.spec import MSAT_PER_SAT, PolicyChange, WorldSpec

RECONNECT_NS = 8 * SECOND_NS  # re-establishing: the link is there, but not eligible yet
_FINAL_LAG_NS = 15_000_000  # the final event follows when the removal is committed
_SETTLE_EVENT_LAG_NS = 20_000  # the settle event follows the history row by 0.02 ms as a rule

WIRE_NUMBERS: dict[Cause, tuple[int, int]] = {
    Cause.INSUFFICIENT_BALANCE: (15, 6),
    Cause.HTLC_EXCEEDS_MAX: (15, 5),
    Cause.AMOUNT_BELOW_MINIMUM: (11, 1),
    Cause.FEE_INSUFFICIENT: (12, 1),
    Cause.UNKNOWN_NEXT_PEER: (18, 1),
    Cause.LINK_NOT_ELIGIBLE: (18, 3),
    Cause.HTLC_ADD_FAILED: (15, 8),
    Cause.CIRCULAR_ROUTE: (15, 22),
    Cause.INVALID_ONION: (24, 1),
}
"""LND's (wire_failure, failure_detail) of the refusals that happen here."""

_PROBLEMS = {
    Cause.INSUFFICIENT_BALANCE: Problem.LIQUIDITY,
    Cause.HTLC_EXCEEDS_MAX: Problem.SIZE,
    Cause.FEE_INSUFFICIENT: Problem.FEE,
    Cause.UNKNOWN_NEXT_PEER: Problem.OFFLINE,
    Cause.LINK_NOT_ELIGIBLE: Problem.OFFLINE,
}


class OurNode:
    """Decides about HTLCs and keeps the books; with `start_ns` None nothing is recorded."""

    def __init__(self, spec: WorldSpec, start_ns: int | None) -> None:
        self.start_ns = start_ns
        self.peers = [Peer(i, peer, spec.name) for i, peer in enumerate(spec.peers)]
        self.channels: list[Channel] = []
        for peer in self.peers:
            for channel_spec in peer.spec.channels:
                channel = Channel(len(self.channels), channel_spec, peer)
                peer.channels.append(channel)
                self.channels.append(channel)
        self.events: list[HtlcEvent] = []
        self.forwards: list[Forward] = []
        self.payments: dict[tuple[int, int], int] = {}
        """The payment behind an HTLC, by incoming channel and id."""
        self.unsaid_msat: dict[tuple[int, int], tuple[int, int]] = {}
        """Amounts that came in and should have left, of refusals that LND tells without them."""
        self.met: set[tuple[int, Problem]] = set()
        """(peer, problem) that stood in a payment's way within the window."""
        self._last_forward_ns = -(1 << 62)

    def offer(
        self,
        now: int,
        in_channel: Channel,
        asked: Channel,
        amount_in: int,
        amount_out: int,
        choice: float,
        payment: int | None = None,
    ) -> Htlc | Cause:
        """Take an HTLC that came in by `in_channel` and names `asked`: pass it on, or say why not.

        `choice` in [0, 1) picks one of the parallel channels that would take it; `payment` is the number of the
        wish it belongs to, None for one that nobody wishes to arrive.
        """
        in_id = in_channel.next_in_id
        in_channel.next_in_id += 1
        if payment is not None and self.start_ns is not None:
            self.payments[in_channel.scid, in_id] = payment
        peer = asked.peer
        if asked is in_channel:
            return self.refuse(now, in_channel, in_id, asked.scid, Cause.CIRCULAR_ROUTE, amount_in, amount_out)
        if not peer.online or now < peer.ready_ns:
            self.note(now, peer, Problem.OFFLINE)
            cause = Cause.LINK_NOT_ELIGIBLE if peer.online else Cause.UNKNOWN_NEXT_PEER
            return self.refuse(now, in_channel, in_id, asked.scid, cause, amount_in, amount_out)
        causes = [self._check(c, in_channel, amount_in, amount_out, None) for c in peer.channels]
        accepting = [c for c, cause in zip(peer.channels, causes, strict=True) if cause is Cause.NONE]
        if not accepting:
            accepting = self._accepting_when_lifted(peer, in_channel, amount_in, amount_out)
        if not accepting:
            for met in causes:
                if met in _PROBLEMS:
                    self.note(now, peer, _PROBLEMS[met])
            cause = causes[peer.channels.index(asked)]
            return self.refuse(now, in_channel, in_id, asked.scid, cause, amount_in, amount_out)
        out = accepting[int(choice * len(accepting))]
        if out.out_count >= out.slots:
            if self.start_ns is not None:
                self.unsaid_msat[in_channel.scid, in_id] = (amount_in, amount_out)
            return self.refuse(now, in_channel, in_id, out.scid, Cause.HTLC_ADD_FAILED, None, None)
        return self._add(now, Htlc(in_channel, in_id, out, amount_in, amount_out))

    def note(self, now: int, peer: Peer, problem: Problem) -> None:
        """Remember that this stood in somebody's way, if it was within the window."""
        if now >= 0:
            self.met.add((peer.index, problem))

    def refuse(
        self,
        now: int,
        in_channel: Channel,
        in_id: int,
        out_scid: int,
        cause: Cause,
        amount_in: int | None,
        amount_out: int | None,
    ) -> Cause:
        """Say that we failed an HTLC ourselves, and why."""
        if self.start_ns is not None:
            at = self.start_ns + now
            code, detail = WIRE_NUMBERS[cause]
            self.events.append(
                Refused(in_channel.scid, in_id, at, out_scid, cause, amount_in, amount_out, code, detail)
            )
            self.events.append(Resolved(in_channel.scid, in_id, at + _FINAL_LAG_NS, False, True))
        return cause

    def settle(self, now: int, htlc: Htlc) -> int:
        """The preimage came back: move the money and return the fee earned."""
        self._release(htlc)
        htlc.in_channel.local_msat += htlc.amount_in_msat
        if not htlc.borrowed:
            htlc.out_channel.remote_msat += htlc.amount_out_msat
        if self.start_ns is not None:
            at = max(self.start_ns + now, self._last_forward_ns + 1)  # LND's key: unique, bumped by 1 ns
            self._last_forward_ns = at
            in_scid, out_scid = htlc.in_channel.scid, htlc.out_channel.scid
            settle_at = at + _SETTLE_EVENT_LAG_NS
            self.forwards.append(
                Forward(in_scid, out_scid, at, htlc.amount_in_msat, htlc.amount_out_msat, htlc.in_id, htlc.out_id)
            )
            self.events.append(Settled(in_scid, htlc.in_id, settle_at, out_scid, htlc.out_id))
            self.events.append(Resolved(in_scid, htlc.in_id, settle_at + _FINAL_LAG_NS, True, True))
        return htlc.amount_in_msat - htlc.amount_out_msat

    def fail(self, now: int, htlc: Htlc) -> None:
        """A later hop failed it: everything is as before."""
        self._release(htlc)
        htlc.in_channel.remote_msat += htlc.amount_in_msat
        if not htlc.borrowed:
            htlc.out_channel.local_msat += htlc.amount_out_msat
        if self.start_ns is not None:
            at = self.start_ns + now
            in_scid = htlc.in_channel.scid
            self.events.append(DownstreamFailed(in_scid, htlc.in_id, at, htlc.out_channel.scid, htlc.out_id))
            self.events.append(Resolved(in_scid, htlc.in_id, at + _FINAL_LAG_NS, False, True))

    def incoming_channel(self, peer: Peer, amount_in: int, choice: float) -> Channel | None:
        """Return a channel by which the peer can send us this much; None: it fails before us, unheard."""
        able = [c for c in peer.channels if c.remote_msat - amount_in >= c.remote_floor_msat]
        return able[int(choice * len(able))] if able else None

    def change_policy(self, now: int, change: PolicyChange) -> None:
        """Put new terms in force for all channels of a peer."""
        peer = self.peers[change.peer]
        old = peer.terms[-1]
        peer.terms.append(
            Terms(
                now,
                old.base_fee_msat if change.base_fee_msat is None else change.base_fee_msat,
                old.fee_ppm if change.fee_ppm is None else change.fee_ppm,
                old.inbound_base_fee_msat,
                old.inbound_fee_ppm if change.inbound_fee_ppm is None else change.inbound_fee_ppm,
                old.max_htlc_msat if change.max_htlc_sat is None else change.max_htlc_sat * MSAT_PER_SAT,
            )
        )

    def _check(
        self, channel: Channel, in_channel: Channel, amount_in: int, amount_out: int, lifted: Problem | None
    ) -> Cause:
        """One candidate link's answer: fee, minimum, maximum, balance; NONE if it would take the HTLC."""
        peer = channel.peer
        terms = peer.terms[-1]
        inbound = in_channel.peer.terms[-1]
        required = required_fee_msat(
            amount_out,
            terms.base_fee_msat,
            terms.fee_ppm,
            inbound.inbound_base_fee_msat,
            inbound.inbound_fee_ppm,
        )
        if amount_in - amount_out < (0 if lifted is Problem.FEE else required):
            return Cause.FEE_INSUFFICIENT
        if amount_out < peer.spec.min_htlc_msat:
            return Cause.AMOUNT_BELOW_MINIMUM
        if amount_out > channel.max_htlc_msat(terms) and lifted is not Problem.SIZE:
            return Cause.HTLC_EXCEEDS_MAX
        if lifted is Problem.LIQUIDITY or (lifted is Problem.SIZE and _outgrows(channel, amount_out)):
            spendable = channel.total_msat if lifted is Problem.LIQUIDITY else amount_out + channel.local_floor_msat
        else:
            spendable = channel.local_msat
        if spendable - amount_out < channel.local_floor_msat:
            return Cause.INSUFFICIENT_BALANCE
        return Cause.NONE

    def _accepting_when_lifted(self, peer: Peer, in_channel: Channel, amount_in: int, amount_out: int) -> list[Channel]:
        if peer.lifted is None:
            return []
        return [
            c for c in peer.channels if self._check(c, in_channel, amount_in, amount_out, peer.lifted) is Cause.NONE
        ]

    def _add(self, now: int, htlc: Htlc) -> Htlc:
        out, inc = htlc.out_channel, htlc.in_channel
        if out.peer.lifted is not None:
            self._provide(htlc)
        out.next_out_id += 1
        out.out_count += 1
        inc.remote_msat -= htlc.amount_in_msat
        inc.unsettled_msat += htlc.amount_in_msat
        if not htlc.borrowed:
            out.local_msat -= htlc.amount_out_msat
            out.unsettled_msat += htlc.amount_out_msat
        if self.start_ns is not None:
            self.events.append(
                Offered(
                    inc.scid,
                    htlc.in_id,
                    self.start_ns + now,
                    out.scid,
                    htlc.out_id,
                    htlc.amount_in_msat,
                    htlc.amount_out_msat,
                )
            )
        return htlc

    def _provide(self, htlc: Htlc) -> None:
        """With liquidity lifted, shift what is missing to our side, as a perfect rebalance would."""
        out = htlc.out_channel
        missing = htlc.amount_out_msat + out.local_floor_msat - out.local_msat
        if missing <= 0:
            return
        if out.peer.lifted is Problem.LIQUIDITY:
            out.local_msat += missing
            out.remote_msat -= missing
        else:
            htlc.borrowed = True

    def _release(self, htlc: Htlc) -> None:
        htlc.out_channel.out_count -= 1
        htlc.in_channel.unsettled_msat -= htlc.amount_in_msat
        if not htlc.borrowed:
            htlc.out_channel.unsettled_msat -= htlc.amount_out_msat


def _outgrows(channel: Channel, amount_msat: int) -> bool:
    return amount_msat > channel.total_msat - channel.local_floor_msat
