"""The live stream of HTLC events, read by a thread of its own.

LND queues what a subscriber does not read without bound, in its own memory: so the thread that runs this
only hands raw bytes on, and whoever takes them decodes them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc
from msgspec import structs

from lnflow.domain.errors import ConfigurationError, LnflowError, NodeUnavailable
from lnflow.domain.htlc import StreamEvent
from lnflow.nodes.lnd.channel import open_stream_channel
from lnflow.nodes.lnd.credentials import LndConnection, load_credentials
from lnflow.nodes.lnd.errors import translate, unless_replaced
from lnflow.nodes.lnd.events import DecodeCounts
from lnflow.nodes.lnd.proto_events import decode_event
from lnflow.nodes.lnd.state import SUBSCRIBABLE, state_problem
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods

_STATE_DEADLINE_S = 10.0
_STATE_POLL_S = 0.1  # an HTLC settled while LND was down is told within 0.05–0.11 s of its start
_STATE_PATIENCE_S = 10.0


class LndHtlcStream:
    """One subscription.  `run` it once, in a thread; `cancel` from any other."""

    def __init__(self, connection: LndConnection) -> None:
        self._connection = connection
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._files = connection.file_stamps()
        self.counts = DecodeCounts()

    def run(self, deliver: Callable[[bytes], None]) -> None:
        """Hand every raw message to `deliver` until `cancel`.

        Waits some seconds for a starting node, and subscribes as soon as LND takes subscriptions (state 3):
        waiting for its readiness would miss what it tells first.  Raises `NodeUnavailable` or `NodeRefused`
        when the stream ends.
        """
        self._files = self._connection.file_stamps()
        try:
            credentials = load_credentials(self._connection)
        except ConfigurationError as exc:  # they were right when we began: they are being replaced, it seems
            raise NodeUnavailable(str(exc)) from exc
        channel = open_stream_channel(self._connection, credentials)
        with self._lock:
            self._channel = channel
        if self._cancelled.is_set():  # cancelled before there was a channel to close
            channel.close()
            return
        method = methods.GET_STATE
        try:
            self._wait_until_subscribable(channel)
            method = methods.SUBSCRIBE_HTLC_EVENTS
            subscribe: Any = channel.unary_stream(
                method,
                request_serializer=pb.SubscribeHtlcEventsRequest.SerializeToString,
                response_deserializer=None,  # raw bytes
            )
            for raw in subscribe(pb.SubscribeHtlcEventsRequest(), metadata=credentials.macaroon_metadata):
                deliver(raw)
        except grpc.RpcError as exc:
            if not self._cancelled.is_set():
                raise self._translated(exc, method) from exc
        except ValueError:  # gRPC's word for a call on a channel that was closed meanwhile
            if not self._cancelled.is_set():
                raise
        finally:
            channel.close()
        if not self._cancelled.is_set():
            raise NodeUnavailable(f"LND at {self._connection.target} ended the HTLC event stream")

    def cancel(self) -> None:
        self._cancelled.set()
        with self._lock:
            channel = self._channel
        if channel is not None:
            channel.close()  # ends the calls on it, and with them `run`

    def decode(self, raw: bytes) -> StreamEvent | None:
        """Return the event; what is not one of ours is counted in `counts`.  May raise `InputError`."""
        return decode_event(raw, self.counts)

    def counters(self) -> dict[str, int]:
        return structs.asdict(self.counts)

    def _wait_until_subscribable(self, channel: grpc.Channel) -> None:
        ask = channel.unary_unary(
            methods.GET_STATE,
            request_serializer=pb.GetStateRequest.SerializeToString,
            response_deserializer=pb.GetStateResponse.FromString,
        )
        for _ in range(int(_STATE_PATIENCE_S / _STATE_POLL_S)):
            state = ask(pb.GetStateRequest(), timeout=_STATE_DEADLINE_S).state
            if state in SUBSCRIBABLE or self._cancelled.wait(_STATE_POLL_S):
                return
        raise NodeUnavailable(f"LND at {self._connection.target} {state_problem(state)}")

    def _translated(self, error: Any, method: str) -> LnflowError:
        # a failed call is an RpcError that is a Call too, which the type of the exception does not say
        ours = translate(error.code(), error.details() or "", method=method, connection=self._connection)
        return unless_replaced(ours, self._files, self._connection)
