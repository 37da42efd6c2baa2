"""The live side: listen, fill gaps from the node's history, keep facts of channels, survive everything.

Threads: one reads the stream into the bounded queue, one decodes and writes; the event loop supervises.  All
tasks live in one group; cancelling it stops everything, and what was received is stored first.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, ChannelState, NodeInfo
from lnflow.domain.errors import ConfigurationError, NodeRefused, NodeUnavailable, StoreError
from lnflow.domain.time import DAY_NS, SECOND_NS, Clock
from lnflow.ingest.join import Joiner, Ordinals
from lnflow.ingest.queue import MAX_QUEUED, EventQueue
from lnflow.ingest.status import CollectorStatus, StreamState
from lnflow.ingest.writer_thread import WriterThread
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, HtlcStream, NodeReader
from lnflow.store.costs import PAYMENTS_CURSOR, WALLET_CURSOR
from lnflow.store.writing import StoreWriter

logger = logging.getLogger(__name__)

HISTORY_CURSOR = "history"
HISTORY_OVERLAP_NS = 120 * SECOND_NS  # LND flushes rows every 15 s: one older than "now" can still appear
HISTORY_PAGE = 50_000
REORGANISED_BLOCKS = 12  # deeper than any reorganisation in years: read again from there
LEASES = 4  # renewals that may be missed before another collector may take over

_T = TypeVar("_T")


class CollectorTimes(Struct, frozen=True, kw_only=True):
    """How often the collector does what, in seconds."""

    listing_s: float = 300.0
    policies_s: float = 1800.0
    history_s: float = 600.0
    costs_s: float = 900.0
    lease_s: float = 15.0
    proof_s: float = 10.0
    """How often an idle stream's node is asked for a sign of life."""
    backoff_first_s: float = 1.0
    backoff_most_s: float = 60.0
    breaker_opens_after: int = 5


