"""`lnflow report`."""

from __future__ import annotations

from pathlib import Path

import click

from lnflow.cli.options import (
    json_option,
    open_service,
    selection_options,
    store_options,
    window_choice,
    window_options,
)


@click.command("report")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@window_options
@selection_options
@store_options
@json_option
def command(
    file: Path | None,
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
    """Write the whole analysis with channels and flows: to FILE, or to standard output.

    A FILE that ends in .json gets the JSON document, any other plain text.
    """
    choice = window_choice(hours, since, until, everything)
    with open_service(database, node, settings, lightning_dir) as service:
        from lnflow.advice.analyzing import Selection

        selection = Selection(
            min_failures=min_failures,
            min_missed_sat=min_missed_sat,
            view=view,  # type: ignore[arg-type]  # click lets only these through
            top=top,
        )
        document = service.report(service.window(choice), selection)
    from lnflow.advice.documents import encode
    from lnflow.cli.printing import show, write_file
    from lnflow.cli.report_text import draw_report, report_text

    if file is None:
        show(document, as_json, lambda console: draw_report(console, document))
    else:
        as_text = file.suffix.lower() != ".json" and not as_json
        write_file(file, report_text(document).encode() if as_text else encode(document))
