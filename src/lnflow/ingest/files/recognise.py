"""What a file is, told by what stands in it and never by its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from lnflow.ingest.files import csv_rows
from lnflow.ingest.files.window import BadValue, JsonWindow

HEAD_BYTES = 1 << 20
_FORMS = (
    "HTLC events, fwdinghistory, listchannels, closedchannels, getinfo, feereport, getnodeinfo, describegraph, "
    "listpayments (LND); "
    "listforwards, listpeerchannels, listclosedchannels, listnodes, getinfo, dated notifications and setchannel logs "
    "(Core Lightning); exchange files"
)
_LINES_TRIED = 50  # a log may begin in the middle of a line, or with lines of a proxy


class FileKind(Enum):
    """What can be told apart; the value is what a report calls it."""

    HTLC_EVENTS = "HTLC events (LND)"
    FORWARDS = "forwarding history (LND)"
    CHANNELS = "channels (LND)"
    CLOSED_CHANNELS = "closed channels (LND)"
    NODE_INFO = "getinfo (LND)"
    FEE_REPORT = "fee report (LND)"
    NODE_CHANNELS = "a node and its channels (LND)"
    NODES_BY_NAME = "nodes and their channels, by name (LND)"
    GRAPH = "graph (LND)"
    EDGES = "channel edges (LND)"
    POLICIES = "dated policies"
    COVERAGE = "covered intervals"
    CLN_FORWARDS = "forwards (Core Lightning)"
    CLN_CHANNELS = "channels (Core Lightning)"
    CLN_CLOSED_CHANNELS = "closed channels (Core Lightning)"
    CLN_NODE_INFO = "getinfo (Core Lightning)"
    CLN_NODES = "nodes (Core Lightning)"
    CLN_NOTIFICATIONS = "notifications (Core Lightning)"
    CLN_POLICY_CHANGES = "policy changes (Core Lightning)"
    CSV_FORWARDS = "forwards as CSV"
    CSV_CLN_FORWARDS = "forwards of Core Lightning as CSV"
    PAYMENTS = "payments (LND)"
    CLN_PAYMENTS = "payments of Core Lightning: nothing to import from them"
    NO_CHANNELS = "an empty list of channels: nothing to import, it could be of open or of closed ones"
    EMPTY = "empty"
    UNKNOWN = "not recognised"


class Recognised(Struct, frozen=True):
    """A kind and how to walk through it.  `reason` says why a file cannot be read, if it cannot."""

    kind: FileKind
    list_names: frozenset[str] = frozenset()
    """The arrays of its listings; none: each value is one row."""
    by_line: bool = False
    """Each value has a line to itself."""
    reason: str | None = None


class _Shape(Struct):
    """What the beginning of one value shows: its members before its first list, and that list's first row."""

    members: dict[str, object]
    list_name: str | None = None
    first: Mapping[str, object] = {}


_LISTS = frozenset(
    {
        "forwarding_events",
        "channels",
        "channel_fees",
        "nodes",
        "edges",
        "payments",
        "forwards",
        "closedchannels",
    }
)
_EVENT_MEMBERS = frozenset(
    f"{name}_event" for name in ("forward", "forward_fail", "settle", "link_fail", "subscribed", "final_htlc")
) | {"incoming_channel_id"}
_CAMEL_EVENT_MEMBERS = frozenset(
    f"{name}Event" for name in ("forward", "forwardFail", "settle", "linkFail", "subscribed", "finalHtlc")
) | {"incomingChannelId"}


