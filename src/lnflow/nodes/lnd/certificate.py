"""The TLS certificate as the node presents it: for `doctor`, before gRPC hides the reason in its text."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

from lnflow.nodes.lnd.credentials import Credentials, LndConnection, load_credentials

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateReport:
    """What a TLS handshake told: `problem` is None if it succeeded, then `expires_at` is known."""

    expires_at: datetime | None = None
    problem: str | None = None


def probe_certificate(connection: LndConnection) -> CertificateReport:
    """Shake hands with the node and look at its certificate.  Blocks for some seconds at most.

    Raises `ConfigurationError` if the credentials cannot be read.
    """
    credentials = load_credentials(connection)
    host, port = _address(connection.target)
    try:
        context = _context(credentials)
        with contextlib.ExitStack() as stack:
            raw = stack.enter_context(_connect(connection.target, host, port))
            name = connection.tls_name or host
            secure = stack.enter_context(context.wrap_socket(raw, server_hostname=name))
            presented = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as exc:
        return CertificateReport(problem=f"not accepted: {exc.verify_message}")
    except ssl.SSLError as exc:
        return CertificateReport(problem=f"no TLS there: {exc.reason or exc}")
    except OSError as exc:
        return CertificateReport(problem=f"no connection: {exc.strerror or exc}")
    not_after = presented.get("notAfter")
    if not isinstance(not_after, str):
        return CertificateReport(problem="the certificate has no end date")
    return CertificateReport(expires_at=datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), tz=UTC))


def _context(credentials: Credentials) -> ssl.SSLContext:
    pem = credentials.certificate_pem
    context = ssl.create_default_context(cadata=None if pem is None else pem.decode("ascii", "replace"))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python 3.13's default: LND's own certificates lack a field
    context.set_alpn_protocols(["h2"])  # newer grpc-go ends handshakes without it
    return context


def _address(target: str) -> tuple[str, int]:
    if target.startswith("unix:"):
        return "unix", 0
    host, _, port = target.rpartition(":")
    return host.strip("[]"), int(port)


def _connect(target: str, host: str, port: int) -> socket.socket:
    if not target.startswith("unix:"):
        return socket.create_connection((host, port), timeout=_TIMEOUT_S)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    local.settimeout(_TIMEOUT_S)
    local.connect(target.removeprefix("unix:"))
    return local
