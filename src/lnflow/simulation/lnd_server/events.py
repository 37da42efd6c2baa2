"""HtlcEvent messages exactly as LND fills them, one function per kind of event."""

from __future__ import annotations

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server.personality import Personality
from lnflow.simulation.lnd_server.refusals import Amounts, ReceiveRefusal, Refusal

_FORWARD = pb.HtlcEvent.FORWARD
_SEND = pb.HtlcEvent.SEND
_RECEIVE = pb.HtlcEvent.RECEIVE

Circuit = tuple[int, int]
"""A channel's id and the HTLC's id in it; (0, 0) where there is no such side."""

NO_CIRCUIT: Circuit = (0, 0)


def subscribed() -> bytes:
    return pb.HtlcEvent(subscribed_event=pb.SubscribedEvent()).SerializeToString()


def htlc_info(incoming_timelock: int, outgoing_timelock: int, amount_in_msat: int, amount_out_msat: int) -> pb.HtlcInfo:
    return pb.HtlcInfo(
        incoming_timelock=incoming_timelock,
        outgoing_timelock=outgoing_timelock,
        incoming_amt_msat=amount_in_msat,
        outgoing_amt_msat=amount_out_msat,
    )


def forward(incoming: Circuit, outgoing: Circuit, info: pb.HtlcInfo, at_ns: int) -> pb.HtlcEvent:
    """An add left us: FORWARD, or SEND when nothing came in."""
    return _event(incoming, outgoing, at_ns, _type(incoming, outgoing), forward_event=pb.ForwardEvent(info=info))


def forward_fail(incoming: Circuit, outgoing: Circuit, at_ns: int) -> pb.HtlcEvent:
    """A later hop failed it."""
    return _event(incoming, outgoing, at_ns, _type(incoming, outgoing), forward_fail_event=pb.ForwardFailEvent())


def settle(incoming: Circuit, outgoing: Circuit, preimage: bytes, at_ns: int) -> pb.HtlcEvent:
    """The preimage went upstream (FORWARD), came back to us (SEND) or was ours (RECEIVE)."""
    return _event(
        incoming,
        outgoing,
        at_ns,
        _type(incoming, outgoing),
        settle_event=pb.SettleEvent(preimage=preimage),
    )


def final(incoming: Circuit, at_ns: int, *, settled: bool, offchain: bool = True) -> pb.HtlcEvent:
    return _event(
        incoming,
        NO_CIRCUIT,
        at_ns,
        pb.HtlcEvent.UNKNOWN,
        final_htlc_event=pb.FinalHtlcEvent(settled=settled, offchain=offchain),
    )


def link_fail(
    incoming: Circuit,
    requested_out: int,
    refusal: Refusal,
    info: pb.HtlcInfo,
    at_ns: int,
    personality: Personality,
    *,
    text: str | None = None,
) -> pb.HtlcEvent:
    """We refused to forward it.  `info` says all amounts; what LND leaves out is left out here."""
    event_type = _FORWARD
    if refusal.amounts is Amounts.NONE:
        info = pb.HtlcInfo()
    elif refusal.amounts is Amounts.INCOMING:
        info = pb.HtlcInfo(incoming_timelock=info.incoming_timelock, incoming_amt_msat=info.incoming_amt_msat)
        requested_out = 0
    if refusal is Refusal.HTLC_ADD_FAILED and personality.labels_add_failed_as_receive:
        event_type, requested_out = _RECEIVE, 0
    return _event(
        incoming,
        (requested_out, 0),
        at_ns,
        event_type,
        link_fail_event=pb.LinkFailEvent(
            info=info,
            wire_failure=refusal.wire_failure,
            failure_detail=refusal.detail,
            failure_string=text if text is not None else refusal.text,
        ),
    )


