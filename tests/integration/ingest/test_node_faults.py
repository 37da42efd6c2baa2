"""What a node, its credentials and its clock can do to us: nothing is lost that was told, nothing counted twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fakes import ALICE_SCID, BOB_LARGE_SCID, peer_key, running_lnd
from tests.integration.ingest.live import (
    NODE,
    QUICK,
    collecting,
    counters,
    covered,
    flows,
    forward,
    reader_for,
    refusals,
    refused_forward,
    rows,
    settled_count,
    settled_forward,
    until,
)

from lnflow.domain.errors import ConfigurationError, NodeRefused
from lnflow.domain.time import HOUR_NS, SECOND_NS, SystemClock
from lnflow.ingest.collector import Collector, CollectorTimes
from lnflow.ingest.status import StreamState
from lnflow.nodes.lnd import channel as lnd_channel
from lnflow.nodes.lnd import proto_events
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.reader import LndReader
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import LndServer, Personality
from lnflow.simulation.lnd_server.macaroons import Bakery
from lnflow.simulation.tls import self_signed_certificate
from lnflow.store.writing import StoreWriter

QUIET = CollectorTimes(  # lists and backfills only at the beginning: what is stored came by the stream
    listing_s=600, policies_s=600, history_s=600, lease_s=0.2, proof_s=0.1, backoff_first_s=0.05, backoff_most_s=0.2
)


# -- what the stream says ---------------------------------------------------------------------------------


async def test_events_told_twice_count_once(tmp_path: Path) -> None:
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database, times=QUIET) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        lnd.htlc_events.duplicate_next(20)
        for _ in range(3):
            settled_forward(lnd)
            refused_forward(lnd)
        await running.until(lambda: running.status.attempts == 6, "six attempts")
    assert settled_count(database) == 3
    assert refusals(database) == {"insufficient_balance": 3}


async def test_events_told_last_first_give_the_same_attempts(tmp_path: Path) -> None:
    """A settle before its offer, a final before either."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database, times=QUIET) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        told = running.status.events
        lnd.htlc_events.reverse_next(5)  # offer, settle, final; refusal, final
        settled_forward(lnd, 50_000_000)
        refused_forward(lnd)
        await running.until(lambda: running.status.events == told + 5, "the events")
    assert rows(database, "SELECT outcome, amount_out_msat FROM attempt ORDER BY 1") == [
        (3, 4_000_000_000),
        (4, 50_000_000),
    ]


async def test_messages_that_are_none_are_counted_and_the_stream_goes_on(tmp_path: Path) -> None:
    """Garbage, kinds and numbers from a newer LND, and forwards by no channel: counters, never an end."""
    database = tmp_path / "store.sqlite"
    now_ns = time.time_ns()
    newer = pb.HtlcEvent(
        incoming_channel_id=ALICE_SCID,
        outgoing_channel_id=BOB_LARGE_SCID,
        incoming_htlc_id=900,
        timestamp_ns=now_ns,
        event_type=pb.HtlcEvent.FORWARD,
        link_fail_event=pb.LinkFailEvent(
            info=pb.HtlcInfo(incoming_amt_msat=2_000, outgoing_amt_msat=1_000),
            wire_failure=987,  # type: ignore[arg-type]  # no such number yet
            failure_detail=654,  # type: ignore[arg-type]
        ),
    )
    nowhere = pb.HtlcEvent(
        outgoing_channel_id=BOB_LARGE_SCID,
        timestamp_ns=now_ns,
        event_type=pb.HtlcEvent.FORWARD,
        settle_event=pb.SettleEvent(),
    )
    async with running_lnd() as lnd, collecting(lnd, database, times=QUIET) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        for raw in (b"\xff\xff\xff", b"", newer.SerializeToString(), nowhere.SerializeToString(), b"\x0a"):
            lnd.htlc_events.push(raw)
        settled_forward(lnd)
        await running.until(lambda: running.status.attempts == 2, "what can be understood")
        assert running.status.malformed == 2
        assert running.status.subscriptions == 1
    assert refusals(database) == {"unrecognised": 1}
    assert rows(database, "SELECT wire_code, detail FROM attempt WHERE outcome = 3") == [(987, 654)]
    assert rows(database, "SELECT count(*) FROM channel_scid WHERE scid = 0") == [(0,)]
    assert counters(database)["malformed"] == 2
    assert counters(database)["unrecognised"] >= 2


