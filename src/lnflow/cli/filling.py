"""An empty store and a node at hand: read what the node still knows, before analysing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from lnflow.cli.options import Reach, Target, connection_of

if TYPE_CHECKING:
    from lnflow.nodes.lnd.credentials import LndConnection


def fill_if_empty(target: Target, reach: Reach) -> None:
    """Backfill settled forwards and channels into an empty or missing store; else do nothing."""
    if not _is_empty(target):
        return
    connection = connection_of(target, reach)
    click.echo(f"the store is empty: reading channels and settled forwards from {connection.target} …", err=True)
    new = asyncio.run(_backfill(connection, target))
    click.echo(
        f"{new:,} settled forwards read. LND does not tell its refusals afterwards: failures can only be seen from "
        "now on, with 'lnflow monitor'.",
        err=True,
    )


async def _backfill(connection: LndConnection, target: Target) -> int:
    from lnflow.app import backfill, lnd_reader

    async with lnd_reader(connection) as reader:
        return await backfill(reader, target.database, target.node_name)


def _is_empty(target: Target) -> bool:
    if not target.database.exists():
        return True
    from lnflow.domain.errors import ConfigurationError, StoreError
    from lnflow.store.reading import StoreReader

    try:
        with StoreReader(target.database, target.stored_name) as store:
            return store.span().first_ns is None
    except (StoreError, ConfigurationError):
        return True  # no node in it, or not this one yet; what else is wrong is said when it is opened for writing
