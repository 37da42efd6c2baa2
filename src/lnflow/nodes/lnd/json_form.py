"""LND's JSON, whoever printed it (REST, gRPC-JSON, lncli), to the same domain values as the live adapter's.

Each function takes one parsed element: the caller finds the elements of an array, of a file of lines or of
`{"channels": […]}`.  What does not fit raises `InputError` with the path inside the element.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lnflow.domain.channel import ChannelState, ClosedChannel, NodeInfo
from lnflow.domain.costs import CircularHtlc
from lnflow.domain.errors import InputError
from lnflow.domain.htlc import Forward
from lnflow.nodes.lnd import json_messages as js
from lnflow.nodes.lnd import records
from lnflow.nodes.lnd.events import DecodeCounts
from lnflow.nodes.lnd.json_events import decode_event_line, decode_event_object
from lnflow.nodes.lnd.records import GraphEdge, ReportedFees

__all__ = [
    "DecodeCounts",
    "GraphEdge",
    "ReportedFees",
    "decode_channel",
    "decode_closed_channel",
    "decode_edge",
    "decode_event_line",
    "decode_event_object",
    "decode_fee_report",
    "decode_forward",
    "decode_graph_node",
    "decode_node_info",
    "decode_payment",
]

_Message = TypeVar("_Message")


def decode_forward(element: object) -> Forward:
    """Return one row of `forwarding_events`."""
    row = _convert(element, js.ForwardingEvent, "row of a forwarding history")
    forward = records.forward(row)
    numbers = (forward.at_ns, forward.amount_in_msat, forward.amount_out_msat)
    if not forward.at_ns or any(number >> 63 for number in numbers) or (forward.in_scid | forward.out_scid) >> 64:
        raise InputError("row of a forwarding history: no time, or a number is negative or larger than 63 bits")
    return forward


def decode_channel(element: object) -> ChannelState:
    """Return one element of `channels` in listchannels; lncli's other meaning of `chan_id` is understood."""
    return records.channel_state(_convert(element, js.Channel, "channel"))


def decode_closed_channel(element: object) -> ClosedChannel:
    """Return one element of `channels` in closedchannels."""
    return records.closed_channel(_convert(element, js.ChannelCloseSummary, "closed channel"))


def decode_edge(element: object) -> GraphEdge:
    """Return one element of `edges` (describegraph), of `channels` (getnodeinfo), or a whole getchaninfo."""
    return records.graph_edge(_convert(element, js.ChannelEdge, "edge of the graph"))


def decode_graph_node(element: object) -> tuple[str, str | None]:
    """Return public key and alias of one element of `nodes` (describegraph) or of `node` (getnodeinfo)."""
    node = _convert(element, js.LightningNode, "node of the graph")
    return node.pub_key, records.known_alias(node.alias)


def decode_node_info(element: object) -> NodeInfo:
    """Return who the node of a getinfo is."""
    return records.node_info(_convert(element, js.GetInfoResponse, "getinfo"))


def decode_payment(element: object) -> list[tuple[str, CircularHtlc]]:
    """Return the settled parts of one element of `payments`, each with who received it."""
    return records.arrived_parts(_convert(element, js.Payment, "payment"))


def decode_fee_report(element: object) -> ReportedFees:
    """Return one element of `channel_fees` in feereport."""
    return records.reported_fees(_convert(element, js.ChannelFeeReport, "row of a fee report"))


def _convert(element: object, message: type[_Message], what: str) -> _Message:
    try:
        return msgspec.convert(element, message, strict=False)
    except msgspec.ValidationError as exc:
        raise InputError(f"not a {what} of LND: {exc}") from exc
