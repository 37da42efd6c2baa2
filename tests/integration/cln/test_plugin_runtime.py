"""The plugin runtime as a real process of the fake node: it survives everything and delays nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cln.network import Network

from lnflow.simulation.lightningd.params import RpcFailure
from lnflow.simulation.lightningd.plugin_host import PluginHost
from lnflow.simulation.lightningd.socket_server import SocketServer

PROGRAM = Path(__file__).with_name("plugin_program.py")
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def host(server: SocketServer, tmp_path: Path) -> AsyncIterator[PluginHost]:
    host = PluginHost(
        server._commands,
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy;"
         f" runpy.run_path({str(PROGRAM)!r}, run_name='__main__')"],
        lightning_dir=tmp_path,
        rpc_file="lightning-rpc",
    )  # fmt: skip
    await host.start()
    yield host
    await host.stop()


async def status(host: PluginHost) -> Any:
    return await host.request("lnflow-status", {}, timeout_s=20)


async def until(host: PluginHost, reached: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(30):
        while True:
            seen = await status(host)
            if reached(seen):
                return seen
            await asyncio.sleep(0.02)


async def test_the_manifest_hooks_nothing_and_can_be_started_at_any_time(host: PluginHost) -> None:
    assert host.manifest["hooks"] == []
    assert host.manifest["dynamic"] is True
    assert host.manifest["nonnumericids"] is True
    assert {"lnflow-status", "lnflow-long"} <= {m["name"] for m in host.manifest["rpcmethods"]}
    assert host.disabled is None


async def test_forwards_are_followed_and_lightningd_reads_only_the_protocol(host: PluginHost, network: Network) -> None:
    for number in range(20):
        network.settled(network.bd, 1_000_000 + number)
    seen = await until(host, lambda s: s["rows"] == 20)
    assert seen["received"]["forward_event"] == 40
    assert host.killed_for is None
    assert ("info", "started: database=lnflow.sqlite") in host.logs


async def test_methods_take_parameters_by_name_and_by_place(host: PluginHost) -> None:
    assert await host.request("lnflow-long", {"steps": 2}, timeout_s=10) == {"done": 2, "note": None}
    assert await host.request("lnflow-long", [3, "x"], timeout_s=10) == {"done": 3, "note": "x"}
    for wrong in ({}, {"steps": 1, "colour": 2}, [1, 2, 3]):
        with pytest.raises(RpcFailure) as caught:
            await host.request("lnflow-long", wrong, timeout_s=10)
        assert caught.value.code == -32602
    with pytest.raises(RpcFailure) as caught:
        await host.request("lnflow-nothing", {}, timeout_s=10)
    assert caught.value.code == -32601


async def test_a_long_method_tells_its_progress(host: PluginHost) -> None:
    await host.request("lnflow-long", {"steps": 5}, timeout_s=10, progress=True)
    told = host.progress_of("lnflow-long")
    assert [(p["num"], p["total"]) for p in told] == [(n, 5) for n in range(5)]


async def test_through_the_nodes_own_socket(host: PluginHost, server: SocketServer) -> None:
    """What an operator types in lightning-cli."""
    assert (await server._commands.call("lnflow-status", {}))["malformed"] == {}


async def test_errors_are_told_and_bugs_do_not_end_the_plugin(host: PluginHost) -> None:
    with pytest.raises(RpcFailure, match="nothing is configured"):
        await host.request("lnflow-bug", {"kind": "ours"}, timeout_s=10)
    with pytest.raises(RpcFailure, match="KeyError") as caught:
        await host.request("lnflow-bug", ["other"], timeout_s=10)
    assert "secret" not in caught.value.message
    assert (await status(host))["rows"] == 0


async def test_malformed_input_is_dropped_and_counted(host: PluginHost, network: Network) -> None:
    host.send_bytes(b'garbage \xff\xfe {"method": 5}\n\n{"no": "method"}{"jsonrpc":"2.0","id":[],"method":"x"}\n\n')
    host.send_bytes(b'{"jsonrpc": "2.0", "method": "connect", "params": {"connect": {"id": "')
    host.send_bytes(b'\xc3"}}}\n\n')
    network.settled(network.bd, 1_000_000)
    seen = await until(host, lambda s: s["rows"] == 1)
    assert seen["malformed"]["message"] == 3
    assert host.killed_for is None


async def test_a_hanging_rpc_stops_neither_answers_nor_notifications(
    host: PluginHost, server: SocketServer, network: Network
) -> None:
    server.faults.hang = {"getinfo"}
    with pytest.raises(RpcFailure, match="no answer"):
        await host.request("lnflow-hang", {}, timeout_s=10)
    hanging = asyncio.create_task(host.request("lnflow-hang", {}, timeout_s=10))
    network.settled(network.bd, 1_000_000)
    await until(host, lambda s: s["rows"] == 1)
    with pytest.raises(RpcFailure):
        await hanging


async def test_100000_notifications_at_once(host: PluginHost) -> None:
    """Drained without pause, answered in between, hints shed and counted, facts kept."""
    event = {"created_index": 1, "payment_hash": "ab" * 32, "in_channel": "1x1x1", "in_msat": 5, "status": "offered"}
    for number in range(100_000):
        host.notify("forward_event", event | {"in_htlc_id": number, "received_time": 1.5})
        if number % 1000 == 0:
            host.notify("connect", {"id": "02" * 33, "direction": "in", "address": {"type": "ipv4"}})
    began = time.monotonic()
    answer = await host.request("lnflow-long", {"steps": 1}, timeout_s=60)
    assert answer["done"] == 1
    seen = await until(host, lambda s: s["received"].get("forward_event") == 100_000)
    assert seen["received"]["connect"] == 100
    assert seen["shed"].get("connect") is None
    assert seen["taken"] + sum(seen["shed"].values()) == 100_100
    assert time.monotonic() - began < 30
    assert host.killed_for is None


async def test_stop_is_clean_in_the_middle_of_reading(host: PluginHost, server: SocketServer, network: Network) -> None:
    for number in range(500):
        network.settled(network.bd, 1_000_000 + number)
    server.faults.chunk_bytes = 10
    await host.stop()
    assert (host.exit_code, host.killed_for) == (0, None)


async def test_a_closed_stdin_ends_it_too(host: PluginHost) -> None:
    assert host._process is not None
    assert host._process.stdin is not None
    host._process.stdin.close()
    assert await asyncio.wait_for(host._process.wait(), 10) == 0
