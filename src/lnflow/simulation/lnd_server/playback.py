"""A recorded world played through a simulated LND: its events on the stream, its facts in the answers.

The world has decided everything already; here it is only told, in the words of one LND release.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import assert_never

import grpc

from lnflow.domain.causes import Cause
from lnflow.domain.channel import ChannelState, Policy
from lnflow.domain.htlc import DownstreamFailed, Forward, HtlcEvent, Offered, Refused, Resolved, Settled
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, PolicyEvent
from lnflow.simulation.lnd_server import events
from lnflow.simulation.lnd_server.channels import ANCHORS_SAT, COMMIT_WEIGHT, InFlight, LndChannel
from lnflow.simulation.lnd_server.events import NO_CIRCUIT
from lnflow.simulation.lnd_server.node import BLOCKS_TO_RECEIVER, LndNode, LndPeer
from lnflow.simulation.lnd_server.personality import Personality
from lnflow.simulation.lnd_server.refusals import ReceiveRefusal, Refusal
from lnflow.simulation.lnd_server.server import TERMINATED, LndServer
from lnflow.simulation.world.recording import Happening, OwnHtlc, OwnKind, Recording, Snapshot

_BATCH = 500  # happenings between two looks whether the clients have been given everything
_REFUSALS = {
    Cause.INVALID_ONION: Refusal.INVALID_ONION_PAYLOAD,
    Cause.NO_DETAIL: Refusal.FEE_EXPOSURE,
    **{Cause[refusal.name]: refusal for refusal in Refusal if refusal.name in Cause.__members__},
}
_DEFAULT_POLICY = Policy(base_fee_msat=1_000, fee_ppm=1, time_lock_delta=80, min_htlc_msat=1_000, max_htlc_msat=None)


class PlayedClock:
    """The time of the world: it moves when the playback moves it, and wakes who slept until then."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now_ns(self) -> int:
        return self._now_ns

    async def sleep(self, seconds: float) -> None:
        wakes_ns = self._now_ns + int(seconds * SECOND_NS)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (wakes_ns, next(self._numbers), future))
        await future

    def advance(self, to_ns: int) -> None:
        self._now_ns = max(self._now_ns, to_ns)
        while self._sleepers and self._sleepers[0][0] <= self._now_ns:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)


