"""May this HTLC be forwarded?  The daemons' checks in their order, without side effects (cln.md §4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lnflow.simulation.lightningd.channel import FORWARDING, Channel, Terms

MIN_CLTV_DELTA = 40
MAX_EXPIRY_BLOCKS = 2016
EXPIRY_SAFETY_BLOCKS = 2

NAMES = {
    21: "WIRE_EXPIRY_TOO_FAR",
    4103: "WIRE_TEMPORARY_CHANNEL_FAILURE",
    4107: "WIRE_AMOUNT_BELOW_MINIMUM",
    4108: "WIRE_FEE_INSUFFICIENT",
    4109: "WIRE_INCORRECT_CLTV_EXPIRY",
    4110: "WIRE_EXPIRY_TOO_SOON",
    8194: "WIRE_TEMPORARY_NODE_FAILURE",
    16392: "WIRE_PERMANENT_CHANNEL_FAILURE",
    16394: "WIRE_UNKNOWN_NEXT_PEER",
    24579: "WIRE_REQUIRED_NODE_FEATURE_MISSING",
    49157: "WIRE_INVALID_ONION_HMAC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What we tell the sender, and the reason that only we know."""

    code: int
    reason: str
    out: Channel | None = None


def check_incoming(channel: Channel, in_msat: int, onion_error: int | None) -> Refusal | None:
    """Return why what came in by a channel is not even looked at."""
    if onion_error is not None:
        return Refusal(code=onion_error, reason="invalid_onion")
    if channel.state not in FORWARDING:
        return Refusal(code=16392, reason="incoming_channel_closing")
    small = in_msat < channel.dust_limit_msat
    if small and channel.dust_msat(incoming=True) + in_msat > channel.max_dust_msat:
        return Refusal(code=8194, reason="dust_exposure_incoming")
    return None


def check_terms(channel: Channel, accepted: Sequence[Terms], in_msat: int, out_msat: int) -> Refusal | None:
    """Return what of our terms speaks against it; any of those accepted at the time will do."""
    if not any(t.pays(in_msat, out_msat) for t in accepted):
        return Refusal(code=4108, reason="fee_insufficient", out=channel)
    if all(out_msat > t.htlc_max_msat for t in accepted):
        return Refusal(code=4103, reason="htlc_exceeds_max", out=channel)
    if all(out_msat < t.htlc_min_msat for t in accepted):
        return Refusal(code=4103, reason="htlc_below_min", out=channel)
    return None


def check_expiry(channel: Channel, cltv_delta: int, expiry_blocks: int) -> Refusal | None:
    """Return why its time locks will not do."""
    if cltv_delta < MIN_CLTV_DELTA:
        return Refusal(code=4109, reason="incorrect_cltv_expiry", out=channel)
    if expiry_blocks <= EXPIRY_SAFETY_BLOCKS:
        return Refusal(code=4110, reason="expiry_too_soon", out=channel)
    if expiry_blocks > MAX_EXPIRY_BLOCKS:
        return Refusal(code=21, reason="expiry_too_far", out=channel)
    return None


def check_room(channel: Channel, out_msat: int, max_concurrent_htlcs: int) -> Refusal | None:
    """Return why the channel itself cannot take it: the peer's minimum, slots, in-flight cap, balance, dust."""
    in_flight = channel.out_htlcs()
    if out_msat < channel.peer_min_htlc_msat:
        return Refusal(code=4107, reason="below_peer_minimum", out=channel)
    if len(in_flight) >= min(channel.peer_max_htlcs, max_concurrent_htlcs):
        return Refusal(code=4103, reason="slots_full", out=channel)
    if sum(h.amount_msat for h in in_flight) + out_msat > channel.peer_max_in_flight_msat:
        return Refusal(code=24579, reason="in_flight_cap", out=channel)
    if out_msat > channel.spendable_msat:
        return Refusal(code=4103, reason="insufficient_balance", out=channel)
    small = out_msat < channel.dust_limit_msat
    if small and channel.dust_msat(incoming=False) + out_msat > channel.max_dust_msat:
        return Refusal(code=4103, reason="dust_exposure", out=channel)
    return None
