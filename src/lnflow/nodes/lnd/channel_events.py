"""Events of our channels, our peers and the gossip about our channels, from LND's three streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeVar

from lnflow.nodes.lnd import records
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, PolicyEvent

_Event = TypeVar("_Event")
_Update = pb.ChannelEventUpdate


class _Mailbox:
    """Events waiting to be taken.  A newer balance of a channel replaces the one that still waits.

    Bounded in practice: balances wait once per channel, and nobody else makes events without end.
    """

    def __init__(self) -> None:
        self._waiting: dict[object, ChannelEvent] = {}
        self._filled = asyncio.Event()

    def put(self, event: ChannelEvent) -> None:
        key = event.channel_point if event.kind is ChannelEventKind.UPDATED else object()
        self._waiting[key] = event
        self._filled.set()

    def wake(self) -> None:
        self._filled.set()

    async def take_all(self) -> list[ChannelEvent]:
        await self._filled.wait()
        self._filled.clear()
        events, self._waiting = list(self._waiting.values()), {}
        return events


async def merge(
    channels: AsyncIterator[pb.ChannelEventUpdate],
    peers: AsyncIterator[pb.PeerEvent],
    now_ns: Callable[[], int],
) -> AsyncGenerator[ChannelEvent, None]:
    """Yield what both streams say, as it comes; raise as soon as either ends."""
    mailbox = _Mailbox()

    async def read(messages: AsyncIterator[_Event], convert: Callable[[_Event, int], ChannelEvent | None]) -> None:
        async for message in messages:
            event = convert(message, now_ns())
            if event is not None:
                mailbox.put(event)

    readers = (
        asyncio.create_task(read(channels, channel_event)),
        asyncio.create_task(read(peers, peer_event)),
    )
    for reader in readers:
        reader.add_done_callback(lambda _: mailbox.wake())
    try:
        while True:
            for event in await mailbox.take_all():
                yield event
            for reader in readers:
                if reader.done():
                    reader.result()  # raises what ended it
                    return
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


def channel_event(update: pb.ChannelEventUpdate, at_ns: int) -> ChannelEvent | None:
    """Return our form of one update; None for steps before opening and after closing, and unknown ones."""
    match update.WhichOneof("channel"):
        case "open_channel":
            return _with_state(ChannelEventKind.OPENED, update.open_channel, at_ns)
        case "updated_channel":
            return _with_state(ChannelEventKind.UPDATED, update.updated_channel.channel, at_ns)
        case "closed_channel":
            closed = update.closed_channel
            return ChannelEvent(
                kind=ChannelEventKind.CLOSED,
                at_ns=at_ns,
                channel_point=closed.channel_point,
                peer_pubkey=closed.remote_pubkey,
            )
        case "active_channel":
            point = records.channel_point_text(update.active_channel)
            return ChannelEvent(kind=ChannelEventKind.ACTIVE, at_ns=at_ns, channel_point=point)
        case "inactive_channel":
            point = records.channel_point_text(update.inactive_channel)
            return ChannelEvent(kind=ChannelEventKind.INACTIVE, at_ns=at_ns, channel_point=point)
        case _:
            return None


def _with_state(kind: ChannelEventKind, channel: pb.Channel, at_ns: int) -> ChannelEvent:
    return ChannelEvent(
        kind=kind,
        at_ns=at_ns,
        channel_point=channel.channel_point,
        state=records.channel_state(channel),
        peer_pubkey=channel.remote_pubkey,
    )


def peer_event(event: pb.PeerEvent, at_ns: int) -> ChannelEvent | None:
    kinds = {
        pb.PeerEvent.PEER_ONLINE: ChannelEventKind.PEER_ONLINE,
        pb.PeerEvent.PEER_OFFLINE: ChannelEventKind.PEER_OFFLINE,
    }
    kind = kinds.get(event.type)
    return None if kind is None else ChannelEvent(kind=kind, at_ns=at_ns, peer_pubkey=event.pub_key)


async def own_policies(
    gossip: AsyncIterator[pb.GraphTopologyUpdate], own_pubkey: str, now_ns: Callable[[], int]
) -> AsyncGenerator[PolicyEvent, None]:
    """Yield the announcements for channels of ours, by either end.

    LND does not keep their order when it lags: one that is older than what was seen is dropped.
    """
    newest: dict[tuple[int, str], int] = {}  # bounded by our channels
    async for topology in gossip:
        for update in topology.channel_updates:
            if own_pubkey not in (update.advertising_node, update.connecting_node):
                continue
            if not update.HasField("routing_policy"):
                continue
            key = update.chan_id, update.advertising_node
            announced = update.routing_policy.last_update
            if announced < newest.get(key, 0):
                continue
            newest[key] = announced
            yield PolicyEvent(
                at_ns=now_ns(),
                scid=update.chan_id,
                announced_by=update.advertising_node,
                policy=records.policy(update.routing_policy),
            )
