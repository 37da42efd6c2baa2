"""`lnflow monitor --lightning-dir` against the fake node, as an operator types it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from tests.integration.cln.network import Network

from lnflow.domain.time import SystemClock
from lnflow.simulation.lightningd.socket_server import SocketServer


@pytest.fixture
def network() -> Network:
    network = Network()
    network.node.clock = SystemClock().now_ns
    return network


async def lnflow(*arguments: str, home: Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lnflow", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


async def test_monitor_records_history_and_what_happens(server: SocketServer, network: Network, tmp_path: Path) -> None:
    for number in range(30):
        network.settled(network.bd, 1_000_000 + number)
    database = str(tmp_path / "store.sqlite")
    running = asyncio.create_task(
        lnflow(
            "monitor",
            "--lightning-dir",
            str(tmp_path),
            "--database",
            database,
            "--duration",
            "0.002",
            "--json",
            home=tmp_path,
        )
    )
    async with asyncio.timeout(60):
        while not server._commands._waiting:
            await asyncio.sleep(0.05)
    for _ in range(5):
        network.offer(network.bd, 1_900_000_000)
    code, out, err = await running
    assert code == 0, err
    analysis = json.loads(out)
    assert analysis["node"]["implementation"] == "cln"
    assert analysis["settled"]["forwards"] == 30
    causes = {f["cause"]: f["attempts"] for f in analysis["failures"]}
    assert causes["insufficient_balance"] == 5


async def test_a_directory_without_a_node_is_named(tmp_path: Path) -> None:
    code, _, err = await lnflow(
        "monitor", "--lightning-dir", str(tmp_path), "--database", str(tmp_path / "s.sqlite"), home=tmp_path
    )
    assert code == 1
    assert "is lightningd running" in err
    assert "Traceback" not in err
