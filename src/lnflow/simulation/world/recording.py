"""What a run leaves behind: everything our pipeline would have had from a real node, as plain records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from heapq import merge

from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, ChannelState, NodeInfo
from lnflow.domain.htlc import Forward, HtlcEvent, Offered, StreamEnded, StreamEvent, Subscribed
from lnflow.nodes.port import ChannelEvent, PolicyEvent


class OwnKind(IntEnum):
    """Our own payments as the event stream types them: 1 SEND, 2 RECEIVE."""

    SEND = 1
    RECEIVE = 2


class OwnHtlc(Struct, frozen=True, kw_only=True, gc=False):
    """One HTLC of our own: noise that must count nowhere.

    A send has no incoming side, a receive no outgoing one (scid and id are 0).  `resolved_ns` equals
    `at_ns` for a send that its own first hop refused (`refused` is then True).
    """

    kind: OwnKind
    at_ns: int
    resolved_ns: int
    in_scid: int
    in_htlc_id: int
    out_scid: int
    out_htlc_id: int
    amount_msat: int
    settled: bool
    refused: bool = False


class Snapshot(Struct, frozen=True, kw_only=True, gc=False):
    """All channels as ListChannels would have shown them at an instant."""

    at_ns: int
    channels: tuple[ChannelState, ...]


Happening = HtlcEvent | OwnHtlc | ChannelEvent | PolicyEvent | Snapshot | Forward


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One run of a world, seen from our node.  Every list is in time order.

    `events` holds all events of the window, heard or not; `heard_events` only those of covered time.
    `forwards` is the settled history, warm-up included, complete whatever was heard.
    """

    since_ns: int
    until_ns: int
    node: NodeInfo
    channels: tuple[ChannelState, ...]
    """At `since_ns`."""
    policies: tuple[ChannelPolicies, ...]
    """In force at `since_ns`."""
    aliases: dict[str, str]
    in_flight: tuple[Offered, ...]
    """Passed on before `since_ns` and not ended then."""
    payments: dict[tuple[int, int], int]
    """Which payment an HTLC (incoming channel and id) belongs to: no node tells it, all its HTLCs share a hash."""
    unsaid_msat: dict[tuple[int, int], tuple[int, int]]
    """What came in and should have left, where LND says neither: full slots."""
    covered: tuple[tuple[int, int], ...]
    """Intervals [from, to) in which somebody listened."""
    events: list[HtlcEvent]
    own: list[OwnHtlc]
    forwards: list[Forward]
    snapshots: list[Snapshot]
    channel_events: list[ChannelEvent]
    policy_events: list[PolicyEvent]

    def heard_events(self) -> Iterator[StreamEvent]:
        """Yield what a listener got: per covered interval a `Subscribed`, its events, a `StreamEnded`."""
        events = iter(self.events)
        event = next(events, None)
        for start, end in self.covered:
            yield Subscribed(at_ns=start)
            while event is not None and event.at_ns < start:
                event = next(events, None)
            while event is not None and event.at_ns < end:
                yield event
                event = next(events, None)
            if end < self.until_ns:
                yield StreamEnded(reason="the listener went away")

    def script(self) -> Iterator[Happening]:
        """Yield everything in time order, for a server to play: events, own HTLCs, facts, history rows."""
        return merge(
            self.events,
            self.own,
            self.forwards,
            self.snapshots,
            self.channel_events,
            self.policy_events,
            key=lambda happening: happening.at_ns,
        )
