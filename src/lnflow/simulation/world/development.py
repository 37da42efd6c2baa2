"""The worlds that the estimator of missed revenue may be developed against.

What it is judged by stands in `held_out`, which its author does not look at.
"""

from __future__ import annotations

from dataclasses import dataclass

from lnflow.simulation.world.demo_world import DEMO_SEED, demo_world
from lnflow.simulation.world.grow import Character, Habits, grow
from lnflow.simulation.world.spec import Amounts, ChannelSpec, OwnMove, PeerSpec, Population, WorldSpec


@dataclass(frozen=True, slots=True)
class NamedWorld:
    """A world and the seed of its payers."""

    spec: WorldSpec
    seed: int


_CHARACTERS: tuple[tuple[Character, int], ...] = (
    (
        Character(
            name="corner-shop",
            hours=336.0,
            sources=3,
            sinks=4,
            mixed=1,
            payments_per_day=400.0,
            kinds=(5.0, 3.0, 0.5, 0.0),
            probers=1,
        ),
        101,
    ),
    (
        Character(
            name="crossroads",
            hours=168.0,
            sources=5,
            sinks=9,
            mixed=4,
            payments_per_day=2_000.0,
            second_way=0.25,
            repricings=4,
            gaps_h=((30.0, 33.0), (90.0, 90.5)),
        ),
        102,
    ),
    (
        Character(
            name="exchange-row",
            hours=240.0,
            sources=3,
            sinks=6,
            mixed=0,
            payments_per_day=500.0,
            kinds=(1.0, 1.0, 4.0, 4.0),
            dry=0.5,
            probers=5,
            whales=2,
            habits=Habits(
                payers_per_daily_payment=(0.1, 0.5),
                returns=(1, 2, 4),
                memory_minutes=(3.0, 30.0),
                reach=(1.5, 6.0),
            ),
        ),
        103,
    ),
    (
        Character(
            name="bad-weather",
            hours=168.0,
            sources=4,
            sinks=8,
            mixed=2,
            payments_per_day=1_200.0,
            dry=0.15,
            flaky=0.5,
            long_absences=4,
            gaps_h=((20.0, 28.0), (75.0, 101.0)),
            habits=Habits(heeds_disabled=(0.0, 0.3)),
        ),
        104,
    ),
    (
        Character(
            name="tinkerer",
            hours=168.0,
            sources=4,
            sinks=7,
            mixed=1,
            payments_per_day=1_200.0,
            repricings=24,
            raise_by=(1.1, 3.0),
            size_limits=3,
            habits=Habits(gossip_minutes=(20.0, 600.0), fee_retry=(0.2, 0.8)),
        ),
        105,
    ),
)


def development_worlds() -> list[NamedWorld]:
    """Return the demo, five grown worlds unlike each other, and the two about very large amounts."""
    return [
        NamedWorld(demo_world(), DEMO_SEED),
        *(NamedWorld(grow(character, seed), seed) for character, seed in _CHARACTERS),
        NamedWorld(large_amounts_world(arrive=False), 106),
        NamedWorld(large_amounts_world(arrive=True), 107),
    ]


def large_amounts_world(*, arrive: bool) -> WorldSpec:
    """Return a node that is asked for 7.5 M sat now and then: in one world that never settles, in one it does.

    Without: three wishes in the first day by one payer, eight tries each, nothing above 1 M sat ever settles.
    With: many payers of such amounts, who do get through whenever the balance is there.
    """
    small = Population(
        in_peer=0,
        out_peers=(1,),
        per_day=120.0,
        amounts=(Amounts(median_sat=60_000, sigma=0.8),),
        payers=200,
        reach_sat=700_000,
        reach_sigma=0.4,
    )
    large = Population(
        in_peer=0,
        out_peers=(1,),
        per_day=30.0 if arrive else 0.45,
        amounts=(Amounts(median_sat=7_500_000, sigma=0.1 if arrive else 0.0),),
        payers=60 if arrive else 1,
        rhythm=0.0,
        burstiness=0.0,
        detour=0.3 if arrive else 0.0,
        returns=1 if arrive else 7,
        mpp=False,
        memory_minutes=30.0 if arrive else 0.0,
        reach_sat=40_000_000 if arrive else 300_000,
        reach_sigma=0.5,
    )
    refill = OwnMove(every_h=12.0, amount_sat=45_000_000, first_h=2.0, from_peer=0, to_peer=1, when_below=0.5)
    capacity_sat = 150_000_000 if arrive else 12_000_000
    return WorldSpec(
        name="large-that-settle" if arrive else "large-that-never-settle",
        hours=168.0,
        peers=(
            PeerSpec(
                alias="source",
                channels=(ChannelSpec(capacity_sat=1_000_000_000, local_share=0.4),) * 2,
                fee_ppm=50,
            ),
            PeerSpec(
                alias="sink",
                channels=(ChannelSpec(capacity_sat=capacity_sat, local_share=0.4),),
                fee_ppm=400,
            ),
            PeerSpec(alias="well-served", channels=(ChannelSpec(capacity_sat=60_000_000),), fee_ppm=200),
        ),
        populations=(
            small,
            large,
            Population(
                in_peer=0,
                out_peers=(2,),
                per_day=100.0,
                amounts=(Amounts(median_sat=20_000, sigma=1.0),),
            ),
            Population(
                in_peer=1,
                out_peers=(0,),
                per_day=110.0,
                amounts=(Amounts(median_sat=60_000, sigma=0.8),),
            ),
        ),
        moves=(refill,) if arrive else (),
    )
