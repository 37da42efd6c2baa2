"""A policy file from inside the node: what it does to every channel, and, with two consents, doing it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from lnflow.domain.errors import ConfigurationError, InputError, LnflowError
from lnflow.domain.time import Clock
from lnflow.ingest.cln_collector import ClnStatus
from lnflow.plugin.collecting import NODE_NAME
from lnflow.plugin.options import ACT, POLICY_FILE, PluginSettings
from lnflow.service.pricing import PolicyService

T = TypeVar("T")


async def check_policy(settings: PluginSettings, file: object, clock: Clock) -> Any:
    """Return what is wrong with the file, and which channels each rule decides."""
    return await _ask(settings, _path(settings, file), clock, lambda service: service.check())


async def apply_policy(
    settings: PluginSettings, file: object, apply: object, collected: ClnStatus | None, clock: Clock
) -> Any:
    """Return what the file does; `apply` = true does it, where the node's config allows it and history is read."""
    act = _consent(settings, apply, collected)
    return await _ask(settings, _path(settings, file), clock, lambda service: service.apply(act=act))


def _path(settings: PluginSettings, file: object) -> str:
    path = file or settings.policy_file
    if not isinstance(path, str):
        raise InputError(f"file: no policy file: name one, or set {POLICY_FILE} in the node's config")
    return path


def _consent(settings: PluginSettings, apply: object, collected: ClnStatus | None) -> bool:
    if apply in (None, False, "false"):
        return False
    if apply not in (True, "true"):
        raise InputError(f"apply: {apply!r} is neither true nor false")
    if not settings.act:
        raise ConfigurationError(f"apply=true needs {ACT}=true in the node's config: nothing was written")
    if collected is None or not collected.backfill_done:
        raise LnflowError("history is still being read (see lnflow-status): nothing was written, try again then")
    return True


async def _ask(
    settings: PluginSettings, path: str, clock: Clock, question: Callable[[PolicyService], Awaitable[T]]
) -> Any:
    """In a thread with a loop of its own: the store is read between the calls to the node."""

    async def answer() -> T:
        from lnflow.app import cln_policy_service  # with it comes what LND needs: not before it is asked for
        from lnflow.config import NodeSettings

        async with cln_policy_service(
            NodeSettings(lightning_dir=str(settings.socket)),
            config=path,
            database=settings.database,
            node_name=NODE_NAME,
            stored_name=NODE_NAME,
            clock=clock,
        ) as service:
            return await question(service)

    return msgspec.to_builtins(await asyncio.to_thread(lambda: asyncio.run(answer())))
