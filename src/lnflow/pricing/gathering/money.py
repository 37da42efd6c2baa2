"""What channels cost: on-chain fees, funding transactions, rebalances.

Rebalances and transactions come from the store while a collector keeps it fresh, else from the node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lnflow.domain.channel import ChannelState, NodeInfo
from lnflow.domain.errors import LnflowError
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.port import FeeFacts, NodeReader
from lnflow.pricing.facts import ChannelCost, Flow, Unknown
from lnflow.pricing.gathering.flows import is_fresh
from lnflow.pricing.gathering.sources import Sources
from lnflow.pricing.matching.criteria import Needs
from lnflow.store.reading import StoreReader

CLOSING_VBYTES = 200  # a cooperative close with two outputs is about 170
CLOSING_TARGET = 144

Rebalances = Callable[[ChannelState, int], int]
"""Return what came back to a channel since a time cost, in msat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What was asked for once, and what follows from it for one channel."""

    needed: bool
    """Whether any strategy asks what channels cost."""
    now_ns: int
    feerates: Mapping[int, float | Unknown]
    funding: Mapping[str, int] | Unknown
    rebalances: Rebalances | Unknown
    ours_in_transaction: Mapping[str, int]
    """How many channels of ours one funding transaction opened (batches), by its id."""

    def funding_fee_sat(self, state: ChannelState) -> int | Unknown | None:
        return self.funding if isinstance(self.funding, Unknown) else self.funding.get(_txid(state))

    def profit_msat(self, state: ChannelState, window_s: int, flow: Flow | Unknown) -> int | Unknown:
        """Return what the channel earned in the window, less what came back to it by rebalances cost."""
        if isinstance(flow, Unknown):
            return flow
        if isinstance(self.rebalances, Unknown):
            return self.rebalances
        since_ns = self.now_ns - window_s * SECOND_NS
        return flow.earned_msat - self.rebalances(state, since_ns)

    def cost(self, state: ChannelState) -> ChannelCost | Unknown:
        """Return what having the channel cost so far, and what closing it will."""
        if not self.needed:
            return Unknown("costs were not asked for")
        if isinstance(self.rebalances, Unknown):
            return self.rebalances
        rebalance_msat = self.rebalances(state, 0)
        if not state.initiator:  # the other side paid for opening, and will pay for closing
            return ChannelCost(opening_msat=0, rebalance_msat=rebalance_msat, closing_msat=0)
        opening_sat, rate = self.funding_fee_sat(state), self.feerates[CLOSING_TARGET]
        if isinstance(opening_sat, Unknown):
            return opening_sat
        if opening_sat is None:
            return Unknown("the funding transaction is not in the node's wallet")
        if isinstance(rate, Unknown):
            return rate
        return ChannelCost(
            opening_msat=opening_sat * 1000 // max(1, self.ours_in_transaction.get(_txid(state), 1)),
            rebalance_msat=rebalance_msat,
            closing_msat=round(rate * CLOSING_VBYTES * 1000),
        )


async def load_money(
    sources: Sources, needs: Needs, info: NodeInfo, states: Sequence[ChannelState], now_ns: int
) -> Money:
    """Return the money side of the facts; what was not asked for, or cannot be had, is `Unknown`."""
    store = sources.store if sources.store is not None and is_fresh(sources.store, info, now_ns) else None
    in_transaction: dict[str, int] = {}
    for state in states:
        if state.initiator:
            in_transaction[_txid(state)] = in_transaction.get(_txid(state), 0) + 1
    return Money(
        needed="cost" in needs.facts,
        now_ns=now_ns,
        feerates=await _feerates(sources.further, needs),
        funding=await _funding(sources.reader, store, needs),
        rebalances=await _rebalances(sources.reader, store, needs, now_ns),
        ours_in_transaction=in_transaction,
    )


async def _feerates(further: FeeFacts | None, needs: Needs) -> dict[int, float | Unknown]:
    targets = set(needs.conf_targets) | ({CLOSING_TARGET} if "cost" in needs.facts else set())
    found: dict[int, float | Unknown] = {}
    for target in sorted(targets):
        if further is None:
            found[target] = Unknown("this node's on-chain fee estimates cannot be read")
            continue
        try:
            found[target] = await further.feerate_sat_per_vb(target)
        except LnflowError as exc:
            found[target] = Unknown(f"no on-chain fee estimate: {exc}")
    return found


async def _funding(reader: NodeReader, store: StoreReader | None, needs: Needs) -> Mapping[str, int] | Unknown:
    if not needs.facts & {"funding_fee", "cost"}:
        return Unknown("funding transactions were not asked for")
    stored = None if store is None else store.costs.transactions()
    try:
        found = await reader.list_transactions(0) if stored is None else stored
    except LnflowError as exc:
        return Unknown(f"transactions cannot be read: {exc}")
    return {transaction.txid: transaction.fee_sat for transaction in found}


async def _rebalances(reader: NodeReader, store: StoreReader | None, needs: Needs, now_ns: int) -> Rebalances | Unknown:
    if "cost" not in needs.facts and not needs.profit_windows:
        return Unknown("rebalances were not asked for")
    if store is not None and store.costs.circular(now_ns, now_ns) is not None:
        return _stored_rebalances(store, needs, now_ns)
    try:
        parts = [part async for page in reader.payments_after(0) for part in page.circular]
    except LnflowError as exc:
        return Unknown(f"payments cannot be read: {exc}")

    def paid(state: ChannelState, since_ns: int) -> int:
        ids = {state.scid, *state.other_scids}
        return sum(part.fee_msat for part in parts if part.in_scid in ids and part.at_ns >= since_ns)

    return paid


def _stored_rebalances(store: StoreReader, needs: Needs, now_ns: int) -> Rebalances:
    numbers = {c.channel_point: c.channel_id for c in store.channels(now_ns)}
    starts = {0, *(now_ns - window * SECOND_NS for window in needs.profit_windows)}
    sums: dict[tuple[int, int | None], int] = {}
    for since_ns in starts:
        for row in store.costs.circular(since_ns, now_ns + 1) or ():
            sums[since_ns, row.chan] = sums.get((since_ns, row.chan), 0) + row.fee_msat

    def paid(state: ChannelState, since_ns: int) -> int:
        number = numbers.get(state.channel_point)
        return 0 if number is None else sums.get((since_ns, number), 0)

    return paid


def _txid(state: ChannelState) -> str:
    return state.channel_point.partition(":")[0]
