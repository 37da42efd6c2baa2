"""LND's messages as REST, gRPC-JSON and lncli print them: the fields we read, under their own names.

Decoded with `strict=False`, so that ids may be numbers or strings.  Zero fields may be missing, unknown keys
are ignored.  Field names are those of `wire/lnd.proto`, so that `records` reads both forms alike.
"""

from __future__ import annotations

from msgspec import Struct, field


class HTLC(Struct, frozen=True):
    incoming: bool = False
    amount: int = 0
    hash_lock: str = ""
    """Base64 in REST, hex in lncli."""
    expiration_height: int = 0
    htlc_index: int = 0
    forwarding_channel: int = 0
    forwarding_htlc_index: int = 0


class ChannelConstraints(Struct, frozen=True):
    chan_reserve_sat: int = 0
    max_pending_amt_msat: int = 0
    min_htlc_msat: int = 0
    max_accepted_htlcs: int = 0


class Channel(Struct, frozen=True):
    remote_pubkey: str
    channel_point: str
    chan_id: int | str = 0
    """The number of the short channel id; in lncli since 0.19 the 32-byte channel id in hex."""
    scid: int = 0
    """Only in lncli, since 0.19."""
    active: bool = False
    capacity: int = 0
    local_balance: int = 0
    remote_balance: int = 0
    commit_fee: int = 0
    unsettled_balance: int = 0
    total_satoshis_sent: int = 0
    total_satoshis_received: int = 0
    pending_htlcs: list[HTLC] = field(default_factory=list)
    private: bool = False
    initiator: bool = False
    lifetime: int = 0
    uptime: int = 0
    local_constraints: ChannelConstraints = ChannelConstraints()
    remote_constraints: ChannelConstraints = ChannelConstraints()
    alias_scids: list[int] = field(default_factory=list)
    zero_conf_confirmed_scid: int = 0
    peer_alias: str = ""


class ChannelCloseSummary(Struct, frozen=True):
    channel_point: str
    chan_id: int | str = 0
    scid: int = 0
    closing_tx_hash: str = ""
    remote_pubkey: str = ""
    capacity: int = 0
    close_height: int = 0
    settled_balance: int = 0
    close_type: int | str = 0
    open_initiator: int | str = 0
    alias_scids: list[int] = field(default_factory=list)
    zero_conf_confirmed_scid: int = 0


class RoutingPolicy(Struct, frozen=True, gc=False):
    time_lock_delta: int = 0
    min_htlc: int = 0
    fee_base_msat: int = 0
    fee_rate_milli_msat: int = 0
    disabled: bool = False
    max_htlc_msat: int = 0
    last_update: int = 0
    inbound_fee_base_msat: int = 0
    inbound_fee_rate_milli_msat: int = 0


class ChannelEdge(Struct, frozen=True):
    channel_id: int
    node1_pub: str
    node2_pub: str
    chan_point: str = ""
    capacity: int = 0
    node1_policy: RoutingPolicy | None = None
    node2_policy: RoutingPolicy | None = None


class LightningNode(Struct, frozen=True):
    pub_key: str
    alias: str = ""


class Chain(Struct, frozen=True):
    network: str = ""


class GetInfoResponse(Struct, frozen=True):
    identity_pubkey: str
    version: str = ""
    alias: str = ""
    block_height: int = 0
    synced_to_chain: bool = False
    synced_to_graph: bool = False
    testnet: bool = False
    chains: list[Chain] = field(default_factory=list)


class ForwardingEvent(Struct, frozen=True, gc=False):
    chan_id_in: int
    chan_id_out: int
    timestamp: int = 0
    timestamp_ns: int = 0
    amt_in: int = 0
    amt_out: int = 0
    amt_in_msat: int = 0
    amt_out_msat: int = 0
    incoming_htlc_id: int | None = None
    outgoing_htlc_id: int | None = None


class ChannelFeeReport(Struct, frozen=True):
    chan_id: int
    channel_point: str = ""
    base_fee_msat: int = 0
    fee_per_mil: int = 0
    inbound_base_fee_msat: int = 0
    inbound_fee_per_mil: int = 0


class Hop(Struct, frozen=True, gc=False):
    chan_id: int = 0
    amt_to_forward_msat: int = 0
    pub_key: str = ""


class Route(Struct, frozen=True):
    hops: list[Hop] = field(default_factory=list)
    total_fees_msat: int = 0


class HTLCAttempt(Struct, frozen=True):
    status: int | str = 0
    route: Route | None = None
    resolve_time_ns: int = 0
    attempt_id: int = 0


class Payment(Struct, frozen=True):
    payment_hash: str
    creation_time_ns: int = 0
    htlcs: list[HTLCAttempt] = field(default_factory=list)
