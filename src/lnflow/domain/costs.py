"""What running the node costs: balance moved in a circle, and transactions of its wallet."""

from __future__ import annotations

from msgspec import Struct


class CircularHtlc(Struct, frozen=True, kw_only=True, gc=False):
    """One part of a payment to ourselves that arrived: balance went from one channel to another for a fee."""

    payment_hash: str
    part: int
    """The node's number of the attempt: a payment in several parts has several."""
    at_ns: int
    out_scid: int
    in_scid: int
    """0: not known, only the peer is."""
    in_peer_pubkey: str | None
    amount_msat: int
    """What arrived; `fee_msat` was paid beside it."""
    fee_msat: int


class WalletTransaction(Struct, frozen=True, kw_only=True, gc=False):
    """A confirmed transaction that the node's wallet has to do with."""

    txid: str
    at_ns: int
    block_height: int
    fee_sat: int
    """What the wallet says: right if all inputs were its own, else 0."""
    label: str
    outputs: tuple[tuple[int, int], ...]
    """Place and amount in sat of every output, whoever it pays."""
    spends: tuple[str, ...]
    """The outpoints that it spends, `txid:output`."""
