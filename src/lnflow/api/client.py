"""AsyncLNDgRPCClient: an LND as scripts see it, with a credential that can only read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from lnflow.app import lnd_connection
from lnflow.config import NodeSettings
from lnflow.domain.channel import ChannelState, NodeInfo
from lnflow.domain.errors import ConfigurationError, NodeRefused, NodeUnavailable
from lnflow.domain.htlc import Forward, StreamEvent
from lnflow.domain.scid import parse_scid, scid_text
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.fee_writer import LndFeeWriter
from lnflow.nodes.lnd.reader import LndReader
from lnflow.nodes.port import NodeReader

_PAGE = 50_000
_MAX_WAITING = 100_000  # events a slow script may lag behind; then the subscription ends


class AsyncLNDgRPCClient:
    """`async with AsyncLNDgRPCClient(lnd_dir="~/.lnd") as lnd`; what is not given is looked for as the CLI does."""

    def __init__(
        self,
        *,
        lnd_dir: str | Path | None = None,
        grpc_host: str | None = None,
        macaroon_path: str | Path | None = None,
        cert_path: str | Path | None = None,
        network: str | None = None,
        lndconnect: str | None = None,
        allow_spending_credential: bool = False,
        fee_macaroon_path: str | Path | None = None,
    ) -> None:
        """`fee_macaroon_path` is a credential of its own for `update_channel_policy`; without it nothing is written."""
        self._connection = lnd_connection(
            NodeSettings(),
            lnd_dir=lnd_dir,
            grpc_host=grpc_host,
            macaroon_path=macaroon_path,
            cert_path=cert_path,
            network=network,
            lndconnect=lndconnect,
            allow_spending_credential=allow_spending_credential,
        )
        self._fee_macaroon = None if fee_macaroon_path is None else Path(fee_macaroon_path).expanduser()
        self._reader: LndReader | None = None

    async def __aenter__(self) -> Self:
        """Connect, and wait until the node serves reads."""
        self._reader = LndReader(self._connection)
        try:
            await self._reader.wait_until_ready()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    @property
    def reader(self) -> NodeReader:
        """The port behind it; `RuntimeError` before `async with`."""
        if self._reader is None:
            raise RuntimeError("the client is not connected: use it in 'async with AsyncLNDgRPCClient(…) as lnd'")
        return self._reader

    async def get_info(self) -> NodeInfo:
        return await self.reader.node_info()

    async def list_channels(self) -> list[ChannelState]:
        return await self.reader.list_channels()

    async def get_forwarding_history(self, since: datetime | None = None) -> list[Forward]:
        """Return all settled forwards from an aware time on (None: from the beginning), in order."""
        if since is not None and since.tzinfo is None:
            raise ValueError("since must have a time zone: for example datetime.now(UTC)")
        since_ns = 0 if since is None else round(since.timestamp() * SECOND_NS)
        return [f async for page in self.reader.forwards_since(since_ns, page_size=_PAGE) for f in page]

    async def update_channel_policy(
        self,
        channel_id: str | int,
        *,
        base_fee_msat: int | None = None,
        fee_ppm: int | None = None,
        time_lock_delta: int | None = None,
        min_htlc_msat: int | None = None,
        max_htlc_msat: int | None = None,
    ) -> None:
        """Change what is given of our policy of one channel; the rest stays as the node has it.

        Needs `fee_macaroon_path`.  `NodeRefused` says why the node did not take it.
        """
        if self._fee_macaroon is None:
            raise ConfigurationError("changing a policy needs a credential for it: give fee_macaroon_path")
        scid = channel_id if isinstance(channel_id, int) else parse_scid(channel_id)
        channel = next((c for c in await self.list_channels() if scid in (c.scid, *c.other_scids)), None)
        if channel is None:
            raise NodeRefused(f"the node has no open channel {scid_text(scid)}")
        [policies] = await self.reader.list_policies([channel])
        if policies.ours is None:
            raise NodeRefused(f"channel {scid_text(scid)} has no policy of ours yet")
        wanted = {
            "base_fee_msat": base_fee_msat,
            "fee_ppm": fee_ppm,
            "time_lock_delta": time_lock_delta,
            "min_htlc_msat": min_htlc_msat,
            "max_htlc_msat": max_htlc_msat,
        }
        changes = {name: value for name, value in wanted.items() if value is not None}
        new = msgspec.structs.replace(policies.ours, **changes)
        writer = LndFeeWriter(replace(self._connection, macaroon_path=self._fee_macaroon))
        try:
            refusal = await writer.write_policy(channel.channel_point, policies.ours, new)
        finally:
            await writer.close()
        if refusal is not None:
            raise NodeRefused(f"channel {scid_text(scid)}: {refusal}")

    async def subscribe_htlc_events(self) -> AsyncIterator[StreamEvent]:
        """Yield events as they come, own payments left out; raises when the stream ends.

        A `Subscribed` comes first: what was before it is not told.  For recording use `HTLCMonitor`, which
        reconnects and stores.
        """
        stream = self.reader.htlc_stream()
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue()

        def deliver(raw: bytes) -> None:
            loop.call_soon_threadsafe(waiting.put_nowait, raw)
            if waiting.qsize() > _MAX_WAITING:
                stream.cancel()

        running = asyncio.create_task(asyncio.to_thread(stream.run, deliver))
        running.add_done_callback(lambda _: waiting.put_nowait(None))
        try:
            while (raw := await waiting.get()) is not None:
                event = stream.decode(raw)
                if event is not None:
                    yield event
            await running
            raise NodeUnavailable("the HTLC event subscription ended: the script fell too far behind")
        finally:
            stream.cancel()
            with contextlib.suppress(NodeUnavailable, NodeRefused):
                await running
