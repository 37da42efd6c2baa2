"""Keeping the demand tables equal to what follows from the attempts, period by period.

New or changed attempts mark their period, and a marked period is made again from its raw rows; so the result
does not depend on the order in which things became known.  A large period that is still growing is made again
only when it has grown by a tenth, so that the work stays proportional to the attempts.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter

import numpy as np

from lnflow.domain.amounts import AMOUNT_BOUNDS_MSAT, amount_class
from lnflow.domain.blind_tries import set_blind_apart
from lnflow.domain.causes import Outcome
from lnflow.domain.demand import LOOK_AHEAD_NS, LOOK_BACK_NS, PERIOD_NS, Wish, find_wishes
from lnflow.domain.lone_tries import Tries, set_apart
from lnflow.domain.time import HOUR_NS
from lnflow.store import bulk, wish_sums
from lnflow.store.circumstances import Circumstances
from lnflow.store.peers import PeersOfChannels
from lnflow.store.tries import TriesOfPeriods, reach

_LARGE_PERIOD = 20_000  # attempts: above that a growing period is not made again at every upkeep
_GROWTH = 0.1

_CLASSES = 16
_TWO_63 = 1 << 63

assert len(AMOUNT_BOUNDS_MSAT) < _CLASSES


class DemandKeeper:
    """The wishes of one node; every method runs inside the writer's transaction."""

    def __init__(self, con: sqlite3.Connection, node_id: int) -> None:
        self._con = con
        self._node_id = node_id
        self._made_with: dict[int, int] = {}
        """Attempts of the newest periods when they were last made."""
        self._marked: set[int] = set()
        """Periods known to be marked already, to keep the hot path off the disk."""

    def forget(self) -> None:
        """Drop what is known of marks, after a rollback or when channels were learnt."""
        self._marked, self._made_with = set(), {}

    def changed(self, arrivals_ns: Iterable[int | None]) -> None:
        """Attempts that arrived at these times (None: nobody said when) are new or may now mean something else."""
        told_ns = np.array([at_ns for at_ns in arrivals_ns if at_ns is not None], np.int64)
        hours = np.unique(told_ns // HOUR_NS).tolist()
        self._mark({p for h in hours for p in _periods_of(h * HOUR_NS, (h + 1) * HOUR_NS - 1)})

    def mark_dirty(self, since_ns: int, until_ns: int) -> None:
        """The periods that touch this time no longer follow from the attempts."""
        self._mark(set(_periods_of(since_ns, until_ns)))

    def facts_learnt(self, since_ns: int) -> None:
        """Facts of this time were learnt: demands that were refused after it may read differently."""
        first_ns, last_ns = (
            self._con.execute(f"SELECT {end}(first_ns) FROM demand WHERE node_id = ?", (self._node_id,)).fetchone()[0]
            for end in ("min", "max")
        )
        if last_ns is not None and last_ns >= since_ns:
            self.mark_dirty(max(since_ns, first_ns), last_ns)

    def settle(self, now_ns: int | None = None) -> None:
        """Make the marked periods again; a large one that still grows at `now_ns` only when it has grown enough."""
        con, node_id = self._con, self._node_id
        dirty = con.execute("SELECT period FROM demand_dirty WHERE node_id = ? ORDER BY period", (node_id,)).fetchall()
        if not dirty:
            return
        [raw_since_ns] = con.execute("SELECT raw_since_ns FROM node_state WHERE node_id = ?", (node_id,)).fetchone()
        peers = PeersOfChannels(con)
        source = TriesOfPeriods(con, node_id, peers)
        for (period,) in dirty:
            if now_ns is not None and now_ns < reach(period)[1] and not self._worth_making(period):
                continue
            if raw_since_ns is None or reach(period)[0] >= raw_since_ns:  # else its rows are not all there
                tries = source.of(period)
                self._remake(period, tries, peers)
                self._made_with[period] = len(tries)
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
            (self._node_id, *reach(period)),
        ).fetchone()[0]
        return bool(count >= before * (1 + _GROWTH))

    def _remake(self, period: int, tries: Tries, peers: PeersOfChannels) -> None:
        """Make one period's demands again from its tries."""
        start_ns, end_ns = period * PERIOD_NS, (period + 1) * PERIOD_NS
        con, node_id = self._con, self._node_id
        con.execute(
            "DELETE FROM demand WHERE node_id = ? AND first_ns >= ? AND first_ns < ?",
            (node_id, start_ns, end_ns),
        )
        con.execute("DELETE FROM served WHERE node_id = ? AND period = ?", (node_id, period))
        wish_sums.forget(con, node_id, period)
        blind, seen = set_blind_apart(tries)
        lone, others = set_apart(seen)
        wishes = sorted((*find_wishes(others), *blind), key=attrgetter("first_ns"))
        begun = [w for w in wishes if start_ns <= w.first_ns < end_ns]
        circumstances = Circumstances(con, node_id, peers, start_ns, end_ns)
        [top] = con.execute("SELECT coalesce(max(demand_id), 0) FROM demand").fetchone()
        refused = [w for w in begun if w.refused]
        if refused:
            rows = (_row(number, node_id, w, circumstances) for number, w in enumerate(refused, top + 1))
            bulk.insert(con, "demand", list(zip(*rows, strict=True)))
        sums = _served_alone(lone.chosen((lone.arrived_ns >= start_ns) & (lone.arrived_ns < end_ns)))
        _add_served(sums, (w for w in begun if not w.refused and not w.probe))
        if sums:
            served = ((node_id, period, *key, *values) for key, values in sorted(sums.items()))
            bulk.insert(con, "served", list(zip(*served, strict=True)))


