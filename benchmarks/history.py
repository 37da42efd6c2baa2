"""Importing a saved event log, against decoding it and inserting its bare rows; memory by the length of the log."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from benchmarks.table import Row, Spent, interleaved, rate, ratios, spent_by
from benchmarks.traffic import FIRST_NS, Traffic, listing, to_lines
from lnflow.domain.causes import Outcome
from lnflow.domain.htlc import DownstreamFailed, Offered, Refused, Settled
from lnflow.domain.time import SystemClock
from lnflow.ingest.files.reading import read
from lnflow.ingest.files.source import open_source
from lnflow.ingest.importer import BATCH_EVENTS, import_paths
from lnflow.store.writing import StoreWriter

CHANNELS = 1_000
_MEMORY_LIMIT_MIB = 150.0
_CACHE_FULL_LINES = 1_000_000  # by then SQLite's page cache has been filled


def measure(scratch: Path, *, htlcs: int, rounds: int, memory_lines: tuple[int, int]) -> list[Row]:
    """Return the rows of the table about saved history."""
    log = scratch / "events.jsonl"
    events = write_log(log, htlcs)
    spent = interleaved(
        {"bare": lambda: _bare(log, scratch), "imported": lambda: _imported(log, scratch, events)}, rounds
    )
    wall, cpu = ratios(spent["imported"], spent["bare"])
    figures = f"import {rate(spent['imported'], htlcs)}, bare {rate(spent['bare'], htlcs)} HTLCs, {events:,} lines"
    short, long = (_peak_mib(scratch, lines) for lines in memory_lines)
    lines = f"{short:.0f} MiB at {memory_lines[0]:,} lines, {long:.0f} MiB at {memory_lines[1]:,}"
    return [
        Row(name="import with rollups / bare decode + insert", value=wall, bar=0.5, figures=figures),
        Row(name="  the same by processor time", value=cpu, bar=None, figures=""),
        Row(
            name="import: peak memory", value=max(short, long), bar=_MEMORY_LIMIT_MIB, at_least=False, unit="MiB",
            figures=lines,
        ),
        Row(
            name="  its growth with the log", value=long / short, at_least=False, figures="",
            bar=1.1 if memory_lines[0] >= _CACHE_FULL_LINES else None,
        ),
    ]  # fmt: skip


def write_log(path: Path, htlcs: int) -> int:
    """Write the events of so many HTLCs; return how many lines that are."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for part in Traffic(channels=CHANNELS).chunks(htlcs):
            lines = to_lines(part)
            file.write("\n".join(lines) + "\n")
            count += len(lines)
    return count


def _imported(log: Path, scratch: Path, events: int) -> Spent:
    folder = scratch / "imported"
    folder.mkdir()

    def work() -> None:
        with StoreWriter(folder / "lnflow.sqlite", "node") as writer:
            writer.write_channels(FIRST_NS, listing(CHANNELS))
            [report] = import_paths(writer, [log], clock=SystemClock())
            assert (report.rows_read, report.rejected) == (events, 0), report

    spent = spent_by(work)
    shutil.rmtree(folder)
    return spent


def _bare(log: Path, scratch: Path) -> Spent:
    """Decode, keep one tuple per HTLC, insert it by its key: what nothing that stores HTLCs can do without."""
    folder = scratch / "bare"
    folder.mkdir()

    def work() -> None:
        con = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("PRAGMA synchronous = NORMAL")
        con.execute(
            """CREATE TABLE htlc (in_scid INTEGER, in_htlc_id INTEGER, out_scid INTEGER, out_htlc_id INTEGER,
                 amount_in_msat INTEGER, amount_out_msat INTEGER, arrived_ns INTEGER, resolved_ns INTEGER,
                 outcome INTEGER, cause INTEGER, PRIMARY KEY (in_scid, in_htlc_id)) WITHOUT ROWID"""
        )
        rows: dict[tuple[int, int], tuple[int | None, ...]] = {}
        count = 0
        with open_source(log) as source:
            for chunk in read(source).chunks():
                for event in chunk.items:
                    _reduce(rows, event)
                count += len(chunk.items)
                if count >= BATCH_EVENTS:
                    _insert(con, rows)
                    count = 0
        _insert(con, rows)
        con.close()

    spent = spent_by(work)
    shutil.rmtree(folder)
    return spent


def _reduce(rows: dict[tuple[int, int], tuple[int | None, ...]], e: object) -> None:
    if isinstance(e, Offered):
        rows[e.in_scid, e.in_htlc_id] = (
            e.in_scid, e.in_htlc_id, e.out_scid, e.out_htlc_id, e.amount_in_msat, e.amount_out_msat, e.at_ns, None,
            int(Outcome.PENDING), 0,
        )  # fmt: skip
    elif isinstance(e, Refused):
        rows[e.in_scid, e.in_htlc_id] = (
            e.in_scid, e.in_htlc_id, e.out_scid, None, e.amount_in_msat, e.amount_out_msat, e.at_ns, e.at_ns,
            int(Outcome.REFUSED), int(e.cause),
        )  # fmt: skip
    elif isinstance(e, Settled | DownstreamFailed):
        outcome = int(Outcome.SETTLED) if isinstance(e, Settled) else int(Outcome.DOWNSTREAM)
        offered = rows.get((e.in_scid, e.in_htlc_id))
        if offered is not None:
            rows[e.in_scid, e.in_htlc_id] = (*offered[:7], e.at_ns, outcome, 0)


def _insert(con: sqlite3.Connection, rows: dict[tuple[int, int], tuple[int | None, ...]]) -> None:
    con.execute("BEGIN")
    con.executemany("INSERT OR REPLACE INTO htlc VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows.values())
    con.execute("COMMIT")
    rows.clear()


def _peak_mib(scratch: Path, lines: int) -> float:
    """Import a log of so many lines from a pipe, in a process of its own; return its peak memory."""
    database = scratch / "memory.sqlite"
    makes = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.traffic", str(lines)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, str(database)], stdin=makes.stdout, capture_output=True, text=True, check=True
    )
    makes.wait()
    for file in scratch.glob("memory.sqlite*"):
        file.unlink()
    return float(child.stdout)


_CHILD = """
import re, sys
from pathlib import Path
from lnflow.domain.time import SystemClock
from lnflow.ingest.importer import BATCH_EVENTS, import_paths
from lnflow.store.writing import StoreWriter
with StoreWriter(Path(sys.argv[1]), "node") as writer:
    [report] = import_paths(writer, ["-"], clock=SystemClock())
assert not report.rejected, report
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""
