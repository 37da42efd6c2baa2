"""`lnflow policy …`: prices by rules."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Unpack

import click

from lnflow.cli.options import (
    Reach,
    Target,
    connection_of,
    has_node_options,
    json_option,
    node_options,
    open_service,
    resolve_store,
)
from lnflow.cli.policy_options import (
    ACT_OPTION,
    COMPAT_OPTION,
    CONFIG_OPTION,
    DRY_OPTION,
    STORE_OPTIONS,
    CompatibleCommand,
    common_options,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lnflow.advice.documents import Opportunity
    from lnflow.service.pricing import PolicyService

ADVICE_HOURS = 7 * 24


@click.group("policy")
def command() -> None:
    """Set prices by the rules of a file: charge-lnd's format, and lnflow's own keys beside it.

    Nothing is written without --apply.
    """


@command.command("check")
@click.argument("file", required=False)
@CONFIG_OPTION
@COMPAT_OPTION
@click.option(
    "--node",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="Also ask the node which channels each rule decides.",
)
@click.option("--settings", metavar="FILE", help="Settings file (or LNFLOW_SETTINGS).")
@click.option("--database", metavar="PATH", help="The store (or LNFLOW_DATABASE).")
@node_options
@json_option
def check(
    file: str | None,
    config: str | None,
    compat: str | None,
    node: str | None,
    settings: str | None,
    database: str | None,
    as_json: bool,
    **reach: Unpack[Reach],
) -> None:
    """Validate FILE: every key, value, strategy and list, with line numbers.  Needs no node."""
    if node and file is None and config is None:
        file, node = node, ""  # `check --node FILE`
    target = resolve_store(database, node or None, settings)
    path = _config(target, file or config)
    from lnflow.cli.policy_tables import draw_check
    from lnflow.cli.printing import show

    if node is not None or has_node_options(reach):
        document = asyncio.run(_with(_service(target, reach, path, compat, None), lambda s: s.check()))
    else:
        document = asyncio.run(_offline(target, path, compat).check())
    show(document, as_json, lambda console: draw_check(console, document))
    if not document.ok:
        raise click.exceptions.Exit(1)


@command.command("apply", cls=CompatibleCommand)
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
    database: str | None,
    node: str | None,
    settings: str | None,
    as_json: bool,
    act: bool,
    dry_run: bool,
    verbose: bool,
    advice: bool,
    **reach: Unpack[Reach],
) -> None:
    """Show what the file does to every channel; with --apply do it."""
    target = resolve_store(database, node, settings)
    writes = act and not dry_run
    if advice:
        opportunities = _opportunities(database, node, settings)
        service = _service(target, reach, config or "", compat, fee_macaroon_path)
        document = asyncio.run(_with(service, lambda s: s.apply_advice(opportunities, act=writes)))
    else:
        path = _config(target, config)
        _warn(path, compat)
        service = _service(target, reach, path, compat, fee_macaroon_path)
        document = asyncio.run(_with(service, lambda s: s.apply(act=writes)))
    from lnflow.cli.policy_tables import draw_apply
    from lnflow.cli.printing import show
    from lnflow.service.policy_documents import failed

    show(document, as_json, lambda console: draw_apply(console, document, everything=verbose))
    if failed(document):
        raise click.exceptions.Exit(1)


@command.command("test-channel")
@click.argument("ident", metavar="ID")
@common_options
def test_channel(
    ident: str,
    config: str | None,
    compat: str | None,
    fee_macaroon_path: str | None,
    database: str | None,
    node: str | None,
    settings: str | None,
    as_json: bool,
    **reach: Unpack[Reach],
) -> None:
    """Show why one channel costs what it costs: every rule, the overlay, the guards.

    ID is a short channel id, a channel point or a peer.
    """
    target = resolve_store(database, node, settings)
    path = _config(target, config)
    service = _service(target, reach, path, compat, fee_macaroon_path)
    document = asyncio.run(_with(service, lambda s: s.test_channel(ident)))
    from lnflow.cli.policy_tables import draw_test_channel
    from lnflow.cli.printing import show
    from lnflow.service.policy_documents import failed

    show(document, as_json, lambda console: draw_test_channel(console, document))
    if failed(document):
        raise click.exceptions.Exit(1)


@command.command("status")
@CONFIG_OPTION
@COMPAT_OPTION
@STORE_OPTIONS[0]
@STORE_OPTIONS[1]
@STORE_OPTIONS[2]
@json_option
def status(
    config: str | None,
    compat: str | None,
    settings: str | None,
    node: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Show the rules and what was changed, refused and taken back.  Asks nothing of the node."""
    target = resolve_store(database, node, settings)
    path = config or target.settings.fees.policy or ""
    document = asyncio.run(_offline(target, path, compat).status())
    from lnflow.cli.policy_tables import draw_status
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: draw_status(console, document))


