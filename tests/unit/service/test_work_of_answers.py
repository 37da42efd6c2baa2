"""What an answer may cost the store, without a clock: how many statements, by which index, over how many rows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.answers import fill
from benchmarks.traffic import DAY_NS, FIRST_NS

from lnflow.advice.analyzing import Selection
from lnflow.analysis.facts import Window
from lnflow.domain.time import HOUR_NS
from lnflow.service.opportunities import OpportunityService
from lnflow.store.reading import StoreReader

PER_DAY = 2_000
GROWING = {
    "attempt", "demand", "served", "wish_block", "channel_hour", "refusal_hour", "running_total", "pair_day",
    "policy", "channel_snapshot", "channel_online",
}  # fmt: skip
FIRST_OR_LAST = re.compile(r"^SELECT \(SELECT (min|max)\(\w+\) FROM \w+ WHERE node_id = ")
"""One step at the end of an index."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], Path]:
    """Stores by days and channels, as a collector leaves them."""
    folder = tmp_path_factory.mktemp("stores")
    paths = {}
    for days, channels in ((4, 10), (4, 60), (12, 60)):
        paths[days, channels] = folder / f"{days}-{channels}"
        fill(paths[days, channels], days * PER_DAY, channels, PER_DAY)
    return paths


@contextmanager
def statements(store: StoreReader) -> Iterator[list[str]]:
    seen: list[str] = []
    store._con.set_trace_callback(seen.append)
    yield seen
    store._con.set_trace_callback(None)


def asked(path: Path, days: int, window_days: float, top: int | None = None) -> tuple[int, list[str]]:
    """Return how many findings an analysis shows, and the statements that it takes."""
    until_ns = FIRST_NS + days * DAY_NS - 17 * HOUR_NS // 10
    window = Window(since_ns=until_ns - int(window_days * DAY_NS), until_ns=until_ns)
    with StoreReader(path) as store:
        service = OpportunityService(store)
        with statements(store) as seen:
            document = service.analyze(window, Selection(min_failures=0, min_missed_sat=0, top=top))
        return len(document.opportunities), seen


def test_the_statements_do_not_grow_with_findings_channels_or_history(stores: dict[tuple[int, int], Path]) -> None:
    few, some, many = (asked(path, days, 3)[1] for (days, _), path in stores.items())
    found = [asked(path, days, 3)[0] for (days, _), path in stores.items()]
    assert found[1] > 3 * found[0]
    assert len(few) == len(some)
    assert len(many) <= len(some) + 8  # a level of blocks more costs two statements a kind
    assert len(asked(stores[12, 60], 12, 3, top=1)[1]) == len(many)


def test_a_window_four_times_as_long_takes_hardly_more_statements(stores: dict[tuple[int, int], Path]) -> None:
    short, long = (len(asked(stores[12, 60], 12, days)[1]) for days in (2.7, 10.8))
    assert long <= short + 8


def test_no_answer_scans_a_table_that_grows(stores: dict[tuple[int, int], Path]) -> None:
    """Each statement that `analyze`, `why`, `failures` and sums of one channel take finds its rows by a key."""
    path = stores[4, 60]
    until_ns = FIRST_NS + 4 * DAY_NS - HOUR_NS // 3
    window = Window(since_ns=until_ns - 2 * DAY_NS, until_ns=until_ns)
    with StoreReader(path) as store:
        service = OpportunityService(store)
        with statements(store) as seen:
            shown = service.analyze(window, Selection()).opportunities
            service.why(window, shown[0].peer_pubkey or "")
            store.usability(window.since_ns, window.until_ns)
            for by in ("cause", "pair", "hour"):
                service.failures(window, by)
            store.flows(window.since_ns, window.until_ns, 3)
            store.span()
    con = sqlite3.connect(path)
    looked_at = 0
    for statement in {s for s in seen if s.lstrip().startswith(("SELECT", "WITH"))}:
        for *_, step in con.execute(f"EXPLAIN QUERY PLAN {statement}"):
            looked_at += 1
            whole = re.match(r"SCAN (\w+)|SEARCH (\w+) .*\(node_id=\?\)$", step)
            table = whole and (whole[1] or whole[2])
            assert table not in GROWING or FIRST_OR_LAST.search(statement), f"{step}: {statement}"
    con.close()
    assert looked_at > 50


def test_rows_read_for_a_window_are_bounded_by_its_groups_and_six_hours(stores: dict[tuple[int, int], Path]) -> None:
    """Of single wishes at most those of three hours at each end are read, however long the window."""
    path = stores[12, 60]
    until_ns = FIRST_NS + 11 * DAY_NS + 2 * HOUR_NS
    with StoreReader(path) as store, statements(store) as seen:
        store.demands(FIRST_NS + 4 * HOUR_NS, until_ns)
        con = sqlite3.connect(path)
        ends = [s.replace("SELECT group", "SELECT max(first_ns) - min(first_ns), group") for s in seen]
        ends = [s.split(" GROUP BY ")[0] for s in ends if " FROM demand WHERE" in s]
        assert len(ends) == 2
        assert all(con.execute(s).fetchone()[0] <= 3 * HOUR_NS for s in ends)
        con.close()
        whole = [s for s in seen if " FROM wish_block " in s]
        assert 0 < len(whole) <= 8
