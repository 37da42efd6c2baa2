"""`lnflow doctor`."""

from __future__ import annotations

from typing import Unpack

import click

from lnflow.cli.options import Reach, connection_of, json_option, node_options, resolve_store, store_options


@click.command("doctor")
@store_options
@node_options
@click.option("--lightning-dir", metavar="DIR", help="Core Lightning's directory, instead of an LND.")
@json_option
def command(
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    as_json: bool,
    **reach: Unpack[Reach],
) -> None:
    """Check credentials, connection, version and coverage; say what is wrong and how to mend it."""
    import asyncio

    from lnflow.app import cln_info
    from lnflow.cli.printing import show
    from lnflow.cli.tables import draw_checks
    from lnflow.domain.time import SystemClock
    from lnflow.service.doctor import examine, examine_cln

    target = resolve_store(database, node, settings)
    store = target.database, target.stored_name, SystemClock()
    is_cln = lightning_dir is not None or target.reach.lightning_dir is not None or target.reach.url is not None
    document = asyncio.run(
        examine_cln(lambda: cln_info(target.reach, lightning_dir=lightning_dir), *store)
        if is_cln
        else examine(lambda: connection_of(target, reach), *store)
    )
    show(document, as_json, lambda console: draw_checks(console, document))
    if not document.ok:
        raise click.exceptions.Exit(1)
