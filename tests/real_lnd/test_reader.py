"""Our LND adapter against a real lnd: the same facts as its REST tells, with the credential we advise."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.real_lnd.build import binaries_dir
from tests.real_lnd.network import Network
from tests.real_lnd.scenario import Outcome

from lnflow.analysis.costs import Funding, onchain_costs
from lnflow.domain.channel import ChannelState
from lnflow.domain.errors import ConfigurationError, NodeRefused
from lnflow.domain.htlc import Subscribed
from lnflow.nodes.lnd import json_form
from lnflow.nodes.lnd.bake import bake_command
from lnflow.nodes.lnd.credentials import LndConnection
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.macaroon import read_powers
from lnflow.nodes.lnd.reader import LndReader
from lnflow.nodes.lnd.state import READY

DEADLINE_S = 30


def run_command(command: str) -> None:
    lncli, *arguments = shlex.split(command)
    subprocess.run([str(binaries_dir() / lncli), *arguments], check=True, capture_output=True, timeout=DEADLINE_S)


@pytest.fixture(scope="session")
def connection(real_network: Network) -> LndConnection:
    """B with the macaroon that our own command bakes."""
    node = real_network.b
    found = discover(LndOptions(lnd_dir=node.lnd_dir, grpc_host=node.grpc_host))
    assert found.network == "simnet"
    assert found.macaroon_path is not None
    command = bake_command(
        rpc_server=found.target, network=found.network, lnd_dir=found.lnd_dir, save_to=found.macaroon_path.parent
    )
    run_command(command)
    again = discover(LndOptions(lnd_dir=node.lnd_dir, grpc_host=node.grpc_host))
    assert again.macaroon_path is not None
    assert again.macaroon_path.name == "monitor.macaroon"
    return again


@pytest.fixture
async def reader(connection: LndConnection) -> AsyncIterator[LndReader]:
    reader = LndReader(connection)
    await reader.wait_until_ready()
    yield reader
    await reader.close()


def _lasting(channel: ChannelState) -> ChannelState:
    return msgspec.structs.replace(channel, uptime_s=None, lifetime_s=None)


def test_the_macaroon_we_advise_cannot_spend_and_lacks_nothing(connection: LndConnection) -> None:
    assert connection.macaroon_path is not None
    powers = read_powers(connection.macaroon_path.read_bytes())
    assert powers.known
    assert not powers.can_spend
    assert powers.missing() == []


@pytest.mark.parametrize(("name", "can_spend"), [("admin", True), ("readonly", False), ("invoice", False)])
def test_powers_of_lnds_own_macaroons(connection: LndConnection, name: str, can_spend: bool) -> None:
    assert connection.macaroon_path is not None
    powers = read_powers((connection.macaroon_path.parent / f"{name}.macaroon").read_bytes())
    assert powers.known
    assert powers.can_spend is can_spend


async def test_the_admin_macaroon_is_refused(real_network: Network) -> None:
    node = real_network.b
    admin = LndReader(
        discover(LndOptions(lnd_dir=node.lnd_dir, grpc_host=node.grpc_host, macaroon_path=node.admin_macaroon))
    )
    with pytest.raises(ConfigurationError, match="can spend"):
        await admin.wait_until_ready()
    await admin.close()


async def test_the_macaroon_of_another_node_is_refused(real_network: Network) -> None:
    a, b = real_network.a, real_network.b
    macaroon = a.admin_macaroon.parent / "readonly.macaroon"
    reader = LndReader(discover(LndOptions(lnd_dir=b.lnd_dir, grpc_host=b.grpc_host, macaroon_path=macaroon)))
    with pytest.raises(NodeRefused, match="does not accept the macaroon"):
        await reader.wait_until_ready()
    await reader.close()


async def test_a_revoked_macaroon_is_refused(real_network: Network, tmp_path: Path) -> None:
    node = real_network.b
    lncli = f"lncli --network=simnet --lnddir={node.lnd_dir} --rpcserver={node.grpc_host}"
    path = tmp_path / "revoked.macaroon"
    run_command(f"{lncli} bakemacaroon --save_to={path} --root_key_id=777 info:read offchain:read")
    reader = LndReader(discover(LndOptions(lnd_dir=node.lnd_dir, grpc_host=node.grpc_host, macaroon_path=path)))
    await reader.wait_until_ready()
    run_command(f"{lncli} deletemacaroonid 777")
    with pytest.raises(NodeRefused, match="revoked"):
        await reader.node_info()
    await reader.close()


async def test_node_facts_are_those_of_rest(real_network: Network, reader: LndReader) -> None:
    assert await reader.get_state() == READY
    info = await reader.node_info()
    printed = json_form.decode_node_info(real_network.b.get("/v1/getinfo"))
    assert (info.pubkey, info.alias, info.network) == (printed.pubkey, printed.alias, "simnet")
    assert (info.version, info.version_tuple) == (printed.version, printed.version_tuple)
    assert info.pubkey == real_network.b.pubkey


async def test_channels_and_policies_are_those_of_rest(real_network: Network, reader: LndReader) -> None:
    printed = [json_form.decode_channel(each) for each in real_network.b.get("/v1/channels")["channels"]]
    channels = await reader.list_channels()
    assert {_lasting(channel) for channel in channels} == {_lasting(channel) for channel in printed}
    policies = await reader.list_policies(channels)
    assert len(policies) == len(channels) >= 4  # B-D is closed once the scenario ran
    for policy in policies:
        edge = json_form.decode_edge(real_network.b.get(f"/v1/graph/edge/{policy.scid}"))
        seen = edge.seen_from(real_network.b.pubkey)
        assert seen is not None
        assert (policy.ours, policy.theirs) == (seen.ours, seen.theirs)
        assert policy.ours is not None


async def test_names_are_those_of_the_graph(real_network: Network, reader: LndReader) -> None:
    a, c = real_network.a, real_network.c
    assert await reader.list_aliases([a.pubkey, c.pubkey, "02" + "11" * 32]) == {a.pubkey: "A", c.pubkey: "C"}


async def test_the_event_stream_begins_and_can_be_cancelled(reader: LndReader) -> None:
    stream = reader.htlc_stream()
    loop = asyncio.get_running_loop()
    messages: asyncio.Queue[bytes] = asyncio.Queue()

    def deliver(raw: bytes) -> None:
        loop.call_soon_threadsafe(messages.put_nowait, raw)

    running = asyncio.ensure_future(asyncio.to_thread(stream.run, deliver))
    assert stream.decode(await asyncio.wait_for(messages.get(), DEADLINE_S)) == Subscribed(0)
    stream.cancel()
    await asyncio.wait_for(running, DEADLINE_S)


@pytest.mark.parametrize("page_size", [1, 7, 50_000])
async def test_history_is_that_of_rest(
    real_network: Network, provoked: Outcome, reader: LndReader, page_size: int
) -> None:
    rows = real_network.b.post("/v1/switch", {"num_max_events": 50_000})["forwarding_events"]
    printed = [json_form.decode_forward(row) for row in rows]
    paged = [forward async for page in reader.forwards_since(0, page_size=page_size) for forward in page]
    assert paged == printed
    assert len(paged) >= len(provoked.settled) > 0


async def test_closed_channels_are_those_of_rest(real_network: Network, provoked: Outcome, reader: LndReader) -> None:
    printed = real_network.b.get("/v1/channels/closed").get("channels", [])
    assert await reader.list_closed_channels() == [json_form.decode_closed_channel(each) for each in printed]


async def test_costs_are_those_of_rest(real_network: Network, provoked: Outcome, reader: LndReader) -> None:
    """The circular payment with its fee, and of our channels the funding's fee and what the closing cost."""
    b = real_network.b
    payments = b.get("/v1/payments?include_incomplete=true&max_payments=1000")["payments"]
    came_back = [
        part for payment in payments for receiver, part in json_form.decode_payment(payment) if receiver == b.pubkey
    ]
    pages = [page async for page in reader.payments_after(0)]
    assert [part for page in pages for part in page.circular] == came_back
    assert len(came_back) == 1
    assert came_back[0].fee_msat > 0
    assert pages[-1].through == int(payments[-1]["payment_index"])

    printed = {t["tx_hash"]: t for t in b.get("/v1/transactions")["transactions"]}
    found = {t.txid: t for t in await reader.list_transactions(0)}
    assert {txid: t.fee_sat for txid, t in found.items()} == {
        txid: int(t["total_fees"]) for txid, t in printed.items() if int(t["block_height"]) > 0
    }
    ours = [c.channel_point for c in await reader.list_channels() if c.initiator]
    assert ours
    assert all(found[point.partition(":")[0]].fee_sat > 0 for point in ours)
    [closed] = await reader.list_closed_channels()
    funding = Funding(
        channel_point=closed.channel_point,
        capacity_sat=closed.capacity_sat,
        opened_by_us=True,  # D opened it: what it paid shows by the same arithmetic
        closing_txid=closed.closing_txid,
    )
    [cost] = onchain_costs([funding], [t for t in found.values() if t.txid == closed.closing_txid])
    assert closed.opened_by_us is False
    assert cost.fee_msat is not None
    assert 0 < cost.fee_msat < 100_000_000
