"""Event streams: per subscriber an unbounded queue, as in LND, and the faults a stream can have."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator

import grpc

from lnflow.simulation.lnd_server.rpc_error import RpcError


class Subscription:
    """One client's queue.  It may be filled from any thread; it is emptied on the server's loop."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._queue: deque[bytes | RpcError] = deque()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._filled = asyncio.Event()

    def put(self, item: bytes | RpcError) -> None:
        self._queue.append(item)
        self.wake()

    def discard(self) -> None:
        self._queue.clear()

    def wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._filled.set()
        else:
            self._loop.call_soon_threadsafe(self._filled.set)

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield what is queued for ever; raise `RpcError` when the stream is ended."""
        while True:
            while self._queue and not self._topic.stalled:
                item = self._queue.popleft()
                if isinstance(item, RpcError):
                    raise item
                yield item
            self._filled.clear()
            if not self._queue or self._topic.stalled:
                await self._filled.wait()


class Topic:
    """One kind of event and who listens to it."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._changed = asyncio.Condition()
        self.stalled = False
        self._duplicates_left = 0
        self._held: list[bytes] | None = None
        self._hold_size = 0

    def __len__(self) -> int:
        return len(self._subscriptions)

    async def subscribed(self, first: bytes | None) -> Subscription:
        """Add a client; `first` is what it is told before all else."""
        subscription = Subscription(self)
        if first is not None:
            subscription.put(first)
        async with self._changed:
            self._subscriptions.append(subscription)
            self._changed.notify_all()
        return subscription

    async def left(self, subscription: Subscription) -> None:
        async with self._changed:
            self._subscriptions.remove(subscription)
            self._changed.notify_all()

    async def wait_for_clients(self, count: int) -> None:
        """Return when exactly `count` clients listen."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._subscriptions) == count)

    def push(self, raw: bytes) -> None:
        """Queue an event for everybody, with the faults that were asked for."""
        if self._held is not None:
            self._held.append(raw)
            if len(self._held) < self._hold_size:
                return
            batch, self._held = self._held[::-1], None
        elif self._duplicates_left:
            self._duplicates_left -= 1
            batch = [raw, raw]
        else:
            batch = [raw]
        for subscription in self._subscriptions:
            for item in batch:
                subscription.put(item)

    def end(self, message: str, code: grpc.StatusCode, *, discard: bool) -> None:
        """End every stream, after what is queued or (as a broken connection does) without it."""
        for subscription in self._subscriptions:
            if discard:
                subscription.discard()
            subscription.put(RpcError(message, code))

    def stall(self) -> None:
        """Stop delivering; connections stay and events pile up."""
        self.stalled = True

    def resume(self) -> None:
        self.stalled = False
        for subscription in self._subscriptions:
            subscription.wake()

    def duplicate_next(self, count: int) -> None:
        """Deliver each of the next `count` events twice."""
        self._duplicates_left = count

    def reverse_next(self, count: int) -> None:
        """Hold back the next events until there are `count`, then deliver them last first."""
        self._held, self._hold_size = [], count
