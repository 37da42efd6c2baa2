"""Forwards as they happen, with the reason of each refusal: the cursors, and a look at the channels when needed.

A plugin tells us what notifications said (`notice`); a remote reader has the listings alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import msgspec
from msgspec import Raw, Struct

from lnflow.domain.htlc import Attempt
from lnflow.domain.time import MINUTE_NS, SECOND_NS, Clock
from lnflow.nodes.cln.attribution import judged
from lnflow.nodes.cln.facts import NodeFacts
from lnflow.nodes.cln.failcodes import FailCode
from lnflow.nodes.cln.forwards import Cursor, ForwardReader
from lnflow.nodes.cln.history import NodeHistory
from lnflow.nodes.cln.observer import LINK_TOPICS, observe
from lnflow.nodes.cln.wire import PeerChannel

logger = logging.getLogger(__name__)

_NEED_A_LOOK = frozenset(
    {FailCode.TEMPORARY_CHANNEL_FAILURE, FailCode.UNKNOWN_NEXT_PEER, FailCode.TEMPORARY_NODE_FAILURE}
)


SNAPSHOTS_NS = 5 * MINUTE_NS
"""How long a look is kept: at most 150 a channel, one every two seconds; each speaks for a minute."""


class LiveBatch(Struct, frozen=True, kw_only=True):
    """Attempts of one page, attributed, and the cursor to store with them."""

    attempts: list[Attempt]
    confidences: list[float]
    """How sure the cause of each attempt is, 0-1."""
    cursor: Cursor


class LiveForwards:
    """Follows one node.  Channels are looked at when refusals arrive, at most every `min_look_s`."""

    def __init__(
        self, forwards: ForwardReader, facts: NodeFacts, history: NodeHistory, clock: Clock, *, min_look_s: float = 2.0
    ) -> None:
        self._forwards = forwards
        self._facts = facts
        self.history = history
        self._clock = clock
        self._min_look_ns = round(min_look_s * SECOND_NS)
        self._looked_ns = 0
        self.looking = 0
        """How many looks at the channels are under way."""
        self.links_changed = asyncio.Event()
        """A notification told of a peer or a channel that came or went; whoever lists them clears it."""

    async def look(self) -> list[PeerChannel]:
        """List the channels, and remember what they looked like."""
        self.looking += 1
        try:
            channels = await self._facts.peer_channels()
        finally:
            self.looking -= 1
        self._looked_ns = self._clock.now_ns()
        self.history.add_snapshot(self._looked_ns, channels)
        self.history.forget_before(self._looked_ns)
        self.history.forget_snapshots_before(self._looked_ns - SNAPSHOTS_NS)
        return channels

    async def follow(self, cursor: Cursor) -> AsyncIterator[LiveBatch]:
        """Yield what happened after `cursor`, for ever; see `ForwardReader.follow` for what is raised."""
        await self.look()
        async for batch in self._forwards.follow(cursor):
            refused = any(row.failcode in _NEED_A_LOOK for row in batch.rows)
            if refused and self._clock.now_ns() - self._looked_ns >= self._min_look_ns:
                await self.look()
            for row in batch.rows:
                self.history.add_row(row)
            told = [judged(row, self.history) for row in batch.rows]
            yield LiveBatch(
                attempts=[attempt for attempt, _ in told],
                confidences=[confidence for _, confidence in told],
                cursor=batch.cursor,
            )

    def notice(self, topic: str, params: Raw | bytes, at_ns: int) -> None:
        """Take a notification of a plugin; one that we cannot read is noted and dropped."""
        try:
            payload = msgspec.json.decode(params, type=dict[str, object])
            inner = payload.get(topic, payload)
            row = observe(self.history, topic, inner if isinstance(inner, dict) else {}, at_ns)
        except msgspec.DecodeError as exc:
            logger.warning("notification not understood: topic=%s cause=%s", topic, exc)
            return
        if row is not None:
            self._forwards.nudge(row.created_index, row.updated_index)
        elif topic in LINK_TOPICS:
            self.links_changed.set()
