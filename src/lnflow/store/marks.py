"""Where we are and when we listened: cursors, counters, and the intervals that are covered."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping


def set_cursors(con: sqlite3.Connection, node_id: int, cursors: Mapping[str, int]) -> None:
    con.executemany(
        "INSERT INTO cursor VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        [(node_id, name, value) for name, value in cursors.items()],
    )


def cursor(con: sqlite3.Connection, node_id: int, name: str) -> int | None:
    row = con.execute("SELECT value FROM cursor WHERE node_id = ? AND name = ?", (node_id, name)).fetchone()
    return int(row[0]) if row else None


def count(con: sqlite3.Connection, node_id: int, counters: Mapping[str, int]) -> None:
    """Add to counters."""
    con.executemany(
        "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        [(node_id, name, more_of_it) for name, more_of_it in counters.items()],
    )


def counter(con: sqlite3.Connection, node_id: int, name: str) -> int:
    row = con.execute("SELECT value FROM counter WHERE node_id = ? AND name = ?", (node_id, name)).fetchone()
    return int(row[0]) if row else 0


def cover(con: sqlite3.Connection, node_id: int, source: str, since_ns: int, until_ns: int, reason: str) -> None:
    """Record that we listened; the same interval may grow later."""
    con.execute(
        """INSERT INTO coverage (node_id, source, since_ns, until_ns, reason) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (node_id, source, since_ns) DO UPDATE SET until_ns = max(until_ns, excluded.until_ns),
             reason = CASE WHEN excluded.reason <> '' THEN excluded.reason ELSE reason END""",
        (node_id, source, since_ns, until_ns, reason),
    )
