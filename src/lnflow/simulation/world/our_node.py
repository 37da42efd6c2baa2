"""Our node's ledger and its decisions, in LND's order of checks (lnd.md 1.5), fast and in memory.

Times inside a world are nanoseconds from the start of the window; what is recorded is absolute.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from lnflow.domain.causes import Cause, Problem
from lnflow.domain.channel import ChannelPolicies, ChannelState, Policy
from lnflow.domain.fees import required_fee_msat
from lnflow.domain.htlc import DownstreamFailed, Forward, HtlcEvent, Offered, Refused, Resolved, Settled
from lnflow.domain.time import SECOND_NS
from lnflow.simulation.world.spec import (
    COMMIT_FEE_SAT,
    MSAT_PER_SAT,
    ChannelSpec,
    PeerSpec,
    PolicyChange,
    WorldSpec,
    default_max_htlc_msat,
    spendable_sat,
)

RECONNECT_NS = 8 * SECOND_NS  # re-establishing: the link is there, but not eligible yet
_FINAL_LAG_NS = 15_000_000  # the final event follows when the removal is committed
_SETTLE_EVENT_LAG_NS = 20_000  # the settle event follows the history row by 0.02 ms as a rule
_FIRST_SCID = 880_000
_TIME_LOCK_DELTA = 80

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


class Terms(NamedTuple):
    """What we ask at a peer's channels from `at_ns` on; `max_htlc_msat` None means each channel's default."""

    at_ns: int
    base_fee_msat: int
    fee_ppm: int
    inbound_base_fee_msat: int
    inbound_fee_ppm: int
    max_htlc_msat: int | None


class Peer:
    """A peer, its channels, whether it is connected, and our terms over time (the last are in force)."""

    __slots__ = (
        "away_since_ns",
        "back_ns",
        "channels",
        "index",
        "lifted",
        "online",
        "pool_at_ns",
        "pool_msat",
        "pubkey",
        "ready_ns",
        "spec",
        "terms",
    )

    def __init__(self, index: int, spec: PeerSpec, world: str) -> None:
        self.index = index
        self.spec = spec
        self.pubkey = "02" + sha256(f"{world}/{index}/{spec.alias}".encode()).hexdigest()
        self.channels: list[Channel] = []
        self.terms = [
            Terms(
                -(1 << 62),
                spec.base_fee_msat,
                spec.fee_ppm,
                spec.inbound_base_fee_msat,
                spec.inbound_fee_ppm,
                None if spec.max_htlc_sat is None else spec.max_htlc_sat * MSAT_PER_SAT,
            )
        ]
        self.online = True
        self.away_since_ns = 0
        self.back_ns = 0
        self.ready_ns = -(1 << 62)
        self.lifted: Problem | None = None
        self.pool_msat = (spec.pool_sat or 0) * MSAT_PER_SAT
        self.pool_at_ns = -(1 << 62)


class Channel:
    """One channel's money.  `local + remote + unsettled` is constant and neither side is ever negative."""

    __slots__ = (
        "capacity_sat",
        "default_max_msat",
        "initiator",
        "local_floor_msat",
        "local_msat",
        "next_in_id",
        "next_out_id",
        "out_count",
        "peer",
        "point",
        "remote_floor_msat",
        "remote_msat",
        "scid",
        "slots",
        "total_msat",
        "unsettled_msat",
    )

    def __init__(self, number: int, spec: ChannelSpec, peer: Peer) -> None:
        self.peer = peer
        self.capacity_sat = spec.capacity_sat
        self.scid = (_FIRST_SCID + 137 * number) << 40 | (1 + number * 7 % 900) << 16 | number % 2
        self.point = f"{sha256(f'{peer.pubkey}/{number}'.encode()).hexdigest()}:{number % 2}"
        self.total_msat = spendable_sat(spec) * MSAT_PER_SAT
        self.local_msat = int(spendable_sat(spec) * spec.local_share) * MSAT_PER_SAT
        self.remote_msat = self.total_msat - self.local_msat
        self.unsettled_msat = 0
        reserve = spec.capacity_sat // 100 * MSAT_PER_SAT
        fee_buffer = COMMIT_FEE_SAT * MSAT_PER_SAT
        self.initiator = spec.initiator
        self.local_floor_msat = reserve + (fee_buffer if spec.initiator else 0)
        self.remote_floor_msat = reserve + (0 if spec.initiator else fee_buffer)
        self.default_max_msat = default_max_htlc_msat(spec.capacity_sat)
        self.slots = spec.slots
        self.out_count = 0
        self.next_in_id = 0
        self.next_out_id = 0

    def max_htlc_msat(self, terms: Terms) -> int:
        return self.default_max_msat if terms.max_htlc_msat is None else terms.max_htlc_msat


