"""Measure everything of MISSION §5 that is a speed, and print one table.

    python -m benchmarks [--full] [--only stream|history|cln|answers] [--rounds N]

Small sizes take two to three minutes on two cores; `--full` measures 5 M and 20 M attempts and takes hours on a
busy machine.  Exit status 1 if a bar was missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import answers, cln_hydration, history, stream
from benchmarks.table import HEAD, Row

_PARTS = ["stream", "history", "cln", "answers"]
_SMALL, _LARGE, _HUGE = 500_000, 5_000_000, 20_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="5 M and 20 M attempts, 10 minutes of 500/s")
    parser.add_argument("--only", choices=_PARTS, action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--attempts", type=int, action="append", help="sizes of the store, instead of the usual ones")
    parser.add_argument("--scratch", type=Path, help="where files are made and removed again")
    options = parser.parse_args()
    only = options.only or _PARTS
    sizes = options.attempts or ([_LARGE, _HUGE] if options.full else [_SMALL])
    print(HEAD, flush=True)
    missed = 0
    with tempfile.TemporaryDirectory(prefix="lnflow-bench-", dir=options.scratch) as folder:
        scratch = Path(folder)
        if "stream" in only:
            steady_s = 600 if options.full else 20
            missed += _show(stream.measure(scratch, events=100_000, rounds=options.rounds, steady_s=steady_s))
        if "history" in only:
            lines = (1_000_000, 20_000_000) if options.full else (100_000, 400_000)
            missed += _show(history.measure(scratch, htlcs=60_000, rounds=options.rounds, memory_lines=lines))
        if "cln" in only:
            rows = 1_000_000 if options.full else 100_000
            missed += _show(cln_hydration.measure(scratch, rows=rows, rounds=options.rounds))
        if "answers" in only:
            for size in sizes:
                missed += _show(_answers(scratch, size))
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"noise: load average {load} on {os.cpu_count()} cores; trust ratios, and those only within one run")
    return 1 if missed else 0


def _answers(scratch: Path, htlcs: int) -> list[Row]:
    database = scratch / "answers.sqlite"
    took_s = answers.fill(database, htlcs)
    size = database.stat().st_size
    figures = f"{htlcs:,} attempts, {size / 1e6:,.0f} MB, {size / htlcs:.0f} B each"
    rows = [Row(name="store filled, upkeep included", value=htlcs / took_s, bar=None, unit="/s", figures=figures)]
    rows += answers.measure(database, htlcs=htlcs, factor=2.0 if htlcs > _LARGE else 1.0)
    for file in scratch.glob("answers.sqlite*"):
        file.unlink()
    return rows


def _show(rows: list[Row]) -> int:
    for row in rows:
        print(row.line(), flush=True)
    return sum(row.holds is False for row in rows)


if __name__ == "__main__":
    sys.exit(main())
