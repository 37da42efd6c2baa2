"""The rollups and how the shares of attempts are folded into them, a batch at a time.

A share is what one attempt counts for, put in (sign 1) or taken out (-1).  Sums are formed by numpy, which takes
a tenth of the time of SQL's GROUP BY; only the groups that change are written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lnflow.domain.causes import Outcome
from lnflow.domain.time import HOUR_NS
from lnflow.store import bulk
from lnflow.store.columns import read_columns
from lnflow.store.rows import AMOUNT_IN, AMOUNT_OUT, CAUSE, IN_CHAN, LIVE, OUT_CHAN, OUTCOME, Column, Columns
from lnflow.store.windows import PERIOD_H

Ints = NDArray[np.int64]

Share = tuple[int, int, int, int, int, int, int, int, int, int]
"""sign, hour, in_chan, out_chan, outcome, cause, live, amount_in_msat, amount_out_msat, fee_msat"""

_SHARE_COLUMNS = 10
# The fee a sender offered; 0 where an amount is unknown or nothing was offered.
_SHARE = f"""a.accounted_ns / {HOUR_NS}, a.in_chan, a.out_chan, a.outcome, a.cause, a.live,
  coalesce(a.amount_in_msat, 0), coalesce(a.amount_out_msat, 0),
  max(coalesce(a.amount_in_msat - a.amount_out_msat, 0), 0)"""
_NOT_KNOWN = -1
_SHARE_IN_BRIEF = (  # in few values, since each takes its time to be read
    "(a.in_chan << 36) + (a.out_chan << 12) + (a.outcome << 9) + (a.cause << 1) + a.live",
    f"coalesce(a.amount_in_msat, {_NOT_KNOWN})",
    f"coalesce(a.amount_out_msat, {_NOT_KNOWN})",
)
_WHOLE = (IN_CHAN, OUT_CHAN, OUTCOME, CAUSE, LIVE)
_TWO_63 = 1 << 63
_MOST_CODE = 1 << 62


def shares_of(con: sqlite3.Connection, sign: int, where: str, params: Sequence[int] = ()) -> list[Share]:
    """Return the shares of the stored attempts `a` that satisfy `where`; twins have none."""
    return con.execute(
        f"SELECT {sign:d}, {_SHARE} FROM attempt a WHERE a.twin IS NULL AND ({where})", params
    ).fetchall()


def shares_of_new(columns: Columns, accounted_ns: Column) -> Ints:
    """Return the shares of rows that were just inserted, with when each is accounted."""
    in_chan, out_chan, outcome, cause, live, hour = (
        np.array(column, np.int64) for column in (*(columns[n] for n in _WHOLE), accounted_ns)
    )
    amount_in, amount_out = (
        np.array([_NOT_KNOWN if msat is None else msat for msat in columns[n]], np.int64)
        for n in (AMOUNT_IN, AMOUNT_OUT)
    )
    return np.stack(
        (np.ones_like(hour), hour // HOUR_NS, in_chan, out_chan, outcome, cause, live, *_amounts(amount_in, amount_out))
    )


def shares_read(con: sqlite3.Connection, where: str, parts: Iterable[tuple[int, Sequence[int]]]) -> Ints:
    """Return `shares_of` column by column, without their hours (0); parts are signs with the parameters of `where`."""
    found = [np.zeros((_SHARE_COLUMNS, 0), np.int64)]
    source = f"FROM attempt a WHERE a.twin IS NULL AND ({where})"
    for sign, params in parts:
        what, amount_in, amount_out = read_columns(con, _SHARE_IN_BRIEF, source, params)
        columns = np.zeros((_SHARE_COLUMNS, len(what)), np.int64)
        columns[0], columns[2], columns[3] = sign, what >> 36, what >> 12 & 0xFFFFFF
        columns[4], columns[5], columns[6] = what >> 9 & 7, what >> 1 & 0xFF, what & 1
        columns[7:] = _amounts(amount_in, amount_out)
        found.append(columns)
    return np.concatenate(found, axis=1)


def _amounts(amount_in: Ints, amount_out: Ints) -> tuple[Ints, Ints, Ints]:
    """Return both amounts and the fee that was offered, 0 for what is not known."""
    fee = np.where((amount_in < 0) | (amount_out < 0), 0, np.maximum(amount_in - amount_out, 0))
    return np.maximum(amount_in, 0), np.maximum(amount_out, 0), fee


def fold(con: sqlite3.Connection, node_id: int, shares: Sequence[Share], of_new: Ints | None = None) -> None:
    """Fold shares into the rollups; then the running totals above their first hour are stale."""
    count = len(shares) * _SHARE_COLUMNS
    columns = np.fromiter(chain.from_iterable(shares), np.int64, count).reshape(-1, _SHARE_COLUMNS).T
    if of_new is not None:
        columns = np.concatenate((columns, of_new), axis=1)
    if not columns.size:
        return
    sign, hour, in_chan, out_chan, outcome, cause, live, amount_in, amount_out, fee = np.ascontiguousarray(columns)
    if max(int(amount_in.max()), int(amount_out.max())) * len(sign) >= _TWO_63:
        # Not real, but a peer can say so: exact sums as slow Python integers; SQLite judges what is too large.
        amount_in, amount_out, fee = (x.astype(object) for x in (amount_in, amount_out, fee))
    came, left = counted(sign, outcome, live, amount_in, amount_out, fee)
    none = np.zeros_like(sign)
    sides = {name: (values, none) for name, values in came.items()}
    sides |= {name: (none, values) for name, values in left.items()}
    _add(
        con,
        node_id,
        "channel_hour",
        {"hour": np.concatenate((hour, hour)), "chan": np.concatenate((in_chan, out_chan))},
        {name: np.concatenate(both) for name, both in sides.items()},
    )
    sums = {"attempts": sign, "msat": sign * amount_out, "fee_msat": sign * fee}
    ours = outcome == Outcome.REFUSED
    _add(
        con,
        node_id,
        "refusal_hour",
        {"hour": hour[ours], "chan": out_chan[ours], "cause": cause[ours]},
        {name: values[ours] for name, values in sums.items()},
    )
    day = hour // 24
    _add(
        con,
        node_id,
        "pair_day",
        {"day": day, "in_chan": in_chan, "out_chan": out_chan, "outcome": outcome, "cause": cause},
        sums,
    )
    con.execute(
        "UPDATE node_state SET totals_through = ?1 WHERE node_id = ?2 AND totals_through > ?1",
        (int(hour.min()) // PERIOD_H, node_id),
    )


def counted(
    sign: Ints, outcome: Ints, live: Ints, amount_in: Ints, amount_out: Ints, fee: Ints
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Return what shares count for the channels they came in by, and for those they were to leave by, by column."""
    settled, downstream, refused = (
        sign * (outcome == o) for o in (Outcome.SETTLED, Outcome.DOWNSTREAM, Outcome.REFUSED)
    )
    pending = sign * (outcome <= Outcome.UNRESOLVED)
    came = {
        "in_settled": settled,
        "in_settled_msat": settled * amount_in,
        "sourced_msat": settled * fee,
        "in_settled_live": settled * live,
        "in_downstream": downstream,
        "in_refused": refused,
        "in_refused_fee_msat": refused * fee,
        "in_pending": pending,
    }
    left = {
        "out_settled": settled,
        "out_settled_msat": settled * amount_out,
        "earned_msat": settled * fee,
        "out_settled_live": settled * live,
        "out_downstream": downstream,
        "out_downstream_msat": downstream * amount_out,
        "out_downstream_fee_msat": downstream * fee,
        "out_refused": refused,
        "out_refused_msat": refused * amount_out,
        "out_refused_fee_msat": refused * fee,
        "out_pending": pending,
    }
    return came, left


