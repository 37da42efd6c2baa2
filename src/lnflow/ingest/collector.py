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
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, ChannelState, NodeInfo
from lnflow.domain.errors import ConfigurationError, NodeRefused, NodeUnavailable, StoreError
from lnflow.domain.time import SECOND_NS, Clock
from lnflow.ingest.join import Joiner, Ordinals
from lnflow.ingest.queue import MAX_QUEUED, EventQueue
from lnflow.ingest.status import CollectorStatus, StreamState
from lnflow.ingest.writer_thread import WriterThread
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, HtlcStream, NodeReader
from lnflow.store.writing import StoreWriter

logger = logging.getLogger(__name__)

HISTORY_CURSOR = "history"
HISTORY_OVERLAP_NS = 120 * SECOND_NS  # LND flushes rows every 15 s: one older than "now" can still appear
HISTORY_PAGE = 50_000
LEASES = 4  # renewals that may be missed before another collector may take over

_T = TypeVar("_T")


class CollectorTimes(Struct, frozen=True, kw_only=True):
    """How often the collector does what, in seconds."""

    listing_s: float = 300.0
    policies_s: float = 1800.0
    history_s: float = 600.0
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
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._times = times or CollectorTimes()
        self._lease_ns = round(LEASES * self._times.lease_s * SECOND_NS)
        self._on_change = on_change or (lambda: None)
        self.status = CollectorStatus()
        self._events = EventQueue(clock, max_queued)
        self._thread = WriterThread(writer, self._events, self.status, clock)
        self._subscribed = asyncio.Event()
        self._channels: dict[str, ChannelState] = {}
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    async def run(self) -> None:
        """Collect until cancelled.

        Raises `ConfigurationError` if another collector holds the lease or the node is not the one stored
        under this name, `NodeRefused` if the credential does not suffice, and `NodeUnavailable` only if the
        node cannot be reached at the very beginning.
        """
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
            self._writer.release_lease(self._holder)

    async def _collect(self, info: NodeInfo) -> None:
        logger.info("collecting: node=%s alias=%s version=%s", info.pubkey, info.alias, info.version)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stream_forever(), name="stream")
            group.create_task(self._after_each_subscription(info), name="catch-up")
            group.create_task(self._every(self._times.listing_s, self._list_channels), name="listing")
            group.create_task(self._every(self._times.policies_s, self._list_policies), name="policies")
            group.create_task(self._every(self._times.history_s, self._backfill), name="history")
            group.create_task(self._every(self._times.lease_s, self._renew_lease), name="lease")
            group.create_task(self._every(self._times.proof_s, self._prove_alive), name="proof")
            group.create_task(self._follow(self._follow_channels), name="channel events")
            group.create_task(self._follow(self._follow_policies), name="policy events")

    # -- the stream -------------------------------------------------------------------------------------

    async def _stream_forever(self) -> None:
        """Subscribe again and again, with full jitter; a subscription that came about resets the waiting."""
        status, times = self.status, self._times
        while True:
            subscriptions = status.subscriptions
            status.stream = StreamState.CONNECTING if not status.failures_in_row else status.stream
            stream = self._reader.htlc_stream()
            cause = await self._run_stream(stream)
            self._subscribed.clear()
            if status.subscriptions > subscriptions:
                status.failures_in_row = 0
            status.failures_in_row += 1
            status.trouble = str(cause)
            if isinstance(cause, NodeRefused):
                raise cause
            status.stream = (
                StreamState.OPEN if status.failures_in_row >= times.breaker_opens_after else StreamState.RETRYING
            )
            most_s = min(times.backoff_most_s, times.backoff_first_s * 2 ** min(status.failures_in_row - 1, 16))
            status.retry_in_s = random.uniform(0, most_s)  # full jitter: many collectors must not come at once
            logger.warning(
                "htlc stream lost: retry_in_s=%.1f failures=%d cause=%s",
                status.retry_in_s,
                status.failures_in_row,
                cause,
            )
            self._on_change()
            await self._clock.sleep(status.retry_in_s)
            status.retry_in_s = None

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
            stream.cancel()
            await asyncio.shield(asyncio.to_thread(thread.join))
            self._events.put_end()

    def _stream_began(self) -> None:
        self.status.stream = StreamState.STREAMING
        self.status.failures_in_row = 0
        self.status.trouble = None
        self._subscribed.set()
        self._on_change()

    async def _prove_alive(self) -> None:
        """Ask the node for a sign of life, so that a quiet stream counts as heard and a dead one does not."""
        if self.status.stream is StreamState.STREAMING:
            await self._reader.node_info()

    # -- history ----------------------------------------------------------------------------------------

    async def _after_each_subscription(self, info: NodeInfo) -> None:
        """After every (re)connection: is it the same node, which channels are there, what did we miss."""
        while True:
            await self._subscribed.wait()
            subscriptions = self.status.subscriptions
            await self._tolerate(self._catch_up, info)
            while self._subscribed.is_set() and self.status.subscriptions == subscriptions:
                await self._clock.sleep(self._times.backoff_first_s)

    async def _catch_up(self, info: NodeInfo) -> None:
        await self._reader.wait_until_ready()
        now = await self._reader.node_info()
        if now.pubkey != info.pubkey:
            raise ConfigurationError(
                f"the node changed from {info.pubkey} to {now.pubkey} while we collected:"
                " use a --node name of its own for the other node"
            )
        await self._list_channels()
        await self._list_closed()
        await self._list_policies()
        await self._backfill()

    async def _backfill(self) -> None:
        """Read settled forwards that we have not, page by page; the cursor moves in the page's transaction."""
        cursor = await self._written(lambda w: w.cursor(HISTORY_CURSOR))
        since_ns = max(0, cursor - HISTORY_OVERLAP_NS) if cursor is not None else 0
        ordinals = Ordinals()
        async for page in self._reader.forwards_since(since_ns, page_size=HISTORY_PAGE):
            joiner = Joiner()
            for forward in page:
                joiner.add_forward(forward, ordinals.next(forward))
            facts = joiner.take()
            newest_ns = max((f.at_ns for f in page), default=since_ns)
            report = await self._written(
                lambda w, facts=facts, at=newest_ns: w.write_batch(facts, cursors={HISTORY_CURSOR: at})  # type: ignore[misc]
            )
            self.status.backfilled += report.new
            self._on_change()
        self.status.backfill_done = True

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
        while True:
            await self._subscribed.wait()
            await self._tolerate(work)
            await self._clock.sleep(random.uniform(0, 2 * self._times.backoff_first_s))

    async def _tolerate(self, work: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Outages are the stream's business to report; a store that refuses is tried again next time.

        Work that succeeds shows that the node lived when it began, and so that the stream still stood.
        """
        began_ns, subscriptions = self._clock.now_ns(), self.status.subscriptions
        was_streaming = self.status.stream is StreamState.STREAMING
        try:
            await work(*args)
            if was_streaming and subscriptions == self.status.subscriptions:
                self._thread.alive_until(began_ns)
        except NodeUnavailable as exc:
            logger.info("node not available: while=%s cause=%s", getattr(work, "__name__", "?"), exc)
        except StoreError as exc:
            logger.error("not stored: while=%s cause=%s", getattr(work, "__name__", "?"), exc)
            self.status.trouble = str(exc)

    async def _written(self, work: Callable[[StoreWriter], _T]) -> _T:
        if self._thread.failure is not None:
            raise StoreError(f"the writer ended: {self._thread.failure}")
        return await asyncio.wrap_future(self._thread.submit(work))

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
