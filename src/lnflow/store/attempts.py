"""Upserting attempts and keeping the rollups equal to them, set by set, inside the caller's transaction.

Every change of a row goes the same way: its old share is taken out of the rollups, the row is merged, its
new share is put in.  So totals always equal the sum of the rows that were ever there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from lnflow.domain.amounts import AMOUNT_BOUNDS_MSAT
from lnflow.domain.causes import Outcome
from lnflow.store.rows import WriteReport

PERIOD_H = 6  # hours per period of the running totals

_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS stage (
  in_chan INTEGER NOT NULL, in_htlc_id INTEGER, out_chan INTEGER NOT NULL, out_scid INTEGER NOT NULL,
  out_htlc_id INTEGER, out_used INTEGER NOT NULL, out_at_ns INTEGER NOT NULL,
  amount_in_msat INTEGER, amount_out_msat INTEGER, arrived_ns INTEGER, resolved_ns INTEGER,
  history_ns INTEGER, outcome INTEGER NOT NULL, cause INTEGER NOT NULL, wire_code INTEGER NOT NULL,
  detail INTEGER NOT NULL, live INTEGER NOT NULL, only_known INTEGER NOT NULL, ordinal INTEGER NOT NULL,
  whole_seconds INTEGER NOT NULL, old_id INTEGER)
"""
_DELTA = """
CREATE TEMP TABLE IF NOT EXISTS delta (
  sign INTEGER NOT NULL, hour INTEGER NOT NULL, in_chan INTEGER NOT NULL, out_chan INTEGER NOT NULL,
  outcome INTEGER NOT NULL, cause INTEGER NOT NULL, live INTEGER NOT NULL,
  amount_in_msat INTEGER NOT NULL, amount_out_msat INTEGER NOT NULL, fee_msat INTEGER NOT NULL,
  amount_class INTEGER NOT NULL)
"""

_HOUR_NS = 3_600_000_000_000

STAGE_COLUMNS = 20
_INSERT_STAGE = f"INSERT INTO temp.stage VALUES ({', '.join('?' * STAGE_COLUMNS)}, NULL)"

# The fee a sender offered; 0 where an amount is unknown or nothing was offered.
_FEE = "max(coalesce(a.amount_in_msat - a.amount_out_msat, 0), 0)"
_CLASS = "(" + " + ".join(f"(coalesce(a.amount_out_msat, 0) >= {bound})" for bound in AMOUNT_BOUNDS_MSAT) + ")"
_SHARE = f"""a.in_chan, a.out_chan, a.outcome, a.cause, a.live,
  coalesce(a.amount_in_msat, 0), coalesce(a.amount_out_msat, 0), {_FEE}, {_CLASS}"""
_ACCOUNTED = f"""CASE WHEN {{p}}outcome = {Outcome.SETTLED:d}
  THEN coalesce({{p}}history_ns, {{p}}resolved_ns, {{p}}arrived_ns)
  ELSE coalesce({{p}}arrived_ns, {{p}}resolved_ns, {{p}}history_ns) END"""




def prepare(con: sqlite3.Connection) -> None:
    """Make the temporary tables of this connection."""
    con.execute(_STAGE)
    con.execute(_DELTA)


def upsert(
    con: sqlite3.Connection, node_id: int, stage: Iterable[Sequence[int | None]]
) -> tuple[WriteReport, set[int]]:
    """Merge staged rows (columns of `temp.stage`) into the attempts and rollups of a node.

    Return what changed, and which of the rows (by place, from 0) were not new.
    """
    con.execute("DELETE FROM temp.stage")
    staged = con.executemany(_INSERT_STAGE, stage).rowcount
    if staged <= 0:
        return WriteReport(), set()
    # An only-known fact (a final event) matters only to an attempt whose end is still open.
    dropped = con.execute(
        """DELETE FROM temp.stage AS s WHERE only_known AND NOT EXISTS (
             SELECT 1 FROM attempt a WHERE a.node_id = ? AND a.in_chan = s.in_chan
               AND a.in_htlc_id = s.in_htlc_id AND a.outcome < s.outcome)""",
        (node_id,),
    ).rowcount
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
    # Row ids of a freshly emptied table count up from 1.
    not_new = {n - 1 for (n,) in con.execute("SELECT rowid FROM temp.stage WHERE old_id IS NOT NULL")}
    known = len(not_new)
    con.execute("DELETE FROM temp.delta")
    if known:
        _merge_known(con)
    new = con.execute(
        f"""INSERT INTO attempt (node_id, in_chan, in_htlc_id, out_chan, out_scid, out_htlc_id, out_used,
              out_at_ns, amount_in_msat, amount_out_msat, arrived_ns, resolved_ns, history_ns, outcome, cause,
              wire_code, detail, live, ordinal, accounted_ns)
            SELECT ?, in_chan, in_htlc_id, out_chan, out_scid, out_htlc_id, out_used, out_at_ns,
              amount_in_msat, amount_out_msat, arrived_ns, resolved_ns, history_ns, outcome, cause,
              wire_code, detail, live, ordinal, {_ACCOUNTED.format(p="")}
            FROM temp.stage WHERE old_id IS NULL""",
        (node_id,),
    ).rowcount
    con.execute(
        f"""INSERT INTO temp.delta SELECT 1, ({_ACCOUNTED.format(p="a.")}) / {_HOUR_NS}, {_SHARE}
            FROM temp.stage a WHERE old_id IS NULL"""
    )
    fold_delta(con, node_id)
    return WriteReport(new=new, known=known, dropped=max(dropped, 0)), not_new


