"""Calls to LND, one function for unary ones and one for streams.

Only methods of the allow-list get as far as the socket.  Certificate and macaroon are read anew whenever
their files change or the connection was lost.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection
from typing import TypeVar

import grpc
import grpc.aio
import stamina
from google.protobuf.message import Message

from lnflow.domain.errors import ConfigurationError, LnflowError, NodeUnavailable
from lnflow.nodes.lnd.channel import open_channel
from lnflow.nodes.lnd.credentials import Credentials, LndConnection, load_credentials
from lnflow.nodes.lnd.errors import translate, unless_replaced
from lnflow.nodes.lnd.wire import methods

_Reply = TypeVar("_Reply", bound=Message)

# It warns of every retry in two words without a cause; our own errors and log lines tell more
logging.getLogger("stamina").addHandler(logging.NullHandler())

DEADLINE_S = 30.0
LONG_DEADLINE_S = 300.0
"""For replies of tens of megabytes: the graph, pages of history."""


class _Link:
    """One gRPC channel with the credentials it was opened with; closed when its last call is over."""

    def __init__(self, connection: LndConnection) -> None:
        self.files = connection.file_stamps()
        self.credentials: Credentials = load_credentials(connection)
        self.channel = open_channel(connection, self.credentials)
        self.calls = 0
        self.retired = False

    async def close_if_idle(self) -> None:
        if self.retired and not self.calls:
            await self.channel.close()


class LndClient:
    """An LND that may be asked the methods of an allow-list."""

    def __init__(
        self,
        connection: LndConnection,
        *,
        allowed: Collection[str] = methods.READ_METHODS,
        attempts: int = 3,
    ) -> None:
        self.connection = connection
        self._allowed = frozenset(allowed)
        self._attempts = attempts
        self._link: _Link | None = None
        self._has_connected = False

    async def call(
        self,
        method: str,
        request: Message,
        reply: type[_Reply],
        *,
        deadline_s: float = DEADLINE_S,
        attempts: int | None = None,
    ) -> _Reply:
        """Make one unary call, again if the node was not available."""
        self._check_allowed(method)
        async for attempt in stamina.retry_context(
            on=NodeUnavailable, attempts=attempts or self._attempts, wait_initial=0.1, wait_max=2.0, timeout=None
        ):
            with attempt:
                return await self._call_once(method, request, reply, deadline_s)
        raise AssertionError("stamina ends with a result or an error")

    async def stream(self, method: str, request: Message, reply: type[_Reply]) -> AsyncGenerator[_Reply, None]:
        """Yield the messages of a server stream on a connection of its own; raise when it ends."""
        self._check_allowed(method)
        link = self._new_link()
        try:
            call = link.channel.unary_stream(
                method, request_serializer=_serialize, response_deserializer=reply.FromString
            )(request, metadata=self._metadata(method, link))
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as exc:
            raise self._translated(exc, method, link) from exc
        finally:
            await link.channel.close()
        raise NodeUnavailable(f"LND at {self.connection.target} ended {method.rpartition('/')[2]}")

    async def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.channel.close()

    async def _call_once(self, method: str, request: Message, reply: type[_Reply], deadline_s: float) -> _Reply:
        link = await self._current_link()
        link.calls += 1
        try:
            stub = link.channel.unary_unary(
                method, request_serializer=_serialize, response_deserializer=reply.FromString
            )
            answer: _Reply = await stub(request, timeout=deadline_s, metadata=self._metadata(method, link))
            return answer
        except grpc.aio.AioRpcError as exc:
            if exc.code() is grpc.StatusCode.UNAVAILABLE and self._link is link:
                self._link = None  # the next call connects anew, with the credentials of then
                link.retired = True
            raise self._translated(exc, method, link) from exc
        finally:
            link.calls -= 1
            await link.close_if_idle()

    async def _current_link(self) -> _Link:
        link = self._link
        if link is not None and link.files != self.connection.file_stamps():
            self._link = None
            link.retired = True
            await link.close_if_idle()
            link = None
        if link is None:
            link = self._link = self._new_link()
        return link

    def _new_link(self) -> _Link:
        try:
            link = _Link(self.connection)
        except ConfigurationError as exc:
            if self._has_connected:  # what was right before is being replaced, it seems
                raise NodeUnavailable(str(exc)) from exc
            raise
        self._has_connected = True
        return link

    def _check_allowed(self, method: str) -> None:
        if method not in self._allowed:
            raise PermissionError(f"{method} is not one of the methods this client may call")

    def _metadata(self, method: str, link: _Link) -> tuple[tuple[str, str], ...]:
        return () if method in methods.METHODS_WITHOUT_MACAROON else link.credentials.macaroon_metadata

    def _translated(self, exc: grpc.aio.AioRpcError, method: str, link: _Link) -> LnflowError:
        error = translate(exc.code(), exc.details() or "", method=method, connection=self.connection)
        return unless_replaced(error, link.files, self.connection)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
