"""A row of `listforwards` as the attempt that it is."""

from __future__ import annotations

from functools import lru_cache

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.errors import NodeUnavailable
from lnflow.domain.htlc import Attempt
from lnflow.domain.scid import parse_scid
from lnflow.nodes.cln.failcodes import FailCode, cause_of_failcode
from lnflow.nodes.cln.wire import ForwardRow, msat, optional_msat, time_ns

_REFUSED, _NO_CAUSE = Outcome.REFUSED, Cause.NONE  # looked up once
_ON_CHAIN = int(FailCode.PERMANENT_CHANNEL_FAILURE)
scid_number = lru_cache(maxsize=16_384)(parse_scid)
"""`parse_scid`, remembered: rows name the same few channels; what senders invent is forgotten again."""


def attempt_of(row: ForwardRow, cause: Cause | None = None, amount_out_msat: int | None = None) -> Attempt:
    """Return the attempt; `cause` and `amount_out_msat` are what we found out where the node says neither.

    A `local_failed` that was sent first (its channel went on-chain) was not refused by us: it is downstream.
    """
    outcome = outcome_of(row)
    refused = outcome is _REFUSED
    in_msat, out_msat = row.in_msat, row.out_msat
    try:
        if type(in_msat) is not int or type(out_msat) is not int:  # this is the hot path of reading history
            in_msat, out_msat = msat(in_msat), optional_msat(out_msat)
        in_scid = scid_number(row.in_channel)
        out_scid = 0 if row.out_channel is None else scid_number(row.out_channel)
    except ValueError as exc:
        raise NodeUnavailable(f"listforwards: row {row.created_index}: {exc}") from None
    return Attempt(
        in_scid,
        row.in_htlc_id,
        out_scid,
        row.out_htlc_id,
        not refused and out_scid != 0,
        in_msat,
        amount_out_msat if out_msat is None else out_msat,
        time_ns(row.received_time) or None,
        None if row.resolved_time is None else time_ns(row.resolved_time),
        outcome,
        (cause_of_failcode(row.failcode) if cause is None else cause) if refused else _NO_CAUSE,
        row.failcode or 0,
    )


_OUTCOMES = {"settled": Outcome.SETTLED, "offered": Outcome.PENDING, "failed": Outcome.DOWNSTREAM}


def outcome_of(row: ForwardRow) -> Outcome:
    """Return how far it got; an unknown status is a node that we do not understand."""
    if (known := _OUTCOMES.get(row.status)) is not None:
        return known
    if row.status == "local_failed":
        sent = row.out_msat is not None and row.failcode == _ON_CHAIN
        return Outcome.DOWNSTREAM if sent else Outcome.REFUSED
    raise NodeUnavailable(f"listforwards: row {row.created_index} has a status we do not know: {row.status!r}")
