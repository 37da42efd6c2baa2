"""A Core Lightning node as the port's `NodeReader` minus the stream: facts and settled history."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo
from lnflow.domain.errors import NodeUnavailable
from lnflow.domain.htlc import Forward
from lnflow.domain.time import Clock
from lnflow.nodes.cln.facts import NodeFacts, channel_policies, channel_state
from lnflow.nodes.cln.forwards import ForwardReader
from lnflow.nodes.cln.rows import attempt_of
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.wire import ForwardRow, time_ns

_READY_POLL_S = 0.5


class ClnReader:
    """What analysis and pricing ask of a node.  Live collection goes by the cursors of `live.LiveForwards`."""

    def __init__(self, rpc: ClnRpc, clock: Clock, *, start_patience_s: float = 60.0) -> None:
        self._rpc = rpc
        self._clock = clock
        self._start_patience_s = start_patience_s
        self.facts = NodeFacts(rpc)

    async def wait_until_ready(self) -> None:
        """Return when lightningd answers; its socket appears some seconds after its start."""
        waited_s = 0.0
        while True:
            try:
                await self.facts.node_info()
            except NodeUnavailable:
                if waited_s >= self._start_patience_s:
                    raise
                await self._clock.sleep(_READY_POLL_S)
                waited_s += _READY_POLL_S
            else:
                return

    async def node_info(self) -> NodeInfo:
        return await self.facts.node_info()

    async def list_channels(self) -> list[ChannelState]:
        states = [channel_state(c) for c in await self.facts.peer_channels()]
        return [s for s in states if s is not None]

    async def list_closed_channels(self) -> list[ClosedChannel]:
        return await self.facts.closed_channels()

    async def list_policies(self, channels: Sequence[ChannelState]) -> list[ChannelPolicies]:
        wanted = {c.channel_point for c in channels}
        policies = [channel_policies(c) for c in await self.facts.peer_channels()]
        return [p for p in policies if p is not None and p.channel_point in wanted]

    async def list_aliases(self, pubkeys: Sequence[str]) -> dict[str, str]:
        return await self.facts.aliases(pubkeys)

    async def forwards_since(self, since_ns: int, *, page_size: int) -> AsyncGenerator[list[Forward], None]:
        """Yield pages of settled forwards at or after `since_ns`, in the order in which they settled."""
        reader = ForwardReader(self._rpc, self._clock, page_size=page_size)
        start = await self._first_update_since(reader, since_ns)
        while True:
            rows = await reader.settled_page(start)
            page = [_forward(row) for row in rows if _settled_ns(row) >= since_ns]
            if page:
                yield page
            if len(rows) < page_size:
                return
            start = (rows[-1].updated_index or start) + 1

    async def close(self) -> None:
        await self._rpc.close()

    async def _first_update_since(self, reader: ForwardReader, since_ns: int) -> int:
        """Return an updated index at or before the first settlement since then, by halving."""
        low, high = 1, (await reader.newest()).updated + 1
        while low < high:
            middle = (low + high) // 2
            row = await reader.settled_at_or_after(middle)
            if row is None or _settled_ns(row) >= since_ns:
                high = middle
            else:
                low = (row.updated_index or middle) + 1
        return low


def _settled_ns(row: ForwardRow) -> int:
    return time_ns(row.received_time if row.resolved_time is None else row.resolved_time)


def _forward(row: ForwardRow) -> Forward:
    attempt = attempt_of(row)
    return Forward(
        in_scid=attempt.in_scid,
        out_scid=attempt.out_scid,
        at_ns=_settled_ns(row),
        amount_in_msat=attempt.amount_in_msat or 0,
        amount_out_msat=attempt.amount_out_msat or 0,
        in_htlc_id=attempt.in_htlc_id,
        out_htlc_id=attempt.out_htlc_id,
    )
