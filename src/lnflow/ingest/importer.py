"""Saved files into the store, by the same way as the live stream, however large they are.

Files that say what our channels are come first, so that events find them known.  One thread reads and joins,
another writes; memory holds two batches.  A second import of a file finds every row known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, NodeInfo
from lnflow.domain.costs import CircularHtlc
from lnflow.domain.errors import ConfigurationError, InputError
from lnflow.domain.htlc import (
    Attempt,
    DownstreamFailed,
    Forward,
    HtlcEvent,
    Offered,
    Refused,
    Resolved,
    Settled,
    StreamEnded,
    Subscribed,
)
from lnflow.domain.time import Clock
from lnflow.ingest.cln_evidence import ClnEvidence
from lnflow.ingest.files.items import (
    Aliases,
    ChannelSnapshot,
    Chunk,
    ClnForward,
    ClnListing,
    ClnNotice,
    ClosedChannels,
    Coverage,
    FileItem,
    PaymentPart,
    PolicyRecord,
    Rejected,
    TermsChange,
)
from lnflow.ingest.files.reading import Reading, read
from lnflow.ingest.files.recognise import FileKind
from lnflow.ingest.files.source import files_below, open_source
from lnflow.ingest.impossible import EARLIEST_NS, LATEST_NS, impossible
from lnflow.ingest.join import Joiner, Ordinals
from lnflow.nodes.cln.observer import PeerSeen
from lnflow.nodes.lnd.records import GraphEdge, ReportedFees
from lnflow.store.costs import PAYMENTS_CURSOR
from lnflow.store.reading import LOG, STATED
from lnflow.store.rows import WriteReport
from lnflow.store.writing import StoreWriter

BATCH_EVENTS = 20_000  # about 8 MB of facts; larger batches gain little
SHOWN_REJECTIONS = 20
SKIPPED = "skipped: not recognised"
_OLDER = (
    "older than the single attempts that are kept ([retention] raw_days): the totals may have them already;"
    " to look at them import into another --database"
)

# What tells which channels are ours is read before what refers to them.
_ORDER = {
    kind: place
    for place, kinds in enumerate(
        (
            (FileKind.NODE_INFO, FileKind.CLN_NODE_INFO),
            (FileKind.CLOSED_CHANNELS, FileKind.CLN_CLOSED_CHANNELS),
            (FileKind.CHANNELS, FileKind.CLN_CHANNELS),
            (FileKind.GRAPH, FileKind.NODE_CHANNELS, FileKind.NODES_BY_NAME, FileKind.EDGES, FileKind.CLN_NODES),
            (FileKind.POLICIES, FileKind.COVERAGE, FileKind.CLN_NOTIFICATIONS, FileKind.CLN_POLICY_CHANGES),
        )
    )
    for kind in kinds
}

Progress = Callable[[str, int, int | None, int], None]
"""Called now and then with the file's name, its bytes read and in all (None: not known), and rows so far."""


class FileReport(Struct, kw_only=True):
    """What became of one file.  `new` and `known` count HTLCs (or facts), several event rows make one HTLC."""

    path: str
    kind: str
    rows_read: int = 0
    new: int = 0
    known: int = 0
    rejected: int = 0
    rejections: list[Rejected]
    foreign: bool = False
    """It says that it is of another node than the store's."""


def import_paths(
    writer: StoreWriter,
    paths: Sequence[Path | str],
    *,
    clock: Clock,
    progress: Progress | None = None,
    covered: tuple[int, int] | None = None,
) -> list[FileReport]:
    """Import files and folders (`-` is standard input); `covered` states when the logs' node was listened to.

    What is good is stored whatever else is rejected; `StoreError` ends the run with what was committed kept.
    A getinfo of another node ends it too: what stands beside it is that node's, and would never come apart again.
    """
    named = {str(path) for path in paths}
    files = [file for path in paths for file in files_below(path)]
    reports: list[FileReport] = []
    evidence = ClnEvidence()
    foreign: str | None = None
    for file in sorted(files, key=_place):
        if foreign is not None:
            reason = f"not read: {foreign} is of another node, and so may this be"
            reports.append(FileReport(path=str(file), kind="", rejected=1, rejections=[Rejected(0, reason)]))
            continue
        report = _import_file(writer, file, clock, progress, evidence)
        foreign = str(file) if report.foreign else None
        if report.kind == FileKind.UNKNOWN.value and str(file) not in named:
            # A folder may hold anything; only a file that was named is missed when it cannot be read.
            report = FileReport(path=report.path, kind=SKIPPED, rejections=[])
        reports.append(report)
    _tell_again(writer, evidence.finish(), evidence)
    if covered is not None and foreign is None:
        writer.cover(STATED, *covered, "stated by the operator")
    writer.upkeep(clock.now_ns())
    return reports


def _place(file: Path | str) -> tuple[int, str]:
    if str(file) == "-":
        return len(_ORDER), "-"
    try:
        with open_source(file) as source:
            return _ORDER.get(read(source).kind, len(_ORDER)), str(file)
    except InputError:
        return len(_ORDER), str(file)