async def test_amounts_of_a_strangers_choosing_do_not_stop_the_collector(tmp_path: Path) -> None:
    """The amount to pass on is a 64-bit number from the onion; two of them overflow every sum."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database, times=QUIET) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        for htlc, asked in enumerate((2**62, 2**63 - 1, 2**64 - 1), 900):
            event = pb.HtlcEvent(
                incoming_channel_id=ALICE_SCID,
                outgoing_channel_id=BOB_LARGE_SCID,
                incoming_htlc_id=htlc,
                timestamp_ns=time.time_ns(),
                event_type=pb.HtlcEvent.FORWARD,
                link_fail_event=pb.LinkFailEvent(
                    info=pb.HtlcInfo(incoming_amt_msat=1_000, outgoing_amt_msat=asked),
                    wire_failure=pb.Failure.TEMPORARY_CHANNEL_FAILURE,
                    failure_detail=pb.HTLC_EXCEEDS_MAX,
                ),
            )
            lnd.htlc_events.push(event.SerializeToString())
        settled_forward(lnd)
        await running.until(lambda: running.status.attempts == 4, "all of them")
    assert rows(database, "SELECT amount_out_msat FROM attempt WHERE outcome = 3") == [(1_000,)] * 3


def push_beyond_all_sums(lnd: LndServer) -> None:
    for htlc in (900, 901):
        info = pb.HtlcInfo(incoming_amt_msat=2**63 - 1, outgoing_amt_msat=2**63 - 1)
        event = pb.HtlcEvent(
            incoming_channel_id=ALICE_SCID,
            outgoing_channel_id=BOB_LARGE_SCID,
            incoming_htlc_id=htlc,
            timestamp_ns=time.time_ns(),
            event_type=pb.HtlcEvent.FORWARD,
            link_fail_event=pb.LinkFailEvent(info=info, wire_failure=pb.Failure.FEE_INSUFFICIENT),
        )
        lnd.htlc_events.push(event.SerializeToString())


async def test_amounts_above_all_that_lightning_holds_are_counted_and_not_stored(tmp_path: Path) -> None:
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database, times=QUIET) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        push_beyond_all_sums(lnd)
        settled_forward(lnd)
        await running.until(lambda: settled_count(database) == 1, "the forward")
        assert (running.status.malformed, running.status.refused) == (2, 0)


async def test_a_batch_with_what_the_store_will_not_have_loses_only_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that the decoder lets pass and the sums do not hold is counted as refused; the rest is stored."""
    monkeypatch.setattr(proto_events, "MOST_MSAT", 2**63 - 1)
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database, times=QUIET) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        push_beyond_all_sums(lnd)
        for _ in range(3):
            settled_forward(lnd)
        await running.until(lambda: settled_count(database) == 3, "the forwards")
        assert running.status.refused >= 1
    assert counters(database)["refused_by_store"] == running.status.refused


@pytest.mark.parametrize("personality", list(Personality))
async def test_a_settle_whose_offer_we_missed_gets_its_amounts_from_the_history(
    tmp_path: Path, personality: Personality
) -> None:
    database = tmp_path / "store.sqlite"
    async with running_lnd(personality) as lnd:
        key = forward(lnd, 7_000_000, fee_msat=3_123)
        async with collecting(lnd, database) as running:
            await running.until(lambda: running.status.backfill_done, "the first backfill")
            lnd.node.settle(key, lnd.clock_ns())
            await running.until(lambda: sum(f.earned_msat for f in flows(database).values()), "its amounts")
    [out] = [f for f in flows(database).values() if f.out_settled]
    assert (out.out_settled, out.out_settled_msat, out.earned_msat) == (1, 7_000_000, 3_123)


# -- a node that goes and comes -----------------------------------------------------------------------------


