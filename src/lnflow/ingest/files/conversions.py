"""From the rows of each kind of file to items: which decoder takes what, and what a listing adds up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import Struct, structs

from lnflow.domain.channel import ChannelPolicies, ChannelState
from lnflow.domain.errors import InputError
from lnflow.ingest.files import cln_rows
from lnflow.ingest.files.items import (
    Aliases,
    ChannelSnapshot,
    ClnListing,
    ClnNotice,
    ClosedChannels,
    Coverage,
    FileItem,
    PaymentPart,
    PolicyRecord,
    TermsChange,
)
from lnflow.ingest.files.recognise import FileKind
from lnflow.ingest.files.walk import ListingEnd, Row
from lnflow.nodes.cln.wire import PeerChannel
from lnflow.nodes.lnd import json_form as lnd

_MAX_CHANNELS = 100_000  # of one node; 60,000 are in the whole public graph


class Conversion(Protocol):
    """What to make of one kind of file.  Both raise `InputError` or `ValueError` for what does not fit."""

    def row(self, row: Row) -> Iterable[FileItem]: ...
    def end(self, end: ListingEnd) -> Iterable[FileItem]: ...
    def reject(self) -> None:
        """A row of the present listing was rejected."""


class _EachRow:
    """Every row stands for itself."""

    def __init__(self, convert: Callable[[dict[str, object]], Iterable[FileItem]]) -> None:
        self._convert = convert

    def row(self, row: Row) -> Iterable[FileItem]:
        return self._convert(row.value)

    def end(self, end: ListingEnd) -> Iterable[FileItem]:
        return ()

    def reject(self) -> None:
        pass


class _Events(_EachRow):
    """HTLC events, with what is no forward counted."""

    def __init__(self, counts: lnd.DecodeCounts) -> None:
        self._counts = counts

    def row(self, row: Row) -> Iterable[FileItem]:
        event = lnd.decode_event_object(row.value, self._counts)
        return () if event is None else (event,)


class _NodeChannels(_EachRow):
    """getnodeinfo: the edges of a node, and its name."""

    def __init__(self) -> None:
        super().__init__(_edge)

    def row(self, row: Row) -> Iterable[FileItem]:
        return super().row(row) if row.list_name else _node_channels(row.value)

    def end(self, end: ListingEnd) -> Iterable[FileItem]:
        node = end.members.get("node")
        return _names(node) if isinstance(node, dict) else ()


class _Graph(_EachRow):
    def __init__(self) -> None:
        super().__init__(_edge)

    def row(self, row: Row) -> Iterable[FileItem]:
        return _names(row.value) if row.list_name == "nodes" else super().row(row)


class _Snapshots:
    """listchannels: a listing is one snapshot."""

    def __init__(self, convert: Callable[[dict[str, object]], ChannelState | None]) -> None:
        self._convert = convert
        self._channels: list[ChannelState] = []
        self._complete = True

    def row(self, row: Row) -> Iterable[FileItem]:
        if row.list_name is None:
            raise InputError("a channel outside of a listing: give the whole answer of listchannels")
        if len(self._channels) >= _MAX_CHANNELS:
            raise InputError(f"more than {_MAX_CHANNELS:,} channels in one listing")
        channel = self._convert(row.value)
        if channel is not None:  # one that only opens, or is gone, is none of ours yet, or no longer
            check_storable(channel)
            self._channels.append(channel)
        return ()

    def end(self, end: ListingEnd) -> Iterable[FileItem]:
        snapshot = ChannelSnapshot(time_of(end.members), tuple(self._channels), self._complete and end.whole)
        self._channels, self._complete = [], True
        return (snapshot,) if snapshot.channels or snapshot.complete else ()

    def reject(self) -> None:
        self._complete = False


class _ClnSnapshots(_Snapshots):
    """listpeerchannels: it tells the policies of both ends besides, and with a date why HTLCs were refused."""

    def __init__(self) -> None:
        super().__init__(cln_rows.channel_of_row)
        self._policies: list[ChannelPolicies] = []
        self._listed: list[PeerChannel] = []

    def row(self, row: Row) -> Iterable[FileItem]:
        super().row(row)
        self._listed.append(cln_rows.listed_of_row(row.value))
        policies = cln_rows.policies_of_row(row.value)
        if policies is not None:
            check_storable(policies)
            self._policies.append(policies)
        return ()

    def end(self, end: ListingEnd) -> Iterable[FileItem]:
        yield from super().end(end)
        at_ns = time_of(end.members)
        yield from (PolicyRecord(at_ns, policies) for policies in self._policies)
        if at_ns is not None:
            yield ClnListing(at_ns, tuple(self._listed))
        self._policies, self._listed = [], []


def conversion(kind: FileKind, counts: lnd.DecodeCounts) -> Conversion:
    """Return what reads the rows of a file of this kind; CSV has its own reader."""
    match kind:
        case FileKind.HTLC_EVENTS:
            return _Events(counts)
        case FileKind.CHANNELS:
            return _Snapshots(lnd.decode_channel)
        case FileKind.CLN_CHANNELS:
            return _ClnSnapshots()
        case FileKind.NODE_CHANNELS:
            return _NodeChannels()
        case FileKind.GRAPH:
            return _Graph()
    return _EachRow(_ROWS[kind])


def _edge(value: dict[str, object]) -> Iterable[FileItem]:
    return (PolicyRecord(None, lnd.decode_edge(value)),)


def _names(value: Mapping[str, object]) -> Iterable[FileItem]:
    pubkey, alias = lnd.decode_graph_node(value)
    return () if alias is None else (Aliases({pubkey: alias}),)


def _node_channels(value: Mapping[str, object]) -> Iterable[FileItem]:
    node, channels = value.get("node"), value.get("channels")
    if isinstance(node, dict):
        yield from _names(node)
    for edge in channels if isinstance(channels, list) else []:
        yield from _edge(edge)


def _nodes_by_name(value: dict[str, object]) -> Iterable[FileItem]:
    for member in value.values():
        if isinstance(member, dict):
            yield from _node_channels(member)


def _policies(value: dict[str, object]) -> Iterable[FileItem]:
    return (PolicyRecord(time_of(value), lnd.decode_edge(value.get("edge"))),)


def _coverage(value: dict[str, object]) -> Iterable[FileItem]:
    since_ns, ended = _ns(value.get("subscribed_ns")), value.get("ended_ns")
    until_ns = None if ended is None else _ns(ended)
    if until_ns is not None and until_ns < since_ns:
        raise ValueError(f"ended_ns {until_ns} is before subscribed_ns {since_ns}")
    reason = value.get("reason")
    return (Coverage(since_ns, until_ns, reason if isinstance(reason, str) else ""),)


def _cln_names(value: dict[str, object]) -> Iterable[FileItem]:
    pubkey, alias = cln_rows.name_of_row(value)
    return () if alias is None else (Aliases({pubkey: alias}),)


def _cln_notice(value: dict[str, object]) -> Iterable[FileItem]:
    notice = cln_rows.notice_of_row(_date_of(value), value)
    return () if notice is None else (notice,)


def _cln_terms(value: dict[str, object]) -> Iterable[FileItem]:
    return cln_rows.terms_of_row(_date_of(value), value)


_ROWS: dict[FileKind, Callable[[dict[str, object]], Iterable[FileItem]]] = {
    FileKind.FORWARDS: lambda value: (lnd.decode_forward(value),),
    FileKind.CLOSED_CHANNELS: lambda value: (ClosedChannels((lnd.decode_closed_channel(value),)),),
    FileKind.NODE_INFO: lambda value: (lnd.decode_node_info(value),),
    FileKind.FEE_REPORT: lambda value: (lnd.decode_fee_report(value),),
    FileKind.PAYMENTS: lambda value: [PaymentPart(*found) for found in lnd.decode_payment(value)],
    FileKind.NODES_BY_NAME: _nodes_by_name,
    FileKind.EDGES: _edge,
    FileKind.POLICIES: _policies,
    FileKind.COVERAGE: _coverage,
    FileKind.CLN_FORWARDS: lambda value: (cln_rows.forward_of_row(value),),
    FileKind.CLN_CLOSED_CHANNELS: lambda value: (ClosedChannels((cln_rows.closed_of_row(value),)),),
    FileKind.CLN_NODE_INFO: lambda value: (cln_rows.node_of_getinfo(value),),
    FileKind.CLN_NODES: _cln_names,
    FileKind.CLN_NOTIFICATIONS: _cln_notice,
    FileKind.CLN_POLICY_CHANGES: _cln_terms,
}


def time_of(members: Mapping[str, object]) -> int | None:
    """Return the date that a listing or a row carries, in nanoseconds; None if it has none.

    `_taken_at_ns`, `_received_at_ns` and `_at_ns` are in the recordings, `timestamp_ns` and `timestamp` (seconds)
    in the exchange files.
    """
    for name in ("_taken_at_ns", "_received_at_ns", "_at_ns", "timestamp_ns"):
        if (value := members.get(name)) is not None:
            return _ns(value)
    value = members.get("timestamp")
    return None if value is None else cln_rows.time_ns(value)


def _date_of(value: Mapping[str, object]) -> int:
    at_ns = time_of(value)
    if at_ns is None:
        raise InputError("it has no date: timestamp (seconds) or timestamp_ns is needed")
    return at_ns


def _ns(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise ValueError(f"{value!r:.40} is not a time in nanoseconds")
    return value


def check_storable(item: object) -> None:
    """Raise `ValueError` for numbers that no node has and no store holds, and for text that is none.

    JSON may hold integers of any size and halves of surrogate pairs.  Evidence is weighed, never stored.
    """
    if isinstance(item, ClnListing | ClnNotice | TermsChange):
        return
    if isinstance(item, Struct):
        for name, value in zip(item.__struct_fields__, structs.astuple(item), strict=True):
            kind = type(value)
            if kind is int:
                if value >> 63:
                    _check_number(name, value)
            elif value is not None and kind is not bool:
                _check(name, value)
    else:
        _check("value", item)


def _check(name: str, value: object) -> None:
    match value:
        case int():
            _check_number(name, value)
        case str():
            if not value.isascii():
                _check_text(name, value)
        case tuple():
            for part in value:
                _check(name, part)
        case dict():
            for key, part in value.items():
                _check(name, key)
                _check(name, part)
        case Struct():
            check_storable(value)


def _check_number(name: str, value: int) -> None:
    bits = 64 if name.endswith(("scid", "scids")) else 63
    is_discount = value < 0 and "inbound" in name and not -value >> 63
    if value >> bits and not is_discount:
        raise ValueError(f"{name} is negative or larger than {bits} bits")


def _check_text(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} is not valid text") from None
