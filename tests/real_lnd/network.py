"""A private Lightning network: btcd and lnd nodes A to E with channels, B being the router under test.

    with Network(binaries, folder) as network:
        network.b.grpc_host, network.b.lnd_dir, network.scid("BD")

All of it listens on loopback and lives in `folder`.  A pays; D opened B-D and lets B add six HTLCs only; B-E is
private and not yet mined, so its id is an alias.  What is paid over it stands in `scenario.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real_lnd.processes import BTCD_PASSWORD, BTCD_USER, LOOPBACK, Btcd, Json, Node, NodeError
from tests.real_lnd.wait import wait_until
from tests.real_lnd.zero_conf import accepting_zero_conf

COINBASE_BLOCKS = 400  # simnet activates segwit and taproot at about 300, coinbases mature after 100
FUNDING_SAT = 100_000_000
OTHER_NODES_FUNDING_OUTPUTS = 4  # more than one coin, so that channels can be opened in one block
CONFIRMATIONS_TO_ANNOUNCE = 6

FLAGS = (
    "--bitcoin.simnet",
    "--bitcoin.node=btcd",
    "--bitcoin.defaultchanconfs=1",
    "--bitcoin.defaultremotedelay=4",
    "--noseedbackup",
    "--nobootstrap",
    "--logging.file.disable",
    "--trickledelay=50",
    "--gossip.sub-batch-delay=5ms",
    "--gossip.max-channel-update-burst=100",
    "--caches.rpc-graph-cache-duration=100ms",
    "--db.batch-commit-interval=10ms",
    "--channel-commit-interval=10ms",
    "--maxpendingchannels=10",
    "--minbackoff=1s",
    "--maxbackoff=2s",
    "--keep-failed-payment-attempts",
    "--accept-keysend",
    "--accept-amp",
    "--protocol.option-scid-alias",
    "--protocol.zero-conf",
)
FLAGS_OF = {"A": ("--max-cltv-expiry=10000",)}  # else A itself refuses the expiry that is too far for B


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a node asks for sending out by one channel; an inbound fee is for what comes in by it."""

    base_msat: int
    ppm: int
    min_htlc_msat: int = 1_000
    max_htlc_msat: int
    inbound_base_msat: int = 0
    inbound_ppm: int = 0
    cltv_delta: int = 80

    def fee_msat(self, amount_out_msat: int) -> int:
        """Return the outbound part of the fee, floored as lnd floors it."""
        return self.base_msat + amount_out_msat * self.ppm // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One channel as it will be opened."""

    opener: str
    acceptor: str
    capacity_sat: int
    push_sat: int
    acceptor_may_add: int = 483  # HTLCs at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One open channel; `scid` is an alias if it was opened without confirmations."""

    name: str
    ends: frozenset[str]
    scid: int
    point: str  # txid:index
    capacity_sat: int

    def __post_init__(self) -> None:
        assert len(self.ends) == 2

    def other_end(self, node: str) -> str:
        [other] = self.ends - {node}
        return other


PLANS = {
    "AB": Plan(opener="A", acceptor="B", capacity_sat=16_000_000, push_sat=4_000_000),
    "BC1": Plan(opener="B", acceptor="C", capacity_sat=5_000_000, push_sat=2_000_000),
    "BC2": Plan(opener="B", acceptor="C", capacity_sat=2_000_000, push_sat=500_000),
    "CD": Plan(opener="C", acceptor="D", capacity_sat=6_000_000, push_sat=3_000_000),
    "BD": Plan(opener="D", acceptor="B", capacity_sat=4_000_000, push_sat=1_500_000, acceptor_may_add=6),
}
ZERO_CONF_PLANS = {"BE": Plan(opener="B", acceptor="E", capacity_sat=3_000_000, push_sat=0)}
ROUTER = "B"
ROUTER_POLICIES = {
    "AB": Policy(base_msat=1_000, ppm=100, max_htlc_msat=15_840_000_000),
    "BC1": Policy(base_msat=1_000, ppm=250, max_htlc_msat=4_950_000_000),
    "BC2": Policy(base_msat=1_000, ppm=250, max_htlc_msat=1_980_000_000),
    "BD": Policy(base_msat=500, ppm=400, max_htlc_msat=3_960_000_000),
    "BE": Policy(base_msat=1_000, ppm=1, max_htlc_msat=2_970_000_000),
}


