"""Upserting attempts and keeping the rollups equal to them, set by set, inside the caller's transaction.

Every change of a row goes the same way: its old share is taken out of the rollups, the row is merged, its
new share is put in.  So totals always equal the sum of the rows that were ever there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from lnflow.domain.causes import Cause, Outcome
from lnflow.store import bulk, rollups
from lnflow.store.rollups import Share
from lnflow.store.rows import (
    DETAIL,
    IN_CHAN,
    IN_HTLC_ID,
    LIVE,
    ONLY_KNOWN,
    ORDINAL,
    Column,
    Columns,
    Row,
    WriteReport,
    accounted_ns,
    rows_of,
)

# The columns of a Row, in its order.
_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS stage (
  in_chan INTEGER NOT NULL, in_htlc_id INTEGER, out_chan INTEGER NOT NULL, out_scid INTEGER NOT NULL,
  out_htlc_id INTEGER, out_used INTEGER NOT NULL, out_at_ns INTEGER NOT NULL,
  amount_in_msat INTEGER, amount_out_msat INTEGER, arrived_ns INTEGER, resolved_ns INTEGER,
  history_ns INTEGER, outcome INTEGER NOT NULL, cause INTEGER NOT NULL, wire_code INTEGER NOT NULL,
  detail INTEGER NOT NULL, live INTEGER NOT NULL, only_known INTEGER NOT NULL, ordinal INTEGER NOT NULL,
  old_id INTEGER)
"""
_INSERT_STAGE = f"INSERT INTO temp.stage VALUES ({', '.join('?' * 19)}, NULL)"
_ACCOUNTED = f"""CASE WHEN outcome = {Outcome.SETTLED:d} THEN coalesce(history_ns, resolved_ns, arrived_ns)
                      ELSE coalesce(arrived_ns, resolved_ns, history_ns) END"""
_ATTEMPT = """attempt (node_id, in_chan, in_htlc_id, out_chan, out_scid, out_htlc_id, out_used,
  out_at_ns, amount_in_msat, amount_out_msat, arrived_ns, resolved_ns, history_ns, outcome, cause,
  wire_code, detail, live, ordinal, accounted_ns)"""
_OFTEN_ALL_ONE = (DETAIL, LIVE, ORDINAL)
_NO_IDS = (1 << 62, -1)
_NO_ID = 0


class StoredIds(dict[int | None, tuple[int, int]]):
    """The lowest and highest HTLC id stored of each incoming channel: what lies beyond is new without a look.

    Nodes count up, a stream brings higher ones, a history that is read backwards lower ones.
    A cache: empty it when anybody else may have written, or a channel's rows have moved to another.
    """

    def __init__(self, con: sqlite3.Connection, node_id: int) -> None:
        super().__init__()
        self._con = con
        self._node_id = node_id

    def __missing__(self, in_chan: int | None) -> tuple[int, int]:
        stored = "FROM attempt WHERE node_id = ?1 AND in_chan = ?2 AND in_htlc_id IS NOT NULL"
        lowest, highest = self._con.execute(  # two questions: one for both would read all ids between
            f"SELECT (SELECT min(in_htlc_id) {stored}), (SELECT max(in_htlc_id) {stored})", (self._node_id, in_chan)
        ).fetchone()
        self[in_chan] = _NO_IDS if highest is None else (lowest, highest)
        return self[in_chan]

    def beyond(self, in_chans: Column, htlc_ids: Column, only_known: Column) -> NDArray[np.bool_]:
        """Tell of each row whether it is new for its id alone."""
        chans, place = np.unique(np.array(in_chans, np.int64), return_inverse=True)
        lowest, highest = np.array([self[chan] for chan in chans.tolist()], np.int64).reshape(-1, 2).T
        ids = np.array([_NO_ID if htlc_id is None else htlc_id for htlc_id in htlc_ids], np.int64)
        has_id = np.array([htlc_id is not None for htlc_id in htlc_ids], np.bool_)
        never = np.array(only_known, np.bool_) | ~has_id
        return ~never & ((ids < lowest[place]) | (ids > highest[place]))

    def extend(self, in_chans: Column, htlc_ids: Column) -> None:
        """These ids are stored now."""
        chans, ids = np.array(in_chans, np.int64), np.array(htlc_ids, np.int64)
        order = np.argsort(chans, kind="stable")
        starts = np.flatnonzero(np.diff(chans[order], prepend=-1))
        firsts = chans[order[starts]].tolist()
        lows, highs = (end.reduceat(ids[order], starts).tolist() for end in (np.minimum, np.maximum))
        for in_chan, low, high in zip(firsts, lows, highs, strict=True):
            lowest, highest = self[in_chan]
            self[in_chan] = (min(lowest, low), max(highest, high))


