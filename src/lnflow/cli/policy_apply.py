"""`lnflow policy apply` and `test-channel`: what the file does to channels."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Unpack

import click

from lnflow.cli.options import Reach, Target, resolve_store
from lnflow.cli.policy_options import ACT_OPTION, DRY_OPTION, CompatibleCommand, common_options
from lnflow.cli.policy_service import FeeCredentials, ask, node_service, policy_path, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lnflow.advice.documents import Opportunity

ADVICE_HOURS = 7 * 24


@click.command("apply", cls=CompatibleCommand)
@common_options
@ACT_OPTION
@DRY_OPTION
@click.option("-v", "--verbose", is_flag=True, help="Show every channel, not only those that change.")
@click.option("--advice", is_flag=True, help="Take the prices that 'lnflow analyze' recommends (7 days), not a file's.")
@click.option("--electrum-server", hidden=True, expose_value=False, help="Ignored: old charge-lnd had it.")
def apply(
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
    verbose: bool,
    advice: bool,
    **reach: Unpack[Reach],
) -> None:
    """Show what the file does to every channel; with --apply do it."""
    target = resolve_store(database, node, settings, lightning_dir, reach)
    fees = FeeCredentials(macaroon=fee_macaroon_path, rune=fee_rune_file)
    writes = act and not dry_run
    if advice:
        opportunities = _opportunities(target)
        service = node_service(target, reach, config or "", compat, fees)
        document = asyncio.run(ask(service, lambda s: s.apply_advice(opportunities, act=writes)))
    else:
        path = policy_path(target, config)
        warn(path, compat)
        service = node_service(target, reach, path, compat, fees)
        document = asyncio.run(ask(service, lambda s: s.apply(act=writes)))
    from lnflow.cli.policy_tables import draw_apply
    from lnflow.cli.printing import show
    from lnflow.service.policy_documents import failed

    show(document, as_json, lambda console: draw_apply(console, document, everything=verbose))
    if failed(document):
        raise click.exceptions.Exit(1)


@click.command("test-channel")
@click.argument("ident", metavar="ID")
@common_options
def test_channel(
    ident: str,
    config: str | None,
    compat: str | None,
    fee_macaroon_path: str | None,
    fee_rune_file: str | None,
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    as_json: bool,
    **reach: Unpack[Reach],
) -> None:
    """Show why one channel costs what it costs: every rule, the overlay, the guards.

    ID is a short channel id, a channel point or a peer.
    """
    target = resolve_store(database, node, settings, lightning_dir, reach)
    path = policy_path(target, config)
    service = node_service(target, reach, path, compat, FeeCredentials(macaroon=fee_macaroon_path, rune=fee_rune_file))
    document = asyncio.run(ask(service, lambda s: s.test_channel(ident)))
    from lnflow.cli.policy_tables import draw_test_channel
    from lnflow.cli.printing import show
    from lnflow.service.policy_documents import failed

    show(document, as_json, lambda console: draw_test_channel(console, document))
    if failed(document):
        raise click.exceptions.Exit(1)


def _opportunities(target: Target) -> Sequence[Opportunity]:
    from lnflow.advice.analyzing import Selection
    from lnflow.service.opportunities import OpportunityService
    from lnflow.service.windows import WindowChoice

    with OpportunityService.open(target.database, target.stored_name) as service:
        window = service.window(WindowChoice(hours=ADVICE_HOURS))
        return service.analyze(window, Selection(min_failures=3, min_missed_sat=100)).opportunities