class Network:
    """The running network; leaving the ``with`` block ends every process by its pid."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.folder = folder
        self.chain = Btcd(binaries / "btcd", folder / "btcd")
        chain_flags = (
            f"--btcd.rpchost={LOOPBACK}:{self.chain.rpc_port}",
            f"--btcd.rpcuser={BTCD_USER}",
            f"--btcd.rpcpass={BTCD_PASSWORD}",
            f"--btcd.rpccert={self.chain.rpc_cert}",
        )
        self.nodes: Mapping[str, Node] = {
            name: Node(name, binaries / "lnd", folder / name, (*FLAGS, *chain_flags, *FLAGS_OF.get(name, ())))
            for name in "ABCDE"
        }
        self.channels: dict[str, Channel] = {}

    @property
    def a(self) -> Node:
        return self.nodes["A"]

    @property
    def b(self) -> Node:
        return self.nodes["B"]

    @property
    def c(self) -> Node:
        return self.nodes["C"]

    @property
    def d(self) -> Node:
        return self.nodes["D"]

    @property
    def e(self) -> Node:
        return self.nodes["E"]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException as problem:
            self.kill()
            problem.add_note(f"logs: {self.folder}/*/*.log")
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Bring up chain, nodes and channels; about 30 s on two cores."""
        self._start_nodes_on_a_mined_chain()
        self._fund_nodes()
        self._open_channels()
        self._open_zero_conf_channels()
        for name, policy in ROUTER_POLICIES.items():
            self.set_policy(ROUTER, name, policy)

    def kill(self) -> None:
        """End every process at once; their data is worth nothing afterwards."""
        for node in self.nodes.values():
            node.kill()
        self.chain.kill()

    def scid(self, channel: str) -> int:
        return self.channels[channel].scid

    def height(self) -> int:
        return int(self.chain.call("getblockcount"))

    def mine(self, blocks: int) -> None:
        """Mine and wait until every running node has seen the blocks."""
        self.chain.mine(blocks)
        height = self.height()
        for node in self._running():
            wait_until(f"{node.name} to see block {height}", partial(_is_at, node, height))

    def is_active(self, channel: str) -> bool:
        """Return whether both ends hold the channel and could use it now."""
        one = self.channels[channel]
        return all(_live_channel(self.nodes[end], one.point).get("active", False) for end in one.ends)

    def wait_until_active(self, *channels: str) -> None:
        for name in channels:
            wait_until(f"channel {name} to be active", partial(self.is_active, name))

    def wait_until_idle(self, channel: str) -> None:
        """Wait until neither end has an HTLC in the channel, so that no commitment waits for an answer."""
        one = self.channels[channel]
        for end in one.ends:
            wait_until(f"{end} to have no HTLC in {channel}", partial(_is_idle, self.nodes[end], one.point))

    def wait_until_inactive(self, node: str, channel: str) -> None:
        """Wait until `node` has noticed that the other end is away."""
        point = self.channels[channel].point
        wait_until(
            f"{node} to see {channel} inactive",
            lambda: not _live_channel(self.nodes[node], point).get("active", False),
        )

    def channel_of(self, node: str, channel: str) -> Json:
        """Return the ListChannels entry of `node`, empty once the channel has closed."""
        return _live_channel(self.nodes[node], self.channels[channel].point)

    def restart(self, node: str, *more_flags: str) -> None:
        """Stop and start a node and wait until its channels with running peers work again."""
        self.nodes[node].stop()
        self.start_again(node, *more_flags)

    def start_again(self, node: str, *more_flags: str) -> None:
        """Start a stopped node and wait until its channels with running peers work again."""
        self.nodes[node].start(*more_flags)
        up = {other.name for other in self._running()}
        self.wait_until_active(*(one.name for one in self.channels.values() if node in one.ends <= up))

    def set_policy(self, node: str, channel: str, policy: Policy) -> None:
        txid, index = self.channels[channel].point.split(":")
        reply = self.nodes[node].post(
            "/v1/chanpolicy",
            {
                "chan_point": {"funding_txid_str": txid, "output_index": int(index)},
                "base_fee_msat": policy.base_msat,
                "fee_rate_ppm": policy.ppm,
                "time_lock_delta": policy.cltv_delta,
                "min_htlc_msat": policy.min_htlc_msat,
                "min_htlc_msat_specified": True,
                "max_htlc_msat": policy.max_htlc_msat,
                "inbound_fee": {
                    "base_fee_msat": policy.inbound_base_msat,
                    "fee_rate_ppm": policy.inbound_ppm,
                },
            },
        )
        assert not reply["failed_updates"], reply

    def _running(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.process.is_running]

    def _each(self, what: str, condition: Callable[[Node], object], deadline_s: float = 30.0) -> None:
        for node in self.nodes.values():
            wait_until(f"{node.name} {what}", partial(condition, node), deadline_s=deadline_s)

    def _start_nodes_on_a_mined_chain(self) -> None:
        # btcd mines to the address it is started with, and an lnd on an empty chain already gives addresses
        self.chain.start()
        self.a.launch()
        self.a.wait_for_state("RPC_ACTIVE", "SERVER_ACTIVE")
        address = _new_address(self.a)
        self.a.stop()
        self.chain.stop()
        self.chain.start(mining_address=address)
        self.chain.mine(COINBASE_BLOCKS)
        for node in self.nodes.values():
            node.launch()
        for node in self.nodes.values():
            node.wait_for_state("SERVER_ACTIVE")
        self.mine(1)
        self._each("to be in step with the chain", lambda node: node.get("/v1/getinfo")["synced_to_chain"])
        for node in self.nodes.values():
            node.pubkey = node.get("/v1/getinfo")["identity_pubkey"]

    def _fund_nodes(self) -> None:
        outputs = {
            _new_address(node): FUNDING_SAT
            for node in self.nodes.values()
            if node is not self.a
            for _ in range(OTHER_NODES_FUNDING_OUTPUTS)
        }
        self.a.post("/v1/transactions/many", {"AddrToAmount": outputs, "sat_per_vbyte": 2})
        wait_until("the funding transaction", self.chain.mempool)
        self.mine(1)
        self._each("to be funded", lambda node: int(node.get("/v1/balance/blockchain")["confirmed_balance"]))

    def _open_channels(self) -> None:
        for pair in {(plan.opener, plan.acceptor) for plan in (PLANS | ZERO_CONF_PLANS).values()}:
            self._connect(*pair)
        points = {name: self._open(plan) for name, plan in PLANS.items()}
        wait_until("the funding transactions", lambda: len(self.chain.mempool()) == len(points))
        self.mine(1)
        for name, plan in PLANS.items():
            self.channels[name] = self._opened(name, plan, points[name])
        self.wait_until_active(*self.channels)
        # Six blocks at once lose policies for good: a peer's channel_update meets an edge that is not in the
        # graph yet and is not sent again.
        for channel in self.channels.values():
            self._wait_for_policies(channel)
        self.mine(CONFIRMATIONS_TO_ANNOUNCE - 1)
        announced = {channel.point for channel in self.channels.values()}
        self._each("to know the graph", lambda node: announced <= _points_with_policies(node, announced=True))

    def _open_zero_conf_channels(self) -> None:
        for name, plan in ZERO_CONF_PLANS.items():
            with accepting_zero_conf(self.nodes[plan.acceptor]):
                point = wait_until(f"{plan.acceptor} to accept {name}", partial(self._try_zero_conf, plan))
            self.channels[name] = self._opened(name, plan, point)
            self.wait_until_active(name)
            self._wait_for_policies(self.channels[name])

    def _wait_for_policies(self, channel: Channel) -> None:
        """Wait until both ends know both policies of the channel."""
        for end in channel.ends:
            what = f"{end} to know both policies of {channel.name}"
            wait_until(what, partial(_knows_policies, self.nodes[end], channel.point))

    def _try_zero_conf(self, plan: Plan) -> str | None:
        """Return None while the acceptor has not yet learned to say yes."""
        kind = {"private": True, "zero_conf": True, "scid_alias": True, "commitment_type": "ANCHORS"}
        try:
            return self._open(plan, **kind)
        except NodeError:
            return None

    def _connect(self, one: str, other: str) -> None:
        peer = self.nodes[other]
        address = {"pubkey": peer.pubkey, "host": peer.peer_address}
        self.nodes[one].post("/v1/peers", {"addr": address, "timeout": "10"})

    def _open(self, plan: Plan, **kind: object) -> str:
        """Return the channel point."""
        reply = self.nodes[plan.opener].post(
            "/v1/channels",
            {
                "node_pubkey": base64.b64encode(bytes.fromhex(self.nodes[plan.acceptor].pubkey)).decode(),
                "local_funding_amount": plan.capacity_sat,
                "push_sat": plan.push_sat,
                "remote_max_htlcs": plan.acceptor_may_add,
                "sat_per_vbyte": 2,
                **kind,
            },
        )
        txid = base64.b64decode(reply["funding_txid_bytes"])[::-1].hex()
        return f"{txid}:{reply['output_index']}"

    def _opened(self, name: str, plan: Plan, point: str) -> Channel:
        opener = self.nodes[plan.opener]
        live = wait_until(f"channel {name} to open", lambda: _live_channel(opener, point))
        return Channel(
            name=name,
            ends=frozenset({plan.opener, plan.acceptor}),
            scid=int(live["chan_id"]),
            point=point,
            capacity_sat=plan.capacity_sat,
        )


def _new_address(node: Node) -> str:
    return str(node.get("/v1/newaddress", type="WITNESS_PUBKEY_HASH")["address"])


def _is_at(node: Node, height: int) -> bool:
    return int(node.get("/v1/getinfo")["block_height"]) >= height


def _live_channel(node: Node, point: str) -> Json:
    listed = node.get("/v1/channels", peer_alias_lookup="false")["channels"]
    return next((one for one in listed if one["channel_point"] == point), {})


def _is_idle(node: Node, point: str) -> bool:
    return not _live_channel(node, point)["pending_htlcs"]


def _knows_policies(node: Node, point: str) -> bool:
    return point in _points_with_policies(node)


def _points_with_policies(node: Node, *, announced: bool = False) -> set[str]:
    """Return the channel points of the edges with both policies; an alias differs from node to node."""
    query = {} if announced else {"include_unannounced": "true"}
    edges = node.get("/v1/graph", **query)["edges"]
    return {str(edge["chan_point"]) for edge in edges if edge["node1_policy"] and edge["node2_policy"]}