def prepare(con: sqlite3.Connection) -> None:
    """Make the temporary tables of this connection."""
    con.execute(_STAGE)
    con.execute("CREATE TEMP TABLE IF NOT EXISTS arrived_before (arrived_ns INTEGER)")


def upsert(con: sqlite3.Connection, node_id: int, ids: StoredIds, columns: Columns) -> WriteReport:
    """Merge rows, each of another HTLC, into the attempts and rollups of a node."""
    beyond = ids.beyond(columns[IN_CHAN], columns[IN_HTLC_ID], columns[ONLY_KNOWN])
    new, others = columns, list[Row]()
    if not beyond.all():
        new = [list(compress(column, beyond)) for column in columns]
        others = list(compress(rows_of(columns), ~beyond))
    of_new = _insert_new(con, node_id, ids, new) if new[IN_CHAN] else None
    [newest] = con.execute("SELECT coalesce(max(attempt_id), 0) FROM attempt").fetchone()
    report, shares = _merge_staged(con, node_id, others) if others else (WriteReport(), [])
    if report.new:
        shares += rollups.shares_of(con, 1, "a.attempt_id > ?", (newest,))
    rollups.fold(con, node_id, shares, of_new)
    report.new += len(new[IN_CHAN])
    return report


def _insert_new(con: sqlite3.Connection, node_id: int, ids: StoredIds, columns: Columns) -> rollups.Ints:
    """Insert rows that cannot be known; return their shares."""
    times = accounted_ns(columns)
    members = [columns[n] if n not in _OFTEN_ALL_ONE else _one_for_all(columns[n]) for n in range(len(columns))]
    bulk.insert(con, _ATTEMPT, [node_id, *members[:ONLY_KNOWN], members[ORDINAL], times])
    ids.extend(columns[IN_CHAN], columns[IN_HTLC_ID])
    return rollups.shares_of_new(columns, times)


def _one_for_all(column: Column) -> Column | int:
    """Return the column, or its value if that is one for all rows."""
    first = column[0]
    return first if first is not None and column.count(first) == len(column) else column


def known_arrivals(con: sqlite3.Connection) -> list[int | None]:
    """Return when the attempts arrived that the last `upsert` found known, as was said before and as is said now."""
    rows = con.execute(
        """SELECT arrived_ns FROM temp.arrived_before UNION SELECT arrived_ns FROM attempt
             WHERE attempt_id IN (SELECT old_id FROM temp.stage WHERE old_id IS NOT NULL)"""
    )
    return [at_ns for (at_ns,) in rows]


def _merge_staged(con: sqlite3.Connection, node_id: int, rows: Sequence[Row]) -> tuple[WriteReport, list[Share]]:
    """Merge rows that may be known; the shares are those of known rows, before and after."""
    con.execute("DELETE FROM temp.stage")
    con.executemany(_INSERT_STAGE, rows)
    # An only-known fact (a final event) matters only to an attempt whose end is still open.
    con.execute(
        """DELETE FROM temp.stage AS s WHERE only_known AND NOT EXISTS (
             SELECT 1 FROM attempt a WHERE a.node_id = ? AND a.in_chan = s.in_chan
               AND a.in_htlc_id = s.in_htlc_id AND a.outcome < s.outcome)""",
        (node_id,),
    )
    con.execute(
        """UPDATE temp.stage AS s SET old_id = CASE WHEN s.in_htlc_id IS NOT NULL
             THEN (SELECT attempt_id FROM attempt a WHERE a.node_id = ?1 AND a.in_chan = s.in_chan
                     AND a.in_htlc_id = s.in_htlc_id)
             ELSE (SELECT attempt_id FROM attempt a WHERE a.node_id = ?1 AND a.in_chan = s.in_chan
                     AND a.out_chan = s.out_chan AND a.amount_in_msat IS s.amount_in_msat
                     AND a.amount_out_msat IS s.amount_out_msat AND a.history_ns = s.history_ns
                     AND a.ordinal = s.ordinal AND a.in_htlc_id IS NULL) END""",
        (node_id,),
    )
    [known] = con.execute("SELECT count(old_id) FROM temp.stage").fetchone()
    shares = _merge_known(con) if known else []
    new = con.execute(
        f"""INSERT INTO {_ATTEMPT}
            SELECT {node_id:d}, in_chan, in_htlc_id, out_chan, out_scid, out_htlc_id, out_used, out_at_ns,
              amount_in_msat, amount_out_msat, arrived_ns, resolved_ns, history_ns, outcome, cause,
              wire_code, detail, live, ordinal, {_ACCOUNTED}
            FROM temp.stage WHERE old_id IS NULL"""
    ).rowcount
    return WriteReport(new=new, known=known), shares