def _periods_of(since_ns: int, until_ns: int) -> Iterable[int]:
    """Return the periods whose wishes depend on tries of this time."""
    return range((since_ns - LOOK_AHEAD_NS) // PERIOD_NS, (until_ns + LOOK_BACK_NS) // PERIOD_NS + 1)


def _row(demand_id: int, node_id: int, w: Wish, circumstances: Circumstances) -> Sequence[int | None]:
    return (
        demand_id, node_id, w.in_chan, w.out_chan, int(w.cause), int(circumstances.of(w)),
        amount_class(w.amount_msat) if w.amount_msat is not None else None, int(circumstances.is_oversize(w)),
        w.first_ns, w.last_ns, w.refused, w.refused_msat, w.refused_fee_msat, w.amount_msat,
        w.fee_msat, w.recovered_ns, w.paid_msat, w.part_msat,
    )  # fmt: skip


_Served = defaultdict[tuple[int, int], list[int]]
"""By channel and class of amount: the sums of `served`."""


def _served_alone(lone: Tries) -> _Served:
    """Return what became of tries that are a wish each, passed on at once."""
    settled = lone.outcome == Outcome.SETTLED
    ended = lone.chosen((settled & (lone.amount_out_msat > 0)) | (lone.outcome == Outcome.DOWNSTREAM))
    if not len(ended):
        return defaultdict(lambda: [0] * 5)
    amounts, arrived = ended.amount_out_msat, ended.outcome == Outcome.SETTLED
    classes = np.searchsorted(AMOUNT_BOUNDS_MSAT, amounts, side="right")
    key, place = np.unique(ended.out_chan * _CLASSES + classes, return_inverse=True)
    if int(amounts.max()) * len(ended) >= _TWO_63:
        amounts = amounts.astype(object)  # not real: exact sums as slow Python integers, and SQLite refuses them
    values = (np.ones_like(ended.out_chan), arrived.astype(np.int64), *[amounts * arrived] * 3)
    sums = np.zeros((len(key), len(values)), amounts.dtype)
    for column, of_each in enumerate(values):
        np.add.at(sums[:, column], place, of_each)
    keys = zip(*(x.tolist() for x in np.divmod(key, _CLASSES)), strict=True)
    return defaultdict(lambda: [0] * 5, zip(keys, sums.tolist(), strict=True))


def _add_served(sums: _Served, wishes: Iterable[Wish]) -> None:
    """Add what became of wishes that we passed on at once."""
    for w in wishes:
        if w.amount_msat is None or not (w.arrived_msat or w.failed):
            continue  # still under way
        total = sums[w.out_chan, amount_class(w.amount_msat)]
        total[0] += 1
        if w.arrived_msat * 2 > w.amount_msat:
            total[1] += 1
            total[2] += w.amount_msat
            total[3] += w.part_msat or 0
        total[4] += w.arrived_msat
