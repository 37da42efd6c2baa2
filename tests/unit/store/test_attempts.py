"""One HTLC = one row, and rollups equal rows, however events are cut, repeated and reordered."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import IN, OUT, T0, check_rollups, downstream, dump, offered, refused, settled, write

from lnflow.domain.causes import Cause
from lnflow.domain.htlc import DownstreamFailed, Forward, HtlcEvent, Offered, Refused, Resolved, Settled
from lnflow.domain.time import HOUR_NS, MINUTE_NS, SECOND_NS
from lnflow.ingest.join import Joiner
from lnflow.store.writing import StoreWriter

CAUSES = st.sampled_from([Cause.INSUFFICIENT_BALANCE, Cause.FEE_INSUFFICIENT, Cause.UNKNOWN_NEXT_PEER])


@st.composite
def histories(draw: st.DrawFn) -> list[HtlcEvent]:
    """A few HTLCs over some hours, each with the events of one of LND's sequences."""
    events: list[HtlcEvent] = []
    for htlc in range(draw(st.integers(1, 7))):
        in_scid = draw(st.sampled_from([IN, IN + 1]))
        out_scid = draw(st.sampled_from([OUT, OUT + 1, OUT + 2]))
        at = T0 + draw(st.integers(0, 8 * 60)) * MINUTE_NS
        end = at + draw(st.integers(1, 2 * 60)) * MINUTE_NS
        out_msat = draw(st.sampled_from([1_000_000, 1_010_000, 50_000_000]))
        match draw(st.sampled_from(["settled", "downstream", "refused", "late", "pending", "orphan", "chain"])):
            case "settled":
                events += [
                    Offered(in_scid, htlc, at, out_scid, htlc, out_msat + 500, out_msat),
                    Settled(in_scid, htlc, end, out_scid, htlc),
                    Resolved(in_scid, htlc, end + SECOND_NS, True, True),
                ]
            case "downstream":
                events += [
                    Offered(in_scid, htlc, at, out_scid, htlc, out_msat + 500, out_msat),
                    DownstreamFailed(in_scid, htlc, end, out_scid, htlc),
                    Resolved(in_scid, htlc, end + SECOND_NS, False, True),
                ]
            case "refused":
                events += [
                    Refused(in_scid, htlc, at, out_scid, draw(CAUSES), out_msat + 500, out_msat, 15, 6),
                    Resolved(in_scid, htlc, at + SECOND_NS, False, True),
                ]
            case "late":  # offered, offered again, then given up
                events += [
                    Offered(in_scid, htlc, at, out_scid, htlc, out_msat + 500, out_msat),
                    Offered(in_scid, htlc, at + SECOND_NS, OUT + 2, htlc + 1, out_msat + 500, out_msat),
                    Refused(in_scid, htlc, end, 0, Cause.HTLC_ADD_FAILED, None, None, 15, 8),
                ]
            case "pending":
                events.append(Offered(in_scid, htlc, at, out_scid, htlc, out_msat + 500, out_msat))
            case "orphan":  # its offer was before our time
                events.append(Settled(in_scid, htlc, end, out_scid, htlc))
            case "chain":  # settled on the chain: only a final event tells
                events += [
                    Offered(in_scid, htlc, at, out_scid, htlc, out_msat + 500, out_msat),
                    Resolved(in_scid, htlc, end, True, False),
                ]
    return events


