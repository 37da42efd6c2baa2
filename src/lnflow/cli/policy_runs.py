"""The runs of the policy daemon: judge, apply, say so, wait; its lease is kept all the while."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections import Counter
from contextlib import AbstractAsyncContextManager

from lnflow.domain.errors import LnflowError, NodeUnavailable
from lnflow.pricing.pacing import Pacing
from lnflow.service.policy_runs import PolicyRuns
from lnflow.service.pricing import PolicyService

logger = logging.getLogger("lnflow.policy")

RETRY_S = 60.0  # after a run that failed; never longer than the interval


async def run_daemon(
    lent: AbstractAsyncContextManager[PolicyService],
    *,
    act: bool,
    interval_s: float,
    raw_days: int,
    runs: int | None = None,
    as_json: bool = False,
) -> None:
    """Apply and judge at every interval until SIGINT, SIGTERM or `runs`.

    A node that is away or a file that cannot be read ends the run, not the daemon: it tries again.  A node that
    is away at the start is an error: systemd restarts us.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with lent as service, PolicyRuns(service, act=act, interval_s=interval_s) as schedule:
        _notify("READY=1")
        done = 0
        while not stop.is_set():
            schedule.next_in(interval_s)
            wait_s = (
                interval_s
                if await _run_once(service, act=act, raw_days=raw_days, as_json=as_json)
                else min(RETRY_S, interval_s)
            )
            done += 1
            if runs is not None and done >= runs:
                break
            schedule.next_in(wait_s)
            _notify(f"WATCHDOG=1\nSTATUS={done} runs, the next in {wait_s:.0f} s")
            try:
                await asyncio.wait_for(stop.wait(), wait_s)
            except TimeoutError:
                continue
    _notify("STOPPING=1")


async def _run_once(service: PolicyService, *, act: bool, raw_days: int, as_json: bool) -> bool:
    pacing = Pacing(clock=service.clock)
    if act and not service.history_is_read():
        logger.warning("history is still being read: this run only shows")
        act = False
    try:
        # judged first: what is taken back is in its cool-down when the file is applied again
        rolled_back = await service.rollback(act=act, pacing=pacing)
        document = await service.apply(act=act, pacing=pacing)
        service.prune(raw_days)
    except NodeUnavailable as exc:
        logger.warning("run failed: node away: %s", exc)
        return False
    except LnflowError as exc:
        logger.error("run failed: %s", exc)
        return False
    if as_json:
        from lnflow.cli.printing import print_json

        print_json(document)
    counts = Counter(c.action for c in document.channels)
    reverts = sum(bool(c.would_revert) for c in rolled_back.changes)
    logger.info(
        "run done: %s channels=%d update=%d none=%d refused=%d skipped=%d error=%d rollback=%d",
        "dry" if document.dry_run else "applied",
        len(document.channels),
        counts["update"],
        counts["none"] + counts["no_policy"],
        counts["refused"],
        counts["skipped"],
        counts["error"],
        reverts,
    )
    for problem in document.errors:
        logger.error("%s:%s [%s] %s", problem.file, problem.line, problem.section, problem.text)
    return True


def _notify(message: str) -> None:
    """Tell systemd, if it runs us (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.sendto(message.encode(), address)
