"""What every policy command starts from: the file, and the engine with or without a node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVar

import click

from lnflow.cli.options import Reach, Target, connection_of

if TYPE_CHECKING:
    from lnflow.service.pricing import PolicyService

T = TypeVar("T")


def policy_path(target: Target, given: str | None) -> str:
    path = given or target.settings.fees.policy
    if path is None:
        raise click.UsageError("no policy file: give one with --config, or set [fees] policy in the settings")
    from os.path import expanduser

    return expanduser(path)


def warn(path: str, compat: str | None) -> None:
    """Say on standard error what is surprising in the file; what is wrong stands in the document."""
    from lnflow.pricing.dialect.load import load_policy_file
    from lnflow.pricing.problems import Severity

    for problem in load_policy_file(path, strict=is_strict(compat)).problems:
        if problem.severity is Severity.WARNING:
            click.echo(f"warning: {problem}", err=True)


def is_strict(compat: str | None) -> bool | None:
    return None if compat is None else compat == "strict"


def node_service(
    target: Target, reach: Reach, path: str, compat: str | None, fee_macaroon: str | None
) -> AbstractAsyncContextManager[PolicyService]:
    from lnflow.app import lnd_policy_service

    return lnd_policy_service(
        connection_of(target, reach),
        config=path,
        database=target.database,
        node_name=target.node_name,
        stored_name=target.stored_name,
        fee_macaroon=fee_macaroon or target.settings.fees.macaroon_path,
        strict=is_strict(compat),
    )


def stored_service(target: Target, path: str, compat: str | None) -> PolicyService:
    from lnflow.domain.time import SystemClock
    from lnflow.service.pricing import PolicyService

    return PolicyService(
        config=path,
        node_name=target.node_name,
        database=target.database,
        stored_name=target.stored_name,
        clock=SystemClock(),
        strict=is_strict(compat),
    )


async def ask(lent: AbstractAsyncContextManager[PolicyService], question: Callable[[PolicyService], Awaitable[T]]) -> T:
    async with lent as service:
        return await question(service)