def stored(events: list[HtlcEvent], cuts: list[int], upkeep_after: int) -> dict[str, list[str]]:
    """Store events in batches that end at `cuts`; a final event never starts an attempt, so it comes last."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        with StoreWriter(path, "node") as writer:
            # The channels are known, as from a listing: of two offers in one batch only the later proves its channel.
            write(writer, [Offered(IN, 90 + n, T0, OUT + n, 90 + n, 2_000, 1_000) for n in range(3)])
            bounds = [0, *sorted(cuts), len(events)]
            for number, (a, b) in enumerate(pairwise(bounds)):
                write(writer, events[a:b])
                if number == upkeep_after:
                    writer.upkeep(T0 + 5 * HOUR_NS)
            writer.upkeep(T0 + 48 * HOUR_NS)
        check_rollups(path)
        return dump(path)


@settings(max_examples=30, deadline=None)
@given(histories(), st.data())
def test_the_order_cut_and_repetition_of_events_is_no_matter(events: list[HtlcEvent], data: st.DataObject) -> None:
    """Any order (finals after their starts), any batches and any repetition give the same rows and rollups."""
    expected = stored(events, [], 0)
    again = data.draw(st.lists(st.sampled_from(events), max_size=5))
    shuffled = data.draw(st.permutations(events + again))
    shuffled.sort(key=lambda e: isinstance(e, Resolved))
    cuts = data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4))
    assert stored(shuffled, cuts, data.draw(st.integers(0, 4))) == expected


def test_a_settled_forward_is_one_attempt_with_its_fee(tmp_path: Path) -> None:
    """Three events of one HTLC are one row."""
    with StoreWriter(tmp_path / "s", "node") as writer:
        write(writer, [offered(1, fee_msat=123)])
        write(writer, [settled(1)])
        write(writer, [Resolved(IN, 1, T0 + 2 * SECOND_NS, True, True)])
        rows = writer._con.execute(
            "SELECT outcome, amount_in_msat - amount_out_msat, arrived_ns, resolved_ns FROM attempt"
        ).fetchall()
    assert rows == [(4, 123, T0, T0 + SECOND_NS)]


def test_a_final_event_alone_is_no_attempt(tmp_path: Path) -> None:
    """Receives have final events too."""
    with StoreWriter(tmp_path / "s", "node") as writer:
        write(writer, [offered(1), Resolved(IN, 2, T0, True, True), Resolved(IN + 9, 1, T0, True, True)])
        assert writer._con.execute("SELECT in_htlc_id FROM attempt").fetchall() == [(1,)]


def test_an_outgoing_amount_above_the_incoming_one_offers_no_fee(tmp_path: Path) -> None:
    """The wire is unsigned: the difference is never negative, and never enormous."""
    with StoreWriter(tmp_path / "s", "node") as writer:
        write(writer, [refused(1, fee_msat=-500)])
        assert writer._con.execute("SELECT fee_msat, msat FROM refusal_hour").fetchall() == [(0, 70_000_000)]


def test_a_refusal_without_amounts_counts_without_money(tmp_path: Path) -> None:
    """HTLC_ADD_FAILED says nothing of amounts: unknown, not zero."""
    with StoreWriter(tmp_path / "s", "node") as writer:
        write(writer, [refused(1, out_msat=None, cause=Cause.HTLC_ADD_FAILED)])
        assert writer._con.execute("SELECT attempts, msat, fee_msat FROM refusal_hour").fetchall() == [(1, 0, 0)]
        writer.upkeep(T0 + HOUR_NS)
        assert writer._con.execute("SELECT amount_out_msat FROM demand").fetchall() == [(None,)]


def test_history_and_stream_are_one_row_and_the_history_dates_it(tmp_path: Path) -> None:
    """ForwardingHistory's time wins over the event's, and moves the forward to its hour."""
    late = T0 + HOUR_NS + SECOND_NS
    for order in (0, 1):
        path = tmp_path / f"{order}.sqlite"
        with StoreWriter(path, "node") as writer:
            history = Joiner()
            history.add_forward(Forward(IN, OUT, T0 + HOUR_NS - 1, 70_007_000, 70_000_000, 1, 1))
            facts = history.take()
            if order:
                writer.write_batch(facts)
            write(writer, [offered(1), settled(1, late)])
            writer.write_batch(facts)
            assert writer._con.execute(
                "SELECT hour, sum(out_settled), sum(out_settled_live) FROM channel_hour"
                " GROUP BY hour HAVING sum(out_settled) <> 0"
            ).fetchall() == [(T0 // HOUR_NS, 1, 1)]


def test_a_hundred_thousand_invented_ids_share_one_bucket(tmp_path: Path) -> None:
    """Sender-chosen ids neither grow the dictionary nor the rollups."""
    with StoreWriter(tmp_path / "s", "node") as writer:
        for first in range(0, 100_000, 10_000):
            write(
                writer,
                [refused(n, out=(900 << 40) + n, cause=Cause.UNKNOWN_NEXT_PEER) for n in range(first, first + 10_000)],
            )
        [channels] = writer._con.execute("SELECT count(*) FROM channel").fetchone()
        [hours] = writer._con.execute("SELECT count(*) FROM refusal_hour").fetchone()
        assert len(writer._channels._ids) == 1
    assert (channels, hours) == (2, 1)


def test_an_unknown_id_that_turns_out_to_be_ours_takes_its_attempts_along(tmp_path: Path) -> None:
    """Attempts for an id nobody knew move, rollups and demand included, when an event proves it ours."""
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        write(writer, [refused(1, cause=Cause.UNKNOWN_NEXT_PEER)])
        write(writer, [offered(2, T0 + HOUR_NS)])
        writer.upkeep(T0 + 2 * HOUR_NS)
        ours = writer._channels.ids.get(OUT)
        assert writer._con.execute("SELECT DISTINCT chan FROM refusal_hour WHERE attempts <> 0").fetchall() == [(ours,)]
        assert writer._con.execute("SELECT out_chan FROM demand").fetchall() == [(ours,)]
    check_rollups(path)


def test_a_downstream_failure_takes_its_amount_from_the_offer(tmp_path: Path) -> None:
    """The failure event has no amount; the row has."""
    with StoreWriter(tmp_path / "s", "node") as writer:
        write(writer, [downstream(1)])
        write(writer, [offered(1, out_msat=5_000_000)])
        assert writer._con.execute("SELECT outcome, amount_out_msat FROM attempt").fetchall() == [(2, 5_000_000)]


def test_a_cause_that_could_be_told_beats_unattributed_in_any_order(tmp_path: Path) -> None:
    """Core Lightning's own list does not tell what our look at its channels did."""
    told, untold = refused(1, cause=Cause.INSUFFICIENT_BALANCE), refused(1, cause=Cause.UNATTRIBUTED)
    for number, batches in enumerate(([[told], [untold]], [[untold], [told]], [[told, untold]], [[untold, told]])):
        with StoreWriter(tmp_path / str(number), "node") as writer:
            for batch in batches:
                write(writer, batch)
            assert writer._con.execute("SELECT cause FROM attempt").fetchall() == [(Cause.INSUFFICIENT_BALANCE,)]


def test_a_channel_that_an_htlc_was_first_offered_by_is_ours_however_events_are_cut(tmp_path: Path) -> None:
    """Offered by one channel, then by another: the first is proven too, even if one batch holds both offers."""
    wanted = refused(1, out=OUT, cause=Cause.UNKNOWN_NEXT_PEER)
    first, second = offered(2, T0 + SECOND_NS, out=OUT), offered(2, T0 + 2 * SECOND_NS, out=OUT + 1)
    cuts: list[list[list[HtlcEvent]]] = [
        [[wanted, first, second]],
        [[wanted], [first], [second]],
        [[second, first, wanted]],
    ]
    for number, batches in enumerate(cuts):
        with StoreWriter(tmp_path / str(number), "node") as writer:
            for batch in batches:
                write(writer, batch)
            [chan] = writer._con.execute("SELECT out_chan FROM attempt WHERE in_htlc_id = 1").fetchone()
            assert chan != 0, number
