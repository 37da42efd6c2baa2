"""Grow a world from its character: sizes, habits and faults as ranges, everything else drawn.

Peers are sources (payments come in by them), sinks (payments want to leave by them) or both.  A sink is as
large as its demand over a day or two; the operator refills most sinks about as fast as they drain, and a
share of them far too slowly, so that some run dry for hours and some are always dry.
"""

from __future__ import annotations

from math import exp

import numpy as np
from msgspec import Struct
from numpy.random import Generator

from lnflow.simulation.world.spec import (
    Amounts,
    ChannelSpec,
    OwnMove,
    PeerSpec,
    PolicyChange,
    Population,
    Prober,
    WorldSpec,
)

Range = tuple[float, float]
_KINDS: tuple[tuple[Amounts, ...], ...] = (
    (Amounts(median_sat=15_000, sigma=1.0), Amounts(median_sat=21_000, weight=0.3)),
    (Amounts(median_sat=60_000, sigma=1.1),),
    (Amounts(median_sat=250_000, sigma=0.9), Amounts(median_sat=500_000, weight=0.15)),
    (Amounts(median_sat=1_000_000, sigma=0.4, round_to_sat=50_000),),
)
_OFTEN = (6.0, 3.0, 1.0, 0.4)  # payments per population, relative, by kind


class Habits(Struct, frozen=True, kw_only=True):
    """Ranges from which each population draws its own; those of positive scale are drawn log-uniformly."""

    payers_per_daily_payment: Range = (0.5, 3.0)
    rhythm: Range = (0.2, 0.8)
    burstiness: Range = (0.1, 0.6)
    detour: Range = (0.3, 0.7)
    returns: tuple[int, ...] = (0, 0, 1, 2)
    return_minutes: Range = (5.0, 40.0)
    mpp: float = 0.7
    presplit: float = 0.1
    memory_minutes: Range = (10.0, 90.0)
    probes_first: Range = (0.0, 0.05)
    reach: Range = (4.0, 15.0)
    """Median of what the way behind us carries, in payments of mean size."""
    reach_sigma: Range = (0.8, 1.4)
    dead_share: Range = (0.03, 0.12)
    exhausted_share: Range = (0.0, 0.1)
    gossip_minutes: Range = (5.0, 30.0)
    fee_retry: Range = (0.7, 0.95)
    heeds_disabled: Range = (0.1, 0.5)
    heeds_max_htlc: Range = (0.0, 0.3)


class Character(Struct, frozen=True, kw_only=True):
    """What makes a world this one and no other."""

    name: str
    hours: float
    sources: int
    sinks: int
    mixed: int
    payments_per_day: float
    kinds: tuple[float, float, float, float] = (4.0, 3.0, 2.0, 1.0)
    """How many populations make small, shopping, exchange and rebalancing payments, relative."""
    turnover_per_day: Range = (0.3, 1.5)
    """A sink's demand per day as a share of its capacity."""
    dry: float = 0.3
    """Share of sinks that are refilled far too slowly."""
    parallel: float = 0.3
    second_way: float = 0.1
    """Share of populations that another sink of ours serves as well."""
    fee_ppm: Range = (150.0, 1_200.0)
    flaky: float = 0.1
    """Share of sinks with many short absences."""
    long_absences: int = 1
    size_limits: int = 1
    repricings: int = 2
    raise_by: Range = (1.2, 2.0)
    probers: int = 2
    probe_sessions_per_day: Range = (1.0, 6.0)
    whales: int = 0
    pools: float = 0.1
    """Share of sinks behind which liquidity is used up by what is sent there and comes back slowly."""
    slots: int = 483
    gaps_h: tuple[tuple[float, float], ...] = ()
    habits: Habits = Habits()


def grow(character: Character, seed: int) -> WorldSpec:
    """Return the world of this character; `seed` decides all that the character leaves open."""
    return _Growth(character, np.random.default_rng([seed, 99])).world()


