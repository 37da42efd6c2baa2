"""A channel met by one id and known later by another is one channel: rows, rollups and demands move."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.builders import IN, OUT, T0, check_rollups, dump, offered, refused, settled, write

from lnflow.domain.causes import Cause
from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, Policy
from lnflow.domain.errors import StoreError
from lnflow.domain.htlc import Forward, HtlcEvent, Offered, Refused, Settled
from lnflow.domain.time import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from lnflow.ingest.join import Joiner
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

ALIAS = 16_000_000 << 40 | 7  # beyond 63 bits
CONFIRMED = 840_000 << 40
PEER = "02" + "aa" * 32
POINT = "ab" * 32 + ":0"


def state(*, scid: int = ALIAS, others: tuple[int, ...] = (CONFIRMED,)) -> ChannelState:
    return ChannelState(
        channel_point=POINT,
        scid=scid,
        other_scids=others,
        peer_pubkey=PEER,
        peer_alias=None,
        capacity_sat=1_000_000,
        local_msat=0,
        remote_msat=0,
        unsettled_msat=0,
        commit_fee_sat=0,
        local_reserve_sat=0,
        remote_reserve_sat=0,
        initiator=True,
        private=False,
        active=True,
    )


def closed() -> ClosedChannel:
    return ClosedChannel(
        channel_point=POINT,
        scid=CONFIRMED,
        other_scids=(ALIAS,),
        peer_pubkey=PEER,
        capacity_sat=1_000_000,
        close_height=900_000,
        close_type="cooperative",
        closing_txid="",
        settled_sat=0,
    )


def through(scid: int, htlc: int, at_ns: int, *, incoming: bool) -> list[HtlcEvent]:
    """A settled forward and a refusal by the channel, as events of that time name it."""
    in_scid, out_scid = (scid, OUT) if incoming else (IN, scid)
    return [
        Offered(in_scid, htlc, at_ns, out_scid, htlc, 1_000_500, 1_000_000),
        Settled(in_scid, htlc, at_ns + SECOND_NS, out_scid, htlc),
        Refused(
            in_scid, htlc + 1, at_ns + MINUTE_NS, out_scid, Cause.INSUFFICIENT_BALANCE, 9_000_500, 9_000_000, 15, 6
        ),
    ]


PARTS = [
    through(ALIAS, 10, T0, incoming=False),
    through(CONFIRMED, 20, T0 + HOUR_NS, incoming=False),
    through(ALIAS, 30, T0 + 2 * HOUR_NS, incoming=True),
    through(CONFIRMED, 40, T0 + 2 * HOUR_NS, incoming=True),
    through(ALIAS, 50, T0 + DAY_NS, incoming=True),
    through(CONFIRMED, 50, T0 + DAY_NS, incoming=True),  # the same HTLCs, told under the other id
    through(CONFIRMED, 60, T0 + DAY_NS + HOUR_NS, incoming=False),
]


def stored(order: list[int], listed_after: int, *, gone: bool) -> dict[str, list[str]]:
    """Store the parts in this order, with the listing (or the list of closed channels) somewhere between."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        with StoreWriter(path, "node") as writer:
            for number, part in enumerate([*order, -1]):
                if number == listed_after:
                    if gone:
                        writer.write_closed([closed()])
                    else:
                        writer.write_channels(None, [state()])
                if part >= 0:
                    write(writer, PARTS[part])
            writer.upkeep(T0 + 3 * DAY_NS)
        check_rollups(path)
        counted = dump(path)
        # Under which of its ids an HTLC was told last is said on its row, and no total depends on it.
        counted["attempt"] = [
            row.replace(str(CONFIRMED), "ID").replace(str(ALIAS - 2**64), "ID") for row in counted["attempt"]
        ]
        return counted


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(len(PARTS))), st.integers(0, len(PARTS)), st.booleans())
def test_when_a_channel_is_learnt_is_no_matter(order: list[int], listed_after: int, gone: bool) -> None:
    """Known from the start or after everything, open or closed: the same rows, rollups and demands."""
    assert stored(order, listed_after, gone=gone) == stored(list(range(len(PARTS))), 0, gone=gone)


