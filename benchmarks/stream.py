"""The live stream over real gRPC and TLS: a bare loop of grpc.aio, our path to the disk, and the same path from a list.

The server is a process of its own (`python -m lnflow.simulation.lnd_server`).  Our path is what the collector
runs for the stream: a reading thread, the bounded queue, and the thread that decodes, joins and commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from benchmarks.table import Row, Spent, interleaved, rate, ratios, spent_by
from lnflow.app import LiveCollection, lnd_connection, lnd_reader
from lnflow.config import NodeSettings
from lnflow.domain.errors import NodeUnavailable
from lnflow.domain.htlc import StreamEnded, Subscribed
from lnflow.domain.time import SystemClock
from lnflow.ingest.join import Joiner
from lnflow.ingest.queue import MAX_QUEUED, EventQueue
from lnflow.ingest.status import CollectorStatus
from lnflow.ingest.writer_thread import WriterThread
from lnflow.nodes.lnd.credentials import LndConnection, load_credentials
from lnflow.nodes.lnd.events import DecodeCounts
from lnflow.nodes.lnd.htlc_stream import LndHtlcStream
from lnflow.nodes.lnd.proto_events import decode_event
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

_POLL_S = 0.005
_PATIENCE_S = 120.0
BURST = 10_000
STEADY_RATE = 500


@dataclass(frozen=True, slots=True)
class Node:
    """A server under load."""

    connection: LndConnection
    events: int


@contextlib.contextmanager
def load_server(scratch: Path, *, events: int, rate: float | None = None) -> Iterator[Node]:
    """Run the simulated LND that sends so many events to whoever subscribes."""
    directory = scratch / "lnd"
    command = [sys.executable, "-m", "lnflow.simulation.lnd_server", "--directory", str(directory)]
    command += ["--events", str(events), *(["--rate", str(rate)] if rate else [])]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        ready = json.loads(server.stdout.readline())
        settings = NodeSettings(lnd_dir=ready["directory"], grpc_host=ready["target"], network=ready["network"])
        yield Node(lnd_connection(settings, allow_spending_credential=True), events)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(directory)


def measure(scratch: Path, *, events: int, rounds: int, steady_s: int) -> list[Row]:
    """Return the rows of the table about the stream."""
    with load_server(scratch, events=events) as node:
        raws: list[bytes] = []
        asyncio.run(_read_bare(node, raws))
        attempts = _attempts(raws)
        spent = interleaved(
            {
                "bare": lambda: spent_by(lambda: asyncio.run(_read_bare(node))),
                "stored": lambda: _stored(node, scratch, attempts),
                "list": lambda: _from_list(raws, scratch, attempts),
            },
            rounds,
        )
    to_bare, to_bare_cpu = ratios(spent["stored"], spent["bare"])
    to_list, to_list_cpu = ratios(spent["stored"], spent["list"])
    figures = ", ".join(f"{name} {rate(spent[name], events)}" for name in spent) + f"; {events:,} events"
    rows = [
        Row(name="stream stored / bare grpc.aio loop", value=to_bare, bar=1.1, figures=figures),
        Row(name="  the same by processor time", value=to_bare_cpu, bar=None, figures=""),
        Row(name="stream stored / same store path fed from a list", value=to_list, bar=0.5, figures=""),
        Row(name="  the same by processor time", value=to_list_cpu, bar=None, figures=""),
    ]
    with load_server(scratch, events=BURST) as node:
        rows.append(_without_loss(node, scratch, f"burst of {BURST:,} events: lost"))
    steady = STEADY_RATE * steady_s
    with load_server(scratch, events=steady, rate=STEADY_RATE) as node:
        rows.append(_without_loss(node, scratch, f"{STEADY_RATE}/s for {steady_s} s: lost"))
    return rows


async def _read_bare(node: Node, kept: list[bytes] | None = None) -> None:
    """Read the events and throw them away, as a loop over grpc.aio does."""
    credentials = load_credentials(node.connection)
    channel_credentials = grpc.ssl_channel_credentials(credentials.certificate_pem)
    async with grpc.aio.secure_channel(node.connection.target, channel_credentials) as channel:
        subscribe: Any = channel.unary_stream(
            methods.SUBSCRIBE_HTLC_EVENTS,
            request_serializer=pb.SubscribeHtlcEventsRequest.SerializeToString,
            response_deserializer=None,
        )
        call = subscribe(pb.SubscribeHtlcEventsRequest(), metadata=credentials.macaroon_metadata)
        left = node.events + 1  # the first one says that we are subscribed
        async for raw in call:
            if kept is not None:
                kept.append(raw)
            left -= 1
            if not left:
                break
        call.cancel()


def _stored(node: Node, scratch: Path, attempts: int) -> Spent:
    """Subscribe and store; the time ends when the last attempt is committed."""
    stream = LndHtlcStream(node.connection)
    clock = SystemClock()
    events, status = EventQueue(clock, MAX_QUEUED), CollectorStatus()

    def read() -> None:
        with contextlib.suppress(NodeUnavailable):
            stream.run(events.put)

    reader = threading.Thread(target=read)
    with _storing(scratch, events, status) as thread:
        thread.decode_with(stream.decode, stream.counters)

        def work() -> None:
            reader.start()
            thread.start()
            _until(lambda: status.events > node.events and status.attempts >= attempts)

        spent = spent_by(work)
        stream.cancel()
        reader.join()
        assert not status.shed, status
    return spent


def _from_list(raws: list[bytes], scratch: Path, attempts: int) -> Spent:
    """Store messages that are in memory already, by the same queue and thread."""
    events, status = EventQueue(SystemClock(), len(raws)), CollectorStatus()
    counts = DecodeCounts()
    with _storing(scratch, events, status) as thread:
        thread.decode_with(lambda raw: decode_event(raw, counts), dict)

        def work() -> None:
            for raw in raws:
                events.put(raw)
            thread.start()
            _until(lambda: status.events >= len(raws) and status.attempts >= attempts)

        return spent_by(work)


@contextlib.contextmanager
def _storing(scratch: Path, events: EventQueue, status: CollectorStatus) -> Iterator[WriterThread]:
    folder = scratch / "stored"
    folder.mkdir()
    with StoreWriter(folder / "lnflow.sqlite", "node") as writer:
        thread = WriterThread(writer, events, status, SystemClock(), steady_ns=time.monotonic_ns)
        yield thread
        thread.stop()
        if thread.failure is not None:
            raise thread.failure
    shutil.rmtree(folder)


def _without_loss(node: Node, scratch: Path, name: str) -> Row:
    """Let the whole collector listen until it has all; return how many attempts the store lacks."""
    database = scratch / "collected.sqlite"
    expected = asyncio.run(_expected(node))
    status = asyncio.run(_collect(node, database, expected))
    with StoreReader(database) as store:
        rows = store.flows(0, time.time_ns() + 1)
        # seen live: what only the history told was lost by the stream
        stored = sum(r.out_settled_live + r.out_downstream + r.out_refused + r.out_pending for r in rows)
        shed = store.counters().get("shed", 0)
    for file in scratch.glob("collected.sqlite*"):
        file.unlink()
    return Row(
        name=name, value=expected - stored + shed, bar=0, at_least=False, unit="",
        figures=f"{stored:,} live of {expected:,} attempts, {shed} events shed, {status.backfilled} in history first",
    )  # fmt: skip


async def _expected(node: Node) -> int:
    raws: list[bytes] = []
    await _read_bare(node, raws)
    return _attempts(raws)


def _attempts(raws: list[bytes]) -> int:
    joiner, counts = Joiner(), DecodeCounts()
    for raw in raws:
        event = decode_event(raw, counts)
        if event is not None and not isinstance(event, Subscribed | StreamEnded):
            joiner.add(event)
    return sum(not f.only_known for f in joiner.take())


async def _collect(node: Node, database: Path, attempts: int) -> CollectorStatus:
    async with lnd_reader(node.connection) as reader:
        live = LiveCollection(reader, database, "node")
        running = asyncio.create_task(live.run())
        deadline = time.monotonic() + _PATIENCE_S + node.events / STEADY_RATE
        while live.status.events <= node.events or live.status.attempts + live.status.backfilled < attempts:
            await asyncio.wait({running}, timeout=_POLL_S)
            if running.done() or time.monotonic() > deadline:
                break
        live.stop()
        await running
        return live.status


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the stream was not stored")
        time.sleep(_POLL_S)
