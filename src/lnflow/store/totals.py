"""Running totals: sums over everything before a period, so that any window costs two look-ups a channel."""

from __future__ import annotations

import sqlite3

from lnflow.store.windows import PERIOD_H

FLOW_COLUMNS = (
    "in_settled", "in_settled_msat", "sourced_msat", "in_settled_live", "in_downstream", "in_refused",
    "in_refused_fee_msat", "in_pending", "out_settled", "out_settled_msat", "earned_msat", "out_settled_live",
    "out_downstream", "out_downstream_msat", "out_downstream_fee_msat", "out_refused", "out_refused_msat",
    "out_refused_fee_msat", "out_pending",
)  # fmt: skip
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
    _extend(con, node_id, base, target, "channel_hour", "channel_total", ("chan",), FLOW_COLUMNS)
    _extend(con, node_id, base, target, "refusal_hour", "refusal_total", ("chan", "cause"), REFUSAL_COLUMNS)
    con.execute("UPDATE node_state SET totals_through = ? WHERE node_id = ?", (target, node_id))


def _extend(
    con: sqlite3.Connection,
    node_id: int,
    base: int,
    target: int,
    hours: str,
    totals: str,
    key: tuple[str, ...],
    columns: tuple[str, ...],
) -> None:
    keys = ", ".join(key)
    names = ", ".join(columns)
    running = ", ".join(
        f"sum(h.{c}) OVER (PARTITION BY {', '.join(f'h.{k}' for k in key)} ORDER BY h.period) + coalesce(b.{c}, 0)"
        for c in columns
    )
    join = " AND ".join(f"b.{k} = h.{k}" for k in key)
    con.execute(f"DELETE FROM {totals} WHERE node_id = ? AND period > ?", (node_id, base))
    con.execute(
        f"""INSERT INTO {totals} (node_id, {keys}, period, {names})
            SELECT :node_id, {", ".join(f"h.{k}" for k in key)}, h.period + 1, {running}
            FROM (SELECT {keys}, hour / {PERIOD_H} AS period, {", ".join(f"sum({c}) AS {c}" for c in columns)}
                  FROM {hours} WHERE node_id = :node_id AND hour >= :first AND hour < :last
                  GROUP BY {keys}, hour / {PERIOD_H}) h
            LEFT JOIN (SELECT {keys}, {names}, max(period) FROM {totals} WHERE node_id = :node_id
                       GROUP BY {keys}) b ON {join}""",
        {"node_id": node_id, "first": base * PERIOD_H, "last": target * PERIOD_H},
    )
