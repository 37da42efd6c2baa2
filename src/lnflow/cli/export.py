"""`lnflow export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnflow.cli.options import resolve_store, store_options, window_choice, window_options

if TYPE_CHECKING:
    from lnflow.service.exporting import Format
    from lnflow.store.history import StoreHistory


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "parquet"]),
    help="Form of the table (default: by the file's ending, else CSV); JSON is one object a line.",
)
@click.option(
    "--raw",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the whole history as exchange files, which 'lnflow import' reads.",
)
@window_options
@store_options
def command(
    file: Path | None,
    form: Format | None,
    raw: Path | None,
    hours: float | None,
    since: str | None,
    until: str | None,
    everything: bool,
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
) -> None:
    """Write the attempts of a window as a table to FILE, or to standard output; or everything with --raw."""
    if raw is not None and (file is not None or form is not None):
        raise click.UsageError("--raw writes files of its own into DIR: leave out FILE and --format")
    if raw is not None and (hours is not None or since is not None or until is not None):
        raise click.UsageError("--raw writes the whole history: leave out --hours, --since and --until")
    choice = window_choice(hours, since, until, everything)
    from lnflow.service.opportunities import OpportunityService
    from lnflow.store.history import StoreHistory

    target = resolve_store(database, node, settings, lightning_dir)
    with StoreHistory(target.database, target.stored_name) as history:
        if raw is not None:
            _raw(history, raw)
            return
        window = OpportunityService(history).window(choice)
        from lnflow.service.exporting import export_table
        from lnflow.service.whole_files import whole_file

        form = form or _form_of(file)
        if file is None:
            if form == "parquet" and sys.stdout.isatty():
                raise click.UsageError("Parquet is no text: name a FILE")
            export_table(history, window, form, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        with whole_file(file) as out:
            number = export_table(history, window, form, out)
    click.echo(f"{number:,} attempts written to {file}", err=True)


def _form_of(file: Path | None) -> Format:
    match file.suffix.lower() if file is not None else "":
        case ".json" | ".jsonl":
            return "json"
        case ".parquet":
            return "parquet"
        case _:
            return "csv"


def _raw(history: StoreHistory, folder: Path) -> None:
    from lnflow.service.exporting import export_raw

    for name, size in export_raw(history, folder).items():
        click.echo(f"{folder / name}: {size:,} bytes", err=True)
