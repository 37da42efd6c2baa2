"""Worlds small enough to check by hand: two peers, one price, payers without surprises."""

from __future__ import annotations

from typing import Any

from lnflow.simulation.world.spec import Amounts, ChannelSpec, PeerSpec, Population, WorldSpec

SOURCE, SINK, OTHER = 0, 1, 2
FEE_PPM = 1_000
AMOUNT_SAT = 100_000


def plain_population(**changes: Any) -> Population:
    """Payers of 100,000 sat who always get through behind us, never split, never go around, never return."""
    settings: dict[str, Any] = {
        "in_peer": SOURCE,
        "out_peers": (SINK,),
        "per_day": 48.0,
        "amounts": (Amounts(median_sat=AMOUNT_SAT),),
        "payers": 1_000,
        "rhythm": 0.0,
        "burstiness": 0.0,
        "detour": 0.0,
        "mpp": False,
        "memory_minutes": 0.0,
        "reach_sat": 1_000_000_000,
        "reach_sigma": 0.0,
        "dead_share": 0.0,
        "other_paths": 0,
        "fee_limit_ppm": 1_000_000,
        "heeds_disabled": 0.0,
        "stuck_share": 0.0,
    }
    return Population(**(settings | changes))


def tiny_world(
    *, sink: PeerSpec | None = None, populations: tuple[Population, ...] | None = None, **changes: Any
) -> WorldSpec:
    """A day: the source's inbound is never short, the sink's outbound is as `sink` says (default ample)."""
    settings: dict[str, Any] = {"name": "tiny", "hours": 24.0, "warmup_hours": 0.0, "strays_per_day": 0.0}
    peers = (
        PeerSpec(
            alias="source",
            channels=(ChannelSpec(capacity_sat=1_000_000_000, local_share=0.2),),
            fee_ppm=FEE_PPM,
        ),
        sink or sink_peer(local_share=0.9),
        PeerSpec(alias="other", channels=(ChannelSpec(capacity_sat=100_000_000),), fee_ppm=FEE_PPM),
    )
    populations = (plain_population(),) if populations is None else populations
    return WorldSpec(peers=peers, populations=populations, **(settings | changes))


def sink_peer(*, local_share: float, capacity_sat: int = 1_000_000_000, **changes: Any) -> PeerSpec:
    channels = (ChannelSpec(capacity_sat=capacity_sat, local_share=local_share),)
    settings: dict[str, Any] = {"alias": "sink", "channels": channels, "fee_ppm": FEE_PPM}
    return PeerSpec(**(settings | changes))
