"""`lnflow analyze`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from lnflow.cli.options import (
    Reach,
    has_node_options,
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
    from rich.console import Console

    from lnflow.advice.analyzing import View
    from lnflow.advice.documents import AnalyzeDocument


@click.command("analyze")
@window_options
@selection_options
@store_options
@node_options
@json_option
def command(
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
    """Rank what the node failed to earn: why, how much, and what would mend it.

    With node options and an empty store, the forwards are read from the node first. Why it refused can only be
    seen from then on, with 'lnflow monitor'.
    """
    choice = window_choice(hours, since, until, everything)
    if lightning_dir is not None or has_node_options(reach):
        from lnflow.cli.filling import fill_if_empty

        fill_if_empty(resolve_store(database, node, settings, lightning_dir, reach), reach)
    with open_service(database, node, settings, lightning_dir, reach) as service:
        from lnflow.advice.analyzing import Selection

        selection = Selection(min_failures=min_failures, min_missed_sat=min_missed_sat, view=view, top=top)
        document = service.analyze(service.window(choice), selection)
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: _draw(console, document))


def _draw(console: Console, document: AnalyzeDocument) -> None:
    from lnflow.cli.tables import draw_analysis  # rich takes its time to start, and JSON needs none of it

    draw_analysis(console, document)
