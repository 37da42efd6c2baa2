"""A plain gRPC client of the simulated LND, apart from our adapter, with its files for credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import LndServer

Response = TypeVar("Response", bound=Message)


class Client:
    """One channel with one macaroon (None: none is sent)."""

    def __init__(self, channel: grpc.aio.Channel, macaroon: bytes | None) -> None:
        self._channel = channel
        self._metadata = [] if macaroon is None else [("macaroon", macaroon.hex())]

    async def call(self, method: str, request: Message, answers: type[Response]) -> Response:
        stub: Any = self._channel.unary_unary(method, response_deserializer=answers.FromString)
        response: Response = await stub(request.SerializeToString(), metadata=self._metadata, timeout=10)
        return response

    def stream(self, method: str, answers: type[Message] | None = None) -> Any:
        """Return the call; `answers` None gives raw bytes."""
        deserializer = answers.FromString if answers else None
        stub: Any = self._channel.unary_stream(method, response_deserializer=deserializer)
        return stub(b"", metadata=self._metadata)

    async def htlc_events(self) -> Any:
        """Return a stream of HTLC events after its subscribed event."""
        call = self.stream(methods.SUBSCRIBE_HTLC_EVENTS, pb.HtlcEvent)
        first = await call.read()
        assert first == pb.HtlcEvent(subscribed_event=pb.SubscribedEvent())
        return call


@asynccontextmanager
async def connected(lnd: LndServer, macaroon: str | None = "admin") -> AsyncIterator[Client]:
    """Connect with the files of the node's directory, read now."""
    credentials = grpc.ssl_channel_credentials(lnd.directory.tls_cert.read_bytes())
    baked = None if macaroon is None else lnd.directory.macaroon(macaroon).read_bytes()
    async with grpc.aio.secure_channel(lnd.target, credentials) as channel:
        yield Client(channel, baked)
