"""How far the estimate of missed revenue is from the truth, in worlds where the truth is known.

    python -m benchmarks.judge [--worlds development|held-out] [--lucks N] [--small]

Each world is recorded, stored by the real joiner and writer and analysed as `lnflow analyze --all` does.  The
truth is what the same payers would have paid with one cause out of the way, the mean over several lucks; the
first time it takes minutes, then it is remembered.  Beside ours stand the naive sum of refused fees and a plain
estimate; the oracle is the same world with other luck, the ceiling for the order of peers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from msgspec import Struct

from benchmarks.missed_revenue.figures import Figures, Key, Range, judge, material, oracle_rank
from benchmarks.missed_revenue.pipeline import store_recording
from benchmarks.missed_revenue.simple import attempts, naive, plain
from benchmarks.missed_revenue.truths import truth_of
from lnflow.advice.analyzing import Selection
from lnflow.analysis.facts import Window
from lnflow.domain.causes import Problem
from lnflow.service.opportunities import OpportunityService
from lnflow.simulation.world import record
from lnflow.simulation.world.development import NamedWorld, development_worlds
from lnflow.simulation.world.truth import average

MOST_MEDIAN, MOST_WORST, MOST_BEHIND = 0.15, 0.50, 0.15
INSIDE = (0.75, 0.95)
# What was refused for a stale price would pass with the price lifted, too: the truth has one figure for both.
_LIFTED_AS = {
    "liquidity": Problem.LIQUIDITY,
    "offline": Problem.OFFLINE,
    "size": Problem.SIZE,
    "fee": Problem.FEE,
    "stale_fee": Problem.FEE,
}


class Verdict(Struct, frozen=True, kw_only=True):
    """One world: our figures and those of the others."""

    world: str
    truth_msat: float
    ours: Figures
    plain: Figures
    naive: Figures
    oracle: float | None
    lines: list[str]


def judge_world(world: NamedWorld, lucks: int) -> Verdict:
    """Record, store, analyse and compare one world."""
    truths = [truth_of(world, luck) for luck in range(lucks)]
    truth = average(truths)
    recording = record(world.spec, world.seed)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "world.sqlite"
        store_recording(recording, path)
        window = Window(since_ns=recording.since_ns, until_ns=recording.until_ns)
        estimate, ranges = said_by_lnflow(path, window)
        rows = attempts(path)
    alias = recording.aliases
    lines = [
        f"    {alias.get(key[0], key[0][:8]):>12} {key[1].text:<9} truth {truth[key].covered_msat / 1000:>9,.0f}"
        f" ± {truth[key].covered_error_msat / 1000:<7,.0f} ours {ranges[key].low / 1000:>9,.0f}"
        f" {ranges[key].expected / 1000:>9,.0f} {ranges[key].high / 1000:>9,.0f} sat"
        for key in sorted(material(truth), key=lambda k: -truth[k].covered_msat)
    ]
    return Verdict(
        world=world.spec.name,
        truth_msat=sum(t.covered_msat for t in truth.values()),
        ours=judge(truth, estimate, ranges),
        plain=judge(truth, plain(rows)),
        naive=judge(truth, naive(rows)),
        oracle=oracle_rank(truths, material(truth)),
        lines=lines,
    )


def said_by_lnflow(path: Path, window: Window) -> tuple[dict[Key, float], dict[Key, Range]]:
    """Return what `analyze` says is missed, in msat by peer and cause; findings without a known truth count too."""
    with OpportunityService.open(path) as service:
        document = service.analyze(window, Selection(min_failures=0, min_missed_sat=0))
    ranges: dict[Key, Range] = defaultdict(lambda: Range(0.0, 0.0, 0.0))
    for o in document.opportunities:
        key = (o.peer_pubkey or "", _LIFTED_AS.get(o.cause, Problem.OTHER))
        sofar = ranges[key]
        ranges[key] = Range(sofar.expected + o.expected_missed_msat, sofar.low + o.low_msat, sofar.high + o.high_msat)
    return {key: r.expected for key, r in ranges.items()}, ranges


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", choices=("development", "held-out"), default="development")
    parser.add_argument("--lucks", type=int, default=4, help="how often the truth is drawn (default 4)")
    parser.add_argument("--small", action="store_true", help="only the three worlds with the fewest payments")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--peers", action="store_true", help="also print every peer that matters")
    options = parser.parse_args()
    worlds = chosen_worlds(options.worlds)
    if options.small:
        worlds = sorted(worlds, key=lambda w: sum(p.per_day for p in w.spec.populations) * w.spec.hours)[:3]
    with ProcessPoolExecutor(options.processes) as pool:
        verdicts = list(pool.map(judge_world, worlds, [options.lucks] * len(worlds)))
    print_table(verdicts, peers=options.peers)
    return 0 if passes(verdicts) else 1


def chosen_worlds(which: str) -> list[NamedWorld]:
    if which == "held-out":
        from lnflow.simulation.world.held_out import held_out_worlds  # nobody who develops needs it loaded

        return held_out_worlds()
    return development_worlds()


def print_table(verdicts: list[Verdict], *, peers: bool) -> None:
    print(f"{'world':<26}{'truth sat':>11}  {'total ÷ truth':^24}  {'order of peers':^32}  ranges")
    print(
        f"{'':<26}{'':>11}  {'ours':>7} {'plain':>7} {'naive':>8}  {'ours':>7} {'plain':>7} {'naive':>7} {'oracle':>8}"
    )
    for v in verdicts:
        print(
            f"{v.world:<26}{v.truth_msat / 1000:>11,.0f}  {v.ours.ratio:>7.2f} {v.plain.ratio:>7.2f}"
            f" {v.naive.ratio:>8.2f}  {_rank(v.ours.rank):>7} {_rank(v.plain.rank):>7} {_rank(v.naive.rank):>7}"
            f" {_rank(v.oracle):>8}  {v.ours.inside} of {v.ours.ranges}"
        )
        if peers:
            print("\n".join(v.lines))
    for name in ("ours", "plain", "naive"):
        median, worst, behind = summary(verdicts, name)
        print(
            f"{name}: |total ÷ truth − 1| median {median:.0%}, worst {worst:.0%}; order behind the oracle {behind:.2f}"
        )
    inside, ranges = sum(v.ours.inside for v in verdicts), sum(v.ours.ranges for v in verdicts)
    print(f"ours: the 80 % ranges hold {inside} of {ranges} ({inside / max(1, ranges):.0%})")
    print(f"bars: median ≤ {MOST_MEDIAN:.0%}, worst ≤ {MOST_WORST:.0%}, behind ≤ {MOST_BEHIND}, ranges 75–95 %")


def summary(verdicts: list[Verdict], name: str) -> tuple[float, float, float]:
    """Return median and worst error of the totals, and the mean distance to the oracle's order."""
    figures: list[Figures] = [getattr(v, name) for v in verdicts]
    errors = [abs(f.ratio - 1) for f in figures]
    behind = [
        v.oracle - f.rank for v, f in zip(verdicts, figures, strict=True) if v.oracle is not None and f.rank is not None
    ]
    return statistics.median(errors), max(errors), statistics.mean(behind) if behind else 0.0


def passes(verdicts: list[Verdict]) -> bool:
    """Whether the bars of the mission are reached."""
    median, worst, behind = summary(verdicts, "ours")
    inside = sum(v.ours.inside for v in verdicts) / max(1, sum(v.ours.ranges for v in verdicts))
    return median <= MOST_MEDIAN and worst <= MOST_WORST and behind <= MOST_BEHIND and INSIDE[0] <= inside <= INSIDE[1]


def _rank(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
