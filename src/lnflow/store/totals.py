"""Running totals: sums over everything before a period, so that any window costs two look-ups a channel."""

from __future__ import annotations

import sqlite3

from lnflow.store.windows import PERIOD_H

IN_COLUMNS = (
    "in_settled", "in_settled_msat", "sourced_msat", "in_settled_live", "in_downstream", "in_refused",
    "in_refused_fee_msat", "in_pending",
)  # fmt: skip
OUT_COLUMNS = (
    "out_settled", "out_settled_msat", "earned_msat", "out_settled_live", "out_downstream", "out_downstream_msat",
    "out_downstream_fee_msat", "out_refused", "out_refused_msat", "out_refused_fee_msat", "out_pending",
)  # fmt: skip
FLOW_COLUMNS = IN_COLUMNS + OUT_COLUMNS
REFUSAL_COLUMNS = ("attempts", "msat", "fee_msat")


def extend_totals(con: sqlite3.Connection, node_id: int, through_hour: int) -> None:
    """Bring the running totals up to the last period that ended by `through_hour`, in one transaction."""
    target = through_hour // PERIOD_H
    row = con.execute("SELECT totals_through FROM node_state WHERE node_id = ?", (node_id,)).fetchone()
    base: int | None = row[0]
    if base is None:
        first = con.execute("SELECT min(hour) FROM channel_hour WHERE node_id = ?", (node_id,)).fetchone()[0]
        if first is None:
            return
        base = first // PERIOD_H
    if target <= base and row[0] is not None:
        return
    target = max(target, base)
    _extend(con, node_id, base, target, "channel_hour", "channel_total", "chan", FLOW_COLUMNS)
    _extend(con, node_id, base, target, "refusal_hour", "refusal_total", "chan, cause", REFUSAL_COLUMNS)
    con.execute("UPDATE node_state SET totals_through = ? WHERE node_id = ?", (target, node_id))


def _extend(
    con: sqlite3.Connection,
    node_id: int,
    base: int,
    target: int,
    hours: str,
    totals: str,
    keys: str,
    columns: tuple[str, ...],
) -> None:
    """Write the totals after every period from `base` to `target` in which something changed: of all channels."""
    names = ", ".join(columns)
    sums = ", ".join(f"sum({c})" for c in columns)
    con.execute(f"DELETE FROM {totals} WHERE node_id = ? AND period > ?", (node_id, base))
    changed = con.execute(
        f"SELECT DISTINCT hour / {PERIOD_H} FROM {hours} WHERE node_id = ? AND hour >= ? AND hour < ? ORDER BY 1",
        (node_id, base * PERIOD_H, target * PERIOD_H),
    ).fetchall()
    [newest] = con.execute(f"SELECT max(period) FROM {totals} WHERE node_id = ?", (node_id,)).fetchone()
    for (period,) in changed:
        con.execute(
            f"""INSERT INTO {totals} (node_id, period, {keys}, {names})
                SELECT ?1, ?2 + 1, {keys}, {sums} FROM (
                  SELECT {keys}, {names} FROM {totals} WHERE node_id = ?1 AND period = ?3
                  UNION ALL
                  SELECT {keys}, {names} FROM {hours}
                    WHERE node_id = ?1 AND hour >= ?2 * {PERIOD_H} AND hour < (?2 + 1) * {PERIOD_H})
                GROUP BY {keys}""",
            (node_id, period, newest),
        )
        newest = period + 1
