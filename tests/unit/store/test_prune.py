"""Retention: single attempts go, totals stay, and what is told again counts no second time."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from tests.builders import IN, OUT, offered, refused, rows_of, settled, write
from tests.builders import T0 as EIGHT

from lnflow.domain.causes import Cause
from lnflow.domain.channel import ChannelState
from lnflow.domain.htlc import Forward, HtlcEvent
from lnflow.domain.time import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from lnflow.ingest.join import Joiner
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

DAYS = 10
T0 = EIGHT + 4 * HOUR_NS  # the beginning of a six-hour period
EVER = (0, 2**62)


def busy_days(days: int = DAYS) -> list[HtlcEvent]:
    """Each hour of some days a settled forward and two tries of one wish that is refused."""
    events: list[HtlcEvent] = []
    for hour in range(days * 24):
        at_ns = T0 + hour * HOUR_NS
        events += [
            offered(3 * hour, at_ns),
            settled(3 * hour, at_ns + SECOND_NS),
            refused(3 * hour + 1, at_ns + MINUTE_NS),
            refused(3 * hour + 2, at_ns + 2 * MINUTE_NS, cause=Cause.INSUFFICIENT_BALANCE),
        ]
    return events


def all_totals(path: Path) -> dict[str, Any]:
    """What every question about all time answers."""
    with StoreReader(path) as store:
        return {
            "flows": sorted(map(repr, store.flows(*EVER))),
            "refusals": sorted(map(repr, store.refusals(*EVER))),
            "pairs": sorted(map(repr, store.pairs(*EVER)[0])),
            "hours": list(map(repr, store.hours(0, T0 + 2 * DAYS * DAY_NS))),
            "demands": sorted(map(repr, rows_of(store.demands(*EVER)))),
        }


def filled(path: Path) -> StoreWriter:
    writer = StoreWriter(path, "node")
    write(writer, busy_days())
    writer.upkeep(T0 + DAYS * DAY_NS)
    return writer


def test_pruning_at_any_age_changes_no_total(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with filled(path) as writer:
        before = all_totals(path)
        for age_days in (9, 5, 1, 0):
            assert writer.prune_raw(T0 + (DAYS - age_days) * DAY_NS) > 0
            writer.upkeep(T0 + DAYS * DAY_NS)
            assert all_totals(path) == before
        assert writer._con.execute("SELECT count(*) FROM attempt").fetchone() == (0,)


def test_a_window_beyond_the_single_attempts_is_rounded_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with filled(path) as writer:
        writer.prune_raw(T0 + 5 * DAY_NS)
    with StoreReader(path) as store:
        old, new = T0 + 2 * DAY_NS + 90 * SECOND_NS, T0 + 7 * DAY_NS + 90 * SECOND_NS
        assert store.plan(old, old + HOUR_NS).rounded
        assert not store.plan(new, new + HOUR_NS).rounded
        assert [f.out_settled for f in store.flows(old, old + HOUR_NS) if f.out_settled] == [2]  # two whole hours
        assert [f.out_settled for f in store.flows(new, new + HOUR_NS) if f.out_settled] == [1]


def test_what_was_pruned_and_is_told_again_counts_no_second_time(tmp_path: Path) -> None:
    """A log imported again after its rows were pruned: refused, since new and known cannot be told apart."""
    path = tmp_path / "s"
    with filled(path) as writer:
        before = all_totals(path)
        writer.prune_raw(T0 + 5 * DAY_NS)
        joiner = Joiner()
        for event in busy_days():
            joiner.add(event)
        report = writer.write_batch(joiner.take())
        writer.upkeep(T0 + DAYS * DAY_NS)
        assert (report.new, report.known, report.older) == (0, 5 * 24 * 3, 5 * 24 * 3)
    assert all_totals(path) == before
    with StoreWriter(path, "node") as writer:  # and by a program that begins afresh
        write(writer, busy_days())
        writer.upkeep(T0 + DAYS * DAY_NS)
    assert all_totals(path) == before


def test_an_attempt_under_way_is_kept_and_counts_when_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        write(writer, [offered(1, T0), refused(2, T0 + MINUTE_NS)])
        writer.prune_raw(T0 + DAY_NS)
        assert writer._con.execute("SELECT in_htlc_id FROM attempt").fetchall() == [(1,)]
        write(writer, [settled(1, T0 + 2 * DAY_NS)])
    with StoreReader(path) as store:
        assert [f.out_settled for f in store.flows(T0 + 2 * DAY_NS, T0 + 3 * DAY_NS) if f.out_settled] == [1]


def test_the_twin_of_a_pruned_forward_stays_a_twin(tmp_path: Path) -> None:
    """The cut may fall between the two rows of one forward."""
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        cut_ns = T0 + DAY_NS

        def history(at_ns: int, htlc: int | None) -> None:
            joiner = Joiner()
            joiner.add_forward(Forward(IN, OUT, at_ns, 1_000_500, 1_000_000, htlc, htlc))
            writer.write_batch(joiner.take())

        history(cut_ns - 1, 1)
        history(cut_ns + 1, None)
        writer.prune_raw(cut_ns)
        assert writer._con.execute("SELECT count(*) FROM attempt").fetchone() == (1,)
        history(cut_ns + SECOND_NS, 2)
    with StoreReader(path) as store:
        assert sum(f.out_settled for f in store.flows(*EVER)) == 2


def test_old_balances_are_thinned_to_one_a_day(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with filled(path) as writer:
        for hour in range(4 * 24):
            writer.write_channels(T0 + hour * HOUR_NS, [a_channel(local_msat=hour)], thin=True)
        writer.prune_raw(T0 + 2 * DAY_NS)
        days = writer._con.execute(
            f"SELECT at_ns / {DAY_NS} - {T0 // DAY_NS}, count(*) FROM channel_snapshot GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert all(count == 1 for _, count in days[:2])
    assert all(count == 24 for _, count in days[3:-1])


def test_the_space_of_pruned_rows_goes_back_to_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with filled(path) as writer:
        pages = writer._con.execute("PRAGMA page_count").fetchone()[0]
        free = writer._con.execute("PRAGMA freelist_count").fetchone()[0]
        writer.prune_raw(T0 + DAYS * DAY_NS)
        assert writer._con.execute("PRAGMA page_count").fetchone()[0] < pages
        assert writer._con.execute("PRAGMA freelist_count").fetchone()[0] <= free


def test_pruning_stops_when_it_did_enough_for_now(tmp_path: Path) -> None:
    """The writer has a stream to store: the rest waits for the next turn."""
    path = tmp_path / "s"
    with filled(path) as writer:
        assert 0 < writer.prune_raw(T0 + DAYS * DAY_NS, most=1) <= DAYS * 24 * 3
        while writer.prune_raw(T0 + DAYS * DAY_NS, most=1):
            pass
        assert writer._con.execute("SELECT count(*) FROM attempt").fetchone() == (0,)


def test_listings_that_say_the_same_do_not_grow_the_store(tmp_path: Path) -> None:
    """Every five minutes for ever, closed channels included."""
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        writer.write_channels(T0, [a_channel(local_msat=1), a_channel("cd" * 32 + ":0", scid=OUT + 5)], thin=True)
        for n in range(1, 50):
            writer.write_channels(T0 + n * MINUTE_NS, [a_channel(local_msat=n % 2)], thin=True)
        assert writer._con.execute("SELECT count(*) FROM channel_online").fetchone() == (3,)


def a_channel(point: str = "ab" * 32 + ":0", *, scid: int = OUT, local_msat: int = 0) -> ChannelState:
    return ChannelState(
        channel_point=point,
        scid=scid,
        other_scids=(),
        peer_pubkey="02" + "aa" * 32,
        peer_alias=None,
        capacity_sat=1_000_000,
        local_msat=local_msat,
        remote_msat=0,
        unsettled_msat=0,
        commit_fee_sat=0,
        local_reserve_sat=0,
        remote_reserve_sat=0,
        initiator=True,
        private=False,
        active=True,
    )


def test_a_store_of_before_incremental_vacuum_is_pruned_too(tmp_path: Path) -> None:
    """Its free pages are used again; the file just does not shrink."""
    path = tmp_path / "s"
    con = sqlite3.connect(path)
    con.execute("PRAGMA auto_vacuum = NONE")
    con.execute("VACUUM")
    con.close()
    with filled(path) as writer:
        assert writer.prune_raw(T0 + DAYS * DAY_NS) > 0


def test_the_size_report_counts_rows_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "s"
    filled(path).close()
    with StoreReader(path) as store:
        report = store.size_report()
    assert report["attempt"] == DAYS * 24 * 3
    assert report["file_bytes"] == path.stat().st_size
    assert 0 <= report["free_bytes"] < report["file_bytes"]
