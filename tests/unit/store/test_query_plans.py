"""No question about flows walks a table: totals, and the raw rows at a window's ends, are found by index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders import OUT, T0, offered, refused, settled, write

from lnflow.domain.time import DAY_NS, HOUR_NS, MINUTE_NS
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

QUESTIONS: dict[str, Callable[[StoreReader, int, int], object]] = {
    "flows": lambda store, since, until: store.flows(since, until),
    "flows of one channel": lambda store, since, until: store.flows(since, until, 1),
    "refusals": lambda store, since, until: store.refusals(since, until),
    "refusals of one channel": lambda store, since, until: store.refusals(since, until, 1),
    "pairs": lambda store, since, until: store.pairs(since, until),
    "hours": lambda store, since, until: store.hours(since, until),
    "demands": lambda store, since, until: store.demands(since, until),
    "served": lambda store, since, until: store.served(since, until),
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite"
    with StoreWriter(path, "default") as writer:
        for htlc in range(200):
            at = T0 + htlc * 30 * MINUTE_NS
            if htlc % 4:
                write(writer, [offered(htlc, at, out=OUT + htlc % 5), settled(htlc, at + 1, out=OUT + htlc % 5)])
            else:
                write(writer, [refused(htlc, at)])
        writer.upkeep(T0 + 5 * DAY_NS)
    return path


@pytest.mark.parametrize("analyzed", [False, True], ids=["fresh", "analyzed"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_every_table_is_searched_never_scanned(database: Path, name: str, analyzed: bool) -> None:
    """ANALYZE has made such plans worse before: a plan must hold with and without its statistics."""
    with StoreWriter(database, "default") as writer:
        writer._con.execute("ANALYZE" if analyzed else "SELECT 1")
    asked: list[str] = []
    with StoreReader(database, "default") as store:
        store._con.set_trace_callback(asked.append)
        QUESTIONS[name](store, T0 + HOUR_NS + 7, T0 + 3 * DAY_NS + 7)
        store._con.set_trace_callback(None)
        tables = {name for (name,) in store._con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        steps = [
            str(step[3])
            for statement in asked
            if statement.lstrip().upper().startswith(("SELECT", "WITH"))
            for step in store._con.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    over = [step for step in steps if step.partition(" ")[2].split(" ")[0] in tables]
    assert over, steps
    assert [step for step in over if not step.startswith("SEARCH")] == []
    assert all("INDEX" in step or "PRIMARY KEY" in step for step in over), over


def test_in_and_out_are_apart_and_one_channel_is_the_row_of_all(database: Path) -> None:
    """What came in by a channel and what left by it are never one sum."""
    with StoreReader(database, "default") as store:
        since, until = T0 + HOUR_NS + 7, T0 + 3 * DAY_NS + 7
        rows = {row.chan: row for row in store.flows(since, until)}
        assert sum(row.in_settled for row in rows.values()) == sum(row.out_settled for row in rows.values()) > 0
        assert {row.in_settled > 0 for row in rows.values() if row.out_settled} == {False}
        for chan, row in rows.items():
            assert store.flows(since, until, chan) == [row]
