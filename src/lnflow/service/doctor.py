"""What is wrong between an operator, a node and a store, and how to mend it: checks in the order of a connection.

A check that fails ends its chain: what builds on it is not asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from lnflow.advice.documents import Check, CheckStatus, DoctorDocument
from lnflow.domain.channel import NodeInfo
from lnflow.domain.errors import ConfigurationError, LnflowError, NodeRefused, NodeUnavailable
from lnflow.domain.time import DAY_NS, SECOND_NS, Clock, iso_utc
from lnflow.nodes.lnd.certificate import probe_certificate
from lnflow.nodes.lnd.credentials import Credentials, LndConnection, load_credentials
from lnflow.nodes.lnd.macaroon import read_powers
from lnflow.nodes.lnd.reader import MIN_VERSION, LndReader
from lnflow.nodes.lnd.state import READY, state_problem
from lnflow.store.reading import StoreReader

FULL_VERSION = (0, 19, 2)
"""From here on ForwardingHistory has HTLC ids: backfill joins exactly."""
BEST_VERSION = (0, 21, 0)
"""From here on no payer can end the event stream."""
CERTIFICATE_WARNING_NS = 30 * DAY_NS
LOW_COVERAGE = 0.9


async def examine(
    connect: Callable[[], LndConnection], database: Path, node_name: str | None, clock: Clock
) -> DoctorDocument:
    """Return all checks; never raises for what it is there to find."""
    node_checks, info = await _check_node(connect, clock)
    return doctor_document([*node_checks, *check_store(database, node_name, info, clock.now_ns())])


def doctor_document(checks: list[Check]) -> DoctorDocument:
    return DoctorDocument(ok=all(c.status != "fail" for c in checks), checks=checks)


async def _check_node(connect: Callable[[], LndConnection], clock: Clock) -> tuple[list[Check], NodeInfo | None]:
    try:
        connection = connect()
        credentials = load_credentials(connection)
    except ConfigurationError as exc:
        return [failed("credentials", exc, "mend what is said above; docs/how-to/connect-lnd.md has all options")], None
    checks = [ok("credentials", f"{connection.macaroon_path or 'lndconnect'}: can read and cannot spend")]
    if connection.allow_spending_credential:
        checks = [warn("credentials", "a credential that can spend is allowed", "bake one that can only read")]
    reader = LndReader(connection, clock=clock, start_patience_s=0, attempts=1)
    try:
        more, info = await _check_reachable(reader, connection, credentials, clock)
        return [*checks, *more], info
    finally:
        await reader.close()


async def _check_reachable(
    reader: LndReader, connection: LndConnection, credentials: Credentials, clock: Clock
) -> tuple[list[Check], NodeInfo | None]:
    try:
        state = await reader.get_state()
    except (NodeUnavailable, NodeRefused) as exc:
        remedy = "see that LND runs, and that --grpc-host and --cert-path are those of this LND"
        return [failed("connection", exc, remedy)], None
    checks = [ok("connection", f"LND answers at {connection.target}")]
    expiry = await _check_certificate(connection, clock.now_ns())
    if expiry is not None:
        checks.append(expiry)
    if state != READY:
        found = f"LND at {connection.target} {state_problem(state)}"
        return [*checks, fail("wallet", found, "unlock the wallet (lncli unlock), or wait until LND is up")], None
    checks.append(ok("wallet", "unlocked, and the server is active"))
    try:
        info = await reader.node_info()
    except (NodeUnavailable, NodeRefused) as exc:
        remedy = "give a macaroon of this node with --macaroon-path"
        return [*checks, failed("macaroon", exc, remedy)], None
    checks += [
        _check_permissions(credentials),
        _check_version(info),
        _check_network(info, connection),
        check_sync(info),
    ]
    return checks, info


def _check_permissions(credentials: Credentials) -> Check:
    missing = read_powers(credentials.macaroon).missing() if credentials.macaroon is not None else []
    if not missing:
        return ok("macaroon", "accepted; it allows every call lnflow reads with")
    calls = ", ".join(method.rpartition("/")[2] for method in missing)
    return warn(
        "macaroon",
        f"accepted, but it does not allow {calls}",
        "bake one that does: 'lnflow doctor' with a macaroon that can spend prints the command",
    )


def _check_version(info: NodeInfo) -> Check:
    if info.version_tuple < MIN_VERSION:
        least = ".".join(map(str, MIN_VERSION))
        return fail("version", f"LND {info.version}: lnflow needs {least} or later", "update LND")
    if info.version_tuple < FULL_VERSION:
        return warn(
            "version",
            f"LND {info.version}: its history has no HTLC ids, so backfilled forwards are joined by amount and time",
            "update LND to 0.19.2 or later",
        )
    if info.version_tuple < BEST_VERSION:
        return warn(
            "version",
            f"LND {info.version}: some payments end its event stream; lnflow reconnects at once and records the gap",
            "update LND to 0.21 or later",
        )
    return ok("version", f"LND {info.version}")


def _check_network(info: NodeInfo, connection: LndConnection) -> Check:
    if connection.network is not None and connection.network != info.network:
        return fail(
            "network",
            f"the node is on {info.network}, not on {connection.network}",
            "give its --network, or another --grpc-host",
        )
    return ok("network", info.network)


def check_sync(info: NodeInfo) -> Check:
    if not info.synced_to_chain:
        return warn("sync", f"not synced to the chain (block {info.block_height:,})", "wait until it has caught up")
    return ok("sync", f"synced to the chain at block {info.block_height:,}")


async def _check_certificate(connection: LndConnection, now_ns: int) -> Check | None:
    """Return when the certificate expires; None where a handshake of our own does not tell (gRPC's has)."""
    report = await asyncio.to_thread(probe_certificate, connection)
    if report.expires_at is None:
        return None
    expires_ns = int(report.expires_at.timestamp()) * SECOND_NS
    if expires_ns - now_ns < CERTIFICATE_WARNING_NS:
        return warn(
            "certificate",
            f"expires {iso_utc(expires_ns)}",
            "LND makes a new one at a restart when the old has expired, or with 'tlsautorefresh'",
        )
    return ok("certificate", f"valid until {iso_utc(expires_ns)}")


def check_store(
    database: Path,
    node_name: str | None,
    info: NodeInfo | None,
    now_ns: int,
    remedy: str = "run 'lnflow monitor' beside the node",
) -> list[Check]:
    """Return the checks of the store: does it open, is it this node's, how much of the last day is covered."""
    if not database.exists():
        return [warn("store", f"{database} does not exist yet", f"{remedy}; it makes the store")]
    try:
        if node_name is None and info is not None:
            node_name = stored_name(database, info.pubkey)
        with StoreReader(database, node_name) as store:
            size = store.size_report()
            checks = [ok("store", f"{database}: {_size_text(size)}")]
            bound = store.node.pubkey
            if info is not None and bound is not None and bound != info.pubkey:
                checks.append(
                    fail(
                        "node",
                        f"{store.node.name!r} in the store is {bound}, the node at hand is {info.pubkey}",
                        "give the other node a name of its own with --node, or another --database",
                    )
                )
            covered_ns = store.coverage(now_ns - DAY_NS, now_ns)
            checks.append(_check_coverage(covered_ns.covered_ns / DAY_NS, covered_ns.last_ns, remedy))
            return checks
    except ConfigurationError as exc:
        return [failed("store", exc, "choose a node of the store with --node")]
    except LnflowError as exc:
        return [failed("store", exc, "see the message; 'lnflow restore' puts a backup in place")]


def stored_name(database: Path, pubkey: str) -> str | None:
    """Return what the store calls the node at hand; None if it does not have it."""
    with StoreReader(database) as store:
        return next((node.name for node in store.nodes() if node.pubkey == pubkey), None)


def _size_text(size: dict[str, int]) -> str:
    rows = (
        f"{size[table]:,} {name}"
        for table, name in (("attempt", "attempts"), ("demand", "demands"), ("channel_snapshot", "balances"))
    )
    return f"{', '.join(rows)}; {size['file_bytes'] / 1e6:,.1f} MB, {size['free_bytes'] / 1e6:,.1f} MB of it free"


def _check_coverage(share: float, last_ns: int | None, remedy: str) -> Check:
    if last_ns is None:
        return warn("coverage", "nobody has listened to the node yet: refusals cannot be known", remedy)
    if share < LOW_COVERAGE:
        found = f"{share:.1%} of the last 24 hours is covered, last at {iso_utc(last_ns)}"
        return warn("coverage", found, f"{remedy}, and keep it running")
    return ok("coverage", f"{share:.1%} of the last 24 hours is covered")


def failed(name: str, error: LnflowError, remedy: str) -> Check:
    """Return a failed check from an error; what follows its first line (a command) is the remedy."""
    found, _, rest = str(error).partition("\n")
    return fail(name, found, rest.strip() or remedy)


def ok(name: str, found: str) -> Check:
    return _check(name, "ok", found, None)


def warn(name: str, found: str, remedy: str) -> Check:
    return _check(name, "warn", found, remedy)


def fail(name: str, found: str, remedy: str) -> Check:
    return _check(name, "fail", found, remedy)


def _check(name: str, status: CheckStatus, found: str, remedy: str | None) -> Check:
    return Check(name=name, status=status, found=found, remedy=remedy)
