"""Worlds that the estimator of missed revenue is judged by, and that its author does not look at.

Their names and seeds are fixed.  Habits of payers are not chosen but drawn, world by world, from much wider
ranges than those of the development worlds; sizes, probes, uptime, repricing and coverage differ by design.
Do not tune anything to them: when one of them has been looked into, it belongs to `development`.
"""

from __future__ import annotations

from math import exp, log

import numpy as np

from lnflow.simulation.world.development import NamedWorld
from lnflow.simulation.world.grow import Character, Habits, Range, grow

_WORLDS: tuple[tuple[Character, int], ...] = (
    (
        Character(
            name="backwater",
            hours=504.0,
            sources=2,
            sinks=3,
            mixed=1,
            payments_per_day=160.0,
            kinds=(4.0, 3.0, 1.0, 0.3),
            probers=1,
            parallel=0.0,
            repricings=1,
        ),
        9001,
    ),
    (
        Character(
            name="motorway",
            hours=72.0,
            sources=8,
            sinks=18,
            mixed=6,
            payments_per_day=6_000.0,
            kinds=(4.0, 4.0, 2.0, 1.0),
            parallel=0.6,
            second_way=0.2,
            dry=0.25,
            probers=6,
            repricings=6,
        ),
        9002,
    ),
    (
        Character(
            name="harbour",
            hours=240.0,
            sources=4,
            sinks=6,
            mixed=1,
            payments_per_day=550.0,
            kinds=(0.5, 1.0, 4.0, 4.0),
            turnover_per_day=(0.6, 2.5),
            dry=0.5,
            probers=3,
            whales=2,
            pools=0.3,
        ),
        9003,
    ),
    (
        Character(
            name="lighthouse",
            hours=168.0,
            sources=4,
            sinks=7,
            mixed=3,
            payments_per_day=1_100.0,
            flaky=0.4,
            long_absences=4,
            dry=0.2,
            gaps_h=((4.0, 19.0), (60.0, 61.0), (120.0, 138.0)),
        ),
        9004,
    ),
    (
        Character(
            name="night-market",
            hours=168.0,
            sources=5,
            sinks=8,
            mixed=0,
            payments_per_day=2_200.0,
            kinds=(6.0, 2.0, 0.5, 0.2),
            repricings=20,
            raise_by=(1.1, 2.5),
            fee_ppm=(100.0, 2_500.0),
            size_limits=2,
            slots=40,
        ),
        9005,
    ),
    (
        Character(
            name="fog",
            hours=240.0,
            sources=3,
            sinks=6,
            mixed=2,
            payments_per_day=900.0,
            probers=2,
            dry=0.35,
            gaps_h=((10.0, 70.0), (90.0, 170.0), (200.0, 228.0)),
        ),
        9006,
    ),
    (
        Character(
            name="besieged",
            hours=120.0,
            sources=4,
            sinks=7,
            mixed=1,
            payments_per_day=900.0,
            kinds=(3.0, 3.0, 2.0, 2.0),
            probers=14,
            probe_sessions_per_day=(8.0, 40.0),
            whales=4,
            long_absences=0,
            size_limits=0,
        ),
        9007,
    ),
    (
        Character(
            name="delta",
            hours=168.0,
            sources=6,
            sinks=4,
            mixed=8,
            payments_per_day=1_800.0,
            second_way=0.35,
            parallel=0.5,
            dry=0.4,
            pools=0.25,
            turnover_per_day=(0.2, 0.8),
        ),
        9008,
    ),
)


def held_out_worlds() -> list[NamedWorld]:
    """Return the eight worlds; each call grows them anew, to the same result."""
    return [NamedWorld(grow(_with_drawn_habits(character, seed), seed), seed) for character, seed in _WORLDS]


def _with_drawn_habits(character: Character, seed: int) -> Character:
    rng = np.random.default_rng([seed, 77])

    def linear(low: float, high: float) -> Range:
        a, b = sorted(rng.uniform(low, high, size=2).tolist())
        return (a, b)

    def scaled(low: float, high: float) -> Range:
        a, b = linear(log(low), log(high))
        return (exp(a), exp(b))

    habits = Habits(
        payers_per_daily_payment=scaled(0.1, 5.0),
        rhythm=linear(0.0, 0.9),
        burstiness=linear(0.05, 1.0),
        detour=linear(0.1, 0.9),
        returns=tuple(int(n) for n in rng.integers(0, 5, size=4)),
        return_minutes=scaled(2.0, 90.0),
        mpp=float(rng.uniform(0.1, 1.0)),
        presplit=float(rng.uniform(0.0, 0.4)),
        memory_minutes=scaled(2.0, 180.0),
        probes_first=linear(0.0, 0.3),
        reach=scaled(1.5, 25.0),
        reach_sigma=linear(0.6, 1.6),
        dead_share=linear(0.0, 0.25),
        exhausted_share=linear(0.0, 0.2),
        gossip_minutes=scaled(3.0, 200.0),
        fee_retry=linear(0.3, 1.0),
        heeds_disabled=linear(0.0, 0.7),
        heeds_max_htlc=linear(0.0, 0.4),
    )
    return Character(**{**{name: getattr(character, name) for name in Character.__struct_fields__}, "habits": habits})
