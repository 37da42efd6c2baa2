"""Core Lightning's saved answers → domain values, by the same functions as the live adapter's.

What is added here is what only files have: forms of old versions, and content that nobody vouches for.
Fractions of seconds arrive as decimals, so that nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import msgspec
from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo
from lnflow.domain.errors import InputError, NodeUnavailable
from lnflow.domain.htlc import Attempt
from lnflow.domain.time import SECOND_NS
from lnflow.ingest.files.items import ClnForward, ClnNotice, TermsChange
from lnflow.nodes.cln import facts
from lnflow.nodes.cln.history import Terms
from lnflow.nodes.cln.observer import read_notice
from lnflow.nodes.cln.rows import attempt_of
from lnflow.nodes.cln.version import parse_version
from lnflow.nodes.cln.wire import (
    ClosedPeerChannel,
    ForwardRow,
    GetInfo,
    Msat,
    NodeRow,
    PeerChannel,
    msat,
    optional_msat,
)

_Message = TypeVar("_Message")


class _SetChannel(Struct, frozen=True):
    enforcedelay: int | None = None


class _ChannelTerms(Struct, frozen=True):
    channel_id: str
    fee_base_msat: Msat
    fee_proportional_millionths: int
    minimum_htlc_out_msat: Msat | None = None
    maximum_htlc_out_msat: Msat | None = None


class _SetChannelReply(Struct, frozen=True):
    channels: list[_ChannelTerms]


_MAX_SECONDS = 10_000_000_000  # the year 2286
_OLD_AMOUNTS = {"in_msat": "in_msatoshi", "out_msat": "out_msatoshi", "fee_msat": "fee"}  # before v0.12


def forward_of_row(row: Mapping[str, object]) -> ClnForward:
    """Return one row of listforwards.  Raises `InputError` or `ValueError` saying what is wrong with it."""
    fields = dict(row)
    for name, old in _OLD_AMOUNTS.items():
        if fields.get(name) is None and (amount := fields.get(old)) is not None:
            fields[name] = amount
    fields["received_time"] = _seconds("received_time", row.get("received_time") or 0)  # old rows have none
    if row.get("resolved_time") is not None:
        fields["resolved_time"] = _seconds("resolved_time", row["resolved_time"])
    forward = _convert(fields, ForwardRow, "forward")
    try:
        return ClnForward(attempt_of(forward), forward)
    except NodeUnavailable as error:
        raise InputError(f"not a forward of Core Lightning: {error}") from error


def attempt_of_row(row: Mapping[str, object]) -> Attempt:
    """Return one row of listforwards as the attempt that it is by itself."""
    return forward_of_row(row).attempt


def listed_of_row(row: Mapping[str, object]) -> PeerChannel:
    """Return one channel of listpeerchannels as it was listed."""
    return _convert(row, PeerChannel, "channel")


def notice_of_row(at_ns: int, row: Mapping[str, object]) -> ClnNotice | None:
    """Return what one notification (`method`, `params`) tells; None if that is nothing about channels or peers."""
    topic, params = str(row.get("method")), row.get("params")
    if not isinstance(params, dict):
        raise InputError("not a notification of Core Lightning: params is no object")
    inner = params.get(topic, params)
    try:
        seen = read_notice(topic, inner if isinstance(inner, dict) else {})
    except msgspec.ValidationError as error:
        raise InputError(f"not a notification {topic!r} of Core Lightning: {error}") from error
    return None if seen is None or isinstance(seen, ForwardRow) else ClnNotice(at_ns, seen)


def terms_of_row(at_ns: int, row: Mapping[str, object]) -> list[TermsChange]:
    """Return the changes of one logged `setchannel`: `asked`, its parameters, and `reply`."""
    asked = _convert(row.get("asked") or {}, _SetChannel, "setchannel's parameters")
    reply = _convert(row.get("reply"), _SetChannelReply, "setchannel's reply")
    return [
        TermsChange(
            at_ns,
            channel.channel_id,
            Terms(
                msat(channel.fee_base_msat),
                channel.fee_proportional_millionths,
                optional_msat(channel.minimum_htlc_out_msat) or 0,
                optional_msat(channel.maximum_htlc_out_msat),
            ),
            asked.enforcedelay,
        )
        for channel in reply.channels
    ]


def channel_of_row(row: Mapping[str, object]) -> ChannelState | None:
    """Return one channel of listpeerchannels; None for one that opens or is gone."""
    return facts.channel_state(_convert(row, PeerChannel, "channel"))


def policies_of_row(row: Mapping[str, object]) -> ChannelPolicies | None:
    """Return what both ends ask, as listpeerchannels tells it."""
    return facts.channel_policies(_convert(row, PeerChannel, "channel"))


def closed_of_row(row: Mapping[str, object]) -> ClosedChannel:
    """Return one channel of listclosedchannels."""
    return facts.closed_channel(_convert(row, ClosedPeerChannel, "closed channel"))


def name_of_row(row: Mapping[str, object]) -> tuple[str, str | None]:
    """Return public key and alias of one node of listnodes."""
    node = _convert(row, NodeRow, "node")
    return node.nodeid, node.alias or None


def node_of_getinfo(row: Mapping[str, object]) -> NodeInfo:
    """Return who the node is."""
    info = _convert({"fees_collected_msat": 0, "network": "", "version": "", **row}, GetInfo, "getinfo")
    return NodeInfo(
        pubkey=info.id,
        alias=info.alias,
        implementation="cln",
        network="mainnet" if info.network == "bitcoin" else info.network,
        version=info.version,
        version_tuple=parse_version(info.version),
        block_height=info.blockheight,
        synced_to_chain=info.warning_bitcoind_sync is None,
        synced_to_graph=info.warning_lightningd_sync is None,
    )


def time_ns(value: object) -> int:
    """Return nanoseconds of seconds with a fraction, exactly; `ValueError` for what is no time."""
    return int(_seconds("timestamp", value) * SECOND_NS)


def _seconds(name: str, value: object) -> Decimal:
    """Return a time as it may be calculated with: `1e999999999` is a valid number of JSON."""
    if isinstance(value, int | str) and not isinstance(value, bool) and len(str(value)) <= 40:
        try:
            value = Decimal(value)
        except InvalidOperation:
            raise ValueError(f"{name}: {value!r} is not a time in seconds") from None
    if isinstance(value, Decimal) and value.is_finite() and 0 <= value <= _MAX_SECONDS:
        return value
    raise ValueError(f"{name}: {value!r:.40} is not a time in seconds")


def _convert(row: object, message: type[_Message], what: str) -> _Message:
    try:
        return msgspec.convert(row, message)
    except msgspec.ValidationError as error:
        raise InputError(f"not a {what} of Core Lightning: {error}") from error
