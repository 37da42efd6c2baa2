"""`lnflow why PEER`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lnflow.cli.options import json_option, open_service, store_options, window_choice, window_options

if TYPE_CHECKING:
    from lnflow.advice.documents import ProblemName


@click.command("why")
@click.argument("peer", metavar="PEER")
@click.option(
    "--cause",
    type=click.Choice(["liquidity", "offline", "size", "fee", "stale_fee", "slots", "unattributed", "other"]),
    help="Which of the peer's findings (default: the most valuable).",
)
@window_options
@store_options
@json_option
def command(
    peer: str,
    cause: ProblemName | None,
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
    """Show how the figure for one peer came about: layers, demands, chance and formulas.

    PEER is a public key, an alias, or an id of one of its channels (840000x12x1).
    """
    choice = window_choice(hours, since, until, everything)
    with open_service(database, node, settings, lightning_dir) as service:
        document = service.why(service.window(choice), peer, cause)
    from lnflow.cli.printing import show
    from lnflow.cli.why_tables import draw_why

    show(document, as_json, lambda console: draw_why(console, document))
