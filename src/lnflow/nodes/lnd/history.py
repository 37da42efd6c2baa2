"""Settled forwards out of ForwardingHistory, millions of rows in tens of calls.

LND's `index_offset` walks from the start on every call, so paging by it is quadratic.  Instead every page
starts at the whole second of the last row (start and end are inclusive), and rows already seen are dropped
by `timestamp_ns`, which is LND's primary key.  Only a second that fills a whole page is paged by offset.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from lnflow.domain.htlc import Forward
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd import records
from lnflow.nodes.lnd.wire import lnd_pb2 as pb

MAX_PAGE = 50_000  # LND's documented limit; 3.5 MB without aliases

# An end of 0 would mean "now", which hides rows if the node's clock was set back.  The year 2242, which as
# nanoseconds still fits LND's signed 64 bits.
_FAR_FUTURE_S = 1 << 33

AskPage = Callable[[pb.ForwardingHistoryRequest], Awaitable[pb.ForwardingHistoryResponse]]


async def forwards_since(ask: AskPage, since_ns: int, *, page_size: int) -> AsyncGenerator[list[Forward], None]:
    """Yield the forwards at or after `since_ns`, oldest first, each once, in lists of at most a page.

    LND may later add a row that is older than ones it has given (it flushes every 15 s): callers ask again
    from a minute before their last row, and drop what they know by its key.
    """
    page_size = max(1, min(page_size, MAX_PAGE))
    start_s, offset = max(0, since_ns) // SECOND_NS, 0
    newest_ns = since_ns - 1
    while True:
        page = await ask(
            pb.ForwardingHistoryRequest(
                start_time=start_s,
                end_time=_FAR_FUTURE_S,
                index_offset=offset,
                num_max_events=page_size,
                peer_alias_lookup=False,
            )
        )
        rows = await asyncio.to_thread(_forwards, page.forwarding_events)
        fresh = [row for row in rows if row.at_ns > newest_ns]
        if fresh:
            newest_ns = fresh[-1].at_ns
            yield fresh
        if len(rows) < page_size:
            return
        last_s = rows[-1].at_ns // SECOND_NS
        if last_s > start_s:
            start_s, offset = last_s, 0
        else:
            offset += len(rows)  # the whole page lies within one second


def _forwards(rows: Iterable[pb.ForwardingEvent]) -> list[Forward]:
    return [records.forward(row) for row in rows]
