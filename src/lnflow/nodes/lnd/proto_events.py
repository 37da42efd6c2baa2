"""HTLC events as LND streams them over gRPC: one protobuf message each.  The hot path of live collection."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from lnflow.domain.amounts import MOST_MSAT
from lnflow.domain.errors import InputError
from lnflow.domain.htlc import DownstreamFailed, Offered, Resolved, Settled, StreamEvent, Subscribed
from lnflow.nodes.lnd.events import FORWARD, DecodeCounts, count_foreign, read_link_failure
from lnflow.nodes.lnd.wire import lnd_pb2 as pb

_parse = pb.HtlcEvent.FromString


def decode_event(raw: bytes, counts: DecodeCounts) -> StreamEvent | None:
    """Return the event in one protobuf message; None, counted, for own sends, receives and unknown kinds.

    Raises `InputError` (counted too) for bytes that are no HtlcEvent.
    """
    try:
        event = _parse(raw)
    except DecodeError as exc:
        counts.malformed += 1
        raise InputError(f"the HTLC stream carried {len(raw)} bytes that are no HtlcEvent: {exc}") from exc
    in_scid = event.incoming_channel_id
    htlc_id = event.incoming_htlc_id
    at_ns = event.timestamp_ns
    out_htlc_id = event.outgoing_htlc_id
    if (htlc_id | out_htlc_id | at_ns) >> 63:
        raise _too_large(counts)
    kind = event.WhichOneof("event")
    if kind == "final_htlc_event":
        final = event.final_htlc_event
        return Resolved(in_scid, htlc_id, at_ns, final.settled, final.offchain)
    event_type = event.event_type
    if kind == "link_fail_event":
        fail = event.link_fail_event
        info = fail.info
        amount_in_msat, amount_out_msat = info.incoming_amt_msat, info.outgoing_amt_msat
        if amount_in_msat > MOST_MSAT:
            raise _too_large(counts)
        return read_link_failure(
            counts,
            event_type,
            in_scid,
            htlc_id,
            at_ns,
            event.outgoing_channel_id,
            fail.wire_failure,
            fail.failure_detail,
            amount_in_msat,
            amount_out_msat,
        )
    if kind == "subscribed_event":
        return Subscribed(at_ns)
    if kind is None:
        counts.unrecognised += 1
        return None
    if event_type != FORWARD or not in_scid:
        count_foreign(counts, event_type)
        return None
    if kind == "forward_event":
        info = event.forward_event.info
        amount_in_msat, amount_out_msat = info.incoming_amt_msat, info.outgoing_amt_msat
        if (amount_in_msat | amount_out_msat) > MOST_MSAT:  # it is all ones
            raise _too_large(counts)
        return Offered(
            in_scid,
            htlc_id,
            at_ns,
            event.outgoing_channel_id,
            out_htlc_id,
            amount_in_msat or None,
            amount_out_msat or None,
        )
    if kind == "settle_event":
        return Settled(in_scid, htlc_id, at_ns, event.outgoing_channel_id, out_htlc_id)
    return DownstreamFailed(in_scid, htlc_id, at_ns, event.outgoing_channel_id, out_htlc_id)


def _too_large(counts: DecodeCounts) -> InputError:
    counts.malformed += 1
    return InputError(
        "an HtlcEvent has an id or a time of more than 63 bits, or an amount of more than 50: it cannot be real"
    )
