"""Reading an LND: the port's `NodeReader` over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo
from lnflow.domain.costs import WalletTransaction
from lnflow.domain.errors import NodeRefused, NodeUnavailable
from lnflow.domain.htlc import Forward
from lnflow.domain.time import Clock, SystemClock
from lnflow.nodes.lnd import channel_events, history, payments, records
from lnflow.nodes.lnd.client import LONG_DEADLINE_S, LndClient
from lnflow.nodes.lnd.credentials import LndConnection
from lnflow.nodes.lnd.errors import NodeHasNone
from lnflow.nodes.lnd.htlc_stream import LndHtlcStream
from lnflow.nodes.lnd.records import GraphEdge
from lnflow.nodes.lnd.state import READY, STARTING, state_problem
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.nodes.port import ChannelEvent, PaymentPage, PolicyEvent

_Result = TypeVar("_Result")

MIN_VERSION = (0, 18, 0)
"""Inbound fees, and replies of more than 4 MiB; before that nothing is tested."""

_AT_ONCE = 8  # small calls in flight: enough to hide the way there and back, no burden for the node
_STATE_POLL_S = 0.2
_LOCKED_PATIENCE_S = 2.0  # even a node without a password is "locked" for some tens of ms


class LndReader:
    """An LND, read with a credential that cannot spend."""

    def __init__(
        self,
        connection: LndConnection,
        *,
        clock: Clock | None = None,
        start_patience_s: float = 60.0,
        attempts: int = 3,
    ) -> None:
        self.connection = connection
        self._client = LndClient(connection, attempts=attempts)
        self._clock = clock or SystemClock()
        self._start_patience_s = start_patience_s
        self._version: tuple[int, int, int] | None = None
        self._pubkey: str | None = None

    async def wait_until_ready(self) -> None:
        """Return when LND serves reads.

        Raises `NodeUnavailable` naming its state if it does not within `start_patience_s` (two seconds if
        it is locked), and `NodeRefused` for a version or a network that will not do.
        """
        self._version = None  # it may have been upgraded meanwhile
        waited_s = 0.0
        while (state := await self.get_state()) != READY:
            if waited_s >= (self._start_patience_s if state in STARTING else _LOCKED_PATIENCE_S):
                raise NodeUnavailable(f"LND at {self.connection.target} {state_problem(state)}")
            await self._clock.sleep(_STATE_POLL_S)
            waited_s += _STATE_POLL_S
        info = await self.node_info()
        if info.version_tuple < MIN_VERSION:
            raise NodeRefused(
                f"LND at {self.connection.target} is {info.version}; lnflow needs "
                f"{'.'.join(map(str, MIN_VERSION))} or later"
            )
        expected = self.connection.network
        if expected is not None and info.network != expected:
            raise NodeRefused(
                f"LND at {self.connection.target} is on {info.network}, not on {expected}: "
                "give its --network and macaroon, or another --grpc-host"
            )

    async def get_state(self) -> int:
        """Return LND's state (needs no macaroon); see `state.state_problem` for its meaning."""
        reply = await self._client.call(methods.GET_STATE, pb.GetStateRequest(), pb.GetStateResponse)
        return reply.state

    async def get_version(self) -> tuple[int, int, int]:
        """Return what verrpc says, or what GetInfo prints if the macaroon does not allow verrpc."""
        if self._version is None:
            try:
                version = await self._client.call(methods.GET_VERSION, pb.VersionRequest(), pb.Version)
            except NodeRefused:
                info = await self._client.call(methods.GET_INFO, pb.GetInfoRequest(), pb.GetInfoResponse)
                self._version = records.version_from_text(info.version)
            else:
                self._version = version.app_major, version.app_minor, version.app_patch
        return self._version

    async def node_info(self) -> NodeInfo:
        info = await self._client.call(methods.GET_INFO, pb.GetInfoRequest(), pb.GetInfoResponse)
        self._pubkey = info.identity_pubkey
        return records.node_info(info, await self.get_version())

    async def list_channels(self) -> list[ChannelState]:
        # Without aliases: LND would look each of them up in its graph
        reply = await self._client.call(
            methods.LIST_CHANNELS,
            pb.ListChannelsRequest(peer_alias_lookup=False),
            pb.ListChannelsResponse,
            deadline_s=LONG_DEADLINE_S,
        )
        return [records.channel_state(channel) for channel in reply.channels]

    async def list_closed_channels(self) -> list[ClosedChannel]:
        reply = await self._client.call(
            methods.CLOSED_CHANNELS,
            pb.ClosedChannelsRequest(),
            pb.ClosedChannelsResponse,
            deadline_s=LONG_DEADLINE_S,
        )
        return [records.closed_channel(summary) for summary in reply.channels]

    async def list_policies(self, channels: Sequence[ChannelState]) -> list[ChannelPolicies]:
        """Return both ends' policies: all announced ones in one call, the others one by one."""
        pubkey = await self._own_pubkey()
        announced = {edge.channel_point: edge for edge in await self._own_edges(pubkey)}
        limit = asyncio.Semaphore(_AT_ONCE)

        async def policies(channel: ChannelState) -> ChannelPolicies:
            edge = announced.get(channel.channel_point)
            if edge is None:
                async with limit:
                    edge = await self._edge(channel.scid)
            seen = None if edge is None else edge.seen_from(pubkey)
            return ChannelPolicies(
                scid=channel.scid,
                channel_point=channel.channel_point,
                peer_pubkey=channel.peer_pubkey,
                ours=None if seen is None else seen.ours,
                theirs=None if seen is None else seen.theirs,
                capacity_sat=channel.capacity_sat,
            )

        return await _gather([policies(channel) for channel in channels])

    async def list_aliases(self, pubkeys: Sequence[str]) -> dict[str, str]:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def alias(pubkey: str) -> str | None:
            async with limit:
                node = await self._graph_node(pubkey, include_channels=False)
            return None if node is None else records.known_alias(node.node.alias)

        unique = list(dict.fromkeys(pubkeys))
        found = await _gather([alias(pubkey) for pubkey in unique])
        return {pubkey: name for pubkey, name in zip(unique, found, strict=True) if name is not None}

    async def forwards_since(self, since_ns: int, *, page_size: int) -> AsyncGenerator[list[Forward], None]:
        """Yield pages of settled forwards at or after `since_ns`, in time order, each row once."""

        async def ask(request: pb.ForwardingHistoryRequest) -> pb.ForwardingHistoryResponse:
            return await self._client.call(
                methods.FORWARDING_HISTORY, request, pb.ForwardingHistoryResponse, deadline_s=LONG_DEADLINE_S
            )

        async with aclosing(history.forwards_since(ask, since_ns, page_size=page_size)) as pages:
            async for page in pages:
                yield page

    async def payments_after(self, index: int) -> AsyncGenerator[PaymentPage, None]:
        """Yield our payments with a higher index, in order."""

        async def ask(request: pb.ListPaymentsRequest) -> pb.ListPaymentsResponse:
            return await self._client.call(
                methods.LIST_PAYMENTS, request, pb.ListPaymentsResponse, deadline_s=LONG_DEADLINE_S
            )

        async with aclosing(payments.payments_after(ask, index, await self._own_pubkey())) as pages:
            async for page in pages:
                yield page

    async def list_transactions(self, since_height: int) -> list[WalletTransaction]:
        """Return the wallet's confirmed transactions from a block height on."""
        reply = await self._client.call(
            methods.GET_TRANSACTIONS,
            pb.GetTransactionsRequest(start_height=since_height),
            pb.TransactionDetails,
            deadline_s=LONG_DEADLINE_S,
        )
        return [records.wallet_transaction(t) for t in reply.transactions if t.block_height > 0]

    def htlc_stream(self) -> LndHtlcStream:
        return LndHtlcStream(self.connection)

    async def channel_events(self) -> AsyncGenerator[ChannelEvent, None]:
        channels = self._client.stream(
            methods.SUBSCRIBE_CHANNEL_EVENTS, pb.ChannelEventSubscription(), pb.ChannelEventUpdate
        )
        peers = self._client.stream(methods.SUBSCRIBE_PEER_EVENTS, pb.PeerEventSubscription(), pb.PeerEvent)
        async with (
            aclosing(channels),
            aclosing(peers),
            aclosing(channel_events.merge(channels, peers, self._clock.now_ns)) as events,
        ):
            async for event in events:
                yield event

    async def policy_events(self) -> AsyncGenerator[PolicyEvent, None]:
        pubkey = await self._own_pubkey()
        gossip = self._client.stream(
            methods.SUBSCRIBE_CHANNEL_GRAPH, pb.GraphTopologySubscription(), pb.GraphTopologyUpdate
        )
        async with (
            aclosing(gossip),
            aclosing(channel_events.own_policies(gossip, pubkey, self._clock.now_ns)) as events,
        ):
            async for event in events:
                yield event

    async def close(self) -> None:
        await self._client.close()

    async def _own_pubkey(self) -> str:
        if self._pubkey is None:
            await self.node_info()
        assert self._pubkey is not None
        return self._pubkey

    async def _own_edges(self, pubkey: str) -> list[GraphEdge]:
        """Return our announced channels; none where the macaroon has only GetChanInfo, as the one for fees."""
        try:
            node = await self._graph_node(pubkey, include_channels=True)
        except NodeRefused:
            return []  # then each is asked for by itself; a macaroon that allows neither is told so there
        return [] if node is None else [records.graph_edge(edge) for edge in node.channels]

    async def _graph_node(self, pubkey: str, *, include_channels: bool) -> pb.NodeInfo | None:
        request = pb.NodeInfoRequest(pub_key=pubkey, include_channels=include_channels)
        try:
            return await self._client.call(methods.GET_NODE_INFO, request, pb.NodeInfo, deadline_s=LONG_DEADLINE_S)
        except NodeHasNone:
            return None

    async def _edge(self, scid: int) -> GraphEdge | None:
        try:
            reply = await self._client.call(methods.GET_CHAN_INFO, pb.ChanInfoRequest(chan_id=scid), pb.ChannelEdge)
        except NodeHasNone:
            return None  # an own channel that was only just opened
        return records.graph_edge(reply)


async def _gather(calls: Sequence[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """Run all; the first error cancels the rest and is raised as it is, not in a group."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
