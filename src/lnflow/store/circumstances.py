"""What else was stored about the time of a refusal: the link, the price, the balance, the largest channel.

What is asked of one channel again and again is read once for the time that it is asked for.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Callable
from typing import TypeVar

from lnflow.domain.causes import Cause, Circumstance
from lnflow.domain.demand import Wish
from lnflow.domain.time import HOUR_NS
from lnflow.store.peers import PeersOfChannels

_RAISE_MATTERS_NS = HOUR_NS  # gossip needs up to an hour: docs/concepts/causes.md, stale price
_STATES = {"channel_online": "active", "channel_snapshot": "local_msat"}

K = TypeVar("K")
T = TypeVar("T")


class Circumstances:
    """Facts of one node's channels for wishes that began from `since_ns` until `until_ns`."""

    def __init__(
        self, con: sqlite3.Connection, node_id: int, peers: PeersOfChannels, since_ns: int, until_ns: int
    ) -> None:
        self._con = con
        self._node_id = node_id
        self._peers = peers
        self._since_ns = since_ns
        self._until_ns = until_ns
        self._states: dict[tuple[str, int], tuple[list[int], list[int]]] = {}
        self._raises: dict[int, list[int]] = {}

    def of(self, w: Wish) -> Circumstance:
        if w.probe:
            return Circumstance.PROBE
        if w.cause in (Cause.UNKNOWN_NEXT_PEER, Cause.LINK_NOT_ELIGIBLE) and w.out_chan:
            return Circumstance.LINK_DOWN if self._link_was_down(w) else Circumstance.NONE
        if w.cause == Cause.FEE_INSUFFICIENT and self._price_had_risen(w):
            return Circumstance.AFTER_RAISE
        if w.cause == Cause.HTLC_EXCEEDS_MAX and self._balance_was_short(w):
            return Circumstance.BALANCE_SHORT
        return Circumstance.NONE

    def is_oversize(self, w: Wish) -> bool:
        """Tell whether no channel of the peer is large enough for one part."""
        largest_sat = self._peers.largest_sat(w.out_chan)
        return w.part_msat is not None and largest_sat is not None and w.part_msat > largest_sat * 1000

    def _balance_was_short(self, w: Wish) -> bool:
        """The last balances stored before the first try were all below the amount."""
        known = self._last_known("channel_snapshot", w)
        return bool(known) and max(known) < (w.part_msat or 0)

    def _link_was_down(self, w: Wish) -> bool:
        """No channel of the peer was active by the last thing stored before the first try."""
        known = self._last_known("channel_online", w)
        return bool(known) and not any(known)

    def _price_had_risen(self, w: Wish) -> bool:
        raises = _kept(self._raises, w.out_chan, self._raises_of)
        until = bisect_right(raises, w.first_ns)
        return until > 0 and raises[until - 1] > w.first_ns - _RAISE_MATTERS_NS

    def _last_known(self, table: str, w: Wish) -> list[int]:
        """Return the last states of the peer's channels at a wish's first try, where there are any."""
        known: list[int] = []
        for chan in self._peers.channels_beside(w.out_chan):
            times, states = _kept(self._states, (table, chan), self._states_of)
            place = bisect_right(times, w.first_ns)
            if place:
                known.append(states[place - 1])
        return known

    def _states_of(self, key: tuple[str, int]) -> tuple[list[int], list[int]]:
        table, chan = key
        rows = self._con.execute(
            f"""SELECT at_ns, {_STATES[table]} FROM {table} WHERE node_id = ?1 AND chan = ?2 AND at_ns < ?4
                  AND at_ns >= coalesce((SELECT max(at_ns) FROM {table}
                    WHERE node_id = ?1 AND chan = ?2 AND at_ns <= ?3), ?3) ORDER BY at_ns""",
            (self._node_id, chan, self._since_ns, self._until_ns),
        ).fetchall()
        return [at_ns for at_ns, _ in rows], [state for _, state in rows]

    def _raises_of(self, chan: int) -> list[int]:
        """Return when our price for a channel rose."""
        rows = self._con.execute(
            """SELECT since_ns FROM policy p WHERE p.node_id = ?1 AND p.chan = ?2 AND p.side = 0
                 AND p.since_ns > ?3 AND p.since_ns < ?4 AND EXISTS (
                   SELECT 1 FROM (SELECT base_fee_msat, fee_ppm FROM policy b WHERE b.node_id = ?1
                     AND b.chan = ?2 AND b.side = 0 AND b.since_ns < p.since_ns
                     ORDER BY b.since_ns DESC LIMIT 1) b
                   WHERE p.base_fee_msat > b.base_fee_msat OR p.fee_ppm > b.fee_ppm) ORDER BY since_ns""",
            (self._node_id, chan, self._since_ns - _RAISE_MATTERS_NS, self._until_ns),
        ).fetchall()
        return [since_ns for (since_ns,) in rows]


def _kept(known: dict[K, T], key: K, learn: Callable[[K], T]) -> T:
    if key not in known:
        known[key] = learn(key)
    return known[key]
