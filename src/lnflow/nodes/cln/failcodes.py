"""BOLT 4 codes as Core Lightning stores them for its own refusals, and what each alone can tell."""

from __future__ import annotations

from enum import IntEnum

from lnflow.domain.causes import Cause


class FailCode(IntEnum):
    """The codes that a `local_failed` row can carry."""

    EXPIRY_TOO_FAR = 21
    TEMPORARY_CHANNEL_FAILURE = 4103
    AMOUNT_BELOW_MINIMUM = 4107
    FEE_INSUFFICIENT = 4108
    INCORRECT_CLTV_EXPIRY = 4109
    EXPIRY_TOO_SOON = 4110
    TEMPORARY_NODE_FAILURE = 8194
    PERMANENT_CHANNEL_FAILURE = 16392
    UNKNOWN_NEXT_PEER = 16394
    INVALID_ONION_PAYLOAD = 16406
    REQUIRED_NODE_FEATURE_MISSING = 24579
    INVALID_ONION_VERSION = 49156
    INVALID_ONION_HMAC = 49157
    INVALID_ONION_KEY = 49158
    INVALID_ONION_BLINDING = 49176


_CAUSES: dict[int, Cause] = {
    FailCode.EXPIRY_TOO_FAR: Cause.EXPIRY_TOO_FAR,
    FailCode.TEMPORARY_CHANNEL_FAILURE: Cause.UNATTRIBUTED,
    FailCode.AMOUNT_BELOW_MINIMUM: Cause.AMOUNT_BELOW_MINIMUM,
    FailCode.FEE_INSUFFICIENT: Cause.FEE_INSUFFICIENT,
    FailCode.INCORRECT_CLTV_EXPIRY: Cause.INCORRECT_CLTV_EXPIRY,
    FailCode.EXPIRY_TOO_SOON: Cause.EXPIRY_TOO_SOON,
    FailCode.TEMPORARY_NODE_FAILURE: Cause.NO_DETAIL,
    FailCode.PERMANENT_CHANNEL_FAILURE: Cause.NO_DETAIL,
    FailCode.UNKNOWN_NEXT_PEER: Cause.UNKNOWN_NEXT_PEER,
    FailCode.INVALID_ONION_PAYLOAD: Cause.INVALID_ONION,
    FailCode.REQUIRED_NODE_FEATURE_MISSING: Cause.HTLC_ADD_FAILED,
    FailCode.INVALID_ONION_VERSION: Cause.INVALID_ONION,
    FailCode.INVALID_ONION_HMAC: Cause.INVALID_ONION,
    FailCode.INVALID_ONION_KEY: Cause.INVALID_ONION,
    FailCode.INVALID_ONION_BLINDING: Cause.INVALID_ONION,
}


def cause_of_failcode(code: int | None) -> Cause:
    """Return the cause that the code alone tells: `UNATTRIBUTED` for 4103, which means six things.

    >>> cause_of_failcode(4108), cause_of_failcode(4103), cause_of_failcode(1)
    (<Cause.FEE_INSUFFICIENT: 4>, <Cause.UNATTRIBUTED: 16>, <Cause.UNRECOGNISED: 17>)
    """
    return Cause.UNATTRIBUTED if code is None else _CAUSES.get(code, Cause.UNRECOGNISED)
