"""Accepting channels that work before their transaction is mined; both ends then name them by aliases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

import grpc
from tests.real_lnd.processes import Node

METHOD = "/lnrpc.Lightning/ChannelAcceptor"
ID_AT = 2 + 33 + 2 + 32 + 2  # in a ChannelAcceptRequest, after node_pubkey and chain_hash
ID_LENGTH = 32


@contextmanager
def accepting_zero_conf(node: Node) -> Iterator[None]:
    """Let `node` accept every channel without confirmations; it does so a moment after the block is entered.

    lnd has no setting for it, and over REST the call is a websocket, hence gRPC with messages written by hand.
    """
    answers: SimpleQueue[bytes | None] = SimpleQueue()
    credentials = grpc.ssl_channel_credentials(node.tls_cert.read_bytes())
    with grpc.secure_channel(node.grpc_host, credentials) as channel:
        accept: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(METHOD)
        macaroon = node.admin_macaroon.read_bytes().hex()
        requests = accept(iter(answers.get, None), metadata=(("macaroon", macaroon),))

        def answer() -> None:
            try:
                for request in requests:
                    answers.put(_yes(request[ID_AT : ID_AT + ID_LENGTH]))
            except grpc.RpcError:
                pass  # the block was left

        threading.Thread(target=answer, name="channel acceptor", daemon=True).start()
        yield
        answers.put(None)
        requests.cancel()


def _yes(pending_channel_id: bytes) -> bytes:
    """Return ChannelAcceptResponse {1 accept: true, 2 pending_chan_id, 11 zero_conf: true}."""
    return b"\x08\x01" + b"\x12\x20" + pending_channel_id + b"\x58\x01"
