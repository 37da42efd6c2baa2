"""The operator's settings: one typed tree from a TOML file, the environment and options, checked once.

Precedence: option, then environment, then file, then default.  A key nobody knows is an error, with the
nearest known one: a misspelled limit must not be a silent no.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, field

from lnflow.domain.errors import ConfigurationError

DEFAULT_NODE = "default"


class NodeSettings(Struct, frozen=True, kw_only=True):
    """How to reach one node; what is None is looked for in the usual places."""

    lnd_dir: str | None = None
    grpc_host: str | None = None
    macaroon_path: str | None = None
    cert_path: str | None = None
    network: str | None = None
    lndconnect_file: str | None = None
    manage_url: str | None = None
    lightning_dir: str | None = None
    url: str | None = None
    rune_file: str | None = None
    ca_file: str | None = None

    @property
    def is_cln(self) -> bool:
        """Whether this is said to be a Core Lightning node."""
        return self.lightning_dir is not None or self.url is not None

    @property
    def is_lnd(self) -> bool:
        """Whether this is said to be an LND."""
        return any(key is not None for key in (self.lnd_dir, self.grpc_host, self.lndconnect_file))


class RetentionSettings(Struct, frozen=True, kw_only=True):
    raw_days: int = 90


class FeeSettings(Struct, frozen=True, kw_only=True):
    act: bool = False
    policy: str | None = None
    macaroon_path: str | None = None
    rune_file: str | None = None


class RebalanceSettings(Struct, frozen=True, kw_only=True):
    act: bool = False
    daily_budget_sat: int = 0
    macaroon_path: str | None = None


class ServeSettings(Struct, frozen=True, kw_only=True):
    listen: str = "127.0.0.1:8339"


class Settings(Struct, frozen=True, kw_only=True):
    """The whole tree.  `nodes` keeps the order of the file: the first is the default."""

    database: str | None = None
    nodes: dict[str, NodeSettings] = field(default_factory=dict)
    retention: RetentionSettings = RetentionSettings()
    fees: FeeSettings = FeeSettings()
    rebalance: RebalanceSettings = RebalanceSettings()
    serve: ServeSettings = ServeSettings()

    def node(self, name: str | None) -> tuple[str, NodeSettings]:
        """Return the named node, or the first; a name the file lacks may still be one of the store."""
        if name is not None:
            return name, self.nodes.get(name, NodeSettings())
        return next(iter(self.nodes.items()), (DEFAULT_NODE, NodeSettings()))


def load_settings(option: str | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of the file named by the option, `LNFLOW_SETTINGS`, or the default place.

    A default file that does not exist means defaults; one that was named must exist.
    """
    named = option or env.get("LNFLOW_SETTINGS")
    path = Path(named).expanduser() if named else config_dir(env) / "settings.toml"
    if not named and not path.exists():
        return Settings()
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigurationError(f"settings {path}: {exc.strerror or exc}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"settings {path}: not TOML: {exc}") from exc
    _refuse_unknown_keys(tree, Settings, path, "")
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as exc:
        raise ConfigurationError(f"settings {path}: {exc}") from exc
    _check(settings, path)
    return settings


def is_database_named(option: str | None, settings: Settings, env: Mapping[str, str] = os.environ) -> bool:
    """Return whether the operator said where the store is; else it is under the node's directory, or the default."""
    return bool(option or env.get("LNFLOW_DATABASE") or settings.database)


def database_path(option: str | None, settings: Settings | None = None, env: Mapping[str, str] = os.environ) -> Path:
    """Return where the store is."""
    text = option or env.get("LNFLOW_DATABASE") or (settings.database if settings is not None else None)
    if text is None:
        return data_dir(env) / "lnflow.sqlite"
    if "://" in text:
        scheme = text.split("://", 1)[0]
        raise ConfigurationError(
            f"--database: a {scheme} address is not supported here: give the path of an SQLite file"
        )
    return Path(text).expanduser()


def data_dir(env: Mapping[str, str] = os.environ) -> Path:
    base = env.get("XDG_DATA_HOME")
    return (Path(base) if base else Path("~/.local/share").expanduser()) / "lnflow"


def config_dir(env: Mapping[str, str] = os.environ) -> Path:
    base = env.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path("~/.config").expanduser()) / "lnflow"


def _check(settings: Settings, path: Path) -> None:
    for name, node in settings.nodes.items():
        lnd = [k for k in ("lnd_dir", "grpc_host", "lndconnect_file") if getattr(node, k) is not None]
        cln = [k for k in ("lightning_dir", "url") if getattr(node, k) is not None]
        if lnd and cln:
            raise ConfigurationError(
                f"settings {path} [nodes.{name}]: {lnd[0]} is of LND, {cln[0]} of Core Lightning: "
                "a node is one of them; make two sections"
            )
    if settings.retention.raw_days < 1:
        raise ConfigurationError(
            f"settings {path} [retention]: raw_days = {settings.retention.raw_days} must be at least 1"
        )
    if settings.rebalance.act:
        raise ConfigurationError(
            f"settings {path} [rebalance]: act = true asks for what this lnflow cannot do yet: it advises"
            " rebalances and makes none; set it to false"
        )
    if settings.rebalance.daily_budget_sat < 0:
        raise ConfigurationError(
            f"settings {path} [rebalance]: daily_budget_sat = {settings.rebalance.daily_budget_sat} must "
            "not "
            "be negative"
        )


def _refuse_unknown_keys(tree: Mapping[str, Any], shape: type[Struct], path: Path, section: str) -> None:
    known = get_type_hints(shape)
    for key, value in tree.items():
        if key not in known:
            place = f" [{section}]" if section else ""
            raise ConfigurationError(f"settings {path}{place}: unknown key {key!r}{_nearest(key, known)}")
        if not isinstance(value, Mapping):
            continue
        inner = known[key]
        name = f"{section}.{key}" if section else key
        if get_origin(inner) is dict:
            for entry, content in value.items():
                if isinstance(content, Mapping):
                    _refuse_unknown_keys(content, get_args(inner)[1], path, f"{name}.{entry}")
        elif isinstance(inner, type) and issubclass(inner, Struct):
            _refuse_unknown_keys(value, inner, path, name)


def _nearest(key: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1, cutoff=0.5)
    return f": did you mean {near[0]!r}?" if near else f" (known: {', '.join(known)})"
