"""What a macaroon may do, read from its own bytes.

LND's macaroons have the version 2 binary form; their identifier is the byte 3 and a protobuf with pairs of
entity and actions (`uri` is an entity too: its actions are single methods).  Caveats only take powers away.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods

_VERSION_2 = 2
_END, _LOCATION, _IDENTIFIER = 0, 1, 2
_BAKERY_VERSION_3 = 3
_URI = "uri"

# Entities whose write powers move no money: addresses, signed messages, peers, the daemon, invoices.
_HARMLESS_ENTITIES = frozenset({"address", "message", "peers", "info", "invoices"})

# Single methods that spend nothing, beside those we read with.  A method that is not here counts as spending.
_HARMLESS_METHODS = methods.READ_METHODS | {
    methods.UPDATE_CHANNEL_POLICY,
    methods.UPDATE_CHAN_STATUS,
    methods.ADD_INVOICE,
    methods.QUERY_ROUTES,
    methods.BUILD_ROUTE,
    methods.TRACK_PAYMENT_V2,
    "/lnrpc.Lightning/CheckMacaroonPermissions",
    "/lnrpc.Lightning/DecodePayReq",
    "/lnrpc.Lightning/GetDebugInfo",
    "/lnrpc.Lightning/GetNetworkInfo",
    "/lnrpc.Lightning/GetNodeMetrics",
    "/lnrpc.Lightning/ListInvoices",
    "/lnrpc.Lightning/ListPermissions",
    "/lnrpc.Lightning/ListUnspent",
    "/lnrpc.Lightning/LookupHtlcResolution",
    "/lnrpc.Lightning/LookupInvoice",
    "/lnrpc.Lightning/SubscribeInvoices",
    "/lnrpc.Lightning/SubscribeTransactions",
    "/routerrpc.Router/EstimateRouteFee",
    "/routerrpc.Router/GetMissionControlConfig",
    "/routerrpc.Router/QueryMissionControl",
    "/routerrpc.Router/QueryProbability",
    "/routerrpc.Router/TrackPayments",
}

_INFO, _OFFCHAIN, _ONCHAIN, _PEERS = ("info", "read"), ("offchain", "read"), ("onchain", "read"), ("peers", "read")

# LND's own permission of each method; `uri:<method>` does as well
REQUIRED_PERMISSION: dict[str, tuple[str, str]] = {
    methods.GET_VERSION: _INFO,
    methods.GET_INFO: _INFO,
    methods.GET_CHAN_INFO: _INFO,
    methods.GET_NODE_INFO: _INFO,
    methods.DESCRIBE_GRAPH: _INFO,
    methods.SUBSCRIBE_CHANNEL_GRAPH: _INFO,
    methods.LIST_CHANNELS: _OFFCHAIN,
    methods.CLOSED_CHANNELS: _OFFCHAIN,
    methods.PENDING_CHANNELS: _OFFCHAIN,
    methods.CHANNEL_BALANCE: _OFFCHAIN,
    methods.SUBSCRIBE_CHANNEL_EVENTS: _OFFCHAIN,
    methods.LIST_ALIASES: _OFFCHAIN,
    methods.FEE_REPORT: _OFFCHAIN,
    methods.FORWARDING_HISTORY: _OFFCHAIN,
    methods.LIST_PAYMENTS: _OFFCHAIN,
    methods.SUBSCRIBE_HTLC_EVENTS: _OFFCHAIN,
    methods.GET_TRANSACTIONS: _ONCHAIN,
    methods.WALLET_BALANCE: _ONCHAIN,
    methods.ESTIMATE_FEE: _ONCHAIN,
    methods.LIST_PEERS: _PEERS,
    methods.SUBSCRIBE_PEER_EVENTS: _PEERS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MacaroonPowers:
    """The pairs of entity and action that a macaroon grants; `known` is False if they could not be read."""

    operations: frozenset[tuple[str, str]]
    known: bool

    @property
    def can_spend(self) -> bool:
        return not self.known or bool(self._spending())

    @property
    def spending_text(self) -> str:
        """The pairs that make it able to spend, for a message."""
        return ", ".join(f"{entity}:{action}" for entity, action in sorted(self._spending()))

    def allows(self, method: str) -> bool:
        """Tell whether LND would let this macaroon call the method; True if its powers are not known."""
        if not self.known or method in methods.METHODS_WITHOUT_MACAROON:
            return True
        return (_URI, method) in self.operations or REQUIRED_PERMISSION.get(method) in self.operations

    def missing(self) -> list[str]:
        """Return the methods we read with that it does not allow, sorted."""
        return sorted(method for method in REQUIRED_PERMISSION if not self.allows(method))

    def _spending(self) -> set[tuple[str, str]]:
        return {
            (entity, action)
            for entity, action in self.operations
            if (
                action not in _HARMLESS_METHODS
                if entity == _URI
                else action != "read" and entity not in _HARMLESS_ENTITIES
            )
        }


_UNKNOWN = MacaroonPowers(operations=frozenset(), known=False)


def read_powers(macaroon: bytes) -> MacaroonPowers:
    """Return what a macaroon grants; never raises."""
    identifier = _identifier(macaroon)
    if identifier is None or identifier[:1] != bytes([_BAKERY_VERSION_3]):
        return _UNKNOWN
    try:
        parsed = pb.MacaroonId.FromString(identifier[1:])
    except DecodeError:
        return _UNKNOWN
    operations = frozenset((op.entity, action) for op in parsed.ops for action in op.actions)
    return MacaroonPowers(operations=operations, known=True) if operations else _UNKNOWN


def _identifier(macaroon: bytes) -> bytes | None:
    """Return the identifier of a version 2 binary macaroon: after an optional location, before the caveats."""
    if macaroon[:1] != bytes([_VERSION_2]):
        return None
    at = 1
    while True:
        packet = _packet(macaroon, at)
        if packet is None:
            return None
        kind, content, at = packet
        if kind == _IDENTIFIER:
            return content
        if kind != _LOCATION:
            return None


def _packet(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Return kind, content and end of the packet at `at`; None if it is cut short."""
    kind, at = _varint(data, at)
    if kind == _END:
        return None
    length, at = _varint(data, at)
    if kind < 0 or length < 0 or at + length > len(data):
        return None
    return kind, data[at : at + length], at + length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a little-endian base-128 number and its end; −1 if it is cut short or too long."""
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            return -1, at
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    return -1, at
