"""From gRPC's calls to the server's answers, and from its errors to gRPC's statuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server.answers import ANSWERS
from lnflow.simulation.lnd_server.rpc_error import RpcError

if TYPE_CHECKING:
    from lnflow.simulation.lnd_server.server import LndServer

STREAMS = frozenset(
    {
        methods.SUBSCRIBE_STATE,
        methods.SUBSCRIBE_HTLC_EVENTS,
        methods.SUBSCRIBE_CHANNEL_EVENTS,
        methods.SUBSCRIBE_PEER_EVENTS,
        methods.SUBSCRIBE_CHANNEL_GRAPH,
    }
)

_Context = grpc.aio.ServicerContext[Any, Any]


class Handlers(grpc.GenericRpcHandler):
    """Routes a full method path to the server; unknown paths are UNIMPLEMENTED."""

    def __init__(self, server: LndServer) -> None:
        self._server = server

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method
        if method == methods.GET_STATE or method in ANSWERS:
            return grpc.unary_unary_rpc_method_handler(self._unary(method))
        if method in STREAMS:
            return grpc.unary_stream_rpc_method_handler(self._stream(method))
        return None

    def _unary(self, method: str) -> Callable[[bytes, _Context], Awaitable[bytes]]:
        async def handle(raw: bytes, context: _Context) -> bytes:
            try:
                self._server.let_in(method, _macaroons(context))
                response = await self._server.answer(method, raw)
            except RpcError as exc:
                await _abort(context, exc)
            return response.SerializeToString()

        return handle

    def _stream(self, method: str) -> Callable[[bytes, _Context], AsyncIterator[bytes]]:
        async def handle(raw: bytes, context: _Context) -> AsyncIterator[bytes]:
            try:
                self._server.let_in(method, _macaroons(context))
                async for message in self._server.stream(method):
                    yield message
            except RpcError as exc:
                await _abort(context, exc)

        return handle


def _macaroons(context: _Context) -> list[str]:
    metadata = context.invocation_metadata() or ()
    return [str(value) for key, value in metadata if key == "macaroon"]


async def _abort(context: _Context, error: RpcError) -> NoReturn:
    await context.abort(error.code, error.message)
    raise AssertionError("abort always raises")
