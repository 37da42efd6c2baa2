"""`lnflow policy check` and `generate-config`: the file itself."""

from __future__ import annotations

import asyncio
from typing import Unpack

import click

from lnflow.cli.options import LIGHTNING_DIR_OPTION, Reach, has_node_options, json_option, node_options, resolve_store
from lnflow.cli.policy_options import COMPAT_OPTION, CONFIG_OPTION
from lnflow.cli.policy_service import FeeCredentials, ask, node_service, policy_path, stored_service


@click.command("check")
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
@LIGHTNING_DIR_OPTION
@node_options
@json_option
def check(
    file: str | None,
    config: str | None,
    compat: str | None,
    node: str | None,
    settings: str | None,
    database: str | None,
    lightning_dir: str | None,
    as_json: bool,
    **reach: Unpack[Reach],
) -> None:
    """Validate FILE: every key, value, strategy and list, with line numbers.  Needs no node."""
    if node and file is None and config is None:
        file, node = node, ""  # `check --node FILE`
    target = resolve_store(database, node or None, settings, lightning_dir, reach)
    path = policy_path(target, file or config)
    from lnflow.cli.policy_tables import draw_check
    from lnflow.cli.printing import show

    if node is not None or lightning_dir is not None or has_node_options(reach):
        service = node_service(target, reach, path, compat, FeeCredentials())
        document = asyncio.run(ask(service, lambda s: s.check()))
    else:
        document = asyncio.run(stored_service(target, path, compat).check())
    show(document, as_json, lambda console: draw_check(console, document))
    if not document.ok:
        raise click.exceptions.Exit(1)


@click.command("generate-config")
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
