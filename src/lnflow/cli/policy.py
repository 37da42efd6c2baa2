"""`lnflow policy …`: prices by rules."""

from __future__ import annotations

import click

from lnflow.cli.policy_apply import apply, test_channel
from lnflow.cli.policy_daemon import daemon
from lnflow.cli.policy_file import check, generate_config
from lnflow.cli.policy_journal import report, rollback, status


@click.group("policy")
def command() -> None:
    """Set prices by the rules of a file: charge-lnd's format, and lnflow's own keys beside it.

    Nothing is written without --apply.
    """


for each in (check, apply, test_channel, status, rollback, report, generate_config, daemon):
    command.add_command(each)
