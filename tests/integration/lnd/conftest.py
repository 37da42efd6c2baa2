"""A reader of the fake LND, as the command line would make one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import stamina
from tests.fakes.lnd import NOW_NS

from lnflow.nodes.lnd.credentials import LndConnection
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.nodes.lnd.reader import LndReader
from lnflow.simulation.lnd_server import LndServer


class HastyClock:
    """Waits for nothing: patience runs out at once."""

    def now_ns(self) -> int:
        return NOW_NS

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _retries_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def connection_to(lnd: LndServer, **options: object) -> LndConnection:
    chosen = {"lnd_dir": lnd.directory.path, "grpc_host": lnd.target, **options}
    return discover(LndOptions(**chosen))  # type: ignore[arg-type]  # a test's choice of options


@asynccontextmanager
async def reader_of(lnd: LndServer, **options: object) -> AsyncIterator[LndReader]:
    reader = LndReader(connection_to(lnd, **options))
    try:
        yield reader
    finally:
        await reader.close()
