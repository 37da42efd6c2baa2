"""A small random gap between the writes of one run, so that a node's gossip does not leave in one burst."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from lnflow.domain.time import Clock

LONGEST_MEAN_S = 1.0
SPREAD_S = 30.0  # all gaps of a run together, about: systemd waits 90 s for us to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How a daemon spaces its writes.  A one-shot command does not: somebody waits for it."""

    clock: Clock
    draw: Callable[[float, float], float] = random.uniform
    """Return a number of seconds between two bounds."""

    async def wait(self, writes: int) -> None:
        """Wait before the next of so many writes: 1 s on average, less where there are more than 30."""
        await self.clock.sleep(self.draw(0.0, 2 * min(LONGEST_MEAN_S, SPREAD_S / writes)))
