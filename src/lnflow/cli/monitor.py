"""`lnflow monitor`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from lnflow.cli.options import (
    Reach,
    Target,
    connection_of,
    json_option,
    node_options,
    open_service,
    resolve_store,
    selection_options,
    store_options,
    window_choice,
    window_options,
)

if TYPE_CHECKING:
    from lnflow.advice.analyzing import Selection, View
    from lnflow.service.windows import WindowChoice


@click.command("monitor")
@click.option(
    "--duration", type=click.FloatRange(min=0, min_open=True), metavar="HOURS", help="Stop after so many hours."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the opportunities to this file at the end (JSON).",
)
@window_options
@selection_options
@store_options
@node_options
@json_option
def command(
    duration: float | None,
    output: Path | None,
    hours: float | None,
    since: str | None,
    until: str | None,
    everything: bool,
    min_failures: int,
    min_missed_sat: int,
    view: View | None,
    top: int | None,
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    as_json: bool,
    **reach: Unpack[Reach],
) -> None:
    """Record what becomes of the node's HTLCs until Ctrl-C, and show what is missed meanwhile.

    At the end the opportunities of the window are printed. Nothing that was received is lost by stopping.
    """
    from lnflow.advice.analyzing import Selection

    if output is not None and not output.parent.is_dir():  # not found out after hours
        raise click.BadParameter(f"there is no folder {output.parent}", param_hint="--output")
    choice = window_choice(hours, since, until, everything)
    selection = Selection(min_failures=min_failures, min_missed_sat=min_missed_sat, view=view, top=top)
    target = resolve_store(database, node, settings, lightning_dir, reach)
    asyncio.run(_watch(target, reach, duration, choice, selection, quiet=as_json))

    with open_service(str(target.database), target.node_name, settings, None) as service:
        document = service.analyze(service.window(choice), selection)
    from lnflow.advice.documents import encode
    from lnflow.cli.printing import show, write_file
    from lnflow.cli.tables import draw_analysis

    if output is not None:
        write_file(output, encode(document))
    show(document, as_json, lambda console: draw_analysis(console, document))


async def _watch(
    target: Target,
    reach: Reach,
    duration: float | None,
    choice: WindowChoice,
    selection: Selection,
    *,
    quiet: bool,
) -> None:
    from lnflow.app import ClnCollection, LiveCollection, cln_rpc, lnd_reader
    from lnflow.cli.watching import watch

    seconds = None if duration is None else duration * 3600
    raw_days = target.settings.retention.raw_days
    if target.reach.is_cln:
        async with cln_rpc(target.reach) as rpc:
            cln = ClnCollection(rpc, target.database, target.node_name, raw_days=raw_days)
            await watch(cln, target.database, target.node_name, seconds, choice, selection, quiet=quiet)
        return
    async with lnd_reader(connection_of(target, reach)) as reader:
        live = LiveCollection(reader, target.database, target.node_name, raw_days=raw_days)
        await watch(live, target.database, target.node_name, seconds, choice, selection, quiet=quiet)
