"""Sums of wishes: blocks and rows together are what the rows alone say, for any window."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders import OUT, T0, offered, refused, rows_of, settled, stored, write

from lnflow.domain.causes import Cause
from lnflow.domain.channel import ChannelState
from lnflow.domain.demand import PERIOD_NS
from lnflow.domain.htlc import HtlcEvent
from lnflow.domain.time import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from lnflow.store import wish_sums
from lnflow.store.blocks import DEMANDS, SERVED, Block, added, block_of, cover, parents
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

DAYS = 20
OTHER = OUT + 1


def traffic(days: int = DAYS) -> list[HtlcEvent]:
    """Every hour one wish of a growing size passed on and two refused, by two channels in turn."""
    events: list[HtlcEvent] = []
    for hour in range(days * 24):
        at_ns, out = T0 + hour * HOUR_NS, OUT if hour % 3 else OTHER
        events += [
            offered(3 * hour, at_ns, out=out, out_msat=10_000_000 + hour * 1000),
            settled(3 * hour, at_ns + SECOND_NS, out=out),
            refused(3 * hour + 1, at_ns + 20 * MINUTE_NS, out=out, out_msat=90_000_000 + hour * 1000),
            refused(3 * hour + 2, at_ns + 40 * MINUTE_NS, out=out, cause=Cause.FEE_INSUFFICIENT, out_msat=2_000_000),
        ]
    return events


@pytest.fixture(scope="module")
def summed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    last_day_ns = T0 + (DAYS - 1) * DAY_NS  # has no blocks yet
    return stored(tmp_path_factory.mktemp("store") / "s", traffic(), last_day_ns)


def demands_of_rows(path: Path, since_ns: int, until_ns: int) -> dict[tuple[int, ...], list[int]]:
    con = sqlite3.connect(path)
    sums: defaultdict[tuple[int, ...], list[int]] = defaultdict(lambda: [0] * 5)
    for *key, attempts, msat, amount, fee in con.execute(
        """SELECT out_chan, cause, circumstance, coalesce(amount_class, -1), oversize, attempts, attempted_msat,
             CASE WHEN recovered_ns IS NULL THEN amount_out_msat ELSE 0 END,
             CASE WHEN recovered_ns IS NULL THEN max(0, fee_msat - paid_msat) ELSE 0 END
           FROM demand WHERE first_ns >= ? AND first_ns < ?""",
        (since_ns, until_ns),
    ):
        for n, value in enumerate((attempts, msat, 1, amount, fee)):
            sums[tuple(key)][n] += value
    con.close()
    return dict(sums)


def demands_of_store(path: Path, since_ns: int, until_ns: int) -> dict[tuple[int, ...], list[int]]:
    with StoreReader(path) as store:
        block = store.demands(since_ns, until_ns)
    rows = rows_of(block)
    return {tuple(r[:5]): [r[5], r[6], r[8], r[10], r[11]] for r in rows}


def blocks(path: Path) -> list[tuple[int, ...]]:
    con = sqlite3.connect(path)
    found = con.execute("SELECT kind, level, number FROM wish_block ORDER BY 1, 2, 3").fetchall()
    con.close()
    return found


instants = st.integers(T0 - DAY_NS, T0 + (DAYS + 1) * DAY_NS) | st.integers(0, 4 * DAYS).map(
    lambda n: T0 // PERIOD_NS * PERIOD_NS + n * PERIOD_NS
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(since_ns=instants, until_ns=instants)
def test_any_window_is_what_its_rows_say(summed: Path, since_ns: int, until_ns: int) -> None:
    assert demands_of_store(summed, since_ns, until_ns) == demands_of_rows(summed, since_ns, until_ns)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(since_ns=instants, until_ns=instants)
def test_what_was_served_is_rounded_outwards_to_periods(summed: Path, since_ns: int, until_ns: int) -> None:
    con = sqlite3.connect(summed)
    expected = con.execute(
        """SELECT chan, amount_class, sum(wishes), sum(arrived), sum(amount_msat), sum(part_msat), sum(arrived_msat)
           FROM served WHERE period >= ? AND period < ? GROUP BY 1, 2 ORDER BY 1, 2""",
        (since_ns // PERIOD_NS, -(-until_ns // PERIOD_NS)),
    ).fetchall()
    con.close()
    with StoreReader(summed) as store:
        assert rows_of(store.served(since_ns, until_ns)) == expected


def test_demands_without_blocks_are_summed_some_at_a_time(summed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All demands of a long history must not come into memory at once."""
    monkeypatch.setattr("lnflow.store.wish_sums._AT_ONCE", 7)
    con = sqlite3.connect(summed)
    rows = rows_of(added(wish_sums._demands_between(con, 1, 0, 2**62), DEMANDS))
    assert {tuple(r[:5]): [r[5], r[6], r[8], r[10], r[11]] for r in rows} == demands_of_rows(summed, 0, 2**62)
    con.close()


