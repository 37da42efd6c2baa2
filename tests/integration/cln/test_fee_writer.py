"""Fee writes against the fake node: clamps, grace, unknown outcomes, and other programs that set fees."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.integration.cln.network import Network, TestClock

from lnflow.domain.channel import Policy
from lnflow.domain.errors import NodeRefused, NodeUnavailable
from lnflow.domain.lacks import CORE_LIGHTNING
from lnflow.nodes.cln.controllers import FeeControllers, HandOver, find_controllers
from lnflow.nodes.cln.facts import NodeFacts, channel_policies
from lnflow.nodes.cln.fee_writer import ClnFeeWriter, Written, unsupported
from lnflow.nodes.cln.methods import FEE_METHODS
from lnflow.nodes.cln.rest import RestRpc
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.simulation.lightningd.channel import State
from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.fee_plugins import FakeClboss, FakeFeeadjuster
from lnflow.simulation.lightningd.rest_server import RestServer, Rune
from lnflow.simulation.lightningd.socket_server import SocketServer


class Time:
    """The test's clock as our code asks for it."""

    def __init__(self, clock: TestClock) -> None:
        self._clock = clock

    def now_ns(self) -> int:
        return self._clock.now

    async def sleep(self, seconds: float) -> None:
        self._clock.advance(seconds)


@pytest.fixture
def fees(server: SocketServer) -> SocketRpc:
    return SocketRpc(server.path, allowed=FEE_METHODS)


@pytest.fixture
def writer(fees: SocketRpc, network: Network) -> ClnFeeWriter:
    return ClnFeeWriter(fees, Time(network.clock))


async def policy_of(fees: SocketRpc, channel_id: str) -> Policy:
    for channel in await NodeFacts(fees).peer_channels():
        policies = channel_policies(channel)
        if policies is not None and policies.channel_point == channel_id and policies.ours is not None:
            return policies.ours
    raise AssertionError(channel_id)


async def test_only_what_differs_is_written_and_by_name(
    server: SocketServer, network: Network, fees: SocketRpc, writer: ClnFeeWriter
) -> None:
    old = await policy_of(fees, network.bd.channel_id)
    assert await writer.write_policy(network.bd.channel_id, old, structs.replace(old, fee_ppm=650)) is None
    method, params = server._commands.calls[-1]
    assert (method, params) == ("setchannel", {"id": network.bd.channel_id, "feeppm": 650, "enforcedelay": 600})
    assert (await policy_of(fees, network.bd.channel_id)).fee_ppm == 650
    assert network.bd.terms.base_fee_msat == 500


async def test_a_dry_run_asks_and_changes_nothing(
    server: SocketServer, network: Network, fees: SocketRpc, writer: ClnFeeWriter
) -> None:
    old = await policy_of(fees, network.bd.channel_id)
    assert await writer.check_policy(network.bd.channel_id, old, structs.replace(old, fee_ppm=650)) is None
    assert "Couldn't find" in (await writer.check_policy("00" * 32, old, structs.replace(old, fee_ppm=650)) or "")
    assert network.bd.terms.fee_ppm == 400
    assert "setchannel" not in [method for method, _ in server._commands.calls]


async def test_the_values_that_count_are_those_the_node_set(network: Network, fees: SocketRpc) -> None:
    written: list[Written] = []
    writer = ClnFeeWriter(fees, Time(network.clock), on_written=written.append)
    old = await policy_of(fees, network.bd.channel_id)
    too_much = structs.replace(old, max_htlc_msat=10**12)
    assert await writer.write_policy(network.bd.channel_id, old, too_much) is None
    [change] = written
    assert change.terms.htlc_max_msat == 3_960_000_000
    assert change.warnings
    assert (await policy_of(fees, network.bd.channel_id)).max_htlc_msat == 3_960_000_000


async def test_one_raise_in_the_time_that_the_node_remembers(
    network: Network, fees: SocketRpc, writer: ClnFeeWriter
) -> None:
    """Senders who know the price before the last one always get through."""
    point = network.bd.channel_id
    old = await policy_of(fees, point)
    first, second = structs.replace(old, fee_ppm=500), structs.replace(old, fee_ppm=600)
    assert await writer.write_policy(point, old, first) is None
    network.clock.advance(100)
    refusal = await writer.write_policy(point, first, second)
    assert refusal is not None
    assert "in 500 s" in refusal
    assert network.bd.terms.fee_ppm == 500
    cut = structs.replace(old, fee_ppm=450)
    assert await writer.write_policy(point, first, cut) is None  # a cut is always safe
    network.clock.advance(501)
    assert await writer.write_policy(point, cut, second) is None


async def test_raises_of_an_earlier_run_count(network: Network, fees: SocketRpc) -> None:
    point = network.bd.channel_id
    writer = ClnFeeWriter(fees, Time(network.clock), raised_ns={point: network.clock.now})
    old = await policy_of(fees, point)
    assert "remembers one" in (await writer.write_policy(point, old, structs.replace(old, fee_ppm=999)) or "")


