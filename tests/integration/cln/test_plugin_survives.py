"""`lnflow-plugin` as the node's own process under everything that can go wrong: it survives, its sums stay those of
the node, and lightningd never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cln.operator import Operator, until
from tests.integration.cln.stored import Stored

from lnflow.domain.errors import StoreError
from lnflow.simulation.lightningd.params import RpcFailure
from lnflow.simulation.lightningd.plugin_host import PluginHost
from lnflow.store.writing import StoreWriter

PATIENCE_S = 20.0  # of a caller; the host kills a plugin that does not stop within ten seconds


@pytest.fixture
async def operator(tmp_path: Path) -> AsyncIterator[Operator]:
    async with Operator(tmp_path) as operator:
        yield operator


@pytest.fixture
async def host(operator: Operator) -> AsyncIterator[PluginHost]:
    host = operator.plugin()
    await host.start()
    yield host
    await host.stop()
    assert (host.killed_for, host.exit_code) == (None, 0)


async def status(host: PluginHost) -> Any:
    return await host.request("lnflow-status", {}, timeout_s=PATIENCE_S)


async def status_when(host: PluginHost, reached: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(60):
        while not reached(seen := await status(host)):
            await asyncio.sleep(0.02)
    return seen


def read(seen: Any) -> bool:
    return bool(seen["status"] and seen["status"]["backfill_done"])


async def equal(operator: Operator, settled: int) -> Stored:
    """Wait until the store holds so many settled forwards; its fees are the node's then."""
    found: list[Stored] = []

    def is_there() -> bool:
        try:
            found[:] = [Stored(operator.database)]
        except StoreError:
            return False
        return found[0].settled == settled

    await until(is_there, 60)
    assert found[0].fees_msat == operator.network.node.fees_collected_msat
    return found[0]


MALFORMED = {
    "no JSON": b"%PDF-1.4\n\n",
    "cut": b"",
    "another shape": b'{"jsonrpc":"2.0","id":"x","result":{"forwards":[{"created_index":"seven"}]}}\n\n',
    "a list": b'{"jsonrpc":"2.0","id":"x","result":[]}\n\n',
    "nothing": b'{"jsonrpc":"2.0","id":"x"}\n\n',
    "an unknown status": (
        b'{"jsonrpc":"2.0","id":"x","result":{"forwards":[{"created_index":1,"in_channel":"1x1x1","in_htlc_id":1,'
        b'"in_msat":5,"status":"teleported","received_time":1.0}]}}\n\n'
    ),
}