def test_blocks_of_four_make_larger_blocks(summed: Path) -> None:
    """In 76 periods 19 days, 5 times four days and once sixteen end; the first of each began before the traffic."""
    levels = [level for kind, level, _ in blocks(summed) if kind == 0]
    assert [levels.count(n) for n in range(4)] == [76, 19, 5, 1]


def test_what_becomes_known_later_is_in_the_sums_at_once_and_in_the_blocks_after_the_next_upkeep(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        write(writer, traffic(6))
        writer.upkeep(T0 + 7 * DAY_NS)
        before = blocks(path)
        write(writer, [refused(10_000, T0 + 2 * DAY_NS + 5 * MINUTE_NS, out_msat=777_000_000)])
        for _ in range(2):
            assert demands_of_store(path, 0, 2**62) == demands_of_rows(path, 0, 2**62)
            writer.upkeep(T0 + 7 * DAY_NS)
    assert any(amount == 777_000_000 for _, _, _, amount, _ in demands_of_store(path, 0, 2**62).values())
    assert blocks(path) == before


def test_two_entries_of_one_channel_become_one_in_the_sums(tmp_path: Path) -> None:
    """A listing says that two ids are one channel: nothing is left under the other's number."""
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        write(writer, traffic(3))
        writer.upkeep(T0 + 4 * DAY_NS)
        writer.write_channels(
            T0,
            [
                ChannelState(
                    channel_point=f"{7:064x}:0",
                    scid=OUT,
                    other_scids=(OTHER,),
                    peer_pubkey="02" * 33,
                    peer_alias=None,
                    capacity_sat=10_000_000,
                    local_msat=1,
                    remote_msat=1,
                    unsettled_msat=0,
                    commit_fee_sat=0,
                    local_reserve_sat=0,
                    remote_reserve_sat=0,
                    initiator=True,
                    private=False,
                    active=True,
                )
            ],
        )
        writer.upkeep(T0 + 4 * DAY_NS)
    with StoreReader(path) as store:
        channels = {c.channel_id for c in store.channels(2**62)}
        assert set(store.served(0, 2**62)["chan"].tolist()) <= channels
        assert store.served(0, 2**62)["wishes"].sum() == 72
    assert demands_of_store(path, 0, 2**62) == demands_of_rows(path, 0, 2**62)


def test_a_sum_beyond_63_bits_is_refused_not_wrapped() -> None:
    row = (1, 1, 0, 9, 0, 1, 2**62, 0, 1, 0, 2**62, 0, 0.0, 0)
    huge: Block = block_of([row], DEMANDS)
    with pytest.raises(OverflowError, match="msat"):
        added([(1, huge), (1, huge)], DEMANDS)


@given(st.integers(0, 5_000), st.integers(0, 5_000))
def test_any_stretch_is_covered_once_by_few_blocks(first: int, length: int) -> None:
    found = list(cover(first, first + length))
    periods = [p for level, a, b in found for p in range(a * 4**level, b * 4**level)]
    assert sorted(periods) == list(range(first, first + length))
    for level in range(8):
        assert sum(b - a for at, a, b in found if at == level) <= 6


@given(st.integers(0, 500), st.integers(0, 200))
def test_larger_blocks_are_made_once_when_their_last_period_ends(first: int, length: int) -> None:
    made = list(parents(first, first + length))
    assert made == sorted(set(made))
    assert all(first < (number + 1) * 4**level <= first + length for level, number in made)


def test_parts_taken_off_leave_no_empty_rows() -> None:
    rows = block_of([(1, 4, 2, 1, 5, 5, 5), (2, 4, 1, 1, 3, 3, 3)], SERVED)
    gone = {name: column[:1] for name, column in rows.items()}
    assert rows_of(added([(1, rows), (-1, gone)], SERVED)) == [(2, 4, 1, 1, 3, 3, 3)]
    assert rows_of(added([], SERVED)) == []
