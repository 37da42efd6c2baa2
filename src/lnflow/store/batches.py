"""One batch of facts: from ids as the node said them to rows, and what they touch besides."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from lnflow.store import attempts, twins
from lnflow.store.channels import UNKNOWN_CHANNEL, ChannelDictionary, proves_channel
from lnflow.store.demands import DemandKeeper
from lnflow.store.rows import (
    AMOUNT_IN,
    AMOUNT_OUT,
    ARRIVED,
    HISTORY,
    IN_CHAN,
    IN_HTLC_ID,
    ONLY_KNOWN,
    OUT_CHAN,
    OUTCOME,
    RESOLVED,
    AttemptFacts,
    Row,
    WriteReport,
    accounted_ns,
)
from lnflow.store.signed import to_signed


class BatchWriter:
    """Writes the attempts of one node; every method runs inside the writer's transaction."""

    def __init__(
        self,
        con: sqlite3.Connection,
        node_id: int,
        channels: ChannelDictionary,
        stored_ids: attempts.StoredIds,
        demands: DemandKeeper,
    ) -> None:
        self._con = con
        self._node_id = node_id
        self._channels = channels
        self._stored_ids = stored_ids
        self._demands = demands

    def write(self, facts: Iterable[AttemptFacts], raw_since_ns: int | None) -> WriteReport:
        """Store facts; what is older than the single rows that are kept is only counted."""
        rows, again, has_no_id = self._stage(facts)
        report = WriteReport()
        older = told_twice = 0
        if has_no_id:
            staged = len(rows)
            rows = _each_once(rows)
            told_twice = staged - len(rows)
        if raw_since_ns is not None:
            staged = len(rows)
            rows = [row for row in rows if self._can_be_told(row, raw_since_ns)]
            older = staged - len(rows)
        if rows:
            report = self._write_attempts(rows)
            twins.match(self._con, self._node_id, rows, has_no_id)
        for row in again:  # one HTLC under two ids of its channel
            report.known += self._write_attempts([row]).known
        report.known += told_twice
        report.older = older
        return report

    def _can_be_told(self, row: Row, raw_since_ns: int) -> bool:
        """Tell whether a row is new or known: not if the single rows of its time were pruned and it is not there."""
        [at_ns] = accounted_ns(*([row[n]] for n in (OUTCOME, ARRIVED, RESOLVED, HISTORY)))
        if at_ns is None or at_ns >= raw_since_ns or row[ONLY_KNOWN]:
            return True
        found = self._con.execute(
            "SELECT 1 FROM attempt WHERE node_id = ? AND in_chan = ? AND in_htlc_id = ?",
            (self._node_id, row[IN_CHAN], row[IN_HTLC_ID]),
        ).fetchone()
        return found is not None

    def _write_attempts(self, rows: list[Row]) -> WriteReport:
        report = attempts.upsert(self._con, self._node_id, self._stored_ids, rows)
        self._demands.changed(at_ns for r in rows if (at_ns := r[ARRIVED]) is not None)
        if report.known:
            self._demands.changed(attempts.known_arrivals(self._con))
        return report

    def _stage(self, facts: Iterable[AttemptFacts]) -> tuple[list[Row], list[Row], bool]:
        """Return the facts as rows, those rows that are one HTLC under a second id, and whether any has no id."""
        rows: list[Row] = []
        ids, channels = self._channels.ids, self._channels
        has_no_id = False
        scid_of: dict[int, int] = {}
        several_ids = False
        unknown: list[tuple[int, int]] = []
        for f in facts:
            in_scid, out_scid = f.in_scid, f.out_scid
            in_chan = ids.get(in_scid)
            if f.only_known:
                if in_chan is None:
                    continue  # a receive, or from before our time
                out_chan: int | None = UNKNOWN_CHANNEL
            else:
                if in_chan is None:
                    in_chan = channels.incoming(in_scid)
                out_chan = ids.get(out_scid)
                if out_chan is None:
                    out_chan = channels.outgoing(out_scid, proves_channel(f.out_used, f.cause))
                    if not out_chan and out_scid:
                        unknown.append((len(rows), out_scid))
            for used in f.also_used:
                channels.outgoing(used, True)
            several_ids |= scid_of.setdefault(in_chan, in_scid) != in_scid
            has_no_id |= f.in_htlc_id is None
            rows.append(
                (
                    in_chan, f.in_htlc_id, out_chan, to_signed(out_scid), f.out_htlc_id, f.out_used, f.out_at_ns,
                    f.amount_in_msat, f.amount_out_msat, f.arrived_ns, f.resolved_ns, f.history_ns, f.outcome,
                    f.cause, f.wire_code, f.detail, f.live, f.only_known, f.ordinal,
                )
            )  # fmt: skip
        for n, out_scid in unknown:  # a later row of the batch may have shown that the id is ours
            known = ids.get(out_scid)
            if known is not None:
                rows[n] = (*rows[n][:OUT_CHAN], known, *rows[n][OUT_CHAN + 1 :])
        if several_ids:
            return *_apart(rows), has_no_id
        return rows, [], has_no_id


def _apart(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows with the first of each HTLC, and the rest."""
    first: list[Row] = []
    again: list[Row] = []
    seen: set[Row] = set()
    for row in rows:
        key = row[: IN_HTLC_ID + 1]
        (again if row[IN_HTLC_ID] is not None and key in seen else first).append(row)
        seen.add(key)
    return first, again


def _each_once(rows: list[Row]) -> list[Row]:
    """Return the rows without those that repeat one without HTLC id: pages of a history may overlap."""
    once: dict[Row, Row] = {}
    for number, row in enumerate(rows):
        *_, ordinal = row
        if row[IN_HTLC_ID] is None and row[HISTORY] is not None:
            key: Row = (row[IN_CHAN], row[OUT_CHAN], row[AMOUNT_IN], row[AMOUNT_OUT], row[HISTORY], ordinal)
        else:
            key = (number,)
        once.setdefault(key, row)
    return list(once.values())
