"""`lnflow demo`."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnflow.cli.options import json_option

if TYPE_CHECKING:
    from lnflow.simulation.demo import Demo, World

SPEED = 60.0  # simulated seconds a second with --live


@click.command("demo")
@click.option("--cln", is_flag=True, help="Serve the node as a Core Lightning that hosts lnflow-plugin.")
@click.option("--live", is_flag=True, help="Keep the node running after the week, a minute a second, until Ctrl-C.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the demo's store and node directory go (default: a temporary folder, deleted at the end).",
)
@json_option
def command(cln: bool, live: bool, directory: Path | None, as_json: bool) -> None:
    """Play a week of a simulated routing node through the whole pipeline, then show what it missed.

    The node is served over gRPC with TLS and macaroons, as LND is; with --cln over lightningd's socket and plugin
    protocol. The demo has a store of its own.
    """
    import signal
    import sys
    import tempfile

    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # what is temporary is deleted first
    if directory is not None:
        _run(directory, cln, live, as_json)
        if not as_json and not live:
            click.echo(f"More of this week: lnflow why PEER --all --database {directory / 'demo.sqlite'}", err=True)
        return
    with tempfile.TemporaryDirectory(prefix="lnflow-demo-") as folder:
        _run(Path(folder), cln, live, as_json)
    if not as_json and not live:
        click.echo("To keep the week and look further into it: lnflow demo --directory FOLDER", err=True)


def _run(directory: Path, cln: bool, live: bool, as_json: bool) -> None:
    from lnflow.cli.progress import week_progress
    from lnflow.simulation.demo import play_live

    database = directory / "demo.sqlite"
    for old in directory.glob("demo.sqlite*"):
        old.unlink()  # a week of its own each time: the same HTLC ids would mean other HTLCs
    demo = _demo_on_cln(database, directory) if cln else _demo_on_lnd(database, directory)

    async def go_on(world: World) -> None:
        _show(demo, as_json)
        click.echo(
            "\nThe node goes on, a minute a second, until Ctrl-C. In another terminal:\n"
            f"  {world.what_to_try(database)}",
            err=True,
        )
        await play_live(world, SPEED)

    with week_progress() as on_share, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(demo.run(lambda progress: on_share(progress.share), after_week=go_on if live else None))
    if not live:
        _show(demo, as_json)


def _demo_on_lnd(database: Path, directory: Path) -> Demo:
    import time

    from lnflow.simulation.demo import Demo

    return Demo(database, directory / "lnd", time.time_ns())


def _demo_on_cln(database: Path, directory: Path) -> Demo:
    import time

    from lnflow.plugin.answers import LnflowPlugin
    from lnflow.simulation.demo import Demo
    from lnflow.simulation.demo_cln import DEMO_TIMES, on_cln
    from lnflow.simulation.playing_cln import without_inbound_fees
    from lnflow.simulation.world.demo_world import demo_world

    stage = on_cln(lambda clock: LnflowPlugin(clock, times=DEMO_TIMES, coalesce_s=0.0))
    return Demo(database, directory / "cln", time.time_ns(), stage=stage, spec=without_inbound_fees(demo_world()))


def _show(demo: Demo, as_json: bool) -> None:
    from lnflow.advice.analyzing import Selection
    from lnflow.analysis.facts import Window
    from lnflow.cli.printing import show
    from lnflow.cli.tables import draw_analysis
    from lnflow.service.opportunities import OpportunityService

    with OpportunityService.open(demo.database) as service:
        document = service.analyze(Window(since_ns=demo.since_ns, until_ns=demo.until_ns), Selection())
    show(document, as_json, lambda console: draw_analysis(console, document))
