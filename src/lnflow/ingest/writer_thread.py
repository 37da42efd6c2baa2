"""The one thread that writes while we listen: it decodes, joins and commits what the stream delivered.

Batches are bound in time and size.  Other writes of the collector (listings, history pages) run on the same
thread between batches, so the store has one writer.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from lnflow.domain.errors import InputError, StoreError, StoreRefused
from lnflow.domain.htlc import HtlcEvent, StreamEnded, StreamEvent, Subscribed
from lnflow.domain.time import HOUR_NS, SECOND_NS, Clock
from lnflow.ingest.join import Joiner
from lnflow.ingest.queue import EventQueue, Shed
from lnflow.ingest.status import CollectorStatus
from lnflow.store.reading import LIVE, SHED
from lnflow.store.rows import AttemptFacts
from lnflow.store.writing import StoreWriter

logger = logging.getLogger(__name__)

MAX_BATCH = 5_000  # events per transaction at the most: a commit stays below about 100 ms; more gain little
BATCH_WAIT_S = 0.2  # what a crash may lose; the node does not repeat it
UPKEEP_EVERY_NS = 60 * SECOND_NS
HEARTBEAT_EVERY_NS = 10 * SECOND_NS  # how fine coverage is known when nothing happens
RETRY_STORE_S = 1.0
JUMP_NS = 5 * SECOND_NS  # clocks that are kept right drift by less
PRUNE_EVERY_NS = HOUR_NS
PRUNED_AT_ONCE = 50_000  # the writer does nothing else meanwhile: some seconds on a slow disk

_T = TypeVar("_T")


class WriterThread:
    """Owns the `StoreWriter` while it runs.  Start once, stop once."""

    def __init__(
        self,
        writer: StoreWriter,
        events: EventQueue,
        status: CollectorStatus,
        clock: Clock,
        *,
        steady_ns: Callable[[], int],
        keep_raw_ns: int | None = None,
        on_failure: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        """`steady_ns` is a clock that nobody sets, from any beginning: against it jumps of `clock` are seen.

        `keep_raw_ns` is how long raw attempts are kept; `on_failure` is called, in the thread, if it dies."""
        self._writer = writer
        self._events = events
        self._status = status
        self._clock = clock
        self._steady_ns = steady_ns
        self._looked = clock.now_ns(), steady_ns()
        self._keep_raw_ns = keep_raw_ns
        self._on_failure = on_failure
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._joiner = Joiner()
        self._decode: Callable[[bytes], StreamEvent | None] | None = None
        self._counts: Callable[[], dict[str, int]] | None = None
        self._counted: dict[str, int] = {}
        self._heard_until_ns: int | None = None
        self._taken_until_ns: int | None = None
        """Everything received by then has been taken from the queue."""
        self._last_upkeep_ns = 0
        self._last_prune_ns = 0
        self._last_commit_ns = 0
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lnflow-writer", daemon=True)
        self.failure: BaseException | None = None
        self.subscribed_ns = 0
        """When the first message of the present stream was received; set by whoever reads it."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is queued, then end; blocks until done."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def submit(self, work: Callable[[StoreWriter], _T]) -> Future[_T]:
        """Run `work` with the writer between two batches; its error goes to the future."""
        future: Future[_T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work(self._writer))
            except BaseException as exc:  # noqa: BLE001  # whoever waits for the future gets it
                future.set_exception(exc)

        self._work.put(run)
        self._wake.set()
        return future

    def decode_with(self, decode: Callable[[bytes], StreamEvent | None], counts: Callable[[], dict[str, int]]) -> None:
        """Say how the messages put from now on are decoded, and where what is no attempt is counted."""
        self._decode, self._counts, self._counted = decode, counts, {}

    def alive_until(self, at_ns: int) -> None:
        """The node answered at this time: the subscription still stood then."""
        if at_ns <= self._clock.now_ns():  # else the clock went back meanwhile
            self._heard_until_ns = max(self._heard_until_ns or 0, at_ns)

    # -- the thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                stopping = self._stopping.is_set()
                self._do_work()
                taken = self._take_events()
                self._commit(force=stopping)
                if stopping and not taken and not len(self._joiner) and self._work.empty():
                    # Answers must not wait for the next writer: late facts have left periods to make again.
                    self._persist(lambda: self._writer.upkeep(self._clock.now_ns()), 0)
                    return
                if not taken and self._work.empty() and not stopping:
                    self._wake.wait(BATCH_WAIT_S)
                    self._wake.clear()
        except BaseException as exc:  # the collector sees it and ends
            self.failure = exc
            logger.exception("writer thread ended")
            self._on_failure(exc)

    def _do_work(self) -> None:
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                return
            work()

    def _take_events(self) -> int:
        received_ns = self._events.last_received_ns  # asked before taking: what comes meanwhile is not in it
        raws = self._events.take(MAX_BATCH)
        decode, status = self._decode, self._status
        events: list[HtlcEvent] = []
        for raw in raws:
            if raw is None:
                self._join(events)
                self._end_of_stream()
                continue
            assert decode is not None, "messages came before decode_with"
            try:
                event = decode(raw)
            except InputError as exc:
                status.malformed += 1
                logger.warning("message not understood: cause=%s", exc)
                continue
            if event is None:
                continue
            if isinstance(event, Subscribed):
                self._join(events)
                self._commit(force=True)
                self._subscribed()
            elif isinstance(event, StreamEnded):
                self._join(events)
                self._end_of_stream()
            else:
                events.append(event)
        self._join(events)
        if received_ns is not None and len(raws) < MAX_BATCH and status.covered_since_ns is not None:
            self._taken_until_ns = max(received_ns, status.covered_since_ns)
        status.events += len(raws)
        status.queued = len(self._events)
        return len(raws)

    def _join(self, events: list[HtlcEvent]) -> None:
        """Hand events to the joiner, before anything that commits them."""
        if events:
            self._joiner.add_all(events)
            self._status.last_event_ns = max(event.at_ns for event in events) or self._status.last_event_ns
            events.clear()

    def _subscribed(self) -> None:
        self._status.subscriptions += 1
        self._status.covered_since_ns = self._heard_until_ns = self._taken_until_ns = self.subscribed_ns

    def _end_of_stream(self) -> None:
        self._commit(force=True)
        self._status.covered_since_ns = None

    def _commit(self, *, force: bool) -> None:
        now_ns = self._clock.now_ns()
        (wall_ns, steady_ns), self._looked = self._looked, (now_ns, self._steady_ns())
        jump_ns = (now_ns - wall_ns) - (self._looked[1] - steady_ns)
        if abs(jump_ns) > JUMP_NS and self._status.covered_since_ns is not None:
            # The clock was set, or the machine slept: no interval may reach over that.
            logger.warning("clock jumped: seconds=%d, coverage is cut there", jump_ns // SECOND_NS)
            self._heard_until_ns = min(self._heard_until_ns or wall_ns, wall_ns)
            self._taken_until_ns = min(self._taken_until_ns or wall_ns, wall_ns)
            self._commit_at(wall_ns, force=True)
            self._status.covered_since_ns = self._heard_until_ns = self._taken_until_ns = now_ns
        self._commit_at(now_ns, force=force)

    def _commit_at(self, now_ns: int, *, force: bool) -> None:
        events = self._joiner.events
        waited_ns = now_ns - self._last_commit_ns
        due = events >= MAX_BATCH or (events and waited_ns >= BATCH_WAIT_S * SECOND_NS) or waited_ns < 0
        if not (force or due or waited_ns >= HEARTBEAT_EVERY_NS):
            return
        facts = self._joiner.take()
        shed = self._events.take_shed()
        counters = self._new_counts()
        if shed is not None:
            counters["shed"] = shed.count
            self._status.shed += shed.count
            logger.warning("events shed: count=%d, the disk does not keep up", shed.count)
        covered = self._covered(now_ns)
        if facts or counters or covered:
            self._persist(lambda: self._store(facts, counters, covered, shed), len(facts))
            self._last_commit_ns = self._status.last_commit_ns = now_ns
        self._upkeep_if_due(now_ns)

    def _store(
        self,
        facts: list[AttemptFacts],
        counters: dict[str, int],
        covered: tuple[str, int, int, str] | None,
        shed: Shed | None,
    ) -> None:
        if shed is not None:
            self._writer.cover(SHED, shed.since_ns, shed.until_ns, "queue full")
        try:
            report = self._writer.write_batch(facts, counters=counters, covered=covered)
        except StoreRefused as exc:
            # The store works but will not have these rows: find the bad ones, or we would stop here for ever.
            bad = self._store_one_by_one(facts)
            logger.error("facts refused by the store: count=%d of=%d cause=%s", bad, len(facts), exc)
            self._status.refused += bad
            report = self._writer.write_batch([], counters=counters | {"refused_by_store": bad}, covered=covered)
        self._status.attempts += report.new

    def _store_one_by_one(self, facts: list[AttemptFacts]) -> int:
        """Store halves of a refused batch, and halves of those; return how many facts cannot be stored."""
        if not facts:
            return 0
        try:
            self._status.attempts += self._writer.write_batch(facts).new
        except StoreRefused:
            if len(facts) == 1:
                return 1
            half = len(facts) // 2
            return self._store_one_by_one(facts[:half]) + self._store_one_by_one(facts[half:])
        return 0

    def _upkeep_if_due(self, now_ns: int) -> None:
        """Work that can wait; what fails is tried again at the next turn, not at once."""
        if 0 <= now_ns - self._last_upkeep_ns < UPKEEP_EVERY_NS:
            return
        self._last_upkeep_ns = now_ns
        try:
            self._writer.upkeep(now_ns)
            if self._keep_raw_ns is not None and not 0 <= now_ns - self._last_prune_ns < PRUNE_EVERY_NS:
                self._writer.prune_raw(now_ns - self._keep_raw_ns, most=PRUNED_AT_ONCE)
                self._last_prune_ns = now_ns
        except StoreError as exc:
            logger.error("upkeep not done: cause=%s", exc)
            self._status.store_trouble = str(exc)

    def _persist(self, write: Callable[[], None], count: int) -> None:
        """Write, and try again for as long as the store refuses: meanwhile the queue fills, then sheds."""
        while True:
            try:
                write()
            except StoreError as exc:
                if self._status.store_trouble != str(exc):
                    logger.error("batch not stored, trying again: attempts=%d cause=%s", count, exc)
                self._status.store_trouble = str(exc)
                self._status.queued = len(self._events)
                if self._stopping.wait(RETRY_STORE_S):
                    try:
                        write()
                    except StoreError as last:
                        logger.error("batch lost at the end: attempts=%d cause=%s", count, last)
                    return
            else:
                if self._status.store_trouble is not None:
                    logger.info("batch stored again: attempts=%d", count)
                self._status.store_trouble = None
                return

    def _covered(self, now_ns: int) -> tuple[str, int, int, str] | None:
        since_ns = self._status.covered_since_ns
        if since_ns is None:
            return None
        # What is still queued was received but is not stored: it is covered only once it is.
        heard = [self._taken_until_ns, self._heard_until_ns if not len(self._events) else None]
        until_ns = max((t for t in heard if t is not None and t <= now_ns), default=since_ns)
        return (LIVE, since_ns, until_ns, "") if until_ns > since_ns else None

    def _new_counts(self) -> dict[str, int]:
        if self._counts is None:
            return {}
        now: dict[str, Any] = self._counts()
        new = {name: value - self._counted.get(name, 0) for name, value in now.items()}
        self._counted = now
        return {name: value for name, value in new.items() if value}
