"""What a rule or a strategy may ask about a channel: plain records, filled by loaders, replayable.

A fact that could not be learnt is `Unknown(reason)`, never 0 and never None: a criterion that meets one is
not evaluable, and its channel is skipped.  None means "there is none" (a peer that announced no policy).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from lnflow.domain.channel import ChannelState, Policy
from lnflow.domain.lacks import Lacks
from lnflow.domain.scid import scid_block, scid_text


class Unknown(Struct, frozen=True, gc=False):
    """We could not learn it; `reason` is shown to the operator."""

    reason: str


NOT_LOADED = Unknown("not known: no store or node was asked")


class Flow(Struct, frozen=True, kw_only=True, gc=False):
    """Settled forwards of a channel in a window.  `days` is how much of it the sums really reach."""

    htlcs_in: int = 0
    htlcs_out: int = 0
    in_msat: int = 0
    out_msat: int = 0
    earned_msat: int = 0
    """Fees of the forwards that left by the channel."""
    days: float


class Balance(Struct, frozen=True, kw_only=True, gc=False):
    """Sums over some channels, pending HTLCs and the opener's commitment fee included."""

    channels: int = 0
    local_msat: int = 0
    remote_msat: int = 0


class PeerFacts(Struct, frozen=True, kw_only=True):
    """The other end, shared by all channels with it."""

    pubkey: str
    alias: str | Unknown | None = None
    graph_channels: int | Unknown = NOT_LOADED
    graph_capacity_sat: int | Unknown = NOT_LOADED
    alternatives: int | Unknown = NOT_LOADED
    """Other public nodes that have channels with this peer and with another recent peer of ours."""
    active: Balance = Balance()
    inactive: Balance = Balance()


class PriceLevel(Struct, frozen=True, kw_only=True, gc=False):
    """What the channel earned at one price; only covered time in which it could route counts."""

    fee_ppm: int
    days: float
    forwards: int
    earned_msat: int


class ChannelCost(Struct, frozen=True, kw_only=True, gc=False):
    """What having the channel costs.  The opening fee is our share of the funding transaction."""

    opening_msat: int
    rebalance_msat: int
    closing_msat: int

    @property
    def total_msat(self) -> int:
        return self.opening_msat + self.rebalance_msat + self.closing_msat


class ChannelFacts(Struct, frozen=True, kw_only=True):
    """One of our channels at the moment of the decision.  Windows are keyed by their length in seconds."""

    channel_point: str
    scid: int
    peer: PeerFacts
    capacity_sat: int
    local_msat: int
    """Ours, pending outgoing HTLCs and (if we opened) the commitment fee included."""
    remote_msat: int
    other_scids: tuple[int, ...] = ()
    ours: Policy | Unknown
    theirs: Policy | Unknown | None = None
    initiator: bool = True
    private: bool = False
    active: bool = True
    remote_reserve_sat: int = 0
    min_htlc_msat: int | None = None
    """The smallest HTLC the channel's constraints allow us to send."""
    max_pending_msat: int | None = None
    pending_htlcs: int = 0
    next_expiry_height: int | None = None
    age_blocks: int | Unknown = NOT_LOADED
    age_s: float | Unknown = NOT_LOADED
    funding_fee_sat: int | Unknown | None = NOT_LOADED
    """Fee of the whole funding transaction; None if it is not in our wallet."""
    flows: Mapping[int, Flow | Unknown] = field(default_factory=dict)
    missed_msat: Mapping[int, int | Unknown] = field(default_factory=dict)
    profit_msat: Mapping[int, int | Unknown] = field(default_factory=dict)
    price_levels: tuple[PriceLevel, ...] | Unknown = NOT_LOADED
    days_at_price: float | Unknown = NOT_LOADED
    """Covered, routable days since the present price was set."""
    cost: ChannelCost | Unknown = NOT_LOADED
    cheapest_other_ppm: int | Unknown | None = NOT_LOADED
    """The lowest outbound price of our other peers' channels: what an HTLC that comes in here may pay."""

    def flow(self, window_s: int) -> Flow | Unknown:
        return self.flows.get(window_s, NOT_LOADED)

    def ratio(self) -> float | Unknown:
        """Return local ÷ (local + remote), 0–1."""
        total = self.local_msat + self.remote_msat
        return self.local_msat / total if total else Unknown("both balances are zero")

    @property
    def name(self) -> str:
        return scid_text(self.scid)


class NodeFacts(Struct, frozen=True, kw_only=True):
    """What is the same for all channels in one run."""

    now_ns: int
    block_height: int | Unknown = NOT_LOADED
    synced_to_chain: bool | Unknown = NOT_LOADED
    feerates_sat_per_vb: Mapping[int, float | Unknown] = field(default_factory=dict)
    """On-chain fee rate by confirmation target in blocks."""
    lacks: Lacks = Lacks()
    """What the node cannot set per channel."""
    positive_inbound_fees: bool = False
    """The node accepts inbound fees above zero (LND: accept-positive-inbound-fees)."""
    min_time_lock_delta: int = 18
    """The smallest delta the node accepts (LND: 18, from 0.21 on 24)."""

    def feerate(self, conf_target: int) -> float | Unknown:
        return self.feerates_sat_per_vb.get(conf_target, NOT_LOADED)


def balances_msat(state: ChannelState) -> tuple[int, int]:
    """Return (local, remote) with what is in flight and the opener's commitment fee, as charge-lnd counts."""
    local = state.local_msat + sum(p.amount_msat for p in state.pending if not p.incoming)
    remote = state.remote_msat + sum(p.amount_msat for p in state.pending if p.incoming)
    commit_msat = state.commit_fee_sat * 1000
    return (local + commit_msat, remote) if state.initiator else (local, remote + commit_msat)


def age_in_blocks(scids: tuple[int, ...], tip: int) -> int | Unknown:
    """Return blocks since the funding confirmed, from the first scid that is no alias."""
    for scid in scids:
        block = scid_block(scid)
        if block is not None:
            return tip - block
    return Unknown("age not known: the channel has only alias ids")
