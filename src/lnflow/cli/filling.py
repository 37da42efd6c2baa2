"""An empty store and a node at hand: read what the node still knows, before analysing."""

from __future__ import annotations

import asyncio

import click

from lnflow.cli.options import Reach, Target, connection_of


def fill_if_empty(target: Target, reach: Reach) -> None:
    """Backfill settled forwards and channels into an empty or missing store; else do nothing."""
    if not _is_empty(target):
        return
    from lnflow.app import backfill

    connection = connection_of(target, reach)
    click.echo(f"the store is empty: reading channels and settled forwards from {connection.target} …", err=True)
    new = asyncio.run(backfill(connection, target.database, target.node_name))
    click.echo(
        f"{new:,} settled forwards read. LND does not tell its refusals afterwards: failures can only be seen from "
        "now on, with 'lnflow monitor'.",
        err=True,
    )


def _is_empty(target: Target) -> bool:
    if not target.database.exists():
        return True
    from lnflow.domain.errors import StoreError
    from lnflow.store.reading import StoreReader

    try:
        with StoreReader(target.database, target.stored_name) as store:
            return store.span().first_ns is None
    except StoreError:
        return True  # no node in it yet; what else is wrong is said when it is opened for writing
