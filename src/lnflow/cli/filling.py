"""An empty store and a node at hand: read what the node still knows, before analysing."""

from __future__ import annotations

import asyncio

import click

from lnflow.cli.options import Reach, Target, connection_of


def fill_if_empty(target: Target, reach: Reach) -> None:
    """Backfill forwards and channels into an empty or missing store; else do nothing."""
    if not _is_empty(target):
        return
    if target.reach.is_cln:
        asyncio.run(_fill_from_cln(target))
    else:
        asyncio.run(_fill_from_lnd(target, reach))


async def _fill_from_lnd(target: Target, reach: Reach) -> None:
    from lnflow.app import LiveCollection, backfill, lnd_reader

    connection = connection_of(target, reach)
    click.echo(f"the store is empty: reading channels and settled forwards from {connection.target} …", err=True)
    async with lnd_reader(connection) as reader:
        new = await backfill(LiveCollection(reader, target.database, target.node_name))
    click.echo(
        f"{new:,} settled forwards read. LND does not tell its refusals afterwards: failures can only be seen from "
        "now on, with 'lnflow monitor'.",
        err=True,
    )


async def _fill_from_cln(target: Target) -> None:
    from lnflow.app import ClnCollection, backfill, cln_rpc

    async with cln_rpc(target.reach) as rpc:
        place = target.reach.lightning_dir or target.reach.url
        click.echo(f"the store is empty: reading channels and forwards from {place} into {target.database} …", err=True)
        new = await backfill(ClnCollection(rpc, target.database, target.node_name))
    click.echo(
        f"{new:,} forwards read. Core Lightning keeps its refusals but not what the channels were like then: most of"
        " those of before cannot be attributed. From now on they can, with lnflow-plugin or 'lnflow monitor'.",
        err=True,
    )


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
