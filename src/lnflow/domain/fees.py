"""What forwarding one HTLC costs the sender."""

from __future__ import annotations

PPM = 1_000_000


def forward_fee_msat(amount_out_msat: int, base_fee_msat: int, fee_ppm: int) -> int:
    """Return the fee we ask to forward one HTLC, before any inbound fee.

    `amount_out_msat` is what leaves us, not what arrives.  The proportional part is floored, as LND and
    Core Lightning floor it.  Source: BOLT 7, "HTLC Fees".

    >>> forward_fee_msat(amount_out_msat=250_000_000, base_fee_msat=1_000, fee_ppm=200)
    51000
    """
    return base_fee_msat + amount_out_msat * fee_ppm // PPM


def inbound_fee_msat(amount_out_msat: int, outbound_fee_msat: int, base_fee_msat: int, fee_ppm: int) -> int:
    """Return the inbound fee of the incoming channel for one HTLC: normally zero or a discount (negative).

    It is proportional to what arrives before the discount (out + outbound fee) and truncated toward zero,
    as LND does; the two fees are rounded apart.  Source: LND, `InboundFee.CalcFee`.

    >>> inbound_fee_msat(116_192_449, 116_977, base_fee_msat=-150, fee_ppm=-60)
    -7128
    """
    proportional = (amount_out_msat + outbound_fee_msat) * abs(fee_ppm) // PPM
    return base_fee_msat + (proportional if fee_ppm >= 0 else -proportional)


def required_fee_msat(
    amount_out_msat: int,
    base_fee_msat: int,
    fee_ppm: int,
    inbound_base_fee_msat: int = 0,
    inbound_fee_ppm: int = 0,
) -> int:
    """Return the least fee LND accepts for one HTLC: outbound plus inbound, never below zero.

    >>> required_fee_msat(1_000_000, base_fee_msat=0, fee_ppm=100, inbound_fee_ppm=-500)
    0
    """
    outbound = forward_fee_msat(amount_out_msat, base_fee_msat, fee_ppm)
    return max(0, outbound + inbound_fee_msat(amount_out_msat, outbound, inbound_base_fee_msat, inbound_fee_ppm))
