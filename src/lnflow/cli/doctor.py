"""`lnflow doctor`."""

from __future__ import annotations

from typing import Unpack

import click

from lnflow.cli.options import Reach, connection_of, json_option, node_options, resolve_store, store_options


@click.command("doctor")
@store_options
@node_options
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

    from lnflow.app import cln_rpc, cln_rune
    from lnflow.cli.printing import show
    from lnflow.cli.tables import draw_checks
    from lnflow.domain.time import SystemClock
    from lnflow.service.doctor import examine
    from lnflow.service.doctor_cln import examine_cln

    target = resolve_store(database, node, settings, lightning_dir, reach)
    store = target.database, target.stored_name, SystemClock()
    document = asyncio.run(
        examine_cln(lambda: cln_rpc(target.reach), cln_rune(target.reach), *store)
        if target.reach.is_cln
        else examine(lambda: connection_of(target, reach), *store)
    )
    show(document, as_json, lambda console: draw_checks(console, document))
    if not document.ok:
        raise click.exceptions.Exit(1)