class _Growth:
    def __init__(self, character: Character, rng: Generator) -> None:
        self.character = character
        self.rng = rng
        c = character
        self.sources = list(range(c.sources))
        self.sinks = list(range(c.sources, c.sources + c.sinks + c.mixed))
        self.mixed = self.sinks[c.sinks :]
        self.inflow: dict[int, float] = dict.fromkeys(range(c.sources + c.sinks + c.mixed), 0.0)
        self.outflow = dict(self.inflow)
        self.largest_sat = dict(self.inflow)
        """Mean payment of the kind with the largest payments, by sink."""
        self.main_source: dict[int, int] = {}

    def world(self) -> WorldSpec:
        c = self.character
        populations = self._populations()
        capacity = {i: self._capacity_sat(i) for i in self.inflow}
        absences = self._absences()
        limited = self._pick(self.sinks, c.size_limits)
        peers = tuple(self._peer(i, capacity[i], absences.get(i, ()), limited=i in limited) for i in self.inflow)
        return WorldSpec(
            name=c.name,
            hours=c.hours,
            warmup_hours=24.0,
            peers=peers,
            populations=(*populations, *self._whales(capacity)),
            probers=self._probers(),
            moves=self._moves(capacity),
            policy_changes=self._policy_changes(peers),
            gaps_h=c.gaps_h,
            strays_per_day=c.payments_per_day / 50,
        )

    def _populations(self) -> tuple[Population, ...]:
        weights, drafts = [], []
        for sink in self.sinks:
            for _ in range(1 + int(self.rng.integers(3))):
                kind = int(self.rng.choice(4, p=np.array(self.character.kinds) / sum(self.character.kinds)))
                drafts.append((self._choose(self.sources), sink, kind))
                weights.append(_OFTEN[kind] * exp(0.6 * self.rng.standard_normal()))
        populations = []
        for (source, sink, kind), weight in zip(drafts, weights, strict=True):
            per_day = self.character.payments_per_day * weight / sum(weights)
            populations.append(self._population(source, sink, kind, per_day))
            if sink in self.mixed:
                back = self.rng.uniform(0.6, 1.1)
                populations.append(self._population(sink, source, kind, per_day * back))
        return tuple(populations)

    def _population(self, source: int, sink: int, kind: int, per_day: float) -> Population:
        h = self.character.habits
        mean_sat = _mean_sat(_KINDS[kind])
        self.inflow[source] += per_day * mean_sat
        self.outflow[sink] += per_day * mean_sat
        self.largest_sat[sink] = max(self.largest_sat[sink], mean_sat)
        self.main_source.setdefault(sink, source)
        out_peers = [sink]
        if self.rng.random() < self.character.second_way:
            out_peers += [other for other in self._pick(self.sinks, 1) if other not in (sink, source)]
        return Population(
            in_peer=source,
            out_peers=tuple(out_peers),
            per_day=per_day,
            amounts=_KINDS[kind],
            payers=max(1, round(per_day * self._scale(h.payers_per_daily_payment))),
            rhythm=self._between(h.rhythm),
            peak_h=self._between((10.0, 22.0)),
            burstiness=self._between(h.burstiness),
            detour=self._between(h.detour),
            detour_limit_sat=round(mean_sat * self._scale((2.0, 20.0))),
            returns=int(self.rng.choice(h.returns)),
            return_minutes=self._scale(h.return_minutes),
            mpp=bool(self.rng.random() < h.mpp),
            presplit_sat=round(mean_sat / 2) if self.rng.random() < h.presplit else None,
            memory_minutes=self._scale(h.memory_minutes),
            probes_first=self._between(h.probes_first),
            reach_sat=round(mean_sat * self._scale(h.reach)),
            reach_sigma=self._between(h.reach_sigma),
            dead_share=self._between(h.dead_share),
            exhausted_share=self._between(h.exhausted_share),
            gossip_minutes=self._scale(h.gossip_minutes),
            fee_retry=self._between(h.fee_retry),
            heeds_disabled=self._between(h.heeds_disabled),
            heeds_max_htlc=self._between(h.heeds_max_htlc),
        )

    def _capacity_sat(self, peer: int) -> int:
        if peer in self.sources:
            return round(max(4e6, 1.5 * self.inflow[peer]))
        return round(max(2e6, self.outflow[peer] / self._scale(self.character.turnover_per_day)))

    def _peer(
        self, index: int, capacity_sat: int, absences: tuple[tuple[float, float], ...], *, limited: bool
    ) -> PeerSpec:
        source = index in self.sources
        count = 1 + int(self.rng.random() < self.character.parallel) * (1 + int(self.rng.integers(2)))
        shares = self.rng.dirichlet([4.0] * count)
        local = self._between((0.2, 0.5) if source else (0.2, 0.8))
        channels = tuple(
            ChannelSpec(
                capacity_sat=max(1_000_000, round(capacity_sat * share / 10_000) * 10_000),
                local_share=local,
                initiator=bool(self.rng.random() < 0.6),
                slots=self.character.slots,
            )
            for share in shares.tolist()
        )
        flaky = not source and self.rng.random() < self.character.flaky
        discount = round(self._between((10.0, 60.0))) if source and self.rng.random() < 0.3 else 0
        pooled = not source and self.rng.random() < self.character.pools
        hourly = self.outflow[index] / 24
        return PeerSpec(
            alias=f"{'source' if source else 'sink'}-{index}",
            channels=channels,
            base_fee_msat=int(self.rng.choice([0, 0, 1_000])),
            fee_ppm=round(self._scale((20.0, 120.0) if source else self.character.fee_ppm)),
            inbound_fee_ppm=-discount,
            max_htlc_sat=round(self.largest_sat[index] * self._between((1.5, 4.0))) if limited else None,
            offline_h=absences,
            flaps_per_day=self._between((2.0, 6.0)) if flaky else 0.1,
            flap_minutes=self._between((8.0, 60.0)),
            pool_sat=round(hourly * self._between((6.0, 24.0))) if pooled else None,
            pool_refill_sat_per_h=round(hourly * self._between((0.8, 1.4))) if pooled else 0,
        )

    def _absences(self) -> dict[int, tuple[tuple[float, float], ...]]:
        hours = self.character.hours
        absences: dict[int, tuple[tuple[float, float], ...]] = {}
        for peer in self._pick(self.sinks, self.character.long_absences):
            length = hours * self._between((0.05, 0.3))
            start = self._between((0.0, hours - length))
            absences[peer] = ((start, start + length),)
        return absences

    def _moves(self, capacity: dict[int, int]) -> tuple[OwnMove, ...]:
        moves = []
        dry = self._pick(self.sinks, round(self.character.dry * len(self.sinks)))
        for sink in self.sinks:
            service = self._between((0.05, 0.6) if sink in dry else (0.9, 1.3))
            drain = max(0.0, self.outflow[sink] * 0.8 - self.inflow[sink])
            every_h = float(self.rng.choice([6.0, 8.0, 12.0, 24.0]))
            amount = round(min(service * drain * every_h / 24, 0.45 * capacity[sink]))
            if amount > 50_000:
                moves.append(
                    OwnMove(
                        every_h=every_h,
                        amount_sat=amount,
                        first_h=self._between((0.0, every_h)),
                        # half of the refills are circular, the others swaps that no channel of ours pays for
                        from_peer=self.main_source[sink] if self.rng.random() < 0.5 else None,
                        to_peer=sink,
                        when_above=0.2,
                        when_below=0.6,
                        fee_ppm=round(self._between((20.0, 300.0))),
                    )
                )
        for source in self.sources:
            swap = round(0.2 * capacity[source])
            first_h = self._between((0.0, 2.0))
            moves.append(OwnMove(every_h=2.0, amount_sat=swap, first_h=first_h, from_peer=source, when_above=0.65))
        return tuple(moves)

    def _policy_changes(self, peers: tuple[PeerSpec, ...]) -> tuple[PolicyChange, ...]:
        changes = []
        for _ in range(self.character.repricings):
            sink = self._choose(self.sinks)
            factor = self._scale(self.character.raise_by)
            if self.rng.random() < 0.25:
                factor = 1 / factor
            at_h = self._between((0.05, 0.9)) * self.character.hours
            changes.append(PolicyChange(at_h=at_h, peer=sink, fee_ppm=round(peers[sink].fee_ppm * factor)))
        return tuple(sorted(changes, key=lambda change: change.at_h))

    def _probers(self) -> tuple[Prober, ...]:
        return tuple(
            Prober(
                in_peer=self._choose(self.sources),
                out_peer=self._choose(self.sinks),
                sessions_per_day=self._scale(self.character.probe_sessions_per_day),
            )
            for _ in range(self.character.probers)
        )

    def _whales(self, capacity: dict[int, int]) -> tuple[Population, ...]:
        """Few payers, far too large amounts, many tries: nothing behind us ever carries them."""
        large = sorted(self.sinks, key=lambda sink: -capacity[sink])[: self.character.whales]
        return tuple(
            Population(
                in_peer=self._choose(self.sources),
                out_peers=(sink,),
                per_day=self._between((0.3, 1.5)),
                amounts=(Amounts(median_sat=round(capacity[sink] * 0.3)),),
                payers=1,
                detour=0.0,
                returns=7,
                mpp=False,
                memory_minutes=0.0,
                reach_sat=round(capacity[sink] * 0.01),
                reach_sigma=0.5,
                heeds_max_htlc=0.0,
            )
            for sink in large
        )

    def _pick(self, among: list[int], count: int) -> list[int]:
        chosen: list[int] = self.rng.permutation(among)[:count].tolist()
        return chosen

    def _choose(self, among: list[int]) -> int:
        return among[int(self.rng.integers(len(among)))]

    def _between(self, bounds: Range) -> float:
        return float(self.rng.uniform(*bounds))

    def _scale(self, bounds: Range) -> float:
        return float(exp(self.rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def _mean_sat(kinds: tuple[Amounts, ...]) -> float:
    total = sum(kind.weight for kind in kinds)
    return sum(kind.weight * kind.median_sat * exp(kind.sigma**2 / 2) for kind in kinds) / total
