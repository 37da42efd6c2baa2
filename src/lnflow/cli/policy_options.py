"""Options of the policy commands, and charge-lnd's names of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import click

from lnflow.cli.options import LIGHTNING_DIR_OPTION, json_option, node_options

F = TypeVar("F", bound=Callable[..., Any])

FEE_OPTION = click.option(
    "--fee-macaroon-path", metavar="FILE", help="A macaroon that can change prices and nothing else."
)
RUNE_OPTION = click.option(
    "--fee-rune-file", metavar="FILE", help="A rune for clnrest that can change prices and nothing else."
)
CONFIG_OPTION = click.option("-c", "--config", metavar="FILE", help="The policy file (default: [fees] policy).")
COMPAT_OPTION = click.option(
    "--compat",
    type=click.Choice(["strict", "safe"]),
    help="strict: as charge-lnd does, quirks included (default: what the file says, else safe).",
)
ACT_OPTION = click.option("--apply", "act", is_flag=True, help="Write to the node (default: only show).")
DRY_OPTION = click.option("--dry-run", is_flag=True, help="Only show, whatever else is said.")
STORE_OPTIONS = (
    click.option("--settings", metavar="FILE", help="Settings file (or LNFLOW_SETTINGS)."),
    click.option("--node", metavar="NAME", help="Which node, if the settings or the store have several."),
    click.option("--database", metavar="PATH", help="The store (or LNFLOW_DATABASE)."),
    LIGHTNING_DIR_OPTION,
)


def stored_options(command: F) -> F:
    """Add the store alone."""
    for option in (json_option, *STORE_OPTIONS):
        command = option(command)
    return command


def common_options(command: F) -> F:
    """Add the policy file, the node and the store."""
    for option in (json_option, *STORE_OPTIONS, RUNE_OPTION, FEE_OPTION, COMPAT_OPTION, CONFIG_OPTION):
        command = option(command)
    return node_options(command)


class CompatibleCommand(click.Command):
    """Understands charge-lnd's names of options too, so that an old cron line still works (without writing)."""

    NAMES: ClassVar[dict[str, str]] = {
        "--lnddir": "--lnd-dir",
        "--tlscert": "--cert-path",
        "--macaroon": "--macaroon-path",
        "--grpc": "--grpc-host",
        "-vv": "-v",
        "--very-verbose": "-v",
    }

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        def current(word: str) -> str:
            name, equals, value = word.partition("=")
            return self.NAMES.get(name, name) + equals + value

        return super().parse_args(ctx, [current(word) for word in args])
