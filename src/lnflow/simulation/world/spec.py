"""What a world is made of: peers and channels of our node, payers, probers, the operator's own moves.

Hours count from the start of the watched window; hours of the warm-up before it are negative.  A peer is
named by its place in `WorldSpec.peers`.
"""

from __future__ import annotations

from msgspec import Struct

from lnflow.domain.fees import PPM

MSAT_PER_SAT = 1000
ANCHORS_SAT = 660  # two anchor outputs of 330 sat, paid by the opener
COMMIT_FEE_SAT = 2_810  # an anchor commitment without HTLCs, 1,124 weight units at 2.5 sat/wu


class ChannelSpec(Struct, frozen=True, kw_only=True):
    """One channel of ours: `local_share` of what can be spent is ours at the start of the warm-up."""

    capacity_sat: int
    local_share: float = 0.5
    initiator: bool = True
    slots: int = 483
    """HTLCs that we may have in flight towards the peer at once."""


class PeerSpec(Struct, frozen=True, kw_only=True):
    """A peer with its channels, our price for what leaves by them, and how well it is connected."""

    alias: str
    channels: tuple[ChannelSpec, ...]
    base_fee_msat: int = 0
    fee_ppm: int = 200
    inbound_base_fee_msat: int = 0
    inbound_fee_ppm: int = 0
    min_htlc_msat: int = 1_000
    max_htlc_sat: int | None = None
    """None: 99 % of each channel's capacity, as LND does."""
    offline_h: tuple[tuple[float, float], ...] = ()
    flaps_per_day: float = 0.0
    flap_minutes: float = 10.0
    pool_sat: int | None = None
    """What can be pushed through the peer before everything behind it is exhausted; None: no limit."""
    pool_refill_sat_per_h: int = 0


class PolicyChange(Struct, frozen=True, kw_only=True):
    """At `at_h` we announce another policy for all channels of `peer`; None leaves a value as it was."""

    at_h: float
    peer: int
    base_fee_msat: int | None = None
    fee_ppm: int | None = None
    inbound_fee_ppm: int | None = None
    max_htlc_sat: int | None = None


class Amounts(Struct, frozen=True, kw_only=True):
    """One kind in a mix of payments: log-normal about the median; `sigma` 0 is a fixed price."""

    median_sat: int
    sigma: float = 0.0
    weight: float = 1.0
    round_to_sat: int = 1


class Population(Struct, frozen=True, kw_only=True):
    """Payers alike, who reach us by `in_peer` and want something behind one of `out_peers`, best first."""

    in_peer: int
    out_peers: tuple[int, ...]
    per_day: float
    amounts: tuple[Amounts, ...]
    payers: int = 50
    rhythm: float = 0.5
    """0: the same at all hours; 1: nothing at the quietest hour."""
    peak_h: float = 18.0
    burstiness: float = 0.3
    """Variance of the hourly rate about the rhythm, relative to its square."""

    detour: float = 0.5
    """Chance that a payer whom we refuse finds a way around us."""
    detour_limit_sat: int = 2_000_000
    returns: int = 0
    """How often a payer who got nothing through comes back with the whole payment."""
    return_minutes: float = 20.0
    mpp: bool = True
    presplit_sat: int | None = None
    """Cut payments into parts of at most this at once, as CLN's `pay` did; None: only when nothing fits."""
    memory_minutes: float = 60.0
    """How long a payer avoids a pair that refused an amount (mission control); 0: no memory."""
    probes_first: float = 0.0
    """Share of payments preceded by a probe of the same amount with an unknown hash."""

    reach_sat: int = 3_000_000
    """Median of the largest amount that the way behind us carries."""
    reach_sigma: float = 1.2
    dead_share: float = 0.08
    """Share of payments whose receiver cannot be reached at all."""
    other_paths: int = 1
    """Further ways behind the same peer, tried after a downstream failure."""
    exhausted_share: float = 0.0
    """Share of three-hour spells in which the way behind us carries a twentieth."""

    fee_limit_ppm: int = 3_000
    fee_retry: float = 0.85
    """Chance that a payer tries again at our price after FEE_INSUFFICIENT."""
    gossip_minutes: float = 10.0
    """Median time until a payer hears of a policy change."""
    heeds_max_htlc: float = 1.0
    heeds_inbound: float = 0.7
    """Share of payers who know inbound fees (and use the discounts)."""
    heeds_disabled: float = 0.5
    """Share of payers who hear of it when a peer has been away for 20 minutes, and keep away."""
    hold_s: float = 3.0
    stuck_share: float = 0.002
    """Share of HTLCs held for minutes to hours."""


class Prober(Struct, frozen=True, kw_only=True):
    """Finds out our balance towards `out_peer` by bisection with unknown hashes."""

    in_peer: int
    out_peer: int
    sessions_per_day: float
    steps: int = 12
    top_sat: int | None = None
    """None: the capacity of the channel."""


class OwnMove(Struct, frozen=True, kw_only=True):
    """A payment of our own, at fixed hours: circular if both peers are named, else sent or received.

    It is made only if the share of our balance with `from_peer` is above `when_above` and that with
    `to_peer` below `when_below`.
    """

    every_h: float
    amount_sat: int
    first_h: float = 0.0
    from_peer: int | None = None
    to_peer: int | None = None
    when_above: float = 0.0
    when_below: float = 1.0
    fee_ppm: int = 300


class WorldSpec(Struct, frozen=True, kw_only=True):
    """A whole world.  The same spec, seed and luck give the same recording, to the last event."""

    name: str
    hours: float
    warmup_hours: float = 12.0
    peers: tuple[PeerSpec, ...]
    populations: tuple[Population, ...]
    probers: tuple[Prober, ...] = ()
    moves: tuple[OwnMove, ...] = ()
    policy_changes: tuple[PolicyChange, ...] = ()
    gaps_h: tuple[tuple[float, float], ...] = ()
    """When nobody listened to the node's events."""
    strays_per_day: float = 10.0
    """Refusals that have nothing to do with demand: undecodable onions, invented SCIDs, dust, circles."""
    snapshot_minutes: int = 30


def spendable_sat(channel: ChannelSpec) -> int:
    """Return what the two sides of a channel share: its capacity less the opener's commitment costs."""
    return channel.capacity_sat - COMMIT_FEE_SAT - ANCHORS_SAT


def default_max_htlc_msat(capacity_sat: int) -> int:
    """Return LND's default for the largest HTLC: the capacity less a reserve of one per cent."""
    return capacity_sat * MSAT_PER_SAT * (PPM - 10_000) // PPM