def _tell_again(writer: StoreWriter, refused: Sequence[Attempt], evidence: ClnEvidence) -> None:
    """Tell stored refusals of Core Lightning again, now with their cause."""
    joiner = Joiner()
    for attempt in refused:
        joiner.add_attempt(attempt)
    if len(joiner):
        writer.tell_again(joiner.take(), evidence.told.hours())


def _import_file(
    writer: StoreWriter, file: Path | str, clock: Clock, progress: Progress | None, evidence: ClnEvidence
) -> FileReport:
    try:
        with open_source(file) as source:
            reading = read(source)
            report = FileReport(path=str(file), kind=reading.kind.value, rejections=[])
            with _FileWriter(writer, report, clock, evidence) as sink:
                for chunk in reading.chunks():
                    sink.take(chunk)
                    if progress is not None:
                        progress(str(file), source.bytes_read, source.bytes_total, report.rows_read)
                sink.finish(reading)
            return report
    except InputError as exc:
        return FileReport(
            path=str(file), kind="", rejected=1, rejections=[Rejected(0, str(exc).removeprefix(f"{file}: "))]
        )


class _FileWriter:
    """Takes the chunks of one file; batches are written by a thread while the next one is read."""

    def __init__(self, writer: StoreWriter, report: FileReport, clock: Clock, evidence: ClnEvidence) -> None:
        self._writer = writer
        self._evidence = evidence
        self._report = report
        self._clock = clock
        self._joiner = Joiner()
        self._ordinals = Ordinals()
        self._coverage = _LogCoverage()
        self._pubkey: str | None = None
        self._circular: list[CircularHtlc] = []
        self._pool = ThreadPoolExecutor(1, "lnflow-import")
        self._writing: Future[WriteReport] | None = None
        self._told_older = False

    def __enter__(self) -> _FileWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)

    def take(self, chunk: Chunk) -> None:
        report = self._report
        report.rows_read += chunk.rows
        for rejected in chunk.rejected:
            self._reject(rejected)
        if not (_EVENTS.issuperset(map(type, chunk.items)) and self._take_events(cast("list[HtlcEvent]", chunk.items))):
            self._take_mixed(chunk)
        if self._joiner.events >= BATCH_EVENTS:
            self._flush()

    def _take_events(self, events: list[HtlcEvent]) -> bool:
        """Take a chunk of an event log, which is the hot path; False if one of them needs a look of its own."""
        times = [event.at_ns for event in events]
        if times:
            earliest_ns, latest_ns = min(times), max(times)
            if earliest_ns < EARLIEST_NS or latest_ns >= LATEST_NS:
                return False
            self._coverage.instant(earliest_ns)
            self._coverage.instant(latest_ns)
        self._joiner.add_all(events)
        return True

    def _take_mixed(self, chunk: Chunk) -> None:
        coverage = self._coverage
        for position, item in zip(chunk.positions, chunk.items, strict=True):
            wrong = impossible(item)
            if wrong is not None:
                self._reject(Rejected(position, wrong))
            elif isinstance(item, (Subscribed, StreamEnded)):
                coverage.boundary(item)
            elif isinstance(item, PaymentPart):
                self._payment(item, position)
            elif isinstance(item, _Facts):
                self._flush()
                self._wait()
                self._fact(item, position)
            elif isinstance(item, Forward):
                self._joiner.add_forward(item, self._ordinals.next(item))
            elif isinstance(item, ClnForward):
                self._attempt(item.attempt)
                told = self._evidence.add(item)
                if told:
                    self._flush()
                    self._wait()
                    _tell_again(self._writer, told, self._evidence)
            elif isinstance(item, Attempt):
                self._attempt(item)
            else:
                coverage.instant(item.at_ns)
                self._joiner.add(item)

    def _attempt(self, attempt: Attempt) -> None:
        self._coverage.instant(attempt.arrived_ns)
        self._joiner.add_attempt(attempt)

    def finish(self, reading: Reading) -> None:
        """Write what is left, with the file's coverage and what was counted."""
        self._flush()
        self._wait()
        if reading.kind is FileKind.PAYMENTS and self._pubkey is not None:
            self._write_circular()
        self._coverage.boundary(StreamEnded())
        for since_ns, until_ns, reason in self._coverage.intervals:
            self._writer.cover(LOG, since_ns, until_ns, reason)
        if reading.counts.unrecognised and self._report.new:
            self._writer.write_batch([], counters={"unrecognised": reading.counts.unrecognised})

    def _flush(self) -> None:
        if not len(self._joiner):
            return
        facts = self._joiner.take()
        self._wait()
        self._writing = self._pool.submit(self._writer.write_batch, facts)

    def _wait(self) -> None:
        if self._writing is not None:
            self._count(self._writing.result())
            self._writing = None

    def _count(self, written: WriteReport) -> None:
        if written.older:
            if not self._told_older:
                self._told_older = True
                self._report.rejections.append(Rejected(0, _OLDER))
            self._report.rejected += written.older
        self._report.new += written.new
        self._report.known += written.known

    def _reject(self, rejected: Rejected) -> None:
        self._report.rejected += 1
        if len(self._report.rejections) < SHOWN_REJECTIONS:
            self._report.rejections.append(rejected)

    def _fact(self, item: FileItem, position: int) -> None:
        writer = self._writer
        match item:
            case ChannelSnapshot():
                self._count(writer.write_channels(item.at_ns, item.channels, complete=item.complete))
            case ClosedChannels():
                writer.write_closed(item.channels)
                self._report.known += len(item.channels)
            case PolicyRecord():
                policies = self._seen_from_us(item.policies, position)
                if policies is not None:
                    self._count(writer.write_policies([policies], self._policy_time(item.at_ns, policies)))
            case NodeInfo():
                try:
                    writer.bind_node(item, self._clock.now_ns())
                except ConfigurationError as exc:
                    self._reject(Rejected(position, str(exc)))
                    self._report.foreign = True
            case Aliases():
                self._count(writer.write_aliases(item.names))
            case Coverage():
                until_ns = item.until_ns if item.until_ns is not None else item.since_ns
                writer.cover(STATED, item.since_ns, until_ns, item.reason)
            case ClnListing():
                self._evidence.learn(item)
            case ClnNotice():
                self._evidence.learn(item)
                if isinstance(item.seen, PeerSeen):
                    writer.set_online(None, item.seen.peer_id, item.at_ns, item.seen.connected)
                self._report.known += 1
            case TermsChange():
                self._evidence.learn(item)
                self._report.known += 1
            case ReportedFees():
                # Prices without limits and without a date: no policy can be made of them.
                self._report.known += 1

    def _payment(self, item: PaymentPart, position: int) -> None:
        pubkey = self._writer.pubkey() if self._pubkey is None else self._pubkey
        if pubkey is None:
            if not self._report.rejected:  # once for the file
                reason = "whose payments these are cannot be told: import the node's getinfo first (or with it)"
                self._reject(Rejected(position, reason))
            return
        self._pubkey = pubkey
        if item.receiver_pubkey == pubkey:
            self._circular.append(item.part)

    def _write_circular(self) -> None:
        """A cursor says that payments are known; where there is none, the node is read from the beginning."""
        cursor = self._writer.cursor(PAYMENTS_CURSOR) or 0
        self._count(self._writer.write_costs(circular=self._circular, cursors={PAYMENTS_CURSOR: cursor}))

    def _seen_from_us(self, policies: GraphEdge | ChannelPolicies, position: int) -> ChannelPolicies | None:
        if isinstance(policies, ChannelPolicies):
            return policies
        pubkey = self._writer.pubkey()
        if pubkey is None:
            self._reject(
                Rejected(position, "whose channel this is cannot be told: import the node's getinfo first (or with it)")
            )
            return None
        return policies.seen_from(pubkey)

    def _policy_time(self, at_ns: int | None, policies: ChannelPolicies) -> int:
        """An undated edge is dated by its own announcements."""
        if at_ns is not None:
            return at_ns
        dates = [p.last_update_s for p in (policies.ours, policies.theirs) if p is not None and p.last_update_s]
        return max(dates) * 1_000_000_000 if dates else self._clock.now_ns()


