"""Core Lightning's JSON → domain values: forwards, channels, closed channels, the node itself.

Amounts are integers (msat) since v23.05 and strings with an `msat` suffix before; times are seconds with a
fraction, read as decimal text so that nothing is rounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo, PendingHtlc, Policy
from lnflow.domain.htlc import Attempt
from lnflow.domain.scid import parse_scid
from lnflow.domain.time import SECOND_NS

_T = TypeVar("_T")

_PERMANENT_CHANNEL_FAILURE = 16392

# BOLT 4 codes, as `failcode` says them.  4103 (temporary_channel_failure) stands for liquidity, size, slots,
# dust and an offline peer alike: only facts of that moment could tell, a history cannot.
_CAUSES: dict[int, Cause] = {
    4103: Cause.UNATTRIBUTED,
    4107: Cause.AMOUNT_BELOW_MINIMUM,
    4108: Cause.FEE_INSUFFICIENT,
    4109: Cause.INCORRECT_CLTV_EXPIRY,
    4110: Cause.EXPIRY_TOO_SOON,
    21: Cause.EXPIRY_TOO_FAR,
    16394: Cause.UNKNOWN_NEXT_PEER,
    24579: Cause.HTLC_ADD_FAILED,  # "required_node_feature_missing" means: the peer's max value in flight
    8194: Cause.NO_DETAIL,  # dust exposure of the incoming channel
    _PERMANENT_CHANNEL_FAILURE: Cause.NO_DETAIL,  # the incoming channel is shutting down
    16406: Cause.INVALID_ONION,
    49156: Cause.INVALID_ONION,
    49157: Cause.INVALID_ONION,
    49158: Cause.INVALID_ONION,
    49176: Cause.INVALID_ONION,
}

_SCID = re.compile(r"(\d{1,8})x(\d{1,8})x(\d{1,5})\Z", re.ASCII)
_MSAT = re.compile(r"(\d{1,19})(?:msat)?\Z", re.ASCII)


def attempt_of_row(row: Mapping[str, object]) -> Attempt:
    """Return one row of listforwards; raise `ValueError` saying what is wrong with it."""
    status = row.get("status")
    out_scid = _optional(row, "out_channel", scid) or 0
    amount_in_msat = _first(row, ("in_msat", "in_msatoshi"), msat)
    amount_out_msat = _first(row, ("out_msat", "out_msatoshi"), msat)
    outcome, cause = _ending(row, status, out_scid, amount_out_msat)
    return Attempt(
        in_scid=_required(row, "in_channel", scid),
        in_htlc_id=_optional(row, "in_htlc_id", _count),
        out_scid=out_scid,
        out_htlc_id=_optional(row, "out_htlc_id", _count),
        out_used=bool(out_scid) and outcome is not Outcome.REFUSED,
        amount_in_msat=amount_in_msat,
        amount_out_msat=amount_out_msat,
        arrived_ns=_optional(row, "received_time", time_ns) or None,  # 0 in rows older than the field
        resolved_ns=_optional(row, "resolved_time", time_ns) or None,
        outcome=outcome,
        cause=cause,
        wire_code=_optional(row, "failcode", _count) or 0,
    )


def _ending(
    row: Mapping[str, object], status: object, out_scid: int, amount_out_msat: int | None
) -> tuple[Outcome, Cause]:
    match status:
        case "settled":
            return Outcome.SETTLED, Cause.NONE
        case "offered":
            return Outcome.PENDING, Cause.NONE
        case "failed":
            return Outcome.DOWNSTREAM, Cause.NONE
        case "local_failed":
            code = _optional(row, "failcode", _count)
            if code == _PERMANENT_CHANNEL_FAILURE and out_scid and amount_out_msat:
                return Outcome.DOWNSTREAM, Cause.NONE  # it was sent; the outgoing channel then went on chain
            if code is None:
                return Outcome.REFUSED, Cause.UNATTRIBUTED  # old rows and some exports leave it out
            return Outcome.REFUSED, _CAUSES.get(code, Cause.UNRECOGNISED)
    raise ValueError(f"status is {status!r}, not settled, offered, failed or local_failed")


def channel_of_row(row: Mapping[str, object]) -> ChannelState:
    """Return one channel of listpeerchannels, under its channel_id, which splices do not change.

    LND's commitment fee and lifetime have no counterpart; what we may spend is told by `spendable_msat`.
    """
    to_us_msat = _required(row, "to_us_msat", msat)
    total_msat = _required(row, "total_msat", msat)
    pending = tuple(_pending(htlc) for htlc in _objects(row.get("htlcs")))
    incoming = sum(htlc.amount_msat for htlc in pending if htlc.incoming)
    outgoing = sum(htlc.amount_msat for htlc in pending if not htlc.incoming)
    alias = _optional(_object(row.get("alias")), "local", scid)
    real = _optional(row, "short_channel_id", scid)
    known = [number for number in (real, alias) if number]
    return ChannelState(
        channel_point=_required(row, "channel_id", _hex),
        scid=known[0] if known else 0,
        other_scids=tuple(known[1:]),
        peer_pubkey=_required(row, "peer_id", _hex),
        peer_alias=None,
        capacity_sat=total_msat // 1000,
        local_msat=to_us_msat - outgoing,
        remote_msat=max(0, total_msat - to_us_msat - incoming),
        unsettled_msat=incoming + outgoing,
        commit_fee_sat=(_optional(row, "last_tx_fee_msat", msat) or 0) // 1000,
        local_reserve_sat=(_optional(row, "our_reserve_msat", msat) or 0) // 1000,
        remote_reserve_sat=(_optional(row, "their_reserve_msat", msat) or 0) // 1000,
        initiator=row.get("opener") == "local",
        private=row.get("private") is True,
        active=_is_usable(row),
        max_pending_msat=_limit(_optional(row, "their_max_htlc_value_in_flight_msat", msat)),
        total_sent_sat=_in_sat(_optional(row, "out_fulfilled_msat", msat)),
        total_received_sat=_in_sat(_optional(row, "in_fulfilled_msat", msat)),
        pending=pending,
    )


def policies_of_row(row: Mapping[str, object]) -> ChannelPolicies | None:
    """Return what both ends ask, from `updates` of listpeerchannels; None before the channel has an id."""
    ids = (_optional(row, "short_channel_id", scid), _optional(_object(row.get("alias")), "local", scid))
    number = ids[0] or ids[1]
    updates = _object(row.get("updates"))
    if not number or not updates:
        return None
    return ChannelPolicies(
        scid=number,
        channel_point=_required(row, "channel_id", _hex),
        peer_pubkey=_required(row, "peer_id", _hex),
        ours=_policy(_object(updates.get("local"))),
        theirs=_policy(_object(updates.get("remote"))),
        capacity_sat=_required(row, "total_msat", msat) // 1000,
    )


def closed_of_row(row: Mapping[str, object]) -> ClosedChannel:
    """Return one channel of listclosedchannels; Core Lightning says no closing height (0)."""
    alias = _optional(_object(row.get("alias")), "local", scid)
    real = _optional(row, "short_channel_id", scid)
    known = [number for number in (real, alias) if number]
    return ClosedChannel(
        channel_point=_required(row, "channel_id", _hex),
        scid=known[0] if known else 0,
        other_scids=tuple(known[1:]),
        peer_pubkey=_optional(row, "peer_id", _hex) or "",
        capacity_sat=_required(row, "total_msat", msat) // 1000,
        close_height=0,
        close_type=str(row.get("close_cause", "unknown"))[:40],
        closing_txid=_optional(row, "last_commitment_txid", _hex) or "",
        settled_sat=(_optional(row, "final_to_us_msat", msat) or 0) // 1000,
    )


def node_of_getinfo(row: Mapping[str, object]) -> NodeInfo:
    """Return who the node is."""
    version = str(row.get("version", ""))[:80]
    numbers = re.search(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", version)
    major, minor, patch = (int(part or 0) for part in numbers.groups()) if numbers else (0, 0, 0)
    network = str(row.get("network", ""))[:20]
    return NodeInfo(
        pubkey=_required(row, "id", _hex),
        alias=str(row.get("alias", ""))[:32],
        implementation="cln",
        network="mainnet" if network == "bitcoin" else network,
        version=version,
        version_tuple=(major, minor, patch),
        block_height=_optional(row, "blockheight", _count) or 0,
        synced_to_chain="warning_bitcoind_sync" not in row,
        synced_to_graph="warning_lightningd_sync" not in row,
    )


def time_ns(value: object) -> int:
    """Return nanoseconds of seconds with a fraction, exactly; `ValueError` for what is no time."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,11}(\.\d{1,12})?", value, re.ASCII):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < 10**10:
        raise ValueError(f"{value!r:.40} is not a time in seconds")
    return int(value * SECOND_NS)