def test_an_htlc_stored_under_both_ids_becomes_one(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        write(writer, [Offered(ALIAS, 1, T0, OUT, 1, 1_000_500, 1_000_000)])
        write(writer, [Settled(CONFIRMED, 1, T0 + SECOND_NS, OUT, 1)])
        assert writer._con.execute("SELECT count(*) FROM attempt").fetchone() == (2,)
        writer.write_channels(T0, [state()])
        rows = writer._con.execute("SELECT outcome, amount_out_msat, arrived_ns FROM attempt").fetchall()
    assert rows == [(4, 1_000_000, T0)]
    check_rollups(path)


def test_rows_without_ids_stored_under_both_ids_become_one(tmp_path: Path) -> None:
    """A history exported before and after the channel confirmed names it twice."""
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        for out in (ALIAS, CONFIRMED):
            joiner = Joiner()
            joiner.add_forward(Forward(IN, out, T0 + 5, 1_000_500, 1_000_000))
            writer.write_batch(joiner.take())
        writer.write_channels(T0, [state()])
        assert writer._con.execute("SELECT count(*), sum(twin IS NULL) FROM attempt").fetchone() == (1, 1)
    check_rollups(path)


def test_a_live_row_and_its_history_find_each_other_when_the_channel_is_learnt(tmp_path: Path) -> None:
    """Twins by two ids of one channel could not be seen before."""
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        write(writer, through(ALIAS, 1, T0, incoming=False)[:2])
        joiner = Joiner()
        joiner.add_forward(Forward(IN, CONFIRMED, T0 + SECOND_NS - 5, 1_000_500, 1_000_000))
        writer.write_batch(joiner.take())
        writer.write_channels(T0, [state()])
        assert writer._con.execute("SELECT count(*), sum(twin IS NULL) FROM attempt").fetchone() == (2, 1)
    check_rollups(path)


def test_a_twin_of_a_row_that_goes_counts_no_second_time(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        for in_scid in (ALIAS, CONFIRMED):
            write(writer, through(in_scid, 1, T0, incoming=True)[:2])
            joiner = Joiner()
            joiner.add_forward(Forward(in_scid, OUT, T0 + SECOND_NS - 5, 1_000_500, 1_000_000))
            writer.write_batch(joiner.take())
        writer.write_channels(T0, [state()])
        assert writer._con.execute("SELECT count(*), sum(twin IS NULL) FROM attempt").fetchone() == (2, 1)
    check_rollups(path)


def test_two_writers_of_one_node_do_not_spoil_each_others_work(tmp_path: Path) -> None:
    """An import beside the collector: channels merged and demands made by one are noticed by the other."""
    path = tmp_path / "s"
    with StoreWriter(path, "node") as one, StoreWriter(path, "node") as other:
        write(one, through(ALIAS, 10, T0, incoming=False))
        write(other, through(CONFIRMED, 20, T0 + HOUR_NS, incoming=False))
        write(one, through(CONFIRMED, 30, T0 + 2 * HOUR_NS, incoming=False))
        other.write_channels(None, [state()])
        write(one, through(ALIAS, 40, T0 + 3 * HOUR_NS, incoming=False))
        write(other, [refused(90, T0 + 4 * HOUR_NS), offered(92, T0 + 4 * HOUR_NS), settled(92, T0 + 5 * HOUR_NS)])
        write(one, [settled(92, T0 + 5 * HOUR_NS)])
        other.upkeep(T0 + 2 * DAY_NS)
        one.upkeep(T0 + 2 * DAY_NS)
        orphans = one._con.execute(
            "SELECT count(*) FROM attempt WHERE out_chan NOT IN (SELECT channel_id FROM channel)"
        ).fetchone()
    assert orphans == (0,)
    check_rollups(path)
    with_one = tmp_path / "t"
    with StoreWriter(with_one, "node") as writer:
        writer.write_channels(None, [state()])
        for number, scid in enumerate((ALIAS, CONFIRMED, CONFIRMED, ALIAS)):
            write(writer, through(scid, 10 * (number + 1), T0 + number * HOUR_NS, incoming=False))
        write(writer, [refused(90, T0 + 4 * HOUR_NS), offered(92, T0 + 4 * HOUR_NS), settled(92, T0 + 5 * HOUR_NS)])
        writer.upkeep(T0 + 2 * DAY_NS)
    assert dump(path) == dump(with_one)


def test_what_a_transaction_taught_is_forgotten_when_it_fails(tmp_path: Path) -> None:
    """A channel number that was rolled back must not be used again."""
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        writer._con.execute("CREATE TRIGGER full BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'no'); END")
        with pytest.raises(StoreError):
            write(writer, [offered(1)])
        writer._con.execute("DROP TRIGGER full")
        write(writer, [offered(1), settled(1)])
        orphans = writer._con.execute(
            "SELECT count(*) FROM attempt WHERE in_chan NOT IN (SELECT channel_id FROM channel)"
        ).fetchone()
    assert orphans == (0,)
    check_rollups(path)


def test_in_brief_a_channel_is_what_it_is_in_full(tmp_path: Path) -> None:
    """At every time: before anything was known, with balances and prices, listed again, closed."""
    path = tmp_path / "s"
    ours = Policy(base_fee_msat=1, fee_ppm=77, time_lock_delta=40, min_htlc_msat=1, max_htlc_msat=5)
    theirs = structs.replace(ours, fee_ppm=99)
    with StoreWriter(path, "node") as writer:
        write(writer, through(CONFIRMED, 10, T0, incoming=True))
        for at_ns, local_msat in ((T0 + HOUR_NS, 5_000), (T0 + 3 * HOUR_NS, 9_000), (T0 + 5 * HOUR_NS, 9_000)):
            writer.write_channels(at_ns, [structs.replace(state(), local_msat=local_msat)], thin=True)
        for at_ns, ppm in ((T0 + HOUR_NS, 5), (T0 + 4 * HOUR_NS, 77)):
            announced = structs.replace(ours, fee_ppm=ppm)
            entry = ChannelPolicies(
                scid=ALIAS, channel_point=POINT, peer_pubkey=PEER, ours=announced, theirs=theirs, capacity_sat=None
            )
            writer.write_policies([entry], at_ns)
        writer.write_closed([closed()])
    seen = set()
    with StoreReader(path) as store:
        for hour in range(7):
            for full, brief in zip(
                store.channels(T0 + hour * HOUR_NS), store.channels_in_brief(T0 + hour * HOUR_NS), strict=True
            ):
                assert (brief.channel_id, brief.scid, brief.channel_point) == (
                    full.channel_id, full.scid, full.channel_point,
                )  # fmt: skip
                assert (brief.peer_id, brief.peer_pubkey, brief.capacity_sat) == (
                    full.peer_id, full.peer_pubkey, full.capacity_sat,
                )  # fmt: skip
                listed = full.listed
                balances = (None, None) if listed is None else (listed.local_msat, listed.remote_msat)
                assert (brief.local_msat, brief.remote_msat, brief.balance_ns) == (*balances, full.state_ns)
                assert brief.closed is (full.closed_height is not None)
                terms = (None, None) if full.ours is None else (full.ours.fee_ppm, full.ours.max_htlc_msat)
                assert (brief.fee_ppm, brief.max_htlc_msat) == terms
                seen.add((brief.local_msat, brief.fee_ppm))
    assert {(None, None), (5_000, 5), (9_000, 77)} <= seen
