"""Keeping the demand table equal to what follows from the attempts, in the same transaction.

Attempts that come in order of arrival extend the wishes held in memory; anything else marks its period, and
the period is made again from the raw rows.  The memory is only a cache: it is rebuilt from the raw rows of
the current period after a restart or a rollback.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from lnflow.domain.amounts import AMOUNT_BOUNDS_MSAT, amount_class
from lnflow.domain.causes import Cause, Circumstance, Outcome
from lnflow.domain.demand import PERIOD_NS, RECOVERY_NS, PairWishes, Try, Wish
from lnflow.domain.time import DAY_NS, HOUR_NS

_RAISE_MATTERS_NS = HOUR_NS  # gossip needs up to an hour: docs/concepts/causes.md, stale price
_LONGEST_HOLD_NS = PERIOD_NS  # an attempt that was held longer before it settled is not looked for

assert len(AMOUNT_BOUNDS_MSAT) < 16


class DemandKeeper:
    """The wishes of one node; every method runs inside the writer's transaction."""

    def __init__(self, con: sqlite3.Connection, node_id: int) -> None:
        self._con = con
        self._node_id = node_id
        self._period: int | None = None
        self._pairs: dict[tuple[int, int], PairWishes] = {}
        self._before: dict[tuple[int, int], PairWishes] = {}
        self._peers: dict[int, int] = {}
        self._capacity_sat: dict[int, int | None] = {}
        self.forget()

    def forget(self) -> None:
        """Drop the cache, after a rollback or when channels were learnt; it is made again from the store."""
        self._period = None
        self._pairs = {}
        self._before = {}
        self._peers = {}
        self._capacity_sat = {}

    def before_batch(self, arrivals_ns: Sequence[int]) -> None:
        """Get ready for new attempts that arrived at these times; call it before they are stored."""
        if not arrivals_ns:
            return
        first = min(arrivals_ns) // PERIOD_NS
        if self._period is None and self._is_fresh(first):
            self._period = first
        elif self._period is None:
            # After a restart: go on with the newest period, as far as it is stored.
            newest = max(first, self._newest_period())
            self._period = newest
            self._before = self._remake(newest - 1) if self._has_demands(newest - 1) else {}
            self._pairs = self._remake(newest) if self._has_demands(newest) else {}

    def take(self, tries: Iterable[Try]) -> None:
        """Take attempts just stored for the first time; those out of order mark their period."""
        late_ns: set[int] = set()
        changed: dict[int, Wish] = {}
        for t in sorted(tries, key=_arrival):
            period = t.arrived_ns // PERIOD_NS
            if self._period is None or period < self._period:
                late_ns.add(t.arrived_ns)
                continue
            if period > self._period:
                self._store(changed.values())
                changed.clear()
                self._before = self._pairs if period == self._period + 1 else {}
                self._pairs = {}
                self._period = period
            self._feed(t, changed, late_ns)
        self._store(changed.values())
        for start_ns in {x // PERIOD_NS * PERIOD_NS for x in late_ns}:
            self.mark_dirty(start_ns, start_ns + PERIOD_NS - 1)

    def changed(self, arrivals_ns: Iterable[int]) -> None:
        """Attempts that arrived at these times were stored before and may now mean something else."""
        for start_ns in {x // PERIOD_NS * PERIOD_NS for x in arrivals_ns}:
            self.mark_dirty(start_ns, start_ns + PERIOD_NS - 1)

    def _feed(self, t: Try, changed: dict[int, Wish], late_ns: set[int]) -> None:
        key = (self._peer(t.in_chan), self._peer(t.out_chan))
        if t.refused_for == Cause.NONE:
            for pairs in (self._before, self._pairs):
                pair = pairs.get(key)
                if pair is None:
                    continue
                if t.arrived_ns < pair.last_ns:
                    late_ns.add(t.arrived_ns)
                for wish in pair.passed_on(t):
                    changed[id(wish)] = wish
            return
        pair = self._pairs.get(key)
        if pair is None:
            pair = self._pairs[key] = PairWishes()
        if t.arrived_ns < pair.last_ns:
            late_ns.add(t.arrived_ns)
            return
        wish = pair.refused(t)
        changed[id(wish)] = wish

    def mark_dirty(self, since_ns: int, until_ns: int) -> None:
        """The periods that touch this time no longer follow from the attempts."""
        # A try also fulfils wishes of the hour before.
        first = (since_ns - RECOVERY_NS) // PERIOD_NS
        self._con.executemany(
            "INSERT OR IGNORE INTO demand_dirty VALUES (?, ?)",
            [(self._node_id, p) for p in range(first, until_ns // PERIOD_NS + 1)],
        )

    def settle(self) -> None:
        """Make the marked periods again."""
        con, node_id = self._con, self._node_id
        dirty = con.execute("SELECT period FROM demand_dirty WHERE node_id = ? ORDER BY period", (node_id,)).fetchall()
        if not dirty:
            return
        [raw_since_ns] = con.execute("SELECT raw_since_ns FROM node_state WHERE node_id = ?", (node_id,)).fetchone()
        self.forget()
        for (period,) in dirty:
            if raw_since_ns is None or period * PERIOD_NS >= raw_since_ns:
                self._remake(period)
        con.execute("DELETE FROM demand_dirty WHERE node_id = ?", (node_id,))

    def sum_days(self, before_ns: int) -> None:
        """Sum the demands of days that ended by `before_ns` and are not summed yet."""
        con, node_id = self._con, self._node_id
        row = con.execute("SELECT demand_days_through FROM node_state WHERE node_id = ?", (node_id,)).fetchone()
        last = before_ns // DAY_NS
        first = row[0]
        if first is None:
            oldest = con.execute("SELECT min(first_ns) FROM demand WHERE node_id = ?", (node_id,)).fetchone()[0]
            if oldest is None:
                return
            first = oldest // DAY_NS
        if first >= last:
            return
        con.execute("DELETE FROM demand_day WHERE node_id = ? AND day >= ?", (node_id, first))
        con.execute(
            f"""INSERT INTO demand_day SELECT node_id, first_ns / {DAY_NS}, out_chan, {DEMAND_GROUP}
                FROM demand WHERE node_id = ? AND first_ns >= ? AND first_ns < ?
                GROUP BY first_ns / {DAY_NS}, out_chan, cause, circumstance, amount_class, oversize""",
            (node_id, first * DAY_NS, last * DAY_NS),
        )
        con.execute("UPDATE node_state SET demand_days_through = ? WHERE node_id = ?", (last, node_id))

    # -- inside -----------------------------------------------------------------------------------------

    def _is_fresh(self, period: int) -> bool:
        """No attempt of this period or later is stored."""
        row = self._con.execute("SELECT max(accounted_ns) FROM attempt WHERE node_id = ?", (self._node_id,)).fetchone()
        return row[0] is None or row[0] < period * PERIOD_NS - RECOVERY_NS

    def _newest_period(self) -> int:
        row = self._con.execute("SELECT max(accounted_ns) FROM attempt WHERE node_id = ?", (self._node_id,)).fetchone()
        return int(row[0]) // PERIOD_NS

    def _has_demands(self, period: int) -> bool:
        row = self._con.execute(
            "SELECT 1 FROM demand WHERE node_id = ? AND first_ns >= ? AND first_ns < ? LIMIT 1",
            (self._node_id, period * PERIOD_NS, (period + 1) * PERIOD_NS),
        ).fetchone()
        return row is not None

    def _remake(self, period: int) -> dict[tuple[int, int], PairWishes]:
        """Make one period's demands again from the raw rows; return its wishes by pair of peers."""
        start_ns, end_ns = period * PERIOD_NS, (period + 1) * PERIOD_NS
        con, node_id = self._con, self._node_id
        con.execute(
            "DELETE FROM demand WHERE node_id = ? AND first_ns >= ? AND first_ns < ?",
            (node_id, start_ns, end_ns),
        )
        self._lower_days(start_ns)
        pairs: dict[tuple[int, int], PairWishes] = {}
        wishes: dict[int, Wish] = {}
        rows = con.execute(
            """SELECT arrived_ns, in_chan, out_chan, amount_out_msat,
                 CASE WHEN amount_in_msat > amount_out_msat THEN amount_in_msat - amount_out_msat
                      WHEN amount_in_msat IS NOT NULL AND amount_out_msat IS NOT NULL THEN 0 END,
                 outcome, cause FROM attempt
               WHERE node_id = ?1 AND accounted_ns >= ?2 AND accounted_ns < ?3 AND arrived_ns >= ?2
                 AND arrived_ns < ?4 AND twin IS NULL
               ORDER BY arrived_ns, attempt_id""",
            (node_id, start_ns, end_ns + RECOVERY_NS + _LONGEST_HOLD_NS, end_ns + RECOVERY_NS),
        )
        for arrived_ns, in_chan, out_chan, amount, fee, outcome, cause in rows:
            refused = outcome == Outcome.REFUSED
            key = (self._peer(in_chan), self._peer(out_chan))
            pair = pairs.get(key)
            if not refused:
                if pair is not None:
                    pair.passed_on(Try(arrived_ns, in_chan, out_chan, amount, fee, Cause.NONE))
            elif arrived_ns < end_ns:
                if pair is None:
                    pair = pairs[key] = PairWishes()
                wish = pair.refused(Try(arrived_ns, in_chan, out_chan, amount, fee, Cause(cause)))
                wishes[id(wish)] = wish
        self._store(wishes.values())
        return pairs

    def _store(self, wishes: Iterable[Wish]) -> None:
        new: list[Wish] = []
        grown: list[Wish] = []
        for wish in wishes:
            (new if wish.demand_id is None else grown).append(wish)
        if new:
            [top] = self._con.execute("SELECT coalesce(max(demand_id), 0) FROM demand").fetchone()
            for number, wish in enumerate(new, top + 1):
                wish.demand_id = number
            self._con.executemany(f"INSERT INTO demand VALUES ({', '.join('?' * 16)})", [self._row(w) for w in new])
        self._con.executemany(
            """UPDATE demand SET last_ns = ?, attempts = ?, attempted_msat = ?, attempted_fee_msat = ?,
                 amount_out_msat = ?, fee_msat = ?, recovered_ns = ? WHERE demand_id = ?""",
            [
                (
                    w.last_ns, w.attempts, w.attempted_msat, w.attempted_fee_msat, w.amount_out_msat,
                    w.fee_msat, w.recovered_ns, w.demand_id,
                )
                for w in grown
            ],
        )  # fmt: skip
        if new or grown:
            self._lower_days(min(w.first_ns for w in (*new, *grown)))

    def _lower_days(self, at_ns: int) -> None:
        self._con.execute(
            "UPDATE node_state SET demand_days_through = ?1 WHERE node_id = ?2 AND demand_days_through > ?1",
            (at_ns // DAY_NS, self._node_id),
        )

    def _row(self, w: Wish) -> Sequence[int | None]:
        largest_sat = self._largest_capacity_sat(w.out_chan)
        oversize = w.amount_out_msat is not None and largest_sat is not None
        oversize = oversize and (w.amount_out_msat or 0) > (largest_sat or 0) * 1000
        return (
            w.demand_id, self._node_id, w.in_chan, w.out_chan, int(w.cause), int(self._circumstance(w)),
            amount_class(w.amount_out_msat) if w.amount_out_msat is not None else None, int(oversize),
            w.first_ns, w.last_ns, w.attempts, w.attempted_msat, w.attempted_fee_msat, w.amount_out_msat,
            w.fee_msat, w.recovered_ns,
        )  # fmt: skip

    def _circumstance(self, w: Wish) -> Circumstance:
        if w.cause in (Cause.UNKNOWN_NEXT_PEER, Cause.LINK_NOT_ELIGIBLE) and w.out_chan:
            return Circumstance.LINK_DOWN if self._link_was_down(w) else Circumstance.NONE
        if w.cause == Cause.FEE_INSUFFICIENT and self._price_had_risen(w):
            return Circumstance.AFTER_RAISE
        return Circumstance.NONE

    def _link_was_down(self, w: Wish) -> bool:
        """No channel of the peer was active by the last thing stored before the first try."""
        states = self._con.execute(
            """SELECT (SELECT active FROM channel_online o WHERE o.node_id = ?1 AND o.chan = c.channel_id
                         AND o.at_ns <= ?3 ORDER BY o.at_ns DESC LIMIT 1)
               FROM channel c WHERE c.channel_id = ?2
                 OR c.peer_id = (SELECT peer_id FROM channel WHERE channel_id = ?2)""",
            (self._node_id, w.out_chan, w.first_ns),
        ).fetchall()
        known = [active for (active,) in states if active is not None]
        return bool(known) and not any(known)

    def _price_had_risen(self, w: Wish) -> bool:
        row = self._con.execute(
            """SELECT 1 FROM policy p WHERE p.node_id = ?1 AND p.chan = ?2 AND p.side = 0
                 AND p.since_ns > ?3 AND p.since_ns <= ?4 AND EXISTS (
                   SELECT 1 FROM (SELECT base_fee_msat, fee_ppm FROM policy b WHERE b.node_id = ?1
                     AND b.chan = ?2 AND b.side = 0 AND b.since_ns < p.since_ns
                     ORDER BY b.since_ns DESC LIMIT 1) b
                   WHERE p.base_fee_msat > b.base_fee_msat OR p.fee_ppm > b.fee_ppm) LIMIT 1""",
            (self._node_id, w.out_chan, w.first_ns - _RAISE_MATTERS_NS, w.first_ns),
        ).fetchone()
        return row is not None

    def _peer(self, chan: int) -> int:
        """Return what stands for the peer of a channel: its number, or minus the channel's own."""
        found = self._peers.get(chan)
        if found is None:
            row = self._con.execute("SELECT peer_id FROM channel WHERE channel_id = ?", (chan,)).fetchone()
            found = row[0] if row is not None and row[0] is not None else -chan
            self._peers[chan] = found
        return found

    def _largest_capacity_sat(self, chan: int) -> int | None:
        if chan not in self._capacity_sat:
            row = self._con.execute(
                """SELECT max(capacity_sat) FROM channel WHERE channel_id = ?1
                     OR peer_id = (SELECT peer_id FROM channel WHERE channel_id = ?1)""",
                (chan,),
            ).fetchone()
            self._capacity_sat[chan] = row[0] if row else None
        return self._capacity_sat[chan]


# The value columns of demand_day, of demands grouped by channel, cause, circumstance, class and oversize.
_OPEN = "recovered_ns IS NULL"
DEMAND_GROUP = f"""cause, circumstance, coalesce(amount_class, -1), oversize, sum(attempts), sum(attempted_msat),
  sum(attempted_fee_msat), count(*), count(recovered_ns),
  coalesce(sum(amount_out_msat) FILTER (WHERE {_OPEN}), 0), coalesce(sum(fee_msat) FILTER (WHERE {_OPEN}), 0),
  coalesce(total(CAST(fee_msat AS REAL) * fee_msat) FILTER (WHERE {_OPEN}), 0.0)"""


def _arrival(t: Try) -> int:
    return t.arrived_ns