async def test_what_the_node_does_not_have_is_named(network: Network, fees: SocketRpc, writer: ClnFeeWriter) -> None:
    point = network.bd.channel_id
    old = await policy_of(fees, point)
    inbound = structs.replace(old, inbound_fee_ppm=-50)
    assert await writer.write_policy(point, old, inbound) == CORE_LIGHTNING.inbound_fees
    assert await writer.write_policy(point, old, structs.replace(inbound, fee_ppm=350)) is None
    assert network.bd.terms.fee_ppm == 350
    assert unsupported(old, structs.replace(inbound, time_lock_delta=144)) != []
    assert await writer.set_enabled(point, enabled=True) is None
    assert await writer.set_enabled(point, enabled=False) is not None


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"min_htlc_msat": 5_000_000_000}, "above htlcmax"),
        ({"fee_ppm": 2**32}, "out of range"),
        ({"base_fee_msat": -1}, "out of range"),
        ({}, "nothing differs"),
    ],
)
async def test_what_cannot_be_meant_is_not_sent(
    changes: dict[str, int], what: str, server: SocketServer, network: Network, fees: SocketRpc, writer: ClnFeeWriter
) -> None:
    old = await policy_of(fees, network.bd.channel_id)
    calls = len(server._commands.calls)
    refusal = await writer.write_policy(network.bd.channel_id, old, structs.replace(old, **changes))
    assert what in (refusal or "")
    assert len(server._commands.calls) == calls


async def test_a_refusal_of_the_node_is_about_that_channel(
    network: Network, fees: SocketRpc, writer: ClnFeeWriter
) -> None:
    old = await policy_of(fees, network.bd.channel_id)
    network.node.set_state(network.bd, State.SHUTTING_DOWN)
    refusal = await writer.write_policy(network.bd.channel_id, old, structs.replace(old, fee_ppm=1))
    assert "CHANNELD_SHUTTING_DOWN" in (refusal or "")


async def test_no_answer_is_looked_after_before_anything_is_repeated(
    server: SocketServer, network: Network, fees: SocketRpc, writer: ClnFeeWriter
) -> None:
    point = network.bd.channel_id
    old = await policy_of(fees, point)
    server.faults.cut_after = {"setchannel": 5}  # done, but the answer is lost
    assert await writer.write_policy(point, old, structs.replace(old, fee_ppm=777)) is None
    server.faults.cut_after = {}
    server.faults.raw = {"setchannel": b""}
    server.faults.cut_after = {"setchannel": 0}
    network.clock.advance(1000)
    asked = [m for m, _ in server._commands.calls].count("setchannel")
    assert await writer.write_policy(point, old, structs.replace(old, fee_ppm=300)) is None
    assert [m for m, _ in server._commands.calls].count("setchannel") == asked + 1
    server._commands.stopping = True
    with pytest.raises(NodeUnavailable):
        await writer.write_policy(point, old, structs.replace(old, fee_ppm=301))


async def test_the_nodes_own_rune_holds_the_cap(network: Network) -> None:
    runes = {"fees": Rune(methods=FEE_METHODS, below={"feeppm": 1001})}
    async with RestServer(Commands(network.node), runes) as server:
        rest = RestRpc(server.url, "fees", allowed=FEE_METHODS)
        writer = ClnFeeWriter(rest, Time(network.clock))
        old = Policy(base_fee_msat=500, fee_ppm=400, time_lock_delta=40, min_htlc_msat=0, max_htlc_msat=3_960_000_000)
        with pytest.raises(NodeRefused, match="greater or equal"):
            await writer.write_policy(network.bd.channel_id, old, structs.replace(old, fee_ppm=5000))
        assert await writer.write_policy(network.bd.channel_id, old, structs.replace(old, fee_ppm=1000)) is None
        await writer.close()


async def test_nobody_else_sets_fees_on_a_plain_node(fees: SocketRpc) -> None:
    assert await find_controllers(fees) == FeeControllers(clboss=False, feeadjuster=False)


async def test_clboss_and_feeadjuster_let_go_and_get_back_what_they_had(
    server: SocketServer, network: Network, fees: SocketRpc
) -> None:
    clboss, adjuster = FakeClboss(server._commands), FakeFeeadjuster(server._commands)
    peers = [network.bd.peer_id, network.bc1.peer_id, network.be.peer_id]
    clboss.tags = {peers[0]: frozenset({"open", "balance"}), peers[1]: frozenset({"lnfee"})}
    before = dict(clboss.tags)
    controllers = await find_controllers(fees)
    assert controllers.names == ("CLBOSS", "feeadjuster")
    hand_over = HandOver(fees)
    await hand_over.take(peers, controllers)
    assert not any(clboss.may_set_fees(peer) for peer in peers)
    assert clboss.tags[peers[0]] == {"open", "balance", "lnfee"}
    assert not adjuster.on
    assert hand_over.peers == {peers[0], peers[2]}  # the second was the operator's own wish
    clboss.tags[peers[0]] |= {"close"}  # the operator adds one meanwhile
    await hand_over.release()
    assert {p: t for p, t in clboss.tags.items() if t} == before | {peers[0]: {"open", "balance", "close"}}
    assert adjuster.on


async def test_a_peer_that_clboss_keeps_is_not_touched(server: SocketServer, network: Network, fees: SocketRpc) -> None:
    clboss = FakeClboss(server._commands)

    async def ignores(given: object) -> dict[str, object]:
        return {}

    server._commands.extra["clboss-unmanage"] = ignores
    with pytest.raises(NodeRefused, match="still sets"):
        await HandOver(fees).take([network.bd.peer_id], await find_controllers(fees))
    assert clboss.tags == {}