@pytest.mark.parametrize("reply", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("method", ["listforwards", "listpeerchannels", "getinfo", "wait"])
async def test_malformed_replies(operator: Operator, method: str, reply: bytes) -> None:
    """From the start on, then mended: everything is there, and the plugin said what was wrong."""
    operator.network.settled(operator.network.bd, 1_000_000)
    if reply:
        operator.server.faults.raw[method] = reply
    else:
        operator.server.faults.cut_after[method] = 40
    host = operator.plugin()
    await host.start()
    await until(lambda: any(m == method for m, _ in operator.commands.calls))
    operator.network.settled(operator.network.bd, 2_000_000)
    assert "collecting" in await status(host)
    operator.server.faults.raw.clear()
    operator.server.faults.cut_after.clear()
    await equal(operator, 2)
    await host.stop()
    assert (host.killed_for, host.exit_code) == (None, 0)


async def test_malformed_notifications_are_dropped_and_counted(operator: Operator, host: PluginHost) -> None:
    await status_when(host, read)
    host.send_bytes(b'garbage \xff\xfe {"method": 5}\n\n{"no": "method"}\n\n')
    for topic in ("connect", "channel_state_changed", "coin_movement", "forward_event"):
        host.notify(topic, {"odd": [1, None, {"shape": "x" * 1000}]})
        host.send({"jsonrpc": "2.0", "method": topic, "params": [1, 2]})
    operator.network.settled(operator.network.bd, 1_000_000)
    seen = await status_when(host, lambda s: s["status"]["attempts"] == 1)
    assert seen["notifications"]["malformed"]["message"] == 2
    assert seen["notifications"]["received"]["coin_movement"] >= 2
    await equal(operator, 1)


@pytest.mark.parametrize("method", ["listforwards", "listpeerchannels", "getinfo", "listnodes", "autoclean-status"])
async def test_a_hanging_rpc(operator: Operator, method: str) -> None:
    """It answers meanwhile, and stops at once although a call hangs; started again, it has lost nothing."""
    operator.network.settled(operator.network.bd, 1_000_000)
    operator.server.faults.hang = {method}
    host = operator.plugin()
    await host.start()  # init waits for no call to the node
    operator.network.settled(operator.network.bd, 2_000_000)
    for _ in range(5):
        await status(host)
    await host.stop()
    assert (host.killed_for, host.exit_code) == (None, 0)
    operator.server.faults.hang = set()
    again = operator.plugin()
    await again.start()
    await equal(operator, 2)
    await again.stop()


async def test_a_hanging_policy_run_does_not_keep_the_node_from_stopping_us(operator: Operator) -> None:
    file = operator.write("charge.config", "[all]\nstrategy = static\nfee_ppm = 7\n")
    host = operator.plugin()
    await host.start()
    await status_when(host, read)
    operator.server.faults.hang = {"check"}
    before = operator.server.connections
    asked = asyncio.create_task(host.request("lnflow-policy-apply", [str(file)], timeout_s=None))
    await until(lambda: operator.server.connections > before + 5)  # facts, and then it hangs
    await status(host)
    await host.stop()
    assert (host.killed_for, host.exit_code) == (None, 0)
    with pytest.raises(RpcFailure):
        await asked
    assert operator.changing_calls() == []


async def test_100000_notifications_at_once(operator: Operator, host: PluginHost) -> None:
    """lightningd writes and goes on: its pipe is drained without pause, hints are shed and counted, facts kept,
    answers come in between, and the sums are the node's."""
    await status_when(host, read)
    network = operator.network
    hint = {"payment_hash": "ab" * 32, "in_channel": "1x1x1", "in_msat": 5, "status": "offered", "received_time": 1.5}
    for number in range(100_000):
        host.notify("forward_event", hint | {"created_index": number + 1, "in_htlc_id": number})
        if number % 1000 == 0:
            network.settled(network.bd, 1_000_000 + number)
            host.notify("connect", {"id": "02" * 33, "direction": "in", "address": {"type": "ipv4"}})
    assert host._process is not None
    assert host._process.stdin is not None
    await asyncio.wait_for(host._process.stdin.drain(), 60)
    seen = await status_when(host, lambda s: s["notifications"]["received"].get("forward_event") == 100_200)
    assert seen["notifications"]["received"]["connect"] == 100
    assert seen["notifications"]["shed"].get("connect") is None
    await equal(operator, 100)


async def test_stop_during_hydration_and_start_again(operator: Operator) -> None:
    """Stopped while history is read, once or oftener, it resumes where it was, and ends with everything once."""
    network = operator.network
    for number in range(12_000):
        network.settled(network.bc1 if number % 2 else network.bd, 10_000 + number)
    stops = 0
    lowest: list[int] = []
    while True:
        operator.server.faults.chunk_bytes = 4096
        host = operator.plugin()
        await host.start()
        before = lowest[-1] if lowest else 12_001
        seen = await status_when(
            host,
            lambda s, b=before: s["status"] and (read(s) or (s["status"]["history_down_to"] or b) < b),  # type: ignore[misc]
        )
        lowest.append(seen["status"]["history_down_to"])
        await host.stop()
        assert (host.killed_for, host.exit_code) == (None, 0)
        if read(seen):
            break
        stops += 1
        network.settled(network.bd, 5_000_000)  # while nobody listens
    assert stops >= 1, "history was read before the first look: more rows are needed"
    assert lowest == sorted(lowest, reverse=True), "history is never begun anew"
    last = operator.plugin()
    await last.start()
    await equal(operator, 12_000 + stops)
    await last.stop()


async def test_another_collector_is_waited_for(operator: Operator) -> None:
    """`lnflow monitor` has the store: the plugin says so, and collects when that has ended."""
    network = operator.network
    process = await operator.start("monitor", "--json", "--all", "--lightning-dir", operator.lightning_dir)
    network.settled(network.bd, 1_000_000)
    await equal(operator, 1)
    host = operator.plugin()
    await host.start()
    seen = await status_when(host, lambda s: s["trouble"] is not None)
    assert "another lnflow is collecting" in seen["trouble"]
    assert seen["collecting"] is False
    ended = await operator.interrupt(process)
    assert ended.code == 0, ended.err
    await status_when(host, lambda s: s["collecting"])
    network.settled(network.bd, 2_000_000)
    await equal(operator, 2)
    await host.stop()


async def test_a_store_that_refuses_is_tried_again(operator: Operator) -> None:
    """A file in the place of its folder: said in status and log, mended without a restart."""
    (operator.network_dir / "lnflow").write_text("in the way")
    host = operator.plugin()
    await host.start()
    seen = await status_when(host, lambda s: s["trouble"] is not None)
    assert "lnflow" in seen["trouble"]
    assert any(level == "error" for level, _ in host.logs)
    (operator.network_dir / "lnflow").unlink()
    operator.network.settled(operator.network.bd, 1_000_000)
    await equal(operator, 1)
    await host.stop()
    StoreWriter(operator.database, "default").close()  # nothing of it is locked or damaged
