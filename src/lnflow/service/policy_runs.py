"""A daemon's hold on a node's prices: one daemon at a time, and when it runs next, for `policy status`."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from types import TracebackType
from typing import Self

from lnflow.domain.errors import ConfigurationError, StoreError
from lnflow.domain.time import SECOND_NS
from lnflow.service.pricing import PolicyService
from lnflow.store.fee_journal import FeeJournal
from lnflow.store.policy_daemon import RENEW_S, DaemonLease, DaemonState

logger = logging.getLogger("lnflow.policy")


class PolicyRuns:
    """Keeps the lease while it is entered; raises `ConfigurationError` if another daemon has it."""

    def __init__(self, service: PolicyService, *, act: bool, interval_s: float) -> None:
        self._service, self._act, self._interval_s = service, act, interval_s
        self._next_ns = service.clock.now_ns()
        with FeeJournal(service.database, service.node_name) as journal:
            node_id = journal.node_id
        holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._lease = DaemonLease(service.database, node_id, holder)
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if not self._take():
            raise ConfigurationError(
                f"another policy daemon runs for node {self._service.node_name!r} of {self._service.database}: "
                "stop it first, or give this one another --node"
            )
        self._renewing = asyncio.create_task(self._renew(), name="policy daemon lease")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])
        self._lease.release()

    def next_in(self, seconds: float) -> None:
        """Record when the next run is due."""
        self._next_ns = self._service.clock.now_ns() + round(seconds * SECOND_NS)
        self._keep()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            self._keep()

    def _keep(self) -> None:
        try:
            if not self._take():
                logger.error("another policy daemon took over the prices of this node: stop one of the two")
        except StoreError as exc:  # status is wrong for a while; prices are not
            logger.warning("the next run could not be recorded: %s", exc)

    def _take(self) -> bool:
        state = DaemonState(acts=self._act, interval_s=self._interval_s, next_run_ns=self._next_ns)
        return self._lease.take(state, self._service.clock.now_ns())
