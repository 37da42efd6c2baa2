"""`lnflow policy daemon`: runs at an interval until told to stop; one line a run, for systemd's journal."""

from __future__ import annotations

import asyncio
from typing import Unpack

import click

from lnflow.cli.options import Reach, resolve_store
from lnflow.cli.policy_options import DRY_OPTION, common_options
from lnflow.cli.policy_service import FeeCredentials, node_service, policy_path


@click.command("daemon")
@common_options
@DRY_OPTION
@click.option(
    "--interval",
    type=click.FloatRange(min=1),
    default=10.0,
    show_default=True,
    metavar="MINUTES",
    help="Time between two runs.",
)
@click.option("--runs", type=click.IntRange(min=1), metavar="N", help="Stop after so many runs.")
def daemon(
    config: str | None,
    compat: str | None,
    fee_macaroon_path: str | None,
    fee_rune_file: str | None,
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    as_json: bool,
    dry_run: bool,
    interval: float,
    runs: int | None,
    **reach: Unpack[Reach],
) -> None:
    """Apply the file again and again, and take back what hurts; ends at SIGINT or SIGTERM.

    Writes only with 'act = true' under [fees] in the settings, and not with --dry-run; one line a run on standard
    error, for systemd.  On Core Lightning CLBOSS and feeadjuster are asked to leave alone the peers whose prices
    it sets, until it ends.
    """
    from lnflow.cli.policy_runs import run_daemon

    target = resolve_store(database, node, settings, lightning_dir, reach)
    path = policy_path(target, config)
    writes = target.settings.fees.act and not dry_run
    if not writes:
        why = "--dry-run is given" if dry_run else "the settings do not say 'act = true' under [fees]"
        click.echo(f"Nothing will be written: {why}.", err=True)
    fees = FeeCredentials(macaroon=fee_macaroon_path, rune=fee_rune_file)
    service = node_service(target, reach, path, compat, fees, hand_over=writes)
    asyncio.run(
        run_daemon(
            service,
            act=writes,
            interval_s=interval * 60,
            raw_days=target.settings.retention.raw_days,
            runs=runs,
            as_json=as_json,
        )
    )
