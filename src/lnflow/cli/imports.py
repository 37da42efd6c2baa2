"""`lnflow import`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnflow.cli.options import json_option, node_to_write, resolve_store, store_options

if TYPE_CHECKING:
    from lnflow.advice.documents import ImportDocument


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR...")
@click.option(
    "--covered",
    nargs=2,
    metavar="SINCE UNTIL",
    help="When the log's node was listened to, if the log itself does not say.",
)
@store_options
@json_option
def command(
    paths: tuple[str, ...],
    covered: tuple[str, str] | None,
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    as_json: bool,
) -> None:
    """Read saved events, histories, channel listings and policies; '-' is standard input.

    What a file is, is told from its content.  Importing a file again changes nothing.
    """
    from lnflow.cli.printing import show
    from lnflow.cli.tables import draw_import

    target = resolve_store(database, node, settings, lightning_dir)
    document = _run(target.database, node_to_write(target), paths, _covered(covered))
    show(document, as_json, lambda console: draw_import(console, document))
    if document.totals.rejected:
        raise click.exceptions.Exit(1)


def _run(database: Path, node_name: str, paths: Sequence[str], covered: tuple[int, int] | None) -> ImportDocument:
    from lnflow.domain.time import SystemClock
    from lnflow.ingest.importer import import_paths
    from lnflow.service.imports import import_document
    from lnflow.store.writing import StoreWriter

    start = time.monotonic()
    with StoreWriter(database, node_name) as writer, _progress() as report:
        reports = import_paths(writer, paths, clock=SystemClock(), covered=covered, progress=report)
    return import_document(reports, time.monotonic() - start)


def _progress() -> AbstractContextManager[Callable[[str, int, int | None, int], None]]:
    from lnflow.cli.progress import import_progress

    return import_progress()


def _covered(texts: tuple[str, str] | None) -> tuple[int, int] | None:
    if not texts:
        return None
    from lnflow.domain.time import SystemClock, parse_time_ns

    try:
        since_ns, until_ns = (parse_time_ns(text) for text in texts)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--covered") from exc
    if since_ns >= until_ns:
        raise click.BadParameter("the first time must be before the second", param_hint="--covered")
    if until_ns > SystemClock().now_ns():
        raise click.BadParameter(f"{texts[1]!r} is yet to come: nobody has listened then", param_hint="--covered")
    return since_ns, until_ns