async def test_a_locked_wallet_is_waited_for(tmp_path: Path) -> None:
    """LND restarted and nobody unlocked it yet; later somebody does."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        await lnd.stop()
        await lnd.set_state(pb.LOCKED)
        await lnd.start()
        await running.until(lambda: "is locked" in (running.status.trouble or ""), "the trouble in words")
        assert running.status.stream in (StreamState.RETRYING, StreamState.OPEN)
        await lnd.set_state(pb.SERVER_ACTIVE)
        await running.until(lambda: running.status.stream is StreamState.STREAMING, "the stream again")
        refused_forward(lnd)
        await running.until(lambda: running.status.attempts == 1, "what came after")
        assert running.status.trouble is None


async def test_a_revoked_macaroon_is_shown_and_the_new_one_is_taken(tmp_path: Path) -> None:
    """Refused: asked as rarely as possible, until the operator has put a new file in place."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        lnd.bakery = Bakery()
        lnd.drop_streams()
        await running.until(lambda: running.status.stream is StreamState.OPEN, "the breaker")
        assert "does not accept the macaroon" in (running.status.trouble or "")
        lnd.directory.write_macaroons(lnd.bakery)
        await running.until(lambda: running.status.stream is StreamState.STREAMING, "the stream again")
        settled_forward(lnd)
        await running.until(lambda: settled_count(database) == 1, "what came after")
        await running.until(lambda: running.status.trouble is None, "no trouble")


async def test_a_listing_that_is_refused_does_not_end_the_stream(tmp_path: Path) -> None:
    """A macaroon that allows less is trouble that is shown; the HTLCs go on."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd:
        lnd.denied |= {methods.CLOSED_CHANNELS, methods.SUBSCRIBE_PEER_EVENTS, methods.SUBSCRIBE_CHANNEL_GRAPH}
        async with collecting(lnd, database) as running:
            await running.until(lambda: "does not allow" in (running.status.trouble or ""), "the trouble in words")
            settled_forward(lnd)
            await running.until(lambda: settled_count(database) == 1, "the forward")
            assert running.status.stream is StreamState.STREAMING


async def test_an_expired_certificate_is_shown_and_the_new_one_is_taken(tmp_path: Path) -> None:
    database = tmp_path / "store.sqlite"
    now = datetime.now(UTC)
    expired = self_signed_certificate(not_before=now - timedelta(days=500), not_after=now - timedelta(days=1))
    async with running_lnd() as lnd, collecting(lnd, database) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        await lnd.rotate_certificate(expired)
        await running.until(lambda: running.status.stream is StreamState.OPEN, "the breaker")
        assert "certificate" in (running.status.trouble or "")
        await lnd.rotate_certificate()
        await running.until(lambda: running.status.stream is StreamState.STREAMING, "the stream again")
        settled_forward(lnd)
        await running.until(lambda: settled_count(database) == 1, "what came after")


async def test_rotated_credentials_cost_one_reconnection(tmp_path: Path) -> None:
    """LND makes a new certificate and new macaroons while we collect: no operator is needed."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as running:
        lnd.rotate_macaroons()
        await lnd.rotate_certificate()
        await running.until(lambda: running.status.subscriptions == 2, "the stream again")
        settled_forward(lnd)
        await running.until(lambda: settled_count(database) == 1, "what came after")


async def test_another_node_at_the_same_address_ends_the_collection(tmp_path: Path) -> None:
    """What another node forwards must not be counted for ours."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        lnd.node.pubkey = peer_key("another")
        lnd.drop_streams()
        with pytest.raises(ExceptionGroup) as ended:
            await running.ended()
        assert ended.group_contains(ConfigurationError, match="the node changed from .* use a --node name of its own")


async def test_a_node_of_another_network_ends_the_collection(tmp_path: Path) -> None:
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        lnd.node.network = "signet"
        lnd.drop_streams()
        with pytest.raises(ExceptionGroup) as ended:
            await running.ended()
        assert ended.group_contains(ConfigurationError, match=r"\(regtest\) to .* \(signet\)")


async def test_at_the_beginning_a_wrong_network_and_a_wrong_macaroon_are_told_at_once(tmp_path: Path) -> None:
    """Somebody is there to read it: no waiting."""
    async with running_lnd() as lnd, running_lnd() as other:
        elsewhere = LndOptions(lnd_dir=lnd.directory.path, grpc_host=lnd.target, network="regtest")
        lnd.node.network = "signet"
        for options, words in (
            (elsewhere, "is on signet, not on regtest"),
            (
                LndOptions(
                    grpc_host=other.target,
                    cert_path=other.directory.tls_cert,
                    macaroon_path=lnd.directory.macaroon("monitor"),
                ),
                "does not accept the macaroon",
            ),
        ):
            reader = LndReader(discover(options))
            with StoreWriter(tmp_path / "store.sqlite", NODE) as writer, pytest.raises(NodeRefused, match=words):
                await Collector(reader, writer, SystemClock(), times=QUICK).run()
            await reader.close()


async def test_a_stream_that_never_comes_about_opens_the_breaker(tmp_path: Path) -> None:
    """Each try waits longer, with jitter, and whoever looks sees it."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as running:
        lnd.accepts_subscriptions = False
        lnd.drop_streams()
        await running.until(lambda: running.status.failures_in_row >= 7, "seven failures")
        assert running.status.stream is StreamState.OPEN
        assert "shutting down" in (running.status.trouble or "")
        lnd.accepts_subscriptions = True
        await running.until(lambda: running.status.stream is StreamState.STREAMING, "the stream again")
        refused_forward(lnd)
        await running.until(lambda: running.status.attempts == 1, "what came after")


