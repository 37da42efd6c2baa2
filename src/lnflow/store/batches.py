"""One batch of facts: from ids as the node said them to rows, and what they touch besides."""

from __future__ import annotations

import sqlite3
from itertools import compress

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
    Columns,
    FactColumns,
    Row,
    WriteReport,
    accounted_ns,
    columns_of,
    rows_of,
)
from lnflow.store.signed import all_signed


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

    def write(self, facts: FactColumns, raw_since_ns: int | None) -> WriteReport:
        """Store facts; what is older than the single rows that are kept is only counted."""
        columns, several_ids = self._stage(facts)
        report = WriteReport()
        again: list[Row] = []
        older = told_twice = 0
        if has_no_id := None in columns[IN_HTLC_ID]:
            rows = _each_once(rows_of(columns))
            told_twice = len(columns[IN_CHAN]) - len(rows)
            columns = columns_of(rows)
        if several_ids:
            first, again = _apart(rows_of(columns))
            columns = columns_of(first)
        if raw_since_ns is not None:
            columns, older = self._that_can_be_told(columns, raw_since_ns)
        if columns[IN_CHAN]:
            report = self._write_attempts(columns)
            twins.match(self._con, self._node_id, columns, has_no_id)
        for row in again:  # one HTLC under two ids of its channel
            report.known += self._write_attempts(columns_of([row])).known
        report.known += told_twice
        report.older = older
        return report

    def _that_can_be_told(self, columns: Columns, raw_since_ns: int) -> tuple[Columns, int]:
        """Return the rows that are new or known, and how many may be either: the single rows of their time were
        pruned, and they are not there."""
        times = accounted_ns(columns)
        if all(at_ns is None or at_ns >= raw_since_ns for at_ns in times):
            return columns, 0
        told = [
            at_ns is None or at_ns >= raw_since_ns or bool(row[ONLY_KNOWN]) or self._is_stored(row)
            for at_ns, row in zip(times, rows_of(columns), strict=True)
        ]
        return [list(compress(column, told)) for column in columns], told.count(False)

    def _is_stored(self, row: Row) -> bool:
        found = self._con.execute(
            "SELECT 1 FROM attempt WHERE node_id = ? AND in_chan = ? AND in_htlc_id = ?",
            (self._node_id, row[IN_CHAN], row[IN_HTLC_ID]),
        ).fetchone()
        return found is not None

    def _write_attempts(self, columns: Columns) -> WriteReport:
        report = attempts.upsert(self._con, self._node_id, self._stored_ids, columns)
        self._demands.changed(columns[ARRIVED])
        if report.known:
            self._demands.changed(attempts.known_arrivals(self._con))
        return report

    def _stage(self, facts: FactColumns) -> tuple[Columns, bool]:
        """Return the facts with our channels' numbers, and whether a channel came under several ids.

        Final events of HTLCs that came in by no channel of ours are left out.
        """
        ids = self._channels.ids
        only_known = any(facts.only_known)
        if only_known:  # of a receive, or from before our time
            facts = facts.chosen(
                [not only or scid in ids for only, scid in zip(facts.only_known, facts.in_scid, strict=True)]
            )
        in_chan, out_chan = [*map(ids.get, facts.in_scid)], [*map(ids.get, facts.out_scid)]
        if None in in_chan or None in out_chan or any(facts.also_used):
            of_each = zip(in_chan, out_chan, facts.also_used, strict=True)
            self._meet(facts.chosen([i is None or o is None or bool(also) for i, o, also in of_each]))
            in_chan = [*map(ids.get, facts.in_scid)]
            out_chan = [ids.get(scid, UNKNOWN_CHANNEL) for scid in facts.out_scid]
        if only_known:  # they say only that it ended
            out_chan = [UNKNOWN_CHANNEL if only else o for only, o in zip(facts.only_known, out_chan, strict=True)]
        several_ids = len(set(in_chan)) != len(set(facts.in_scid))
        return [
            in_chan, facts.in_htlc_id, out_chan, all_signed(facts.out_scid), facts.out_htlc_id, facts.out_used,
            facts.out_at_ns, facts.amount_in_msat, facts.amount_out_msat, facts.arrived_ns, facts.resolved_ns,
            facts.history_ns, facts.outcome, facts.cause, facts.wire_code, facts.detail, facts.live,
            facts.only_known, facts.ordinal,
        ], several_ids  # fmt: skip

    def _meet(self, facts: FactColumns) -> None:
        """Learn the channels that these facts prove to be ours, in the order in which they are met."""
        channels = self._channels
        for in_scid, out_scid, used, cause, also_used, only_known in zip(
            facts.in_scid, facts.out_scid, facts.out_used, facts.cause, facts.also_used, facts.only_known, strict=True
        ):
            channels.incoming(in_scid)
            if not only_known:
                channels.outgoing(out_scid, proves_channel(used, cause))
            for scid in also_used:
                channels.outgoing(scid, True)


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
