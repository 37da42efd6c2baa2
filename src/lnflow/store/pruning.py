"""Forgetting raw rows: totals, demands and one balance a day and channel stay."""

from __future__ import annotations

import sqlite3

from lnflow.domain.demand import PERIOD_NS
from lnflow.domain.time import DAY_NS

_ROWS = 5_000  # a transaction; readers and the stream's batches come between


def prune_chunk(con: sqlite3.Connection, node_id: int, before_ns: int) -> tuple[int, int | None]:
    """Delete some rows; from then on windows older than the oldest row left are answered by rollups.

    Return how many were deleted, and from when on raw rows are whole now; None if nothing was to be deleted.
    """
    # Pending ones stay: they may still end, and then count in the hour of their end.
    last = con.execute(
        """SELECT max(accounted_ns) FROM (SELECT accounted_ns FROM attempt WHERE node_id = ? AND accounted_ns < ?
             AND outcome <> 0 ORDER BY accounted_ns LIMIT ?)""",
        (node_id, before_ns, _ROWS),
    ).fetchone()[0]
    if last is None:
        return 0, None
    # Whole periods only: demands are made again from all rows of their period, or not at all.
    until_ns = min(before_ns, (last // PERIOD_NS + 1) * PERIOD_NS)
    con.execute(
        "UPDATE node_state SET raw_since_ns = max(coalesce(raw_since_ns, 0), ?) WHERE node_id = ?",
        (until_ns, node_id),
    )
    deleted = con.execute(
        """DELETE FROM attempt WHERE attempt_id IN (SELECT attempt_id FROM attempt
             WHERE node_id = ? AND accounted_ns < ? AND outcome <> 0 ORDER BY accounted_ns LIMIT ?)""",
        (node_id, until_ns, _ROWS),
    ).rowcount
    return deleted, until_ns


def thin_balances(con: sqlite3.Connection, node_id: int, before_ns: int) -> None:
    """Of older balances keep the last one of each day and channel."""
    con.execute(
        f"""DELETE FROM channel_snapshot WHERE node_id = ?1 AND at_ns < ?2 AND (chan, at_ns) NOT IN (
              SELECT chan, max(at_ns) FROM channel_snapshot WHERE node_id = ?1 AND at_ns < ?2
              GROUP BY chan, at_ns / {DAY_NS})""",
        (node_id, before_ns),
    )