class Playback:
    """One recording on one server.  Enter `server` first, then `play`."""

    def __init__(
        self, recording: Recording, directory: Path, *, personality: Personality = Personality.V0_21_2
    ) -> None:
        self.recording = recording
        self.clock = PlayedClock(recording.since_ns)
        self.node = _node(recording, personality)
        self.server = LndServer(self.node, directory, clock_ns=self.clock.now_ns)
        self._random = random.Random(0)
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._in_flight: dict[tuple[int, int], tuple[LndChannel, InFlight, LndChannel, InFlight]] = {}

    async def play(self, *, speed: float | None = None) -> None:
        """Play to the end; `speed` is seconds of the world per second, None as fast as it is read.

        Events are told in covered time only: at the end of each interval the streams break, and the next
        one starts when a client has subscribed again.
        """
        loop = asyncio.get_running_loop()
        started, since_ns = loop.time(), self.recording.since_ns
        covered = list(self.recording.covered)
        listening = False
        for number, happening in enumerate(self.recording.script()):
            at_ns = happening.at_ns
            if covered and listening and at_ns >= covered[0][1]:
                self._run_later(covered[0][1])
                await self._break_streams(covered.pop(0)[1])
                listening = False
            if covered and not listening and at_ns >= covered[0][0]:
                self.clock.advance(covered[0][0])
                await self._wait_for_listeners()
                listening = True
            if speed is not None:
                ahead_s = (at_ns - since_ns) / SECOND_NS / speed - (loop.time() - started)
                if ahead_s > 0.01:
                    await asyncio.sleep(ahead_s)
            elif number % _BATCH == 0:
                await self.server.htlc_events.drained()
            self._run_later(at_ns)
            self.clock.advance(at_ns)
            self.node.hear(at_ns)
            self._tell(happening)
        self._run_later(self.recording.until_ns)
        self.clock.advance(self.recording.until_ns)
        await self.server.htlc_events.drained()

    async def _wait_for_listeners(self) -> None:
        self.server.accepts_subscriptions = True
        await self.server.htlc_events.wait_for_a_client()

    async def _break_streams(self, at_ns: int) -> None:
        self.clock.advance(at_ns)
        await self.server.htlc_events.drained()
        self.server.accepts_subscriptions = False
        self.server.htlc_events.end(TERMINATED, grpc.StatusCode.UNKNOWN, discard=False)
        await self.server.htlc_events.wait_for_clients(0)

    def _run_later(self, until_ns: int) -> None:
        while self._later and self._later[0][0] <= until_ns:
            heapq.heappop(self._later)[2]()

    def _tell(self, happening: Happening) -> None:
        match happening:
            case Offered() | Settled() | DownstreamFailed() | Refused() | Resolved():
                self._tell_htlc(happening)
            case OwnHtlc():
                self._tell_own(happening)
            case Forward():
                self.node.forwards.add(happening)
            case ChannelEvent():
                self._tell_channel_event(happening)
            case PolicyEvent():
                channel = self.node.channel(happening.scid)
                if happening.announced_by == self.node.pubkey:
                    self.node.set_policy(channel, happening.policy, happening.at_ns)
                else:
                    self.node.set_peer_policy(channel, happening.policy, happening.at_ns)
            case Snapshot():
                for state in happening.channels:
                    channel = self.node.channels[state.channel_point]
                    _set_balances(channel, state)
                    self.node.tell_changed(channel, happening.at_ns)
            case _:
                assert_never(happening)

    def _tell_htlc(self, event: HtlcEvent) -> None:
        key = (event.in_scid, event.in_htlc_id)
        match event:
            case Offered():
                self._add(event)
                info = self._info(event.amount_in_msat, event.amount_out_msat)
                self.node.tell(events.forward(key, (event.out_scid, event.out_htlc_id), info, event.at_ns))
            case Settled():
                self._remove(key, settled=True)
                preimage = self._random.randbytes(32)
                self.node.tell(events.settle(key, (event.out_scid, event.out_htlc_id), preimage, event.at_ns))
            case DownstreamFailed():
                self._remove(key, settled=False)
                self.node.tell(events.forward_fail(key, (event.out_scid, event.out_htlc_id), event.at_ns))
            case Refused():
                info = self._info(event.amount_in_msat, event.amount_out_msat)
                refusal = _REFUSALS[event.cause]
                self.node.channel(event.in_scid).next_in_id = event.in_htlc_id + 1
                self.node.tell(events.link_fail(key, event.out_scid, refusal, info, event.at_ns, self.node.personality))
            case Resolved():
                self.node.tell(events.final(key, event.at_ns, settled=event.settled, offchain=event.offchain))
            case _:
                assert_never(event)

    def _tell_own(self, own: OwnHtlc) -> None:
        """Send or receive something of our own; its end follows at its own time."""
        if own.kind is OwnKind.SEND:
            outgoing = (own.out_scid, own.out_htlc_id)
            info = pb.HtlcInfo(outgoing_timelock=self._timelock, outgoing_amt_msat=own.amount_msat)
            if own.refused:
                refusal = Refusal.INSUFFICIENT_BALANCE
                self.node.tell(events.send_refused(own.out_scid, refusal, info, own.at_ns))
                return
            self.node.tell(events.forward(NO_CIRCUIT, outgoing, info, own.at_ns))
            if own.settled:
                end = events.settle(NO_CIRCUIT, outgoing, self._random.randbytes(32), own.resolved_ns)
            else:
                end = events.forward_fail(NO_CIRCUIT, outgoing, own.resolved_ns)
            self._put_later(own.resolved_ns, end)
            return
        incoming = (own.in_scid, own.in_htlc_id)
        if own.settled:
            end = events.settle(incoming, NO_CIRCUIT, self._random.randbytes(32), own.resolved_ns)
        else:
            end = events.receive_refused(
                incoming, ReceiveRefusal.UNKNOWN_INVOICE, self._timelock, own.amount_msat, own.resolved_ns
            )
        self._put_later(own.resolved_ns, end)
        self._put_later(own.resolved_ns, events.final(incoming, own.resolved_ns, settled=own.settled))

    def _put_later(self, at_ns: int, event: pb.HtlcEvent) -> None:
        heapq.heappush(self._later, (at_ns, next(self._numbers), lambda: self.node.tell(event)))

    def _tell_channel_event(self, event: ChannelEvent) -> None:
        """Peers come and go with all their channels; a single channel may pause while its peer stays."""
        if event.kind is ChannelEventKind.PEER_OFFLINE and event.peer_pubkey is not None:
            self.node.peer_offline(event.peer_pubkey, event.at_ns)
        elif event.kind is ChannelEventKind.PEER_ONLINE and event.peer_pubkey is not None:
            self.node.peer_online(event.peer_pubkey, event.at_ns)
        elif event.kind in (ChannelEventKind.ACTIVE, ChannelEventKind.INACTIVE):
            channel = self.node.channels[event.channel_point or ""]
            active = event.kind is ChannelEventKind.ACTIVE
            if self.node.is_active(channel) != active:
                channel.established = active
                self.node.tell_active(channel)
        else:
            raise ValueError(f"a recorded world has no channel event of kind {event.kind.name}")

    def _add(self, event: Offered) -> None:
        """Put the HTLC into both channels without asking whether they would take it."""
        incoming, outgoing = self.node.channel(event.in_scid), self.node.channel(event.out_scid)
        payment_hash = self._random.randbytes(32)
        htlc_in = InFlight(
            incoming=True,
            htlc_id=event.in_htlc_id,
            amount_msat=event.amount_in_msat or 0,
            expiry_height=self._timelock + 80,
            payment_hash=payment_hash,
            forwarding_scid=event.out_scid,
            forwarding_htlc_id=event.out_htlc_id,
        )
        htlc_out = InFlight(
            incoming=False,
            htlc_id=event.out_htlc_id,
            amount_msat=event.amount_out_msat or 0,
            expiry_height=self._timelock,
            payment_hash=payment_hash,
            forwarding_scid=event.in_scid,
            forwarding_htlc_id=event.in_htlc_id,
        )
        incoming.remote_msat -= htlc_in.amount_msat
        outgoing.local_msat -= htlc_out.amount_msat
        incoming.in_flight.append(htlc_in)
        outgoing.in_flight.append(htlc_out)
        self._in_flight[event.in_scid, event.in_htlc_id] = (incoming, htlc_in, outgoing, htlc_out)

    def _remove(self, key: tuple[int, int], *, settled: bool) -> None:
        """End an HTLC; one that was under way when the recording began is not in our books."""
        if key in self._in_flight:
            incoming, htlc_in, outgoing, htlc_out = self._in_flight.pop(key)
            incoming.remove(htlc_in, settled=settled)
            outgoing.remove(htlc_out, settled=settled)

    @property
    def _timelock(self) -> int:
        return self.node.height + BLOCKS_TO_RECEIVER

    def _info(self, amount_in_msat: int | None, amount_out_msat: int | None) -> pb.HtlcInfo:
        return events.htlc_info(self._timelock + 80, self._timelock, amount_in_msat or 0, amount_out_msat or 0)


