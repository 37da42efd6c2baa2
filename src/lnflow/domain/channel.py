"""A channel as its node knows it, its balances at an instant, and the policies of both ends."""

from __future__ import annotations

from msgspec import Struct


class Policy(Struct, frozen=True, kw_only=True, gc=False):
    """What one end asks for HTLCs that leave by the channel (and, inbound, for those that come in by it).

    `last_update_s` is the gossip time of the announcement (unix seconds), None if unknown.
    """

    base_fee_msat: int
    fee_ppm: int
    time_lock_delta: int
    min_htlc_msat: int
    max_htlc_msat: int | None
    inbound_base_fee_msat: int = 0
    inbound_fee_ppm: int = 0
    disabled: bool = False
    last_update_s: int | None = None


class PendingHtlc(Struct, frozen=True, kw_only=True, gc=False):
    """An HTLC in flight in a channel when it was listed."""

    incoming: bool
    amount_msat: int
    htlc_index: int
    expiry_height: int
    payment_hash: str
    forwarding_scid: int = 0
    forwarding_htlc_index: int = 0


class ChannelState(Struct, frozen=True, kw_only=True, gc=False):
    """One channel of ours as the node listed it.

    `channel_point` is `txid:output`; `scid` is the id the node uses in its events (an alias for zero-conf
    channels); `other_scids` are further ids that mean the same channel (never the peer's alias for it).
    Balances are msat; `local_msat` excludes what is in flight.
    """

    channel_point: str
    scid: int
    other_scids: tuple[int, ...]
    peer_pubkey: str
    peer_alias: str | None
    capacity_sat: int
    local_msat: int
    remote_msat: int
    unsettled_msat: int
    commit_fee_sat: int
    local_reserve_sat: int
    remote_reserve_sat: int
    initiator: bool
    private: bool
    active: bool
    min_htlc_msat: int | None = None
    """Our add's floor, set by the peer (local constraints)."""
    max_pending_msat: int | None = None
    max_accepted_htlcs: int | None = None
    uptime_s: int | None = None
    lifetime_s: int | None = None
    total_sent_sat: int | None = None
    total_received_sat: int | None = None
    pending: tuple[PendingHtlc, ...] = ()


class ChannelFacts(Struct, frozen=True, gc=False):
    """One channel of ours, open or closed, as far as answers about refusals need it: as last seen before a time.

    `channel_id` and `peer_id` are the store's small numbers.  None is "not known", never zero.
    """

    channel_id: int
    scid: int | None
    channel_point: str | None
    peer_id: int | None
    peer_pubkey: str | None
    peer_alias: str | None
    capacity_sat: int | None
    local_msat: int | None
    remote_msat: int | None
    balance_ns: int | None
    """When the balances were last known to be these."""
    closed: bool
    fee_ppm: int | None
    """Ours; `max_htlc_msat` too."""
    max_htlc_msat: int | None


class ClosedChannel(Struct, frozen=True, kw_only=True, gc=False):
    """A channel that no longer exists; its history stays."""

    channel_point: str
    scid: int
    other_scids: tuple[int, ...]
    peer_pubkey: str
    capacity_sat: int
    close_height: int
    close_type: str
    closing_txid: str
    settled_sat: int
    opened_by_us: bool | None = None
    """Who opened it pays for closing it; None: not known."""


class ChannelPolicies(Struct, frozen=True, kw_only=True, gc=False):
    """Both ends' policies of one of our channels; None for an end that has announced none."""

    scid: int
    channel_point: str | None
    peer_pubkey: str
    ours: Policy | None
    theirs: Policy | None
    capacity_sat: int | None = None


class NodeInfo(Struct, frozen=True, kw_only=True, gc=False):
    """Who the node is.  `version` is as the node prints it; `version_tuple` is for gating."""

    pubkey: str
    alias: str
    implementation: str
    network: str
    version: str
    version_tuple: tuple[int, int, int]
    block_height: int
    synced_to_chain: bool
    synced_to_graph: bool
