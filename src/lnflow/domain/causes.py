"""Ends of a forwarding attempt and causes of our own refusals: closed sets, stored as small numbers.

The numbers are part of the store's schema: never renumber, only add.
"""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """How far an attempt got.  Order is precedence: of two statements about one HTLC the higher one wins."""

    PENDING = 0
    """Offered to the next hop (or only just seen); its end is not known."""
    UNRESOLVED = 1
    """Ended without success, and nothing said why (only a final event was seen)."""
    DOWNSTREAM = 2
    """A later hop failed it, or it timed out there: not ours."""
    REFUSED = 3
    """We failed it ourselves; `Cause` says why."""
    SETTLED = 4
    """It paid us."""


class Cause(IntEnum):
    """Why we refused.  The text forms are LND's own names, lower case (see docs/concepts/causes.md)."""

    NONE = 0
    INSUFFICIENT_BALANCE = 1
    HTLC_EXCEEDS_MAX = 2
    AMOUNT_BELOW_MINIMUM = 3
    FEE_INSUFFICIENT = 4
    UNKNOWN_NEXT_PEER = 5
    LINK_NOT_ELIGIBLE = 6
    HTLC_ADD_FAILED = 7
    EXPIRY_TOO_SOON = 8
    EXPIRY_TOO_FAR = 9
    INCORRECT_CLTV_EXPIRY = 10
    CIRCULAR_ROUTE = 11
    FORWARDS_DISABLED = 12
    INCOMPLETE_FORWARD = 13
    INVALID_ONION = 14
    """Any decode failure on the incoming side: the outgoing side is unknown."""
    NO_DETAIL = 15
    """Temporary channel failure without a detail: dust or fee exposure, or the incoming link went away."""
    UNATTRIBUTED = 16
    """Core Lightning rows whose cause could not be told."""
    UNRECOGNISED = 17
    """A code this version does not know; the raw numbers are kept."""

    @property
    def text(self) -> str:
        return self.name.lower()


class Circumstance(IntEnum):
    """What else is stored about the time of a refusal."""

    NONE = 0
    LINK_DOWN = 1
    """A stored interval says that no channel of the peer was active when the first attempt came."""
    AFTER_RAISE = 2
    """Our price for the channel rose within the 60 minutes before."""
    PROBE = 3
    """Somebody was bisecting our balance: nothing was to be paid."""
    BALANCE_SHORT = 4
    """More than our `max_htlc`, and more than the balance known at the time: not served without it either."""


class Problem(IntEnum):
    """What would have to change, which is how findings are grouped: one per peer and problem."""

    LIQUIDITY = 1
    OFFLINE = 2
    SIZE = 3
    FEE = 4
    STALE_FEE = 5
    SLOTS = 6
    UNATTRIBUTED = 7
    OTHER = 8

    @property
    def text(self) -> str:
        return self.name.lower()
