"""The two estimates that ours is set beside: the naive sum, and what a careful operator would script in an hour."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from pathlib import Path

from msgspec import Struct

from lnflow.domain.amounts import amount_class
from lnflow.domain.causes import Cause, Outcome, Problem
from lnflow.domain.time import MINUTE_NS

Key = tuple[str, Problem]
_COLLAPSE_NS = 15 * MINUTE_NS
_LATER_NS = 60 * MINUTE_NS
_ALIKE = 0.02
_PROBLEMS = {
    Cause.INSUFFICIENT_BALANCE: Problem.LIQUIDITY,
    Cause.HTLC_EXCEEDS_MAX: Problem.SIZE,
    Cause.UNKNOWN_NEXT_PEER: Problem.OFFLINE,
    Cause.LINK_NOT_ELIGIBLE: Problem.OFFLINE,
    Cause.FEE_INSUFFICIENT: Problem.FEE,
}


class Row(Struct, frozen=True, gc=False):
    """One stored attempt with the peers instead of the channels."""

    arrived_ns: int
    in_peer: str
    out_peer: str
    amount_out_msat: int
    fee_msat: int
    outcome: int
    cause: int


def attempts(path: Path) -> list[Row]:
    """Return the attempts of a store that carry amounts, in order of arrival."""
    with sqlite3.connect(path) as con:
        peer = dict(con.execute("SELECT channel_id, pubkey FROM channel JOIN peer USING (peer_id)"))
        rows = con.execute(
            "SELECT arrived_ns, in_chan, out_chan, amount_out_msat, amount_in_msat - amount_out_msat, outcome, cause"
            " FROM attempt WHERE arrived_ns IS NOT NULL AND amount_in_msat IS NOT NULL AND twin IS NULL"
            " ORDER BY arrived_ns, attempt_id"
        ).fetchall()
    con.close()
    return [Row(at, peer[i], peer[o], out, max(fee, 0), n, c) for at, i, o, out, fee, n, c in rows if o in peer]


def naive(rows: list[Row]) -> dict[Key, float]:
    """Return the plain sum of the fees that refused attempts offered."""
    sums: dict[Key, float] = defaultdict(float)
    for row in rows:
        problem = _problem(row)
        if problem is not None:
            sums[row.out_peer, problem] += row.fee_msat
    return sums


def plain(rows: list[Row]) -> dict[Key, float]:
    """Collapse repeats within 15 minutes, take off later successes, times the settle chance by peer and amount."""
    passed: dict[tuple[str, str], list[Row]] = defaultdict(list)
    ends: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        if row.outcome in (Outcome.SETTLED, Outcome.DOWNSTREAM):
            ends[row.out_peer, amount_class(row.amount_out_msat)][row.outcome == Outcome.SETTLED] += 1
        if row.outcome == Outcome.SETTLED:
            passed[row.in_peer, row.out_peer].append(row)
    last: dict[tuple[str, str, Problem], list[Row]] = defaultdict(list)
    sums: dict[Key, float] = defaultdict(float)
    for row in rows:
        problem = _problem(row)
        if problem is None:
            continue
        seen = last[row.in_peer, row.out_peer, problem]
        repeated = any(row.arrived_ns - r.arrived_ns < _COLLAPSE_NS and _alike(r, row) for r in reversed(seen[-50:]))
        seen.append(row)
        later = passed[row.in_peer, row.out_peer]
        if repeated or any(0 <= r.arrived_ns - row.arrived_ns < _LATER_NS and _alike(r, row) for r in later):
            continue
        failed, settled = ends[row.out_peer, amount_class(row.amount_out_msat)]
        sums[row.out_peer, problem] += row.fee_msat * (settled + 1) / (settled + failed + 2)
    return sums


def _problem(row: Row) -> Problem | None:
    return _PROBLEMS.get(Cause(row.cause)) if row.outcome == Outcome.REFUSED else None


def _alike(one: Row, other: Row) -> bool:
    return abs(one.amount_out_msat - other.amount_out_msat) <= _ALIKE * max(one.amount_out_msat, other.amount_out_msat)
