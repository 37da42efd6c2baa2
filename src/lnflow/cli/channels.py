"""`lnflow channels`."""

from __future__ import annotations

import click

from lnflow.cli.options import json_option, open_service, store_options, window_choice, window_options


@click.command("channels")
@window_options
@store_options
@json_option
def command(
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
    """List the channels: balances, prices, what passed, what it earned, what failed."""
    choice = window_choice(hours, since, until, everything)
    with open_service(database, node, settings, lightning_dir) as service:
        document = service.channels(service.window(choice))
    from lnflow.cli.channel_tables import draw_channels
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: draw_channels(console, document))
