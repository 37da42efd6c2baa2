"""A simulated LND behind real gRPC: TLS, macaroons, states, streams; and the faults tests ask for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import grpc
from google.protobuf.message import DecodeError, Message

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import events
from lnflow.simulation.lnd_server.answers import ANSWERS, CHANGING
from lnflow.simulation.lnd_server.directory import LndDirectory
from lnflow.simulation.lnd_server.handlers import Handlers
from lnflow.simulation.lnd_server.macaroons import Bakery, MacaroonRefused
from lnflow.simulation.lnd_server.node import LndNode
from lnflow.simulation.lnd_server.rpc_error import RpcError
from lnflow.simulation.lnd_server.streams import Topic
from lnflow.simulation.tls import Certificate, self_signed_certificate

TERMINATED = "htlc event subscription terminated"
SHUTTING_DOWN = "subscription server shutting down"
START_WALK = (pb.WAITING_TO_START, pb.LOCKED, pb.UNLOCKED, pb.RPC_ACTIVE, pb.SERVER_ACTIVE)

_MIB = 1024 * 1024
_OPTIONS = (
    ("grpc.max_receive_message_length", 200 * _MIB),
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.so_reuseport", 0),
)
_NOT_READY = {
    pb.WAITING_TO_START: "waiting to start, RPC services not available",
    pb.NON_EXISTING: "wallet not created, create one to enable full RPC access",
    pb.LOCKED: "wallet locked, unlock it to enable full RPC access",
    pb.UNLOCKED: "the RPC server is in the process of starting up, but not yet ready to accept calls",
}

_GRACE_S = 1.0  # for calls that are being answered while the port closes
_CLOSED = RpcError("transport is closing", grpc.StatusCode.UNAVAILABLE)


class LndServer:
    """Serves one `LndNode` on loopback and keeps its directory.

    Everything but pushing events belongs to the event loop that called `start`.  `clock_ns` is what the
    node takes for now; a simulation gives its own.
    """

    def __init__(
        self,
        node: LndNode,
        directory: Path,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        state: pb.WalletState = pb.SERVER_ACTIVE,
    ) -> None:
        self.node = node
        self.directory = LndDirectory(directory, node.network)
        self.clock_ns = clock_ns
        self.bakery = Bakery()
        self.port = 0
        self.calls: Counter[str] = Counter()
        """Calls that were let in, by full method path."""
        self.changing_calls: list[tuple[str, Message]] = []
        """Every call that asked to change the node, with its request."""
        self.unary_latency_s = 0.0
        self.accepts_subscriptions = True
        """False: every new subscription fails at once, as while LND stops."""
        self.denied: set[str] = set()
        """Methods answered with "permission denied" whatever the macaroon."""
        self.htlc_events, self.channel_events = Topic(), Topic()
        self.peer_events, self.graph_updates = Topic(), Topic()
        self._topics = {
            methods.SUBSCRIBE_HTLC_EVENTS: self.htlc_events,
            methods.SUBSCRIBE_CHANNEL_EVENTS: self.channel_events,
            methods.SUBSCRIBE_PEER_EVENTS: self.peer_events,
            methods.SUBSCRIBE_CHANNEL_GRAPH: self.graph_updates,
        }
        self._certificate: Certificate | None = None
        self._state = state
        self._state_changed = asyncio.Condition()
        self._macaroon_store_locked = False
        self._failures: dict[str, list[RpcError]] = {}
        self._closing = False
        self._server: grpc.aio.Server | None = None

    # ---- life ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Write the directory if it is new, open the port (the same one after a stop) and serve."""
        if self._certificate is None:
            self._certificate = self_signed_certificate()
            self.directory.write_certificate(self._certificate)
            self.directory.write_macaroons(self.bakery)
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((Handlers(self),))
        credentials = grpc.ssl_server_credentials([(self._certificate.key_pem, self._certificate.cert_pem)])
        self.port = server.add_secure_port(f"127.0.0.1:{self.port}", credentials)
        await server.start()
        self._server = server
        self.node.listeners.append(self)

    async def stop(self) -> None:
        """Close the port: streams break as UNAVAILABLE, whatever was queued for them is lost."""
        if self._server is not None:
            self.node.listeners.remove(self)
            self._closing = True
            for topic in self._topics.values():
                topic.resume()
                topic.end(_CLOSED.message, _CLOSED.code, discard=True)
            await self.set_state(self._state)  # wakes who waits for a state
            await self._server.stop(_GRACE_S)
            self._server, self._closing = None, False

    async def __aenter__(self) -> LndServer:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def state(self) -> pb.WalletState:
        return self._state

    async def set_state(self, state: pb.WalletState) -> None:
        async with self._state_changed:
            self._state = state
            self._state_changed.notify_all()

    async def restart(self, *, step_s: float = 0.0) -> None:
        """Stop as LND stops and come back through all states, each lasting `step_s`.

        HTLC ids and HTLCs in flight are kept; half-open adds fail as INCOMPLETE_FORWARD.
        """
        await self.begin_stop()
        await self.stop()
        self.accepts_subscriptions, self._macaroon_store_locked = True, False
        await self.set_state(START_WALK[0])
        await self.start()
        for state in START_WALK[1:]:
            await asyncio.sleep(step_s)
            await self.set_state(state)
        self.node.resume_after_restart(self.clock_ns())

    async def begin_stop(self) -> None:
        """End all streams; the state still says 4, and new subscriptions fail at once."""
        self.accepts_subscriptions = False
        for topic in self._topics.values():
            topic.resume()
            topic.end(TERMINATED, grpc.StatusCode.UNKNOWN, discard=True)
        with suppress(TimeoutError):  # a client that does not read keeps its stream until the port closes
            async with asyncio.timeout(_GRACE_S):
                for topic in self._topics.values():
                    await topic.wait_for_clients(0)

    def lock_macaroon_store(self) -> None:
        """The last phase of a stop: every call with a macaroon fails."""
        self._macaroon_store_locked = True

    # ---- faults ----------------------------------------------------------------------------------------

    def drop_streams(
        self,
        message: str = TERMINATED,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        *,
        discard: bool = False,
    ) -> None:
        """End the HTLC event streams with a status; `discard` throws away what is queued."""
        self.htlc_events.end(message, code, discard=discard)

    def fail_next(
        self, method: str, message: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN, *, times: int = 1
    ) -> None:
        """Answer the next calls of a method with an error."""
        self._failures.setdefault(method, []).extend([RpcError(message, code)] * times)

    def rotate_macaroons(self) -> None:
        """A new root key: old macaroons no longer verify, the files hold new ones."""
        self.bakery = Bakery()
        self.directory.write_macaroons(self.bakery)

    async def rotate_certificate(self, certificate: Certificate | None = None) -> None:
        """Come back at once with another certificate (a new one by default) and its files."""
        await self.stop()
        self._certificate = certificate or self_signed_certificate()
        self.directory.write_certificate(self._certificate)
        await self.start()

    # ---- what the node tells ---------------------------------------------------------------------------

    @property
    def wants_channel_updates(self) -> bool:
        return len(self.channel_events) > 0

    def htlc_event(self, event: pb.HtlcEvent) -> None:
        self.htlc_events.push(event.SerializeToString())

    def htlc_streams_died(self, reason: str) -> None:
        self.htlc_events.end(reason, grpc.StatusCode.UNKNOWN, discard=False)

    def channel_event(self, update: pb.ChannelEventUpdate) -> None:
        self.channel_events.push(update.SerializeToString())

    def peer_event(self, event: pb.PeerEvent) -> None:
        self.peer_events.push(event.SerializeToString())

    def graph_update(self, update: pb.GraphTopologyUpdate) -> None:
        self.graph_updates.push(update.SerializeToString())

    # ---- calls -----------------------------------------------------------------------------------------

    def let_in(self, method: str, metadata: list[str]) -> None:
        """Raise `RpcError` unless state and macaroon allow the call; count it otherwise."""
        if method not in methods.METHODS_WITHOUT_MACAROON:
            if self._state in _NOT_READY:
                raise RpcError(_NOT_READY[self._state])
            if self._macaroon_store_locked:
                raise RpcError("cannot retrieve macaroon: cannot get macaroon: macaroon store is locked")
            try:
                self.bakery.check(metadata, method)
            except MacaroonRefused as exc:
                raise RpcError(str(exc)) from exc
            if method in self.denied:
                raise RpcError("permission denied")
        self.calls[method] += 1
        if planned := self._failures.get(method):
            raise planned.pop(0)

    async def answer(self, method: str, raw: bytes) -> Message:
        if self.unary_latency_s:
            await asyncio.sleep(self.unary_latency_s)
        if method == methods.GET_STATE:
            return pb.GetStateResponse(state=self._state)
        request_class, answer = ANSWERS[method]
        try:
            request = request_class.FromString(raw)
        except DecodeError as exc:
            raise RpcError("grpc: error unmarshalling request", grpc.StatusCode.INTERNAL) from exc
        if method in CHANGING:
            self.changing_calls.append((method, request))
        response: Message = answer(self.node, request, self.clock_ns())
        return response

    async def stream(self, method: str) -> AsyncIterator[bytes]:
        if method == methods.SUBSCRIBE_STATE:
            async for raw in self._states():
                yield raw
            return
        if not self.accepts_subscriptions:
            raise RpcError(SHUTTING_DOWN)
        first = None
        if method == methods.SUBSCRIBE_HTLC_EVENTS:
            # At state 3 the call waits until the notifier runs, which is just before state 4.
            async with self._state_changed:
                await self._state_changed.wait_for(lambda: self._closing or self._state == pb.SERVER_ACTIVE)
            if self._closing:
                raise _CLOSED
            first = events.subscribed()
        topic = self._topics[method]
        subscription = await topic.subscribed(first)
        try:
            async for raw in subscription.messages():
                yield raw
        finally:
            await topic.left(subscription)

    async def _states(self) -> AsyncIterator[bytes]:
        while True:
            seen = self._state
            yield pb.SubscribeStateResponse(state=seen).SerializeToString()
            async with self._state_changed:
                while self._state == seen:
                    await self._state_changed.wait()
                    if self._closing:
                        raise _CLOSED
