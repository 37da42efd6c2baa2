"""What a failed call to LND means for the operator: the one place where gRPC errors become ours.

LND's own gate answers with status UNKNOWN and plain words, so its messages are matched by their beginning;
what goes wrong below it (no server, no TLS, a wrong certificate) is told by gRPC's text.
"""

from __future__ import annotations

import grpc

from lnflow.domain.errors import LnflowError, NodeRefused, NodeUnavailable
from lnflow.nodes.lnd.bake import bake_command
from lnflow.nodes.lnd.credentials import LndConnection


class NodeHasNone(NodeRefused):
    """LND knows no such thing (a channel edge, a node of the graph)."""


_NO_ROOT_KEY = "cannot retrieve macaroon: cannot get macaroon:"

_NOT_READY = (
    ("wallet locked", "its wallet is locked: run `lncli unlock`"),
    ("wallet not created", "it has no wallet yet: run `lncli create`"),
    ("waiting to start", "it waits to become the leader of its cluster"),
    ("the RPC server is in the process of starting up", "it is starting"),
    (f"{_NO_ROOT_KEY} macaroon store is locked", "it is shutting down, or its wallet is locked"),
    ("subscription server shutting down", "it is shutting down"),
    ("htlc event subscription terminated", "it ended the event stream (it is shutting down)"),
    ("unknown fail resolution", "LND before 0.21 ends the event stream on such a payment; it can be opened again"),
)

_BAD_MACAROON = (
    ("verification failed", "it does not accept the macaroon: it belongs to another node, was revoked, or expired"),
    (f"{_NO_ROOT_KEY} root key", "it does not accept the macaroon: it was revoked (lncli deletemacaroonid)"),
    ("cannot determine data format", "no macaroon was sent: give one with --macaroon-path"),
    ("expected 1 macaroon", "no macaroon was sent: give one with --macaroon-path"),
)

_NOT_FOUND = ("edge not found", "unable to find node", "node not found")

_NO_SUCH_NAME = ("DNS resolution failed", "errors resolving", "address lookup failed")

_OTHER_NAME = (
    "the TLS certificate does not name this host: connect by a name it has (localhost, its hostname), add "
    "`tlsextradomain`/`tlsextraip` to lnd.conf, or set tls_name"
)

# Parts of gRPC's connection errors → remedy, most telling first
_TLS = (
    ("certificate has expired", "the TLS certificate of LND has expired: restart LND, which makes a new one, and "
     "give its new tls.cert if you use a copy"),
    ("CERTIFICATE_VERIFY_FAILED", "the TLS certificate is not the one in --cert-path: copy the present tls.cert of "
     "this LND"),
    ("not in peer certificate", _OTHER_NAME),
    ("Hostname Verification Check failed", _OTHER_NAME),
    ("WRONG_VERSION_NUMBER", "what listens there does not speak TLS: is it LND's gRPC port (default 10009)?"),
)  # fmt: skip

_RETRIABLE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


def translate(code: grpc.StatusCode, details: str, *, method: str, connection: LndConnection) -> LnflowError:
    """Return the error to raise for a failed call; it names the node, the reason and the remedy."""
    where = f"LND at {connection.target}"
    call = method.rpartition("/")[2]
    for beginning, reason in _NOT_READY:
        if details.startswith(beginning):
            return NodeUnavailable(f"{where} is not ready: {reason} (it said {details!r})")
    for beginning, reason in _BAD_MACAROON:
        if details.startswith(beginning):
            return NodeRefused(f"{where}: {reason} (it said {details!r})")
    if details.startswith("permission denied") or code in _DENIED:
        command = bake_command(rpc_server=connection.target, network=connection.network, lnd_dir=connection.lnd_dir)
        return NodeRefused(
            f"{where}: the macaroon does not allow {call}; bake one that does:\n  {command}\n"
            "and give it with --macaroon-path"
        )
    if code is grpc.StatusCode.NOT_FOUND or details.startswith(_NOT_FOUND):
        return NodeHasNone(f"{where}: {call}: {details}")
    if code is grpc.StatusCode.UNAVAILABLE:
        return _unreachable(where, details, connection)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return NodeUnavailable(f"{where}: {call} was not answered in time")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return NodeRefused(f"{where} does not know {call}: it is too old, or not an LND (it said {details!r})")
    if code in _RETRIABLE:
        return NodeUnavailable(f"{where}: {call} failed: {details} ({code.name})")
    return NodeRefused(f"{where}: {call} was refused: {details} ({code.name})")


_DENIED = frozenset({grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED})


def unless_replaced(
    error: LnflowError, files: tuple[tuple[int, int] | None, ...], connection: LndConnection
) -> LnflowError:
    """Return the error, but as worth another try if the credentials it is about were replaced meanwhile."""
    if isinstance(error, NodeRefused) and files != connection.file_stamps():
        return NodeUnavailable(f"{error} (its files have just been replaced)")
    return error


def _unreachable(where: str, details: str, connection: LndConnection) -> LnflowError:
    for part, remedy in _TLS:
        if part in details:
            return NodeRefused(f"{where}: {remedy}")
    if "Connection refused" in details or "No such file" in details:
        return NodeUnavailable(f"{where}: nothing listens there; is LND running, and is this its gRPC port?")
    if any(part in details for part in _NO_SUCH_NAME):
        return NodeUnavailable(f"{where}: the name cannot be resolved")
    if "handshak" in details.lower():
        return NodeUnavailable(
            f"{where}: no TLS connection; is this LND's gRPC port (default 10009), and LND healthy? ({details})"
        )
    return NodeUnavailable(f"{where}: {details}")
