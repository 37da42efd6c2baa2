"""`lnflow restore`."""

from __future__ import annotations

from pathlib import Path

import click

from lnflow.cli.options import resolve_store, store_options


@click.command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@store_options
def command(
    file: Path, database: str | None, node: str | None, settings: str | None, lightning_dir: str | None
) -> None:
    """Put the backup FILE in place of the database; the present content is kept beside it."""
    from lnflow.domain.time import SystemClock
    from lnflow.store.backup import restore

    target = resolve_store(database, node, settings, lightning_dir).database
    kept = restore(file, target, SystemClock().now_ns())
    click.echo(f"{target} restored from {file}", err=True)
    if kept is not None:
        click.echo(f"what was there before is in {kept}", err=True)
