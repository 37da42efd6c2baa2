"""Replies of Core Lightning as they are on the wire; optional where the node may leave a field out.

A missing required field fails the decoding: it never becomes zero.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct, field

from lnflow.domain.time import SECOND_NS

Msat = int | str
"""A JSON integer since v23.05; before that a string that ends in `msat`."""


def msat(value: Msat) -> int:
    """Return an amount in msat.

    >>> msat(1000), msat('1000msat')
    (1000, 1000)
    """
    return value if isinstance(value, int) else int(value.removesuffix("msat"))


def optional_msat(value: Msat | None) -> int | None:
    return None if value is None else msat(value)


def time_ns(seconds: Decimal) -> int:
    """Return nanoseconds of a time that the node printed as decimal seconds, exactly.

    >>> time_ns(Decimal('1795261099.061064512'))
    1795261099061064512
    """
    return int(seconds * _SECOND_NS)


_SECOND_NS = Decimal(SECOND_NS)  # the product of two of them takes less time


class ForwardRow(Struct, frozen=True, gc=False):
    """A row of `listforwards`, and (with `payment_hash`) a `forward_event`."""

    in_channel: str
    in_msat: Msat
    status: str
    received_time: Decimal
    created_index: int | None = None
    updated_index: int | None = None
    in_htlc_id: int | None = None
    out_channel: str | None = None
    out_htlc_id: int | None = None
    out_msat: Msat | None = None
    fee_msat: Msat | None = None
    failcode: int | None = None
    failreason: str | None = None
    failure_reason: str | None = None
    """Not in any release yet (upstream #9419): the node's own word for the cause."""
    style: str | None = None
    resolved_time: Decimal | None = None
    payment_hash: str | None = None


class ForwardPage(Struct, frozen=True):
    forwards: list[ForwardRow]


class WaitReply(Struct, frozen=True):
    """The index reached; what else `wait` tells is only a hint and not read."""

    subsystem: str
    created: int | None = None
    updated: int | None = None
    deleted: int | None = None


class GetInfo(Struct, frozen=True):
    id: str
    alias: str
    version: str
    blockheight: int
    network: str
    fees_collected_msat: Msat
    num_peers: int = 0
    warning_bitcoind_sync: str | None = None
    warning_lightningd_sync: str | None = None
    lightning_dir: str | None = field(default=None, name="lightning-dir")


class GossipSide(Struct, frozen=True):
    htlc_minimum_msat: Msat
    htlc_maximum_msat: Msat
    cltv_expiry_delta: int
    fee_base_msat: Msat
    fee_proportional_millionths: int


class GossipSides(Struct, frozen=True):
    """`updates` (v24.02): what each side announces to the other."""

    local: GossipSide | None = None
    remote: GossipSide | None = None


class Aliases(Struct, frozen=True):
    local: str | None = None
    remote: str | None = None


class ChannelHtlc(Struct, frozen=True):
    direction: str
    id: int
    amount_msat: Msat
    expiry: int = 0
    payment_hash: str = ""
    state: str = ""


class PeerChannel(Struct, frozen=True):
    """A channel of `listpeerchannels`.  Most amounts are absent while it opens or closes."""

    peer_id: str
    peer_connected: bool
    state: str
    channel_id: str | None = None
    short_channel_id: str | None = None
    alias: Aliases | None = None
    reestablished: bool | None = None
    lost_state: bool = False
    private: bool | None = None
    opener: str | None = None
    funding_txid: str | None = None
    funding_outnum: int | None = None
    updates: GossipSides | None = None
    to_us_msat: Msat | None = None
    total_msat: Msat | None = None
    spendable_msat: Msat | None = None
    receivable_msat: Msat | None = None
    our_reserve_msat: Msat | None = None
    their_reserve_msat: Msat | None = None
    dust_limit_msat: Msat | None = None
    last_tx_fee_msat: Msat | None = None
    their_max_htlc_value_in_flight_msat: Msat | None = None
    max_total_htlc_in_msat: Msat | None = None
    fee_base_msat: Msat | None = None
    fee_proportional_millionths: int | None = None
    minimum_htlc_out_msat: Msat | None = None
    maximum_htlc_out_msat: Msat | None = None
    max_accepted_htlcs: int | None = None
    in_fulfilled_msat: Msat | None = None
    out_fulfilled_msat: Msat | None = None
    htlcs: list[ChannelHtlc] = []


class ClosedPeerChannel(Struct, frozen=True):
    """A channel of `listclosedchannels`."""

    channel_id: str
    opener: str
    close_cause: str
    total_msat: Msat
    final_to_us_msat: Msat
    peer_id: str | None = None
    short_channel_id: str | None = None
    alias: Aliases | None = None
    funding_txid: str | None = None
    funding_outnum: int | None = None
    last_commitment_txid: str | None = None


class NodeRow(Struct, frozen=True):
    nodeid: str
    alias: str | None = None


class NodePage(Struct, frozen=True):
    nodes: list[NodeRow]


class Config(Struct, frozen=True):
    value_msat: Msat | None = None


class Configs(Struct, frozen=True):
    configs: dict[str, Config]


class HelpRow(Struct, frozen=True):
    command: str


class HelpReply(Struct, frozen=True):
    help: list[HelpRow]
