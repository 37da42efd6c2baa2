"""Collecting from Core Lightning: by cursors, so that nothing is lost while we are away, and history behind it.

The node keeps its forwards, refused ones too: what happened in a gap is read when we are back, only without
the look at the channels that tells why.  History is read newest first, in the background, and resumed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from msgspec import Struct

from lnflow.domain.channel import NodeInfo, Policy
from lnflow.domain.errors import ConfigurationError, NodeRefused, NodeUnavailable, StoreError
from lnflow.domain.htlc import Attempt
from lnflow.domain.time import DAY_NS, SECOND_NS, Clock
from lnflow.ingest.cln_pages import page_facts
from lnflow.ingest.join import Joiner
from lnflow.ingest.status import CollectorStatus, StreamState
from lnflow.ingest.writer_thread import PRUNED_AT_ONCE
from lnflow.nodes.cln.facts import NodeFacts, channel_policies, channel_state
from lnflow.nodes.cln.forwards import Cursor, ForwardReader
from lnflow.nodes.cln.history import Terms
from lnflow.nodes.cln.ledger import LedgerCheck, autoclean, fees_collected_msat
from lnflow.nodes.cln.live import LiveBatch, LiveForwards
from lnflow.nodes.cln.reader import ClnReader
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.store.attributions import AttributedHour, Told
from lnflow.store.costs import PAYMENTS_CURSOR, WALLET_CURSOR
from lnflow.store.history import StoreHistory
from lnflow.store.reading import LIVE, StoreReader
from lnflow.store.rows import AttemptFacts, FactColumns
from lnflow.store.writing import StoreWriter

logger = logging.getLogger(__name__)

CREATED, UPDATED, DOWN_TO = "cln.created", "cln.updated", "cln.down_to"
SINCE = "cln.since_ns"
REORGANISED_BLOCKS = 12
HISTORY = "history"
LEASES = 4
_LEDGER_LOOKS, _LEDGER_LOOK_S = 100, 0.1
_REESTABLISHED_S = 15.0  # after a connection the channels take some seconds until they can forward

_T = TypeVar("_T")


class ClnTimes(Struct, frozen=True, kw_only=True):
    """How often the collector does what, in seconds."""

    listing_s: float = 30.0
    facts_s: float = 1800.0
    lease_s: float = 15.0
    ledger_s: float = 3600.0
    prune_s: float = 3600.0
    backoff_first_s: float = 1.0
    backoff_most_s: float = 60.0
    breaker_opens_after: int = 5


class ClnStatus(CollectorStatus, kw_only=True):
    """What a plugin's `lnflow-status` shows besides."""

    history_down_to: int | None = None
    """Created index down to which history was read; 1 when all of it."""
    history_of: int | None = None
    ledger: LedgerCheck | None = None
    warning: str | None = None


