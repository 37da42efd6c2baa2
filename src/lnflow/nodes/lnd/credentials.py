"""Certificate and macaroon of a connection: read anew at every connect, and never shown.

What a macaroon may do is read from its own bytes (LND needs `macaroon:read` to tell).  A credential that
can spend is refused unless the operator insists; what cannot be told counts as able to spend.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from lnflow.domain.errors import ConfigurationError
from lnflow.nodes.lnd.bake import bake_command
from lnflow.nodes.lnd.macaroon import read_powers

LNDCONNECT_SCHEME = "lndconnect"
DEFAULT_PORT = 10009


@dataclass(frozen=True, slots=True, kw_only=True)
class LndConnection:
    """Where an LND listens and where its credentials are; no secret is shown by `repr`."""

    target: str
    """`host:port`, or `unix:/path`, as gRPC understands it."""
    cert_path: Path | None = None
    """None: trust the public certificate authorities."""
    macaroon_path: Path | None = None
    lndconnect: str | None = field(default=None, repr=False)
    """An lndconnect URI that carries both credentials, instead of the paths."""
    lndconnect_file: Path | None = None
    """A file that holds such a URI."""
    lnd_dir: Path | None = None
    network: str | None = None
    """The network we expect to find there; None: any."""
    tls_name: str | None = None
    """The name the certificate must have, where it differs from the host of `target`."""
    allow_spending_credential: bool = False

    def file_stamps(self) -> tuple[tuple[int, int] | None, ...]:
        """Return what changes when a file of its credentials is replaced: then connect anew."""
        paths = (self.cert_path, self.macaroon_path, self.lndconnect_file)
        return tuple(_stamp(path) for path in paths if path is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a connect needs.  Never log, print or store it."""

    certificate_pem: bytes | None = field(repr=False)
    macaroon: bytes | None = field(repr=False)

    @property
    def macaroon_metadata(self) -> tuple[tuple[str, str], ...]:
        """The call metadata LND wants: lower-case hex of the whole macaroon."""
        return () if self.macaroon is None else (("macaroon", self.macaroon.hex()),)


@dataclass(frozen=True, slots=True, kw_only=True)
class LndConnectUri:
    """The parts of an lndconnect URI."""

    target: str
    credentials: Credentials


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def load_credentials(connection: LndConnection) -> Credentials:
    """Read the credentials as they are now.

    Raises `ConfigurationError` if a file cannot be used, or if the macaroon can spend and that was not
    allowed; the message then has the command that bakes a fitting one.
    """
    if connection.lndconnect_file is not None:
        credentials = parse_lndconnect(read_lndconnect_file(connection.lndconnect_file)).credentials
    elif connection.lndconnect is not None:
        credentials = parse_lndconnect(connection.lndconnect).credentials
    else:
        cert, macaroon = connection.cert_path, connection.macaroon_path
        credentials = Credentials(
            certificate_pem=None if cert is None else _read_certificate(cert),
            macaroon=None if macaroon is None else _read_macaroon(macaroon),
        )
    if credentials.macaroon is not None and not connection.allow_spending_credential:
        _refuse_spending(credentials.macaroon, connection)
    return credentials


def parse_lndconnect(uri: str) -> LndConnectUri:
    """Return the parts of `lndconnect://host:port?cert=…&macaroon=…`; the certificate may be missing.

    Raises `ConfigurationError`; its message does not repeat the URI, which is a secret.
    """
    try:
        parts = urlsplit(uri.strip())
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise ConfigurationError(f"lndconnect URI: {exc}") from None
    if parts.scheme != LNDCONNECT_SCHEME or not host:
        raise ConfigurationError("lndconnect URI: it must begin with lndconnect://HOST:PORT?macaroon=…")
    query = parse_qs(parts.query)
    if "macaroon" not in query:
        raise ConfigurationError("lndconnect URI: it has no macaroon; make one with `lndconnect --readonly`")
    certificate = query.get("cert")
    return LndConnectUri(
        target=host_and_port(f"[{host}]:{port or DEFAULT_PORT}" if ":" in host else f"{host}:{port or ''}"),
        credentials=Credentials(
            certificate_pem=None if certificate is None else _pem(_base64url(certificate[0], "cert")),
            macaroon=_base64url(query["macaroon"][0], "macaroon"),
        ),
    )


def read_lndconnect_file(path: Path) -> str:
    return _read(path, "lndconnect file").decode("utf-8", "replace").strip()


def host_and_port(host: str) -> str:
    """Return a gRPC target: the default port added, `unix:///path` understood.

    >>> host_and_port("umbrel.local")
    'umbrel.local:10009'
    """
    host = host.strip().removeprefix("https://").rstrip("/")
    if host.startswith("unix:"):
        return "unix:" + host.removeprefix("unix:").replace("//", "", 1)
    name, colon, port = host.rpartition(":")
    if not colon or name.startswith("[") is not name.endswith("]"):  # no port, or the end of a bare [::1]
        return f"{host}:{DEFAULT_PORT}"
    if not port:
        return f"{name}:{DEFAULT_PORT}"
    if not name or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise ConfigurationError(f"gRPC host {host!r}: write HOST:PORT, for example localhost:{DEFAULT_PORT}")
    return host


def _read_certificate(path: Path) -> bytes:
    pem = _read(path, "TLS certificate (--cert-path)")
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise ConfigurationError(f"{path}: not a PEM certificate; give LND's tls.cert (--cert-path)")
    return pem


def _read_macaroon(path: Path) -> bytes:
    content = _read(path, "macaroon (--macaroon-path)")
    if not content:
        raise ConfigurationError(f"{path}: the macaroon file is empty")
    try:
        return bytes.fromhex(content.decode("ascii").strip())  # as `lncli bakemacaroon` prints it
    except ValueError:
        return content


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; it should be the {what}") from None
    except OSError as exc:
        raise ConfigurationError(
            f"{path}: cannot read the {what}: {exc.strerror}; run lnflow as a user who may, or give it a copy"
        ) from exc


def _base64url(text: str, what: str) -> bytes:
    text = text.replace(" ", "+").replace("+", "-").replace("/", "_").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"lndconnect URI: {what} is not base64url; was it cut short?") from None


def _pem(der: bytes) -> bytes:
    if der.startswith(b"-----BEGIN"):
        return der
    return ssl.DER_cert_to_PEM_cert(der).encode()


def _refuse_spending(macaroon: bytes, connection: LndConnection) -> None:
    powers = read_powers(macaroon)
    if not powers.can_spend:
        return
    where = connection.macaroon_path or connection.lndconnect_file or "the lndconnect URI"
    reason = (
        f"this macaroon can spend or act for the node ({powers.spending_text})"
        if powers.known
        else "what this macaroon may do cannot be told from it, so it counts as able to spend"
    )
    command = bake_command(
        rpc_server=connection.target,
        network=connection.network,
        lnd_dir=connection.lnd_dir,
        save_to=None if connection.macaroon_path is None else connection.macaroon_path.parent,
    )
    raise ConfigurationError(
        f"{where}: {reason}. lnflow only reads, so it wants a credential that can do no more. Bake one:\n"
        f"  {command}\n"
        "and give it with --macaroon-path (monitor.macaroon beside LND's own is found by itself); "
        "--allow-spending-credential overrides this."
    )
