"""The load server: whole HTLCs, real macaroons, gRPC's own client, and every event in order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict
from pathlib import Path

import grpc
import pytest
from tests.fakes import NOW_NS
from tests.unit.simulation_server.client import connected

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import LndNode, LndServer
from lnflow.simulation.lnd_server.http2 import decode_headers
from lnflow.simulation.lnd_server.living import busy_node, living_htlcs
from lnflow.simulation.lnd_server.load import LoadServer

COUNT = 5_000


def busy() -> tuple[LndNode, list[bytes]]:
    node = busy_node(LndNode(), channels=20, now_ns=NOW_NS)
    return node, list(living_htlcs(node, COUNT, start_ns=NOW_NS))


def test_every_htlc_is_whole_and_the_history_agrees() -> None:
    node, prepared = busy()
    by_htlc: dict[tuple[int, int], list[str]] = defaultdict(list)
    for raw in prepared:
        event = pb.HtlcEvent.FromString(raw)
        by_htlc[event.incoming_channel_id, event.incoming_htlc_id].append(str(event.WhichOneof("event")))
    lives = {
        ("forward_event", "settle_event", "final_htlc_event"),
        ("forward_event", "forward_fail_event", "final_htlc_event"),
        ("link_fail_event", "final_htlc_event"),
    }
    unfinished = [told for told in by_htlc.values() if tuple(told) not in lives]
    assert {tuple(told) for told in by_htlc.values()} >= lives
    assert len(unfinished) <= 40
    assert sum("settle_event" in told for told in by_htlc.values()) == len(node.forwards)


def test_the_same_seed_gives_the_same_events() -> None:
    assert busy()[1] == busy()[1]


@pytest.mark.parametrize("rate", [None, 50_000.0])
async def test_a_grpc_client_reads_all_events_in_order(tmp_path: Path, rate: float | None) -> None:
    node, prepared = busy()
    lnd = LndServer(node, tmp_path)
    server = LoadServer(lnd, prepared, rate=rate)
    await server.start()
    lnd.port = server.port
    async with connected(lnd, macaroon="monitor") as client:
        info = await client.call(methods.GET_INFO, pb.GetInfoRequest(), pb.GetInfoResponse)
        assert info.num_active_channels == 20
        call = client.stream(methods.SUBSCRIBE_HTLC_EVENTS)
        assert pb.HtlcEvent.FromString(await call.read()).HasField("subscribed_event")
        assert [await call.read() for _ in range(COUNT)] == prepared
        call.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.call(methods.UPDATE_CHANNEL_POLICY, pb.PolicyUpdateRequest(), pb.PolicyUpdateResponse)
        assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.UNKNOWN, "permission denied")
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await client.call("/lnrpc.Lightning/Nothing", pb.GetInfoRequest(), pb.GetInfoResponse)
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
    await server.stop()


async def test_it_runs_in_a_process_of_its_own_and_can_be_frozen(tmp_path: Path) -> None:
    command = ["-m", "lnflow.simulation.lnd_server", "--directory", str(tmp_path), "--events", "300", "--channels", "4"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, env=os.environ
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        assert ready["pid"] == process.pid
        lnd = LndServer(LndNode(), tmp_path)
        lnd.port = int(ready["target"].rpartition(":")[2])
        async with connected(lnd) as client:
            call = client.stream(methods.SUBSCRIBE_HTLC_EVENTS)
            assert len([await call.read() for _ in range(301)]) == 301
            call.cancel()
            os.kill(ready["pid"], signal.SIGSTOP)
            frozen = asyncio.ensure_future(client.call(methods.GET_STATE, pb.GetStateRequest(), pb.GetStateResponse))
            await asyncio.wait([frozen], timeout=0.2)
            assert not frozen.done()
            os.kill(ready["pid"], signal.SIGCONT)
            assert (await frozen).state == pb.SERVER_ACTIVE
    finally:
        process.kill()
        await process.wait()


def test_header_blocks_as_grpc_sends_them() -> None:
    """Static fields, literals with and without indexing, a table size update, a long value."""
    block = b"\x3f\xe1\x1f" + b"\x83\x87" + b"\x44\x02/x" + b"\x40\x08macaroon\x7f\x49" + b"a" * 200 + b"\x00\x01k\x01v"
    assert list(decode_headers(block)) == [(":path", "/x"), ("macaroon", "a" * 200), ("k", "v")]


def test_huffman_coding_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="Huffman"):
        list(decode_headers(b"\x44\x81\x63"))