def scid(value: object) -> int:
    """Return a short channel id in text form as its number."""
    if not isinstance(value, str) or not _SCID.match(value):
        raise ValueError(f"{value!r:.40} is not a short channel id (840000x12x1)")
    return parse_scid(value)


def msat(value: object) -> int:
    """Return an amount given as number or as text with `msat`."""
    if isinstance(value, str) and (found := _MSAT.match(value)):
        return int(found[1])
    return _count(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise ValueError(f"{value!r:.40} is not a whole number")
    return value


def _hex(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}|[0-9a-f]{66}", value):
        raise ValueError(f"{value!r:.80} is not an id in hex")
    return value


def _policy(row: Mapping[str, object]) -> Policy | None:
    if not row:
        return None
    return Policy(
        base_fee_msat=_required(row, "fee_base_msat", msat),
        fee_ppm=_required(row, "fee_proportional_millionths", _count),
        time_lock_delta=_required(row, "cltv_expiry_delta", _count),
        min_htlc_msat=_required(row, "htlc_minimum_msat", msat),
        max_htlc_msat=_optional(row, "htlc_maximum_msat", msat),
    )


def _pending(row: Mapping[str, object]) -> PendingHtlc:
    return PendingHtlc(
        incoming=row.get("direction") == "in",
        amount_msat=_required(row, "amount_msat", msat),
        htlc_index=_required(row, "id", _count),
        expiry_height=_optional(row, "expiry", _count) or 0,
        payment_hash=_optional(row, "payment_hash", _hex) or "",
    )


def _is_usable(row: Mapping[str, object]) -> bool:
    # `reestablished` is told since v24.02; while a splice waits, forwards go on.
    return (
        row.get("state") in ("CHANNELD_NORMAL", "CHANNELD_AWAITING_SPLICE")
        and row.get("peer_connected") is True
        and row.get("reestablished", True) is True
    )


def _limit(amount_msat: int | None) -> int | None:
    # 2^64-1 is what both ends announce by default: no limit
    return None if amount_msat is None or amount_msat >> 63 else amount_msat


def _in_sat(amount_msat: int | None) -> int | None:
    return None if amount_msat is None else amount_msat // 1000


def _required(row: Mapping[str, object], name: str, read: Callable[[object], _T]) -> _T:
    value = _optional(row, name, read)
    if value is None:
        raise ValueError(f"{name} is missing")
    return value


def _optional(row: Mapping[str, object], name: str, read: Callable[[object], _T]) -> _T | None:
    value = row.get(name)
    if value is None:
        return None
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _first(row: Mapping[str, object], names: tuple[str, ...], read: Callable[[object], _T]) -> _T | None:
    return next((value for name in names if (value := _optional(row, name, read)) is not None), None)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
