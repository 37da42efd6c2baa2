"""How sure the told causes of refusals are, where the node itself does not say them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from lnflow.domain.causes import Outcome
from lnflow.domain.htlc import Attempt
from lnflow.domain.time import HOUR_NS


class AttributedHour(Struct, frozen=True, gc=False):
    """Refusals of one hour (since the epoch) whose cause was told: their number, and the sum of percents sure."""

    hour: int
    cause: int
    attempts: int
    percent: int


class Told:
    """Sums up how sure told refusals are; tell each of them once."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int, int], tuple[int, int]] = {}

    def add(self, attempt: Attempt, confidence: float) -> None:
        """Take an attempt and how sure its cause is, 0-1; what was not refused needs no cause."""
        if attempt.outcome is Outcome.REFUSED:
            key = ((attempt.arrived_ns or 0) // HOUR_NS, int(attempt.cause))
            count, percent = self._sums.get(key, (0, 0))
            self._sums[key] = (count + 1, percent + round(100 * confidence))

    def hours(self) -> list[AttributedHour]:
        return [AttributedHour(*key, *told) for key, told in self._sums.items()]


def replace(con: sqlite3.Connection, node_id: int, told: Iterable[AttributedHour]) -> None:
    """Say the sums of these hours and causes anew: who reads saved files reads all of them, and may do so again."""
    con.executemany(
        "INSERT OR REPLACE INTO attribution_hour VALUES (?, ?, ?, ?, ?)",
        [(node_id, t.hour, t.cause, t.attempts, t.percent) for t in told],
    )


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
