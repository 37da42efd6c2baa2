"""Our client against the fake node: faults of nodes and networks, time-outs, cancellation, permissions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.integration.cln.network import Network

from lnflow.domain.errors import NodeRefused, NodeUnavailable
from lnflow.nodes.cln.errors import OutcomeUnknown, RpcRefused
from lnflow.nodes.cln.methods import FEE_METHODS, READ_METHODS
from lnflow.nodes.cln.rest import RestRpc
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.nodes.cln.wire import ForwardPage, ForwardRow, GetInfo, PeerChannel, WaitReply
from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.rest_server import RestServer, Rune
from lnflow.simulation.lightningd.socket_server import Faults, SocketServer

WAIT = {"subsystem": "forwards", "indexname": "created"}


async def rows_of(rpc: ClnRpc) -> list[ForwardRow]:
    return [r async for batch in rpc.elements("listforwards", {}, "forwards", ForwardRow) for r in batch]


async def test_a_page_and_a_stream_say_the_same(rpc: SocketRpc, network: Network) -> None:
    for number in range(30):
        network.settled(network.bd, 1_000_000 + number)
    page = await rpc.call("listforwards", {"index": "created", "start": 1, "limit": 100}, ForwardPage)
    assert len(page.forwards) == 30
    assert page.forwards == await rows_of(rpc)


@pytest.mark.parametrize("chunk_bytes", [1, 3, 4096])
async def test_replies_may_come_in_any_pieces(
    chunk_bytes: int, server: SocketServer, rpc: SocketRpc, network: Network
) -> None:
    network.settled(network.bd, 1_000_000)
    server.faults.chunk_bytes = chunk_bytes
    assert (await rpc.call("getinfo", {}, GetInfo)).alias == "B"
    assert len(await rows_of(rpc)) == 1


async def test_two_replies_in_one_packet_and_notices_between(server: SocketServer, rpc: SocketRpc) -> None:
    info = {"id": "02", "alias": "é", "version": "v26", "blockheight": 1, "network": "x", "fees_collected_msat": 0}
    notice = msgspec.json.encode({"jsonrpc": "2.0", "method": "progress", "params": {"num": 1}})
    reply = msgspec.json.format(msgspec.json.encode({"id": 1, "result": info}), indent=2)
    server.faults.raw["getinfo"] = notice + b"\n\n" + reply  # no newlines at its end
    assert (await rpc.call("getinfo", {}, GetInfo)).alias == "é"


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"not json}\n\n", "closed|cannot be read"),
        (b'{"id": 1}\n\n', "neither result nor error"),
        (b'{"id": 1, "result": {"alias": 5}}\n\n', "unexpected shape"),
        (b'{"id": 1, "result": {"id": 5 5}}\n\n', "cannot be read"),
    ],
)
async def test_a_malformed_reply_is_an_error_and_never_a_zero(
    raw: bytes, what: str, server: SocketServer, rpc: SocketRpc
) -> None:
    server.faults.raw["getinfo"] = raw
    server.faults.cut_after["getinfo"] = len(raw)
    with pytest.raises(NodeUnavailable, match=what):
        await rpc.call("getinfo", {}, GetInfo)


async def test_a_connection_cut_in_the_middle_leaves_the_outcome_unknown(
    server: SocketServer, rpc: SocketRpc, network: Network
) -> None:
    network.settled(network.bd, 1_000_000)
    server.faults.cut_after = {"getinfo": 40, "listforwards": 90}
    with pytest.raises(OutcomeUnknown):
        await rpc.call("getinfo", {}, GetInfo)
    with pytest.raises(OutcomeUnknown):
        await rows_of(rpc)


async def test_a_hanging_call_times_out_and_delays_no_other(server: SocketServer, rpc: SocketRpc) -> None:
    server.faults.hang = {"listpeerchannels"}
    hanging = asyncio.create_task(rpc.call("listpeerchannels", {}, dict, timeout_s=0.3))
    async with asyncio.timeout(5):
        assert (await rpc.call("getinfo", {}, GetInfo)).alias == "B"
        assert not hanging.done()
        with pytest.raises(OutcomeUnknown, match="no answer"):
            await hanging
    with pytest.raises(OutcomeUnknown, match="stopped"):
        async for _ in rpc.elements("listpeerchannels", {}, "channels", PeerChannel, timeout_s=0.05):
            pass


async def test_a_cancelled_wait_closes_its_connection(server: SocketServer, rpc: SocketRpc) -> None:
    waiting = asyncio.create_task(rpc.call("wait", WAIT | {"nextvalue": 5}, WaitReply, timeout_s=None))
    async with asyncio.timeout(5):
        while not server._commands.calls:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        while server._commands._waiting:
            await asyncio.sleep(0)


async def test_errors_of_the_node_keep_their_code(server: SocketServer, rpc: SocketRpc) -> None:
    with pytest.raises(RpcRefused) as caught:
        await rpc.call("listforwards", {"start": 5}, ForwardPage)
    assert caught.value.code == -32602
    with pytest.raises(RpcRefused):
        async for _ in rpc.elements("listforwards", {"start": 5}, "forwards", ForwardRow):
            pass
    server._commands.stopping = True
    with pytest.raises(NodeUnavailable, match="shutting down"):
        await rpc.call("getinfo", {}, GetInfo)


async def test_a_missing_socket_says_what_to_look_at(tmp_path: Path) -> None:
    rpc = SocketRpc(tmp_path / "none", allowed=READ_METHODS)
    with pytest.raises(NodeUnavailable, match="is it running"):
        await rpc.call("getinfo", {}, GetInfo)


async def test_a_reader_cannot_write(server: SocketServer, rpc: SocketRpc) -> None:
    with pytest.raises(NodeRefused, match="nothing was sent"):
        await rpc.call("setchannel", {"id": "all", "feeppm": 1}, dict)
    assert server.connections == 0
    assert not READ_METHODS & {"setchannel", "pay", "xpay", "sendpay", "withdraw", "close", "createrune"}


RUNES = {
    "reader": Rune(methods=READ_METHODS),
    "fees": Rune(methods=FEE_METHODS, below={"feeppm": 1001}),
}


async def test_clnrest_says_the_same_as_the_socket(rpc: SocketRpc, network: Network) -> None:
    for number in range(5):
        network.settled(network.bd, 1_000_000 + number)
    async with RestServer(Commands(network.node), RUNES) as server:
        rest = RestRpc(server.url, "reader", allowed=READ_METHODS)
        assert await rest.call("getinfo", {}, GetInfo) == await rpc.call("getinfo", {}, GetInfo)
        assert await rows_of(rest) == await rows_of(rpc)
        with pytest.raises(RpcRefused) as caught:
            await rest.call("listforwards", {"start": 5}, ForwardPage)
        assert caught.value.code == -32602
        with pytest.raises(OutcomeUnknown):
            await rest.call("wait", WAIT | {"nextvalue": 9}, WaitReply, timeout_s=0.05)
        await rest.close()


async def test_a_rune_that_does_not_allow_it_is_named_and_not_shown(network: Network) -> None:
    async with RestServer(Commands(network.node), RUNES) as server:
        rest = RestRpc(server.url, "secret-rune", allowed=READ_METHODS)
        with pytest.raises(NodeRefused, match="rune does not allow") as caught:
            await rest.call("getinfo", {}, GetInfo)
        assert "secret-rune" not in str(caught.value)
        await rest.close()
        fees = RestRpc(server.url, "fees", allowed=FEE_METHODS)
        with pytest.raises(NodeRefused, match="feeppm"):
            await fees.call("setchannel", {"id": "453x3x0", "feeppm": 5000}, dict)
        assert network.bd.terms.fee_ppm == 400
        await fees.call("setchannel", {"id": "453x3x0", "feeppm": 900}, dict)
        assert network.bd.terms.fee_ppm == 900
        await fees.close()


async def test_clnrest_away_is_told_apart_from_no(network: Network) -> None:
    async with RestServer(Commands(network.node), RUNES) as server:
        url = server.url
    rest = RestRpc(url, "reader", allowed=READ_METHODS)
    with pytest.raises(NodeUnavailable, match="clnrest-port"):
        await rest.call("getinfo", {}, GetInfo)
    await rest.close()


async def test_faults_are_off_by_default(server: SocketServer) -> None:
    assert server.faults == Faults()
