"""What became of a peer since a time: the rows by which advice is followed up and its effect measured."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lnflow.domain.causes import Outcome
from lnflow.domain.time import HOUR_NS
from lnflow.store.advice_ledger import StoredAdvice, load_advice

HOURS_A_DAY = 24


class StoredFollowing:
    """Questions about one node's ledger, and about what happened since."""

    def __init__(self, con: sqlite3.Connection, node_id: int) -> None:
        self._con = con
        self._node_id = node_id

    def ledger(self) -> list[StoredAdvice]:
        """Return all that was ever advised, the oldest first."""
        return load_advice(self._con, self._node_id)

    def balances_since(self, chans: Sequence[int], since_ns: int) -> list[tuple[int, int, int]]:
        """Return time, channel and our balance of every listing after a time."""
        return self._con.execute(
            f"""SELECT at_ns, chan, local_msat FROM channel_snapshot
                WHERE node_id = ? AND chan IN ({_numbers(chans)}) AND at_ns > ? ORDER BY 1, 2""",
            (self._node_id, since_ns),
        ).fetchall()

    def moves_since(self, chans: Sequence[int], since_ns: int) -> list[tuple[int, int]] | None:
        """Return when settled forwards changed our balance in these channels, and by how much.

        None if not all of their rows are kept.
        """
        raw_since_ns = self._con.execute(
            "SELECT raw_since_ns FROM node_state WHERE node_id = ?", (self._node_id,)
        ).fetchone()[0]
        if raw_since_ns is not None and since_ns < raw_since_ns:
            return None
        settled = f"node_id = ?1 AND accounted_ns > ?2 AND outcome = {Outcome.SETTLED:d} AND twin IS NULL"
        return self._con.execute(
            f"""SELECT accounted_ns, amount_in_msat FROM attempt
                  WHERE {settled} AND in_chan IN ({_numbers(chans)}) AND amount_in_msat IS NOT NULL
                UNION ALL SELECT accounted_ns, -amount_out_msat FROM attempt
                  WHERE {settled} AND out_chan IN ({_numbers(chans)}) AND amount_out_msat IS NOT NULL
                ORDER BY 1""",
            (self._node_id, since_ns),
        ).fetchall()

    def first_listed(self, chans: Sequence[int]) -> dict[int, int]:
        """Return when each channel was listed first; those never listed are left out."""
        return dict(
            self._con.execute(
                f"SELECT chan, min(at_ns) FROM channel_snapshot WHERE node_id = ? AND chan IN ({_numbers(chans)})"
                " GROUP BY chan",
                (self._node_id,),
            ).fetchall()
        )

    def daily_income(self, origin_ns: int, days_before: int, days_after: int) -> list[tuple[int, int, int]]:
        """Return channel, day and what it earned; day 0 begins at `origin_ns` (a whole hour), day -1 ends there."""
        origin = origin_ns // HOUR_NS
        first, last = origin - days_before * HOURS_A_DAY, origin + days_after * HOURS_A_DAY
        return self._con.execute(
            f"""SELECT chan, (hour - ?2) / {HOURS_A_DAY} - ?4, sum(earned_msat) FROM channel_hour
                WHERE node_id = ?1 AND hour >= ?2 AND hour < ?3 AND earned_msat <> 0 GROUP BY 1, 2""",
            (self._node_id, first, last, days_before),
        ).fetchall()


def _numbers(chans: Sequence[int]) -> str:
    return ", ".join(str(int(c)) for c in chans)
