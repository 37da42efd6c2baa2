"""One list of events in every outer form that files have."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable
from typing import Any

from lnflow.domain.causes import Cause
from lnflow.domain.htlc import DownstreamFailed, Offered, Refused, Resolved, Settled, StreamEvent

IN, OUT = 443103186059264, 17592186044416000002

_BODIES: list[dict[str, Any]] = [
    {
        "forward_event": {
            "info": {"incoming_timelock": 531, "incoming_amt_msat": "1295794", "outgoing_amt_msat": "1294777"}
        }
    },
    {"settle_event": {"preimage": "3SPezVlAYQ7ygES8yTNWgHHzibT3DweUU9/ubwTWIg=="}},
    {"forward_fail_event": {}},
    {
        "link_fail_event": {
            "info": {"incoming_amt_msat": "5000", "outgoing_amt_msat": "4000"},
            "wire_failure": "TEMPORARY_CHANNEL_FAILURE",
            "failure_detail": "INSUFFICIENT_BALANCE",
            "failure_string": 'brackets in text: {["\\',
        }
    },
    {"event_type": "UNKNOWN", "final_htlc_event": {"settled": True, "offchain": True}},
]

DOCUMENTS: list[dict[str, Any]] = [
    {
        "incoming_channel_id": str(IN),
        "outgoing_channel_id": str(OUT),
        "incoming_htlc_id": str(n),
        "outgoing_htlc_id": str(n),
        "timestamp_ns": str(1_795_256_337_000_000_000 + n),
        "event_type": "FORWARD",
        **body,
    }
    for n, body in enumerate(_BODIES)
]

EVENTS: list[StreamEvent] = [
    Offered(IN, 0, 1_795_256_337_000_000_000, OUT, 0, 1_295_794, 1_294_777),
    Settled(IN, 1, 1_795_256_337_000_000_001, OUT, 1),
    DownstreamFailed(IN, 2, 1_795_256_337_000_000_002, OUT, 2),
    Refused(IN, 3, 1_795_256_337_000_000_003, OUT, Cause.INSUFFICIENT_BALANCE, 5000, 4000, 15, 6),
    Resolved(IN, 4, 1_795_256_337_000_000_004, True, True),
]


def as_lines(documents: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def as_rest(documents: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps({"result": document}, separators=(",", ":")).encode() + b"\n" for document in documents)


def as_numbers(documents: list[dict[str, Any]]) -> bytes:
    """Return ids as numbers, enums as numbers, zero fields left out, and keys nobody knows."""
    types = {"UNKNOWN": 0, "FORWARD": 3}
    lines = []
    for document in documents:
        changed: dict[str, Any] = {
            name: int(value) if isinstance(value, str) and value.isdigit() else value
            for name, value in document.items()
        }
        changed["event_type"] = types[changed["event_type"]]
        if "link_fail_event" in changed:
            info = {name: int(value) for name, value in changed["link_fail_event"]["info"].items()}
            changed["link_fail_event"] = {"wire_failure": 15, "failure_detail": 6, "info": info}
        kept = {name: value for name, value in changed.items() if value != 0}
        lines.append(json.dumps({**kept, "of_a_later_lnd": {"x": [1]}}).encode() + b"\n")
    return b"".join(lines)


def as_camel_case(documents: list[dict[str, Any]]) -> bytes:
    """Return what grpcurl prints."""

    def camel(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {_camel(name): camel(part) for name, part in value.items()}

    return b"".join(json.dumps(camel(document), indent=2).encode() + b"\n" for document in documents)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


LAYOUTS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "lines": as_lines,
    "lines of REST": as_rest,
    "numbers, no zeros, unknown keys": as_numbers,
    "camel case of grpcurl": as_camel_case,
    "no last line break": lambda documents: as_lines(documents).rstrip(b"\n"),
    "CRLF and blank lines": lambda documents: as_lines(documents).replace(b"\n", b"\r\n\r\n"),
    "byte order mark": lambda documents: b"\xef\xbb\xbf" + as_lines(documents),
    "concatenated": lambda documents: as_lines(documents).replace(b"\n", b""),
    "pretty-printed one after the other": lambda documents: b"\n".join(
        json.dumps(document, indent=4).encode() for document in documents
    ),
    "array on one line": lambda documents: json.dumps(documents).encode(),
    "array, one element a line": lambda documents: (
        b"[" + b",\n".join(json.dumps(document).encode() for document in documents) + b"]\n"
    ),
    "array, pretty-printed": lambda documents: json.dumps(documents, indent="\t").encode(),
    "RFC 7464 sequence": lambda documents: b"".join(
        b"\x1e" + json.dumps(document).encode() + b"\n" for document in documents
    ),
}

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:200]) + gzip.compress(data[200:]),
    "xz": lzma.compress,
    "xz of two streams": lambda data: lzma.compress(data[:200]) + lzma.compress(data[200:]),
}
