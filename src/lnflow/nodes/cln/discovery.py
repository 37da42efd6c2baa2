"""Where a Core Lightning node is reached: its socket under the lightning directory, or clnrest with a rune file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lnflow.domain.errors import ConfigurationError
from lnflow.nodes.cln.rest import RestRpc
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.socket import SocketRpc

SOCKET = "lightning-rpc"
STORE = "lnflow/lnflow.sqlite"
"""Where the plugin keeps its store, from the network's directory on."""
_NETWORK_DIRS = ("bitcoin", "testnet", "testnet4", "signet", "regtest", "litecoin")
_READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH


def find_network_dir(lightning_dir: Path, network: str | None = None) -> Path:
    """Return the directory of the network: what was given, or the one in it that has a socket or else a store.

    With several the first is taken, mainnet's (`bitcoin`) before the others.  It need not exist.
    """
    folder = lightning_dir.expanduser()
    if network is not None:
        inner = folder / ("bitcoin" if network == "mainnet" else network)
        return inner if inner.is_dir() else folder
    places = [folder, *(folder / name for name in _NETWORK_DIRS)]
    for file in (SOCKET, STORE):
        for place in places:
            if (place / file).exists():
                return place
    return folder


def find_store(lightning_dir: Path, network: str | None = None) -> Path:
    """Return where the plugin keeps its store, whether or not it is there yet."""
    return find_network_dir(lightning_dir, network) / STORE


def find_socket(lightning_dir: Path, network: str | None = None) -> Path:
    """Return the node's socket; `ConfigurationError` says where it was looked for."""
    folder = lightning_dir.expanduser()
    if folder.is_socket():  # where the node's config gives it another name
        return folder
    socket = find_network_dir(folder, network) / SOCKET
    if socket.exists():
        return socket
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such directory: give the lightning-dir of the node's config")
    where = f"{socket.parent}" if network is not None else f"here nor in {', '.join(_NETWORK_DIRS)}"
    raise ConfigurationError(f"{folder}: no {SOCKET} {where}: is lightningd running, and is this its lightning-dir?")


def read_rune(path: Path) -> str:
    """Return the rune in a file of the operator's own; refuse a file that others can read."""
    try:
        if os.name == "posix" and path.stat().st_mode & _READABLE_BY_OTHERS:
            raise ConfigurationError(f"{path}: others on this machine can read the rune: chmod 600 {path}")
        rune = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path}: cannot read the rune: {exc}") from None
    if not rune or any(c.isspace() for c in rune):
        raise ConfigurationError(f"{path}: does not hold one rune")
    return rune


def connect(
    *,
    allowed: frozenset[str],
    lightning_dir: str | Path | None = None,
    url: str | None = None,
    rune_file: str | Path | None = None,
    ca_file: str | Path | None = None,
    network: str | None = None,
) -> ClnRpc:
    """Return how to ask the node, over its socket or, with `url`, over clnrest."""
    if url is not None:
        if rune_file is None:
            raise ConfigurationError(f"{url}: clnrest needs a rune: write one into a file and give it as rune_file")
        ca = None if ca_file is None else Path(ca_file).expanduser()
        return RestRpc(url, read_rune(Path(rune_file).expanduser()), allowed=allowed, ca_file=ca)
    if lightning_dir is None:
        raise ConfigurationError("no Core Lightning node is named: give lightning_dir, or url and rune_file")
    return SocketRpc(find_socket(Path(lightning_dir), network), allowed=allowed)
