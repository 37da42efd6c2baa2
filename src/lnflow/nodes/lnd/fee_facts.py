"""What only some pricing rules ask of an LND: the graph and on-chain fees."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lnflow.domain.time import HOUR_NS, Clock, SystemClock
from lnflow.nodes.lnd.client import LONG_DEADLINE_S, LndClient
from lnflow.nodes.lnd.credentials import LndConnection
from lnflow.nodes.lnd.errors import NodeHasNone
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods

GRAPH_KEPT_NS = 6 * HOUR_NS
_AT_ONCE = 8
_WEIGHT_PER_VBYTE = 4


class LndFeeFacts:
    """The port's `FeeFacts`, with the read-only credential."""

    def __init__(self, connection: LndConnection, clock: Clock | None = None) -> None:
        self._client = LndClient(connection)
        self._clock = clock or SystemClock()
        self._edges: list[tuple[str, str, int]] = []
        self._edges_ns: int | None = None

    async def list_edges(self) -> list[tuple[str, str, int]]:
        """Return the graph's channels; tens of megabytes for LND, so it is asked a few times a day at most."""
        now_ns = self._clock.now_ns()
        if self._edges_ns is None or now_ns - self._edges_ns >= GRAPH_KEPT_NS:
            self._edges, self._edges_ns = await self._read_graph(), now_ns
        return self._edges

    async def list_node_sizes(self, pubkeys: Sequence[str]) -> dict[str, tuple[int, int]]:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def size(pubkey: str) -> tuple[int, int] | None:
            request = pb.NodeInfoRequest(pub_key=pubkey, include_channels=False)
            try:
                async with limit:
                    found = await self._client.call(methods.GET_NODE_INFO, request, pb.NodeInfo)
            except NodeHasNone:
                return None
            return found.num_channels, found.total_capacity

        sizes = await asyncio.gather(*(size(pubkey) for pubkey in pubkeys))
        return {pubkey: found for pubkey, found in zip(pubkeys, sizes, strict=True) if found is not None}

    async def _read_graph(self) -> list[tuple[str, str, int]]:
        graph = await self._client.call(
            methods.DESCRIBE_GRAPH,
            pb.ChannelGraphRequest(include_unannounced=False),
            pb.ChannelGraph,
            deadline_s=LONG_DEADLINE_S,
        )
        return [(edge.node1_pub, edge.node2_pub, edge.capacity) for edge in graph.edges]

    async def feerate_sat_per_vb(self, conf_target: int) -> float:
        reply = await self._client.call(
            methods.ESTIMATE_FEE, pb.EstimateFeeRequest(conf_target=conf_target), pb.EstimateFeeResponse
        )
        return reply.sat_per_kw * _WEIGHT_PER_VBYTE / 1000

    async def close(self) -> None:
        await self._client.close()
