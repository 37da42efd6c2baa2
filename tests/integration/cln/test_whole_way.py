"""The whole way from the node to the answers, told once and walked three times: as the plugin that the node itself
starts, by `lnflow monitor` at its socket, and over clnrest.

Causes are provoked, lnflow is restarted in the middle, a channel is spliced, autoclean deletes, the node restarts
and its socket is lost: at the end what is stored equals what the node says of itself, to the msat.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cln.network import Network
from tests.integration.cln.operator import Operator, Result, until
from tests.integration.cln.stored import Stored

from lnflow.domain.errors import StoreError
from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.simulation.lightningd.channel import State
from lnflow.simulation.lightningd.personality import PERSONALITIES, Personality
from lnflow.simulation.lightningd.plugin_host import PluginHost
from lnflow.simulation.lightningd.rest_server import RestServer, Rune

CAUSES = {
    "insufficient_balance": "insufficient_balance",
    "peer_offline": "link_not_eligible",
    "htlc_exceeds_max": "htlc_exceeds_max",
    "htlc_below_min": "amount_below_minimum",
    "slots_full": "htlc_add_failed",
    "fee_insufficient": "fee_insufficient",
    "incorrect_cltv_expiry": "incorrect_cltv_expiry",
    "expiry_too_soon": "expiry_too_soon",
    "expiry_too_far": "expiry_too_far",
    "unknown_next_peer": "unknown_next_peer",
    "channel_closing": "unknown_next_peer",
    "invalid_onion": "invalid_onion",
}
"""What the node knows of a refusal, and what lnflow calls it."""


class Way(ABC):
    """One way of collecting from the operator's node."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.database = operator.database

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def stop(self) -> None:
        """End it as an operator does."""

    @abstractmethod
    async def ask(self, question: str, **how: Any) -> Any:
        """Return the document of an answer."""

    @abstractmethod
    async def hears_of(self, topic: str) -> None:
        """Return when the node's notification has come; at once where none do."""

    @abstractmethod
    async def node_stops(self) -> None:
        """What the node's own end does to it: nothing, where it is a process of its own."""

    @abstractmethod
    async def node_starts(self) -> None: ...

    async def lose_the_node(self) -> None:
        await self.operator.server.stop()

    async def find_it_again(self) -> None:
        await self.operator.server.start()


class AsPlugin(Way):
    """The node starts `lnflow-plugin`, tells it what happens, and stops it."""

    host: PluginHost

    async def start(self) -> None:
        self.host = self.operator.plugin()
        await self.host.start()

    async def stop(self) -> None:
        await self.host.stop()
        assert (self.host.killed_for, self.host.exit_code) == (None, 0)

    node_stops = stop
    node_starts = start

    async def hears_of(self, topic: str) -> None:
        async with asyncio.timeout(30):
            while topic not in (await self.ask_status())["notifications"]["received"]:
                await asyncio.sleep(0.02)

    async def ask_status(self) -> Any:
        return await self.host.request("lnflow-status", {}, timeout_s=30)

    async def ask(self, question: str, **how: Any) -> Any:
        return await self.host.request(f"lnflow-{question}", {"all": True, **how}, timeout_s=30)


class BySocket(Way):
    """`lnflow monitor --lightning-dir` beside the node."""

    process: asyncio.subprocess.Process

    def where(self) -> tuple[str, ...]:
        return ("--lightning-dir", str(self.operator.lightning_dir))

    async def start(self) -> None:
        self.process = await self.operator.start("monitor", "--all", "--json", *self.where())

    async def stop(self) -> None:
        ended: Result = await self.operator.interrupt(self.process)
        assert ended.code == 0, ended.err
        assert ended.document["node"]["implementation"] == "cln"

    async def hears_of(self, topic: str) -> None:
        assert self.process.returncode is None

    async def node_stops(self) -> None:
        assert self.process.returncode is None

    async def node_starts(self) -> None:
        assert self.process.returncode is None

    async def ask(self, question: str, **how: Any) -> Any:
        options = [text for name, value in how.items() for text in (f"--{name}", str(value))]
        answered = await self.operator.lnflow(question, "--all", "--json", *options, *self.where())
        assert answered.code == 0, answered.err
        return answered.document


class OverClnrest(BySocket):
    """`lnflow monitor` elsewhere, with a rune that can read; the node is lost when its clnrest is."""

    rest: RestServer
    settings: Path

    def where(self) -> tuple[str, ...]:
        return ("--settings", str(self.settings))

    async def begin(self) -> None:
        self.rest = RestServer(self.operator.commands, {"reader": Rune(methods=READ_METHODS)})
        await self.rest.__aenter__()
        rune = self.operator.write("bob.rune", "reader")
        self.database = self.operator.home / "elsewhere.sqlite"
        self.settings = self.operator.write(
            "settings.toml",
            f'database = "{self.database}"\n[nodes.bob]\nurl = "{self.rest.url}"\nrune_file = "{rune}"\n',
        )

    async def lose_the_node(self) -> None:
        self.operator.commands.stopping = True

    async def find_it_again(self) -> None:
        self.operator.commands.stopping = False


