"""Reading one node's store: every question is one consistent look, and none depends on how long the history is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lnflow.domain.channel import ChannelFacts
from lnflow.domain.errors import ConfigurationError, StoreError
from lnflow.domain.time import HOUR_NS
from lnflow.store import attributions, sums
from lnflow.store.channel_facts import load_channels, load_channels_in_brief, load_usability
from lnflow.store.costs import StoredCosts
from lnflow.store.database import explained, open_reader, snapshot
from lnflow.store.following import StoredFollowing
from lnflow.store.intervals import merged, within, without
from lnflow.store.records import (
    CauseRow,
    FlowRow,
    HourRow,
    PairRow,
    RefusalRow,
    StoredChannel,
    StoredCoverage,
    StoredNode,
    StoredSpan,
    Usability,
    WishRow,
)
from lnflow.store.windows import Plan, plan_window

if TYPE_CHECKING:
    from lnflow.store.blocks import Block
    from lnflow.store.totals import Ints


class StoreReader:
    """Questions about one node.  All windows are half open: [since_ns, until_ns)."""

    def __init__(self, path: Path, node_name: str | None = None) -> None:
        """Open for reading; `node_name` None means the only node, or the first one stored."""
        self.path = path
        self._con = open_reader(path)
        try:
            self.node = self._choose(node_name)
            self.costs = StoredCosts(self._con, self.node.node_id)
            self.following = StoredFollowing(self._con, self.node.node_id)
        except BaseException:
            self._con.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._con.close()

    def close(self) -> None:
        self._con.close()

    @contextlib.contextmanager
    def consistent(self) -> Iterator[None]:
        """Let all questions inside see one and the same state."""
        with explained(self.path), snapshot(self._con):
            yield

    def nodes(self) -> list[StoredNode]:
        """Return all nodes of the store, first stored first."""
        rows = self._con.execute(
            "SELECT node_id, name, pubkey, alias, implementation, network, version, block_height, seen_ns"
            " FROM node ORDER BY node_id"
        )
        names = StoredNode.__struct_fields__
        return [StoredNode(**dict(zip(names, row, strict=True))) for row in rows]

    def span(self) -> StoredSpan:
        """Return between which times anything is stored."""
        raw = self._con.execute(
            "SELECT (SELECT min(accounted_ns) FROM attempt WHERE node_id = ?1),"
            " (SELECT max(accounted_ns) FROM attempt WHERE node_id = ?1)",
            (self.node.node_id,),
        ).fetchone()
        hours = self._con.execute(
            "SELECT (SELECT min(hour) FROM channel_hour WHERE node_id = ?1),"
            " (SELECT max(hour) FROM channel_hour WHERE node_id = ?1)",
            (self.node.node_id,),
        ).fetchone()
        first_ns, last_ns = raw
        if hours[0] is not None and (first_ns is None or hours[0] < first_ns // HOUR_NS):
            first_ns = hours[0] * HOUR_NS
        if hours[1] is not None and last_ns is None:
            last_ns = (hours[1] + 1) * HOUR_NS - 1
        return StoredSpan(first_ns=first_ns, last_ns=last_ns)

    def plan(self, since_ns: int, until_ns: int) -> Plan:
        """Return how a window would be answered; `rounded` says that its ends go to whole hours."""
        state = self._con.execute(
            "SELECT totals_through, raw_since_ns FROM node_state WHERE node_id = ?", (self.node.node_id,)
        ).fetchone()
        return plan_window(
            since_ns,
            until_ns,
            raw_since_ns=state[1],
            last_ns=self.span().last_ns,
            totals_through=state[0],
        )

    def flows(self, since_ns: int, until_ns: int, chan: int | None = None) -> list[FlowRow]:
        """Return the sums of every channel with traffic in the window, or of one."""
        from lnflow.store.flow_sums import flows  # numpy takes its time to start, and few commands need it

        return flows(self._con, self.node.node_id, self.plan(since_ns, until_ns), chan)

    def departures(self, since_ns: int, until_ns: int) -> tuple[dict[str, Ints], list[CauseRow]]:
        """Return what was to leave by each channel (`chan` and `totals.OUT_COLUMNS`), and our refusals by cause."""
        from lnflow.store.flow_sums import departures

        return departures(self._con, self.node.node_id, self.plan(since_ns, until_ns))

    def refusals(self, since_ns: int, until_ns: int, chan: int | None = None) -> list[RefusalRow]:
        """Return our own refusals by outgoing channel and cause."""
        from lnflow.store.flow_sums import refusals

        return refusals(self._con, self.node.node_id, self.plan(since_ns, until_ns), chan)

    def confidences(self, since_ns: int, until_ns: int) -> dict[int, float]:
        """Return how sure the told causes are, by cause; the ends are rounded outwards to whole hours."""
        first, last = since_ns // HOUR_NS, -(-until_ns // HOUR_NS)
        return attributions.confidences(self._con, self.node.node_id, first, last)

    def pairs(self, since_ns: int, until_ns: int) -> tuple[list[PairRow], bool]:
        """Return attempts by pair of channels, and whether the window was rounded to whole days (UTC)."""
        state = self._con.execute(
            "SELECT raw_since_ns FROM node_state WHERE node_id = ?", (self.node.node_id,)
        ).fetchone()
        return sums.pairs(self._con, self.node.node_id, since_ns, until_ns, state[0])

    def hours(self, since_ns: int, until_ns: int) -> list[HourRow]:
        """Return refusals by hour and cause, and what was passed on live; the ends are rounded to whole hours."""
        return sums.hours(self._con, self.node.node_id, since_ns // HOUR_NS, -(-until_ns // HOUR_NS))

    def demands(self, since_ns: int, until_ns: int) -> Block:
        """Return the demands that began in the window, grouped: columns of `blocks.DEMANDS`."""
        from lnflow.store.wish_sums import load_demands

        return load_demands(self._con, self.node.node_id, since_ns, until_ns)

    def served(self, since_ns: int, until_ns: int) -> Block:
        """Return what became of wishes passed on at once, by channel and amount class: `blocks.SERVED`."""
        from lnflow.store.wish_sums import load_served

        return load_served(self._con, self.node.node_id, since_ns, until_ns)

    def wishes(self, since_ns: int, until_ns: int, chans: Sequence[int], most: int) -> list[WishRow]:
        """Return the refused wishes for some channels that began in the window, the largest fees first."""
        return sums.wishes(self._con, self.node.node_id, since_ns, until_ns, chans, most)

    def coverage(self, since_ns: int, until_ns: int) -> StoredCoverage:
        """Return when we listened; intervals the operator stated override those read from saved logs."""
        rows = self._con.execute(
            "SELECT source, since_ns, until_ns FROM coverage WHERE node_id = ?", (self.node.node_id,)
        ).fetchall()
        stated = any(source == STATED for source, _, _ in rows)
        shed = [(a, b) for source, a, b in rows if source == SHED]
        heard = merged((a, b) for source, a, b in rows if source != SHED and not (stated and source == LOG))
        heard = without(heard, shed)
        return StoredCoverage(
            first_ns=heard[0][0] if heard else None,
            last_ns=heard[-1][1] if heard else None,
            intervals=tuple(within(heard, since_ns, until_ns)),
        )

    def channels(self, at_ns: int) -> list[StoredChannel]:
        """Return every channel ever seen, with what was last known of it at `at_ns`."""
        return load_channels(self._con, self.node.node_id, at_ns)

    def channels_in_brief(self, at_ns: int) -> list[ChannelFacts]:
        """Return the same channels with the little that answers about refusals need."""
        return load_channels_in_brief(self._con, self.node.node_id, at_ns)

    def usability(self, since_ns: int, until_ns: int) -> list[Usability]:
        """Return how long each channel's link is known to have been up."""
        return load_usability(self._con, self.node.node_id, since_ns, until_ns)

    def cursor(self, name: str) -> int | None:
        """Return how far a collector has read, None if it never did."""
        with explained(self.path):
            row = self._con.execute(
                "SELECT value FROM cursor WHERE node_id = ? AND name = ?", (self.node.node_id, name)
            ).fetchone()
        return int(row[0]) if row else None

    def counters(self) -> dict[str, int]:
        """Return what was seen and counted but is no attempt: own payments, unknown messages, shed events."""
        rows = self._con.execute("SELECT name, value FROM counter WHERE node_id = ?", (self.node.node_id,))
        return {str(name): int(value) for name, value in rows}

    def size_report(self) -> dict[str, int]:
        """Return rows per table; under `file_bytes` the size of the file, under `free_bytes` what of it is unused."""
        tables = [
            name
            for (name,) in self._con.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            )
        ]
        report = {t: int(self._con.execute(f"SELECT count(*) FROM {t}").fetchone()[0]) for t in tables}
        pages = self._con.execute("PRAGMA page_count").fetchone()[0]
        page_bytes = self._con.execute("PRAGMA page_size").fetchone()[0]
        free = self._con.execute("PRAGMA freelist_count").fetchone()[0]
        report["file_bytes"] = int(pages * page_bytes)
        report["free_bytes"] = int(free * page_bytes)
        return report

    def _choose(self, name: str | None) -> StoredNode:
        with explained(self.path):
            nodes = self.nodes()
        if not nodes:
            raise StoreError(f"{self.path} holds no node yet: run 'lnflow monitor' or 'lnflow import' first")
        if name is None:
            return nodes[0]
        for node in nodes:
            if node.name == name:
                return node
        known = ", ".join(n.name for n in nodes)
        raise ConfigurationError(f"no node {name!r} in {self.path}: it has {known}; choose one with --node")


LIVE, LOG, STATED, SHED = "live", "log", "stated", "shed"
"""Sources of coverage: our own stream, a saved event log, the operator or a stream log, and what was shed."""
