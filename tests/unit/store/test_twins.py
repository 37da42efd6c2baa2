"""One forward known from several sources is one forward, in whatever order they are imported."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.builders import IN, OUT, T0, check_rollups, write

from lnflow.domain.htlc import Forward, HtlcEvent, Offered, Resolved, Settled
from lnflow.domain.time import HOUR_NS, SECOND_NS
from lnflow.ingest.join import Joiner, Ordinals
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

EVENTS, WITH_IDS, WITHOUT_IDS, CSV = "events", "history with ids", "history without ids", "csv of whole seconds"
SOURCES = (EVENTS, WITH_IDS, WITHOUT_IDS, CSV)
Totals = list[tuple[int, ...]]


def store_source(writer: StoreWriter, source: str, forwards: list[Forward]) -> None:
    """Import what one source says of these forwards."""
    if source == EVENTS:
        events: list[HtlcEvent] = []
        for f in forwards:
            assert f.in_htlc_id is not None
            late_ns = f.at_ns + 300_000  # the event comes after the row of the history
            events += [
                Offered(
                    f.in_scid,
                    f.in_htlc_id,
                    f.at_ns - SECOND_NS // 3,
                    f.out_scid,
                    f.in_htlc_id,
                    f.amount_in_msat,
                    f.amount_out_msat,
                ),
                Settled(f.in_scid, f.in_htlc_id, late_ns, f.out_scid, f.in_htlc_id),
                Resolved(f.in_scid, f.in_htlc_id, late_ns + 1, True, True),
            ]
        write(writer, events)
        return
    joiner, ordinals = Joiner(), Ordinals()
    for f in forwards:
        if source == CSV:
            second_ns = f.at_ns // SECOND_NS * SECOND_NS
            f = structs.replace(f, in_htlc_id=None, out_htlc_id=None, at_ns=second_ns, whole_seconds=True)
        elif source == WITHOUT_IDS:
            f = structs.replace(f, in_htlc_id=None, out_htlc_id=None)
        joiner.add_forward(f, ordinals.next(f))
    writer.write_batch(joiner.take())


def totals(sources: list[str], forwards: list[Forward], batch: int) -> Totals:
    """Import the sources in this order; return settled forwards and msat by channel."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        with StoreWriter(path, "node") as writer:
            for source in sources:
                for first in range(0, len(forwards), batch):
                    store_source(writer, source, forwards[first : first + batch])
            writer.upkeep(T0 + 48 * HOUR_NS)
        check_rollups(path)
        with StoreReader(path) as store:
            scids = {c.channel_id: c.scid for c in store.channels(2**62)}
            return sorted(
                (scids[f.chan] or 0, f.out_settled, f.out_settled_msat, f.earned_msat, f.in_settled, f.sourced_msat)
                for f in store.flows(0, 2**62)
            )


@st.composite
def logs(draw: st.DrawFn) -> list[Forward]:
    """Forwards in order of time, some of them of the same channels and amounts, and close."""
    at_ns = T0
    forwards: list[Forward] = []
    for htlc in range(draw(st.integers(1, 6))):
        at_ns += draw(st.sampled_from([0, 1, SECOND_NS // 7, SECOND_NS, 3 * SECOND_NS, 100 * SECOND_NS])) + 1
        out_msat = draw(st.sampled_from([1_000_000, 2_000_000]))
        out = draw(st.sampled_from([OUT, OUT + 1]))
        forwards.append(Forward(IN, out, at_ns, out_msat + 500, out_msat, htlc, htlc))
    return forwards


@settings(max_examples=40, deadline=None)
@given(logs(), st.permutations(SOURCES), st.integers(1, 4), st.lists(st.sampled_from(SOURCES), max_size=2))
def test_any_order_of_sources_gives_the_totals_of_one(
    forwards: list[Forward], order: list[str], count: int, again: list[str]
) -> None:
    """Each source tells of every forward; any of them, in any order and repeated, count each once."""
    chosen = order[:count]
    repeated = [s for s in again if s in chosen]
    assert totals([*chosen, *repeated], forwards, len(forwards)) == totals([WITH_IDS], forwards, len(forwards))


@settings(max_examples=40, deadline=None)
@given(logs(), st.permutations([EVENTS, WITH_IDS, WITHOUT_IDS]), st.integers(1, 3))
def test_batches_are_no_matter_for_twins(forwards: list[Forward], order: list[str], batch: int) -> None:
    assert totals(order, forwards, batch) == totals([WITH_IDS], forwards, len(forwards))


def test_two_equal_parts_of_one_second_count_twice_from_every_source() -> None:
    """Parts of a payment: same channels, same amounts, same second, two forwards."""
    parts = [Forward(IN, OUT, T0 + n, 1_000_500, 1_000_000, n, n) for n in (1, 2)]
    expected = totals([WITH_IDS], parts, 2)
    assert sum(row[1] for row in expected) == 2
    for source in SOURCES:
        assert totals([source, source], parts, 2) == expected
    assert totals([CSV, EVENTS], parts, 2) == expected


def test_a_forward_known_from_three_sources_counts_once() -> None:
    """The whole second of a CSV finds the forward that a history without ids has found before."""
    forwards = [Forward(IN, OUT, T0 + 5, 1_000_500, 1_000_000, 1, 1)]
    assert totals([EVENTS, WITHOUT_IDS, CSV], forwards, 1) == totals([WITH_IDS], forwards, 1)


def test_a_row_without_id_that_a_file_tells_twice_counts_once(tmp_path: Path) -> None:
    """Pages of a history that overlap, put into one file."""
    rows = [Forward(IN, OUT, T0 + n, 2_000, 1_000) for n in (1, 2)]
    with StoreWriter(tmp_path / "store.sqlite", "node") as writer:
        reports = []
        for _ in range(2):
            joiner = Joiner()
            for row in (*rows, *rows, rows[0]):
                joiner.add_forward(row)
            reports.append(writer.write_batch(joiner.take()))
    check_rollups(tmp_path / "store.sqlite")
    assert [(r.new, r.known) for r in reports] == [(2, 3), (0, 5)]
