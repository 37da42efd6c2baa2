"""`lnflow policy status`, `rollback` and `report`: what was changed, and what came of it."""

from __future__ import annotations

import asyncio
from typing import Unpack

import click

from lnflow.cli.options import Reach, resolve_store
from lnflow.cli.policy_options import (
    ACT_OPTION,
    COMPAT_OPTION,
    CONFIG_OPTION,
    DRY_OPTION,
    common_options,
    stored_options,
)
from lnflow.cli.policy_service import FeeCredentials, ask, node_service, stored_service


@click.command("status")
@CONFIG_OPTION
@COMPAT_OPTION
@stored_options
def status(
    config: str | None,
    compat: str | None,
    settings: str | None,
    node: str | None,
    database: str | None,
    lightning_dir: str | None,
    as_json: bool,
) -> None:
    """Show the rules and what was changed, refused and taken back.  Asks nothing of the node."""
    target = resolve_store(database, node, settings, lightning_dir)
    path = config or target.settings.fees.policy or ""
    document = asyncio.run(stored_service(target, path, compat).status())
    from lnflow.cli.policy_tables import draw_status
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: draw_status(console, document))


@click.command("rollback")
@common_options
@ACT_OPTION
@DRY_OPTION
def rollback(
    config: str | None,
    compat: str | None,
    fee_macaroon_path: str | None,
    fee_rune_file: str | None,
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    as_json: bool,
    act: bool,
    dry_run: bool,
    **reach: Unpack[Reach],
) -> None:
    """Judge the last change of every channel by what it earned since; with --apply take back what hurt."""
    target = resolve_store(database, node, settings, lightning_dir, reach)
    path = config or target.settings.fees.policy or ""
    fees = FeeCredentials(macaroon=fee_macaroon_path, rune=fee_rune_file)
    service = node_service(target, reach, path, compat, fees)
    document = asyncio.run(ask(service, lambda s: s.rollback(act=act and not dry_run)))
    from lnflow.cli.policy_tables import draw_rollback
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: draw_rollback(console, document))
    if any(c.error and c.would_revert for c in document.changes):
        raise click.exceptions.Exit(1)


@click.command("report")
@stored_options
def report(
    settings: str | None, node: str | None, database: str | None, lightning_dir: str | None, as_json: bool
) -> None:
    """Write the journal of prices: what was changed when, why, and how it ended."""
    target = resolve_store(database, node, settings, lightning_dir)
    document = asyncio.run(stored_service(target, "", None).status())
    from lnflow.cli.policy_tables import draw_report
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: draw_report(console, document))
