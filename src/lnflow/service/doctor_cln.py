"""What is wrong between an operator, a Core Lightning node and a store: the checks in the order of a connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from lnflow.advice.documents import Check, DoctorDocument
from lnflow.domain.channel import NodeInfo
from lnflow.domain.errors import ConfigurationError, InputError, LnflowError, NodeRefused, NodeUnavailable
from lnflow.domain.time import DAY_NS, Clock
from lnflow.ingest.cln_collector import CREATED, DOWN_TO, UPDATED
from lnflow.nodes.cln.controllers import find_controllers
from lnflow.nodes.cln.errors import NodeTooOld
from lnflow.nodes.cln.facts import NodeFacts
from lnflow.nodes.cln.forwards import ForwardReader
from lnflow.nodes.cln.ledger import LedgerCheck, autoclean, fees_collected_msat
from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.runes import SPENDING_METHODS, parse_rune, read_command
from lnflow.service.doctor import (
    check_store,
    check_sync,
    doctor_document,
    fail,
    failed,
    ok,
    stored_name,
    warn,
)
from lnflow.store.reading import StoreReader

PEER_PRICES_SINCE, MOVES_SINCE = (24, 2, 0), (25, 9, 0)
LONGEST_UNREAD_S = 60.0
COLLECT = "run 'lnflow monitor' beside the node, or lnflow-plugin in it"


async def examine_cln(
    lend: Callable[[], AbstractAsyncContextManager[ClnRpc]],
    rune: Callable[[], str] | None,
    database: Path,
    node_name: str | None,
    clock: Clock,
) -> DoctorDocument:
    """Return all checks; never raises for what it is there to find.  `rune` is given for clnrest."""
    info, checks = None, []
    try:
        if rune is not None:
            checks.append(_check_rune(rune()))
        async with lend() as rpc:
            more, info = await _check_node(rpc)
            checks += more
            if info is not None:
                checks += await _check_ledger(rpc, database, node_name, info, clock)
    except ConfigurationError as exc:
        checks.append(failed("connection", exc, "mend what is said above; docs/how-to/core-lightning.md has all ways"))
    return doctor_document([*checks, *check_store(database, node_name, info, clock.now_ns(), COLLECT)])


async def _check_node(rpc: ClnRpc) -> tuple[list[Check], NodeInfo | None]:
    try:
        info = await NodeFacts(rpc).node_info()
    except NodeTooOld as exc:
        return [ok("connection", "Core Lightning answers"), failed("version", exc, "upgrade the node")], None
    except NodeUnavailable as exc:
        remedy = "see that lightningd runs, that this is its directory, and that this user may use its socket"
        return [failed("connection", exc, remedy)], None
    except NodeRefused as exc:
        return [failed("connection", exc, f"make a rune that can read: {read_command()}")], None
    name = f"Core Lightning answers: {info.alias or info.pubkey}"
    checks = [ok("connection", name), _check_version(info), ok("network", info.network), check_sync(info)]
    try:
        checks += [await _check_autoclean(rpc), await _check_fee_programs(rpc)]
    except (NodeUnavailable, NodeRefused) as exc:
        checks.append(failed("methods", exc, f"over clnrest, make a rune that can read: {read_command()}"))
    return checks, info


def _check_rune(text: str) -> Check:
    try:
        rune = parse_rune(text)
    except InputError as exc:
        return fail("rune", f"the rune file does not hold a rune: {exc}", f"make one: {read_command()}")
    missing = sorted(method for method in READ_METHODS if not rune.may_call(method))
    if missing:
        return fail("rune", f"it does not allow {', '.join(missing)}", f"make one that does: {read_command()}")
    more = [method for method in SPENDING_METHODS if rune.may_call(method)]
    if more:
        found = f"it allows more than reading, such as {', '.join(more[:4])}: whoever steals it has your node"
        return warn("rune", found, f"make one that can only read: {read_command()}")
    return ok("rune", "it allows what lnflow reads, and nothing that spends")


def _check_version(info: NodeInfo) -> Check:
    found = f"Core Lightning {info.version}"
    if (0, 0, 0) < info.version_tuple < PEER_PRICES_SINCE:
        return warn("version", f"{found}: it does not tell what peers charge", "update the node to v24.02 or later")
    if (0, 0, 0) < info.version_tuple < MOVES_SINCE:
        return warn("version", f"{found}: what rebalances cost stays unknown", "update the node to v25.09 or later")
    return ok("version", found)


async def _check_autoclean(rpc: ClnRpc) -> Check:
    cleaned = await autoclean(rpc)
    if cleaned is None:
        return warn("autoclean", "the node does not say whether it deletes forwards", "allow autoclean-status")
    if (warning := cleaned.warning(LONGEST_UNREAD_S)) is not None:
        found, _, remedy = warning.rpartition("; ")
        return warn("autoclean", found, remedy)
    ages = [age for age in (cleaned.failed_age_s, cleaned.settled_age_s) if age is not None]
    if not ages:
        return ok("autoclean", "the node keeps its forwards")
    return ok("autoclean", f"forwards are deleted after {min(ages):,} s: keep lnflow collecting")


async def _check_fee_programs(rpc: ClnRpc) -> Check:
    others = (await find_controllers(rpc)).names
    if others:
        return ok("prices", f"{' and '.join(others)} set prices here too; lnflow leaves them alone unless asked")
    return ok("prices", "no other program that lnflow knows sets prices here")


async def _check_ledger(
    rpc: ClnRpc, database: Path, node_name: str | None, info: NodeInfo, clock: Clock
) -> list[Check]:
    """Hold the store's sum of fees against the node's, as far as the store has read the node."""
    if not database.exists():
        return []
    try:
        with StoreReader(database, node_name or stored_name(database, info.pubkey)) as store:
            if store.node.pubkey != info.pubkey:
                return []  # said by the store's own check
            created, updated = store.cursor(CREATED), store.cursor(UPDATED)
            down_to = store.cursor(DOWN_TO)
            if created is None or updated is None or down_to is None:
                return []
            before = await fees_collected_msat(rpc)
            newest = await ForwardReader(rpc, clock).newest()
            ours = sum(flow.earned_msat for flow in store.flows(0, clock.now_ns() + DAY_NS))
            after = await fees_collected_msat(rpc)
    except (NodeUnavailable, NodeRefused) as exc:
        return [failed("ledger", exc, "see the checks above")]
    except LnflowError:
        return []  # said by the store's own check
    behind = max(0, newest.created - created) + max(0, newest.updated - updated)
    if behind:
        return [warn("ledger", f"{behind:,} changes at the node are not read yet", COLLECT)]
    check = LedgerCheck(ours_msat=ours, node_before_msat=before, node_after_msat=after, complete=down_to <= 1)
    if not check.holds:
        found = f"the store holds {ours:,} msat of fees, the node says it earned {before:,}"
        remedy = "rows were deleted before they were read, or the store is of another time: lnflow import can add some"
        return [fail("ledger", found, remedy)]
    if not check.complete:
        return [warn("ledger", f"history is still being read, down to row {down_to:,}", COLLECT)]
    return [ok("ledger", f"the store's fees are the node's: {ours:,} msat")]
