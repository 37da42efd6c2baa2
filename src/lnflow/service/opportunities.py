"""OpportunityService: the answers about one node, from its store."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from lnflow.advice.analyzing import Selection, analyze, node_document, window_document
from lnflow.advice.channel_table import channel_documents, flow_documents, profit_document, profit_documents
from lnflow.advice.documents import (
    AnalyzeDocument,
    ChannelDocument,
    ChannelsDocument,
    FailuresDocument,
    GroupKey,
    Note,
    ProblemName,
    ReportDocument,
    WhyDocument,
)
from lnflow.advice.failure_table import failure_rows
from lnflow.advice.notes import window_notes
from lnflow.advice.why import explain
from lnflow.analysis.facts import Scope, Window
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.scid import parse_scid
from lnflow.domain.time import DAY_NS, Clock, SystemClock
from lnflow.service import loading
from lnflow.service.following import ledger_document
from lnflow.service.profits import load_profits, peer_profit_documents
from lnflow.service.protocols import FailureStatsStore
from lnflow.service.windows import WindowChoice, resolve
from lnflow.store.reading import StoreReader


class OpportunityService:
    """Reads only; every answer is made of one consistent state of the store."""

    def __init__(self, store: FailureStatsStore, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()

    @classmethod
    def open(cls, path: Path, node_name: str | None = None, clock: Clock | None = None) -> Self:
        """Open the store; `StoreError` if there is none, `ConfigurationError` for a node it does not know."""
        return cls(StoreReader(path, node_name), clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._store.close()

    def window(self, choice: WindowChoice) -> Window:
        """Return the window that was asked for, as of now."""
        now_ns = self._clock.now_ns()
        return resolve(choice, now_ns, self._store.span(), self._store.coverage(0, now_ns))

    def analyze(self, window: Window, selection: Selection) -> AnalyzeDocument:
        """Return the opportunities of a window."""
        return analyze(loading.load_window(self._store, window), selection)

    def why(self, window: Window, ident: str, cause: ProblemName | None = None) -> WhyDocument:
        """Return the working behind one peer's opportunity; `ident` is the peer or one of its channels."""
        facts = loading.load_window(self._store, window)
        listed = loading.load_channels(self._store, window.until_ns)
        return explain(facts, listed, ident, cause, lambda chans: loading.load_wishes(self._store, window, chans))

    def failures(self, window: Window, by: GroupKey) -> FailuresDocument:
        """Return our own refusals in a window by one key."""
        with self._store.consistent():
            scope = loading.load_scope(self._store, window)
            channels = loading.load_channels(self._store, window.until_ns)
            notes = window_notes(scope)
            if by in ("in_peer", "pair"):
                refused, passed, rounded = loading.load_pairs(self._store, window)
                listened = _listened(scope)
                if listened != window:
                    _, passed, _ = loading.load_pairs(self._store, listened)
                if rounded:
                    notes.append(
                        Note(
                            code="whole_days", text="Pairs are kept by day: the window is rounded to whole days (UTC)."
                        )
                    )
            elif by == "hour":
                refused, passed = loading.load_hours(self._store, window)
            else:
                refused = loading.refusals_by_channel(self._store.refusals(window.since_ns, window.until_ns))
                passed = loading.passed_on_by_channel(self._store.flows(window.since_ns, window.until_ns))
        return FailuresDocument(
            window=window_document(window),
            coverage=scope.covered_share,
            by=by,
            rows=failure_rows(by, refused, passed, channels),
            notes=notes,
        )

    def channels(self, window: Window) -> ChannelsDocument:
        """Return every channel with its flows, income and failures in a window."""
        with self._store.consistent():
            scope = loading.load_scope(self._store, window)
            since_ns, until_ns = window.since_ns, window.until_ns
            channels = loading.load_channels(self._store, until_ns)
            flows = self._store.flows(since_ns, until_ns)
            profits = load_profits(self._store, window, channels, flows)
            rows = channel_documents(
                window,
                channels,
                loading.channel_flows(flows, self._store.usability(since_ns, until_ns)),
                loading.refusals_by_channel(self._store.refusals(since_ns, until_ns)),
                profits.channels,
            )
        return ChannelsDocument(
            node=node_document(scope.node),
            window=window_document(window),
            coverage=scope.covered_share,
            channels=rows,
            peer_profit=peer_profit_documents(profits, channels, window),
            node_profit=profit_document(profits.node, window.length_s),
            notes=window_notes(scope),
        )

    def channel(self, window: Window, ident: str) -> ChannelsDocument:
        """Return one channel, named by any of its ids, its channel point, or its peer if that has one channel."""
        document = self.channels(window)
        one = _named(document.channels, ident)
        peers = [p for p in document.peer_profit if p.peer_pubkey == one.peer_pubkey]
        return msgspec.structs.replace(document, channels=[one], peer_profit=peers)

    def report(self, window: Window, selection: Selection) -> ReportDocument:
        """Return the analysis with channels, flows and profit."""
        document = self.analyze(window, selection)
        listed = self.channels(window)
        channels = listed.channels
        shared = {name: getattr(document, name) for name in AnalyzeDocument.__struct_fields__}
        return ReportDocument(
            **shared,
            channels=channels,
            flows=flow_documents(channels),
            profit=profit_documents(channels),
            peer_profit=listed.peer_profit,
            node_profit=listed.node_profit,
            advice=ledger_document(self._store, document.node, self._clock.now_ns()).score,
        )


def _named(channels: list[ChannelDocument], ident: str) -> ChannelDocument:
    wanted = ident.strip()
    scid: int | None = None
    if ":" not in wanted or wanted.count(":") == 2:
        try:
            scid = parse_scid(wanted)
        except ValueError:
            scid = None
    found = [
        c
        for c in channels
        if (scid is not None and any(parse_scid(s) == scid for s in c.scids))
        or wanted in (c.channel_point, c.peer_pubkey, c.peer_alias)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        scids = ", ".join(c.scid or c.channel_point or "?" for c in found)
        raise ConfigurationError(f"{ident!r} names {len(found)} channels: choose one of {scids}")
    raise ConfigurationError(
        f"no channel {ident!r} in the store: give its short channel id (840000x12x1), its channel point or its "
        "peer; 'lnflow channels' lists them"
    )


def _listened(scope: Scope) -> Window:
    """Return the window from the day on in which listening began: rates leave out what was only backfilled."""
    first_ns = scope.coverage.first_ns
    if first_ns is None:
        return scope.window
    since_ns = max(scope.window.since_ns, first_ns // DAY_NS * DAY_NS)
    return Window(since_ns=min(since_ns, scope.window.until_ns), until_ns=scope.window.until_ns)