def _node(recording: Recording, personality: Personality) -> LndNode:
    """Return the node as it was when the recording began."""
    node = LndNode(
        pubkey=recording.node.pubkey,
        alias=recording.node.alias,
        network=recording.node.network,
        height=recording.node.block_height,
        personality=personality,
        latest_ns=recording.since_ns,
    )
    policies = {policy.scid: policy for policy in recording.policies}
    for state in recording.channels:
        if state.peer_pubkey not in node.peers:
            alias = recording.aliases.get(state.peer_pubkey, "")
            node.add_peer(LndPeer(pubkey=state.peer_pubkey, alias=alias, online=state.active))
        ends = policies.get(state.scid)
        channel = LndChannel(
            channel_point=state.channel_point,
            scid=state.scid,
            peer=state.peer_pubkey,
            capacity_sat=state.capacity_sat,
            local_msat=0,
            policy=(ends.ours if ends else None) or _DEFAULT_POLICY,
            peer_policy=(ends.theirs if ends else None) or _DEFAULT_POLICY,
            initiator=state.initiator,
            private=state.private,
            reserve_sat=state.local_reserve_sat,
            fee_per_kw=state.commit_fee_sat * 1000 // COMMIT_WEIGHT,
            max_accepted_htlcs=state.max_accepted_htlcs or 483,
            peer_min_htlc_msat=state.min_htlc_msat or 1,
            alias_scids=state.other_scids,
        )
        _set_balances(channel, state)
        node.add_channel(channel, recording.since_ns)
    return node


def _set_balances(channel: LndChannel, state: ChannelState) -> None:
    costs_msat = (state.commit_fee_sat + ANCHORS_SAT) * 1000
    channel.local_msat = state.local_msat + (costs_msat if state.initiator else 0)
    channel.remote_msat = state.remote_msat + (0 if state.initiator else costs_msat)
