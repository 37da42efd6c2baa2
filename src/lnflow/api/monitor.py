"""HTLCMonitor: records a node's HTLC events into the same store as the command line."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lnflow.advice.analyzing import Selection
from lnflow.advice.documents import AnalyzeDocument, ChannelsDocument
from lnflow.api.client import AsyncLNDgRPCClient
from lnflow.api.stats import ChannelFailureStats, MonitorSummary, channel_stats
from lnflow.app import LiveCollection
from lnflow.config import database_path, load_settings
from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo
from lnflow.domain.costs import WalletTransaction
from lnflow.domain.htlc import Forward, StreamEvent
from lnflow.domain.time import DAY_NS, SystemClock
from lnflow.ingest.status import StreamState
from lnflow.nodes.port import ChannelEvent, HtlcStream, NodeReader, PaymentPage, PolicyEvent
from lnflow.service.opportunities import OpportunityService
from lnflow.service.windows import WindowChoice
from lnflow.store.writing import StoreWriter

logger = logging.getLogger(__name__)

CALLBACK_PATIENCE_S = 5.0
"""How long callbacks that still run may take when the monitor stops."""

EventCallback = Callable[[StreamEvent], Awaitable[None] | None]
_EVERYTHING = Selection(min_failures=0, min_missed_sat=0)


class HTLCMonitor:
    """Collects while it is entered: `async with HTLCMonitor(grpc_client=lnd, history_hours=24) as monitor`.

    `history_hours` limits what is read, and never deletes.  `max_channels` limits the lists of channels it
    returns.  Callbacks, sync or async, get each event; their errors are logged and counted, and stop nothing.
    """

    def __init__(
        self,
        grpc_client: AsyncLNDgRPCClient,
        *,
        history_hours: float = 24.0,
        min_failure_count: int = 3,
        min_missed_sats: int = 100,
        max_channels: int | None = None,
        database: str | Path | None = None,
        node: str | None = None,
    ) -> None:
        self._client = grpc_client
        self.history_hours = history_hours
        self.min_failure_count = min_failure_count
        self.min_missed_sats = min_missed_sats
        self.max_channels = max_channels
        settings = load_settings()
        self._retention_days = settings.retention.raw_days
        self._database = database_path(str(database) if database is not None else None, settings)
        self._node_name = settings.node(node)[0]
        self._callbacks: list[EventCallback] = []
        self._pending: set[asyncio.Task[None]] = set()
        self._live: LiveCollection | None = None
        self._running: asyncio.Task[None] | None = None
        self.callback_errors = 0

    async def __aenter__(self) -> Self:
        await self.start_monitoring()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_monitoring()

    # -- collecting -------------------------------------------------------------------------------------

    async def start_monitoring(self) -> None:
        """Return when the node tells us its events; raises what stands in the way.  Harmless when started."""
        if self._running is not None:
            return
        loop = asyncio.get_running_loop()
        listening = asyncio.Event()

        def heard(event: StreamEvent) -> None:
            loop.call_soon_threadsafe(self._dispatch, event)

        def changed() -> None:
            if live.status.stream is StreamState.STREAMING:
                listening.set()

        live = self._live = LiveCollection(
            _Tapped(self._client.reader, heard),
            self._database,
            self._node_name,
            raw_days=self._retention_days,
            on_change=changed,
        )
        self._running = asyncio.create_task(live.run(), name="htlc monitor")
        started = asyncio.create_task(listening.wait())
        await asyncio.wait({self._running, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if self._running.done():
            await self.stop_monitoring()

    async def stop_monitoring(self) -> None:
        """Stop, with everything received stored; raises what had ended the collection before."""
        live, running = self._live, self._running
        self._live = self._running = None
        if live is None or running is None:
            return
        live.stop()
        try:
            await running
        finally:
            await self._end_callbacks()

    async def _end_callbacks(self) -> None:
        """Let callbacks that run finish; one that does not is an error of the script, and ended."""
        if not self._pending:
            return
        _, late = await asyncio.wait(self._pending, timeout=CALLBACK_PATIENCE_S)
        for task in late:
            task.cancel()
        if late:
            self.callback_errors += len(late)
            logger.error("callbacks cancelled: they did not end within %g s: calls=%d", CALLBACK_PATIENCE_S, len(late))
            await asyncio.wait(late)

    @property
    def is_monitoring(self) -> bool:
        return self._running is not None and not self._running.done()

    def register_callback(self, callback: EventCallback) -> None:
        """Call `callback(event)` on the event loop for every event from now on."""
        self._callbacks.append(callback)

    def _dispatch(self, event: StreamEvent) -> None:
        for callback in self._callbacks:
            try:
                result = callback(event)
            except Exception:  # a script's error must not end the collection  # noqa: BLE001
                self._callback_failed(callback)
                continue
            if inspect.isawaitable(result):
                task = asyncio.ensure_future(self._finish(callback, result))
                self._pending.add(task)
                task.add_done_callback(self._pending.discard)

    async def _finish(self, callback: EventCallback, result: Awaitable[None]) -> None:
        try:
            await result
        except Exception:  # as above  # noqa: BLE001
            self._callback_failed(callback)

    def _callback_failed(self, callback: EventCallback) -> None:
        self.callback_errors += 1
        logger.exception("callback failed: callback=%r errors=%d", callback, self.callback_errors)

    # -- asking -----------------------------------------------------------------------------------------

    def analyze(self, selection: Selection, hours: float | None = None) -> AnalyzeDocument:
        """Return the analysis of the last hours, never more than `history_hours`."""
        with self._open() as service:
            return service.analyze(service.window(self._choice(hours)), selection)

    def get_channel_stats(self, channel_id: str | int | None = None) -> list[ChannelFailureStats]:
        """Return the failures of one channel (any of its ids), or of all, the largest expected miss first."""
        with self._open() as service:
            window = service.window(self._choice(None))
            analysis = service.analyze(window, _EVERYTHING)
            document: ChannelsDocument = (
                service.channels(window) if channel_id is None else service.channel(window, str(channel_id))
            )
        return channel_stats(document, analysis)[: self.max_channels]

    def get_top_missed_opportunities(self, limit: int = 10) -> list[ChannelFailureStats]:
        """Return the channels that missed most, above the monitor's thresholds."""
        return self._material()[:limit]

    def get_liquidity_constrained_channels(self) -> list[ChannelFailureStats]:
        """Return the channels that refused for lack of outbound balance, above the thresholds."""
        return [s for s in self._material() if s.liquidity_failures]

    def get_fee_constrained_channels(self) -> list[ChannelFailureStats]:
        """Return the channels whose price senders did not pay, above the thresholds."""
        return [s for s in self._material() if s.fee_failures]

    def get_summary_stats(self) -> MonitorSummary:
        """Return the window in a few figures."""
        document = self.analyze(_EVERYTHING)
        with self._open() as service:
            channels = service.channels(service.window(self._choice(None))).channels
        return MonitorSummary(
            monitored_channels=sum(not c.closed for c in channels),
            settled=document.attempts.settled,
            failed_here=document.attempts.failed_here,
            failed_downstream=document.attempts.failed_downstream,
            expected_missed_msat=document.totals.expected_missed_msat,
            income_msat=document.settled.income_msat,
            coverage=document.coverage,
            callback_errors=self.callback_errors,
        )

    def cleanup_old_data(self) -> int:
        """Delete single attempts older than `[retention] raw_days`; return how many.  Totals do not change."""
        before_ns = SystemClock().now_ns() - self._retention_days * DAY_NS
        with StoreWriter(self._database, self._node_name) as writer:
            return writer.prune_raw(before_ns)

    def _material(self) -> list[ChannelFailureStats]:
        return [
            s
            for s in self.get_channel_stats()
            if s.failed_here >= self.min_failure_count and s.missed_revenue_sats >= self.min_missed_sats
        ]

    def _choice(self, hours: float | None) -> WindowChoice:
        return WindowChoice(hours=min(self.history_hours, hours or self.history_hours))

    def _open(self) -> OpportunityService:
        return OpportunityService.open(self._database, self._node_name)


