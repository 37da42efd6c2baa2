"""`lnflow channel ID`."""

from __future__ import annotations

import click

from lnflow.cli.options import json_option, open_service, store_options, window_choice, window_options


@click.command("channel")
@click.argument("ident", metavar="ID")
@window_options
@store_options
@json_option
def command(
    ident: str,
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
    """Show everything about one channel.

    ID is any of its short channel ids (840000x12x1 or a number), its channel point, or its peer.
    """
    choice = window_choice(hours, since, until, everything)
    with open_service(database, node, settings, lightning_dir) as service:
        document = service.channel(service.window(choice), ident)
    from lnflow.cli.channel_tables import draw_channel
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: draw_channel(console, document.channels[0], document.notes))
