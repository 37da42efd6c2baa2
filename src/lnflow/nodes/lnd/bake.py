"""The `lncli bakemacaroon` command that makes exactly the credential we need."""

from __future__ import annotations

import shlex
from pathlib import Path

from lnflow.nodes.lnd.wire import methods

MONITOR_MACAROON = "monitor.macaroon"
MONITOR_ROOT_KEY = 101  # a root key of its own: `lncli deletemacaroonid 101` revokes what was baked with it
_DEFAULT_RPC_SERVERS = frozenset({"localhost:10009", "127.0.0.1:10009"})


def monitor_methods() -> list[str]:
    """The methods that need a macaroon and that the read adapter calls, sorted."""
    return sorted(methods.READ_METHODS - methods.METHODS_WITHOUT_MACAROON)


def bake_command(
    *,
    rpc_server: str | None = None,
    network: str | None = None,
    lnd_dir: Path | None = None,
    save_to: Path | None = None,
) -> str:
    """Return one line for the shell of the node's machine; the result can read and nothing else.

    `save_to` is a directory (default: where lncli runs).
    """
    words = ["lncli"]
    if network not in (None, "mainnet"):
        words.append(f"--network={network}")
    if lnd_dir is not None and lnd_dir != Path.home() / ".lnd":
        words.append(f"--lnddir={lnd_dir}")
    if rpc_server is not None and rpc_server not in _DEFAULT_RPC_SERVERS:
        words.append(f"--rpcserver={rpc_server}")
    target = MONITOR_MACAROON if save_to is None else str(save_to / MONITOR_MACAROON)
    words += ["bakemacaroon", f"--save_to={target}", f"--root_key_id={MONITOR_ROOT_KEY}"]
    words += [f"uri:{method}" for method in monitor_methods()]
    return " ".join(shlex.quote(word) for word in words)
