"""LND's failure numbers, and what a refusal of ours means: the cause table of the link and the switch.

Both enums are open: a number we do not know is kept as it is and never raises.  `Failure.FailureCode` is a
running number of LND's own, not the BOLT 4 code.  "No detail" is 1, not 0.
"""

from __future__ import annotations

from enum import IntEnum

from lnflow.domain.causes import Cause

UNKNOWN_NAME = -1
"""Stands for an enum value that a JSON form names with a word we do not know: its number is not told."""


class WireFailure(IntEnum):
    """`lnrpc.Failure.FailureCode`: what the sender is told."""

    RESERVED = 0
    INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS = 1
    INCORRECT_PAYMENT_AMOUNT = 2
    FINAL_INCORRECT_CLTV_EXPIRY = 3
    FINAL_INCORRECT_HTLC_AMOUNT = 4
    FINAL_EXPIRY_TOO_SOON = 5
    INVALID_REALM = 6
    EXPIRY_TOO_SOON = 7
    INVALID_ONION_VERSION = 8
    INVALID_ONION_HMAC = 9
    INVALID_ONION_KEY = 10
    AMOUNT_BELOW_MINIMUM = 11
    FEE_INSUFFICIENT = 12
    INCORRECT_CLTV_EXPIRY = 13
    CHANNEL_DISABLED = 14
    TEMPORARY_CHANNEL_FAILURE = 15
    REQUIRED_NODE_FEATURE_MISSING = 16
    REQUIRED_CHANNEL_FEATURE_MISSING = 17
    UNKNOWN_NEXT_PEER = 18
    TEMPORARY_NODE_FAILURE = 19
    PERMANENT_NODE_FAILURE = 20
    PERMANENT_CHANNEL_FAILURE = 21
    EXPIRY_TOO_FAR = 22
    MPP_TIMEOUT = 23
    INVALID_ONION_PAYLOAD = 24
    INVALID_ONION_BLINDING = 25
    INTERNAL_FAILURE = 997
    UNKNOWN_FAILURE = 998
    UNREADABLE_FAILURE = 999


class FailureDetail(IntEnum):
    """`routerrpc.FailureDetail`: what really happened, for us only (23–27 since LND 0.21)."""

    UNKNOWN = 0
    NO_DETAIL = 1
    ONION_DECODE = 2
    LINK_NOT_ELIGIBLE = 3
    ON_CHAIN_TIMEOUT = 4
    HTLC_EXCEEDS_MAX = 5
    INSUFFICIENT_BALANCE = 6
    INCOMPLETE_FORWARD = 7
    HTLC_ADD_FAILED = 8
    FORWARDS_DISABLED = 9
    INVOICE_CANCELED = 10
    INVOICE_UNDERPAID = 11
    INVOICE_EXPIRY_TOO_SOON = 12
    INVOICE_NOT_OPEN = 13
    MPP_INVOICE_TIMEOUT = 14
    ADDRESS_MISMATCH = 15
    SET_TOTAL_MISMATCH = 16
    SET_TOTAL_TOO_LOW = 17
    SET_OVERPAID = 18
    UNKNOWN_INVOICE = 19
    INVALID_KEYSEND = 20
    MPP_IN_PROGRESS = 21
    CIRCULAR_ROUTE = 22
    INVOICE_ALREADY_SETTLED = 23
    HTLC_INVOICE_TYPE_MISMATCH = 24
    AMP_ERROR = 25
    AMP_RECONSTRUCTION = 26
    EXTERNAL_VALIDATION_FAILED = 27


HTLC_ADD_FAILED = int(FailureDetail.HTLC_ADD_FAILED)

