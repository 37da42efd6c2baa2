"""PolicyManager: prices by rules, for scripts; the same engine as `lnflow policy`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from lnflow.advice.documents import Opportunity
from lnflow.app import lnd_connection, lnd_policy_service
from lnflow.config import DEFAULT_NODE, NodeSettings, database_path
from lnflow.pricing.documents import (
    ApplyDocument,
    CheckDocument,
    RollbackDocument,
    StatusDocument,
    TestChannelDocument,
)
from lnflow.service.pricing import PolicyService


class PolicyManager:
    """`async with PolicyManager("policy.conf") as policies: await policies.apply()`.

    Nothing is written unless `apply=True` is said, and then only with `fee_macaroon_path` (or a `fees.macaroon`
    beside the reading one).  `lnd_manage_url` is accepted for scripts of the earlier lnflow; no rule needs it.
    """

    def __init__(
        self,
        config_file: str | Path,
        lnd_manage_url: str | None = None,
        lnd_grpc_host: str | None = None,
        *,
        lnd_dir: str | Path | None = None,
        macaroon_path: str | Path | None = None,
        cert_path: str | Path | None = None,
        network: str | None = None,
        fee_macaroon_path: str | Path | None = None,
        database: str | Path | None = None,
        node_name: str = DEFAULT_NODE,
        compat: str | None = None,
    ) -> None:
        self.config_file = str(config_file)
        self.lnd_manage_url = lnd_manage_url
        connection = lnd_connection(
            NodeSettings(),
            lnd_dir=lnd_dir,
            grpc_host=lnd_grpc_host,
            macaroon_path=macaroon_path,
            cert_path=cert_path,
            network=network,
        )
        self._lent = lnd_policy_service(
            connection,
            config=self.config_file,
            database=database_path(None if database is None else str(database)),
            node_name=node_name,
            stored_name=node_name,
            fee_macaroon=fee_macaroon_path,
            strict=None if compat is None else compat == "strict",
        )
        self._stack = AsyncExitStack()
        self._service: PolicyService | None = None

    async def __aenter__(self) -> Self:
        """Connect, and wait until the node serves reads."""
        self._service = await self._stack.enter_async_context(self._lent)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service = None
        await self._stack.aclose()

    async def check(self) -> CheckDocument:
        """Return what is wrong with the file, and which channels each rule decides."""
        return await self._open().check()

    async def apply(self, *, apply: bool = False) -> ApplyDocument:
        """Return what the file does to every channel; with `apply` it is done."""
        return await self._open().apply(act=apply)

    async def apply_advice(self, opportunities: Sequence[Opportunity], *, apply: bool = False) -> ApplyDocument:
        """Return what the recommended prices come to under the same guards; with `apply` it is done."""
        return await self._open().apply_advice(opportunities, act=apply)

    async def test_channel(self, channel_id: str) -> TestChannelDocument:
        """Return how one channel's decision comes about."""
        return await self._open().test_channel(channel_id)

    async def rollback(self, *, apply: bool = False) -> RollbackDocument:
        """Judge the last change of every channel; with `apply` take back what hurt."""
        return await self._open().rollback(act=apply)

    async def status(self) -> StatusDocument:
        """Return the rules and what was changed, refused and taken back."""
        return await self._open().status()

    def _open(self) -> PolicyService:
        if self._service is None:
            raise RuntimeError("not connected: use it in 'async with PolicyManager(…) as policies'")
        return self._service
