"""Sums of wishes over a window: whole periods from blocks, what is left at the ends from the rows.

Blocks are made when a period has ended, and again when something in it changed.  Those before the period
`blocks_through` are right, and one that is not there stands for a time without wishes.
"""

from __future__ import annotations

import sqlite3

import numpy as np
from numpy.typing import NDArray

from lnflow.domain.demand import PERIOD_NS
from lnflow.store.blocks import DEMANDS, FAN_OUT, SERVED, Block, added, block_of, cover, from_bytes, parents, to_bytes
from lnflow.store.columns import read_columns

Ints = NDArray[np.int64]
_KINDS = {0: DEMANDS, 1: SERVED}
_DEMANDS, _SERVED = _KINDS

# One demand in few values, since each takes its time to be read: what it is, then its amounts.
_DEMAND = (
    "out_chan * 4294967296 + cause * 16777216 + circumstance * 65536"
    " + (coalesce(amount_class, -1) + 1) * 256 + oversize * 2 + (recovered_ns IS NULL)",
    "attempts",
    "attempted_msat",
    "attempted_fee_msat",
    "coalesce(amount_out_msat, 0)",
    "max(0, coalesce(fee_msat - paid_msat, 0))",
    "coalesce(part_msat, 0)",
)
_SOME_DEMANDS = """FROM (SELECT * FROM demand WHERE node_id = ? AND first_ns >= ? AND first_ns < ?
  ORDER BY first_ns LIMIT ? OFFSET ?)"""
_AT_ONCE = 50_000  # demands in memory: a window without blocks may have millions
_SERVED_SUMS = "chan, amount_class, sum(wishes), sum(arrived), sum(amount_msat), sum(part_msat), sum(arrived_msat)"


def load_demands(con: sqlite3.Connection, node_id: int, since_ns: int, until_ns: int) -> Block:
    """Return the demands that began in the window.

    The end of a window falls within a period: the shorter side of it is read from the rows, to be added or taken off.
    """
    through = _through(con, node_id)
    first, last = (min(round(at_ns / PERIOD_NS), through) for at_ns in (since_ns, until_ns))
    if first >= last:
        return added(_demands_between(con, node_id, since_ns, until_ns), DEMANDS)
    parts = _blocks(con, node_id, _DEMANDS, first, last)
    for sign, at_ns, whole_ns in ((1, since_ns, first * PERIOD_NS), (-1, until_ns, last * PERIOD_NS)):
        if at_ns < whole_ns:
            parts += _demands_between(con, node_id, at_ns, whole_ns, sign)
        elif at_ns > whole_ns:
            parts += _demands_between(con, node_id, whole_ns, at_ns, -sign)
    return added(parts, DEMANDS)


def load_served(con: sqlite3.Connection, node_id: int, since_ns: int, until_ns: int) -> Block:
    """Return what became of wishes passed on at once; the ends are rounded outwards to whole periods."""
    first, end = since_ns // PERIOD_NS, -(-until_ns // PERIOD_NS)
    last = max(first, min(end, _through(con, node_id)))
    parts = _blocks(con, node_id, _SERVED, first, last)
    if last < end:
        parts.append((1, _served_between(con, node_id, last, end)))
    return added(parts, SERVED)


def forget(con: sqlite3.Connection, node_id: int, period: int) -> None:
    """What began in a period changed: its blocks, and all later ones, are to be made again."""
    con.execute(
        "UPDATE node_state SET blocks_through = ?1 WHERE node_id = ?2 AND blocks_through > ?1", (period, node_id)
    )


def extend_blocks(con: sqlite3.Connection, node_id: int, before_ns: int) -> None:
    """Make the blocks of the periods that ended by `before_ns` and have none yet, in one transaction."""
    [through] = con.execute("SELECT blocks_through FROM node_state WHERE node_id = ?", (node_id,)).fetchone()
    first, last = _oldest_period(con, node_id) if through is None else through, before_ns // PERIOD_NS
    if first is None or first >= last:
        return
    con.execute("DELETE FROM wish_block WHERE node_id = ? AND (number + 1) << 2 * level > ?", (node_id, first))
    for period in range(first, last):
        start_ns, end_ns = period * PERIOD_NS, (period + 1) * PERIOD_NS
        _store(con, node_id, _DEMANDS, 0, period, added(_demands_between(con, node_id, start_ns, end_ns), DEMANDS))
        _store(con, node_id, _SERVED, 0, period, _served_between(con, node_id, period, period + 1))
    for level, number in parents(first, last):
        for kind, columns in _KINDS.items():
            parts = _blocks_of_level(con, node_id, kind, level - 1, number * FAN_OUT, (number + 1) * FAN_OUT)
            _store(con, node_id, kind, level, number, added([(1, part) for part in parts], columns))
    con.execute("UPDATE node_state SET blocks_through = ? WHERE node_id = ?", (last, node_id))


