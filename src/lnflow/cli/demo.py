"""`lnflow demo`."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnflow.cli.options import json_option

if TYPE_CHECKING:
    from lnflow.simulation.demo import Demo
    from lnflow.simulation.playing import WorldServer

SPEED = 60.0  # simulated seconds a second with --live


@click.command("demo")
@click.option("--live", is_flag=True, help="Keep the node running after the week, a minute a second, until Ctrl-C.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the demo's store and LND directory go (default: a temporary folder, deleted at the end).",
)
@json_option
def command(live: bool, directory: Path | None, as_json: bool) -> None:
    """Play a week of a simulated routing node through the whole pipeline, then show what it missed.

    The node is served over gRPC with TLS and macaroons, as LND is. The demo has a store of its own.
    """
    import tempfile

    if directory is not None:
        _run(directory, live, as_json)
        return
    with tempfile.TemporaryDirectory(prefix="lnflow-demo-") as folder:
        _run(Path(folder), live, as_json)


def _run(directory: Path, live: bool, as_json: bool) -> None:
    import time

    from lnflow.cli.progress import week_progress
    from lnflow.simulation.demo import Demo, play_live

    database = directory / "demo.sqlite"
    for old in directory.glob("demo.sqlite*"):
        old.unlink()  # a week of its own each time: the same HTLC ids would mean other HTLCs
    demo = Demo(database, directory / "lnd", time.time_ns())

    async def go_on(world: WorldServer) -> None:
        _show(demo, as_json)
        click.echo(
            "\nThe node goes on, a minute a second, until Ctrl-C. In another terminal:\n"
            f"  lnflow monitor --lnd-dir {world.server.directory.path} --grpc-host {world.server.target}"
            f" --network {world.recording.node.network} --database {directory / 'mine.sqlite'}",
            err=True,
        )
        await play_live(world, SPEED)

    with week_progress() as on_share, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(demo.run(lambda progress: on_share(progress.share), after_week=go_on if live else None))
    if not live:
        _show(demo, as_json)


def _show(demo: Demo, as_json: bool) -> None:
    from lnflow.advice.analyzing import Selection
    from lnflow.analysis.facts import Window
    from lnflow.cli.printing import show
    from lnflow.cli.tables import draw_analysis
    from lnflow.service.opportunities import OpportunityService

    with OpportunityService.open(demo.database) as service:
        document = service.analyze(Window(since_ns=demo.since_ns, until_ns=demo.until_ns), Selection())
    show(document, as_json, lambda console: draw_analysis(console, document))
