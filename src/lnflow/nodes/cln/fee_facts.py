"""What some pricing rules ask besides: the public graph and the price of a transaction; the port's `FeeFacts`."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lnflow.domain.errors import NodeUnavailable
from lnflow.domain.time import HOUR_NS, Clock
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.wire import Msat, msat

_GRAPH_AGE_NS = 6 * HOUR_NS  # tens of megabytes: not asked for more often


class _Edge(Struct, frozen=True):
    source: str
    destination: str
    short_channel_id: str
    amount_msat: Msat


class _Estimate(Struct, frozen=True):
    blockcount: int
    feerate: int


class _PerKb(Struct, frozen=True):
    estimates: list[_Estimate] = []


class _Feerates(Struct, frozen=True):
    perkb: _PerKb


class ClnFeeFacts:
    """Asks one node; the whole graph is streamed and kept as pairs of nodes."""

    def __init__(self, rpc: ClnRpc, clock: Clock) -> None:
        self._rpc = rpc
        self._clock = clock
        self._edges: list[tuple[str, str, int]] = []
        self._edges_ns: int | None = None

    async def list_edges(self) -> list[tuple[str, str, int]]:
        """Return both ends and the capacity in sat of every public channel, some hours old at most."""
        now_ns = self._clock.now_ns()
        if self._edges_ns is None or now_ns - self._edges_ns > _GRAPH_AGE_NS:
            seen: dict[str, tuple[str, str, int]] = {}
            async for batch in self._rpc.elements("listchannels", {}, "channels", _Edge):
                for edge in batch:  # two rows a channel, one for each direction
                    seen[edge.short_channel_id] = (edge.source, edge.destination, msat(edge.amount_msat) // 1000)
            self._edges, self._edges_ns = list(seen.values()), now_ns
        return self._edges

    async def list_node_sizes(self, pubkeys: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return number and capacity in sat of these nodes' public channels; unknown nodes are left out."""
        sizes: dict[str, tuple[int, int]] = {}
        for pubkey in dict.fromkeys(pubkeys):
            capacities = {
                edge.short_channel_id: msat(edge.amount_msat) // 1000
                async for batch in self._rpc.elements("listchannels", {"source": pubkey}, "channels", _Edge)
                for edge in batch
            }
            if capacities:
                sizes[pubkey] = (len(capacities), sum(capacities.values()))
        return sizes

    async def feerate_sat_per_vb(self, conf_target: int) -> float:
        """Return the node's estimate for that many blocks: the nearest target it has that is no slower.

        Raises `NodeUnavailable` while it has none.
        """
        found = (await self._rpc.call("feerates", {"style": "perkb"}, _Feerates)).perkb
        in_time = [e for e in found.estimates if e.blockcount <= conf_target]
        soonest = sorted(found.estimates, key=lambda e: e.blockcount)[:1]
        chosen = max(in_time, key=lambda e: e.blockcount, default=soonest[0] if soonest else None)
        if chosen is None:
            raise NodeUnavailable("feerates: the node has no estimates yet")
        return chosen.feerate / 1000

    async def close(self) -> None:
        """The way to ask is the caller's."""
