"""A server for load: one client's HTLC stream gets prepared events as fast as it reads, or at a rate.

Everything else (macaroons, states, unary answers) is `LndServer`'s; only the transport differs.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import events
from lnflow.simulation.lnd_server.answers import ANSWERS
from lnflow.simulation.lnd_server.http2 import Call, CallFailed, Connection, framed
from lnflow.simulation.lnd_server.rpc_error import RpcError
from lnflow.simulation.lnd_server.server import LndServer
from lnflow.simulation.tls import self_signed_certificate

_AT_ONCE = 500  # messages handed to the transport together
_TICK_S = 0.01
_UNIMPLEMENTED = 12
_SILENT_STREAMS = frozenset(
    {methods.SUBSCRIBE_CHANNEL_EVENTS, methods.SUBSCRIBE_PEER_EVENTS, methods.SUBSCRIBE_CHANNEL_GRAPH}
)


class LoadServer:
    """Serves the same prepared events to every subscriber of HTLC events, then keeps the stream open.

    `rate` is events per second; None: as fast as the client reads.
    """

    def __init__(self, lnd: LndServer, prepared: Sequence[bytes], *, rate: float | None = None) -> None:
        self._lnd = lnd
        self._prepared = [framed(message) for message in prepared]
        self._rate = rate
        self.port = 0

    async def start(self) -> None:
        """Write the directory and listen on a free port."""
        certificate = self_signed_certificate()
        self._lnd.directory.write_certificate(certificate)
        self._lnd.directory.write_macaroons(self._lnd.bakery)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["h2"])
        with tempfile.TemporaryDirectory(prefix="lnflow-tls-") as scratch:
            chain = Path(scratch) / "chain.pem"
            chain.write_bytes(certificate.key_pem + certificate.cert_pem)
            context.load_cert_chain(chain)
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        self._server = server

    async def stop(self) -> None:
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(reader, writer, self._answer).serve()

    async def _answer(self, call: Call) -> AsyncIterator[bytes]:
        known = {methods.GET_STATE, methods.SUBSCRIBE_STATE, methods.SUBSCRIBE_HTLC_EVENTS}
        if call.path not in ANSWERS and call.path not in known | _SILENT_STREAMS:
            raise CallFailed(_UNIMPLEMENTED, f"unknown method {call.path}")
        try:
            self._lnd.let_in(call.path, [value for name, value in call.metadata if name == "macaroon"])
            if call.path == methods.SUBSCRIBE_HTLC_EVENTS:
                async for messages in self._events():
                    yield messages
            elif call.path == methods.SUBSCRIBE_STATE:
                yield framed(pb.SubscribeStateResponse(state=self._lnd.state).SerializeToString())
            elif call.path not in _SILENT_STREAMS:
                response = await self._lnd.answer(call.path, call.request)
                yield framed(response.SerializeToString())
                return
        except RpcError as exc:
            number: int = exc.code.value[0]
            raise CallFailed(number, exc.message) from exc
        await asyncio.get_running_loop().create_future()  # a stream stays open until the client goes

    async def _events(self) -> AsyncIterator[bytes]:
        yield framed(events.subscribed())
        if self._rate is None:
            for start in range(0, len(self._prepared), _AT_ONCE):
                yield b"".join(self._prepared[start : start + _AT_ONCE])
            return
        loop = asyncio.get_running_loop()
        started, sent = loop.time(), 0
        while sent < len(self._prepared):
            due = min(len(self._prepared), int((loop.time() - started) * self._rate))
            if due > sent:
                yield b"".join(self._prepared[sent:due])
                sent = due
            await asyncio.sleep(_TICK_S)