def add_share(con: sqlite3.Connection, sign: int, where: str, params: Sequence[int]) -> None:
    """Put the share of the attempts `a` that satisfy `where` into the pending delta; twins have none."""
    con.execute(
        f"""INSERT INTO temp.delta SELECT {sign:d}, a.accounted_ns / {_HOUR_NS}, {_SHARE}
            FROM attempt a WHERE a.twin IS NULL AND ({where})""",
        params,
    )


def _merge_known(con: sqlite3.Connection) -> None:
    """Merge staged facts into rows that exist.  Each rule is commutative: the order of facts is no matter."""
    where = "a.attempt_id IN (SELECT old_id FROM temp.stage WHERE old_id IS NOT NULL)"
    add_share(con, -1, where, ())
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
        f"""UPDATE attempt SET accounted_ns = {_ACCOUNTED.format(p="")}
            WHERE attempt_id IN (SELECT old_id FROM temp.stage WHERE old_id IS NOT NULL)"""
    )
    add_share(con, 1, where, ())


def fold_delta(con: sqlite3.Connection, node_id: int) -> None:
    """Fold the pending delta into the rollups; then the running totals above its first hour are stale."""
    settled, downstream, refused = (
        f"sign * (outcome = {o:d})" for o in (Outcome.SETTLED, Outcome.DOWNSTREAM, Outcome.REFUSED)
    )
    pending = f"sign * (outcome <= {Outcome.UNRESOLVED:d})"
    for side, columns in (
        (
            "in_chan",
            {
                "in_settled": settled,
                "in_settled_msat": f"{settled} * amount_in_msat",
                "sourced_msat": f"{settled} * fee_msat",
                "in_settled_live": f"{settled} * live",
                "in_downstream": downstream,
                "in_refused": refused,
                "in_refused_fee_msat": f"{refused} * fee_msat",
                "in_pending": pending,
            },
        ),
        (
            "out_chan",
            {
                "out_settled": settled,
                "out_settled_msat": f"{settled} * amount_out_msat",
                "earned_msat": f"{settled} * fee_msat",
                "out_settled_live": f"{settled} * live",
                "out_downstream": downstream,
                "out_downstream_msat": f"{downstream} * amount_out_msat",
                "out_downstream_fee_msat": f"{downstream} * fee_msat",
                "out_refused": refused,
                "out_refused_msat": f"{refused} * amount_out_msat",
                "out_refused_fee_msat": f"{refused} * fee_msat",
                "out_pending": pending,
            },
        ),
    ):
        names = ", ".join(columns)
        sums = ", ".join(f"sum({x})" for x in columns.values())
        adds = ", ".join(f"{c} = {c} + excluded.{c}" for c in columns)
        con.execute(
            f"""INSERT INTO channel_hour (node_id, hour, chan, {names})
                SELECT {node_id:d}, hour, {side}, {sums} FROM temp.delta WHERE true GROUP BY hour, {side}
                ON CONFLICT DO UPDATE SET {adds}"""
        )
    con.execute(
        f"""INSERT INTO refusal_hour
            SELECT {node_id:d}, hour, out_chan, cause, sum(sign), sum(sign * amount_out_msat), sum(sign * fee_msat)
            FROM temp.delta WHERE outcome = {Outcome.REFUSED:d} GROUP BY hour, out_chan, cause
            ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts, msat = msat + excluded.msat,
              fee_msat = fee_msat + excluded.fee_msat"""
    )
    con.execute(
        f"""INSERT INTO pair_day
            SELECT {node_id:d}, hour / 24, in_chan, out_chan, outcome, cause, sum(sign),
              sum(sign * amount_out_msat), sum(sign * fee_msat)
            FROM temp.delta WHERE true GROUP BY hour / 24, in_chan, out_chan, outcome, cause HAVING
              sum(sign) <> 0 OR sum(sign * amount_out_msat) <> 0 OR sum(sign * fee_msat) <> 0
            ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts, msat = msat + excluded.msat,
              fee_msat = fee_msat + excluded.fee_msat"""
    )
    con.execute(
        f"""INSERT INTO size_day
            SELECT {node_id:d}, hour / 24, out_chan, amount_class, sum({settled}), sum({downstream})
            FROM temp.delta WHERE live AND amount_out_msat > 0
              AND outcome IN ({Outcome.SETTLED:d}, {Outcome.DOWNSTREAM:d})
            GROUP BY hour / 24, out_chan, amount_class
            ON CONFLICT DO UPDATE SET settled = settled + excluded.settled,
              downstream = downstream + excluded.downstream"""
    )
    con.execute(
        f"""UPDATE node_state SET totals_through = min(totals_through,
              (SELECT min(hour) / {PERIOD_H} FROM temp.delta))
            WHERE node_id = ? AND totals_through > (SELECT min(hour) / {PERIOD_H} FROM temp.delta)""",
        (node_id,),
    )
