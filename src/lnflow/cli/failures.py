"""`lnflow failures`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lnflow.cli.options import json_option, open_service, store_options, window_choice, window_options

if TYPE_CHECKING:
    from lnflow.advice.documents import GroupKey


@click.command("failures")
@click.option(
    "--by",
    type=click.Choice(["cause", "peer", "channel", "in_peer", "pair", "hour"]),
    default="cause",
    show_default=True,
    help="What to count by, beside the cause.",
)
@window_options
@store_options
@json_option
def command(
    by: GroupKey,
    hours: float | None,
    since: str | None,
    until: str | None,
    everything: bool,
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    as_json: bool,
) -> None:
    """Count what the node itself refused, by cause and by peer, channel, pair or hour.

    Failures further downstream are not ours and not among them.
    """
    choice = window_choice(hours, since, until, everything)
    with open_service(database, node, settings, lightning_dir) as service:
        document = service.failures(service.window(choice), by)
    from lnflow.cli.printing import show
    from lnflow.cli.tables import draw_failures

    show(document, as_json, lambda console: draw_failures(console, document))
