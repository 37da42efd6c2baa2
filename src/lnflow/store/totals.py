"""Running totals: sums over everything before a period, so that any window costs two look-ups, not one a channel.

The totals of 64 channels are one value: a table of whole numbers, since row by row SQLite takes microseconds each.
Those up to the period `totals_through` are right; a period has them, of all channels, if the one before changed any.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from lnflow.store.columns import read_columns
from lnflow.store.windows import PERIOD_H

Ints = NDArray[np.int64]
Sums = NDArray[np.int64]
"""Rows of keys and sums, sorted by the keys, without two of the same."""


class Kind(Struct, frozen=True, kw_only=True):
    """What is summed: the rollup by hour it follows from, and the columns of a row."""

    number: int
    hours: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of a row: keys first."""
        return self.keys + self.columns


IN_COLUMNS = (
    "in_settled", "in_settled_msat", "sourced_msat", "in_settled_live", "in_downstream", "in_refused",
    "in_refused_fee_msat", "in_pending",
)  # fmt: skip
OUT_COLUMNS = (
    "out_settled", "out_settled_msat", "earned_msat", "out_settled_live", "out_downstream", "out_downstream_msat",
    "out_downstream_fee_msat", "out_refused", "out_refused_msat", "out_refused_fee_msat", "out_pending",
)  # fmt: skip
FLOW_COLUMNS = IN_COLUMNS + OUT_COLUMNS
FLOWS = Kind(number=0, hours="channel_hour", keys=("chan",), columns=FLOW_COLUMNS)
REFUSALS = Kind(number=1, hours="refusal_hour", keys=("chan", "cause"), columns=("attempts", "msat", "fee_msat"))

_CHANNELS = 64  # in one value: 10 kB of flows; one channel costs little, and all take few rows
_KEY_BITS = 8  # of each key but the first
_TWO_63 = 1 << 63


def added(parts: Sequence[Sums], keys: int) -> Sums:
    """Return the sums of rows by their first columns; rows that count for nothing are left out.

    `OverflowError` if a sum takes more than 63 bits: not real, but a peer can say so.
    """
    rows = np.concatenate(parts)
    if not len(rows):
        return rows
    key = rows[:, 0]
    for more in range(1, keys):
        key = (key << _KEY_BITS) + rows[:, more]
    order = np.argsort(key, kind="stable")
    rows, key = rows.take(order, axis=0), key.take(order)
    starts = np.flatnonzero(np.diff(key, prepend=-1) > 0)
    values = rows[:, keys:]
    if int(np.abs(values).max()) * len(values) >= _TWO_63:  # exact sums as slow Python integers
        values = values.astype(object)
    sums = np.add.reduceat(values, starts)
    if sums.dtype == object and max(abs(total) for total in sums.flat) >= _TWO_63:
        raise OverflowError("integer overflow: a sum over a window takes more than 63 bits")
    found = np.concatenate((rows[starts, :keys], sums.astype(np.int64)), axis=1)
    return found.compress(sums.any(axis=1), axis=0)


def signed(sign: int, rows: Sums, keys: int) -> Sums:
    """Return rows as they are to be added (1) or taken off (-1)."""
    return rows if sign > 0 else np.concatenate((rows[:, :keys], -rows[:, keys:]), axis=1)


def load_total(con: sqlite3.Connection, node_id: int, kind: Kind, period: int, chan: int | None = None) -> Sums:
    """Return the sums of all that was before a period, of all channels or of one."""
    parts = con.execute(
        f"""SELECT sums FROM running_total WHERE node_id = ?1 AND kind = ?2 AND period = (SELECT max(period)
              FROM running_total WHERE node_id = ?1 AND kind = ?2 AND period <= ?3)
            {"" if chan is None else "AND part = ?4"} ORDER BY part""",
        (node_id, kind.number, period, *(() if chan is None else (chan // _CHANNELS,))),
    )
    rows = np.frombuffer(b"".join([sums for (sums,) in parts]), "<i8").reshape(-1, len(kind.names))
    return rows if chan is None else rows[rows[:, 0] == chan]


def sums_of_hours(
    con: sqlite3.Connection,
    node_id: int,
    kind: Kind,
    first: int,
    last: int,
    *,
    columns: Sequence[str],
    chan: int | None = None,
) -> Sums:
    """Return the sums of the hours [first, last), of all channels or of one; of few hours each by itself."""
    when, bounds = "hour >= ? AND hour < ?", (node_id, first, last)
    if chan is not None:  # each hour is a step into the index
        when = f"hour IN ({', '.join(str(hour) for hour in range(first, last))}) AND ? <= ? AND chan = {chan:d}"
    source = f"FROM {kind.hours} WHERE node_id = ? AND {when}"
    if last - first >= PERIOD_H:  # a table of many hours must not come into memory
        keys, sums = ", ".join(kind.keys), ", ".join(f"sum({name}) AS {name}" for name in columns)
        source = f"FROM (SELECT {keys}, {sums} {source} GROUP BY {keys})"
    return read_columns(con, (*kind.keys, *columns), source, bounds).T


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
    con.execute("DELETE FROM running_total WHERE node_id = ? AND period > ?", (node_id, base))
    for kind in (FLOWS, REFUSALS):
        _extend(con, node_id, kind, base, target)
    con.execute("UPDATE node_state SET totals_through = ? WHERE node_id = ?", (target, node_id))


def _extend(con: sqlite3.Connection, node_id: int, kind: Kind, base: int, target: int) -> None:
    """Write the totals after every period from `base` to `target` in which something changed."""
    changed = con.execute(
        f"SELECT DISTINCT hour / {PERIOD_H} FROM {kind.hours} WHERE node_id = ? AND hour >= ? AND hour < ? ORDER BY 1",
        (node_id, base * PERIOD_H, target * PERIOD_H),
    ).fetchall()
    total = load_total(con, node_id, kind, base)
    for (period,) in changed:
        first = period * PERIOD_H
        change = sums_of_hours(con, node_id, kind, first, first + PERIOD_H, columns=kind.columns)
        total = added([total, change], len(kind.keys))
        part = total[:, 0] // _CHANNELS
        starts = np.flatnonzero(np.diff(part, prepend=-1))
        tables = np.split(total.astype("<i8"), starts[1:])
        con.executemany(
            "INSERT INTO running_total VALUES (?, ?, ?, ?, ?)",
            [
                (node_id, kind.number, period + 1, number, table.tobytes())
                for number, table in zip(part[starts].tolist(), tables, strict=True)
            ],
        )