# The detail survives where LND had to replace the wire code (it could not load its channel_update),
# and one wire code covers many details: hence detail first.
_BY_DETAIL: dict[int, Cause] = {
    FailureDetail.ONION_DECODE: Cause.INVALID_ONION,
    FailureDetail.LINK_NOT_ELIGIBLE: Cause.LINK_NOT_ELIGIBLE,
    FailureDetail.HTLC_EXCEEDS_MAX: Cause.HTLC_EXCEEDS_MAX,
    FailureDetail.INSUFFICIENT_BALANCE: Cause.INSUFFICIENT_BALANCE,
    FailureDetail.INCOMPLETE_FORWARD: Cause.INCOMPLETE_FORWARD,
    FailureDetail.HTLC_ADD_FAILED: Cause.HTLC_ADD_FAILED,
    FailureDetail.FORWARDS_DISABLED: Cause.FORWARDS_DISABLED,
    FailureDetail.CIRCULAR_ROUTE: Cause.CIRCULAR_ROUTE,
}

_BY_WIRE: dict[int, Cause] = {
    WireFailure.INVALID_REALM: Cause.INVALID_ONION,
    WireFailure.EXPIRY_TOO_SOON: Cause.EXPIRY_TOO_SOON,
    WireFailure.INVALID_ONION_VERSION: Cause.INVALID_ONION,
    WireFailure.INVALID_ONION_HMAC: Cause.INVALID_ONION,
    WireFailure.INVALID_ONION_KEY: Cause.INVALID_ONION,
    WireFailure.AMOUNT_BELOW_MINIMUM: Cause.AMOUNT_BELOW_MINIMUM,
    WireFailure.FEE_INSUFFICIENT: Cause.FEE_INSUFFICIENT,
    WireFailure.INCORRECT_CLTV_EXPIRY: Cause.INCORRECT_CLTV_EXPIRY,
    WireFailure.CHANNEL_DISABLED: Cause.FORWARDS_DISABLED,
    WireFailure.TEMPORARY_CHANNEL_FAILURE: Cause.NO_DETAIL,
    WireFailure.UNKNOWN_NEXT_PEER: Cause.UNKNOWN_NEXT_PEER,
    # LND's stand-in when it cannot load the channel_update: the reason is lost
    WireFailure.TEMPORARY_NODE_FAILURE: Cause.NO_DETAIL,
    WireFailure.EXPIRY_TOO_FAR: Cause.EXPIRY_TOO_FAR,
    WireFailure.INVALID_ONION_PAYLOAD: Cause.INVALID_ONION,
    WireFailure.INVALID_ONION_BLINDING: Cause.INVALID_ONION,
}

_WITHOUT_DETAIL = frozenset({int(FailureDetail.UNKNOWN), int(FailureDetail.NO_DETAIL)})

_WIRE_NUMBERS = {member.name: int(member) for member in WireFailure}
_DETAIL_NUMBERS = {member.name: int(member) for member in FailureDetail}


_INVALID_ONION, _UNRECOGNISED = Cause.INVALID_ONION, Cause.UNRECOGNISED


def classify(wire: int, detail: int, out_scid: int, amount_out_msat: int) -> Cause:
    """Return why we refused a forward, from the numbers of its link_fail event as they are on the wire.

    An outgoing side that is wholly zero means that the onion could not be read; `out_scid` alone zero
    means a next hop named by its node id.

    >>> classify(15, 6, out_scid=443103186190336, amount_out_msat=1_318_053_897)
    <Cause.INSUFFICIENT_BALANCE: 1>
    """
    cause = _BY_DETAIL.get(detail)
    if cause is not None:
        return cause
    if detail not in _WITHOUT_DETAIL:
        return _UNRECOGNISED
    cause = _BY_WIRE.get(wire, _UNRECOGNISED)
    if not out_scid and not amount_out_msat and cause is not _UNRECOGNISED:
        return _INVALID_ONION
    return cause


def wire_number(value: int | str) -> int:
    """Return the number of a wire failure given as number, digits or name; `UNKNOWN_NAME` for other words."""
    return _number(value, _WIRE_NUMBERS)


def detail_number(value: int | str) -> int:
    """Return the number of a failure detail given as number, digits or name; `UNKNOWN_NAME` otherwise."""
    return _number(value, _DETAIL_NUMBERS)


def _number(value: int | str, names: dict[str, int]) -> int:
    if isinstance(value, int):
        return value
    number = names.get(value)
    if number is not None:
        return number
    return int(value) if value.isascii() and value.isdigit() else UNKNOWN_NAME
