"""Attempts as tries, in columns: what the wishes of a period are made from.

Periods that are made one after another share most of what they look at, so each row is read once.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lnflow.domain.demand import LOOK_AHEAD_NS, LOOK_BACK_NS, PERIOD_NS
from lnflow.domain.lone_tries import UNKNOWN, Tries
from lnflow.store.peers import PeersOfChannels

LONGEST_HOLD_NS = PERIOD_NS
"""An attempt that was held longer before it settled is not looked for."""

_MOST_MSAT = 10**15  # 10,000 BTC: more is somebody's joke, and must not overflow a sum
# Few and whole numbers: handing a column from SQLite to Python costs more than finding the row.
_COLUMNS = f"""arrived_ns, ((in_chan << 24 | out_chan) << 8 | outcome) << 8 | cause, coalesce(in_htlc_id, -attempt_id),
  coalesce(amount_in_msat, {UNKNOWN}), coalesce(amount_out_msat, {UNKNOWN})"""
_WIDTH = 5
_ARRIVED, _CHANNELS_AND_END, _HTLC_OR_ROW, _AMOUNT_IN, _AMOUNT_OUT = range(_WIDTH)

Ints = NDArray[np.int64]


def reach(period: int) -> tuple[int, int]:
    """Return from when until when attempts are accounted that a period's wishes may depend on."""
    return period * PERIOD_NS - LOOK_BACK_NS, (period + 1) * PERIOD_NS + LOOK_AHEAD_NS + LONGEST_HOLD_NS


class TriesOfPeriods:
    """Reads the tries of periods that are asked for in order of time."""

    def __init__(self, con: sqlite3.Connection, node_id: int, peers: PeersOfChannels) -> None:
        self._con = con
        self._node_id = node_id
        self._peers = peers.numbers
        self._pieces: deque[tuple[int, int, Ints]] = deque()
        """What was read last: accounted since when, until when, and the rows."""

    def of(self, period: int) -> Tries:
        """Return the tries of a period, with those an hour before and after it."""
        rows = self._accounted(*reach(period))
        since_ns, until_ns = period * PERIOD_NS - LOOK_BACK_NS, (period + 1) * PERIOD_NS + LOOK_AHEAD_NS
        arrived = rows[:, _ARRIVED]
        columns = np.ascontiguousarray(rows[(arrived >= since_ns) & (arrived < until_ns)].T)
        in_chan, out_chan = columns[_CHANNELS_AND_END] >> 40, columns[_CHANNELS_AND_END] >> 16 & 0xFF_FFFF
        order = _in_order(columns, in_chan)
        columns, in_chan, out_chan = columns[:, order], in_chan[order], out_chan[order]
        amount_in, amount_out = columns[_AMOUNT_IN], columns[_AMOUNT_OUT]
        fee = np.clip(amount_in - amount_out, 0, _MOST_MSAT)
        fee[(amount_in < 0) | (amount_out < 0)] = UNKNOWN
        return Tries(
            arrived_ns=columns[_ARRIVED],
            in_peer=self._peers[in_chan],
            out_peer=self._peers[out_chan],
            in_chan=in_chan,
            out_chan=out_chan,
            amount_out_msat=np.minimum(amount_out, _MOST_MSAT),
            fee_msat=fee,
            outcome=columns[_CHANNELS_AND_END] >> 8 & 0xFF,
            cause=columns[_CHANNELS_AND_END] & 0xFF,
        )

    def _accounted(self, since_ns: int, until_ns: int) -> Ints:
        """Return the rows of one period's reach.  They are read in pieces that end where a later reach begins."""
        while self._pieces and self._pieces[0][0] < since_ns:
            self._pieces.popleft()
        read_until_ns = self._pieces[-1][1] if self._pieces else since_ns
        for begin_ns in range(since_ns, until_ns, PERIOD_NS):
            end_ns = min(begin_ns + PERIOD_NS, until_ns)
            if end_ns > read_until_ns:
                begin_ns = max(begin_ns, read_until_ns)
                self._pieces.append((begin_ns, end_ns, self._read(begin_ns, end_ns)))
        return np.concatenate([rows for _, _, rows in self._pieces])

    def _read(self, since_ns: int, until_ns: int) -> Ints:
        cursor = self._con.execute(
            f"""SELECT {_COLUMNS} FROM attempt WHERE node_id = ? AND accounted_ns >= ? AND accounted_ns < ?
                  AND arrived_ns IS NOT NULL AND twin IS NULL ORDER BY accounted_ns""",
            (self._node_id, since_ns, until_ns),
        )
        return np.fromiter(chain.from_iterable(cursor), np.int64).reshape(-1, _WIDTH)


def _in_order(columns: Ints, in_chan: Ints) -> Ints:
    """Return the order of arrival; what came at once is told apart by what every import of it says alike."""
    key = columns[_HTLC_OR_ROW]
    return np.lexsort((np.maximum(-key, 0), in_chan, columns[_AMOUNT_OUT], np.maximum(key, -1), columns[_ARRIVED]))