class Htlc:
    """An HTLC that we passed on; `borrowed` ones leave by capacity that we do not have (size lifted)."""

    __slots__ = (
        "amount_in_msat",
        "amount_out_msat",
        "borrowed",
        "in_channel",
        "in_id",
        "out_channel",
        "out_id",
    )

    def __init__(
        self, in_channel: Channel, in_id: int, out_channel: Channel, amount_in_msat: int, amount_out_msat: int
    ) -> None:
        self.in_channel = in_channel
        self.in_id = in_id
        self.out_channel = out_channel
        self.out_id = out_channel.next_out_id
        self.amount_in_msat = amount_in_msat
        self.amount_out_msat = amount_out_msat
        self.borrowed = False


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
        self.met: set[tuple[int, Problem]] = set()
        """(peer, problem) that stood in a payment's way within the window."""
        self._last_forward_ns = -(1 << 62)

    def offer(
        self, now: int, in_channel: Channel, asked: Channel, amount_in: int, amount_out: int, choice: float
    ) -> Htlc | Cause:
        """Take an HTLC that came in by `in_channel` and names `asked`: pass it on, or say why not.

        `choice` in [0, 1) picks one of the parallel channels that would take it.
        """
        in_id = in_channel.next_in_id
        in_channel.next_in_id += 1
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

    def states(self) -> tuple[ChannelState, ...]:
        """Return what ListChannels would show now."""
        return tuple(_state(c) for c in self.channels)

    def policies(self, start_ns: int) -> tuple[ChannelPolicies, ...]:
        """Return the terms in force now, as both ends announced them."""
        return tuple(
            ChannelPolicies(
                scid=c.scid,
                channel_point=c.point,
                peer_pubkey=c.peer.pubkey,
                ours=policy_of(c, start_ns),
                theirs=None,
                capacity_sat=c.capacity_sat,
            )
            for c in self.channels
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


def policy_of(channel: Channel, start_ns: int) -> Policy:
    """Return our announced policy of a channel now; the first terms are announced a day before the window."""
    terms = channel.peer.terms[-1]
    announced_ns = max(terms.at_ns, -86_400 * SECOND_NS) + start_ns
    return Policy(
        base_fee_msat=terms.base_fee_msat,
        fee_ppm=terms.fee_ppm,
        time_lock_delta=_TIME_LOCK_DELTA,
        min_htlc_msat=channel.peer.spec.min_htlc_msat,
        max_htlc_msat=channel.max_htlc_msat(terms),
        inbound_base_fee_msat=terms.inbound_base_fee_msat,
        inbound_fee_ppm=terms.inbound_fee_ppm,
        last_update_s=announced_ns // SECOND_NS,
    )


def _outgrows(channel: Channel, amount_msat: int) -> bool:
    return amount_msat > channel.total_msat - channel.local_floor_msat


def _state(channel: Channel) -> ChannelState:
    peer = channel.peer
    reserve_sat = channel.capacity_sat // 100
    return ChannelState(
        channel_point=channel.point,
        scid=channel.scid,
        other_scids=(),
        peer_pubkey=peer.pubkey,
        peer_alias=peer.spec.alias,
        capacity_sat=channel.capacity_sat,
        local_msat=channel.local_msat // MSAT_PER_SAT * MSAT_PER_SAT,  # ListChannels knows whole sats only
        remote_msat=channel.remote_msat // MSAT_PER_SAT * MSAT_PER_SAT,
        unsettled_msat=channel.unsettled_msat // MSAT_PER_SAT * MSAT_PER_SAT,
        commit_fee_sat=COMMIT_FEE_SAT,
        local_reserve_sat=reserve_sat,
        remote_reserve_sat=reserve_sat,
        initiator=channel.initiator,
        private=False,
        active=peer.online,
        min_htlc_msat=1_000,
        max_accepted_htlcs=channel.slots,
    )
