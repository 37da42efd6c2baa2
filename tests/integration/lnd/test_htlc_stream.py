"""The HTLC event stream of the fake LND, read by a thread as live collection reads it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.fakes.lnd import ALICE_SCID, BOB_LARGE_SCID, NOW_NS, running_lnd
from tests.integration.lnd.conftest import connection_to

from lnflow.domain.causes import Cause
from lnflow.domain.errors import NodeRefused, NodeUnavailable
from lnflow.domain.htlc import Offered, Refused, Resolved, Settled, StreamEvent, Subscribed
from lnflow.nodes.lnd.channel import open_stream_channel
from lnflow.nodes.lnd.credentials import load_credentials
from lnflow.nodes.lnd.htlc_stream import LndHtlcStream
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import LndServer, Personality, ReceiveRefusal

DEADLINE_S = 20


class Listener:
    """A stream in a thread of its own; what it delivers can be awaited."""

    def __init__(self, lnd: LndServer) -> None:
        self.stream = LndHtlcStream(connection_to(lnd))
        self._loop = asyncio.get_running_loop()
        self._raw: asyncio.Queue[bytes] = asyncio.Queue()
        self.done: asyncio.Future[None] = asyncio.ensure_future(asyncio.to_thread(self.stream.run, self._deliver))

    def _deliver(self, raw: bytes) -> None:
        self._loop.call_soon_threadsafe(self._raw.put_nowait, raw)

    async def event(self) -> StreamEvent | None:
        return self.stream.decode(await asyncio.wait_for(self._raw.get(), DEADLINE_S))

    async def ended(self) -> None:
        await asyncio.wait_for(self.done, DEADLINE_S)


@pytest.fixture
async def lnd() -> AsyncIterator[LndServer]:
    async with running_lnd() as server:
        yield server


@pytest.fixture
async def listen() -> AsyncIterator[Callable[[LndServer], Listener]]:
    listeners: list[Listener] = []

    def start(lnd: LndServer) -> Listener:
        listeners.append(Listener(lnd))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.stream.cancel()
    await asyncio.wait_for(asyncio.gather(*(each.done for each in listeners), return_exceptions=True), DEADLINE_S)


Listen = Callable[[LndServer], Listener]


def forward(lnd: LndServer, amount_out_msat: int = 1_000_000, fee_msat: int = 10_000) -> tuple[int, int]:
    forwarding = lnd.node.forward_htlc(
        in_scid=ALICE_SCID,
        requested_out=BOB_LARGE_SCID,
        amount_in_msat=amount_out_msat + fee_msat,
        amount_out_msat=amount_out_msat,
        now_ns=NOW_NS,
    )
    return forwarding.key


async def called(lnd: LndServer, method: str, times: int) -> None:
    """Wait until LND was asked that often."""
    async with asyncio.timeout(DEADLINE_S):
        while lnd.calls[method] < times:
            await asyncio.sleep(0)


async def test_a_forward_is_offered_settled_and_resolved(lnd: LndServer, listen: Listen) -> None:
    listener = listen(lnd)
    assert await listener.event() == Subscribed(0)
    key = forward(lnd)
    offered = await listener.event()
    assert isinstance(offered, Offered)
    assert (offered.in_scid, offered.in_htlc_id) == key
    assert (offered.amount_in_msat, offered.amount_out_msat) == (1_010_000, 1_000_000)
    lnd.node.settle(key, NOW_NS)
    assert isinstance(await listener.event(), Settled)
    resolved = await listener.event()
    assert isinstance(resolved, Resolved)
    assert (resolved.settled, resolved.offchain) == (True, True)


@pytest.mark.parametrize("personality", Personality)
async def test_a_channel_without_slots_refuses_on_every_version(personality: Personality, listen: Listen) -> None:
    async with running_lnd(personality) as lnd:
        listener = listen(lnd)
        await listener.event()
        for channel in lnd.node.channels_with(lnd.node.channel(BOB_LARGE_SCID).peer):
            channel.max_accepted_htlcs = 0
        forward(lnd)
        refused = await listener.event()
        assert isinstance(refused, Refused)
        assert (refused.cause, refused.amount_out_msat) == (Cause.HTLC_ADD_FAILED, None)
        assert refused.out_scid == (0 if personality.labels_add_failed_as_receive else BOB_LARGE_SCID)
        assert listener.stream.counts.own_receives == 0
        listener.stream.cancel()
        await listener.ended()


async def test_own_payments_are_counted_apart(lnd: LndServer, listen: Listen) -> None:
    listener = listen(lnd)
    await listener.event()
    number = lnd.node.send(first_hop=BOB_LARGE_SCID, amount_msat=5_000_000, now_ns=NOW_NS)
    assert number is not None
    lnd.node.settle_send(number, NOW_NS)
    lnd.node.receive(in_scid=ALICE_SCID, amount_msat=7_000_000, now_ns=NOW_NS)
    assert [await listener.event() for _ in range(3)] == [None, None, None]
    assert isinstance(await listener.event(), Resolved)  # a received HTLC is resolved too
    assert (listener.stream.counts.own_sends, listener.stream.counts.own_receives) == (2, 1)


async def test_cancel_ends_the_stream_at_once_and_without_an_error(lnd: LndServer, listen: Listen) -> None:
    listener = listen(lnd)
    await listener.event()
    listener.stream.cancel()
    await listener.ended()
    await asyncio.wait_for(lnd.htlc_events.wait_for_clients(0), DEADLINE_S)


async def test_cancel_before_the_start_is_no_start(lnd: LndServer) -> None:
    stream = LndHtlcStream(connection_to(lnd))
    stream.cancel()
    await asyncio.wait_for(asyncio.to_thread(stream.run, lambda raw: None), DEADLINE_S)
    assert not lnd.calls


async def test_cancel_while_the_node_starts(listen: Listen) -> None:
    async with running_lnd(state=pb.UNLOCKED) as lnd:
        listener = listen(lnd)
        await called(lnd, methods.GET_STATE, 1)
        listener.stream.cancel()
        await listener.ended()
        assert not lnd.calls[methods.SUBSCRIBE_HTLC_EVENTS]


async def test_a_stopping_node_ends_the_stream_as_unavailable(lnd: LndServer, listen: Listen) -> None:
    listener = listen(lnd)
    await listener.event()
    stopping = asyncio.ensure_future(lnd.begin_stop())
    with pytest.raises(NodeUnavailable, match="event stream"):
        await listener.ended()
    await stopping
    again = listen(lnd)  # for some tens of ms the state still says 4
    with pytest.raises(NodeUnavailable, match="shutting down"):
        await again.ended()


async def test_a_broken_connection_is_unavailable(lnd: LndServer, listen: Listen) -> None:
    listener = listen(lnd)
    await listener.event()
    await lnd.stop()
    with pytest.raises(NodeUnavailable):
        await listener.ended()


async def test_before_0_21_anybody_with_an_invoice_can_end_the_stream(listen: Listen) -> None:
    async with running_lnd(Personality.V0_20_1) as lnd:
        listener = listen(lnd)
        await listener.event()
        lnd.node.receive(
            in_scid=ALICE_SCID,
            amount_msat=1_000_000,
            now_ns=NOW_NS,
            refusal=ReceiveRefusal.HTLC_INVOICE_TYPE_MISMATCH,
        )
        with pytest.raises(NodeUnavailable, match="unknown fail resolution"):
            await listener.ended()


async def test_the_subscription_is_made_before_the_node_is_ready(listen: Listen) -> None:
    """What LND tells in its first moments would be missed by waiting for state 4."""
    async with running_lnd(state=pb.WAITING_TO_START) as lnd:  # 255, which is above 4
        listener = listen(lnd)
        for state in (pb.LOCKED, pb.UNLOCKED):
            await lnd.set_state(state)
            await called(lnd, methods.GET_STATE, lnd.calls[methods.GET_STATE] + 2)
            assert not lnd.calls[methods.SUBSCRIBE_HTLC_EVENTS]
        await lnd.set_state(pb.RPC_ACTIVE)
        await called(lnd, methods.SUBSCRIBE_HTLC_EVENTS, 1)
        await lnd.set_state(pb.SERVER_ACTIVE)
        assert await listener.event() == Subscribed(0)


async def test_a_macaroon_that_may_not_listen_is_refused_with_the_command(lnd: LndServer, listen: Listen) -> None:
    lnd.denied.add(methods.SUBSCRIBE_HTLC_EVENTS)
    with pytest.raises(NodeRefused, match=r"does not allow SubscribeHtlcEvents; bake") as caught:
        await listen(lnd).ended()
    assert "lncli --network=regtest" in str(caught.value)


async def test_a_burst_arrives_whole_and_in_order(lnd: LndServer, listen: Listen) -> None:
    listener = listen(lnd)
    await listener.event()
    count = 10_000
    for number in range(count):
        event = pb.HtlcEvent(
            incoming_channel_id=ALICE_SCID,
            incoming_htlc_id=number,
            timestamp_ns=NOW_NS + number,
            final_htlc_event=pb.FinalHtlcEvent(settled=True, offchain=True),
        )
        lnd.htlc_events.push(event.SerializeToString())
    seen = [await listener.event() for _ in range(count)]
    assert [event.in_htlc_id for event in seen if isinstance(event, Resolved)] == list(range(count))


async def test_the_reading_thread_polls_by_itself(lnd: LndServer) -> None:
    """grpcio's option for it is experimental: without it every message would wake other threads."""
    connection = connection_to(lnd)
    credentials = load_credentials(connection)

    def kind_of_call() -> str:
        with open_stream_channel(connection, credentials) as channel:
            call: Any = channel.unary_stream(
                methods.SUBSCRIBE_HTLC_EVENTS,
                request_serializer=pb.SubscribeHtlcEventsRequest.SerializeToString,
            )(pb.SubscribeHtlcEventsRequest(), metadata=credentials.macaroon_metadata)
            next(call)
            return type(call).__name__

    assert await asyncio.to_thread(kind_of_call) == "_SingleThreadedRendezvous"


