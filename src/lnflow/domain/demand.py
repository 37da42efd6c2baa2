"""Wishes behind attempts: retries, parallel tries and shards of one amount are one wish of somebody.

No payment hash is on a refusal, so attempts are joined by what stays the same: the incoming peer, the
outgoing peer, the amount that should leave us, and the time.  docs/concepts/demand.md has worked numbers.
"""

from __future__ import annotations

from msgspec import Struct

from lnflow.domain.causes import Cause
from lnflow.domain.time import HOUR_NS, MINUTE_NS, SECOND_NS

RETRY_GAP_NS = 15 * MINUTE_NS
"""A try that comes this long after the last one of its wish is a new wish."""
RECOVERY_NS = HOUR_NS
"""A try that we passed on this soon after the last refusal fulfilled the wish."""
FEE_RECOVERY_NS = 60 * SECOND_NS
"""The same for FEE_INSUFFICIENT: the error carries our new price, senders retry at once."""
SAME_AMOUNT_PERCENT = 2
PERIOD_NS = 6 * HOUR_NS
"""Wishes end with the period (UTC) they began in, so that any period can be made again by itself."""
MAX_OPEN_PER_PAIR = 512
"""More open wishes than this between two peers are a flood; the oldest are closed."""


class Try(Struct, frozen=True, gc=False):
    """One attempt as far as it matters here; `refused_for` is Cause.NONE if we passed it on."""

    arrived_ns: int
    in_chan: int
    out_chan: int
    amount_out_msat: int | None
    fee_msat: int | None
    refused_for: Cause


class Wish(Struct, gc=False):
    """A wish that we refused at least once."""

    in_chan: int
    out_chan: int
    cause: Cause
    first_ns: int
    last_ns: int
    attempts: int
    attempted_msat: int
    attempted_fee_msat: int
    amount_out_msat: int | None
    fee_msat: int | None
    recovered_ns: int | None = None
    demand_id: int | None = None


class PairWishes:
    """The open wishes from one peer to another within one period; tries must come in order of arrival."""

    __slots__ = ("last_ns", "open")

    def __init__(self) -> None:
        self.open: list[Wish] = []
        self.last_ns = 0

    def refused(self, t: Try) -> Wish:
        """Take a refused try; return the wish it belongs to, new or known."""
        self.last_ns = max(self.last_ns, t.arrived_ns)
        self.open = [w for w in self.open if t.arrived_ns - w.last_ns < RECOVERY_NS][-MAX_OPEN_PER_PAIR:]
        for wish in reversed(self.open):
            if (
                wish.recovered_ns is None
                and t.arrived_ns - wish.last_ns < RETRY_GAP_NS
                and wish.cause == t.refused_for
                and _alike(wish.amount_out_msat, t.amount_out_msat)
            ):
                wish.last_ns = t.arrived_ns
                wish.attempts += 1
                wish.attempted_msat += t.amount_out_msat or 0
                wish.attempted_fee_msat += t.fee_msat or 0
                wish.amount_out_msat, wish.fee_msat = t.amount_out_msat, t.fee_msat
                return wish
        wish = Wish(
            in_chan=t.in_chan,
            out_chan=t.out_chan,
            cause=t.refused_for,
            first_ns=t.arrived_ns,
            last_ns=t.arrived_ns,
            attempts=1,
            attempted_msat=t.amount_out_msat or 0,
            attempted_fee_msat=t.fee_msat or 0,
            amount_out_msat=t.amount_out_msat,
            fee_msat=t.fee_msat,
        )
        self.open.append(wish)
        return wish

    def passed_on(self, t: Try) -> list[Wish]:
        """Take a try that we passed on; return the wishes it fulfils (one, or one per cause it met)."""
        self.last_ns = max(self.last_ns, t.arrived_ns)
        fulfilled: list[Wish] = []
        for wish in reversed(self.open):
            horizon_ns = FEE_RECOVERY_NS if wish.cause == Cause.FEE_INSUFFICIENT else RECOVERY_NS
            if (
                wish.recovered_ns is None
                and 0 <= t.arrived_ns - wish.last_ns <= horizon_ns
                and t.amount_out_msat is not None
                and _alike(wish.amount_out_msat, t.amount_out_msat)
                and all(w.cause != wish.cause for w in fulfilled)
            ):
                wish.recovered_ns = t.arrived_ns
                fulfilled.append(wish)
        return fulfilled


def _alike(one_msat: int | None, other_msat: int | None) -> bool:
    if one_msat is None or other_msat is None:
        return one_msat is other_msat  # amounts that the node did not give are alike
    return abs(one_msat - other_msat) * 100 <= SAME_AMOUNT_PERCENT * max(one_msat, other_msat)
