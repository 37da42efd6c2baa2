"""Playing a recorded world through the wire-true lightningd: what Core Lightning would say of the same week.

Whom the world refused stays refused; what the refusal is called, and by which channel, the node's own checks say
in their order.  Where Core Lightning has no such refusal (a route out by the channel it came in by) it passes on.
While the recording says that nobody listens, the plugin is stopped: the node keeps its rows, but nobody looked.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from heapq import merge
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from msgspec import Struct, structs

from lnflow.domain.causes import Cause
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.htlc import DownstreamFailed, HtlcEvent, Offered, Refused, Resolved, Settled
from lnflow.domain.scid import scid_text
from lnflow.domain.time import MINUTE_NS, SECOND_NS
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, PolicyEvent
from lnflow.simulation.clock import SimulatedClock
from lnflow.simulation.lightningd.channel import Channel, Htlc
from lnflow.simulation.lightningd.checks import Refusal
from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.forwards import Row
from lnflow.simulation.lightningd.socket_server import SocketServer
from lnflow.simulation.playing import Pause
from lnflow.simulation.starting_cln import node_at_start, terms_of
from lnflow.simulation.world.our_node import RECONNECT_NS
from lnflow.simulation.world.recording import OwnHtlc, OwnKind, Recording
from lnflow.simulation.world.spec import WorldSpec

RPC_FILE = "lightning-rpc"
_LONGEST_SOCKET_PATH = 107  # Linux; the kernel takes no longer one
_AT_ONCE_NS = 10 * SECOND_NS  # refusals that are heard of together: what was looked at then speaks for a minute
_UNHEARD_NS = 10 * MINUTE_NS  # no row is read later than that
_INVALID_ONION_HMAC = 49157
_UNKNOWN_NEXT_PEER = 16394
_HELD_NS = SECOND_NS  # how long a later hop takes to fail what came back to us
_CODES = {
    Cause.FEE_INSUFFICIENT: (4108, "fee_insufficient"),
    Cause.HTLC_EXCEEDS_MAX: (4103, "htlc_exceeds_max"),
    Cause.AMOUNT_BELOW_MINIMUM: (4103, "htlc_below_min"),
    Cause.UNKNOWN_NEXT_PEER: (4103, "peer_offline"),
    Cause.LINK_NOT_ELIGIBLE: (4103, "peer_offline"),
    Cause.HTLC_ADD_FAILED: (4103, "slots_full"),
    Cause.INSUFFICIENT_BALANCE: (4103, "insufficient_balance"),
}

HtlcId = tuple[int, int]


def without_inbound_fees(spec: WorldSpec) -> WorldSpec:
    """Return the world as Core Lightning can be in it: it has no inbound fees, so every price is the posted one."""
    peers = tuple(structs.replace(peer, inbound_base_fee_msat=0, inbound_fee_ppm=0) for peer in spec.peers)
    changes = tuple(structs.replace(change, inbound_fee_ppm=None) for change in spec.policy_changes)
    return structs.replace(spec, peers=peers, policy_changes=changes)


class Plugin(Protocol):
    """Who listens to the node.  The world stands still while one of these is awaited."""

    async def heard(self) -> None:
        """Return when everything that the node told was worked on."""

    async def stop(self) -> None:
        """Go away, as at `plugin stop`."""

    async def start(self) -> None:
        """Come back, and read what happened meanwhile."""


class _Listening(Struct, frozen=True, gc=False):
    """From here on somebody listens, or nobody."""

    at_ns: int
    begins: bool


class _Ended(Struct, frozen=True, gc=False):
    """A payment of our own is done, or what a later hop failed comes back."""

    at_ns: int
    what: OwnHtlc | Refused


@asynccontextmanager
async def served_cln_world(recording: Recording, directory: Path, clock: SimulatedClock) -> AsyncIterator[ClnWorld]:
    """Serve the node of a recording at a socket in `directory`, as it was when the recording began."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / RPC_FILE
    if len(str(path)) > _LONGEST_SOCKET_PATH:
        raise ConfigurationError(
            f"{path}: a Unix socket cannot have a path of more than {_LONGEST_SOCKET_PATH} characters:"
            " choose a shorter --directory"
        )
    path.unlink(missing_ok=True)
    world = ClnWorld(recording, directory, clock)
    async with SocketServer(world.commands, path):
        yield world