async def test_a_stream_that_ends_as_soon_as_it_stands_is_no_busy_loop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection alone does not reset the waiting: an event does."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database, times=QUIET) as running:
        for number in range(2, 9):
            lnd.drop_streams()
            await running.until(lambda number=number: running.status.subscriptions == number, "the next subscription")  # type: ignore[misc]
            await lnd.htlc_events.wait_for_clients(1)
        assert running.status.failures_in_row == 7
        lost = [record.args for record in caplog.records if record.msg.startswith("htlc stream lost")]
        waited_s = [args[0] for args in lost if isinstance(args, tuple) and isinstance(args[0], float)]
        assert len(waited_s) == 7
        assert all(s >= QUIET.backoff_first_s / 2 for s in waited_s[1:])
        assert len(set(waited_s)) > 1
        refused_forward(lnd)
        await running.until(lambda: running.status.attempts == 1, "an event")
        lnd.drop_streams()
        await running.until(lambda: running.status.subscriptions == 9, "the next subscription")
        assert running.status.failures_in_row == 1


@pytest.mark.slow
async def test_a_frozen_node_is_noticed_and_its_silence_is_not_covered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP leaves the connection open: only the keepalive tells, and the time before it is not claimed."""
    quick = {"grpc.keepalive_time_ms": 10_000, "grpc.http2.ping_timeout_ms": 5_000}  # gRPC allows no less than 10 s
    monkeypatch.setattr(lnd_channel, "_OPTIONS", tuple((k, quick.get(k, v)) for k, v in lnd_channel._OPTIONS))
    database = tmp_path / "store.sqlite"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lnflow.simulation.lnd_server", "--directory", str(tmp_path / "lnd")),
        *("--events", "2000", "--rate", "200", "--channels", "10"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        reader = LndReader(
            discover(LndOptions(lnd_dir=ready["directory"], grpc_host=ready["target"], network="regtest")), attempts=1
        )
        with StoreWriter(database, NODE) as writer:
            collector = Collector(reader, writer, SystemClock(), times=QUICK)
            task = asyncio.create_task(collector.run())
            await until(lambda: task.done() or collector.status.attempts > 50, "some attempts")
            os.kill(process.pid, signal.SIGSTOP)
            frozen_ns = time.time_ns()
            await until(lambda: collector.status.stream is not StreamState.STREAMING, "the keepalive", 60)
            noticed_ns = time.time_ns()
            os.kill(process.pid, signal.SIGCONT)
            await until(lambda: collector.status.subscriptions >= 2, "the stream again", 60)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await reader.close()
    finally:
        process.kill()
        await process.wait()
    assert noticed_ns - frozen_ns > 4 * SECOND_NS
    claimed = [b - a for a, b in ((max(a, frozen_ns), min(b, noticed_ns)) for a, b in covered(database)) if b > a]
    assert sum(claimed) < SECOND_NS  # what was on its way when it froze


# -- clocks ---------------------------------------------------------------------------------------------------


class SetClock(SystemClock):
    """The machine's clock, set by somebody."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


