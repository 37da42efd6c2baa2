"""The monitor while it runs: a live view on a terminal, one log line a minute elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lnflow.app import Collection
from lnflow.domain.errors import StoreError
from lnflow.ingest.status import CollectorStatus
from lnflow.service.opportunities import OpportunityService
from lnflow.service.windows import WindowChoice

if TYPE_CHECKING:
    from lnflow.advice.analyzing import Selection
    from lnflow.advice.documents import AnalyzeDocument

logger = logging.getLogger(__name__)

LOG_EVERY_S = 60.0
DRAW_EVERY_S = 1.0
ANALYZE_EVERY_S = 5.0


async def watch(
    live: Collection,
    database: Path,
    node_name: str,
    seconds: float | None,
    choice: WindowChoice,
    selection: Selection,
    *,
    quiet: bool = False,
) -> None:
    """Run the collection until its time is over, or SIGINT or SIGTERM; raise what ended it otherwise."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, live.stop)
    if seconds is not None:
        loop.call_later(seconds, live.stop)
    collecting = asyncio.create_task(live.run())
    on_terminal = sys.stderr.isatty() and not quiet
    look = _Look(live, database, node_name, choice, selection)
    showing = asyncio.create_task(_draw(look) if on_terminal else _log(live))
    try:
        await collecting
    finally:
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing


async def _log(live: Collection) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # a call made again is nothing to read tomorrow
    before = 0
    while True:
        await asyncio.sleep(LOG_EVERY_S)
        status = live.status
        logger.info(
            "monitoring: state=%s events=%d per_minute=%d attempts=%d backfilled=%d shed=%d queued=%d%s",
            status.stream.value,
            status.events,
            status.events - before,
            status.attempts,
            status.backfilled,
            status.shed,
            status.queued,
            f" trouble={status.trouble}" if status.trouble else "",
        )
        before = status.events


class _Look:
    """What the live view shows; the analysis is refreshed in a thread of its own."""

    def __init__(
        self, live: Collection, database: Path, node_name: str, choice: WindowChoice, selection: Selection
    ) -> None:
        self._live = live
        self._database = database
        self._node_name = node_name
        self._choice = choice
        self._selection = selection
        self._service: OpportunityService | None = None
        self._events_before = 0
        self.document: AnalyzeDocument | None = None
        self.events_per_s = 0.0

    @property
    def status(self) -> CollectorStatus:
        return self._live.status

    def count(self, passed_s: float) -> None:
        """Take the rate since the last call."""
        self.events_per_s = (self.status.events - self._events_before) / passed_s
        self._events_before = self.status.events

    async def refresh(self) -> None:
        """Analyse anew; a store that is not there yet leaves the last answer."""
        with contextlib.suppress(StoreError):
            self.document = await asyncio.to_thread(self._analyze)

    def _analyze(self) -> AnalyzeDocument:
        if self._service is None:
            self._service = OpportunityService.open(self._database, self._node_name)
        return self._service.analyze(self._service.window(self._choice), self._selection)

    def close(self) -> None:
        if self._service is not None:
            self._service.close()


async def _draw(look: _Look) -> None:
    from rich.live import Live

    from lnflow.cli.live_view import live_view
    from lnflow.cli.printing import error_console

    # Warnings would tear the view; they are shown in it.
    logging.getLogger("lnflow").addHandler(logging.NullHandler())
    logging.getLogger("lnflow").propagate = False
    loop = asyncio.get_running_loop()
    refreshed = loop.time() - ANALYZE_EVERY_S
    try:
        with Live(live_view(look), console=error_console(), auto_refresh=False, transient=True) as view:
            while True:
                if loop.time() - refreshed >= ANALYZE_EVERY_S:
                    refreshed = loop.time()
                    await look.refresh()
                view.update(live_view(look), refresh=True)
                await asyncio.sleep(DRAW_EVERY_S)
                look.count(DRAW_EVERY_S)
    finally:
        look.close()
