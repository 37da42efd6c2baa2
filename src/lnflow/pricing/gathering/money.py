"""What channels cost: on-chain fees, funding transactions, rebalances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lnflow.domain.channel import ChannelState
from lnflow.domain.errors import LnflowError
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.port import FeeFacts, RebalanceCost
from lnflow.pricing.facts import ChannelCost, Flow, Unknown
from lnflow.pricing.matching.criteria import Needs

CLOSING_VBYTES = 200  # a cooperative close with two outputs is about 170
CLOSING_TARGET = 144


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What was asked for once, and what follows from it for one channel."""

    needed: bool
    """Whether any strategy asks what channels cost."""
    now_ns: int
    feerates: Mapping[int, float | Unknown]
    funding: Mapping[str, int] | Unknown
    rebalances: Sequence[RebalanceCost] | Unknown
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
        return flow.earned_msat - _rebalance_msat(state, self.rebalances, since_ns)

    def cost(self, state: ChannelState) -> ChannelCost | Unknown:
        """Return what having the channel cost so far, and what closing it will."""
        if not self.needed:
            return Unknown("costs were not asked for")
        if isinstance(self.rebalances, Unknown):
            return self.rebalances
        rebalance_msat = _rebalance_msat(state, self.rebalances, 0)
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


async def load_money(further: FeeFacts | None, needs: Needs, states: Sequence[ChannelState], now_ns: int) -> Money:
    """Return the money side of the facts; what was not asked for, or cannot be had, is `Unknown`."""
    in_transaction: dict[str, int] = {}
    for state in states:
        if state.initiator:
            in_transaction[_txid(state)] = in_transaction.get(_txid(state), 0) + 1
    return Money(
        needed="cost" in needs.facts,
        now_ns=now_ns,
        feerates=await _feerates(further, needs),
        funding=await _funding(further, needs),
        rebalances=await _rebalances(further, needs, now_ns),
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


async def _funding(further: FeeFacts | None, needs: Needs) -> Mapping[str, int] | Unknown:
    if not needs.facts & {"funding_fee", "cost"}:
        return Unknown("funding transactions were not asked for")
    if further is None:
        return Unknown("this node's transactions cannot be read")
    try:
        return await further.list_transaction_fees()
    except LnflowError as exc:
        return Unknown(f"transactions cannot be read: {exc}")


async def _rebalances(further: FeeFacts | None, needs: Needs, now_ns: int) -> Sequence[RebalanceCost] | Unknown:
    if "cost" not in needs.facts and not needs.profit_windows:
        return Unknown("rebalances were not asked for")
    if further is None:
        return Unknown("this node's payments cannot be read")
    since_ns = 0 if "cost" in needs.facts else max(0, now_ns - max(needs.profit_windows) * SECOND_NS)
    try:
        return await further.list_rebalance_costs(since_ns)
    except LnflowError as exc:
        return Unknown(f"payments cannot be read: {exc}")


def _rebalance_msat(state: ChannelState, costs: Sequence[RebalanceCost], since_ns: int) -> int:
    ids = {state.scid, *state.other_scids}
    return sum(cost.fee_msat for cost in costs if cost.in_scid in ids and cost.at_ns >= since_ns)


def _txid(state: ChannelState) -> str:
    return state.channel_point.partition(":")[0]
