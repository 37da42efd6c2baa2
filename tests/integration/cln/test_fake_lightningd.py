"""The fake node is held against Core Lightning's schemas and driven by a client that is not ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyln.client import LightningRpc, RpcError  # type: ignore[import-untyped]  # ships no types
from tests.integration.cln.network import Network, pubkey
from tests.integration.cln.schemas import RECORDINGS, fixture, problems, reply_problems, schema

from lnflow.simulation.lightningd.channel import State
from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.params import RpcFailure
from lnflow.simulation.lightningd.personality import PERSONALITIES, V24_11, V26_06, Personality
from lnflow.simulation.lightningd.socket_server import Faults, SocketServer


def provoke_everything(network: Network) -> None:
    """Each way an HTLC can end, on its own row."""
    network.settled(network.bd, 100_000_000)
    network.settled(network.bc2, 50_000_000)
    network.failed(network.bc1, 20_000_000)
    network.node.fail(network.offer(network.bc1, 10_000_000), malformed=True)
    network.offer(network.bd, 1_600_000_000)
    network.offer("700000x1x0", 1_000_000)
    network.offer(network.bd, 10_000_000, fee_msat=3)
    network.offer(network.bd, 10_000_000, cltv_delta=3)
    network.offer(network.bd, 10_000_000, expiry_blocks=1)
    network.offer(network.bd, 10_000_000, expiry_blocks=5000)
    network.node.forward(network.ab, None, in_msat=5_000_000, out_msat=0, onion_error=49157)
    network.node.disconnect(network.bd.peer_id)
    network.offer(network.bd, 10_000_000)
    network.node.connect(network.bd.peer_id)
    network.node.fail_onchain(network.offer(network.bc1, 10_000_000))
    network.offer(network.bd, 30_000_000)  # stays in flight


async def in_thread(call: Callable[[], Any]) -> Any:
    return await asyncio.wait_for(asyncio.to_thread(call), 10)


@pytest.mark.parametrize("personality", [V24_11, V26_06], ids=lambda p: p.version)
async def test_every_reply_is_valid_by_core_lightnings_own_schemas(personality: Personality) -> None:
    network = Network(personality)
    commands = Commands(network.node)
    provoke_everything(network)
    network.node.set_state(network.bc2, State.CLOSING)
    network.node.forget_channel(network.bc2)
    row = next(iter(network.node.forwards))
    asked: list[tuple[str, Any]] = [
        ("getinfo", {}),
        ("listforwards", {}),
        ("listforwards", {"index": "updated", "start": 1, "limit": 3}),
        ("listpeerchannels", {}),
        ("listclosedchannels", {}),
        ("listnodes", {}),
        ("listchannels", {}),
        ("listconfigs", {}),
        ("help", {}),
        ("feerates", {"style": "perkb"}),
        ("bkpr-listincome", {}),
        ("listtransactions", {}),
        ("wait", {"subsystem": "forwards", "indexname": "created", "nextvalue": 0}),
        ("setchannel", {"id": network.bd.channel_id, "feeppm": 700, "htlcmax": 10**15}),
        ("check", {"command_to_check": "setchannel", "id": network.bd.channel_id}),
        ("autoclean-status", {}),
        ("autoclean-once", {"subsystem": "failedforwards", "age": 0}),
        ("delforward", {"in_channel": row.in_channel, "in_htlc_id": row.in_htlc_id, "status": row.status}),
    ]
    for method, params in asked:
        reply = json.loads(msgspec.json.encode(await commands.call(method, params)))
        assert reply_problems(personality.version, method, reply) == [], method


@pytest.mark.parametrize("personality", [V24_11, V26_06], ids=lambda p: p.version)
def test_every_notification_is_valid_by_core_lightnings_own_schemas(personality: Personality) -> None:
    network = Network(personality)
    seen: list[tuple[str, Any]] = []
    network.node.listen(lambda topic, payload: seen.append((topic, json.loads(msgspec.json.encode(payload)))))
    provoke_everything(network)
    network.node.set_state(network.bd, State.SHUTTING_DOWN)
    network.node.warn("chan#1", "Ignoring fee limits!")
    topics = {topic for topic, _ in seen}
    assert {"forward_event", "connect", "disconnect", "channel_state_changed", "coin_movement"} <= topics
    for topic, payload in seen:
        if personality is V24_11 and topic in ("coin_movement", "disconnect", "warning", "forward_event"):
            continue  # the schemas of that version have none
        assert problems(payload, schema(personality.version, topic)["response"]) == [], topic


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_validator_accepts_what_a_real_node_said(name: str) -> None:
    """The oracle itself is checked against a recording; only the documented deviation shows."""
    version = name.rsplit("_", 1)[1]
    for method in ("getinfo", "listforwards", "listclosedchannels", "listnodes", "listchannels"):
        assert reply_problems(version, method, json.loads(fixture(name, f"{method}.json").read_text())) == []
    row = {"created_index": 1, "in_channel": "1x2x3", "status": "settled", "received_time": 1.5}
    assert reply_problems(version, "listforwards", {"forwards": [row]})  # in_msat is missing


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda p: p.version)
async def test_a_foreign_client_reads_and_writes(personality: Personality, tmp_path: Path) -> None:
    """pyln-client sends no delimiters, opens a socket per call and knows nothing of us."""
    network = Network(personality)
    provoke_everything(network)
    faults = Faults(chunk_bytes=7)
    async with SocketServer(Commands(network.node), tmp_path / "rpc", faults=faults) as server:
        client = LightningRpc(str(server.path))
        info = await in_thread(client.getinfo)
        assert (info["id"], info["version"]) == (pubkey("B"), personality.version)
        rows = (await in_thread(client.listforwards))["forwards"]
        assert [r["created_index"] for r in rows] == list(range(1, 15))
        causes = [r.get("failure_reason") for r in rows if r["status"] == "local_failed"]
        assert any(causes) == personality.failure_reason
        page = await in_thread(lambda: client.call("listforwards", {"index": "updated", "start": 2, "limit": 2}))
        assert [r["updated_index"] for r in page["forwards"]] == [2, 3]
        reply = await in_thread(lambda: client.setchannel(network.bd.channel_id, feeppm=700))
        assert reply["channels"][0]["fee_proportional_millionths"] == 700
        assert network.bd.terms.fee_ppm == 700
        waiting = asyncio.create_task(in_thread(lambda: client.wait("forwards", "created", 15)))
        while server.connections < 5:
            await asyncio.sleep(0)
        network.settled(network.bc1, 1_000_000)
        assert (await waiting)["created"] == 15


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("listforwards", {"start": 1}, -32602),
        ("listforwards", {"limit": 1}, -32602),
        ("listforwards", {"index": "created", "start": 1, "in_channel": "453x1x0"}, -32602),
        ("listforwards", {"since": 1}, -32602),
        ("nosuchmethod", {}, -32601),
        ("setchannel", {"id": "1x2x3", "feeppm": 1}, -32602),
        ("setchannel", {"id": "453x3x0", "htlcmin": 10, "htlcmax": 5}, -1),
        ("setchannel", {"id": "453x3x0", "feeppm": -1}, -32602),
        ("delforward", {"in_channel": "453x1x0", "in_htlc_id": 99, "status": "settled"}, 1401),
        ("delforward", {"in_channel": "453x1x0", "in_htlc_id": 0, "status": "offered"}, -32602),
        ("wait", {"subsystem": "forwards", "indexname": "created", "nextvalue": -1}, -32602),
    ],
)
async def test_errors_have_the_nodes_codes(
    server: SocketServer, network: Network, method: str, params: dict[str, Any], code: int
) -> None:
    client = LightningRpc(str(server.path))
    with pytest.raises(RpcError) as caught:
        await in_thread(lambda: client.call(method, params))
    assert caught.value.error["code"] == code


async def test_the_quirks_of_paging(network: Network) -> None:
    """limit beside a channel filter is ignored; limit 0 is empty; an alias as filter finds nothing."""
    commands = Commands(network.node)
    provoke_everything(network)

    async def listed(**params: Any) -> list[Any]:
        rows: list[Any] = (await commands.call("listforwards", params))["forwards"]
        return rows

    assert len(await listed(in_channel="453x1x0", index="created", limit=2)) == 14
    assert await listed(index="created", limit=0) == []
    assert await listed(out_channel=network.be.alias) == []
    from_zero = await listed(index="updated")
    assert ["updated_index" in r for r in from_zero][:9] == [False] * 9
    assert {r["status"] for r in await listed(index="created", limit=3, status="settled")} == {"settled"}
    assert [r["created_index"] for r in await listed(index="created", start=13)] == [13, 14]


async def test_one_older_policy_is_remembered_until_its_delay_or_a_restart(network: Network) -> None:
    commands = Commands(network.node)
    node, bd = network.node, network.bd

    async def set_ppm(ppm: int, delay: int) -> None:
        await commands.call("setchannel", {"id": bd.channel_id, "feeppm": ppm, "enforcedelay": delay})

    def pays(ppm: int) -> bool:
        row = network.offer(bd, 10_000_000, fee_msat=500 + 10 * ppm)
        if row.status == "offered":
            node.fail(row)
        return row.status != "local_failed"

    await set_ppm(600, 600)
    assert pays(400)
    await set_ppm(800, 600)
    assert (pays(400), pays(600)) == (False, True)
    network.clock.advance(601)
    assert (pays(600), pays(800)) == (False, True)
    await set_ppm(900, 600)
    node.restart()
    assert (pays(800), pays(900)) == (False, True)


def test_non_strict_forwarding_takes_the_largest_sibling_of_equal_fees(network: Network) -> None:
    row = network.settled(network.bc2, 1_000_000)
    assert row.out_channel == network.bc1.scid
    network.bc2.terms = network.bc1.terms.__class__(
        base_fee_msat=1000, fee_ppm=200, htlc_min_msat=0, htlc_max_msat=10**12
    )
    assert network.settled(network.bc2, 1_000_000).out_channel == network.bc2.scid


def test_a_splice_changes_the_scid_and_the_old_one_still_works(network: Network) -> None:
    network.node.splice(network.bc1, "459x1x1", add_msat=300_000_000)
    assert network.settled("453x5x0", 1_000_000).out_channel == "459x1x1"


def test_income_survives_deletion(network: Network) -> None:
    rows = [network.settled(network.bd, 10_000_000 + n) for n in range(5)]
    before = network.node.fees_collected_msat
    assert before == sum(r.in_msat - (r.out_msat or 0) for r in rows) > 0
    assert network.node.delete(rows[:3]) == 3
    assert (network.node.fees_collected_msat, network.node.forwards.created, len(network.node.forwards)) == (
        before,
        5,
        2,
    )


def test_at_rest_the_largest_forward_that_passes_is_spendable(network: Network) -> None:
    spendable = network.bd.spendable_msat
    row = network.offer(network.bd, spendable)
    assert row.status == "offered"
    network.node.fail(row)
    assert network.offer(network.bd, spendable + 1).failcode == 4103


async def test_bytes_that_are_no_request(server: SocketServer) -> None:
    """Missing members give -32600, garbage gives nothing, and requests need no delimiters."""
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    first = {"jsonrpc": "2.0", "id": 7, "method": "getinfo", "params": []}
    broken = {"id": "x", "method": "getinfo", "params": []}
    writer.write(b"nonsense" + msgspec.json.encode(first) + msgspec.json.encode(broken))
    replies = {}
    async with asyncio.timeout(10):
        for _ in range(2):
            reply = json.loads(await reader.readuntil(b"\n\n"))
            replies[reply["id"]] = reply
    assert replies[7]["result"]["alias"] == "B"
    assert replies["x"]["error"]["code"] == -32600
    writer.close()


async def test_null_is_absent_by_position_and_an_error_by_name(network: Network) -> None:
    commands = Commands(network.node)
    assert await commands.call("listforwards", [None, None]) == {"forwards": []}
    with pytest.raises(RpcFailure, match="null"):
        await commands.call("listforwards", {"status": None})


async def test_filters_trim_replies(server: SocketServer) -> None:
    client = LightningRpc(str(server.path))

    def ask() -> Any:
        with client.reply_filter({"channels": [{"short_channel_id": True, "updates": True}]}):
            return client.listpeerchannels()

    channels = (await in_thread(ask))["channels"]
    assert channels[0] == {"short_channel_id": "453x1x0", "updates": {}}
