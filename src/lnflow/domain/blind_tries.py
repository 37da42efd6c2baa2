"""Refusals without an amount: the rules of `demand.py` tell them apart by time alone, so it is done in columns.

Core Lightning's history is mostly made of them: it does not keep what was to leave where it refused.
"""

from __future__ import annotations

import numpy as np

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.demand import BLIND_RETURN_NS, NOT_OURS, Wish
from lnflow.domain.lone_tries import Tries

_CAUSES = list(Cause)
_NO_CAUSE = int(Cause.NONE)


def set_blind_apart(tries: Tries) -> tuple[list[Wish], Tries]:
    """Return the wishes behind refusals of unknown amount, in order of their first try, and all other tries.

    A wish is what one pair of peers was refused for one cause with less than `BLIND_RETURN_NS` between tries.
    No other try has a part in it, so what `find_wishes` makes of the rest is what it makes of it among all.
    """
    blind = (tries.outcome == Outcome.REFUSED) & (tries.amount_out_msat < 0) & (tries.fee_msat < 0)
    blind &= (tries.out_chan != NOT_OURS) & (tries.cause != _NO_CAUSE)
    if not blind.any():
        return [], tries
    refused = tries.chosen(blind)
    keys = (refused.in_peer, refused.out_peer, refused.cause)
    order = np.lexsort((np.arange(len(refused)), *keys))
    begins = np.diff(refused.arrived_ns[order], prepend=0) >= BLIND_RETURN_NS
    for key in keys:
        begins |= np.diff(key[order], prepend=key[order[0]]) != 0
    begins[0] = True
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(order))
    first, last = order[starts], order[ends - 1]
    by_time = np.argsort(first)
    wishes = [
        Wish(in_chan, out_chan, _CAUSES[cause], first_ns, last_ns, None, None, None, refused=count, burst_ns=last_ns)
        for in_chan, out_chan, cause, first_ns, last_ns, count in zip(
            *(
                column[by_time].tolist()
                for column in (
                    refused.in_chan[first], refused.out_chan[first], refused.cause[first], refused.arrived_ns[first],
                    refused.arrived_ns[last], ends - starts,
                )
            ),
            strict=True,
        )
    ]  # fmt: skip
    return wishes, tries.chosen(~blind)
