"""Options that mean the same at every command, and what they resolve to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

LND_OPTIONS: tuple[Literal["lnd_dir", "grpc_host", "macaroon_path", "cert_path", "lndconnect"], ...] = (
    "lnd_dir",
    "grpc_host",
    "macaroon_path",
    "cert_path",
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


LIGHTNING_DIR_OPTION = click.option(
    "--lightning-dir",
    metavar="DIR",
    help="Core Lightning's directory; the store is the plugin's, lnflow/lnflow.sqlite in it.",
)


def store_options(command: F) -> F:
    """Add --database, --node, --settings and --lightning-dir."""
    for option in (
        LIGHTNING_DIR_OPTION,
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


def resolve_store(
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    lnd: Reach | None = None,
) -> Target:
    """Return where the store is, which node is meant, and how to reach it; LND's options and Core Lightning's
    together are a misuse.

    The store: `--database`, else the one under `--lightning-dir`, else LNFLOW_DATABASE and the settings, else
    the one under the node's `lightning_dir` in the settings, else the default.
    """
    from pathlib import Path

    from msgspec import structs

    from lnflow.config import DEFAULT_NODE, database_path, is_database_named, load_settings
    from lnflow.nodes.cln.discovery import find_store

    tree = load_settings(settings)
    name, reach = tree.node(node)
    known = name if node is not None or tree.nodes else None
    given = [] if lnd is None else [each for each in LND_OPTIONS if lnd[each]]
    network = reach.network if lnd is None else lnd["network"] or reach.network
    if lightning_dir is not None:
        _refuse_lnd(given, node, reach)
        if node is None and not _same_directory(reach.lightning_dir, lightning_dir):
            name, reach, known = _node_at(tree, lightning_dir)
        reach = structs.replace(reach, lightning_dir=lightning_dir, url=None)
        own_store = database is None
    elif given and reach.is_cln:
        raise click.UsageError(
            f"{_option(given[0])} is of LND, and [nodes.{name}] of the settings is a Core Lightning node:"
            " name another with --node"
        )
    else:
        own_store = reach.lightning_dir is not None and not is_database_named(database, tree)
    path = database_path(database, tree)
    if own_store and reach.lightning_dir is not None:
        path = find_store(Path(reach.lightning_dir), network)
        name, known = DEFAULT_NODE, None  # it has one node, whatever the settings call it
    reach = structs.replace(reach, network=network)
    return Target(database=path, node_name=name, stored_name=known, reach=reach, settings=tree)


def _refuse_lnd(given: Sequence[str], node: str | None, reach: NodeSettings) -> None:
    if given:
        raise click.UsageError(
            f"--lightning-dir is of Core Lightning and {_option(given[0])} of LND: a node is one of them, give one"
        )
    if node is not None and reach.is_lnd:
        raise click.UsageError(
            f"--lightning-dir is of Core Lightning, and [nodes.{node}] of the settings is an LND: leave out one"
        )


def _node_at(tree: Settings, lightning_dir: str) -> tuple[str, NodeSettings, str | None]:
    """Return the node of the settings with this directory; else one that the settings do not know."""
    from lnflow.config import DEFAULT_NODE, NodeSettings

    for name, reach in tree.nodes.items():
        if _same_directory(reach.lightning_dir, lightning_dir):
            return name, reach, name
    return DEFAULT_NODE, NodeSettings(), None


def _same_directory(one: str | None, other: str) -> bool:
    from pathlib import Path

    return one is not None and Path(one).expanduser() == Path(other).expanduser()


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def node_to_write(target: Target) -> str:
    """Return whose data a file holds if nobody says: the only node of the store, else the default name."""
    from lnflow.domain.errors import StoreError
    from lnflow.store.reading import StoreReader

    if target.stored_name is not None or not target.database.exists():
        return target.node_name
    try:
        with StoreReader(target.database) as store:
            names = [each.name for each in store.nodes()]
    except StoreError:  # whoever writes says what is wrong with the file
        return target.node_name
    return names[0] if len(names) == 1 else target.node_name


def open_service(
    database: str | None,
    node: str | None,
    settings: str | None,
    lightning_dir: str | None,
    lnd: Reach | None = None,
) -> OpportunityService:
    """Open the store for reading; say whose answer it is if the store holds several nodes and none was named."""
    from lnflow.service.opportunities import OpportunityService
    from lnflow.store.reading import StoreReader

    target = resolve_store(database, node, settings, lightning_dir, lnd)
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
    """Return whether the operator said how to reach an LND."""
    return options["network"] is not None or any(options[name] for name in LND_OPTIONS)
