"""Macaroons as LND bakes them: version 2 binary, an identifier that lists the powers, one HMAC over it.

The permissions are LND's own (lnd.md §3.3); a request passes with the entity's action or with `uri:<method>`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods

Permission = tuple[str, str]
"""An entity and one action on it."""

_LOCATION = b"lnd"
_ID_VERSION = 3
_END, _LOCATION_FIELD, _ID_FIELD, _CAVEAT_VID_FIELD, _SIGNATURE_FIELD = 0, 1, 2, 4, 6

ENTITIES = (
    "onchain",
    "offchain",
    "address",
    "message",
    "peers",
    "info",
    "invoices",
    "signer",
    "macaroon",
)
_READ_WRITE = tuple((entity, action) for entity in ENTITIES if entity != "signer" for action in ("read", "write"))
ADMIN: tuple[Permission, ...] = (
    *_READ_WRITE,
    ("macaroon", "generate"),
    ("signer", "generate"),
    ("signer", "read"),
)
READONLY: tuple[Permission, ...] = tuple((entity, "read") for entity in ENTITIES if entity != "signer")
MONITOR: tuple[Permission, ...] = (
    ("info", "read"),
    ("offchain", "read"),
    ("onchain", "read"),
    ("peers", "read"),
)
"""What the docs advise for monitoring: cannot spend."""
FEES: tuple[Permission, ...] = tuple(
    ("uri", method)
    for method in (
        methods.UPDATE_CHANNEL_POLICY,
        methods.UPDATE_CHAN_STATUS,
        methods.GET_INFO,
        methods.GET_CHAN_INFO,
        methods.LIST_CHANNELS,
        methods.GET_VERSION,
    )
)

METHOD_PERMISSION: dict[str, Permission] = {
    **dict.fromkeys(
        (
            methods.GET_INFO,
            methods.GET_CHAN_INFO,
            methods.GET_NODE_INFO,
            methods.DESCRIBE_GRAPH,
            methods.SUBSCRIBE_CHANNEL_GRAPH,
            methods.QUERY_ROUTES,
            methods.GET_VERSION,
        ),
        ("info", "read"),
    ),
    **dict.fromkeys(
        (
            methods.SUBSCRIBE_HTLC_EVENTS,
            methods.FORWARDING_HISTORY,
            methods.LIST_CHANNELS,
            methods.SUBSCRIBE_CHANNEL_EVENTS,
            methods.CLOSED_CHANNELS,
            methods.PENDING_CHANNELS,
            methods.CHANNEL_BALANCE,
            methods.FEE_REPORT,
            methods.LIST_PAYMENTS,
            methods.LIST_ALIASES,
            methods.TRACK_PAYMENT_V2,
            methods.BUILD_ROUTE,
        ),
        ("offchain", "read"),
    ),
    **dict.fromkeys(
        (
            methods.UPDATE_CHANNEL_POLICY,
            methods.UPDATE_CHAN_STATUS,
            methods.SEND_PAYMENT_V2,
            methods.SEND_TO_ROUTE_V2,
        ),
        ("offchain", "write"),
    ),
    **dict.fromkeys((methods.WALLET_BALANCE, methods.GET_TRANSACTIONS, methods.ESTIMATE_FEE), ("onchain", "read")),
    **dict.fromkeys((methods.LIST_PEERS, methods.SUBSCRIBE_PEER_EVENTS), ("peers", "read")),
    methods.ADD_INVOICE: ("invoices", "write"),
}


class MacaroonRefused(Exception):
    """The text LND answers with (status UNKNOWN)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Macaroon:
    identifier: bytes
    caveats: tuple[bytes, ...]
    signature: bytes


