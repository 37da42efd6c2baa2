"""Who wants to pay what, and when: drawn before the run, so that nothing our node does can change it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lnflow.domain.time import HOUR_NS
from lnflow.simulation.world.spec import MSAT_PER_SAT, Amounts, PeerSpec, Population, WorldSpec


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Payments in time order, column by column; a payment's number is its place."""

    at_ns: list[int]
    population: list[int]
    payer: list[int]
    amount_msat: list[int]


def draw_arrivals(spec: WorldSpec, seed: int) -> Arrivals:
    """Draw all payments of warm-up and window; times are relative to the start of the window."""
    columns = [_population_arrivals(spec, i, p, seed) for i, p in enumerate(spec.populations)]
    at = np.concatenate([c[0] for c in columns])
    order = np.argsort(at, kind="stable")
    return Arrivals(
        at_ns=at[order].tolist(),
        population=np.repeat(np.arange(len(columns)), [len(c[0]) for c in columns])[order].tolist(),
        payer=np.concatenate([c[1] for c in columns])[order].tolist(),
        amount_msat=np.concatenate([c[2] for c in columns])[order].tolist(),
    )


def draw_absences_ns(spec: WorldSpec, seed: int) -> list[list[tuple[int, int]]]:
    """Return per peer the intervals without connection, the flaps among them, merged and in order."""
    return [_absences(spec, i, peer, seed) for i, peer in enumerate(spec.peers)]


def _population_arrivals(
    spec: WorldSpec, index: int, population: Population, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng([seed, 1, index])
    hours = np.arange(-int(np.ceil(spec.warmup_hours)), int(np.ceil(spec.hours)))
    daily = 1 + population.rhythm * np.cos((hours - population.peak_h) * (2 * np.pi / 24))
    rate = population.per_day / 24 * daily
    if population.burstiness > 0:
        shape = 1 / population.burstiness
        rate = rate * rng.gamma(shape, 1 / shape, size=len(hours))
    counts = rng.poisson(rate)
    at_h = np.repeat(hours, counts) + rng.random(int(counts.sum()))
    at_h = at_h[(at_h >= -spec.warmup_hours) & (at_h < spec.hours)]
    # payers differ in zeal: squaring a uniform makes the first quarter of them half of the payments
    payer = (rng.random(len(at_h)) ** 2 * population.payers).astype(np.int64)
    amount = _amounts_msat(rng, population.amounts, len(at_h))
    return (at_h * HOUR_NS).astype(np.int64), payer, amount


def _amounts_msat(rng: Generator, kinds: tuple[Amounts, ...], count: int) -> NDArray[np.int64]:
    weights = np.array([kind.weight for kind in kinds])
    which = np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random(count), side="right")
    which = np.minimum(which, len(kinds) - 1)
    median = np.array([float(kind.median_sat) for kind in kinds])[which]
    sigma = np.array([kind.sigma for kind in kinds])[which]
    step = np.array([kind.round_to_sat for kind in kinds])[which]
    sat = np.exp(sigma * rng.standard_normal(count)) * median
    rounded: NDArray[np.int64] = (np.maximum(np.rint(sat / step), 1) * step).astype(np.int64)
    return rounded * MSAT_PER_SAT


def _absences(spec: WorldSpec, index: int, peer: PeerSpec, seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng([seed, 2, index])
    flaps = rng.poisson(peer.flaps_per_day / 24 * (spec.hours + spec.warmup_hours))
    starts = rng.random(flaps) * (spec.hours + spec.warmup_hours) - spec.warmup_hours
    lengths = rng.exponential(peer.flap_minutes / 60, size=flaps)
    wanted = [*peer.offline_h, *zip(starts.tolist(), (starts + lengths).tolist(), strict=True)]
    merged: list[tuple[int, int]] = []
    for start_h, end_h in sorted(wanted):
        start, end = int(start_h * HOUR_NS), int(end_h * HOUR_NS)
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