class ClnCollector:
    """Collects for one node until cancelled.  One collector per node and store: it holds the lease."""

    def __init__(
        self,
        rpc: ClnRpc,
        live: LiveForwards,
        writer: StoreWriter,
        clock: Clock,
        *,
        times: ClnTimes | None = None,
        history_page: int = 5000,
        raw_days: int | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        """`raw_days` is how long single attempts are kept (None: for ever); totals and demands always are."""
        self._rpc = rpc
        self._live = live
        self._writer = writer
        self._clock = clock
        self._times = times or ClnTimes()
        self._facts = NodeFacts(rpc)
        self._history = ForwardReader(rpc, clock, page_size=history_page)
        self._raw_days = raw_days
        self._on_change = on_change or (lambda: None)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lnflow-writer")
        self._lease_ns = round(LEASES * self._times.lease_s * SECOND_NS)
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.status = ClnStatus()

    async def run(self) -> None:
        """Collect until cancelled.

        Raises `ConfigurationError` if another collector holds the lease or the node is not the one stored under
        this name, `NodeRefused` for a node that will not do, `NodeUnavailable` only at the very beginning.
        """
        try:
            await self._take_lease()
            await self._collect_with_lease()
        finally:
            # What a cancelled task began in the thread goes on: only after its end may the caller close the store.
            self._thread.shutdown()

    async def _collect_with_lease(self) -> None:
        try:
            info = await self._facts.node_info()
            self._live.history.max_dust_msat = await self._facts.max_dust_msat()
            await self._written(lambda w: w.bind_node(info, self._clock.now_ns()))
            await self._recall_terms()
            cursor = await self._begin()
            await self._collect(info, cursor)
        finally:
            self.status.stream = StreamState.STOPPED
            self._on_change()
            await asyncio.shield(self._written(self._finish))

    def _finish(self, writer: StoreWriter) -> None:
        """Let the next collector begin; then make the demands of late rows, since answers must not wait for it."""
        try:
            writer.release_lease(self._holder)
            writer.upkeep(self._clock.now_ns())
        except StoreError as exc:
            logger.error("not stored at the end: cause=%s", exc)

    async def _collect(self, info: NodeInfo, cursor: Cursor) -> None:
        logger.info("collecting: node=%s alias=%s version=%s", info.pubkey, info.alias, info.version)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_forever(cursor), name="forwards")
            group.create_task(self._hydrate(), name="history")
            group.create_task(self._every(self._times.listing_s, self._list_channels), name="listing")
            group.create_task(self._list_changed_links(), name="links")
            group.create_task(self._every(self._times.facts_s, self._list_facts), name="facts")
            group.create_task(self._every(self._times.facts_s, self._read_costs), name="costs")
            group.create_task(self._every(self._times.ledger_s, self._check_ledger), name="ledger")
            group.create_task(self._every(self._times.lease_s, self._renew_lease), name="lease")
            group.create_task(self._every(self._times.prune_s, self._prune), name="retention")

    async def _begin(self) -> Cursor:
        """Return where to go on: the stored cursor, or now on a first start (what was before is history)."""
        created, updated = await self._cursor(CREATED), await self._cursor(UPDATED)
        if created is None or updated is None:
            newest = await self._history.newest()
            now_ns = self._clock.now_ns()
            start = {CREATED: newest.created, UPDATED: newest.updated, DOWN_TO: newest.created + 1, SINCE: now_ns}
            await self._written(lambda w: w.write_batch([], cursors=start))
            created, updated = newest.created, newest.updated
        self.status.covered_since_ns = await self._cursor(SINCE)
        return Cursor(created=created, updated=updated)

    async def _recall_terms(self) -> None:
        """Tell the history our earlier prices: whoever offered too little most likely went by one of them."""

        def ask() -> list[tuple[int, str, str, Policy]]:
            with StoreHistory(self._writer.path, self._writer.node_name) as store:
                channels = {c.channel_id: c for c in store.channels(self._clock.now_ns())}
                ours = [(p, channels[p.channel_id]) for p in store.policies() if p.is_ours and p.channel_id in channels]
                return [
                    (p.since_ns, c.channel_point, c.peer_pubkey, p.policy)
                    for p, c in ours
                    if c.channel_point is not None and c.peer_pubkey is not None
                ]

        for since_ns, channel_id, peer_id, policy in await asyncio.get_running_loop().run_in_executor(
            self._thread, ask
        ):
            terms = Terms(policy.base_fee_msat, policy.fee_ppm, policy.min_htlc_msat, policy.max_htlc_msat)
            self._live.history.recall_terms(since_ns, channel_id, peer_id, terms)

    # -- what happens -----------------------------------------------------------------------------------

    async def _follow_forever(self, cursor: Cursor) -> None:
        """Follow again and again, with full jitter; rows of the time between are read first."""
        status, times = self.status, self._times
        while True:
            status.stream = StreamState.CONNECTING if not status.failures_in_row else status.stream
            try:
                await self._list_channels()
                status.stream, status.stream_trouble = StreamState.STREAMING, None
                status.subscriptions += 1
                self._on_change()
                async for batch in self._live.follow(cursor):
                    status.failures_in_row = 0
                    await self._store(batch)
                    cursor = batch.cursor
            except NodeUnavailable as exc:
                status.stream_trouble = str(exc)
            status.failures_in_row += 1
            open_ = status.failures_in_row >= times.breaker_opens_after
            status.stream = StreamState.OPEN if open_ else StreamState.RETRYING
            most_s = min(times.backoff_most_s, times.backoff_first_s * 2 ** min(status.failures_in_row - 1, 16))
            status.retry_in_s = random.uniform(0, most_s)
            logger.warning("node lost: retry_in_s=%.1f cause=%s", status.retry_in_s, status.trouble)
            self._on_change()
            await self._clock.sleep(status.retry_in_s)
            status.retry_in_s = None

    async def _store(self, batch: LiveBatch) -> None:
        """One page, its cursor and its coverage in one transaction; tried again for as long as the store refuses."""
        attempts = batch.attempts
        facts, attributed = _facts(attempts), _attributed(batch)
        cursors = {CREATED: batch.cursor.created, UPDATED: batch.cursor.updated}
        since_ns, now_ns = self.status.covered_since_ns, self._clock.now_ns()
        covered = None if since_ns is None or since_ns >= now_ns else (LIVE, since_ns, now_ns, "")
        report = await self._until_stored(
            lambda w: w.write_batch(facts, cursors=cursors, covered=covered, attributed=attributed)
        )
        status = self.status
        status.events += len(attempts)
        status.attempts += report.new
        status.last_commit_ns = now_ns
        status.last_event_ns = max((a.resolved_ns or a.arrived_ns or 0 for a in attempts), default=status.last_event_ns)
        self._on_change()

    # -- what was ---------------------------------------------------------------------------------------

    async def _hydrate(self) -> None:
        """Read history down to its first row, newest first; an outage only delays it."""
        status = self.status
        status.history_of = await self._cursor(CREATED)
        while (down_to := await self._cursor(DOWN_TO) or 1) > 1:
            status.history_down_to = down_to
            writing: asyncio.Task[None] | None = None
            try:
                async for batch in self._history.history(down_to):
                    facts = page_facts(batch.rows)
                    if writing is not None:
                        await writing
                    writing = asyncio.create_task(self._store_history(facts, batch.down_to))  # reading goes on
                if writing is not None:
                    await writing
            except NodeUnavailable as exc:
                if writing is not None:
                    await writing
                logger.info("history waits: down_to=%d cause=%s", status.history_down_to, exc)
                await self._clock.sleep(random.uniform(0, 2 * self._times.backoff_first_s))
        status.history_down_to = 1
        await self._tolerate(self._cover_history)
        status.backfill_done = True
        await self._tolerate(self._check_ledger)
        await self._tolerate(self._prune)
        self._on_change()

    async def _store_history(self, facts: FactColumns, down_to: int) -> None:
        report = await self._until_stored(lambda w: w.write_batch(facts, cursors={DOWN_TO: down_to}))
        self.status.backfilled += report.new
        self.status.history_down_to = down_to
        self._on_change()

    async def _cover_history(self) -> None:
        """History counts as covered where nothing was deleted: the node recorded it as if we had listened."""
        since_ns = await self._cursor(SINCE)
        if since_ns is None:
            return
        cleaned = await autoclean(self._rpc)
        first_ns = await self._read(lambda store: store.span().first_ns)
        if await self._history.deleted():
            if cleaned is None or cleaned.failed_age_s is None:
                return
            kept_ns = since_ns - cleaned.failed_age_s * SECOND_NS
            first_ns = kept_ns if first_ns is None else max(first_ns, kept_ns)
        if first_ns is not None and first_ns < since_ns:
            start_ns = first_ns
            await self._written(lambda w: w.cover(HISTORY, start_ns, since_ns, "the node's own history"))

    async def _check_ledger(self) -> None:
        """Hold our sum of fees against the node's, once we have read what it had earned when we asked."""
        before = await fees_collected_msat(self._rpc)
        if not await self._caught_up():
            return
        until_ns = self._clock.now_ns() + SECOND_NS
        ours = await self._read(lambda store: sum(f.earned_msat for f in store.flows(0, until_ns)))
        check = LedgerCheck(
            ours_msat=ours,
            node_before_msat=before,
            node_after_msat=await fees_collected_msat(self._rpc),
            complete=self.status.backfill_done,
        )
        self.status.ledger = check
        cleaned = await autoclean(self._rpc)
        warning = None if cleaned is None else cleaned.warning(self._times.backoff_most_s)
        if warning is not None and warning != self.status.warning:
            logger.warning("%s", warning)
        self.status.warning = warning
        if not check.holds:
            logger.warning("fees differ: ours_msat=%d node_msat=%d", check.ours_msat, check.node_before_msat)

    async def _caught_up(self) -> bool:
        """Wait, not for ever, until the follower has stored what the node has now."""
        newest = await self._history.newest()
        for _ in range(_LEDGER_LOOKS):
            created, updated = await self._cursor(CREATED) or 0, await self._cursor(UPDATED) or 0
            if created >= newest.created and updated >= newest.updated:
                return True
            await self._clock.sleep(_LEDGER_LOOK_S)
        return False

    async def _prune(self) -> None:
        """Delete single attempts beyond the retention: once everything was read, or old rows to come would be
        taken for pruned ones."""
        if self._raw_days is None or not self.status.backfill_done or not await self._caught_up():
            return
        before_ns = self._clock.now_ns() - self._raw_days * DAY_NS
        await self._written(lambda w: w.prune_raw(before_ns, most=PRUNED_AT_ONCE))

    # -- facts of channels ------------------------------------------------------------------------------

    async def _list_channels(self) -> None:
        listed = await self._live.look()
        at_ns = self._clock.now_ns()
        states = [s for s in map(channel_state, listed) if s is not None]
        policies = [p for p in map(channel_policies, listed) if p is not None]
        await self._written(lambda w: w.write_channels(at_ns, states, thin=True))
        await self._written(lambda w: w.write_policies(policies, at_ns))
        await self._written(lambda w: w.upkeep(at_ns))

    async def _list_changed_links(self) -> None:
        """List as soon as a peer or a channel came or went, so that the stored uptime is that of the event."""
        changed = self._live.links_changed
        while True:
            await changed.wait()
            changed.clear()
            await self._tolerate(self._list_channels)
            await self._clock.sleep(_REESTABLISHED_S)
            await self._tolerate(self._list_channels)

    async def _list_facts(self) -> None:
        closed = await self._facts.closed_channels()
        await self._written(lambda w: w.write_closed(closed))
        listed = await self._facts.peer_channels()
        aliases = await self._facts.aliases(sorted({c.peer_id for c in listed}))
        await self._written(lambda w: w.write_aliases(aliases))

    async def _read_costs(self) -> None:
        """Read what rebalances and transactions cost; a node too old to tell costs us profits, nothing else."""
        reader = ClnReader(lambda: self._rpc, self._clock)
        try:
            after = await self._cursor(PAYMENTS_CURSOR)
            async for page in reader.payments_after(after or 0):
                circular, through = page.circular, page.through
                await self._written(
                    lambda w, c=circular, t=through: w.write_costs(circular=c, cursors={PAYMENTS_CURSOR: t})  # type: ignore[misc]
                )
            height = (await self._facts.node_info()).block_height
            found = await reader.list_transactions(
                max(0, (await self._cursor(WALLET_CURSOR) or 0) - REORGANISED_BLOCKS)
            )
            await self._written(lambda w: w.write_costs(transactions=found, cursors={WALLET_CURSOR: height}))
        except NodeRefused as exc:
            if not self.status.costs_done:
                logger.warning("costs stay unknown: the node refused: %s", exc)
        self.status.costs_done = True

    # -- keeping going ----------------------------------------------------------------------------------

    async def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await self._tolerate(work)
            await self._clock.sleep(seconds)

    async def _tolerate(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Outages are the follower's business to report; a store that refuses is tried again next time."""
        try:
            await work()
        except NodeUnavailable as exc:
            logger.info("node not available: while=%s cause=%s", getattr(work, "__name__", "?"), exc)
        except StoreError as exc:
            logger.error("not stored: while=%s cause=%s", getattr(work, "__name__", "?"), exc)
            self.status.store_trouble = str(exc)

    async def _cursor(self, name: str) -> int | None:
        return await self._written(lambda w: w.cursor(name))

    async def _written(self, work: Callable[[StoreWriter], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._writer)

    async def _read(self, question: Callable[[StoreReader], _T]) -> _T:
        def ask() -> _T:
            with StoreReader(self._writer.path, self._writer.node_name) as store:
                return question(store)

        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)

    async def _until_stored(self, work: Callable[[StoreWriter], _T]) -> _T:
        """Try until the store takes it: the node keeps its rows meanwhile, nothing is lost by waiting."""
        while True:
            try:
                return await self._written(work)
            except StoreError as exc:
                self.status.store_trouble = str(exc)
                logger.error("page not stored, trying again: cause=%s", exc)
                await self._clock.sleep(self._times.backoff_first_s)

    async def _take_lease(self) -> None:
        now_ns = self._clock.now_ns()
        if not await self._written(lambda w: w.take_lease(self._holder, now_ns, now_ns + self._lease_ns)):
            raise ConfigurationError(
                f"another lnflow is collecting for node {self._writer.node_name!r} into {self._writer.path}:"
                " stop it first (if it was killed, wait a minute)"
            )

    async def _renew_lease(self) -> None:
        now_ns = self._clock.now_ns()
        if not await self._written(lambda w: w.take_lease(self._holder, now_ns, now_ns + self._lease_ns)):
            raise ConfigurationError("another lnflow took over collecting for this node: this one stops")


def _attributed(batch: LiveBatch) -> list[AttributedHour]:
    """Sum up how sure the refusals of a page are; a row is refused when it is created, so each is told once."""
    told = Told()
    for attempt, confidence in zip(batch.attempts, batch.confidences, strict=True):
        told.add(attempt, confidence)
    return told.hours()


def _facts(attempts: list[Attempt]) -> list[AttemptFacts]:
    joiner = Joiner()
    for attempt in attempts:
        joiner.add_attempt(attempt)
    return joiner.take()
