"""`lnflow backup`."""

from __future__ import annotations

from pathlib import Path

import click

from lnflow.cli.options import resolve_store, store_options


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@store_options
def command(
    file: Path, database: str | None, node: str | None, settings: str | None, lightning_dir: str | None
) -> None:
    """Copy the database to FILE as of one instant, checked; it may be in use meanwhile."""
    from lnflow.store.backup import backup

    size = backup(resolve_store(database, node, settings, lightning_dir).database, file)
    click.echo(f"{file}: {size:,} bytes", err=True)
