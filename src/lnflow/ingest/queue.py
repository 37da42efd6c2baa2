"""The bounded queue between the node's stream and the disk.

LND buffers without bound for a slow reader, in its own memory; so the reader never waits here.  What does
not fit is shed, counted, and its time is no longer covered.
"""

from __future__ import annotations

import threading
from collections import deque

from msgspec import Struct

from lnflow.domain.time import Clock

MAX_QUEUED = 100_000  # 100,000 messages of about 100 B; at 2,000 events/s this is 50 s of a stuck disk


class Shed(Struct, frozen=True, kw_only=True):
    """What was shed since the last look: how many messages, and between which times."""

    count: int
    since_ns: int
    until_ns: int


class EventQueue:
    """Raw messages in order; one thread puts, one takes."""

    def __init__(self, clock: Clock, max_queued: int = MAX_QUEUED) -> None:
        self._clock = clock
        self._max = max_queued
        self._items: deque[bytes | None] = deque()
        self._lock = threading.Lock()
        self._shed: Shed | None = None
        self.received = 0
        self.last_received_ns: int | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, raw: bytes) -> None:
        """Take one message at once; never blocks on the disk."""
        self.received += 1
        now_ns = self._clock.now_ns()
        self.last_received_ns = now_ns
        if len(self._items) >= self._max:
            with self._lock:
                before = self._shed
                self._shed = Shed(
                    count=1 + (before.count if before else 0),
                    since_ns=before.since_ns if before else now_ns,
                    until_ns=now_ns + 1,
                )
            return
        self._items.append(raw)  # atomic; the taker polls, so that a busy reader needs no lock

    def put_end(self) -> None:
        """Mark that the stream ended here."""
        self._items.append(None)

    def take(self, most: int) -> list[bytes | None]:
        """Return up to `most` messages that are there now; None marks the end of a stream."""
        items, pop = self._items, self._items.popleft
        count = min(most, len(items))
        return [pop() for _ in range(count)]

    def take_shed(self) -> Shed | None:
        """Return what was shed since the last call."""
        with self._lock:
            shed, self._shed = self._shed, None
        return shed
