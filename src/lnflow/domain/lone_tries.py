"""Which tries cannot belong together with any other: most of them, found in columns.

A try stands alone if its pair of peers was quiet for a session before and after it and no other try of the pair has
its amount.  One that we passed on is then a wish by itself, with nothing for the rules of `demand.py` to join.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.demand import ELSEWHERE_NS, NOT_OURS, SESSION_NS, Try

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UNKNOWN = -1
_NEVER_NS = 0
_OUTCOMES, _CAUSES = list(Outcome), list(Cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """Tries in order of arrival, column by column, as in `Try`; amounts that are not known are `UNKNOWN`."""

    arrived_ns: Ints
    in_peer: Ints
    out_peer: Ints
    in_chan: Ints
    out_chan: Ints
    amount_out_msat: Ints
    fee_msat: Ints
    outcome: Ints
    cause: Ints

    def __len__(self) -> int:
        return len(self.arrived_ns)

    def chosen(self, which: Bools) -> Tries:
        """Return some of the tries."""
        return Tries(**{name: getattr(self, name)[which] for name in self.__slots__})

    def each(self, lone_settled_ns: Ints, alone: Bools) -> list[Try]:
        """Return them one by one, with what is said of those that are not here."""
        return list(
            map(
                Try,
                self.arrived_ns.tolist(),
                self.in_peer.tolist(),
                self.out_peer.tolist(),
                self.in_chan.tolist(),
                self.out_chan.tolist(),
                [None if msat < 0 else msat for msat in self.amount_out_msat.tolist()],
                [None if msat < 0 else msat for msat in self.fee_msat.tolist()],
                [_OUTCOMES[outcome] for outcome in self.outcome.tolist()],
                [_CAUSES[cause] for cause in self.cause.tolist()],
                lone_settled_ns.tolist(),
                alone.tolist(),
            )
        )


def set_apart(tries: Tries) -> tuple[Tries, list[Try]]:
    """Return the tries that we passed on and that stand alone, and all others for `find_wishes`.

    What `find_wishes` makes of the others is what it makes of them among all; of those that stand alone it
    makes one wish each.
    """
    if not len(tries):
        return tries, []
    alone = ~_has_company(tries)
    may_join = ~alone | (tries.outcome == Outcome.REFUSED)
    settled = (tries.outcome == Outcome.SETTLED) & (tries.amount_out_msat >= 0)
    by_in_peer = np.argsort(tries.in_peer, kind="stable")
    # It may be what another peer of ours refused a moment ago.
    last_ns = _last_before(tries, by_in_peer, may_join)
    lone = ~may_join & ~(settled & (tries.arrived_ns - last_ns <= ELSEWHERE_NS))
    others = ~lone
    lone_settled_ns = _last_before(tries, by_in_peer, lone & settled)
    return tries.chosen(lone), tries.chosen(others).each(lone_settled_ns[others], alone[others])


def _has_company(tries: Tries) -> Bools:
    """Tell of each try whether another of its pair is near, or of the same amount, or its amount is unknown."""
    low, out_low = int(tries.in_peer.min()), int(tries.out_peer.min())
    width = int(tries.out_peer.max()) - out_low + 1
    pair = (tries.in_peer - low) * width + (tries.out_peer - out_low)
    result: Bools = (tries.amount_out_msat < 0) | (tries.out_chan == NOT_OURS)
    in_time = np.argsort(pair, kind="stable")
    _mark_neighbours(
        result, in_time, (np.diff(pair[in_time]) == 0) & (np.diff(tries.arrived_ns[in_time]) <= SESSION_NS)
    )
    by_amount = np.lexsort((tries.amount_out_msat, pair))
    _mark_neighbours(
        result, by_amount, (np.diff(pair[by_amount]) == 0) & (np.diff(tries.amount_out_msat[by_amount]) == 0)
    )
    return result


def _mark_neighbours(marks: Bools, order: Ints, joined: Bools) -> None:
    marks[order[:-1][joined]] = True
    marks[order[1:][joined]] = True


def _last_before(tries: Tries, by_in_peer: Ints, which: Bools) -> Ints:
    """Return of each try when the last one before it of the same incoming peer, of those chosen, arrived."""
    places = np.arange(len(tries))
    peers, chosen = tries.in_peer[by_in_peer], which[by_in_peer]
    last = np.maximum.accumulate(np.where(chosen, places, -1))
    last = np.concatenate(([-1], last[:-1]))
    known = (last >= 0) & (peers[last] == peers)
    result = np.full(len(tries), _NEVER_NS)
    result[by_in_peer] = np.where(known, tries.arrived_ns[by_in_peer][last], _NEVER_NS)
    return result