@pytest.mark.parametrize("hours", [5, -5])
async def test_a_clock_that_is_set_neither_crashes_nor_claims_what_never_was(tmp_path: Path, hours: int) -> None:
    """Hours that the clock left out, or passed twice, are not covered for it."""
    database = tmp_path / "store.sqlite"
    clock = SetClock()
    async with (
        running_lnd(clock_ns=clock.now_ns) as lnd,
        collecting(lnd, database, clock=clock, times=QUIET) as running,
    ):
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        settled_forward(lnd)
        await running.until(lambda: running.status.attempts == 1, "an attempt before")
        clock.ahead_ns = hours * HOUR_NS
        since_ns = clock.now_ns()
        settled_forward(lnd)
        refused_forward(lnd)
        await running.until(lambda: running.status.attempts == 3, "attempts after")
        await running.until(
            lambda: any(since_ns < b < since_ns + HOUR_NS for _, b in covered(database)), "coverage after", 60
        )
    assert all(a < b for a, b in covered(database))
    assert sum(b - a for a, b in covered(database)) < HOUR_NS
    assert settled_count(database) == 2


async def test_forwards_of_a_gap_are_found_although_the_clock_had_run_ahead(tmp_path: Path) -> None:
    """A forward dated tomorrow must not make the history begin there."""
    database = tmp_path / "store.sqlite"
    clock = SetClock()
    async with running_lnd(clock_ns=clock.now_ns) as lnd:
        clock.ahead_ns = 24 * HOUR_NS
        settled_forward(lnd)
        async with collecting(lnd, database, clock=clock) as running:
            await running.until(lambda: running.status.backfill_done, "the first backfill")
        clock.ahead_ns = 0
        async with collecting(lnd, database, clock=clock) as running:
            await running.until(lambda: running.status.backfill_done, "the next one")
        clock.ahead_ns = HOUR_NS
        settled_forward(lnd)  # while nobody listens
        clock.ahead_ns = 2 * HOUR_NS
        async with collecting(lnd, database, clock=clock) as running:
            await running.until(lambda: running.status.backfill_done, "the last one")
    assert settled_count(database) == 2


async def test_the_lease_of_a_killed_collector_expires_even_if_the_clock_went_back(tmp_path: Path) -> None:
    database = tmp_path / "store.sqlite"
    now_ns, lease_ns = time.time_ns(), 60 * SECOND_NS
    with StoreWriter(database, NODE) as writer:
        assert writer.take_lease("killed", now_ns, now_ns + lease_ns)
        assert not writer.take_lease("next", now_ns + lease_ns - 1, now_ns + 2 * lease_ns)
        assert writer.take_lease("next", now_ns + lease_ns, now_ns + 2 * lease_ns)
        earlier_ns = now_ns - 3 * HOUR_NS
        assert writer.take_lease("third", earlier_ns, earlier_ns + lease_ns)
        assert not writer.take_lease("fourth", earlier_ns + 1, earlier_ns + 1 + lease_ns)


async def test_a_collector_whose_writer_died_ends_and_says_why(tmp_path: Path) -> None:
    """It must not go on listening with nobody to store."""
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as running:
        await running.until(lambda: running.status.backfill_done, "the first backfill")
        closed = running.collector._thread.submit(StoreWriter.close)  # whatever the reason: what it does next fails
        await asyncio.wrap_future(closed)
        settled_forward(lnd)
        with pytest.raises((ExceptionGroup, asyncio.CancelledError)) as ended:
            await running.ended()
        assert isinstance(ended.value, ExceptionGroup)


async def test_a_collector_that_lost_its_lease_stops(tmp_path: Path) -> None:
    database = tmp_path / "store.sqlite"
    async with running_lnd() as lnd, collecting(lnd, database) as running:
        with StoreWriter(database, NODE) as other:
            assert not other.take_lease("other", time.time_ns(), time.time_ns() + SECOND_NS)
        with StoreWriter(database, NODE) as other:
            assert other.take_lease("other", time.time_ns() + SECOND_NS, time.time_ns() + 5 * SECOND_NS // 4)
        with pytest.raises(ExceptionGroup) as ended:
            await running.ended()
        assert ended.group_contains(ConfigurationError, match="another lnflow took over")
        await reader_for(lnd).close()
