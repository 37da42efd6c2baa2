"""HTLC events as LND prints them in JSON: REST's lines (`{"result": …}`), gRPC-JSON, lncli, grpcurl.

Ids may be numbers or strings, enums names or numbers; zero fields may be missing, unknown keys are ignored.
One msgspec call per line; this is the hot path of an import.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from lnflow.domain.amounts import MOST_MSAT
from lnflow.domain.errors import InputError
from lnflow.domain.htlc import (
    DownstreamFailed,
    Offered,
    Resolved,
    Settled,
    StreamEnded,
    StreamEvent,
    Subscribed,
)
from lnflow.nodes.lnd.events import (
    FORWARD,
    RECEIVE,
    SEND,
    DecodeCounts,
    count_foreign,
    read_link_failure,
)
from lnflow.nodes.lnd.failures import detail_number, wire_number

_EVENT_TYPES: dict[int | str, int] = {
    "UNKNOWN": 0,
    "SEND": SEND,
    "RECEIVE": RECEIVE,
    "FORWARD": FORWARD,
    **{number: number for number in range(4)},
    **{str(number): number for number in range(4)},
}
_UNKNOWN_TYPE = -1
_FORWARD_TYPES = frozenset({FORWARD, str(FORWARD), "FORWARD"})

_Stored = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]  # larger ones are not real, and the store is signed
_Amount = Annotated[int, Meta(ge=0, le=MOST_MSAT)]
_Scid = Annotated[int, Meta(ge=0)]
_MAX_SCID = (1 << 64) - 1


class _Info(Struct, frozen=True, gc=False):
    incoming_amt_msat: _Amount = 0
    outgoing_amt_msat: _Amount = 0


class _RefusedInfo(Struct, frozen=True, gc=False):
    incoming_amt_msat: _Amount = 0
    outgoing_amt_msat: _Scid = 0
    """As the sender wrote it: any 64 bits."""


class _Forward(Struct, frozen=True, gc=False):
    info: _Info | None = None


class _LinkFail(Struct, frozen=True, gc=False):
    info: _RefusedInfo | None = None
    wire_failure: int | str = 0
    failure_detail: int | str = 0


class _Final(Struct, frozen=True, gc=False):
    settled: bool = False
    offchain: bool = False


class _Empty(Struct, frozen=True, gc=False):
    pass


class _StreamError(Struct, frozen=True, gc=False):
    message: str = ""


class _Event(Struct, frozen=True, gc=False):
    incoming_channel_id: _Scid = 0
    outgoing_channel_id: _Scid = 0
    incoming_htlc_id: _Stored = 0
    outgoing_htlc_id: _Stored = 0
    timestamp_ns: _Stored = 0
    event_type: int | str = 0
    forward_event: _Forward | None = None
    forward_fail_event: _Empty | None = None
    settle_event: _Empty | None = None
    link_fail_event: _LinkFail | None = None
    subscribed_event: _Empty | None = None
    final_htlc_event: _Final | None = None


class _Line(_Event, frozen=True, gc=False):
    result: _Event | None = None
    error: _StreamError | None = None
    received_at_ns: _Stored = msgspec.field(name="_received_at_ns", default=0)
    """Ours, in recordings: a subscribed_event has no time of its own."""


_decoder = msgspec.json.Decoder(_Line, strict=False)
_decode_line = _decoder.decode
_NO_INFO = _Info()
_NOT_REFUSED = _RefusedInfo()


def decode_event_line(line: bytes | str, counts: DecodeCounts) -> StreamEvent | None:
    """Return the event in one JSON document; None, counted, for own sends and receives and unknown kinds.

    A REST error line is a `StreamEnded`.  Raises `InputError` (counted too) for what is not an HTLC event
    of LND; the message names the place inside the document, the caller adds file and line.

    >>> decode_event_line('{"event_type": "UNKNOWN", "subscribed_event": {}}', DecodeCounts())
    Subscribed(at_ns=0)
    """
    try:
        document = _decode_line(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        counts.malformed += 1
        raise InputError(f"not an HTLC event of LND: {exc}") from exc
    return _domain_event(document, counts, line)


def decode_event_lines(lines: bytes, counts: DecodeCounts) -> list[StreamEvent | None]:
    """Return the events of some lines at once, one entry for each line that is not blank.

    This is the hot path of an import: what is left to Python is one step per event.  Raises `InputError` if
    any line is bad or in camelCase: then ask for each by `decode_event_line`, with the counts of before.
    """
    try:
        return [_domain_event(document, counts, None) for document in _decoder.decode_lines(lines)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InputError(f"not an HTLC event of LND: {exc}") from exc


def decode_event_object(document: object, counts: DecodeCounts) -> StreamEvent | None:
    """Do the same for a document that is parsed already (an element of an array, say)."""
    try:
        line = msgspec.convert(document, _Line, strict=False)
    except (msgspec.ValidationError, RecursionError) as exc:
        counts.malformed += 1
        raise InputError(f"not an HTLC event of LND: {exc}") from exc
    return _domain_event(line, counts, document)


def _domain_event(line: _Line, counts: DecodeCounts, source: object) -> StreamEvent | None:
    event: _Event = line if line.result is None else line.result
    in_scid = event.incoming_channel_id
    out_scid = event.outgoing_channel_id
    if (in_scid | out_scid) > _MAX_SCID:
        counts.malformed += 1
        raise InputError("not an HTLC event of LND: a channel id is larger than 64 bits")
    if (final := event.final_htlc_event) is not None:
        return Resolved(in_scid, event.incoming_htlc_id, event.timestamp_ns, final.settled, final.offchain)
    if event.event_type in _FORWARD_TYPES and in_scid:
        if (forward := event.forward_event) is not None:
            info = forward.info or _NO_INFO
            return Offered(
                in_scid,
                event.incoming_htlc_id,
                event.timestamp_ns,
                out_scid,
                event.outgoing_htlc_id,
                info.incoming_amt_msat or None,
                info.outgoing_amt_msat or None,
            )
        if event.settle_event is not None:
            return Settled(in_scid, event.incoming_htlc_id, event.timestamp_ns, out_scid, event.outgoing_htlc_id)
        if event.forward_fail_event is not None:
            return DownstreamFailed(
                in_scid, event.incoming_htlc_id, event.timestamp_ns, out_scid, event.outgoing_htlc_id
            )
    return _rarer_event(line, event, counts, source)


def _rarer_event(line: _Line, event: _Event, counts: DecodeCounts, source: object) -> StreamEvent | None:
    event_type = _EVENT_TYPES.get(event.event_type, _UNKNOWN_TYPE)
    if (fail := event.link_fail_event) is not None:
        info = fail.info or _NOT_REFUSED
        return read_link_failure(
            counts,
            event_type,
            event.incoming_channel_id,
            event.incoming_htlc_id,
            event.timestamp_ns,
            event.outgoing_channel_id,
            wire_number(fail.wire_failure),
            detail_number(fail.failure_detail),
            info.incoming_amt_msat,
            info.outgoing_amt_msat,
        )
    if event.subscribed_event is not None:
        return Subscribed(event.timestamp_ns or line.received_at_ns)
    if line.error is not None:
        return StreamEnded(line.error.message)
    if event.forward_event is None and event.settle_event is None and event.forward_fail_event is None:
        return _unknown_kind(event, counts, source)
    count_foreign(counts, event_type)
    return None


def _unknown_kind(event: _Event, counts: DecodeCounts, source: object) -> StreamEvent | None:
    """Tell a newer LND's kind of event from JSON that is no event, and from grpcurl's camelCase."""
    if event.timestamp_ns:
        counts.unrecognised += 1
        return None
    if source is None:
        raise InputError("not an HTLC event of LND as it prints them: ask for each line")
    document = msgspec.json.decode(source) if isinstance(source, bytes | str) else source
    renamed = _snake_case(document)
    if renamed != document:
        return decode_event_object(renamed, counts)
    counts.malformed += 1
    raise InputError("not an HTLC event of LND: it has none of the event fields (forward_event, …)")


def _snake_case(document: Any) -> Any:
    if isinstance(document, dict):
        return {
            re.sub("(?<=[a-z])[A-Z]", lambda match: "_" + match[0].lower(), key): _snake_case(value)
            for key, value in document.items()
        }
    return document
