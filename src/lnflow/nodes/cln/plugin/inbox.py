"""Notifications between the reader of stdin and those who use them: bounded, never blocking, counting what it sheds."""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from msgspec import Raw, Struct


class Notice(Struct, frozen=True, gc=False):
    """One notification as it came; `params` is decoded by whoever needs it."""

    topic: str
    params: Raw
    at_ns: int


class Inbox:
    """`forward_event` is only a hint (the cursors have the truth), so it is shed first; facts have room of their own.

    When a queue is full its oldest notice goes.
    """

    def __init__(self, *, hints: int = 10_000, facts: int = 50_000) -> None:
        self._hints: deque[Notice] = deque(maxlen=hints)
        self._facts: deque[Notice] = deque(maxlen=facts)
        self._arrived = asyncio.Event()
        self.received: Counter[str] = Counter()
        self.shed: Counter[str] = Counter()

    def put(self, notice: Notice) -> None:
        queue = self._hints if notice.topic == "forward_event" else self._facts
        self.received[notice.topic] += 1
        if len(queue) == queue.maxlen:
            self.shed[queue[0].topic] += 1
        queue.append(notice)
        self._arrived.set()

    def __len__(self) -> int:
        """How many wait to be taken."""
        return len(self._facts) + len(self._hints)

    async def take(self) -> list[Notice]:
        """Return everything that waits, at least one, facts before hints."""
        while not (self._facts or self._hints):
            self._arrived.clear()
            await self._arrived.wait()
        notices = [*self._facts, *self._hints]
        self._facts.clear()
        self._hints.clear()
        return notices
