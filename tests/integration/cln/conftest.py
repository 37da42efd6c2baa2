"""A fake lightningd behind its socket, for every test of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.cln.network import Network

from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.socket_server import SocketServer


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
async def server(network: Network, tmp_path: Path) -> AsyncIterator[SocketServer]:
    async with SocketServer(Commands(network.node), tmp_path / "lightning-rpc") as server:
        yield server


@pytest.fixture
def rpc(server: SocketServer) -> SocketRpc:
    return SocketRpc(server.path, allowed=READ_METHODS)
