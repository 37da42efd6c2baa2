"""A clock that a simulation moves: waiting ends when its time has come, however fast that is."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

from lnflow.domain.time import SECOND_NS


class SimulatedClock:
    """Time stands still until `advance`.  Reading it is safe from any thread, the rest belongs to one loop."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now_ns(self) -> int:
        return self._now_ns

    async def sleep(self, seconds: float) -> None:
        """Return when the simulated time has moved on by so much."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wake_ns = self._now_ns + max(0, round(seconds * SECOND_NS))
        heapq.heappush(self._sleepers, (wake_ns, next(self._numbers), future))
        await future

    def advance(self, now_ns: int) -> None:
        """Move time forward and wake whoever waited for it; time never runs back."""
        self._now_ns = max(self._now_ns, now_ns)
        while self._sleepers and self._sleepers[0][0] <= self._now_ns:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