class Collector:
    """Collects for one node until cancelled.  One collector per node and store: it holds the lease."""

    def __init__(
        self,
        reader: NodeReader,
        writer: StoreWriter,
        clock: Clock,
        *,
        times: CollectorTimes | None = None,
        max_queued: int = MAX_QUEUED,
        raw_days: int | None = None,
        steady_ns: Callable[[], int] = time.monotonic_ns,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        """`raw_days` is how long single attempts are kept (None: for ever); totals and demands always are.

        `steady_ns` is a clock that nobody sets, from any beginning: against it jumps of `clock` are seen.
        """
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._times = times or CollectorTimes()
        self._lease_ns = round(LEASES * self._times.lease_s * SECOND_NS)
        self._on_change = on_change or (lambda: None)
        self.status = CollectorStatus()
        self._events = EventQueue(clock, max_queued)
        self._steady_ns = steady_ns
        self._thread = WriterThread(
            writer,
            self._events,
            self.status,
            clock,
            steady_ns=steady_ns,
            keep_raw_ns=raw_days * DAY_NS if raw_days is not None else None,
            on_failure=self._writer_died,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer_end: asyncio.Future[None] | None = None
        self._subscribed = asyncio.Event()
        self._streams_begun = 0
        self._channels: dict[str, ChannelState] = {}
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    async def run(self) -> None:
        """Collect until cancelled.

        Raises `ConfigurationError` if another collector holds the lease or the node is not the one stored
        under this name.  At the very beginning also `NodeRefused` and `NodeUnavailable`, since somebody is
        there to read it; later such things are tried again for ever, with the trouble in `status`.
        """
        self._loop = asyncio.get_running_loop()
        self._writer_end = self._loop.create_future()
        self._take_lease()
        try:
            await self._reader.wait_until_ready()
            info = await self._reader.node_info()
            self._writer.bind_node(info, self._clock.now_ns())
            self._thread.start()
            try:
                await self._collect(info)
            finally:
                # Cancelled or failed: what the stream delivered is stored before we go.
                await asyncio.shield(asyncio.to_thread(self._thread.stop))
        finally:
            self.status.stream = StreamState.STOPPED
            self._on_change()
            try:
                self._writer.release_lease(self._holder)
            except StoreError as exc:  # it expires by itself
                logger.error("lease not released: cause=%s", exc)

    async def _collect(self, info: NodeInfo) -> None:
        logger.info("collecting: node=%s alias=%s version=%s", info.pubkey, info.alias, info.version)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_writer(), name="writer")
            group.create_task(self._stream_forever(), name="stream")
            group.create_task(self._after_each_subscription(info), name="catch-up")
            group.create_task(self._every(self._times.listing_s, self._list_channels), name="listing")
            group.create_task(self._every(self._times.policies_s, self._list_policies), name="policies")
            group.create_task(self._every(self._times.history_s, self._backfill), name="history")
            group.create_task(self._every(self._times.costs_s, self._read_costs), name="costs")
            group.create_task(self._every(self._times.lease_s, self._renew_lease), name="lease")
            group.create_task(self._every(self._times.proof_s, self._prove_alive), name="proof")
            group.create_task(self._follow(self._follow_channels), name="channel events")
            group.create_task(self._follow(self._follow_policies), name="policy events")

    # -- the stream -------------------------------------------------------------------------------------

    async def _stream_forever(self) -> None:
        """Subscribe again and again, with full jitter.

        Not the connection but what it tells resets the waiting: an event, or having stood for a while.  A node
        that refuses (a macaroon revoked, a certificate expired) is asked as rarely as possible, but asked: the
        operator may put a new file in place at any time.
        """
        status, times = self.status, self._times
        while True:
            if not status.failures_in_row:
                status.stream = StreamState.CONNECTING
            began_ns, told = self._steady_ns(), self._events.received
            cause = await self._run_stream(self._reader.htlc_stream())
            stood_s = (self._steady_ns() - began_ns) / SECOND_NS
            if self._events.received - told > 1 or stood_s > times.backoff_most_s:
                status.failures_in_row = 0
            status.failures_in_row += 1
            status.stream_trouble = str(cause)
            is_open = status.failures_in_row >= times.breaker_opens_after or isinstance(cause, NodeRefused)
            status.stream = StreamState.OPEN if is_open else StreamState.RETRYING
            status.retry_in_s = self._wait_s(refused=isinstance(cause, NodeRefused))
            logger.warning(
                "htlc stream lost: retry_in_s=%.1f failures=%d cause=%s",
                status.retry_in_s,
                status.failures_in_row,
                cause,
            )
            self._on_change()
            await self._clock.sleep(status.retry_in_s)
            status.retry_in_s = None

    def _wait_s(self, *, refused: bool) -> float:
        times = self._times
        most_s = min(times.backoff_most_s, times.backoff_first_s * 2 ** min(self.status.failures_in_row - 1, 16))
        if refused:
            return random.uniform(times.backoff_most_s / 2, times.backoff_most_s)
        least_s = 0.0 if self.status.failures_in_row == 1 else times.backoff_first_s / 2  # no storm of short streams
        return random.uniform(least_s, max(least_s, most_s))  # jitter: many collectors must not come at once

    async def _run_stream(self, stream: HtlcStream) -> NodeUnavailable | NodeRefused:
        """Run one subscription in a thread of its own; return why it ended."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[NodeUnavailable | NodeRefused] = loop.create_future()
        first = True

        def deliver(raw: bytes) -> None:
            nonlocal first
            if first:
                self._thread.subscribed_ns = self._clock.now_ns()
            self._events.put(raw)
            if first:
                first = False
                loop.call_soon_threadsafe(self._stream_began)

        def read() -> None:
            result: NodeUnavailable | NodeRefused
            try:
                stream.run(deliver)
                result = NodeUnavailable("cancelled")
            except (NodeUnavailable, NodeRefused) as exc:
                result = exc
            except BaseException as exc:  # noqa: BLE001  # handed to the task that waits
                loop.call_soon_threadsafe(_fail, ended, exc)
                return
            loop.call_soon_threadsafe(_finish, ended, result)

        await self._written(lambda _: self._thread.decode_with(stream.decode, stream.counters))
        thread = threading.Thread(target=read, name="lnflow-stream", daemon=True)
        thread.start()
        try:
            return await asyncio.shield(ended)
        finally:
            self._subscribed.clear()
            stream.cancel()
            await asyncio.shield(asyncio.to_thread(thread.join))
            self._events.put_end()

    def _stream_began(self) -> None:
        self._streams_begun += 1
        self.status.stream = StreamState.STREAMING
        self.status.stream_trouble = None
        self._subscribed.set()
        self._on_change()

    async def _prove_alive(self) -> None:
        """Ask the node for a sign of life, so that a quiet stream counts as heard and a dead one does not."""
        if not self._subscribed.is_set():
            return
        began_ns, begun = self._clock.now_ns(), self._streams_begun
        await self._reader.node_info()
        if self._subscribed.is_set() and begun == self._streams_begun:
            self._thread.alive_until(began_ns)  # it lived when it was asked, or later

    # -- history ----------------------------------------------------------------------------------------

    async def _after_each_subscription(self, info: NodeInfo) -> None:
        """After every (re)connection: is it the same node, which channels are there, what did we miss."""
        while True:
            await self._subscribed.wait()
            begun = self._streams_begun
            await self._tolerate(self._catch_up, info)
            while self._subscribed.is_set() and self._streams_begun == begun:
                await self._clock.sleep(self._times.backoff_first_s)

    async def _catch_up(self, info: NodeInfo) -> None:
        try:
            await self._reader.wait_until_ready()
        except NodeRefused:
            await self._check_identity(info)
            raise
        await self._check_identity(info)
        await self._list_channels()
        await self._list_closed()
        await self._list_policies()
        await self._backfill()
        await self._read_costs()

    async def _check_identity(self, info: NodeInfo) -> None:
        """End it all if this is another node: what it forwards must not be counted for ours."""
        now = await self._reader.node_info()
        if (now.pubkey, now.network) != (info.pubkey, info.network):
            raise ConfigurationError(
                f"the node changed from {info.pubkey} ({info.network}) to {now.pubkey} ({now.network}) while we"
                " collected: use a --node name of its own for the other node"
            )

    async def _backfill(self) -> None:
        """Read settled forwards that we have not, page by page; the cursor moves in the page's transaction.

        It never points beyond now: rows dated by a clock that ran ahead must not hide those that follow.
        """
        cursor = await self._written(lambda w: w.cursor(HISTORY_CURSOR))
        since_ns = max(0, min(cursor, self._clock.now_ns()) - HISTORY_OVERLAP_NS) if cursor is not None else 0
        ordinals = Ordinals()
        async for page in self._reader.forwards_since(since_ns, page_size=HISTORY_PAGE):
            joiner = Joiner()
            for forward in page:
                joiner.add_forward(forward, ordinals.next(forward))
            facts = joiner.take()
            newest_ns = min(max((f.at_ns for f in page), default=since_ns), self._clock.now_ns())
            report = await self._written(
                lambda w, facts=facts, at=newest_ns: w.write_batch(facts, cursors={HISTORY_CURSOR: at})  # type: ignore[misc]
            )
            self.status.backfilled += report.new
            self._on_change()
        self.status.backfill_done = True

    async def _read_costs(self) -> None:
        """Read what circular payments and the wallet's transactions cost, from where we left off.

        A credential without these reads costs us profits, nothing else: it is said once.
        """
        for read in (self._read_payments, self._read_wallet):
            try:
                await read()
            except NodeRefused as exc:
                if not self.status.costs_done:
                    logger.warning("some costs stay unknown: the node refused: %s", exc)
        self.status.costs_done = True

    async def _read_payments(self) -> None:
        after = await self._written(lambda w: w.cursor(PAYMENTS_CURSOR))
        async for page in self._reader.payments_after(after or 0):
            await self._written(
                lambda w, page=page: w.write_costs(  # type: ignore[misc]
                    circular=page.circular, cursors={PAYMENTS_CURSOR: page.through}
                )
            )

    async def _read_wallet(self) -> None:
        height = (await self._reader.node_info()).block_height
        after = await self._written(lambda w: w.cursor(WALLET_CURSOR))
        found = await self._reader.list_transactions(max(0, (after or 0) - REORGANISED_BLOCKS))
        await self._written(lambda w: w.write_costs(transactions=found, cursors={WALLET_CURSOR: height}))

    # -- facts of channels ------------------------------------------------------------------------------

    async def _list_channels(self) -> None:
        states = await self._reader.list_channels()
        at_ns = self._clock.now_ns()
        self._channels = {s.channel_point: s for s in states}
        await self._written(lambda w: w.write_channels(at_ns, states, thin=True))
        aliases = await self._reader.list_aliases(sorted({s.peer_pubkey for s in states}))
        await self._written(lambda w: w.write_aliases(aliases))

    async def _list_closed(self) -> None:
        closed = await self._reader.list_closed_channels()
        await self._written(lambda w: w.write_closed(closed))

    async def _list_policies(self) -> None:
        if not self._channels:
            return
        policies = await self._reader.list_policies(list(self._channels.values()))
        await self._written(lambda w: w.write_policies(policies, self._clock.now_ns()))

    async def _follow_channels(self) -> None:
        async for event in self._reader.channel_events():
            await self._channel_event(event)

    async def _channel_event(self, event: ChannelEvent) -> None:
        match event.kind:
            case ChannelEventKind.UPDATED:
                if event.state is not None:  # balances of the next listing are enough: coalesced there
                    self._channels[event.state.channel_point] = event.state
            case ChannelEventKind.OPENED:
                await self._list_channels()
            case ChannelEventKind.CLOSED:
                await self._list_closed()
                await self._list_channels()
            case ChannelEventKind.ACTIVE | ChannelEventKind.PEER_ONLINE:
                pass  # an online peer's links need some seconds: ACTIVE channels are told by the listing
            case ChannelEventKind.INACTIVE | ChannelEventKind.PEER_OFFLINE:
                await self._written(lambda w: w.set_online(event.channel_point, event.peer_pubkey, event.at_ns, False))
        if event.kind is ChannelEventKind.ACTIVE:
            await self._written(lambda w: w.set_online(event.channel_point, None, event.at_ns, True))

    async def _follow_policies(self) -> None:
        async for event in self._reader.policy_events():
            state = next((s for s in self._channels.values() if event.scid in (s.scid, *s.other_scids)), None)
            if state is None:
                continue
            ours = event.announced_by != state.peer_pubkey
            change = ChannelPolicies(
                scid=state.scid,
                channel_point=state.channel_point,
                peer_pubkey=state.peer_pubkey,
                ours=event.policy if ours else None,
                theirs=None if ours else event.policy,
                capacity_sat=state.capacity_sat,
            )
            at_ns = event.at_ns
            await self._written(lambda w, change=change, at=at_ns: w.write_policies([change], at))  # type: ignore[misc]

    # -- keeping going ----------------------------------------------------------------------------------

    async def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await self._clock.sleep(seconds)
            await self._tolerate(work)

    async def _follow(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Keep a secondary stream going; it matters less than the HTLC stream and ends with it."""
        times = self._times
        failures = 0
        while True:
            await self._subscribed.wait()
            began_ns = self._steady_ns()
            await self._tolerate(work)
            stood_s = (self._steady_ns() - began_ns) / SECOND_NS
            failures = 0 if stood_s > times.backoff_most_s else failures + 1
            most_s = min(times.backoff_most_s, times.backoff_first_s * 2 ** min(failures, 16))
            await self._clock.sleep(random.uniform(times.backoff_first_s / 2, most_s))

    async def _tolerate(self, work: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Outages are the stream's business to report; a store that refuses is tried again next time."""
        try:
            await work(*args)
            self.status.node_trouble = None
        except NodeUnavailable as exc:
            logger.info("node not available: while=%s cause=%s", getattr(work, "__name__", "?"), exc)
        except NodeRefused as exc:
            if self.status.node_trouble != str(exc):
                logger.error("node refused: while=%s cause=%s", getattr(work, "__name__", "?"), exc)
            self.status.node_trouble = str(exc)
        except StoreError as exc:
            logger.error("not stored, tried again later: while=%s cause=%s", getattr(work, "__name__", "?"), exc)

    async def _written(self, work: Callable[[StoreWriter], _T]) -> _T:
        if self._thread.failure is not None:
            raise StoreError(f"the writer ended: {self._thread.failure}")
        return await asyncio.wrap_future(self._thread.submit(work))

    def _writer_died(self, error: BaseException) -> None:
        """Called in the writer's thread."""
        assert self._loop is not None
        assert self._writer_end is not None
        self._loop.call_soon_threadsafe(_fail, self._writer_end, error)

    async def _watch_writer(self) -> None:
        """Without a writer nothing is collected: its end is ours."""
        assert self._writer_end is not None
        await self._writer_end

    def _take_lease(self) -> None:
        now_ns = self._clock.now_ns()
        if not self._writer.take_lease(self._holder, now_ns, now_ns + self._lease_ns):
            raise ConfigurationError(
                f"another lnflow is collecting for node {self._writer.node_name!r} into {self._writer.path}:"
                " stop it first (if it was killed, wait a minute)"
            )

    async def _renew_lease(self) -> None:
        now_ns = self._clock.now_ns()
        held = await self._written(lambda w: w.take_lease(self._holder, now_ns, now_ns + self._lease_ns))
        if not held:
            raise ConfigurationError("another lnflow took over collecting for this node: this one stops")


def _finish(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
