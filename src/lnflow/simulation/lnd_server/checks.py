"""May this HTLC be forwarded?  LND's checks in LND's order, without side effects (lnd.md §1.5)."""

from __future__ import annotations

from dataclasses import dataclass

from lnflow.domain.fees import forward_fee_msat, inbound_fee_msat
from lnflow.simulation.lnd_server.channels import LndChannel
from lnflow.simulation.lnd_server.refusals import Refusal

OUTGOING_CLTV_REJECT_DELTA = 13  # blocks; an outgoing expiry nearer than this is refused
MAX_CLTV_EXPIRY = 2016  # LND's default `max-cltv-expiry`


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardRequest:
    """An HTLC that came in by `in_scid` with the order to send it on by `requested_out`."""

    in_scid: int
    requested_out: int
    amount_in_msat: int
    amount_out_msat: int
    incoming_timelock: int
    outgoing_timelock: int


def check_link(request: ForwardRequest, incoming: LndChannel, outgoing: LndChannel, *, height: int) -> Refusal | None:
    """Return why `outgoing` cannot take the HTLC (rows 4 to 10 of the table), None if it can."""
    if not outgoing.established:
        return Refusal.LINK_NOT_ELIGIBLE
    policy = outgoing.policy
    amount_out = request.amount_out_msat
    outbound = forward_fee_msat(amount_out, policy.base_fee_msat, policy.fee_ppm)
    inbound = inbound_fee_msat(
        amount_out, outbound, incoming.policy.inbound_base_fee_msat, incoming.policy.inbound_fee_ppm
    )
    offered = request.amount_in_msat - amount_out
    if offered < 0 or offered < outbound + inbound:
        return Refusal.FEE_INSUFFICIENT
    if amount_out < policy.min_htlc_msat:
        return Refusal.AMOUNT_BELOW_MINIMUM
    if policy.max_htlc_msat is not None and amount_out > policy.max_htlc_msat:
        return Refusal.HTLC_EXCEEDS_MAX
    if request.outgoing_timelock <= height + OUTGOING_CLTV_REJECT_DELTA:
        return Refusal.EXPIRY_TOO_SOON
    if request.outgoing_timelock > height + MAX_CLTV_EXPIRY:
        return Refusal.EXPIRY_TOO_FAR
    if amount_out > outgoing.spendable_msat():
        return Refusal.INSUFFICIENT_BALANCE
    if request.incoming_timelock < request.outgoing_timelock + policy.time_lock_delta:
        return Refusal.INCORRECT_CLTV_EXPIRY
    return None
