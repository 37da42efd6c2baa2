"""What our channels earned at which price, and bucket by bucket: for `revenue_max` and for rollbacks.

Bare figures by channel point; which of them count as evidence is `pricing`'s to say.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from lnflow.domain.time import HOUR_NS
from lnflow.store.database import explained, open_reader

PERIOD_H = 6


class PriceSpan(Struct, frozen=True, kw_only=True, gc=False):
    """One stretch of time at one price, as far as whole hours tell."""

    channel_point: str
    fee_ppm: int
    since_ns: int
    until_ns: int
    forwards: int
    earned_msat: int


class PeriodRow(Struct, frozen=True, gc=False):
    """What one channel earned in six hours (period = hours since the epoch ÷ 6)."""

    channel_point: str
    peer_id: int | None
    period: int
    forwards: int
    earned_msat: int


class PriceHistory:
    """Reading the price history of one node."""

    def __init__(self, path: Path, node_id: int) -> None:
        self.path = path
        self._node_id = node_id
        self._con: sqlite3.Connection = open_reader(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    def spans(self, since_ns: int, now_ns: int) -> list[PriceSpan]:
        """Return the stretches at each outbound price, oldest first.

        The hour in which a price changed is left out: part of it was at the other price.
        """
        with explained(self.path):
            rows = self._con.execute(
                f"""WITH priced AS (
                     SELECT chan, fee_ppm, since_ns,
                       lag(fee_ppm) OVER (PARTITION BY chan ORDER BY since_ns) AS before
                     FROM policy WHERE node_id = ?1 AND side = 0 AND since_ns < ?3),
                   span AS (
                     SELECT chan, fee_ppm, max(since_ns, ?2) AS since_ns,
                       coalesce(lead(since_ns) OVER (PARTITION BY chan ORDER BY since_ns), ?3) AS until_ns
                     FROM priced WHERE before IS NULL OR before <> fee_ppm)
                   SELECT c.channel_point, s.fee_ppm, s.since_ns, s.until_ns, coalesce(sum(h.out_settled), 0),
                     coalesce(sum(h.earned_msat), 0)
                   FROM span s JOIN channel c ON c.channel_id = s.chan
                   LEFT JOIN channel_hour h ON h.node_id = ?1 AND h.chan = s.chan
                     AND h.hour >= (s.since_ns + {HOUR_NS - 1}) / {HOUR_NS} AND h.hour < s.until_ns / {HOUR_NS}
                   WHERE s.until_ns > s.since_ns AND c.channel_point IS NOT NULL
                   GROUP BY s.chan, s.since_ns ORDER BY s.since_ns""",
                (self._node_id, since_ns, now_ns),
            ).fetchall()
        return [
            PriceSpan(channel_point=p, fee_ppm=ppm, since_ns=a, until_ns=b, forwards=n, earned_msat=e)
            for p, ppm, a, b, n, e in rows
        ]

    def price_changes(self, now_ns: int) -> dict[str, int]:
        """Return when each channel's terms last changed, by whomever; the first sight of a policy is no change."""
        with explained(self.path):
            rows = self._con.execute(
                """WITH seen AS (
                     SELECT chan, since_ns, fee_ppm || '/' || base_fee_msat || '/' || inbound_fee_ppm || '/' ||
                       inbound_base_fee_msat || '/' || time_lock_delta || '/' || min_htlc_msat || '/' ||
                       coalesce(max_htlc_msat, '') AS terms,
                       row_number() OVER (PARTITION BY chan ORDER BY since_ns) AS place
                     FROM policy WHERE node_id = ?1 AND side = 0 AND since_ns <= ?2),
                   changed AS (
                     SELECT chan, since_ns, place, terms,
                       lag(terms) OVER (PARTITION BY chan ORDER BY since_ns) AS before
                     FROM seen)
                   SELECT c.channel_point, max(x.since_ns) FROM changed x JOIN channel c ON c.channel_id = x.chan
                   WHERE x.place > 1 AND x.terms <> x.before AND c.channel_point IS NOT NULL GROUP BY x.chan""",
                (self._node_id, now_ns),
            ).fetchall()
        return dict(rows)

    def periods(self, first: int, last: int) -> list[PeriodRow]:
        """Return what every channel earned in each of the periods [first, last) in which it earned."""
        with explained(self.path):
            rows = self._con.execute(
                f"""SELECT c.channel_point, c.peer_id, h.hour / {PERIOD_H}, sum(h.out_settled), sum(h.earned_msat)
                    FROM channel_hour h JOIN channel c ON c.channel_id = h.chan
                    WHERE h.node_id = ? AND h.hour >= ? AND h.hour < ? AND c.channel_point IS NOT NULL
                    GROUP BY h.chan, h.hour / {PERIOD_H}""",
                (self._node_id, first * PERIOD_H, last * PERIOD_H),
            ).fetchall()
        return [PeriodRow(*row) for row in rows]

    def closed_periods(self, channel_point: str, first: int, last: int) -> set[int]:
        """Return the periods in which the channel was seen offline, or with nothing left to send."""
        with explained(self.path):
            rows = self._con.execute(
                f"""SELECT at_ns / {PERIOD_H * HOUR_NS} FROM channel_online o JOIN channel c ON c.channel_id = o.chan
                    WHERE o.node_id = ?1 AND c.channel_point = ?2 AND o.active = 0 AND at_ns >= ?3 AND at_ns < ?4
                    UNION
                    SELECT at_ns / {PERIOD_H * HOUR_NS} FROM channel_snapshot s JOIN channel c ON c.channel_id = s.chan
                    WHERE s.node_id = ?1 AND c.channel_point = ?2 AND at_ns >= ?3 AND at_ns < ?4
                    GROUP BY 1 HAVING max(s.local_msat) < 10 * coalesce(c.capacity_sat, 0)""",
                (self._node_id, channel_point, first * PERIOD_H * HOUR_NS, last * PERIOD_H * HOUR_NS),
            ).fetchall()
        return {int(row[0]) for row in rows}
