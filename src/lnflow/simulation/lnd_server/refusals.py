"""Why the node refuses an HTLC: wire failure, detail and text of each cause, as LND's events show them."""

from __future__ import annotations

from enum import Enum

from lnflow.nodes.lnd.wire import lnd_pb2 as pb

_Failure = pb.Failure


class Amounts(Enum):
    """Which amounts a link_fail event carries."""

    BOTH = "both"
    INCOMING = "incoming"
    NONE = "none"


class Refusal(Enum):
    """Causes of a link_fail event of a forward; the order is the order of LND's checks (lnd.md §1.5).

    Each is (wire failure, detail, text, amounts); texts with a channel_update in LND end in a dump of it.
    """

    # while the incoming link decodes the onion: before any of the checks
    INVALID_ONION_PAYLOAD = (
        _Failure.INVALID_ONION_PAYLOAD,
        pb.NO_DETAIL,
        "InvalidOnionPayload(type=0, offset=0)",
        Amounts.INCOMING,
    )
    INVALID_ONION_BLINDING = (
        _Failure.INVALID_ONION_BLINDING,
        pb.NO_DETAIL,
        "InvalidOnionBlinding",
        Amounts.INCOMING,
    )
    FORWARDS_DISABLED = (
        _Failure.CHANNEL_DISABLED,
        pb.FORWARDS_DISABLED,
        "node configured to disallow forwards",
        Amounts.BOTH,
    )
    CIRCULAR_ROUTE = (
        _Failure.TEMPORARY_CHANNEL_FAILURE,
        pb.CIRCULAR_ROUTE,
        "same incoming and outgoing channel",
        Amounts.BOTH,
    )
    UNKNOWN_NEXT_PEER = (_Failure.UNKNOWN_NEXT_PEER, pb.NO_DETAIL, "UnknownNextPeer", Amounts.BOTH)
    LINK_NOT_ELIGIBLE = (
        _Failure.UNKNOWN_NEXT_PEER,
        pb.LINK_NOT_ELIGIBLE,
        "link not eligible",
        Amounts.BOTH,
    )
    FEE_INSUFFICIENT = (_Failure.FEE_INSUFFICIENT, pb.NO_DETAIL, "FeeInsufficient", Amounts.BOTH)
    AMOUNT_BELOW_MINIMUM = (_Failure.AMOUNT_BELOW_MINIMUM, pb.NO_DETAIL, "AmountBelowMinimum", Amounts.BOTH)
    HTLC_EXCEEDS_MAX = (
        _Failure.TEMPORARY_CHANNEL_FAILURE,
        pb.HTLC_EXCEEDS_MAX,
        "htlc exceeds maximum policy amount",
        Amounts.BOTH,
    )
    EXPIRY_TOO_SOON = (_Failure.EXPIRY_TOO_SOON, pb.NO_DETAIL, "ExpiryTooSoon", Amounts.BOTH)
    EXPIRY_TOO_FAR = (_Failure.EXPIRY_TOO_FAR, pb.NO_DETAIL, "ExpiryTooFar", Amounts.BOTH)
    INSUFFICIENT_BALANCE = (
        _Failure.TEMPORARY_CHANNEL_FAILURE,
        pb.INSUFFICIENT_BALANCE,
        "insufficient bandwidth to route htlc",
        Amounts.BOTH,
    )
    INCORRECT_CLTV_EXPIRY = (
        _Failure.INCORRECT_CLTV_EXPIRY,
        pb.NO_DETAIL,
        "IncorrectCltvExpiry",
        Amounts.BOTH,
    )
    FEE_EXPOSURE = (
        _Failure.TEMPORARY_CHANNEL_FAILURE,
        pb.NO_DETAIL,
        "TemporaryChannelFailure",
        Amounts.BOTH,
    )
    HTLC_ADD_FAILED = (
        _Failure.TEMPORARY_CHANNEL_FAILURE,
        pb.HTLC_ADD_FAILED,
        "could not add downstream htlc",
        Amounts.NONE,
    )
    INCOMPLETE_FORWARD = (
        _Failure.TEMPORARY_CHANNEL_FAILURE,
        pb.INCOMPLETE_FORWARD,
        "failed to resume incomplete forward",
        Amounts.BOTH,
    )

    @property
    def wire_failure(self) -> pb.Failure.FailureCode:
        return self.value[0]

    @property
    def detail(self) -> pb.FailureDetail:
        return self.value[1]

    @property
    def text(self) -> str:
        return self.value[2]

    @property
    def amounts(self) -> Amounts:
        return self.value[3]

    @property
    def text_has_channel_update(self) -> bool:
        """LND's text then ends in a multi-line dump of 1.6 kB."""
        return self in _WITH_CHANNEL_UPDATE

    @property
    def needs_channel_update(self) -> bool:
        """LND puts a channel_update into it; if it has none the wire failure is TEMPORARY_NODE_FAILURE."""
        return self in _WITH_CHANNEL_UPDATE or self in _WITH_UPDATE_BUT_DETAIL


_WITH_CHANNEL_UPDATE = frozenset(
    {
        Refusal.FEE_INSUFFICIENT,
        Refusal.AMOUNT_BELOW_MINIMUM,
        Refusal.EXPIRY_TOO_SOON,
        Refusal.INCORRECT_CLTV_EXPIRY,
    }
)
_WITH_UPDATE_BUT_DETAIL = frozenset({Refusal.HTLC_EXCEEDS_MAX, Refusal.INSUFFICIENT_BALANCE, Refusal.HTLC_ADD_FAILED})


class ReceiveRefusal(Enum):
    """Causes of a link_fail event of an HTLC that was meant for us: (detail, text)."""

    UNKNOWN_INVOICE = (pb.UNKNOWN_INVOICE, "invoice not found")
    INVOICE_NOT_OPEN = (pb.INVOICE_NOT_OPEN, "invoice no longer open")
    INVOICE_UNDERPAID = (pb.INVOICE_UNDERPAID, "invoice underpaid")
    INVOICE_ALREADY_SETTLED = (pb.INVOICE_ALREADY_SETTLED, "invoice already settled")
    HTLC_INVOICE_TYPE_MISMATCH = (pb.HTLC_INVOICE_TYPE_MISMATCH, "htlc invoice type mismatch")
    AMP_ERROR = (pb.AMP_ERROR, "invalid amp")
    AMP_RECONSTRUCTION = (pb.AMP_RECONSTRUCTION, "amp reconstruction failed")
    EXTERNAL_VALIDATION_FAILED = (pb.EXTERNAL_VALIDATION_FAILED, "external validation failed")

    @property
    def detail(self) -> pb.FailureDetail:
        return self.value[0]

    @property
    def text(self) -> str:
        return self.value[1]

    @property
    def unmarshallable_before_0_21(self) -> bool:
        """LND before 0.21.0 cannot put it into an event: the stream ends instead."""
        return self.detail >= pb.INVOICE_ALREADY_SETTLED
