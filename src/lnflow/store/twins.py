"""Rows without HTLC ids (LND before 0.19.2, CSV exports) and the rows that are the same forward.

A forward may be known twice: from the event stream with its HTLC id, and from a history without.  Rows of the
same channels and amounts whose times are close are one forward; the poorer one is marked as a twin and counts
nowhere.  What is matched follows from the set of rows alone, never from the order in which they came.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lnflow.domain.causes import Outcome
from lnflow.domain.time import SECOND_NS
from lnflow.store import rollups
from lnflow.store.rollups import Share
from lnflow.store.rows import HISTORY, IN_CHAN, OUT_CHAN, OUTCOME, RESOLVED, Columns

NEAR_NS = 2 * SECOND_NS
_WHOLE_SECOND_NS = SECOND_NS  # a time cut to the second may be that much early


def match(con: sqlite3.Connection, node_id: int, columns: Columns, has_no_id: bool) -> None:
    """Match the settled rows of a batch with what is stored around their times."""
    if not has_no_id and not _any_without_id(con, node_id):
        return
    touched: dict[tuple[int, int], list[int]] = {}
    members = (columns[n] for n in (IN_CHAN, OUT_CHAN, OUTCOME, HISTORY, RESOLVED))
    for in_chan, out_chan, outcome, history_ns, resolved_ns in zip(*members, strict=True):
        at_ns = history_ns if history_ns is not None else resolved_ns
        if outcome == Outcome.SETTLED and at_ns is not None:
            touched.setdefault((in_chan or 0, out_chan or 0), []).append(at_ns)
    _match_all(con, node_id, touched)


def match_channel(con: sqlite3.Connection, node_id: int, chan: int) -> None:
    """Match again all rows of a channel, when rows have come to it from another entry."""
    if not _any_without_id(con, node_id):
        return
    touched: dict[tuple[int, int], list[int]] = {}
    for in_chan, out_chan, at_ns in con.execute(
        """SELECT in_chan, out_chan, accounted_ns FROM attempt
           WHERE node_id = ?1 AND outcome = ?3 AND (in_chan = ?2 OR out_chan = ?2) ORDER BY accounted_ns""",
        (node_id, chan, Outcome.SETTLED),
    ):
        touched.setdefault((in_chan, out_chan), []).append(at_ns)
    _match_all(con, node_id, touched)


def _match_all(con: sqlite3.Connection, node_id: int, touched: dict[tuple[int, int], list[int]]) -> None:
    shares: list[Share] = []
    for (in_chan, out_chan), times in touched.items():
        for since_ns, until_ns in _clusters(sorted(times)):
            shares += _match_cluster(con, node_id, in_chan, out_chan, since_ns, until_ns)
    rollups.fold(con, node_id, shares)


def _any_without_id(con: sqlite3.Connection, node_id: int) -> bool:
    return (
        con.execute(
            "SELECT 1 FROM attempt INDEXED BY attempt_without_id WHERE node_id = ? AND in_htlc_id IS NULL LIMIT 1",
            (node_id,),
        ).fetchone()
        is not None
    )


def _clusters(times: Sequence[int]) -> list[tuple[int, int]]:
    """Return intervals around the times that are further apart than any match can be."""
    reach_ns = NEAR_NS + _WHOLE_SECOND_NS
    clusters: list[tuple[int, int]] = []
    for at_ns in times:
        if clusters and at_ns - clusters[-1][1] <= reach_ns:
            clusters[-1] = (clusters[-1][0], at_ns)
        else:
            clusters.append((at_ns, at_ns))
    return clusters


def _match_cluster(
    con: sqlite3.Connection, node_id: int, in_chan: int, out_chan: int, since_ns: int, until_ns: int
) -> list[Share]:
    """Mark the twins among a cluster's rows; return what changes in the rollups."""
    reach_ns = NEAR_NS + _WHOLE_SECOND_NS
    while True:  # grow until nothing stored is within reach of the ends
        rows = con.execute(
            """SELECT attempt_id, in_htlc_id, amount_in_msat, amount_out_msat, accounted_ns, ordinal, twin
               FROM attempt WHERE node_id = ? AND accounted_ns BETWEEN ? AND ? AND in_chan = ? AND out_chan = ?
                 AND outcome = ?""",
            (node_id, since_ns - reach_ns, until_ns + reach_ns, in_chan, out_chan, Outcome.SETTLED),
        ).fetchall()
        times = [r[4] for r in rows]
        if not times or (min(times) >= since_ns and max(times) <= until_ns):
            break
        since_ns, until_ns = min(since_ns, *times), max(until_ns, *times)
    here = {r[0] for r in rows}
    # The twin of a row that was pruned stays one: the totals have its forward.
    rows = [r for r in rows if r[6] is None or r[6] in here or _is_stored(con, r[6])]
    before = {r[0]: r[6] for r in rows}
    after = _pair_up(rows)
    shares: list[Share] = []
    for attempt_id, twin in before.items():
        now = after.get(attempt_id)
        if twin == now:
            continue
        if twin is None:
            shares += rollups.shares_of(con, -1, "a.attempt_id = ?", (attempt_id,))
        con.execute("UPDATE attempt SET twin = ? WHERE attempt_id = ?", (now, attempt_id))
        if now is None:
            shares += rollups.shares_of(con, 1, "a.attempt_id = ?", (attempt_id,))
    return shares


def _pair_up(
    rows: Sequence[tuple[int, int | None, int | None, int | None, int, int, int | None]],
) -> dict[int, int]:
    """Return which row is a twin of which.

    Rows with an HTLC id come first, then exact times, then whole seconds (their ordinal counts from 0, exact
    ones are told apart by the nanosecond): each later kind looks for a free partner among the earlier.
    """
    kinds: list[list[tuple[int, int | None, int | None, int | None, int, int, int | None]]] = [[], [], []]
    for row in rows:
        if row[1] is not None:
            kinds[0].append(row)
        else:
            kinds[2 if row[4] % SECOND_NS == 0 else 1].append(row)
    result: dict[int, int] = {}
    earlier: list[tuple[int, int | None, int | None, int | None, int, int, int | None]] = []
    for kind, members in enumerate(kinds):
        free = sorted(earlier, key=lambda r: (r[4], r[1] if r[1] is not None else -1, r[5]))
        taken: set[int] = set()
        for row in sorted(members, key=lambda r: (r[4], r[5])):
            partner = next((o for o in free if o[0] not in taken and _same_forward(o, row, whole=kind == 2)), None)
            if partner is None:
                continue
            taken.add(partner[0])
            if partner[2] is None or partner[3] is None:
                result[partner[0]] = row[0]  # the id'd row has no amounts: the history's row says more
            else:
                result[row[0]] = partner[0]
        if kind > 0:
            members = [m for m in members if m[0] not in result]
        # A row that found its partner may find another in the next kind: one forward, known three times.
        earlier = [o for o in earlier if o[0] not in result] + members
    return result


def _is_stored(con: sqlite3.Connection, attempt_id: int) -> bool:
    return con.execute("SELECT 1 FROM attempt WHERE attempt_id = ?", (attempt_id,)).fetchone() is not None


def _same_forward(
    one: tuple[int, int | None, int | None, int | None, int, int, int | None],
    other: tuple[int, int | None, int | None, int | None, int, int, int | None],
    *,
    whole: bool,
) -> bool:
    late_ns = one[4] - other[4]
    if not -NEAR_NS <= late_ns <= NEAR_NS + (_WHOLE_SECOND_NS if whole else 0):
        return False
    return all(a is None or b is None or a == b for a, b in ((one[2], other[2]), (one[3], other[3])))
