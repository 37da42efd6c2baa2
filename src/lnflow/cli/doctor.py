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
    database: str | None, node: str | None, settings: str | None, as_json: bool, **reach: Unpack[Reach]
) -> None:
    """Check credentials, connection, version and coverage; say what is wrong and how to mend it."""
    import asyncio

    from lnflow.cli.printing import show
    from lnflow.cli.tables import draw_checks
    from lnflow.domain.time import SystemClock
    from lnflow.service.doctor import examine

    target = resolve_store(database, node, settings)
    document = asyncio.run(
        examine(lambda: connection_of(target, reach), target.database, target.stored_name, SystemClock())
    )
    show(document, as_json, lambda console: draw_checks(console, document))
    if not document.ok:
        raise click.exceptions.Exit(1)