def _add(con: sqlite3.Connection, node_id: int, table: str, keys: dict[str, Ints], values: dict[str, Ints]) -> None:
    names = ("node_id", *keys, *values)
    adds = ", ".join(f"{name} = {name} + excluded.{name}" for name in values)
    groups = _grouped(list(keys.values()), list(values.values()))
    bulk.insert(
        con,
        f"{table} ({', '.join(names)})",
        [node_id, *groups],
        on_conflict=f"ON CONFLICT DO UPDATE SET {adds}",
    )


def _grouped(keys: Sequence[Ints], values: Sequence[Ints]) -> list[list[int]]:
    """Return each combination of keys, in order, with its sums, in columns; those that change nothing are left out."""
    if not len(keys[0]):
        return [[] for _ in (*keys, *values)]
    code = _codes(keys)
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sums = [np.add.reduceat(v[order], starts) for v in values]
    changed = np.logical_or.reduce([s != 0 for s in sums])
    first = order[starts]
    return [k[first][changed].tolist() for k in keys] + [s[changed].tolist() for s in sums]


def _codes(keys: Sequence[Ints]) -> Ints:
    """Return one number for each combination of keys, in their order."""
    code = np.zeros(len(keys[0]), np.int64)
    most = 1
    for key in keys:
        low = int(key.min())
        width = int(key.max()) - low + 1
        if most * width > _MOST_CODE:  # number what there is
            code, key = (np.unique(x, return_inverse=True)[1] for x in (code, key))
            most = width = len(code)
            low = 0
        code = code * width + (key - low)
        most *= width
    return code