async def provoke(way: Way) -> None:
    """Every cause once that a node of today tells, and what later hops do."""
    network = way.operator.network
    node, bd, be = network.node, network.bd, network.be
    network.offer(bd, 1_600_000_000)
    network.offer(be, 60_000_000)
    network.offer(be, 5_000)
    network.offer("700000x1x0", 1_000_000)
    network.offer(bd, 10_000_000, fee_msat=3)
    network.offer(bd, 10_000_000, cltv_delta=3)
    network.offer(bd, 10_000_000, expiry_blocks=1)
    network.offer(bd, 10_000_000, expiry_blocks=5000)
    node.forward(network.ab, None, in_msat=5_000_000, out_msat=0, onion_error=49157)
    network.failed(network.bc1, 5_000_000)
    node.fail(network.offer(network.bc1, 5_500_000), malformed=True)
    held = [network.offer(bd, 1_000_000 + number) for number in range(bd.peer_max_htlcs)]
    network.offer(bd, 2_000_000)
    for row in held:
        node.settle(row)
    node.disconnect(bd.peer_id)
    await way.hears_of("disconnect")
    network.offer(bd, 7_000_000)
    node.connect(bd.peer_id)


class Ledger:
    """What the node itself says happened, whatever it has deleted since."""

    def __init__(self, network: Network) -> None:
        self._node = network.node
        self._seen: dict[tuple[str, int], str] = {}

    def note(self) -> None:
        """Look at the rows, before they are deleted."""
        for row in self._node.forwards:
            self._seen[row.in_channel, row.in_htlc_id] = row.status

    @property
    def settled(self) -> int:
        return Counter(self._seen.values())["settled"]

    @property
    def refused(self) -> int:
        return len(self._node.truth)

    def causes(self) -> Counter[str]:
        return Counter(CAUSES[reason] for reason in self._node.truth.values())


async def stored(way: Way, ledger: Ledger) -> Stored:
    """Wait until everything that the node told is stored."""
    ledger.note()
    found: list[Stored] = []

    def is_there() -> bool:
        try:
            found[:] = [Stored(way.database)]
        except StoreError:
            return False
        return (found[0].settled, found[0].refused) == (ledger.settled, ledger.refused)

    try:
        await until(is_there, 60)
    except TimeoutError:
        pytest.fail(f"stored {found and vars(found[0])}, the node had {ledger.settled} and {ledger.refused}")
    assert found[0].fees_msat == found[0].sourced_msat == way.operator.network.node.fees_collected_msat
    return found[0]


async def walk(way: Way) -> None:
    operator, network = way.operator, way.operator.network
    node, ledger = network.node, Ledger(network)
    limited = replace(network.be.terms, htlc_min_msat=10_000, htlc_max_msat=50_000_000)
    node.set_terms(network.be, limited, grace_s=0)

    # what happened before anybody looked
    for number in range(50):
        network.settled(network.bc1, 3_000_000 + number)
    await way.start()
    before = await stored(way, ledger)
    assert before.causes == {}

    # each cause is provoked and told apart
    await provoke(way)
    seen = await stored(way, ledger)
    told, truth = Counter(seen.causes), ledger.causes()
    unsure = told.pop("unattributed", 0)
    assert told <= truth, f"{told} was said, {truth} is true"
    assert unsure <= (0 if isinstance(way, AsPlugin) else 2), told
    assert seen.downstream == 2

    # lnflow is restarted in the middle, with an HTLC in flight and others refused meanwhile
    held = network.offer(network.bc1, 4_000_000)
    await way.stop()
    node.settle(held)
    network.settled(network.bd, 2_500_000)
    network.offer(network.bd, 1_700_000_000)
    await way.start()
    await stored(way, ledger)

    # a channel is spliced: one history, under two SCIDs
    node.splice(network.bc1, "470x1x1", add_msat=1_000_000)
    network.settled(network.bc1, 6_000_000)
    await stored(way, ledger)

    # the node restarts, with an HTLC in flight
    held = network.offer(network.bc1, 4_500_000)
    ledger.note()
    await way.node_stops()
    await way.lose_the_node()
    node.restart()
    node.settle(held)
    network.settled(network.bd, 2_600_000)
    await way.find_it_again()
    await way.node_starts()
    await stored(way, ledger)

    # autoclean deletes what was read, and the socket alone is lost while forwards go on
    ledger.note()
    await operator.commands.call("autoclean-once", {"subsystem": "failedforwards", "age": 0})
    await operator.commands.call("autoclean-once", {"subsystem": "succeededforwards", "age": 0})
    await way.lose_the_node()
    network.settled(network.bd, 2_700_000)
    network.offer(network.bd, 1_800_000_000)
    await way.find_it_again()
    await stored(way, ledger)

    # a channel closes
    node.set_state(network.be, State.SHUTTING_DOWN)
    network.offer(network.be, 1_000_000)
    node.forget_channel(network.be)
    end = await stored(way, ledger)

    assert end.pending == 0
    points = [c for c in end.channels.values() if c.channel_point is not None]
    assert len(points) == 5, "a splice and a close make no further channels"
    answers = await way.ask("failures", by="cause")
    assert sum(row["attempts"] for row in answers["rows"]) == ledger.refused
    report = await way.ask("report")
    assert report["settled"]["income_msat"] == node.fees_collected_msat
    assert report["settled"]["forwards"] == ledger.settled
    assert "470x1x1" in {c["scid"] for c in report["channels"]} | {
        scid for c in report["channels"] for scid in c["scids"]
    }
    assert operator.changing_calls() == []
    await way.stop()


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda p: str(p.version))
async def test_as_a_plugin(tmp_path: Path, personality: Personality) -> None:
    async with Operator(tmp_path, personality) as operator:
        await walk(AsPlugin(operator))


async def test_beside_the_node_by_its_socket(tmp_path: Path) -> None:
    async with Operator(tmp_path) as operator:
        await walk(BySocket(operator))


async def test_from_elsewhere_over_clnrest(tmp_path: Path) -> None:
    async with Operator(tmp_path) as operator:
        way = OverClnrest(operator)
        await way.begin()
        try:
            await walk(way)
        finally:
            await way.rest.__aexit__()
