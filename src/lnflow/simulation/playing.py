"""Playing a recorded world through the wire-true LND: the same events, listings and history, over gRPC."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from lnflow.domain.channel import ChannelState, Policy
from lnflow.domain.htlc import DownstreamFailed, Forward, HtlcEvent, Offered, Refused, Resolved, Settled
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, PolicyEvent
from lnflow.simulation.clock import SimulatedClock
from lnflow.simulation.lnd_server import LndChannel, LndNode, LndPeer, LndServer, Personality, events
from lnflow.simulation.lnd_server.refusals import Refusal
from lnflow.simulation.world.recording import OwnHtlc, OwnKind, Recording, Snapshot

_TIMELOCKS = (900_120, 900_040)
_REFUSALS = {(int(r.wire_failure), int(r.detail)): r for r in reversed(Refusal)}

Pause = Callable[[], Awaitable[None]]


@asynccontextmanager
async def served_world(recording: Recording, directory: Path, clock: SimulatedClock) -> AsyncIterator[WorldServer]:
    """Serve the node of a recording, as it was when the recording began."""
    node = _node_at_start(recording)
    async with LndServer(node, directory, clock_ns=clock.now_ns) as server:
        yield WorldServer(recording, server, clock)


class WorldServer:
    """The node of a recording behind gRPC, and the recording that moves it."""

    def __init__(self, recording: Recording, server: LndServer, clock: SimulatedClock) -> None:
        self.recording = recording
        self.server = server
        self.clock = clock
        self.events_pushed = 0
        self._script = recording.script()
        self._next = next(self._script, None)

    def what_to_try(self, database: Path) -> str:
        """Return the command that listens to this node from another terminal."""
        return (
            f"lnflow monitor --lnd-dir {self.server.directory.path} --grpc-host {self.server.target}"
            f" --network {self.recording.node.network} --database {database.with_name('mine.sqlite')}"
        )

    async def play(self, until_ns: int, pause: Pause, *, pause_every: int = 500) -> None:
        """Let everything before `until_ns` happen, in order of time, going on from where it stood.

        The clock follows what happens; `pause` is awaited after every so many happenings, and whoever
        listens decides there how far the world may run ahead.
        """
        number = 0
        while self._next is not None and self._next.at_ns < until_ns:
            self.clock.advance(self._next.at_ns)
            self._happen(self._next)
            self._next = next(self._script, None)
            number += 1
            if number % pause_every == 0:
                await pause()
        self.clock.advance(until_ns)
        await pause()

    def _happen(self, happening: HtlcEvent | OwnHtlc | ChannelEvent | PolicyEvent | Snapshot | Forward) -> None:
        match happening:
            case Forward():
                self.server.node.forwards.add(happening)
            case Snapshot():
                for state in happening.channels:
                    self._set_balance(state)
            case PolicyEvent():
                node = self.server.node
                node.set_policy(node.channel(happening.scid), happening.policy, happening.at_ns)
            case ChannelEvent():
                self._channel_event(happening)
            case OwnHtlc():
                self._own(happening)
            case _:
                self._push(_message(happening))

    def _set_balance(self, state: ChannelState) -> None:
        channel = self.server.node.channels[state.channel_point]
        costs_msat = state.capacity_sat * 1000 - state.local_msat - state.remote_msat - state.unsettled_msat
        channel.local_msat = state.local_msat + (costs_msat if state.initiator else 0)
        channel.remote_msat = state.capacity_sat * 1000 - channel.local_msat - state.unsettled_msat

    def _channel_event(self, event: ChannelEvent) -> None:
        node = self.server.node
        pubkey = event.peer_pubkey
        if pubkey is None and event.channel_point is not None:
            pubkey = node.channels[event.channel_point].peer
        if pubkey is None:
            return
        if event.kind in (ChannelEventKind.PEER_OFFLINE, ChannelEventKind.INACTIVE):
            node.peer_offline(pubkey, event.at_ns)
        elif event.kind in (ChannelEventKind.PEER_ONLINE, ChannelEventKind.ACTIVE):
            node.peer_online(pubkey, event.at_ns)

    def _own(self, own: OwnHtlc) -> None:
        incoming, outgoing = (own.in_scid, own.in_htlc_id), (own.out_scid, own.out_htlc_id)
        preimage = hashlib.sha256(repr((incoming, outgoing, own.at_ns)).encode()).digest()
        if own.kind is OwnKind.SEND:
            info = events.htlc_info(0, _TIMELOCKS[1], 0, own.amount_msat)
            if own.refused:
                self._push(events.send_refused(own.out_scid, Refusal.INSUFFICIENT_BALANCE, info, own.at_ns))
                return
            self._push(events.forward(events.NO_CIRCUIT, outgoing, info, own.at_ns))
        if own.settled:
            self._push(events.settle(incoming, outgoing, preimage, own.resolved_ns))
        elif own.kind is OwnKind.SEND:
            self._push(events.forward_fail(incoming, outgoing, own.resolved_ns))
        if own.kind is OwnKind.RECEIVE:
            self._push(events.final(incoming, own.resolved_ns, settled=own.settled))

    def _push(self, event: pb.HtlcEvent) -> None:
        self.server.htlc_event(event)
        self.events_pushed += 1


def _message(event: HtlcEvent) -> pb.HtlcEvent:
    """Return what LND would send for an event of the domain."""
    incoming = (event.in_scid, event.in_htlc_id)
    match event:
        case Offered():
            info = events.htlc_info(*_TIMELOCKS, event.amount_in_msat or 0, event.amount_out_msat or 0)
            return events.forward(incoming, (event.out_scid, event.out_htlc_id), info, event.at_ns)
        case Settled():
            preimage = hashlib.sha256(repr(incoming).encode()).digest()
            return events.settle(incoming, (event.out_scid, event.out_htlc_id), preimage, event.at_ns)
        case DownstreamFailed():
            return events.forward_fail(incoming, (event.out_scid, event.out_htlc_id), event.at_ns)
        case Resolved():
            return events.final(incoming, event.at_ns, settled=event.settled, offchain=event.offchain)
        case Refused():
            info = events.htlc_info(*_TIMELOCKS, event.amount_in_msat or 0, event.amount_out_msat or 0)
            refusal = _REFUSALS[(event.wire_code, event.detail)]
            return events.link_fail(incoming, event.out_scid, refusal, info, event.at_ns, Personality.V0_21_2)


def _node_at_start(recording: Recording) -> LndNode:
    info = recording.node
    node = LndNode(
        pubkey=info.pubkey,
        alias=info.alias,
        network=info.network,
        personality=Personality.V0_21_2,
        height=info.block_height,
        latest_ns=recording.since_ns,
    )
    policies = {p.channel_point: p for p in recording.policies}
    for state in recording.channels:
        if state.peer_pubkey not in node.peers:
            alias = state.peer_alias or recording.aliases.get(state.peer_pubkey, state.peer_pubkey[:12])
            node.add_peer(LndPeer(pubkey=state.peer_pubkey, alias=alias, online=state.active))
        ours = policies[state.channel_point].ours
        assert ours is not None, "a world announces a policy for each of its channels"
        costs_msat = state.capacity_sat * 1000 - state.local_msat - state.remote_msat
        node.add_channel(
            LndChannel(
                channel_point=state.channel_point,
                scid=state.scid,
                peer=state.peer_pubkey,
                capacity_sat=state.capacity_sat,
                local_msat=state.local_msat + (costs_msat if state.initiator else 0),
                policy=ours,
                peer_policy=_peer_policy(ours, recording.since_ns),
                initiator=state.initiator,
                reserve_sat=state.local_reserve_sat,
            ),
            recording.since_ns,
        )
    return node


def _peer_policy(ours: Policy, now_ns: int) -> Policy:
    """The world says nothing of what peers ask on their side; a usual price stands in for it."""
    return Policy(
        base_fee_msat=0,
        fee_ppm=100,
        time_lock_delta=ours.time_lock_delta,
        min_htlc_msat=1_000,
        max_htlc_msat=ours.max_htlc_msat,
        last_update_s=now_ns // SECOND_NS,
    )