class ClnWorld:
    """The node of a recording behind its socket, and the recording that moves it."""

    def __init__(self, recording: Recording, directory: Path, clock: SimulatedClock) -> None:
        self.recording = recording
        self.directory = directory
        self.clock = clock
        self.node, self._channels = node_at_start(recording, clock)
        self.commands = Commands(self.node)
        self.renamed = 0
        """Refusals that the node's own checks would not have made: the world's word stands."""
        self._rows: dict[HtlcId, Row] = {}
        self._own: dict[OwnHtlc, Htlc] = {}
        self._plugin: Plugin | None = None
        self._heard_ns = recording.since_ns
        self._script = _script(recording)
        self._next = next(self._script, None)
        for offered in recording.in_flight:
            self._offered(offered, offered.at_ns)

    def host(self, plugin: Plugin) -> None:
        """From now on time stands still after a refusal, and whatever else must be seen at once, until it is heard."""
        self._plugin = plugin

    def what_to_try(self, database: Path) -> str:
        """Return what shows how the week goes on.

        A second collector would go by its own clock, which tells a lightningd's refusals apart only at the
        speed of the world.
        """
        return f"lnflow analyze --all --database {database}"

    async def play(self, until_ns: int, pause: Pause, *, pause_every: int = 500) -> None:
        """Let everything before `until_ns` happen, in order of time, going on from where it stood.

        The clock follows what happens.  `pause` is awaited after every so many happenings.
        """
        number = 0
        look_ns: int | None = None
        while self._next is not None and self._next.at_ns < until_ns:
            happening = self._next
            if happening.at_ns > (due_ns := look_ns or self._heard_ns + _UNHEARD_NS):
                self.clock.advance(due_ns)
                await self._heard()
                look_ns = None
            self.clock.advance(happening.at_ns)
            if isinstance(happening, _Listening):
                await self._listen(happening)
            else:
                self._happen(happening)
            self._next = next(self._script, None)
            if isinstance(happening, Refused):
                look_ns = look_ns or happening.at_ns + _AT_ONCE_NS
            elif not isinstance(happening, HtlcEvent):
                await self._heard()
            number += 1
            if number % pause_every == 0:
                await self._heard()
                await pause()
        self.clock.advance(until_ns)
        await self._heard()
        await pause()

    async def _heard(self) -> None:
        self._heard_ns = self.clock.now_ns()
        if self._plugin is not None:
            await self._plugin.heard()

    async def _listen(self, listening: _Listening) -> None:
        if self._plugin is not None:
            await (self._plugin.start() if listening.begins else self._plugin.stop())

    # -- what happens

    def _happen(self, happening: Happening) -> None:
        match happening:
            case Offered():
                self._offered(happening, happening.at_ns)
            case Settled():
                if (row := self._rows.pop((happening.in_scid, happening.in_htlc_id), None)) is not None:
                    self.node.settle(row)
            case DownstreamFailed():
                if (row := self._rows.pop((happening.in_scid, happening.in_htlc_id), None)) is not None:
                    self.node.fail(row)
            case Refused():
                self._refused(happening)
            case OwnHtlc():
                self._own_begins(happening)
            case _Ended():
                self._ended(happening.what)
            case PolicyEvent():
                # the world knows no grace: as an operator who sets enforcedelay to 0
                self.node.set_terms(self._channels[happening.scid], terms_of(happening.policy), grace_s=0)
            case ChannelEvent():
                self._link(happening)
            case Resolved():
                pass  # Core Lightning says it with the row

    def _offered(self, event: Offered, received_ns: int) -> None:
        incoming, out = self._channels[event.in_scid], self._channels[event.out_scid]
        incoming.next_in_id, out.next_out_id = event.in_htlc_id, event.out_htlc_id
        assert event.amount_in_msat is not None
        assert event.amount_out_msat is not None
        row = self.node.pass_on(
            incoming,
            out,
            in_msat=event.amount_in_msat,
            out_msat=event.amount_out_msat,
            payment_hash=self._hash(event),
        )
        row.received_ns = received_ns
        self._rows[event.in_scid, event.in_htlc_id] = row

    def _refused(self, event: Refused) -> None:
        incoming = self._channels[event.in_scid]
        incoming.next_in_id = event.in_htlc_id
        asked = scid_text(event.out_scid) if event.out_scid else None
        in_msat, out_msat = self._amounts(event)
        verdict = self._verdict(event, in_msat, out_msat)
        if isinstance(verdict, Refusal):
            self.node.refuse(incoming, asked, verdict, in_msat=in_msat, payment_hash=self._hash(event))
            return
        self._rows[event.in_scid, event.in_htlc_id] = self.node.pass_on(
            incoming, verdict, in_msat=in_msat, out_msat=out_msat, payment_hash=self._hash(event)
        )

    def _amounts(self, event: Refused) -> tuple[int, int]:
        """What came in and should have left; of an onion that nobody could read only the first is known."""
        unsaid = self.recording.unsaid_msat.get((event.in_scid, event.in_htlc_id), (0, 0))
        return event.amount_in_msat or unsaid[0], event.amount_out_msat or unsaid[1]

    def _verdict(self, event: Refused, in_msat: int, out_msat: int) -> Refusal | Channel:
        """What the node says to whom the world refused; a channel if it would pass a circular route on."""
        if event.cause is Cause.INVALID_ONION:
            return Refusal(code=_INVALID_ONION_HMAC, reason="invalid_onion")
        asked = self._channels.get(event.out_scid)
        if asked is None:
            return Refusal(code=_UNKNOWN_NEXT_PEER, reason="unknown_next_peer")
        verdict = self.node.check(asked.name, in_msat, out_msat)
        if event.cause is Cause.CIRCULAR_ROUTE or isinstance(verdict, Refusal):
            return verdict
        self.renamed += 1
        code, reason = _CODES[event.cause]
        return Refusal(code=code, reason=reason, out=verdict)

    def _own_begins(self, own: OwnHtlc) -> None:
        if own.refused:
            return  # our own first hop was too small: no row, no HTLC
        channel = self._own_channel(own)
        if own.kind is OwnKind.SEND:
            channel.next_out_id = own.out_htlc_id
        else:
            channel.next_in_id = own.in_htlc_id
        self._own[own] = self.node.begin_own(channel, own.amount_msat, incoming=own.kind is OwnKind.RECEIVE)

    def _own_channel(self, own: OwnHtlc) -> Channel:
        return self._channels[own.out_scid if own.kind is OwnKind.SEND else own.in_scid]

    def _ended(self, what: OwnHtlc | Refused) -> None:
        if isinstance(what, Refused):
            if (row := self._rows.pop((what.in_scid, what.in_htlc_id), None)) is not None:
                self.node.fail(row)
            return
        self.node.settle_own(self._own_channel(what), self._own.pop(what))

    def _link(self, event: ChannelEvent) -> None:
        assert event.peer_pubkey is not None
        if event.kind is ChannelEventKind.PEER_OFFLINE:
            self.node.disconnect(event.peer_pubkey)
        elif event.kind is ChannelEventKind.PEER_ONLINE:
            self.node.connect(event.peer_pubkey, reestablish_ns=RECONNECT_NS)

    def _hash(self, event: Offered | Refused) -> str | None:
        """One hash for all HTLCs of one payment; what belongs to none has a hash of its own."""
        number = self.recording.payments.get((event.in_scid, event.in_htlc_id))
        return None if number is None else hashlib.sha256(f"payment {number}".encode()).hexdigest()


Happening = HtlcEvent | OwnHtlc | ChannelEvent | PolicyEvent | _Ended


def _script(recording: Recording) -> Iterator[Happening | _Listening]:
    """Yield what moves a lightningd, in order of time: ends of our own payments have their own place."""
    gaps = [
        _Listening(at_ns, begins)
        for (_, stop_ns), (start_ns, _) in pairwise(recording.covered)
        for at_ns, begins in ((stop_ns, False), (start_ns, True))
    ]
    settled = [_Ended(own.resolved_ns, own) for own in recording.own if not own.refused]
    circular = [
        _Ended(e.at_ns + _HELD_NS, e)
        for e in recording.events
        if isinstance(e, Refused) and e.cause is Cause.CIRCULAR_ROUTE
    ]
    ended = sorted(settled + circular, key=lambda e: e.at_ns)
    return merge(
        recording.events,
        recording.own,
        ended,
        gaps,
        recording.channel_events,
        recording.policy_events,
        key=lambda happening: happening.at_ns,
    )
