"""Wiring: the only place that picks adapters.  Settings and options in, running parts out."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from lnflow.config import NodeSettings
from lnflow.domain.errors import ConfigurationError, LnflowError
from lnflow.domain.time import Clock, SystemClock
from lnflow.ingest.cln_collector import ClnCollector
from lnflow.ingest.collector import Collector
from lnflow.ingest.status import CollectorStatus
from lnflow.nodes.cln.controllers import HandOver, SoleFeeWriter
from lnflow.nodes.cln.discovery import connect, read_rune
from lnflow.nodes.cln.facts import NodeFacts
from lnflow.nodes.cln.fee_facts import ClnFeeFacts
from lnflow.nodes.cln.fee_writer import ClnFeeWriter
from lnflow.nodes.cln.forwards import ForwardReader
from lnflow.nodes.cln.history import NodeHistory
from lnflow.nodes.cln.live import LiveForwards
from lnflow.nodes.cln.methods import FEE_METHODS, READ_METHODS, REHEARSAL_METHODS
from lnflow.nodes.cln.reader import ClnReader
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.runes import fee_command
from lnflow.nodes.lnd.credentials import LNDCONNECT_SCHEME, LndConnection
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.fee_facts import LndFeeFacts
from lnflow.nodes.lnd.fee_writer import FEES_MACAROON, LndFeeWriter, fee_bake_command
from lnflow.nodes.lnd.reader import LndReader
from lnflow.nodes.port import NodeReader
from lnflow.service.pricing import PolicyService
from lnflow.store.writing import StoreWriter

_LOOK_S = 0.05  # how often the end of a backfill is looked for


def lnd_connection(
    reach: NodeSettings,
    *,
    lnd_dir: str | Path | None = None,
    grpc_host: str | None = None,
    macaroon_path: str | Path | None = None,
    cert_path: str | Path | None = None,
    network: str | None = None,
    lndconnect: str | None = None,
    allow_spending_credential: bool = False,
) -> LndConnection:
    """Return the connection: options first, then the node's settings, then the usual places.

    `lndconnect` is a URI or the path of a file with one.  `ConfigurationError` says what is missing.
    """
    is_uri = lndconnect is not None and lndconnect.startswith(f"{LNDCONNECT_SCHEME}:")
    return discover(
        LndOptions(
            lnd_dir=lnd_dir or reach.lnd_dir,
            grpc_host=lndconnect if is_uri else grpc_host or reach.grpc_host,
            macaroon_path=macaroon_path or reach.macaroon_path,
            cert_path=cert_path or reach.cert_path,
            network=network or reach.network,
            lndconnect_file=None if is_uri else lndconnect or reach.lndconnect_file,
            allow_spending_credential=allow_spending_credential,
        )
    )


@contextlib.asynccontextmanager
async def lnd_reader(connection: LndConnection) -> AsyncIterator[LndReader]:
    """Lend a reader of this LND."""
    reader = LndReader(connection)
    try:
        yield reader
    finally:
        await reader.close()


class Collection(ABC):
    """One collector with a store of its own, running until told to stop."""

    def __init__(
        self,
        database: Path,
        node_name: str,
        *,
        clock: Clock | None = None,
        raw_days: int | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        """`raw_days` is how long single attempts are kept; None: for ever.  Totals always are."""
        self._database = database
        self._node_name = node_name
        self._clock = clock or SystemClock()
        self._raw_days = raw_days
        self._on_change = on_change
        self._stop = asyncio.Event()
        self.status = CollectorStatus()
        """The collector's own once it runs."""

    def stop(self) -> None:
        """Ask `run` to end; what was received is stored first."""
        self._stop.set()

    async def run(self) -> None:
        """Collect until `stop`; raises what ended the collector, as one `LnflowError` where it is ours."""
        with StoreWriter(self._database, self._node_name) as writer:
            await self._supervise(asyncio.create_task(self._collect(writer), name="collector"))

    @abstractmethod
    async def _collect(self, writer: StoreWriter) -> None:
        """Run the collector until cancelled, with its status as ours."""

    async def _supervise(self, collecting: asyncio.Task[None]) -> None:
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait({collecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            collecting.cancel()
            # Cancelled from outside too, the collector stores what it has before the writer is closed.
            results = await asyncio.shield(asyncio.gather(collecting, return_exceptions=True))
        ended = results[0]
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise first_cause(ended)


class LiveCollection(Collection):
    """Collects from an LND, or whatever has its stream.  The reader stays the caller's."""

    def __init__(
        self,
        reader: NodeReader,
        database: Path,
        node_name: str,
        *,
        clock: Clock | None = None,
        raw_days: int | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(database, node_name, clock=clock, raw_days=raw_days, on_change=on_change)
        self._reader = reader

    async def _collect(self, writer: StoreWriter) -> None:
        collector = Collector(self._reader, writer, self._clock, raw_days=self._raw_days, on_change=self._on_change)
        self.status = collector.status
        await collector.run()


class ClnCollection(Collection):
    """Collects from a Core Lightning node, by its cursors.  `rpc` stays the caller's."""

    def __init__(
        self,
        rpc: ClnRpc,
        database: Path,
        node_name: str,
        *,
        clock: Clock | None = None,
        raw_days: int | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(database, node_name, clock=clock, raw_days=raw_days, on_change=on_change)
        self._rpc = rpc

    async def _collect(self, writer: StoreWriter) -> None:
        live = LiveForwards(ForwardReader(self._rpc, self._clock), NodeFacts(self._rpc), NodeHistory(), self._clock)
        collector = ClnCollector(
            self._rpc, live, writer, self._clock, raw_days=self._raw_days, on_change=self._on_change
        )
        self.status = collector.status
        await collector.run()


@contextlib.asynccontextmanager
async def cln_policy_service(
    reach: NodeSettings,
    *,
    config: str,
    database: Path,
    node_name: str,
    stored_name: str | None,
    fee_rune_file: str | Path | None = None,
    hand_over: bool = False,
    strict: bool | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[PolicyService]:
    """Lend the policy engine over a Core Lightning node; writing goes by its own list of methods, and its own rune.

    `hand_over` asks CLBOSS and feeadjuster to let go while the service lives; else their peers are refused.
    """
    clock = clock or SystemClock()

    def open_fee_rpc(allowed: frozenset[str]) -> ClnRpc:
        if reach.url is not None and fee_rune_file is None:
            raise ConfigurationError(
                f"{reach.url}: changing prices over clnrest needs a rune of its own; the node itself holds its caps:\n"
                f"  {fee_command(most_ppm=5000, most_base_msat=10_000)}\n"
                "write it into a file (chmod 600) and give it with --fee-rune-file or [fees] rune_file"
            )
        return _open_cln(reach, allowed, fee_rune_file)

    def open_fees(allowed: frozenset[str], taken: HandOver | None) -> SoleFeeWriter:
        if taken is not None:
            taken.recall()  # the daemon holds its lease by now
        rpc = open_fee_rpc(allowed)
        return SoleFeeWriter(ClnFeeWriter(rpc, clock), rpc, hand_over=taken)

    async with contextlib.AsyncExitStack() as stack:
        reader = ClnReader(lambda: _open_cln(reach, READ_METHODS, reach.rune_file), clock)
        stack.push_async_callback(reader.close)
        await reader.wait_until_ready()
        taken = None
        if hand_over:
            taken = HandOver(open_fee_rpc(FEE_METHODS), database.parent / f"handed-over-{node_name}.json")
            stack.push_async_callback(taken.close)
        # over clnrest only a rune for prices may ask what the node would say to one
        can_rehearse = reach.url is None or fee_rune_file is not None
        yield PolicyService(
            config=config,
            node_name=node_name,
            database=database,
            stored_name=stored_name,
            clock=clock,
            reader=reader,
            further=ClnFeeFacts(reader.rpc, clock),
            make_writer=lambda: open_fees(FEE_METHODS, taken),
            make_rehearsal=(lambda: open_fees(REHEARSAL_METHODS, taken)) if can_rehearse else None,
            strict=strict,
        )


@contextlib.asynccontextmanager
async def cln_rpc(reach: NodeSettings) -> AsyncIterator[ClnRpc]:
    """Lend a way to ask this Core Lightning node, reading only."""
    rpc = _open_cln(reach, READ_METHODS, reach.rune_file)
    try:
        yield rpc
    finally:
        await rpc.close()


def cln_rune(reach: NodeSettings) -> Callable[[], str] | None:
    """Return how to read the rune with which clnrest is asked; None for a socket, which needs none."""
    if reach.url is None or (file := reach.rune_file) is None:
        return None
    return lambda: read_rune(Path(file).expanduser())


def _open_cln(reach: NodeSettings, allowed: frozenset[str], rune_file: str | Path | None) -> ClnRpc:
    return connect(
        allowed=allowed,
        lightning_dir=reach.lightning_dir,
        url=reach.url,
        rune_file=rune_file,
        ca_file=reach.ca_file,
        network=reach.network,
    )


def first_cause(error: BaseException) -> BaseException:
    """Return the first error of ours inside a group, else the error itself."""
    if isinstance(error, BaseExceptionGroup):
        causes = [first_cause(e) for e in error.exceptions]
        return next((c for c in causes if isinstance(c, LnflowError)), causes[0])
    return error


async def backfill(live: Collection) -> int:
    """Read the node's channels, forwards and costs once; return how many forwards were new."""
    running = asyncio.create_task(live.run())
    while not ((live.status.backfill_done and live.status.costs_done) or running.done()):
        await asyncio.wait({running}, timeout=_LOOK_S)
    live.stop()
    await running
    return live.status.backfilled


def fee_connection(connection: LndConnection, macaroon_path: str | Path | None) -> LndConnection:
    """Return the connection for changing prices: the same node with the macaroon that was baked for it.

    Without a path `fees.macaroon` beside the reading one is taken; `ConfigurationError` if there is none.
    """
    if macaroon_path is not None:
        path = Path(macaroon_path).expanduser()
    elif connection.macaroon_path is not None:
        path = connection.macaroon_path.parent / FEES_MACAROON
    else:
        path = Path(FEES_MACAROON)
    if not path.exists():
        raise ConfigurationError(
            f"{path}: no such file; changing prices needs a macaroon of its own. Bake it:\n"
            f"  {fee_bake_command(connection)}\n"
            "and give it with --fee-macaroon-path or [fees] macaroon_path"
        )
    return replace(connection, macaroon_path=path, lndconnect=None, lndconnect_file=None)


@contextlib.asynccontextmanager
async def lnd_policy_service(
    connection: LndConnection,
    *,
    config: str,
    database: Path,
    node_name: str,
    stored_name: str | None,
    fee_macaroon: str | Path | None = None,
    strict: bool | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[PolicyService]:
    """Lend the policy engine over an LND; the macaroon for fees is looked at only when something is written."""
    clock = clock or SystemClock()
    reader = LndReader(connection, clock=clock)
    try:
        await reader.wait_until_ready()
        further = LndFeeFacts(connection, clock)
        try:
            yield PolicyService(
                config=config,
                node_name=node_name,
                database=database,
                stored_name=stored_name,
                clock=clock,
                reader=reader,
                further=further,
                make_writer=lambda: LndFeeWriter(fee_connection(connection, fee_macaroon)),
                strict=strict,
            )
        finally:
            await further.close()
    finally:
        await reader.close()