def _merge_known(con: sqlite3.Connection) -> list[Share]:
    """Merge staged facts into rows that exist; return their old shares, taken out, and their new ones.

    Each rule is commutative: the order of facts is no matter.
    """
    where = "a.attempt_id IN (SELECT old_id FROM temp.stage WHERE old_id IS NOT NULL)"
    shares = rollups.shares_of(con, -1, where)
    con.execute("DELETE FROM temp.arrived_before")
    con.execute(f"INSERT INTO temp.arrived_before SELECT arrived_ns FROM attempt a WHERE {where}")
    newer = "(s.out_used, s.out_at_ns) > (attempt.out_used, attempt.out_at_ns)"
    ours = "attempt."
    con.execute(
        f"""UPDATE attempt SET
              out_chan = CASE WHEN {newer} THEN s.out_chan ELSE {ours}out_chan END,
              out_scid = CASE WHEN {newer} THEN s.out_scid ELSE {ours}out_scid END,
              out_htlc_id = CASE WHEN {newer} THEN coalesce(s.out_htlc_id, {ours}out_htlc_id)
                                 ELSE coalesce({ours}out_htlc_id, s.out_htlc_id) END,
              out_at_ns = CASE WHEN {newer} THEN s.out_at_ns ELSE {ours}out_at_ns END,
              out_used = max({ours}out_used, s.out_used),
              amount_in_msat = max(coalesce({ours}amount_in_msat, s.amount_in_msat),
                                   coalesce(s.amount_in_msat, {ours}amount_in_msat)),
              amount_out_msat = max(coalesce({ours}amount_out_msat, s.amount_out_msat),
                                    coalesce(s.amount_out_msat, {ours}amount_out_msat)),
              arrived_ns = min(coalesce({ours}arrived_ns, s.arrived_ns),
                               coalesce(s.arrived_ns, {ours}arrived_ns)),
              history_ns = min(coalesce({ours}history_ns, s.history_ns),
                               coalesce(s.history_ns, {ours}history_ns)),
              resolved_ns = CASE WHEN s.outcome > {ours}outcome THEN s.resolved_ns
                                 WHEN s.outcome < {ours}outcome THEN {ours}resolved_ns
                                 ELSE min(coalesce({ours}resolved_ns, s.resolved_ns),
                                          coalesce(s.resolved_ns, {ours}resolved_ns)) END,
              cause = CASE WHEN s.outcome > {ours}outcome THEN s.cause
                           WHEN s.outcome < {ours}outcome THEN {ours}cause
                           WHEN {ours}cause = {Cause.UNATTRIBUTED:d} THEN s.cause
                           WHEN s.cause = {Cause.UNATTRIBUTED:d} THEN {ours}cause
                           ELSE max({ours}cause, s.cause) END,
              wire_code = CASE WHEN s.outcome > {ours}outcome THEN s.wire_code
                               WHEN s.outcome < {ours}outcome THEN {ours}wire_code
                               ELSE max({ours}wire_code, s.wire_code) END,
              detail = CASE WHEN s.outcome > {ours}outcome THEN s.detail
                            WHEN s.outcome < {ours}outcome THEN {ours}detail
                            ELSE max({ours}detail, s.detail) END,
              outcome = max({ours}outcome, s.outcome),
              live = max({ours}live, s.live)
            FROM temp.stage s WHERE attempt.attempt_id = s.old_id"""
    )
    con.execute(
        f"""UPDATE attempt SET accounted_ns = {_ACCOUNTED}
            WHERE attempt_id IN (SELECT old_id FROM temp.stage WHERE old_id IS NOT NULL)"""
    )
    return shares + rollups.shares_of(con, 1, where)
