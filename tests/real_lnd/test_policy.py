"""`lnflow policy` on a real lnd: a charge-lnd file is applied to C, with a macaroon that can change prices only.

C is no router of the scenario, and the scenario is over when its prices change.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.real_lnd.network import Network
from tests.real_lnd.processes import Node
from tests.real_lnd.scenario import Outcome

from lnflow.app import fee_connection
from lnflow.domain.channel import ChannelState, Policy
from lnflow.domain.scid import scid_text
from lnflow.nodes.lnd.credentials import LndConnection
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.fee_writer import LndFeeWriter
from lnflow.nodes.lnd.reader import LndReader
from lnflow.nodes.lnd.wire import methods

FILE = """
[defaults]
base_fee_msat = 777
max_htlc_msat_ratio = 0.5

[towards D]
chan.id = {cd}
strategy = static
fee_ppm = 1234
inbound_base_fee_msat = -3
inbound_fee_ppm = -40
time_lock_delta = 100

[the larger one]
chan.min_capacity = 5_000_000
strategy = proportional
min_fee_ppm = 100
max_fee_ppm = 300

[default]
strategy = ignore
"""


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    document: Any
    err: str


class PolicyCommand:
    """The command as an operator runs it, beside C."""

    def __init__(self, node: Node, folder: Path) -> None:
        self._folder = folder
        self.monitor = node.bake_macaroon(folder / "monitor.macaroon", "info:read", "offchain:read", "onchain:read")
        fees = [f"uri:{method}" for method in sorted(methods.FEE_METHODS)]
        self.fees = node.bake_macaroon(folder / "fees.macaroon", *fees)
        self._reach = ["--lnd-dir", str(node.lnd_dir), "--grpc-host", node.grpc_host, "--network", "simnet"]

    def __call__(self, text: str, *arguments: str) -> Ran:
        file = self._folder / "policy.conf"
        file.write_text(text)
        done = subprocess.run(
            [
                sys.executable, "-m", "lnflow", "policy", "apply", "-c", str(file), "--json", *self._reach,
                "--macaroon-path", str(self.monitor), "--fee-macaroon-path", str(self.fees),
                "--database", str(self._folder / "lnflow.sqlite"), *arguments,
            ],
            capture_output=True, timeout=60, check=False,
            env={k: v for k, v in os.environ.items() if not k.startswith("LNFLOW_")},
        )  # fmt: skip
        return Ran(done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr.decode())


@pytest.fixture(scope="module")
def command(real_network: Network, provoked: Outcome, tmp_path_factory: pytest.TempPathFactory) -> PolicyCommand:
    return PolicyCommand(real_network.c, tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def connection(real_network: Network, command: PolicyCommand) -> LndConnection:
    node = real_network.c
    return discover(LndOptions(lnd_dir=node.lnd_dir, grpc_host=node.grpc_host, macaroon_path=command.monitor))


async def policies(connection: LndConnection) -> tuple[dict[int, Policy], dict[int, ChannelState]]:
    reader = LndReader(connection)
    try:
        states = await reader.list_channels()
        found = {p.scid: p.ours for p in await reader.list_policies(states)}
    finally:
        await reader.close()
    return (
        {scid: structs.replace(p, last_update_s=None) for scid, p in found.items() if p is not None},
        {state.scid: state for state in states},
    )


async def test_a_charge_lnd_file_is_applied_as_planned_and_a_second_run_writes_nothing(
    real_network: Network, command: PolicyCommand, connection: LndConnection
) -> None:
    cd, bc1, bc2 = (real_network.scid(name) for name in ("CD", "BC1", "BC2"))
    text = FILE.format(cd=scid_text(cd))
    before, states = await policies(connection)

    dry = command(text)
    assert (dry.code, dry.document["calls"]) == (0, {"update_channel_policy": 0, "update_chan_status": 0}), dry.err
    assert (await policies(connection))[0] == before

    done = command(text, "--apply")
    assert done.code == 0, done.err
    assert done.document["calls"] == {"update_channel_policy": 2, "update_chan_status": 0}
    after, _ = await policies(connection)
    planned = {entry["scid"]: entry for entry in done.document["channels"]}
    for scid in (cd, bc1):
        usable_sat = states[scid].capacity_sat - states[scid].remote_reserve_sat
        assert after[scid].base_fee_msat == 777
        assert after[scid].max_htlc_msat == usable_sat * 500
        assert after[scid].fee_ppm == planned[scid_text(scid)]["new"]["fee_ppm"]
        assert after[scid].min_htlc_msat == before[scid].min_htlc_msat
    assert (after[cd].fee_ppm, after[cd].time_lock_delta) == (1234, 100)
    assert (after[cd].inbound_base_fee_msat, after[cd].inbound_fee_ppm) == (-3, -40)
    assert 100 <= after[bc1].fee_ppm <= 300
    assert after[bc1].time_lock_delta == before[bc1].time_lock_delta
    assert after[bc2] == before[bc2]

    again = command(text, "--apply")
    assert again.code == 0, again.err
    assert {entry["action"] for entry in again.document["channels"]} == {"none"}
    assert again.document["calls"] == {"update_channel_policy": 0, "update_chan_status": 0}


async def test_an_inbound_fee_that_this_node_does_not_take_is_reported_per_channel(
    command: PolicyCommand, connection: LndConnection
) -> None:
    before, _ = await policies(connection)
    text = "[all]\nstrategy = static\ninbound_fee_ppm = 10\n"
    refused = command(text, "--apply")
    assert refused.code == 0, refused.err
    assert {entry["action"] for entry in refused.document["channels"]} == {"refused"}
    insisted = command("[lnflow]\npositive_inbound_fees = true\n" + text, "--apply")
    assert insisted.code == 1
    errors = [entry["error"] for entry in insisted.document["channels"] if entry["action"] == "error"]
    assert errors
    assert all("positive values for inbound fee" in error for error in errors)
    assert (await policies(connection))[0] == before


async def test_failed_updates_are_told(
    real_network: Network, command: PolicyCommand, connection: LndConnection
) -> None:
    before, states = await policies(connection)
    bc2 = real_network.scid("BC2")
    writer = LndFeeWriter(fee_connection(connection, command.fees))
    try:
        too_large = structs.replace(before[bc2], max_htlc_msat=states[bc2].capacity_sat * 2000)
        said = await writer.write_policy(states[bc2].channel_point, before[bc2], too_large)
        unknown = await writer.write_policy("ab" * 32 + ":0", before[bc2], before[bc2])
    finally:
        await writer.close()
    assert said is not None
    assert said.startswith("invalid parameter:")
    assert unknown is not None
    assert unknown.startswith("the node has no such channel")
    assert (await policies(connection))[0] == before


async def test_disabling_and_enabling(real_network: Network, command: PolicyCommand, connection: LndConnection) -> None:
    bc2 = real_network.scid("BC2")
    point = real_network.channels["BC2"].point
    writer = LndFeeWriter(fee_connection(connection, command.fees))
    try:
        assert await writer.set_enabled(point, False) is None
        assert (await policies(connection))[0][bc2].disabled
        assert await writer.set_enabled(point, True) is None
        assert not (await policies(connection))[0][bc2].disabled
    finally:
        await writer.close()
