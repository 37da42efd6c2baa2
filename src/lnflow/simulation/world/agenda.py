"""What happens next: a queue of calls by time, first come first served within a nanosecond."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Action = Callable[..., None]


class Agenda:
    """Calls to be made; each gets its time first."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Action, tuple[Any, ...]]] = []
        self._count = 0

    def put(self, at_ns: int, action: Action, *arguments: Any) -> None:
        self._count += 1
        heappush(self._heap, (at_ns, self._count, action, arguments))

    def run_until(self, at_ns: int) -> None:
        """Make all calls due before `at_ns`, those put meanwhile included."""
        heap = self._heap
        while heap and heap[0][0] < at_ns:
            when, _, action, arguments = heappop(heap)
            action(when, *arguments)
