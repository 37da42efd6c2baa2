"""Was a recommendation taken?  Told from what the channels show since: balances, prices, new channels.

Half of what was advised counts: a rebalance of 2 M sat instead of 3 M, a price moved half of the way.  What no
fact can show (a peer's steadier link) only the operator can mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import Struct

from lnflow.advice.documents import Recommendation
from lnflow.domain.channel import Policy

ADDED_ONCE = frozenset({"rebalance_outbound", "rebalance_inbound"})
"""What moves balance once; everything else goes on."""


class Balance(Struct, frozen=True, gc=False):
    """Our balance in one of the peer's channels, as it was listed."""

    at_ns: int
    channel_id: int
    local_msat: int


class Move(Struct, frozen=True, gc=False):
    """What a settled forward did to our balance with the peer: in is more, out is less."""

    at_ns: int
    msat: int


class Since(Struct, frozen=True, kw_only=True):
    """What is known of a peer since a recommendation was given, each in order of time."""

    locals_then_msat: dict[int, int]
    """Our balance by channel when it was given."""
    balances: Sequence[Balance]
    moves: Sequence[Move]
    returned: Sequence[Move]
    """Circular payments that came back by the peer."""
    policy_then: Policy | None
    policies: Sequence[tuple[int, Policy]]
    """Ours on the channel that was named."""
    new_channels: Sequence[tuple[int, int]]
    """Channels first listed since: when, and their capacity in sat."""


def taken_at_ns(advice: Recommendation, since: Since) -> int | None:
    """Return when at least half of it was done; None if nothing shows that it was."""
    match advice.type:
        case "rebalance_outbound":
            return _first(
                (_rebalanced(advice, since.returned), _moved_ns(advice, since, sign=1)),
            )
        case "rebalance_inbound":
            return _moved_ns(advice, since, sign=-1)
        case "lower_fees" | "raise_fees":
            then = None if since.policy_then is None else since.policy_then.fee_ppm
            return _changed_ns(then, advice.fee_ppm, [(at, p.fee_ppm) for at, p in since.policies])
        case "raise_max_htlc":
            then = None if since.policy_then is None else since.policy_then.max_htlc_msat
            return _changed_ns(then, advice.max_htlc_msat, [(at, p.max_htlc_msat) for at, p in since.policies])
        case "increase_capacity":
            return _reached_ns(advice.amount_sat, since.new_channels)
        case _:
            return None


def brought_in(since: Since) -> list[Move]:
    """Return by how much our balance with the peer is above what forwards explain, at each listing."""
    now = dict(since.locals_then_msat)
    start = sum(now.values())
    forwarded, seen = 0, 0
    result = []
    for at_ns, listed in groupby(since.balances, key=lambda b: b.at_ns):
        for balance in listed:
            now[balance.channel_id] = balance.local_msat
        while seen < len(since.moves) and since.moves[seen].at_ns <= at_ns:
            forwarded += since.moves[seen].msat
            seen += 1
        result.append(Move(at_ns, sum(now.values()) - start - forwarded))
    return result


def _rebalanced(advice: Recommendation, returned: Sequence[Move]) -> int | None:
    return _reached_ns(advice.amount_sat, [(m.at_ns, m.msat // 1000) for m in returned])


def _moved_ns(advice: Recommendation, since: Since, *, sign: int) -> int | None:
    if not advice.amount_sat:
        return None
    half_msat = advice.amount_sat * 1000 // 2
    return next((m.at_ns for m in brought_in(since) if sign * m.msat >= half_msat), None)


def _reached_ns(wanted_sat: int | None, parts: Iterable[tuple[int, int]]) -> int | None:
    """Return when the parts added up to half of what was wanted."""
    total = 0
    for at_ns, sat in parts:
        total += sat
        if wanted_sat and total * 2 >= wanted_sat:
            return at_ns
    return None


def _changed_ns(then: int | None, wanted: int | None, values: Iterable[tuple[int, int | None]]) -> int | None:
    """Return when a value had gone half of the way."""
    if then is None or wanted is None or then == wanted:
        return None
    sign = 1 if wanted > then else -1
    return next(
        (at_ns for at_ns, value in values if value is not None and sign * (2 * value - then - wanted) >= 0), None
    )


def _first(times: Iterable[int | None]) -> int | None:
    return min((t for t in times if t is not None), default=None)
