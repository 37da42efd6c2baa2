"""How sure the told causes of refusals are, where the node itself does not say them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from msgspec import Struct


class AttributedHour(Struct, frozen=True, gc=False):
    """Refusals of one hour (since the epoch) whose cause was told: their number, and the sum of percents sure."""

    hour: int
    cause: int
    attempts: int
    percent: int


def add(con: sqlite3.Connection, node_id: int, told: Iterable[AttributedHour]) -> None:
    """Add to the sums; the caller tells each refusal once."""
    con.executemany(
        "INSERT INTO attribution_hour VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET attempts = attempts + excluded.attempts, percent = percent + excluded.percent",
        [(node_id, t.hour, t.cause, t.attempts, t.percent) for t in told],
    )


def confidences(con: sqlite3.Connection, node_id: int, first: int, last: int) -> dict[int, float]:
    """Return how sure each cause is on average, 0-1, in the hours [first, last); causes never told are left out."""
    rows = con.execute(
        "SELECT cause, sum(percent), sum(attempts) FROM attribution_hour"
        " WHERE node_id = ? AND hour >= ? AND hour < ? GROUP BY cause",
        (node_id, first, last),
    )
    return {int(cause): percent / 100 / attempts for cause, percent, attempts in rows}
