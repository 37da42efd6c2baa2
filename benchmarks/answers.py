"""How long answers take over a large store: sums of windows, one channel, the opportunities, and starting up.

Latencies are judged by processor time: the data are in memory, so that on an idle core it is the time by the
clock, which is printed beside it and grows with whatever else the machine does.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.table import Row, Spent, milliseconds, spent_by
from benchmarks.traffic import DAY_NS, FIRST_NS, PER_DAY, Traffic, listing, prices, to_facts
from lnflow.advice.analyzing import Selection
from lnflow.analysis.facts import Window
from lnflow.domain.time import HOUR_NS
from lnflow.service.opportunities import OpportunityService
from lnflow.store.reading import LOG, StoreReader
from lnflow.store.writing import StoreWriter

CHANNELS = 1_000
_BATCH = 50_000
_UPKEEP_BATCHES = 5
_WINDOWS = 12
_REPEATS = 5
_ANALYSES = 25  # over two seconds and more: the machine's speed changes from one to the next
_LOOKS = 5
_SHOWN = 100
_SCAN = """SELECT out_chan, outcome, cause, count(*), sum(amount_out_msat), sum(amount_in_msat - amount_out_msat)
  FROM attempt WHERE node_id = 1 AND accounted_ns >= ? AND accounted_ns < ? GROUP BY 1, 2, 3"""


def fill(database: Path, htlcs: int, channels: int = CHANNELS, per_day: int = PER_DAY) -> float:
    """Make a store of so many attempts as a collector leaves it; return the seconds that the writing took."""
    taken_s = 0.0
    days = htlcs / per_day
    with StoreWriter(database, "node") as writer:
        writer.write_channels(FIRST_NS, listing(channels))
        writer.write_policies(prices(channels), FIRST_NS)
        for number, part in enumerate(Traffic(channels=channels, per_day=per_day).chunks(htlcs, _BATCH), 1):
            facts = to_facts(part)
            before_s = time.perf_counter()
            writer.write_batch(facts)
            if number % _UPKEEP_BATCHES == 0:
                writer.upkeep(int(part.arrived_ns[-1]))
            taken_s += time.perf_counter() - before_s
        writer.cover(LOG, FIRST_NS, FIRST_NS + int(days * DAY_NS))
        writer.write_channels(FIRST_NS + int(days * DAY_NS), listing(channels))
        before_s = time.perf_counter()
        writer.upkeep(FIRST_NS + int((days + 1) * DAY_NS))
    return taken_s + time.perf_counter() - before_s


def measure(database: Path, *, htlcs: int, factor: float = 1.0) -> list[Row]:
    """Return the rows of the table about answers over the store; bars are widened by `factor`."""
    luck = random.Random(1)
    last_ns = FIRST_NS + int(htlcs / PER_DAY * DAY_NS)
    hours = (last_ns - FIRST_NS) // HOUR_NS
    stored = f"{htlcs:,} attempts in {hours / 24:.1f} days"
    with StoreReader(database) as store, OpportunityService.open(database) as service:
        week_ns = min(7 * DAY_NS, last_ns - FIRST_NS)
        scan = _times(lambda: _scan(database, last_ns - week_ns, last_ns), 3)
        worst: list[Spent] = []
        for _ in range(_WINDOWS):
            first, last = sorted(luck.sample(range(hours + 1), 2))
            a, b = FIRST_NS + first * HOUR_NS, FIRST_NS + last * HOUR_NS
            times = _times(lambda a=a, b=b: (store.flows(a, b), store.refusals(a, b)), _REPEATS)  # type: ignore[misc]
            worst = max(worst or times, times, key=_typical_s)
        chans = [c.channel_id for c in store.channels(last_ns) if c.channel_id]
        one: list[Spent] = []
        for _ in range(40):
            a, b = sorted(luck.randrange(FIRST_NS, last_ns) for _ in range(2))
            chan = luck.choice(chans)
            store.flows(a, b, chan)
            one.append(spent_by(lambda a=a, b=b, c=chan: [store.flows(a, b, c) for _ in range(_LOOKS)]))  # type: ignore[misc]
        window = Window(since_ns=last_ns - week_ns, until_ns=last_ns)
        analyses = _times(lambda: service.analyze(window, Selection()), _ANALYSES + 1)[1:]
        some = _times(lambda: service.analyze(window, Selection(top=_SHOWN)), _ANALYSES + 1)[1:]
        found = len(service.analyze(window, Selection()).opportunities)
    python = _started([sys.executable, "-c", "pass"])
    help_s = _started([sys.executable, "-m", "lnflow", "--help"])
    answer = _started([sys.executable, "-m", "lnflow", "analyze", "--database", str(database), "--all", "--json"])
    return [
        Row(name="sums of whole hours, all channels, slowest window", value=_typical_s(worst) * 1000,
            bar=50 * factor, at_least=False, unit="ms", figures=f"{milliseconds(worst)}; {stored}"),
        Row(name="  a full scan of the raw rows (7 days) / that", value=_typical_s(scan) / _typical_s(worst), bar=None,
            figures=f"scan {milliseconds(scan)}"),
        Row(name="one channel, any window (median of 40)", value=_typical_s(one) * 1000 / _LOOKS, bar=factor,
            at_least=False, unit="ms", figures=milliseconds(one, _LOOKS)),
        Row(name="opportunities with ranges, 7 days, warm", value=_typical_s(analyses) * 1000,
            bar=100 * factor, at_least=False, unit="ms", figures=f"{milliseconds(analyses)}; {found} found"),
        Row(name=f"  the first {_SHOWN} of them (--top {_SHOWN}), all valued", value=_typical_s(some) * 1000, bar=None,
            unit="ms", figures=milliseconds(some)),
        Row(name="restart to first answer (analyze --all --json)", value=_typical_s(answer) * 1000,
            bar=1000 * factor, at_least=False, unit="ms", figures=milliseconds(answer)),
        Row(name="  that / python -c pass", value=_typical_s(answer) / _typical_s(python), bar=None,
            figures=milliseconds(python)),
        Row(name="lnflow --help", value=_typical_s(help_s) * 1000, bar=150, at_least=False, unit="ms",
            figures=milliseconds(help_s)),
        Row(name="  that / python -c pass", value=_typical_s(help_s) / _typical_s(python), bar=None,
            figures=""),
    ]  # fmt: skip


def _scan(database: Path, since_ns: int, until_ns: int) -> int:
    con = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    rows = con.execute(_SCAN, (since_ns, until_ns)).fetchall()
    con.close()
    return len(rows)


def _times(work: Callable[[], object], repeats: int) -> list[Spent]:
    return [spent_by(work) for _ in range(repeats)]


def _started(command: list[str]) -> list[Spent]:
    def start() -> Spent:
        before, began_s = os.times(), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        return Spent(time.perf_counter() - began_s, cpu_s)

    return [start() for _ in range(_REPEATS)]


def _typical_s(samples: Sequence[Spent]) -> float:
    return statistics.median(s.cpu_s for s in samples)
