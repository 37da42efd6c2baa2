"""The plugin's options, as lines of the node's config or arguments of `plugin start`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from lnflow.domain.errors import InputError
from lnflow.nodes.cln.discovery import STORE
from lnflow.nodes.cln.plugin.manifest import Option
from lnflow.nodes.cln.plugin.runtime import InitConfiguration

DATABASE, RAW_DAYS, POLICY_FILE, ACT = "lnflow-database", "lnflow-raw-days", "lnflow-policy-file", "lnflow-act"
DEFAULT_RAW_DAYS = 90

OPTIONS = (
    Option(
        name=DATABASE,
        description="lnflow's store; a relative path starts at the network's lightning directory",
        default=STORE,
    ),
    Option(
        name=RAW_DAYS,
        kind="int",
        description="Days for which lnflow keeps single attempts; totals stay for ever",
        default=DEFAULT_RAW_DAYS,
    ),
    Option(name=POLICY_FILE, description="The policy file of lnflow-policy-check and lnflow-policy-apply"),
    Option(name=ACT, kind="bool", description="Allow lnflow-policy-apply to set prices", default=False),
)


class PluginSettings(Struct, frozen=True, kw_only=True):
    """What was told at `init`."""

    socket: Path
    database: Path
    raw_days: int
    policy_file: str | None
    act: bool


def read_settings(configuration: InitConfiguration, options: Mapping[str, Any]) -> PluginSettings:
    """Return the settings; raise `InputError` for a value that cannot be meant."""
    lightning_dir = Path(configuration.lightning_dir)
    raw_days = options.get(RAW_DAYS, DEFAULT_RAW_DAYS)
    if not isinstance(raw_days, int) or raw_days < 1:
        raise InputError(f"{RAW_DAYS} = {raw_days!r} must be a number of days, at least 1")
    policy_file = options.get(POLICY_FILE)
    return PluginSettings(
        socket=lightning_dir / configuration.rpc_file,
        database=lightning_dir / str(options.get(DATABASE) or STORE),
        raw_days=raw_days,
        policy_file=None if not policy_file else str(policy_file),
        act=options.get(ACT) is True,
    )