def send_refused(first_hop: int, refusal: Refusal, info: pb.HtlcInfo, at_ns: int) -> pb.HtlcEvent:
    """Our own payment could not use its first hop."""
    return _event(
        NO_CIRCUIT,
        (first_hop, 0),
        at_ns,
        _SEND,
        link_fail_event=pb.LinkFailEvent(
            info=info,
            wire_failure=refusal.wire_failure,
            failure_detail=refusal.detail,
            failure_string=refusal.text,
        ),
    )


def receive_refused(
    incoming: Circuit, refusal: ReceiveRefusal, timelock: int, amount_msat: int, at_ns: int
) -> pb.HtlcEvent:
    """An HTLC for us that our invoices did not want."""
    return _event(
        incoming,
        NO_CIRCUIT,
        at_ns,
        _RECEIVE,
        link_fail_event=pb.LinkFailEvent(
            info=pb.HtlcInfo(incoming_timelock=timelock, incoming_amt_msat=amount_msat),
            wire_failure=pb.Failure.INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS,
            failure_detail=refusal.detail,
            failure_string=refusal.text,
        ),
    )


def channel_update_dump(refusal: Refusal, about: str, scid_text: str, at_s: int, fee_ppm: int) -> str:
    """Return a failure text with a multi-line Go dump of a channel_update, about as long as LND's (1.6 kB)."""
    signature = "".join(
        f"   {offset:08x}  {' '.join(['5a'] * 8)}  {' '.join(['5a'] * 8)}  |{'Z' * 16}|\n"
        for offset in range(0, 64, 16)
    )
    fee_type = "github.com/lightningnetwork/lnd/lnwire.Fee"
    record = f"github.com/lightningnetwork/lnd/tlv.RecordT[*tlv.tlvType55555,{fee_type}]"
    return (
        f"{refusal.text}({about}update=(lnwire.ChannelUpdate1) {{\n"
        f" Signature: (lnwire.Sig) {{\n  bytes: ([64]uint8) (len=64 cap=64) {{\n{signature}  }},\n"
        f"  sigType: (lnwire.sigType) 0\n }},\n"
        f" ShortChannelID: (lnwire.ShortChannelID) {scid_text.replace('x', ':')},\n"
        f" Timestamp: (uint32) {at_s},\n FeeRate: (uint32) {fee_ppm},\n"
        f" InboundFee: (tlv.OptionalRecordT[*tlv.tlvType55555,{fee_type}]) {{\n"
        f"  Option: (fn.Option[{record}]) {{\n   isSome: (bool) false,\n   some: ({record}) {{\n"
        f"    recordType: (*tlv.tlvType55555)(<nil>),\n    Val: (lnwire.Fee) {{\n     BaseFee: (int32) 0,\n"
        "     FeeRate: (int32) 0\n    }\n   }\n  }\n },\n ExtraOpaqueData: (lnwire.ExtraOpaqueData) {\n }\n}\n)"
    )


def _type(incoming: Circuit, outgoing: Circuit) -> pb.HtlcEvent.EventType:
    if incoming == NO_CIRCUIT:
        return _SEND
    return _FORWARD if outgoing != NO_CIRCUIT else _RECEIVE


def _event(
    incoming: Circuit,
    outgoing: Circuit,
    at_ns: int,
    event_type: pb.HtlcEvent.EventType,
    *,
    forward_event: pb.ForwardEvent | None = None,
    forward_fail_event: pb.ForwardFailEvent | None = None,
    settle_event: pb.SettleEvent | None = None,
    link_fail_event: pb.LinkFailEvent | None = None,
    final_htlc_event: pb.FinalHtlcEvent | None = None,
) -> pb.HtlcEvent:
    return pb.HtlcEvent(
        incoming_channel_id=incoming[0],
        incoming_htlc_id=incoming[1],
        outgoing_channel_id=outgoing[0],
        outgoing_htlc_id=outgoing[1],
        timestamp_ns=at_ns,
        event_type=event_type,
        forward_event=forward_event,
        forward_fail_event=forward_fail_event,
        settle_event=settle_event,
        link_fail_event=link_fail_event,
        final_htlc_event=final_htlc_event,
    )
