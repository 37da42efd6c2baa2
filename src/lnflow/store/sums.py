"""Sums over a window, by channel, pair and hour: set by set in SQL, from the parts of a plan."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from lnflow.domain.causes import Outcome
from lnflow.domain.time import DAY_NS
from lnflow.store.records import CauseRow, DepartureRow, FlowRow, HourRow, PairRow, RefusalRow, WishRow
from lnflow.store.totals import FLOW_COLUMNS, IN_COLUMNS, OUT_COLUMNS, REFUSAL_COLUMNS
from lnflow.store.windows import Plan, RawPart

_FEE = "max(coalesce(amount_in_msat - amount_out_msat, 0), 0)"
_SETTLED = f"(outcome = {Outcome.SETTLED:d})"
_DOWNSTREAM = f"(outcome = {Outcome.DOWNSTREAM:d})"
_REFUSED = f"(outcome = {Outcome.REFUSED:d})"
_PENDING = f"(outcome <= {Outcome.UNRESOLVED:d})"
_OUT = "coalesce(amount_out_msat, 0)"
# The flow columns of one raw row.
_RAW_IN = dict(zip(IN_COLUMNS, (
    _SETTLED, f"{_SETTLED} * coalesce(amount_in_msat, 0)", f"{_SETTLED} * {_FEE}", f"{_SETTLED} * live",
    _DOWNSTREAM, _REFUSED, f"{_REFUSED} * {_FEE}", _PENDING,
), strict=True))  # fmt: skip
_RAW_OUT = dict(zip(OUT_COLUMNS, (
    _SETTLED, f"{_SETTLED} * {_OUT}", f"{_SETTLED} * {_FEE}", f"{_SETTLED} * live", _DOWNSTREAM,
    f"{_DOWNSTREAM} * {_OUT}", f"{_DOWNSTREAM} * {_FEE}", _REFUSED, f"{_REFUSED} * {_OUT}",
    f"{_REFUSED} * {_FEE}", _PENDING,
), strict=True))  # fmt: skip

Row = Sequence[int]


def flows(con: sqlite3.Connection, node_id: int, plan: Plan, chan: int | None) -> list[FlowRow]:
    """Return the sums of each channel; channels without any traffic are left out."""
    rows = _sum(con, _flow_parts(node_id, plan, FLOW_COLUMNS, chan), 1)
    return [FlowRow(*row) for row in rows if any(row[1:])]


def departures(con: sqlite3.Connection, node_id: int, plan: Plan) -> list[DepartureRow]:
    """Return the outgoing half of `flows`, in half the time."""
    rows = _sum(con, _flow_parts(node_id, plan, OUT_COLUMNS), 1)
    return [DepartureRow(*row) for row in rows if any(row[1:])]


def refusals(con: sqlite3.Connection, node_id: int, plan: Plan, chan: int | None) -> list[RefusalRow]:
    """Return our refusals by outgoing channel and cause."""
    rows = _sum(con, _refusal_parts(node_id, plan, chan), 2)
    return [RefusalRow(*row) for row in rows if any(row[2:])]


def causes(con: sqlite3.Connection, node_id: int, plan: Plan) -> list[CauseRow]:
    """Return our refusals by cause."""
    rows = _sum(con, _refusal_parts(node_id, plan), 2, by=[1])
    return [CauseRow(*row) for row in rows if any(row[1:])]


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


def _flow_parts(
    node_id: int, plan: Plan, columns: Sequence[str], chan: int | None = None
) -> Iterable[tuple[str, tuple[int, ...]]]:
    one = "" if chan is None else f" AND chan = {chan:d}"
    for total in plan.totals:
        yield (
            f"SELECT chan, {_signed(total.sign, columns)} FROM channel_total WHERE node_id = ? AND period ="
            f" (SELECT max(period) FROM channel_total WHERE node_id = ? AND period <= ?){one}",
            (node_id, node_id, total.period),
        )
    for part in plan.hours:
        where = (
            "hour >= ? AND hour < ?"
            if chan is None
            else f"hour IN ({', '.join(str(h) for h in range(part.first, part.last))}) AND ? <= ?"
        )
        yield (
            f"SELECT chan, {_signed(part.sign, columns)} FROM channel_hour WHERE node_id = ? AND {where}{one}",
            (node_id, part.first, part.last),
        )
    for raw in plan.raw:
        bounds = (node_id, raw.since_ns, raw.until_ns)
        when = "node_id = ? AND accounted_ns >= ? AND accounted_ns < ?"
        if chan is not None:  # both directions in one look, at the index alone
            one_way = {c: f"(in_chan = {chan:d}) * {x}" for c, x in _RAW_IN.items()}
            one_way |= {c: f"(out_chan = {chan:d}) * {x}" for c, x in _RAW_OUT.items()}
            found = f"SELECT attempt_id FROM attempt WHERE {when} AND (in_chan = {chan:d} OR out_chan = {chan:d})"
            yield (
                f"SELECT {chan:d}, {_signed_sums(raw.sign, (one_way[c] for c in columns))} FROM attempt"
                f" WHERE attempt_id IN ({found}) AND twin IS NULL GROUP BY node_id",
                bounds,
            )
            continue
        for column, expressions in (("in_chan", _RAW_IN), ("out_chan", _RAW_OUT)):
            if expressions.keys() & set(columns):
                sums = _signed_sums(raw.sign, (expressions.get(c, "0") for c in columns))
                yield (
                    f"SELECT {column} AS chan, {sums} FROM attempt WHERE {when} AND twin IS NULL GROUP BY {column}",
                    bounds,
                )


def _refusal_parts(node_id: int, plan: Plan, chan: int | None = None) -> Iterable[tuple[str, tuple[int, ...]]]:
    one = "" if chan is None else f" AND chan = {chan:d}"
    for total in plan.totals:
        yield (
            f"SELECT chan, cause, {_signed(total.sign, REFUSAL_COLUMNS)} FROM refusal_total WHERE node_id = ? AND"
            f" period = (SELECT max(period) FROM refusal_total WHERE node_id = ? AND period <= ?){one}",
            (node_id, node_id, total.period),
        )
    for part in plan.hours:
        where = (
            "hour >= ? AND hour < ?"
            if chan is None
            else f"hour IN ({', '.join(str(h) for h in range(part.first, part.last))}) AND ? <= ?"
        )
        yield (
            f"SELECT chan, cause, {_signed(part.sign, REFUSAL_COLUMNS)} FROM refusal_hour"
            f" WHERE node_id = ? AND {where}{one}",
            (node_id, part.first, part.last),
        )
    for raw in plan.raw:
        only = "" if chan is None else f" AND out_chan = {chan:d}"
        yield (
            f"SELECT out_chan, cause, {_signed_sums(raw.sign, ('1', _OUT, _FEE))} FROM attempt"
            f" WHERE node_id = ? AND accounted_ns >= ? AND accounted_ns < ? AND twin IS NULL"
            f" AND outcome = {Outcome.REFUSED:d}{only} GROUP BY out_chan, cause",
            (node_id, raw.since_ns, raw.until_ns),
        )


def _signed(sign: int, columns: Iterable[str]) -> str:
    return ", ".join(columns) if sign > 0 else ", ".join(f"-{c}" for c in columns)


def _signed_sums(sign: int, expressions: Iterable[str]) -> str:
    return ", ".join(f"{'-' if sign < 0 else ''}sum({x})" for x in expressions)


def _sum(
    con: sqlite3.Connection,
    parts: Iterable[tuple[str, tuple[int, ...]]],
    keys: int,
    by: Sequence[int] | None = None,
) -> list[tuple[int, ...]]:
    """Return the parts added up by their first `keys` columns, or by some of these."""
    listed = list(parts)
    if not listed:
        return []
    params = [p for _, values in listed for p in values]
    if by is None and len(listed) == 1 and "GROUP BY" in listed[0][0]:
        return con.execute(listed[0][0], params).fetchall()
    union = " UNION ALL ".join(sql for sql, _ in listed)
    cursor = con.execute(f"SELECT * FROM ({union}) LIMIT 0", params)
    names = [f"c{n}" for n in range(len(cursor.description))]
    key = ", ".join(names[:keys] if by is None else (names[n] for n in by))
    totals = ", ".join(f"sum({n})" for n in names[keys:])
    return con.execute(
        f"WITH part({', '.join(names)}) AS ({union}) SELECT {key}, {totals} FROM part GROUP BY {key}", params
    ).fetchall()
