"""What can happen to an HTLC that came in to be sent on.  One class per thing, shared by LND and CLN.

`in_scid` and `out_scid` are unsigned short channel ids as the node said them; 0 means "not said".
Money is msat, times are UTC nanoseconds of the event.  `None` is "not known", never zero.
"""

from __future__ import annotations

from msgspec import Struct

from lnflow.domain.causes import Cause, Outcome


class Subscribed(Struct, frozen=True, gc=False):
    """The node started to tell us: everything before is invisible.  `at_ns` may be 0 (LND gives no time)."""

    at_ns: int = 0


class StreamEnded(Struct, frozen=True, gc=False):
    """The node stopped telling us (REST logs have a line for it)."""

    reason: str = ""


class Offered(Struct, frozen=True, gc=False):
    """We passed it on to the next hop by `out_scid`, the channel really used."""

    in_scid: int
    in_htlc_id: int
    at_ns: int
    out_scid: int
    out_htlc_id: int
    amount_in_msat: int | None
    amount_out_msat: int | None


class Settled(Struct, frozen=True, gc=False):
    """The preimage went upstream: it paid us.  Amounts stand in the offer or in the history."""

    in_scid: int
    in_htlc_id: int
    at_ns: int
    out_scid: int
    out_htlc_id: int


class DownstreamFailed(Struct, frozen=True, gc=False):
    """A later hop failed it.  LND says neither amounts nor reason: they stand in the offer."""

    in_scid: int
    in_htlc_id: int
    at_ns: int
    out_scid: int
    out_htlc_id: int


class Refused(Struct, frozen=True, gc=False):
    """We failed it ourselves.  `out_scid` is what the sender asked for (0: unknown), not a channel used.

    `wire_code` and `detail` are the node's own numbers, kept for values we do not know.
    """

    in_scid: int
    in_htlc_id: int
    at_ns: int
    out_scid: int
    cause: Cause
    amount_in_msat: int | None
    amount_out_msat: int | None
    wire_code: int = 0
    detail: int = 0


class Resolved(Struct, frozen=True, gc=False):
    """The HTLC is gone from the incoming channel.  Emitted for receives too: alone it starts no attempt."""

    in_scid: int
    in_htlc_id: int
    at_ns: int
    settled: bool
    offchain: bool


HtlcEvent = Offered | Settled | DownstreamFailed | Refused | Resolved
StreamEvent = HtlcEvent | Subscribed | StreamEnded


class Forward(Struct, frozen=True, gc=False):
    """A settled forward as a history lists it (LND's ForwardingHistory, CSV exports).

    `in_htlc_id` is None where the source has no HTLC ids.  `at_ns` is exact unless `whole_seconds`.
    `None` for an amount means that the source did not give it.
    """

    in_scid: int
    out_scid: int
    at_ns: int
    amount_in_msat: int
    amount_out_msat: int
    in_htlc_id: int | None = None
    out_htlc_id: int | None = None
    whole_seconds: bool = False


class Attempt(Struct, frozen=True, gc=False):
    """One HTLC with everything known of it: one row of the store, joined from its events."""

    in_scid: int
    in_htlc_id: int | None
    out_scid: int
    out_htlc_id: int | None
    out_used: bool
    """True if `out_scid` is the channel really used, False if it is only what the sender asked for."""
    amount_in_msat: int | None
    amount_out_msat: int | None
    arrived_ns: int | None
    resolved_ns: int | None
    outcome: Outcome
    cause: Cause
    wire_code: int = 0
    detail: int = 0
