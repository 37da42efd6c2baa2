"""Keeping the demand tables equal to what follows from the attempts, period by period.

New or changed attempts mark their period, and a marked period is made again from its raw rows; so the result
does not depend on the order in which things became known.  A large period that is still growing is made again
only when it has grown by a tenth, so that the work stays proportional to the attempts.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from lnflow.domain.amounts import AMOUNT_BOUNDS_MSAT, amount_class
from lnflow.domain.causes import Cause, Circumstance, Outcome
from lnflow.domain.demand import LOOK_AHEAD_NS, LOOK_BACK_NS, PERIOD_NS, Try, Wish, find_wishes
from lnflow.domain.time import HOUR_NS
from lnflow.store import wish_sums

_RAISE_MATTERS_NS = HOUR_NS  # gossip needs up to an hour: docs/concepts/causes.md, stale price
_LONGEST_HOLD_NS = PERIOD_NS  # an attempt that was held longer before it settled is not looked for
_MOST_MSAT = 10**15  # 10,000 BTC: more is somebody's joke, and must not overflow a sum
_LARGE_PERIOD = 20_000  # attempts: above that a growing period is not made again at every upkeep
_GROWTH = 0.1

assert len(AMOUNT_BOUNDS_MSAT) < 16


class DemandKeeper:
    """The wishes of one node; every method runs inside the writer's transaction."""

    def __init__(self, con: sqlite3.Connection, node_id: int) -> None:
        self._con = con
        self._node_id = node_id
        self._made_with: dict[int, int] = {}
        """Attempts of the newest periods when they were last made."""
        self._peers: dict[int, int] = {}
        self._capacity_sat: dict[int, int | None] = {}
        self._marked: set[int] = set()
        """Periods known to be marked already, to keep the hot path off the disk."""

    def forget(self) -> None:
        """Drop what was read of channels and marks, after a rollback or when channels were learnt."""
        self._peers, self._capacity_sat, self._marked, self._made_with = {}, {}, set(), {}

    def changed(self, arrivals_ns: Iterable[int]) -> None:
        """Attempts that arrived at these times are new or may now mean something else."""
        hours = {at_ns // HOUR_NS for at_ns in arrivals_ns}
        if hours:
            self._mark({p for h in hours for p in _periods_of(h * HOUR_NS, (h + 1) * HOUR_NS - 1)})

    def mark_dirty(self, since_ns: int, until_ns: int) -> None:
        """The periods that touch this time no longer follow from the attempts."""
        self._mark(set(_periods_of(since_ns, until_ns)))

    def settle(self, now_ns: int | None = None) -> None:
        """Make the marked periods again; a large one that still grows at `now_ns` only when it has grown enough."""
        con, node_id = self._con, self._node_id
        dirty = con.execute("SELECT period FROM demand_dirty WHERE node_id = ? ORDER BY period", (node_id,)).fetchall()
        if not dirty:
            return
        [raw_since_ns] = con.execute("SELECT raw_since_ns FROM node_state WHERE node_id = ?", (node_id,)).fetchone()
        for (period,) in dirty:
            if now_ns is not None and now_ns < _reach(period)[1] and not self._worth_making(period):
                continue
            if raw_since_ns is None or _reach(period)[0] >= raw_since_ns:  # else its rows are not all there
                self._made_with[period] = self._remake(period)
            con.execute("DELETE FROM demand_dirty WHERE node_id = ? AND period = ?", (node_id, period))
            self._marked.discard(period)
        for old in sorted(self._made_with)[:-4]:
            del self._made_with[old]

    # -- inside -----------------------------------------------------------------------------------------

    def _mark(self, periods: set[int]) -> None:
        new = periods - self._marked
        if new:
            self._con.executemany(
                "INSERT OR IGNORE INTO demand_dirty VALUES (?, ?)", [(self._node_id, p) for p in sorted(new)]
            )
            self._marked |= new

    def _worth_making(self, period: int) -> bool:
        before = self._made_with.get(period)
        if before is None or before < _LARGE_PERIOD:
            return True
        count = self._con.execute(
            "SELECT count(*) FROM attempt WHERE node_id = ? AND accounted_ns >= ? AND accounted_ns < ?",
            (self._node_id, *_reach(period)),
        ).fetchone()[0]
        return bool(count >= before * (1 + _GROWTH))

    def _remake(self, period: int) -> int:
        """Make one period's demands again from the raw rows; return how many rows there were."""
        start_ns, end_ns = period * PERIOD_NS, (period + 1) * PERIOD_NS
        con, node_id = self._con, self._node_id
        con.execute(
            "DELETE FROM demand WHERE node_id = ? AND first_ns >= ? AND first_ns < ?",
            (node_id, start_ns, end_ns),
        )
        con.execute("DELETE FROM served WHERE node_id = ? AND period = ?", (node_id, period))
        wish_sums.forget(con, node_id, period)
        tries = list(self._tries(start_ns - LOOK_BACK_NS, end_ns + LOOK_AHEAD_NS))
        begun = [w for w in find_wishes(tries) if start_ns <= w.first_ns < end_ns]
        refused = [w for w in begun if w.refused]
        [top] = con.execute("SELECT coalesce(max(demand_id), 0) FROM demand").fetchone()
        con.executemany(
            f"INSERT INTO demand VALUES ({', '.join('?' * 18)})",
            [self._row(number, w) for number, w in enumerate(refused, top + 1)],
        )
        con.executemany(
            "INSERT INTO served VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(node_id, period, *row) for row in _served(w for w in begun if not w.refused and not w.probe)],
        )
        return len(tries)

    def _tries(self, since_ns: int, until_ns: int) -> Iterator[Try]:
        rows = self._con.execute(
            f"""SELECT arrived_ns, in_chan, out_chan, min(amount_out_msat, {_MOST_MSAT}),
                 CASE WHEN amount_in_msat > amount_out_msat THEN min(amount_in_msat - amount_out_msat, {_MOST_MSAT})
                      WHEN amount_in_msat IS NOT NULL AND amount_out_msat IS NOT NULL THEN 0 END,
                 outcome, cause FROM attempt
               WHERE node_id = ?1 AND accounted_ns >= ?2 AND accounted_ns < ?3 AND arrived_ns >= ?2
                 AND arrived_ns < ?4 AND twin IS NULL
               ORDER BY arrived_ns, in_htlc_id, amount_out_msat, in_chan, attempt_id""",
            (self._node_id, since_ns, until_ns + _LONGEST_HOLD_NS, until_ns),
        )
        outcomes, causes = list(Outcome), list(Cause)
        for arrived_ns, in_chan, out_chan, amount, fee, outcome, cause in rows:
            yield Try(
                arrived_ns, self._peer(in_chan), self._peer(out_chan), in_chan, out_chan, amount, fee,
                outcomes[outcome], causes[cause],
            )  # fmt: skip

    def _row(self, demand_id: int, w: Wish) -> Sequence[int | None]:
        largest_sat = self._largest_capacity_sat(w.out_chan)
        oversize = w.part_msat is not None and largest_sat is not None and w.part_msat > largest_sat * 1000
        return (
            demand_id, self._node_id, w.in_chan, w.out_chan, int(w.cause), int(self._circumstance(w)),
            amount_class(w.amount_msat) if w.amount_msat is not None else None, int(oversize),
            w.first_ns, w.last_ns, w.refused, w.refused_msat, w.refused_fee_msat, w.amount_msat,
            w.fee_msat, w.recovered_ns, w.paid_msat, w.part_msat,
        )  # fmt: skip

    def _circumstance(self, w: Wish) -> Circumstance:
        if w.probe:
            return Circumstance.PROBE
        if w.cause in (Cause.UNKNOWN_NEXT_PEER, Cause.LINK_NOT_ELIGIBLE) and w.out_chan:
            return Circumstance.LINK_DOWN if self._link_was_down(w) else Circumstance.NONE
        if w.cause == Cause.FEE_INSUFFICIENT and self._price_had_risen(w):
            return Circumstance.AFTER_RAISE
        if w.cause == Cause.HTLC_EXCEEDS_MAX and self._balance_was_short(w):
            return Circumstance.BALANCE_SHORT
        return Circumstance.NONE

    def _balance_was_short(self, w: Wish) -> bool:
        """The last balances stored before the first try were all below the amount."""
        rows = self._con.execute(
            """SELECT (SELECT local_msat FROM channel_snapshot s WHERE s.node_id = ?1 AND s.chan = c.channel_id
                         AND s.at_ns <= ?3 ORDER BY s.at_ns DESC LIMIT 1)
               FROM channel c WHERE c.channel_id = ?2
                 OR c.peer_id = (SELECT peer_id FROM channel WHERE channel_id = ?2)""",
            (self._node_id, w.out_chan, w.first_ns),
        ).fetchall()
        known = [local for (local,) in rows if local is not None]
        return bool(known) and max(known) < (w.part_msat or 0)

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


def _reach(period: int) -> tuple[int, int]:
    return period * PERIOD_NS - LOOK_BACK_NS, (period + 1) * PERIOD_NS + LOOK_AHEAD_NS + _LONGEST_HOLD_NS


def _periods_of(since_ns: int, until_ns: int) -> Iterable[int]:
    """Return the periods whose wishes depend on tries of this time."""
    return range((since_ns - LOOK_AHEAD_NS) // PERIOD_NS, (until_ns + LOOK_BACK_NS) // PERIOD_NS + 1)


def _served(wishes: Iterable[Wish]) -> list[tuple[int, ...]]:
    """Return, by channel and class, what became of wishes that we passed on at once."""
    sums: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * 5)
    for w in wishes:
        if w.amount_msat is None or not (w.arrived_msat or w.failed):
            continue  # still under way
        total = sums[w.out_chan, amount_class(w.amount_msat)]
        total[0] += 1
        total[1] += w.arrived_msat * 2 > w.amount_msat
        total[2] += w.amount_msat
        total[3] += w.part_msat or 0
        total[4] += w.arrived_msat
    return [(*key, *values) for key, values in sums.items()]
