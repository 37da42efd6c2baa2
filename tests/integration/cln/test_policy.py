"""The policy engine on Core Lightning: charge-lnd's files, applied, verified by reading back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.cln.network import Network

from lnflow.app import cln_policy_service
from lnflow.config import NodeSettings
from lnflow.domain.time import SystemClock
from lnflow.service.pricing import PolicyService
from lnflow.simulation.lightningd.fee_plugins import FakeClboss, FakeFeeadjuster
from lnflow.simulation.lightningd.socket_server import SocketServer
from lnflow.store.writing import StoreWriter

FILE = """
[default]
strategy = ignore

[to-d]
node.id = {d}
strategy = proportional
min_fee_ppm = 50
max_fee_ppm = 450
base_fee_msat = 0

[to-c]
node.id = {c}
strategy = static
fee_ppm = 333
base_fee_msat = 1000
inbound_fee_ppm = -20
"""


@pytest.fixture
def network() -> Network:
    network = Network()
    network.node.clock = SystemClock().now_ns
    return network


@pytest.fixture
async def policies(server: SocketServer, network: Network, tmp_path: Path) -> AsyncIterator[PolicyService]:
    config = tmp_path / "charge.config"
    config.write_text(FILE.format(d=network.bd.peer_id, c=network.bc1.peer_id))
    database = tmp_path / "store.sqlite"
    StoreWriter(database, "default").close()
    async with cln_policy_service(
        NodeSettings(lightning_dir=str(tmp_path)),
        config=str(config),
        database=database,
        node_name="default",
        stored_name=None,
    ) as service:
        yield service


async def test_a_charge_lnd_file_is_applied_and_read_back(
    policies: PolicyService, network: Network, server: SocketServer
) -> None:
    plan = await policies.apply(act=False)
    assert "setchannel" not in [method for method, _ in server._commands.calls]
    updates = {d.scid for d in plan.channels if d.action == "update"}
    assert updates == {"453x3x0", "453x4x0", "453x5x0"}
    done = await policies.apply(act=True)
    results = {d.scid: d for d in done.channels}
    assert network.bd.terms.base_fee_msat == 0
    assert 50 <= network.bd.terms.fee_ppm <= 450
    assert (network.bc1.terms.fee_ppm, network.bc2.terms.fee_ppm) == (333, 333)
    assert results["453x3x0"].error is None
    assert results["453x5x0"].error is None  # the inbound fee that this node does not have did not stop the rest
    assert network.ab.terms.fee_ppm == 100


async def test_peers_of_clboss_are_left_to_it(policies: PolicyService, network: Network, server: SocketServer) -> None:
    clboss = FakeClboss(server._commands)
    clboss.tags[network.bd.peer_id] = frozenset({"lnfee"})
    done = await policies.apply(act=True)
    errors = {d.scid: d.error for d in done.channels}
    assert errors["453x3x0"] is None
    assert f"clboss-unmanage {network.bc1.peer_id} lnfee" in (errors["453x5x0"] or "")
    assert network.bc1.terms.fee_ppm == 250


async def test_feeadjuster_is_named_with_its_switch(
    policies: PolicyService, network: Network, server: SocketServer
) -> None:
    FakeFeeadjuster(server._commands)
    done = await policies.apply(act=True)
    assert all("feeadjuster-toggle false" in (d.error or "") for d in done.channels if d.action == "update")
    assert network.bd.terms.fee_ppm == 400


async def test_handed_over_while_it_runs_and_given_back(server: SocketServer, network: Network, tmp_path: Path) -> None:
    clboss, adjuster = FakeClboss(server._commands), FakeFeeadjuster(server._commands)
    config = tmp_path / "charge.config"
    config.write_text(FILE.format(d=network.bd.peer_id, c=network.bc1.peer_id))
    StoreWriter(tmp_path / "store.sqlite", "default").close()
    async with cln_policy_service(
        NodeSettings(lightning_dir=str(tmp_path)),
        config=str(config),
        database=tmp_path / "store.sqlite",
        node_name="default",
        stored_name=None,
        hand_over=True,
    ) as service:
        await service.apply(act=True)
    assert network.bc1.terms.fee_ppm == 333
    asked = [p for m, p in server._commands.calls if m == "clboss-unmanage"]
    assert asked[0] in (
        {"nodeid": network.bd.peer_id, "tags": "lnfee"},
        {"nodeid": network.bc1.peer_id, "tags": "lnfee"},
    )
    assert not any(clboss.tags.values())
    assert adjuster.on
