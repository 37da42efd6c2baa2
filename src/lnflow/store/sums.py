"""Sums over a window by pair and by hour, and single wishes: set by set in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from lnflow.domain.time import DAY_NS
from lnflow.store.records import HourRow, PairRow, WishRow
from lnflow.store.windows import RawPart

_FEE = "max(coalesce(amount_in_msat - amount_out_msat, 0), 0)"
_OUT = "coalesce(amount_out_msat, 0)"


def pairs(
    con: sqlite3.Connection, node_id: int, since_ns: int, until_ns: int, raw_since_ns: int | None
) -> tuple[list[PairRow], bool]:
    """Return attempts by pair, outcome and cause, and whether the ends were rounded to whole days."""
    first, last = -(-since_ns // DAY_NS), until_ns // DAY_NS
    raw: list[RawPart] = []
    rounded = False
    ends = [(since_ns, until_ns)] if first > last else [(since_ns, first * DAY_NS), (last * DAY_NS, until_ns)]
    for a, b in ends:
        if a >= b:
            continue
        if raw_since_ns is None or a >= raw_since_ns:
            raw.append(RawPart(1, a, b))
        else:
            rounded = True
    if rounded:  # one end lies behind the raw rows: whole days for both keeps it simple and said
        raw, first, last = [], since_ns // DAY_NS, -(-until_ns // DAY_NS)
    columns = "in_chan, out_chan, outcome, cause"
    parts = [
        (
            f"SELECT {columns}, attempts, msat, fee_msat FROM pair_day WHERE node_id = ? AND day >= ? AND day < ?",
            (node_id, first, last),
        )
    ]
    parts += [
        (
            f"SELECT {columns}, count(*), sum({_OUT}), sum({_FEE}) FROM attempt"
            f" WHERE node_id = ? AND accounted_ns >= ? AND accounted_ns < ? AND twin IS NULL GROUP BY {columns}",
            (node_id, part.since_ns, part.until_ns),
        )
        for part in raw
    ]
    return [PairRow(*row) for row in _sum(con, parts, 4) if any(row[4:])], rounded


def hours(con: sqlite3.Connection, node_id: int, first: int, last: int) -> list[HourRow]:
    """Return the whole node's refusals by hour and cause, and what else was seen live in each hour."""
    rows = con.execute(
        """SELECT hour, cause, sum(attempts), sum(msat), sum(fee_msat), 0, 0 FROM refusal_hour
             WHERE node_id = ?1 AND hour >= ?2 AND hour < ?3 GROUP BY hour, cause HAVING sum(attempts) <> 0
           UNION ALL
           SELECT hour, 0, 0, 0, 0, sum(out_settled_live), sum(out_downstream) FROM channel_hour
             WHERE node_id = ?1 AND hour >= ?2 AND hour < ?3 GROUP BY hour
             HAVING sum(out_settled_live) <> 0 OR sum(out_downstream) <> 0
           ORDER BY 1, 2""",
        (node_id, first, last),
    )
    return [HourRow(*row) for row in rows]


def wishes(
    con: sqlite3.Connection, node_id: int, since_ns: int, until_ns: int, chans: Sequence[int], most: int
) -> list[WishRow]:
    """Return the refused wishes for some channels, the largest fees first."""
    marks = ", ".join("?" * len(chans))
    rows = con.execute(
        f"""SELECT {", ".join(WishRow.__struct_fields__)} FROM demand
            WHERE node_id = ? AND first_ns >= ? AND first_ns < ? AND out_chan IN ({marks})
            ORDER BY coalesce(fee_msat, 0) DESC, first_ns LIMIT ?""",
        (node_id, since_ns, until_ns, *chans, most),
    )
    return [WishRow(*row) for row in rows]


def _sum(con: sqlite3.Connection, parts: Iterable[tuple[str, tuple[int, ...]]], keys: int) -> list[tuple[int, ...]]:
    """Return the parts added up by their first `keys` columns."""
    listed = list(parts)
    params = [p for _, values in listed for p in values]
    union = " UNION ALL ".join(sql for sql, _ in listed)
    cursor = con.execute(f"SELECT * FROM ({union}) LIMIT 0", params)
    names = [f"c{n}" for n in range(len(cursor.description))]
    key = ", ".join(names[:keys])
    totals = ", ".join(f"sum({n})" for n in names[keys:])
    return con.execute(
        f"WITH part({', '.join(names)}) AS ({union}) SELECT {key}, {totals} FROM part GROUP BY {key}", params
    ).fetchall()