def _through(con: sqlite3.Connection, node_id: int) -> int:
    [through] = con.execute("SELECT blocks_through FROM node_state WHERE node_id = ?", (node_id,)).fetchone()
    return through or 0


def _oldest_period(con: sqlite3.Connection, node_id: int) -> int | None:
    [oldest] = con.execute(
        f"""SELECT min(period) FROM (SELECT min(first_ns) / {PERIOD_NS} AS period FROM demand WHERE node_id = ?1
              UNION ALL SELECT min(period) FROM served WHERE node_id = ?1)""",
        (node_id,),
    ).fetchone()
    return None if oldest is None else int(oldest)


def _blocks(con: sqlite3.Connection, node_id: int, kind: int, first: int, last: int) -> list[tuple[int, Block]]:
    """Return the blocks that make up the periods [first, last), each to be added."""
    ranges = cover(first, last)
    return [(1, block) for level, a, b in ranges for block in _blocks_of_level(con, node_id, kind, level, a, b)]


def _blocks_of_level(con: sqlite3.Connection, node_id: int, kind: int, level: int, a: int, b: int) -> list[Block]:
    rows = con.execute(
        "SELECT sums FROM wish_block WHERE node_id = ? AND kind = ? AND level = ? AND number >= ? AND number < ?"
        " ORDER BY number",
        (node_id, kind, level, a, b),
    )
    return [from_bytes(stored, _KINDS[kind]) for (stored,) in rows]


def _store(con: sqlite3.Connection, node_id: int, kind: int, level: int, number: int, block: Block) -> None:
    if len(block["chan"]):
        stored = to_bytes(block, _KINDS[kind])
        con.execute("INSERT INTO wish_block VALUES (?, ?, ?, ?, ?)", (node_id, kind, level, number, stored))


def _demands_between(
    con: sqlite3.Connection, node_id: int, since_ns: int, until_ns: int, sign: int = 1
) -> list[tuple[int, Block]]:
    """Return parts that add up to the demands of a time, each to be added or taken off."""
    parts: list[tuple[int, Block]] = []
    read = 0
    while True:
        some = read_columns(con, _DEMAND, _SOME_DEMANDS, (node_id, since_ns, until_ns, _AT_ONCE, read))
        parts.append((sign, _demands_of(*some)))
        if len(some[0]) < _AT_ONCE:
            return parts
        parts = [(sign, added([(1, block) for _, block in parts], DEMANDS))]
        read += _AT_ONCE


def _demands_of(what: Ints, attempts: Ints, msat: Ints, fee_msat: Ints, amount: Ints, fee: Ints, part: Ints) -> Block:
    """Return single demands as a block in which keys are not sorted yet, nor once only."""
    is_open = what & 1
    open_fee = fee * is_open
    columns = (
        what >> 32, what >> 24 & 0xFF, what >> 16 & 0xFF, (what >> 8 & 0xFF) - 1, what >> 1 & 1,
        attempts, msat, fee_msat, np.ones_like(what), 1 - is_open,
        amount * is_open, open_fee, open_fee.astype(float) ** 2, part * is_open,
    )  # fmt: skip
    return {n: column.astype(DEMANDS[n]) for n, column in zip(DEMANDS.names or (), columns, strict=True)}


def _served_between(con: sqlite3.Connection, node_id: int, first: int, last: int) -> Block:
    rows = con.execute(
        f"SELECT {_SERVED_SUMS} FROM served WHERE node_id = ? AND period >= ? AND period < ?"
        " GROUP BY chan, amount_class",
        (node_id, first, last),
    )
    return block_of(rows.fetchall(), SERVED)
