"""Sums over a window of what passed each channel and of what we refused, from totals, hours and raw rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import numpy as np

from lnflow.domain.causes import Outcome
from lnflow.store import rollups
from lnflow.store.records import CauseRow, FlowRow, RefusalRow
from lnflow.store.totals import (
    FLOW_COLUMNS,
    FLOWS,
    OUT_COLUMNS,
    REFUSALS,
    Ints,
    Kind,
    Sums,
    added,
    load_total,
    signed,
    sums_of_hours,
)
from lnflow.store.windows import Plan


def flows(con: sqlite3.Connection, node_id: int, plan: Plan, chan: int | None) -> list[FlowRow]:
    """Return the sums of each channel; channels without any traffic are left out."""
    shares = _shares(con, node_id, plan, chan)
    came, left = _counted(shares)
    raw = np.concatenate([_rows(shares[_IN], came, FLOW_COLUMNS), _rows(shares[_OUT], left, FLOW_COLUMNS)])
    return [FlowRow(*row) for row in _sums(con, node_id, plan, FLOWS, FLOW_COLUMNS, raw, chan).tolist()]


def refusals(con: sqlite3.Connection, node_id: int, plan: Plan, chan: int | None) -> list[RefusalRow]:
    """Return our refusals by outgoing channel and cause."""
    rows = _refused(con, node_id, plan, _shares(con, node_id, plan, chan), chan)
    return [RefusalRow(*row) for row in rows.tolist()]


def departures(con: sqlite3.Connection, node_id: int, plan: Plan) -> tuple[dict[str, Ints], list[CauseRow]]:
    """Return the outgoing half of `flows`, as columns, and our refusals by cause."""
    shares = _shares(con, node_id, plan, None)
    raw = _rows(shares[_OUT], _counted(shares)[1], OUT_COLUMNS)
    rows = _sums(con, node_id, plan, FLOWS, OUT_COLUMNS, raw, None)
    by_cause = added([_refused(con, node_id, plan, shares, None)[:, 1:]], keys=1)
    return dict(zip(("chan", *OUT_COLUMNS), rows.T, strict=True)), [CauseRow(*row) for row in by_cause.tolist()]


_SIGN, _, _IN, _OUT, _OUTCOME, _CAUSE, _LIVE, _AMOUNT_IN, _AMOUNT_OUT, _FEE = range(10)


def _counted(shares: Ints) -> tuple[dict[str, Ints], dict[str, Ints]]:
    return rollups.counted(*(shares[n] for n in (_SIGN, _OUTCOME, _LIVE, _AMOUNT_IN, _AMOUNT_OUT, _FEE)))


def _rows(chan: Ints, counted: Mapping[str, Ints], columns: Sequence[str]) -> Sums:
    rows = np.zeros((1 + len(columns), len(chan)), np.int64)
    rows[0] = chan
    for n, name in enumerate(columns, start=1):
        if name in counted:
            rows[n] = counted[name]
    return rows.T


def _refused(con: sqlite3.Connection, node_id: int, plan: Plan, shares: Ints, chan: int | None) -> Sums:
    sign, out_chan, cause, msat, fee_msat = (shares[n] for n in (_SIGN, _OUT, _CAUSE, _AMOUNT_OUT, _FEE))
    raw = np.stack([out_chan, cause, sign, sign * msat, sign * fee_msat], axis=1)
    raw = raw[shares[_OUTCOME] == Outcome.REFUSED]
    return _sums(con, node_id, plan, REFUSALS, REFUSALS.columns, raw, chan)


def _sums(
    con: sqlite3.Connection,
    node_id: int,
    plan: Plan,
    kind: Kind,
    columns: Sequence[str],
    raw: Sums,
    chan: int | None,
) -> Sums:
    """Return some columns of the sums of all channels or of one; `raw` is what lies between the hours and the ends."""
    keys = len(kind.keys)
    parts = []
    for total in plan.totals:
        rows = load_total(con, node_id, kind, total.period, chan)
        if columns != kind.columns:
            rows = rows[:, [*range(keys), *map(kind.names.index, columns)]]
        parts.append(signed(total.sign, rows, keys))
    for part in plan.hours:
        rows = sums_of_hours(con, node_id, kind, part.first, part.last, columns=columns, chan=chan)
        parts.append(signed(part.sign, rows, keys))
    parts.append(raw if chan is None else raw[raw[:, 0] == chan])
    return added(parts, keys)


def _shares(con: sqlite3.Connection, node_id: int, plan: Plan, chan: int | None) -> Ints:
    """Return the columns of the shares of the raw rows at the window's ends, of all channels or of one."""
    when = "node_id = ? AND accounted_ns >= ? AND accounted_ns < ?"
    if chan is not None:  # both directions in one look, at the index alone
        one = f"(in_chan = {chan:d} OR out_chan = {chan:d})"
        when = f"attempt_id IN (SELECT attempt_id FROM attempt WHERE {when} AND {one})"
    return rollups.shares_read(con, when, [(part.sign, (node_id, part.since_ns, part.until_ns)) for part in plan.raw])
