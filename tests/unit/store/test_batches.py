"""What a batch does beside its attempts: which channels it proves, what final events may do, what is told twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.builders import T0

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.demand import PERIOD_NS
from lnflow.domain.time import DAY_NS, HOUR_NS
from lnflow.store.peers import PeersOfChannels
from lnflow.store.rows import AttemptFacts
from lnflow.store.tries import TriesOfPeriods
from lnflow.store.writing import StoreWriter

A, B, C, D = (block << 40 | 1 << 16 for block in (700_001, 700_002, 700_003, 700_004))
OFFERED = AttemptFacts(
    A, 5, B, 1, 1, T0, 2_000, 1_000, T0, None, None, int(Outcome.PENDING), int(Cause.NONE), 0, 0, 1
)  # fmt: skip
FINAL = AttemptFacts(
    A, 5, 0, None, 0, 0, None, None, None, T0 + 1, None, int(Outcome.SETTLED), int(Cause.NONE), 0, 0, 1, only_known=1
)  # fmt: skip


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter(tmp_path / "store.sqlite", "node") as writer:
        yield writer


def rows(writer: StoreWriter, sql: str) -> list[tuple[int, ...]]:
    con = sqlite3.connect(writer.path)
    try:
        return con.execute(sql).fetchall()
    finally:
        con.close()


def attempts(writer: StoreWriter) -> list[tuple[int, ...]]:
    return rows(writer, "SELECT in_htlc_id, outcome FROM attempt ORDER BY 1")


def ids(writer: StoreWriter) -> set[int]:
    return {scid for (scid,) in rows(writer, "SELECT scid FROM channel_scid")}


@pytest.mark.parametrize("beside", [[], [replace(OFFERED, in_scid=C)]], ids=["alone", "beside another"])
def test_the_end_of_a_receive_is_no_attempt_and_proves_no_channel(
    writer: StoreWriter, beside: list[AttemptFacts]
) -> None:
    report = writer.write_batch([*beside, FINAL])
    assert (report.new, report.known) == (len(beside), 0)
    assert A not in ids(writer)


@pytest.mark.parametrize("htlc_id", [4, 6, 1 << 62])
def test_the_end_of_an_attempt_that_nobody_has_seen_starts_none(writer: StoreWriter, htlc_id: int) -> None:
    writer.write_batch([OFFERED])
    assert writer.write_batch([replace(FINAL, in_htlc_id=htlc_id)]).new == 0
    assert attempts(writer) == [(5, Outcome.PENDING)]
    assert writer.write_batch([FINAL]).known == 1
    assert attempts(writer) == [(5, Outcome.SETTLED)]


def test_one_htlc_under_two_ids_of_its_channel_is_one_attempt(writer: StoreWriter) -> None:
    writer.write_batch([replace(OFFERED, in_htlc_id=1), replace(OFFERED, in_scid=C, in_htlc_id=2)])
    con = sqlite3.connect(writer.path)  # as a listing would show: both are one channel
    with con:
        con.execute("UPDATE channel_scid SET channel_id = (SELECT min(in_chan) FROM attempt) WHERE scid = ?", (C,))
        con.execute("UPDATE cursor SET value = 0 WHERE name = 'writer'")
    con.close()
    report = writer.write_batch(
        [OFFERED, replace(OFFERED, in_scid=C, outcome=int(Outcome.SETTLED), resolved_ns=T0 + 1)]
    )
    assert (report.new, report.known) == (1, 1)
    assert (5, Outcome.SETTLED) in attempts(writer)


def test_a_channel_that_it_was_offered_by_before_is_ours(writer: StoreWriter) -> None:
    writer.write_batch([replace(OFFERED, in_htlc_id=n, also_used=(D,) if n == 1 else ()) for n in range(3)])
    assert D in ids(writer)
    writer.write_batch([replace(OFFERED, in_htlc_id=9, also_used=(C,))])  # all other ids are known by now
    assert C in ids(writer)


def test_the_end_of_what_nobody_has_seen_is_not_told_as_an_older_attempt(writer: StoreWriter) -> None:
    settled = replace(OFFERED, outcome=int(Outcome.SETTLED), resolved_ns=T0)
    writer.write_batch([settled, replace(OFFERED, in_htlc_id=6, arrived_ns=T0 + 9 * DAY_NS)])
    assert writer.prune_raw(T0 + 8 * DAY_NS) == 1
    report = writer.write_batch([replace(FINAL, in_htlc_id=7), replace(FINAL, in_htlc_id=6)])
    assert (report.known, report.older) == (1, 0)
    assert writer.write_batch([settled]).older == 1


def test_tries_of_a_period_are_the_same_whatever_was_read_before(writer: StoreWriter) -> None:
    """Also one that settled, by a clock that was set back, long before it arrived."""
    period = T0 // PERIOD_NS
    early = period * PERIOD_NS - 4 * HOUR_NS
    settled = replace(OFFERED, outcome=int(Outcome.SETTLED), arrived_ns=period * PERIOD_NS + 5, resolved_ns=early)
    writer.write_batch([replace(settled, in_htlc_id=n, resolved_ns=early + n * HOUR_NS) for n in range(9)])
    con = sqlite3.connect(writer.path)
    peers = PeersOfChannels(con)
    source = TriesOfPeriods(con, writer.node_id, peers)
    for earlier in (period - 3, period - 1):
        source.of(earlier)
    assert len(source.of(period)) == len(TriesOfPeriods(con, writer.node_id, peers).of(period)) == 6
    con.close()
