"""Forwards by two cursors: rows created, rows updated.  Rows that we refused are born final and never update;
offered ones turn into settled or failed later: neither cursor alone sees both.

The node is never asked for more than a page.  The caller stores the cursor of a page with its rows, in one
transaction; rows that come twice are harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from msgspec import Struct

from lnflow.domain.errors import NodeRefused
from lnflow.domain.time import Clock
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.wire import ForwardPage, ForwardRow, WaitReply

logger = logging.getLogger(__name__)

_MAX_SPAN = 1 << 26


class Cursor(Struct, frozen=True, kw_only=True):
    """The last created and updated index that was read; 0 and 0 before the first row."""

    created: int = 0
    updated: int = 0


class ForwardBatch(Struct, frozen=True, kw_only=True):
    """One page in the order of its index, and the cursor to store with it."""

    rows: list[ForwardRow]
    cursor: Cursor


class HistoryBatch(Struct, frozen=True, kw_only=True):
    """One page of the past.  Every row from `down_to` upwards was read; `down_to` 1 is the end."""

    rows: list[ForwardRow]
    down_to: int


class ForwardReader:
    """Reads the forwards of one node.  `coalesce_s` is the least time between two looks while it is busy."""

    def __init__(
        self,
        rpc: ClnRpc,
        clock: Clock,
        *,
        page_size: int = 1000,
        safety_poll_s: float = 60.0,
        coalesce_s: float = 0.2,
    ) -> None:
        self._rpc = rpc
        self._clock = clock
        self._page_size = page_size
        self._safety_poll_s = safety_poll_s
        self._coalesce_s = coalesce_s
        self._nudged = asyncio.Event()
        self._read = Cursor()

    async def newest(self) -> Cursor:
        """Return the node's present indexes."""
        return Cursor(created=await self._index("created", 0), updated=await self._index("updated", 0))

    async def catch_up(self, cursor: Cursor) -> AsyncIterator[ForwardBatch]:
        """Yield what happened after `cursor`, page by page: new rows first, then changed ones."""
        while True:
            rows = await self._page("created", cursor.created + 1)
            if rows:
                cursor = Cursor(created=_created(rows[-1]), updated=cursor.updated)
                yield ForwardBatch(rows=rows, cursor=cursor)
            if len(rows) < self._page_size:
                break
        while True:
            rows = await self._page("updated", cursor.updated + 1)
            if rows:
                cursor = Cursor(created=cursor.created, updated=rows[-1].updated_index or cursor.updated)
                yield ForwardBatch(rows=rows, cursor=cursor)
            if len(rows) < self._page_size:
                return

    async def follow(self, cursor: Cursor) -> AsyncIterator[ForwardBatch]:
        """Yield what happened after `cursor` and go on for ever, told by `wait`, `nudge` or the safety poll.

        Raises `NodeUnavailable` when the node goes; go on with the last cursor when it is back.
        """
        await self.check(cursor)
        self._read = cursor
        while True:
            async for batch in self.catch_up(cursor):
                self._read = cursor = batch.cursor
                yield batch
            await self._clock.sleep(self._coalesce_s)
            await self._changed(cursor)

    async def history(self, down_to: int) -> AsyncIterator[HistoryBatch]:
        """Yield the rows created before index `down_to`, newest window first.

        Begin with `newest().created + 1`, resume with the stored `down_to`.  A window is one page of
        indexes, more where rows were deleted; within a window pages ascend.
        """
        span = self._page_size
        while down_to > 1:
            low = max(1, down_to - span)
            found, start = 0, low
            while True:
                page = await self._page("created", start)
                rows = [row for row in page if _created(row) < down_to]
                found += len(rows)
                if len(rows) < self._page_size:
                    break
                start = _created(rows[-1]) + 1
                if start >= down_to:
                    break
                yield HistoryBatch(rows=rows, down_to=down_to)
            yield HistoryBatch(rows=rows, down_to=low)
            down_to = low
            sparse = found < self._page_size // 2
            span = min(span * 2, _MAX_SPAN) if sparse else max(span // 2, self._page_size)

    def nudge(self, created: int | None = None, updated: int | None = None) -> None:
        """Look at once: a notification said that something happened, with these indexes, if it was not read yet."""
        read = self._read
        known = created is not None or updated is not None
        if not known or (created or 0) > read.created or (updated or 0) > read.updated:
            self._nudged.set()

    async def check(self, cursor: Cursor) -> None:
        """Raise `NodeRefused` if the node's indexes lie behind `cursor`: its database is not the one we read."""
        newest = await self.newest()
        if newest.created < cursor.created or newest.updated < cursor.updated:
            raise NodeRefused(
                f"the node has {newest.created} forwards created and {newest.updated} updated, we have read up to"
                f" {cursor.created} and {cursor.updated}: it runs on an older or another database. Check that it is"
                " the right node; if its database was replaced, start a new lnflow database for it"
            )

    async def _changed(self, cursor: Cursor) -> None:
        """Return when an index goes beyond the cursor, at a nudge, or when the safety poll is due."""
        waits = [
            asyncio.ensure_future(self._index("created", cursor.created + 1)),
            asyncio.ensure_future(self._index("updated", cursor.updated + 1)),
            asyncio.ensure_future(self._nudged.wait()),
        ]
        try:
            done, _ = await asyncio.wait(waits, timeout=self._safety_poll_s, return_when=asyncio.FIRST_COMPLETED)
            for finished in done:
                finished.result()
            self._nudged.clear()
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _index(self, name: str, at_least: int) -> int:
        reply = await self._rpc.call(
            "wait",
            {"subsystem": "forwards", "indexname": name, "nextvalue": at_least},
            WaitReply,
            timeout_s=30.0 if at_least == 0 else None,
        )
        return (reply.created if name == "created" else reply.updated) or 0

    async def settled_page(self, start: int) -> list[ForwardRow]:
        """Return a page of settled rows from an updated index on, in the order in which they settled."""
        params = {"status": "settled", "index": "updated", "start": start, "limit": self._page_size}
        return (await self._rpc.call("listforwards", params, ForwardPage)).forwards

    async def settled_at_or_after(self, start: int) -> ForwardRow | None:
        """Return the first settled row from an updated index on; None if there is none."""
        params = {"status": "settled", "index": "updated", "start": start, "limit": 1}
        rows = (await self._rpc.call("listforwards", params, ForwardPage)).forwards
        return rows[0] if rows else None

    async def deleted(self) -> int:
        """Return how many rows the node ever deleted."""
        params = {"subsystem": "forwards", "indexname": "deleted", "nextvalue": 0}
        return (await self._rpc.call("wait", params, WaitReply)).deleted or 0

    async def _page(self, index: str, start: int) -> list[ForwardRow]:
        params = {"index": index, "start": start, "limit": self._page_size}
        return (await self._rpc.call("listforwards", params, ForwardPage)).forwards


def _created(row: ForwardRow) -> int:
    """The row's own index; rows without one come only from nodes below our floor."""
    if row.created_index is None:
        raise NodeRefused("listforwards: a row without created_index: Core Lightning v23.11 or newer is needed")
    return row.created_index