class _TappedStream:
    """A subscription that also tells somebody what it decoded."""

    def __init__(self, stream: HtlcStream, heard: Callable[[StreamEvent], None]) -> None:
        self._stream = stream
        self._heard = heard
        self.run = stream.run
        self.cancel = stream.cancel
        self.counters = stream.counters

    def decode(self, raw: bytes) -> StreamEvent | None:
        event = self._stream.decode(raw)
        if event is not None:
            self._heard(event)
        return event


class _Tapped:
    """A reader whose streams tell what they decode; everything else is the reader's own."""

    def __init__(self, reader: NodeReader, heard: Callable[[StreamEvent], None]) -> None:
        self._reader = reader
        self._heard = heard

    def htlc_stream(self) -> HtlcStream:
        return _TappedStream(self._reader.htlc_stream(), self._heard)

    async def wait_until_ready(self) -> None:
        await self._reader.wait_until_ready()

    async def node_info(self) -> NodeInfo:
        return await self._reader.node_info()

    async def list_channels(self) -> list[ChannelState]:
        return await self._reader.list_channels()

    async def list_closed_channels(self) -> list[ClosedChannel]:
        return await self._reader.list_closed_channels()

    async def list_policies(self, channels: Sequence[ChannelState]) -> list[ChannelPolicies]:
        return await self._reader.list_policies(channels)

    async def list_aliases(self, pubkeys: Sequence[str]) -> dict[str, str]:
        return await self._reader.list_aliases(pubkeys)

    def forwards_since(self, since_ns: int, *, page_size: int) -> AsyncIterator[list[Forward]]:
        return self._reader.forwards_since(since_ns, page_size=page_size)

    def payments_after(self, index: int) -> AsyncIterator[PaymentPage]:
        return self._reader.payments_after(index)

    async def list_transactions(self, since_height: int) -> list[WalletTransaction]:
        return await self._reader.list_transactions(since_height)

    def channel_events(self) -> AsyncIterator[ChannelEvent]:
        return self._reader.channel_events()

    def policy_events(self) -> AsyncIterator[PolicyEvent]:
        return self._reader.policy_events()

    async def close(self) -> None:
        """Nothing: the reader is the client's."""
