"""Options that mean the same at every command, and what they resolve to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    from pathlib import Path

    from lnflow.config import NodeSettings, Settings
    from lnflow.nodes.lnd.credentials import LndConnection
    from lnflow.service.opportunities import OpportunityService
    from lnflow.service.windows import WindowChoice

F = TypeVar("F", bound=Callable[..., Any])

NODE_OPTIONS: tuple[Literal["lnd_dir", "grpc_host", "macaroon_path", "cert_path", "network", "lndconnect"], ...] = (
    "lnd_dir",
    "grpc_host",
    "macaroon_path",
    "cert_path",
    "network",
    "lndconnect",
)


class Reach(TypedDict):
    """What `node_options` hands to a command."""

    lnd_dir: str | None
    grpc_host: str | None
    macaroon_path: str | None
    cert_path: str | None
    network: str | None
    lndconnect: str | None
    allow_spending_credential: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What --database, --node and --settings resolve to.

    `node_name` is what a new node would be called; `stored_name` is None when none was named anywhere: then the
    first node of the store is meant.
    """

    database: Path
    node_name: str
    stored_name: str | None
    reach: NodeSettings
    settings: Settings


def window_options(command: F) -> F:
    """Add --hours, --since, --until and --all."""
    for option in (
        click.option("--all", "everything", is_flag=True, help="Everything stored, up to its last instant."),
        click.option("--until", metavar="T", help="End of the window (default: now)."),
        click.option("--since", metavar="T", help="Start of the window, ISO 8601 or unix seconds."),
        click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="The last N hours (default: 24)."),
    ):
        command = option(command)
    return command


def store_options(command: F) -> F:
    """Add --database, --node and --settings."""
    for option in (
        click.option("--settings", metavar="FILE", help="Settings file (or LNFLOW_SETTINGS)."),
        click.option("--node", metavar="NAME", help="Which node, if the store holds several."),
        click.option("--database", metavar="PATH", help="The store (or LNFLOW_DATABASE)."),
    ):
        command = option(command)
    return command


def node_options(command: F) -> F:
    """Add the options that say how to reach an LND."""
    for option in (
        click.option(
            "--allow-spending-credential",
            is_flag=True,
            help="Use a macaroon although it can spend (lnflow only reads).",
        ),
        click.option("--lndconnect", metavar="URI|FILE", help="An lndconnect:// address, or a file that holds one."),
        click.option("--network", help="mainnet, testnet, signet, simnet or regtest."),
        click.option("--cert-path", metavar="FILE", help="LND's tls.cert."),
        click.option("--macaroon-path", metavar="FILE", help="A macaroon that can read, and better only that."),
        click.option("--grpc-host", metavar="HOST:PORT", help="LND's gRPC address."),
        click.option("--lnd-dir", metavar="DIR", help="LND's directory (default: the usual places)."),
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def selection_options(command: F) -> F:
    """Add --top, --view, --min-failures and --min-missed-sat."""
    for option in (
        click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the first N."),
        click.option(
            "--view", type=click.Choice(["liquidity", "fee", "capacity"]), help="Only opportunities of a kind."
        ),
        click.option(
            "--min-missed-sat",
            type=click.IntRange(min=0),
            default=100,
            show_default=True,
            help="Leave out what is expected to have missed less.",
        ),
        click.option(
            "--min-failures",
            type=click.IntRange(min=0),
            default=3,
            show_default=True,
            help="Leave out what failed less often.",
        ),
    ):
        command = option(command)
    return command


def resolve_store(database: str | None, node: str | None, settings: str | None) -> Target:
    """Return where the store is, which node is meant, and how to reach it."""
    from lnflow.config import database_path, load_settings

    tree = load_settings(settings)
    name, reach = tree.node(node)
    known = name if node is not None or tree.nodes else None
    return Target(database=database_path(database, tree), node_name=name, stored_name=known, reach=reach, settings=tree)


def open_service(database: str | None, node: str | None, settings: str | None) -> OpportunityService:
    """Open the store for reading; say whose answer it is if the store holds several nodes and none was named."""
    from lnflow.service.opportunities import OpportunityService
    from lnflow.store.reading import StoreReader

    target = resolve_store(database, node, settings)
    store = StoreReader(target.database, target.stored_name)
    names = [each.name for each in store.nodes()]
    if target.stored_name is None and len(names) > 1:
        click.echo(
            f"{target.database} holds {', '.join(names)}: this is {store.node.name}; choose with --node", err=True
        )
    return OpportunityService(store)


def window_choice(hours: float | None, since: str | None, until: str | None, everything: bool) -> WindowChoice:
    """Return the window that was asked for, checked before anything is opened; else this is a misuse."""
    from lnflow.domain.errors import ConfigurationError
    from lnflow.service.windows import WindowChoice

    choice = WindowChoice(hours=hours, since=since, until=until, everything=everything)
    try:
        choice.check()
    except ConfigurationError as exc:
        raise click.UsageError(str(exc)) from exc
    return choice


def connection_of(target: Target, reach: Reach) -> LndConnection:
    """Return the connection to the node: options first, then its settings, then the usual places."""
    from lnflow.app import lnd_connection

    return lnd_connection(target.reach, **reach)


def has_node_options(options: Reach) -> bool:
    """Return whether the operator said how to reach a node."""
    return any(options[name] for name in NODE_OPTIONS)
