"""Rows of the printed table, and timing in interleaved rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement: `value` against `bar`; which side is good is said by `at_least`."""

    name: str
    value: float
    bar: float | None
    at_least: bool = True
    unit: str = "x"
    figures: str

    @property
    def holds(self) -> bool | None:
        if self.bar is None:
            return None
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def line(self) -> str:
        if self.bar is None:
            bar, verdict = "", ""
        else:
            bar = f"{'>=' if self.at_least else '<='} {self.bar:g} {self.unit}"
            verdict = "ok" if self.holds else "MISSED"
        return f"{self.name:<58} {self.value:>9.3g} {self.unit:<4} {bar:<14} {verdict:<7} {self.figures}"


HEAD = f"{'what':<58} {'measured':>14} {'bar':<14} {'':<7} absolute figures: best (median) of the rounds"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the clock, and of processor time of this process."""

    wall_s: float
    cpu_s: float


def spent_by(work: Callable[[], object]) -> Spent:
    """Return what a piece of work takes."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - began, time.process_time() - cpu)


def interleaved(cases: Mapping[str, Callable[[], Spent]], rounds: int) -> dict[str, list[Spent]]:
    """Measure all cases in turn, round after round, so that a busy machine hits all of them alike."""
    results: dict[str, list[Spent]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            results[name].append(case())
    return results


def ratios(one: list[Spent], other: list[Spent]) -> tuple[float, float]:
    """Return how much faster `one` is than `other`, by the clock and by processor time: median of the rounds."""
    wall = statistics.median(b.wall_s / a.wall_s for a, b in zip(one, other, strict=True))
    cpu = statistics.median(b.cpu_s / a.cpu_s for a, b in zip(one, other, strict=True))
    return wall, cpu


def rate(spent: list[Spent], count: int) -> str:
    """Return best and median things per second."""
    best = count / min(s.wall_s for s in spent)
    median = count / statistics.median(s.wall_s for s in spent)
    return f"{best:,.0f} ({median:,.0f})/s"


def milliseconds(samples: list[Spent], times: int = 1) -> str:
    """Return best and median by the clock, of work that was done so many times in each sample."""
    walls = [s.wall_s * 1000 / times for s in samples]
    return f"{min(walls):.2f} ({statistics.median(walls):.2f}) ms by the clock"