def recognise(head: bytes) -> Recognised:
    """Tell what a file is from its first bytes (`HEAD_BYTES` of them, all if it is shorter)."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Recognised(FileKind.UNKNOWN, reason="this is UTF-16 text (PowerShell writes it): save it as UTF-8")
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff\x1e \t\r\n")
    if not text:
        return Recognised(FileKind.EMPTY, reason="the file is empty")
    if text[0] in "{[":
        return _recognise_json(text, cut=len(head) >= HEAD_BYTES)
    header = csv_rows.header_of(text)
    if header is not None:
        kind = FileKind.CSV_CLN_FORWARDS if header.is_cln else FileKind.CSV_FORWARDS
        return Recognised(kind, by_line=True)
    found = _by_later_lines(text)
    if found is not None:
        return found
    return Recognised(
        FileKind.UNKNOWN,
        reason="neither JSON nor a CSV with the columns of forwards: nothing that lnflow can import",
    )


def _recognise_json(text: str, *, cut: bool) -> Recognised:
    first_line, newline, _ = text.partition("\n")
    by_line = _is_json_object(first_line) and (bool(newline) or not cut)
    window = JsonWindow(iter([text.encode(), b""]).__next__)
    found = _kind_of(_shape(window))
    if found is None:
        found = _by_later_lines(text)
    if found is None:
        return Recognised(FileKind.UNKNOWN, reason=f"JSON, but none of the forms that lnflow imports: {_FORMS}")
    kind, lists = found.kind, found.list_names
    return Recognised(kind, lists, by_line or found.by_line)


def _by_later_lines(text: str) -> Recognised | None:
    for line in text.split("\n", _LINES_TRIED)[:_LINES_TRIED]:
        if line.startswith("{") and _is_json_object(line):
            found = _kind_of(_shape(JsonWindow(iter([line.encode(), b""]).__next__)))
            if found is not None:
                return Recognised(found.kind, found.list_names, by_line=True)
    return None


def _is_json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _shape(window: JsonWindow) -> _Shape:
    """Read the first value as far as it takes to know it; what is damaged ends the reading."""
    shape = _Shape({})
    try:
        while window.take("[") or window.take(","):
            pass
        if not window.take("{"):
            return shape
        while window.peek() == '"':
            name = str(window.value())
            window.take(":")
            if name in _LISTS and window.take("["):
                shape.list_name = name
                if window.peek() == "{":
                    first = window.value()
                    assert isinstance(first, dict)
                    shape.first = first
                    return shape
                window.take("]")
            else:
                shape.members[name] = window.value()
            window.take(",")
    except BadValue:
        pass
    return shape


def _kind_of(shape: _Shape) -> Recognised | None:
    members, first = shape.members, shape.first
    match shape.list_name:
        case "forwarding_events":
            return Recognised(FileKind.FORWARDS, frozenset({"forwarding_events"}))
        case "forwards":
            return Recognised(FileKind.CLN_FORWARDS, frozenset({"forwards"}))
        case "channel_fees":
            return Recognised(FileKind.FEE_REPORT, frozenset({"channel_fees"}))
        case "payments" if "groupid" in first or "created_at" in first:
            return Recognised(FileKind.CLN_PAYMENTS, frozenset({"payments"}))
        case "payments":
            return Recognised(FileKind.PAYMENTS, frozenset({"payments"}))
        case "closedchannels":
            return Recognised(FileKind.CLN_CLOSED_CHANNELS, frozenset({"closedchannels"}))
        case "nodes" if "nodeid" in first:
            return Recognised(FileKind.CLN_NODES, frozenset({"nodes"}))
        case "nodes" | "edges":
            return Recognised(FileKind.GRAPH, frozenset({"nodes", "edges"}))
        case "channels":
            kind = _kind_of_channels(members, first)
            return None if kind is None else Recognised(kind, frozenset({"channels"}))
    kind = _kind_of_row(members)
    return None if kind is None else Recognised(kind)


def _kind_of_channels(members: Mapping[str, object], first: Mapping[str, object]) -> FileKind | None:
    if "node" in members or "node1_pub" in first:
        return FileKind.NODE_CHANNELS
    if "peer_id" in first:
        return FileKind.CLN_CHANNELS
    if "closing_tx_hash" in first or "close_height" in first:
        return FileKind.CLOSED_CHANNELS
    if "remote_pubkey" in first:
        return FileKind.CHANNELS
    if not first:
        is_dated = not members.keys().isdisjoint({"timestamp", "_taken_at_ns", "timestamp_ns"})
        return FileKind.CHANNELS if is_dated else FileKind.NO_CHANNELS
    return None


def _kind_of_row(members: Mapping[str, object]) -> FileKind | None:
    names = members.keys()
    inner = members.get("result", members)
    if isinstance(members.get("error"), dict) or (isinstance(inner, dict) and _is_event(inner)):
        return FileKind.HTLC_EVENTS
    if {"chan_id_in", "chan_id_out"} <= names:
        return FileKind.FORWARDS
    if {"in_channel", "status"} <= names:
        return FileKind.CLN_FORWARDS
    if "identity_pubkey" in names:
        return FileKind.NODE_INFO
    if {"id", "alias", "blockheight"} <= names:
        return FileKind.CLN_NODE_INFO
    if {"method", "params"} <= names and isinstance(members["params"], dict):
        return FileKind.CLN_NOTIFICATIONS
    if isinstance(reply := members.get("reply"), dict) and "asked" in names and "channels" in reply:
        return FileKind.CLN_POLICY_CHANGES
    if "edge" in names and not names.isdisjoint({"timestamp_ns", "timestamp"}):
        return FileKind.POLICIES
    if {"node1_pub", "node2_pub"} <= names:
        return FileKind.EDGES
    if "subscribed_ns" in names:
        return FileKind.COVERAGE
    if isinstance(members.get("node"), dict):
        return FileKind.NODE_CHANNELS
    if any(isinstance(value, dict) and isinstance(value.get("node"), dict) for value in members.values()):
        return FileKind.NODES_BY_NAME
    return None


def _is_event(members: Mapping[str, object]) -> bool:
    names = members.keys()
    if isinstance(forward := members.get("forward_event"), dict) and "in_channel" in forward:
        return False  # Core Lightning's notification has the same name
    return not names.isdisjoint(_EVENT_MEMBERS) or not names.isdisjoint(_CAMEL_EVENT_MEMBERS)
