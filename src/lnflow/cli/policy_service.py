"""What every policy command starts from: the file, and the engine with or without a node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeCredentials:
    """What was given for changing prices: LND's macaroon, or the rune for clnrest.  A socket needs neither."""

    macaroon: str | None = None
    rune: str | None = None


def node_service(
    target: Target,
    reach: Reach,
    path: str,
    compat: str | None,
    fees: FeeCredentials,
    *,
    hand_over: bool = False,
) -> AbstractAsyncContextManager[PolicyService]:
    """Lend the engine over the node; `hand_over`: other programs that set prices are asked to let go meanwhile."""
    from lnflow.app import cln_policy_service, lnd_policy_service

    if target.reach.is_cln:
        return cln_policy_service(
            target.reach,
            config=path,
            database=target.database,
            node_name=target.node_name,
            stored_name=target.stored_name,
            fee_rune_file=fees.rune or target.settings.fees.rune_file,
            hand_over=hand_over,
            strict=is_strict(compat),
        )
    return lnd_policy_service(
        connection_of(target, reach),
        config=path,
        database=target.database,
        node_name=target.node_name,
        stored_name=target.stored_name,
        fee_macaroon=fees.macaroon or target.settings.fees.macaroon_path,
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
