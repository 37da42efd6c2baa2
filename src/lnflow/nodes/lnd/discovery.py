"""Where the operator's LND is: from the options, and for what they leave open, from its directory."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from lnflow.domain.errors import ConfigurationError
from lnflow.nodes.lnd.bake import MONITOR_MACAROON
from lnflow.nodes.lnd.credentials import (
    DEFAULT_PORT,
    LNDCONNECT_SCHEME,
    LndConnection,
    host_and_port,
    parse_lndconnect,
    read_lndconnect_file,
)

DEFAULT_HOST = f"localhost:{DEFAULT_PORT}"
CERTIFICATE = "tls.cert"
NETWORKS = ("mainnet", "testnet", "testnet4", "signet", "regtest", "simnet")

# Least power first; with admin.macaroon alone the refusal names the command that bakes a better one
_MACAROONS = (MONITOR_MACAROON, "readonly.macaroon", "admin.macaroon")


@dataclass(frozen=True, slots=True, kw_only=True)
class LndOptions:
    """What the operator said of the node, on the command line or in the settings; None: not said."""

    lnd_dir: str | Path | None = None
    grpc_host: str | None = None
    macaroon_path: str | Path | None = None
    cert_path: str | Path | None = None
    network: str | None = None
    lndconnect_file: str | Path | None = None
    tls_name: str | None = None
    allow_spending_credential: bool = False


def discover(options: LndOptions) -> LndConnection:
    """Return the connection that these options mean.

    `grpc_host` may be an lndconnect URI.  Raises `ConfigurationError` saying what was looked for and where.
    """
    if options.network is not None and options.network not in NETWORKS:
        raise ConfigurationError(f"--network {options.network!r}: must be one of {', '.join(NETWORKS)}")
    if options.lndconnect_file is not None:
        path = Path(options.lndconnect_file).expanduser()
        return _from_lndconnect(options, read_lndconnect_file(path), path)
    if options.grpc_host is not None and options.grpc_host.startswith(f"{LNDCONNECT_SCHEME}:"):
        return _from_lndconnect(options, options.grpc_host, None)
    macaroon = _path(options.macaroon_path)
    cert = _path(options.cert_path)
    lnd_dir = _path(options.lnd_dir)
    network = options.network
    if lnd_dir is None and (macaroon is None or cert is None):
        lnd_dir = _default_directory(options)
    if lnd_dir is not None:
        if not lnd_dir.is_dir():
            raise ConfigurationError(f"{lnd_dir}: no such directory; --lnd-dir is where LND keeps {CERTIFICATE}")
        if macaroon is None:
            network = network or _network_with_macaroons(lnd_dir)
            macaroon = _macaroon_in(_network_directory(lnd_dir, network))
        cert = cert or lnd_dir / CERTIFICATE
    if network is None and macaroon is not None and macaroon.parent.name in NETWORKS:
        network = macaroon.parent.name  # LND keeps them per network
    return LndConnection(
        target=host_and_port(options.grpc_host or DEFAULT_HOST),
        cert_path=cert,
        macaroon_path=macaroon,
        lnd_dir=lnd_dir,
        network=network,
        tls_name=options.tls_name,
        allow_spending_credential=options.allow_spending_credential,
    )


def default_directories() -> list[Path]:
    """Return where LND usually keeps its data: its own default, then what node packages use."""
    home = Path.home()
    own = [home / "Library" / "Application Support" / "Lnd"] if sys.platform == "darwin" else []
    return [
        *own,
        home / ".lnd",
        home / "umbrel" / "app-data" / "lightning" / "data" / "lnd",  # Umbrel
        Path("/data/lnd"),  # RaspiBolt
        Path("/mnt/hdd/app-data/lnd"),  # RaspiBlitz
        Path("/mnt/hdd/lnd"),  # RaspiBlitz, earlier
        Path("/mnt/hdd/mynode/lnd"),  # myNode
    ]


def _from_lndconnect(options: LndOptions, uri: str, file: Path | None) -> LndConnection:
    return LndConnection(
        target=parse_lndconnect(uri).target,
        lndconnect=uri if file is None else None,
        lndconnect_file=file,
        network=options.network,
        tls_name=options.tls_name,
        allow_spending_credential=options.allow_spending_credential,
    )


def _path(text: str | Path | None) -> Path | None:
    return None if text is None else Path(text).expanduser()


def _default_directory(options: LndOptions) -> Path:
    candidates = default_directories()
    for directory in candidates:
        if (directory / CERTIFICATE).exists() or (directory / "data" / "chain").exists():
            return directory
    looked = ", ".join(str(directory) for directory in candidates)
    lacking = "--macaroon-path" if options.macaroon_path is None else "--cert-path"
    raise ConfigurationError(
        f"no LND found: none of {looked} holds one. Give --lnd-dir, or --grpc-host with --macaroon-path and "
        f"--cert-path ({lacking} is missing), or an lndconnect URI as --grpc-host"
    )


def _network_directory(lnd_dir: Path, network: str) -> Path:
    return lnd_dir / "data" / "chain" / "bitcoin" / network


def _network_with_macaroons(lnd_dir: Path) -> str:
    try:
        found = [name for name in NETWORKS if any(_network_directory(lnd_dir, name).glob("*.macaroon"))]
    except OSError as exc:
        raise ConfigurationError(f"{exc.filename}: {exc.strerror}; run lnflow as a user who may read it") from exc
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(f"{lnd_dir}: has macaroons of {' and '.join(found)}; choose one with --network")
    raise ConfigurationError(
        f"{lnd_dir}: no macaroon under data/chain/bitcoin (or this user may not look there). If LND was set up "
        "stateless it keeps none: give yours with --macaroon-path"
    )


def _macaroon_in(directory: Path) -> Path:
    for name in _MACAROONS:
        if (directory / name).exists():
            return directory / name
    raise ConfigurationError(
        f"{directory}: none of {', '.join(_MACAROONS)} is there (or this user may not look); "
        "give one with --macaroon-path"
    )
