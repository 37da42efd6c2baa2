"""`lnflow advice`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lnflow.cli.options import (
    json_option,
    resolve_store,
    selection_options,
    store_options,
    window_choice,
    window_options,
)

if TYPE_CHECKING:
    from lnflow.service.advice import Mark


@click.command("advice")
@click.option(
    "--mark",
    type=(int, click.Choice(["taken", "withdrawn"])),
    metavar="ID taken|withdrawn",
    help="Say what became of a recommendation that no channel shows.",
)
@window_options
@selection_options
@store_options
@json_option
def command(
    mark: tuple[int, Mark] | None,
    hours: float | None,
    since: str | None,
    until: str | None,
    everything: bool,
    min_failures: int,
    min_missed_sat: int,
    view: str | None,
    top: int | None,
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    as_json: bool,
) -> None:
    """Keep the ledger of recommendations: give what is new, follow up what was given.

    Each is stored with its numbers as they were. That it was taken shows in balances, prices and channels, or
    is said with --mark. What it brought is the peer's income per covered day before and after, against
    comparable peers.
    """
    choice = window_choice(hours, since, until, everything)
    target = resolve_store(database, node, settings, lightning_dir)
    from lnflow.advice.analyzing import Selection
    from lnflow.service.advice import AdviceService

    selection = Selection(
        min_failures=min_failures,
        min_missed_sat=min_missed_sat,
        view=view,  # type: ignore[arg-type]  # click lets only these through
        top=top,
    )
    with AdviceService.open(target.database, target.stored_name) as service:
        if mark is not None:
            service.mark(*mark)
        document = service.advise(service.window(choice), selection)
    from lnflow.cli.advice_table import draw_advice
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: draw_advice(console, document))
