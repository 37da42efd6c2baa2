"""Which problem a refusal belongs to: what would have to change for it not to happen again.

LND says why it refused, but some of its words have several meanings: an absent link is downtime only if
downtime is stored, an underpaid fee is ours only if the sender had time to hear of our price.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from lnflow.analysis.facts import WishFacts
from lnflow.domain.causes import Cause, Circumstance, Problem
from lnflow.domain.channel import ChannelFacts

# Refusals that the sender has to mend (or that are somebody's game): shown, never counted as missed.
SENDERS_FAULT = frozenset(
    {
        Cause.EXPIRY_TOO_SOON,
        Cause.EXPIRY_TOO_FAR,
        Cause.INCORRECT_CLTV_EXPIRY,
        Cause.CIRCULAR_ROUTE,
        Cause.INCOMPLETE_FORWARD,
        Cause.INVALID_ONION,
        Cause.UNRECOGNISED,
    }
)

Fate = Literal["unserved", "served_later", "probe", "beyond_balance", "senders_fault"]

_ABSENT_LINK = frozenset({Cause.UNKNOWN_NEXT_PEER, Cause.LINK_NOT_ELIGIBLE})


class Standing(IntEnum):
    """What the channel that was asked for is to us by now."""

    NOT_OURS = 0
    CLOSED = 1
    OPEN = 2


def standing_of(channel: ChannelFacts | None) -> Standing:
    if channel is None:
        return Standing.NOT_OURS
    return Standing.CLOSED if channel.closed else Standing.OPEN


def problem_of(cause: Cause, circumstance: Circumstance, oversize: bool, standing: Standing) -> Problem | None:
    """Return the problem, or None for what is nobody's opportunity.

    None means a channel that is not ours (an invented id), or an absent link that is closed by now: whether it
    was down before or gone cannot be told.  Slot exhaustion keeps its meaning without a channel, since an older
    LND does not name the outgoing side.
    """
    if standing is Standing.NOT_OURS:
        return Problem.SLOTS if cause is Cause.HTLC_ADD_FAILED else None
    if standing is Standing.CLOSED and cause in _ABSENT_LINK:
        return None
    match cause:
        case Cause.INSUFFICIENT_BALANCE:
            # No balance could serve more than the channel holds: that takes capacity.
            return Problem.SIZE if oversize else Problem.LIQUIDITY
        case Cause.HTLC_EXCEEDS_MAX:
            return Problem.SIZE
        case Cause.FEE_INSUFFICIENT:
            return Problem.STALE_FEE if circumstance is Circumstance.AFTER_RAISE else Problem.FEE
        case Cause.UNKNOWN_NEXT_PEER | Cause.LINK_NOT_ELIGIBLE:
            return Problem.OFFLINE if circumstance is Circumstance.LINK_DOWN else Problem.UNATTRIBUTED
        case Cause.HTLC_ADD_FAILED:
            return Problem.SLOTS
        case Cause.UNATTRIBUTED:
            return Problem.UNATTRIBUTED
        case _:
            return Problem.OTHER


def is_missed(cause: Cause, circumstance: Circumstance) -> bool:
    """Return whether open wishes could have been income.

    Not for the sender's own faults, not for who only looks for our balance, and not for what the balance of the
    time could not have served either.
    """
    return cause not in SENDERS_FAULT and circumstance not in (Circumstance.PROBE, Circumstance.BALANCE_SHORT)


def fate_of(wish: WishFacts) -> Fate:
    """Return what became of a wish, or why it counts for nothing."""
    if wish.circumstance is Circumstance.PROBE:
        return "probe"
    if wish.recovered:
        return "served_later"
    if wish.circumstance is Circumstance.BALANCE_SHORT:
        return "beyond_balance"
    return "unserved" if is_missed(wish.cause, wish.circumstance) else "senders_fault"


# How sure we are that the problem is the one named, before the amount of evidence is considered.
PROBLEM_CONFIDENCE = {
    Problem.LIQUIDITY: 1.0,
    Problem.OFFLINE: 1.0,
    Problem.SIZE: 1.0,
    Problem.FEE: 0.6,  # an old price may have been in gossip for longer than the hour we look back
    Problem.STALE_FEE: 0.8,
    Problem.SLOTS: 0.7,  # slots, in-flight limit, fee exposure or an unresponsive peer look alike
    Problem.UNATTRIBUTED: 0.4,
    Problem.OTHER: 0.3,
}

# How far the model may be off for each problem, as the standard deviation of a logarithm: measured in the
# development worlds of `simulation/world` (docs/concepts/valuation.md).
MODEL_DOUBT = {
    Problem.LIQUIDITY: 0.15,
    Problem.OFFLINE: 0.5,
    Problem.SIZE: 0.9,
    Problem.FEE: 0.7,
    Problem.STALE_FEE: 0.7,
    Problem.SLOTS: 0.5,
    Problem.UNATTRIBUTED: 0.7,
    Problem.OTHER: 0.7,
}
UNCOVERED_DOUBT = 0.4
"""The same for a window of which nothing was covered; less in proportion to what was."""