async def test_a_server_that_falls_silent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen server answers no ping; the listening socket of nobody stands for it."""
    from lnflow.nodes.lnd import channel as channels

    monkeypatch.setattr(
        channels,
        "_OPTIONS",
        (
            *(
                option
                for option in channels._OPTIONS
                if "ping_timeout" not in option[0] and "keepalive_time" not in option[0]
            ),
            ("grpc.keepalive_time_ms", 1_000),
            ("grpc.http2.ping_timeout_ms", 1_000),
        ),
    )
    async with running_lnd() as lnd:
        proxy = await _Freezer.start(lnd.port)
        listener_stream = LndHtlcStream(connection_to(lnd, grpc_host=f"127.0.0.1:{proxy.port}"))
        subscribed = threading.Event()
        done = asyncio.ensure_future(asyncio.to_thread(listener_stream.run, lambda raw: subscribed.set()))
        assert await asyncio.to_thread(subscribed.wait, DEADLINE_S)
        proxy.frozen = True
        with pytest.raises(NodeUnavailable):
            await asyncio.wait_for(done, DEADLINE_S)
        await proxy.stop()


class _Freezer:
    """A TCP proxy that can stop passing bytes without closing anything."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._writers: list[asyncio.StreamWriter] = []
        self.frozen = False
        self.port = 0

    @classmethod
    async def start(cls, target_port: int) -> _Freezer:
        proxy = cls(target_port)
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        proxy.port = proxy._server.sockets[0].getsockname()[1]
        return proxy

    _server: asyncio.Server

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers += [writer, to_server[1]]
        await asyncio.gather(self._pass(reader, to_server[1]), self._pass(to_server[0], writer))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if not self.frozen:
                sink.write(data)
        sink.close()

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