class _LogCoverage:
    """What an event log covers: from each subscription, or its first event, to the last event before the next."""

    def __init__(self) -> None:
        self.intervals: list[tuple[int, int, str]] = []
        self._since_ns: int | None = None
        self._until_ns: int | None = None

    def instant(self, at_ns: int | None) -> None:
        if at_ns is None:
            return
        if self._since_ns is None or at_ns < self._since_ns:
            self._since_ns = at_ns
        if self._until_ns is None or at_ns > self._until_ns:
            self._until_ns = at_ns

    def boundary(self, item: Subscribed | StreamEnded) -> None:
        if self._since_ns is not None and self._until_ns is not None and self._until_ns > self._since_ns:
            reason = item.reason if isinstance(item, StreamEnded) else ""
            # Half open: the last event itself belongs to it.
            self.intervals.append((self._since_ns, self._until_ns + 1, reason))
        self._since_ns = self._until_ns = None
        if isinstance(item, Subscribed) and item.at_ns:
            self._since_ns = item.at_ns


_EVENTS = frozenset({Offered, Settled, DownstreamFailed, Refused, Resolved})
_Facts = (
    ChannelSnapshot, ClosedChannels, PolicyRecord, NodeInfo, Aliases, Coverage, ReportedFees, ClnListing, ClnNotice,
    TermsChange,
)  # fmt: skip


def total(reports: Iterable[FileReport]) -> tuple[int, int, int, int]:
    """Return rows read, new, known and rejected over all files."""
    rows = [(r.rows_read, r.new, r.known, r.rejected) for r in reports]
    return tuple(map(sum, zip(*rows, strict=True))) if rows else (0, 0, 0, 0)  # type: ignore[return-value]