class Bakery:
    """One node's root key: bakes macaroons and verifies what comes back."""

    def __init__(self, root_key: bytes | None = None) -> None:
        self._root_key = root_key or secrets.token_bytes(32)

    def bake(self, permissions: tuple[Permission, ...], *, root_key_id: int = 0) -> bytes:
        """Return the bytes of a `.macaroon` file with these powers."""
        actions: dict[str, list[str]] = {}
        for entity, action in permissions:
            actions.setdefault(entity, []).append(action)
        identifier = (
            bytes([_ID_VERSION])
            + pb.MacaroonId(
                nonce=secrets.token_bytes(16),
                storageId=str(root_key_id).encode(),
                ops=[pb.Op(entity=entity, actions=sorted(names)) for entity, names in sorted(actions.items())],
            ).SerializeToString()
        )
        return b"".join(
            (
                b"\x02",
                _field(_LOCATION_FIELD, _LOCATION),
                _field(_ID_FIELD, identifier),
                bytes([_END, _END]),  # end of the header; no caveats
                _field(_SIGNATURE_FIELD, self._sign(identifier, (), root_key_id)),
            )
        )

    def check(self, hex_values: list[str], method: str) -> None:
        """Raise `MacaroonRefused` with LND's words unless the metadata allows the call."""
        if method in methods.METHODS_WITHOUT_MACAROON:
            return
        if len(hex_values) != 1:
            raise MacaroonRefused(f"expected 1 macaroon, got {len(hex_values)}")
        try:
            raw = bytes.fromhex(hex_values[0])
        except ValueError as exc:
            raise MacaroonRefused("encoding/hex: invalid byte") from exc
        macaroon = _decode(raw)
        try:
            identifier = pb.MacaroonId.FromString(macaroon.identifier[1:])
            root_key_id = int(identifier.storageId)
        except (DecodeError, ValueError) as exc:
            raise MacaroonRefused("verification failed: cannot decode the macaroon's id") from exc
        expected = self._sign(macaroon.identifier, macaroon.caveats, root_key_id)
        if not hmac.compare_digest(expected, macaroon.signature):
            raise MacaroonRefused("verification failed: signature mismatch after caveat verification")
        allowed = {(op.entity, action) for op in identifier.ops for action in op.actions}
        if METHOD_PERMISSION[method] not in allowed and ("uri", method) not in allowed:
            raise MacaroonRefused("permission denied")

    def _sign(self, identifier: bytes, caveats: tuple[bytes, ...], root_key_id: int) -> bytes:
        root_key = hmac.digest(self._root_key, str(root_key_id).encode(), hashlib.sha256)
        key = hmac.digest(b"macaroons-key-generator", root_key, hashlib.sha256)
        signature = hmac.digest(key, identifier, hashlib.sha256)
        for caveat in caveats:
            signature = hmac.digest(signature, caveat, hashlib.sha256)
        return signature


def _field(kind: int, content: bytes) -> bytes:
    return _varint(kind) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _decode(raw: bytes) -> _Macaroon:
    """Read a version 2 macaroon without third-party caveats."""
    if raw[:1] != b"\x02":
        raise MacaroonRefused("cannot determine data format of binary-encoded macaroon")
    place = 1

    def packet() -> tuple[int, bytes]:
        nonlocal place
        kind, place = _read_varint(raw, place)
        if kind == _END:
            return kind, b""
        size, place = _read_varint(raw, place)
        if place + size > len(raw):
            raise MacaroonRefused("unmarshal v2: field data extends past end of buffer")
        content = raw[place : place + size]
        place += size
        return kind, content

    kind, content = packet()
    if kind == _LOCATION_FIELD:
        kind, content = packet()
    if kind != _ID_FIELD:
        raise MacaroonRefused("unmarshal v2: no macaroon identifier")
    identifier = content
    packet()
    caveats: list[bytes] = []
    while (found := packet())[0] != _END:
        if found[0] == _ID_FIELD:
            caveats.append(found[1])
        elif found[0] == _CAVEAT_VID_FIELD:
            raise MacaroonRefused("verification failed: third-party caveat")
        if found[0] == _ID_FIELD:
            packet()
    kind, signature = packet()
    if kind != _SIGNATURE_FIELD:
        raise MacaroonRefused("unmarshal v2: no signature")
    return _Macaroon(identifier=identifier, caveats=tuple(caveats), signature=signature)


def _read_varint(raw: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(raw):
        byte = raw[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise MacaroonRefused("unmarshal v2: varint value extends past end of buffer")
