"""Reading a Core Lightning node: the port's `NodeReader`.

The node tells of channels and policies only when asked, so their events come from comparing listings.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo, Policy
from lnflow.domain.costs import WalletTransaction
from lnflow.domain.errors import NodeUnavailable
from lnflow.domain.htlc import Forward
from lnflow.domain.time import Clock
from lnflow.nodes.cln.costs import circular_payments, wallet_transactions
from lnflow.nodes.cln.facts import NodeFacts, channel_policies, channel_state
from lnflow.nodes.cln.forwards import ForwardReader
from lnflow.nodes.cln.rows import attempt_of
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.stream import ClnHtlcStream
from lnflow.nodes.cln.wire import ForwardRow, time_ns
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, PaymentPage, PolicyEvent

_READY_POLL_S = 0.5


class ClnReader:
    """What everybody but the collector asks of a node; that one goes by the cursors of `live.LiveForwards`.

    `open_rpc` gives a new way to ask: the stream lives in a thread of its own.
    """

    def __init__(
        self,
        open_rpc: Callable[[], ClnRpc],
        clock: Clock,
        *,
        start_patience_s: float = 60.0,
        poll_s: float = 30.0,
    ) -> None:
        self._open_rpc = open_rpc
        self.rpc = open_rpc()
        self._clock = clock
        self._start_patience_s = start_patience_s
        self._poll_s = poll_s
        self.facts = NodeFacts(self.rpc)

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
        reader = ForwardReader(self.rpc, self._clock, page_size=page_size)
        start = await self._first_update_since(reader, since_ns)
        while True:
            rows = await reader.settled_page(start)
            page = [_forward(row) for row in rows if _settled_ns(row) >= since_ns]
            if page:
                yield page
            if len(rows) < page_size:
                return
            start = (rows[-1].updated_index or start) + 1

    async def payments_after(self, index: int) -> AsyncGenerator[PaymentPage, None]:
        """Yield our circular payments after a page's `through`; `index` counts the node's channel moves."""
        channels = {c.channel_point: (c.scid, c.peer_pubkey) for c in await self.list_closed_channels()}
        channels |= {c.channel_point: (c.scid, c.peer_pubkey) for c in await self.list_channels()}
        async with aclosing(circular_payments(self.rpc, index, channels)) as pages:
            async for page in pages:
                yield page

    async def list_transactions(self, since_height: int) -> list[WalletTransaction]:
        return await wallet_transactions(self.rpc, since_height)

    def htlc_stream(self) -> ClnHtlcStream:
        return ClnHtlcStream(self._open_rpc, self._clock)

    async def channel_events(self) -> AsyncGenerator[ChannelEvent, None]:
        """Yield what changed between two listings: channels that came, went, or whose link did."""
        before = {s.channel_point: s for s in await self.list_channels()}
        while True:
            await self._clock.sleep(self._poll_s)
            now = {s.channel_point: s for s in await self.list_channels()}
            at_ns = self._clock.now_ns()
            for point, state in now.items():
                if (kind := _change(before.get(point), state)) is not None:
                    yield ChannelEvent(
                        kind=kind, at_ns=at_ns, channel_point=point, state=state, peer_pubkey=state.peer_pubkey
                    )
            for point in before.keys() - now.keys():
                yield ChannelEvent(kind=ChannelEventKind.CLOSED, at_ns=at_ns, channel_point=point)
            before = now

    async def policy_events(self) -> AsyncGenerator[PolicyEvent, None]:
        """Yield policies that differ from the listing before, ours and our peers'."""
        pubkey = (await self.node_info()).pubkey
        before = await self._policies(pubkey)
        while True:
            await self._clock.sleep(self._poll_s)
            now = await self._policies(pubkey)
            at_ns = self._clock.now_ns()
            for (scid, announced_by), policy in now.items():
                if before.get((scid, announced_by)) != policy:
                    yield PolicyEvent(at_ns=at_ns, scid=scid, announced_by=announced_by, policy=policy)
            before = now

    async def close(self) -> None:
        await self.rpc.close()

    async def _policies(self, pubkey: str) -> dict[tuple[int, str], Policy]:
        listed = [p for c in await self.facts.peer_channels() if (p := channel_policies(c)) is not None]
        sides = [(p.scid, who, side) for p in listed for who, side in ((pubkey, p.ours), (p.peer_pubkey, p.theirs))]
        return {(scid, who): side for scid, who, side in sides if side is not None}

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


def _change(before: ChannelState | None, now: ChannelState) -> ChannelEventKind | None:
    if before is None:
        return ChannelEventKind.OPENED
    if before.active != now.active:
        return ChannelEventKind.ACTIVE if now.active else ChannelEventKind.INACTIVE
    changed = (before.local_msat, before.remote_msat) != (now.local_msat, now.remote_msat)
    return ChannelEventKind.UPDATED if changed else None


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