@command.command("rollback")
@common_options
@ACT_OPTION
@DRY_OPTION
def rollback(
    config: str | None,
    compat: str | None,
    fee_macaroon_path: str | None,
    database: str | None,
    node: str | None,
    settings: str | None,
    as_json: bool,
    act: bool,
    dry_run: bool,
    **reach: Unpack[Reach],
) -> None:
    """Judge the last change of every channel by what it earned since; with --apply take back what hurt."""
    target = resolve_store(database, node, settings)
    path = config or target.settings.fees.policy or ""
    service = _service(target, reach, path, compat, fee_macaroon_path)
    document = asyncio.run(_with(service, lambda s: s.rollback(act=act and not dry_run)))
    from lnflow.cli.policy_tables import draw_rollback
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: draw_rollback(console, document))
    if any(c.error and c.would_revert for c in document.changes):
        raise click.exceptions.Exit(1)


@command.command("report")
@STORE_OPTIONS[0]
@STORE_OPTIONS[1]
@STORE_OPTIONS[2]
@json_option
def report(settings: str | None, node: str | None, database: str | None, as_json: bool) -> None:
    """Write the journal of prices: what was changed when, why, and how it ended."""
    target = resolve_store(database, node, settings)
    document = asyncio.run(_offline(target, "", None).status())
    from lnflow.cli.policy_tables import draw_report
    from lnflow.cli.printing import show

    show(document, as_json, lambda console: draw_report(console, document))


@command.command("generate-config")
@click.argument("output", required=False, type=click.Path(dir_okay=False))
def generate_config(output: str | None) -> None:
    """Write a commented policy file to start from, to OUTPUT or standard output."""
    from importlib import resources

    text = (resources.files("lnflow.pricing") / "starter.conf").read_text(encoding="utf-8")
    if output is None:
        click.echo(text, nl=False)
        return
    from pathlib import Path

    from lnflow.cli.printing import write_file
    from lnflow.domain.errors import ConfigurationError

    if Path(output).exists():
        raise ConfigurationError(f"{output} exists already: choose another name, or remove it")
    write_file(Path(output), text.encode())


@command.command("daemon")
@common_options
@ACT_OPTION
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
    database: str | None,
    node: str | None,
    settings: str | None,
    as_json: bool,
    act: bool,
    dry_run: bool,
    interval: float,
    runs: int | None,
    **reach: Unpack[Reach],
) -> None:
    """Apply the file again and again, and take back what hurts; ends at SIGINT or SIGTERM.

    Writes only with --apply or '[fees] act = true'; one line a run on standard error, for systemd.
    """
    from lnflow.cli.policy_daemon import run_daemon

    target = resolve_store(database, node, settings)
    path = _config(target, config)
    writes = (act or target.settings.fees.act) and not dry_run
    service = _service(target, reach, path, compat, fee_macaroon_path)
    asyncio.run(run_daemon(service, act=writes, interval_s=interval * 60, runs=runs, as_json=as_json))


def _opportunities(database: str | None, node: str | None, settings: str | None) -> Sequence[Opportunity]:
    from lnflow.advice.analyzing import Selection
    from lnflow.service.windows import WindowChoice

    with open_service(database, node, settings) as service:
        window = service.window(WindowChoice(hours=ADVICE_HOURS))
        return service.analyze(window, Selection(min_failures=3, min_missed_sat=100)).opportunities


def _config(target: Target, given: str | None) -> str:
    path = given or target.settings.fees.policy
    if path is None:
        raise click.UsageError("no policy file: give one with --config, or set [fees] policy in the settings")
    from os.path import expanduser

    return expanduser(path)


def _warn(path: str, compat: str | None) -> None:
    """Say on standard error what is surprising in the file; what is wrong stands in the document."""
    from lnflow.pricing.dialect.load import load_policy_file
    from lnflow.pricing.problems import Severity

    for problem in load_policy_file(path, strict=_strict(compat)).problems:
        if problem.severity is Severity.WARNING:
            click.echo(f"warning: {problem}", err=True)


def _strict(compat: str | None) -> bool | None:
    return None if compat is None else compat == "strict"


def _service(
    target: Target, reach: Reach, path: str, compat: str | None, fee_macaroon: str | None
) -> AbstractAsyncContextManager[PolicyService]:
    from lnflow.app import lnd_policy_service

    return lnd_policy_service(
        connection_of(target, reach),
        config=path,
        database=target.database,
        node_name=target.node_name,
        stored_name=target.stored_name,
        fee_macaroon=fee_macaroon or target.settings.fees.macaroon_path,
        strict=_strict(compat),
    )


def _offline(target: Target, path: str, compat: str | None) -> PolicyService:
    from lnflow.domain.time import SystemClock
    from lnflow.service.pricing import PolicyService

    return PolicyService(
        config=path,
        node_name=target.node_name,
        database=target.database,
        stored_name=target.stored_name,
        clock=SystemClock(),
        strict=_strict(compat),
    )


async def _with(lent: AbstractAsyncContextManager[PolicyService], ask: Any) -> Any:
    async with lent as service:
        return await ask(service)
