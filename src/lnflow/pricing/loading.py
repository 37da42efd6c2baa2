"""Gathering the facts a policy file asks for: from the node, and from the store where that is up to date.

Reads do not grow with the number of channels: one listing, one look at all announced policies, and one call for
each kind of further fact, only if a rule or a strategy needs it.  What cannot be had becomes `Unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, ChannelState, NodeInfo, Policy
from lnflow.domain.errors import LnflowError
from lnflow.domain.time import DAY_NS, MINUTE_NS, SECOND_NS
from lnflow.nodes.port import FeeFacts, NodeReader, RebalanceCost
from lnflow.pricing.facts import (
    Balance,
    ChannelCost,
    ChannelFacts,
    Flow,
    NodeFacts,
    PeerFacts,
    PriceLevel,
    Unknown,
    age_in_blocks,
    balances_msat,
)
from lnflow.pricing.graph import GraphPlace, places
from lnflow.pricing.matching.charge_lnd import BLOCK_S
from lnflow.pricing.matching.criteria import Needs
from lnflow.store.intervals import within
from lnflow.store.price_history import PriceHistory
from lnflow.store.reading import StoreReader

FRESH_NS = 20 * MINUTE_NS  # a collector reads the history every 10 min; older than two of those is not "now"
RECENT_S = 30 * 86_400
PRICE_DAYS = 90
HISTORY_PAGE = 10_000
CLOSING_VBYTES = 200  # a cooperative close with two outputs is about 170
CLOSING_TARGET = 144
INBOUND_SINCE, STRICT_DELTA_SINCE = (0, 18, 0), (0, 21, 0)

Missed = Callable[[int], Mapping[str, int] | Unknown]
"""Return the expected missed msat of a window (in seconds) by channel point, or why that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where facts come from; without a store or further facts, what only they know is `Unknown`."""

    reader: NodeReader
    further: FeeFacts | None = None
    store: StoreReader | None = None
    missed: Missed | None = None


class LoadedFacts(Struct, frozen=True, kw_only=True):
    """All open channels and the node, at one moment."""

    channels: list[ChannelFacts]
    node: NodeFacts
    info: NodeInfo


class _Sums:
    """Sums of forwards by short channel id and window."""

    def __init__(self, windows: Sequence[int], now_ns: int) -> None:
        self._windows = sorted(windows)
        self._now_ns = now_ns
        self._sums: dict[tuple[int, int], list[int]] = {}

    def add(self, in_scid: int, out_scid: int, at_ns: int, in_msat: int, out_msat: int) -> None:
        age_s = (self._now_ns - at_ns) / SECOND_NS
        for window in self._windows:
            if age_s <= window:
                into = self._sums.setdefault((in_scid, window), [0] * 5)
                into[0] += 1
                into[2] += in_msat
                out = self._sums.setdefault((out_scid, window), [0] * 5)
                out[1] += 1
                out[3] += out_msat
                out[4] += in_msat - out_msat

    def flow(self, scids: Sequence[int], window: int, days: float) -> Flow:
        total = [0] * 5
        for scid in scids:
            for place, value in enumerate(self._sums.get((scid, window), (0,) * 5)):
                total[place] += value
        return Flow(
            htlcs_in=total[0],
            htlcs_out=total[1],
            in_msat=total[2],
            out_msat=total[3],
            earned_msat=total[4],
            days=days,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """What was asked for once for all channels."""

    info: NodeInfo
    now_ns: int
    policies: Mapping[str, ChannelPolicies]
    peers: Mapping[str, PeerFacts]
    flows: Callable[[ChannelState, int, float], Flow | Unknown]
    needs: Needs
    missed: Mapping[int, Mapping[str, int] | Unknown]
    funding: Mapping[str, int] | Unknown
    rebalances: Sequence[RebalanceCost] | Unknown
    levels: Mapping[str, tuple[tuple[PriceLevel, ...], float]] | Unknown
    closing_sat: float | Unknown
    ours_in_transaction: Mapping[str, int]


async def load_facts(sources: Sources, needs: Needs, now_ns: int, *, positive_inbound: bool = False) -> LoadedFacts:
    """Return the facts that `needs` names.  Raise what the node raises for its basic listings."""
    reader = sources.reader
    info = await reader.node_info()
    states = await reader.list_channels()
    policies = {p.channel_point or "": p for p in await reader.list_policies(states)}
    flows = await _flows(sources, needs, info, now_ns)
    feerates = await _feerates(sources.further, needs)
    gathered = _Gathered(
        info=info,
        now_ns=now_ns,
        policies=policies,
        peers=await _peers(sources, needs, info, states, flows),
        flows=flows,
        needs=needs,
        missed={window: _missed(sources, window) for window in needs.missed_windows},
        funding=await _funding(sources.further, needs),
        rebalances=await _rebalances(sources.further, needs, now_ns),
        levels=_levels(sources.store, needs, now_ns),
        closing_sat=_closing_sat(feerates),
        ours_in_transaction=_count([s.channel_point.partition(":")[0] for s in states if s.initiator]),
    )
    cheapest = _cheapest_by_peer(states, policies)
    node = NodeFacts(
        now_ns=now_ns,
        block_height=info.block_height,
        synced_to_chain=info.synced_to_chain,
        feerates_sat_per_vb=feerates,
        inbound_fees=info.version_tuple >= INBOUND_SINCE,
        positive_inbound_fees=positive_inbound,
        min_time_lock_delta=24 if info.version_tuple >= STRICT_DELTA_SINCE else 18,
    )
    return LoadedFacts(channels=[_channel(s, gathered, cheapest) for s in states], node=node, info=info)


def _channel(state: ChannelState, known: _Gathered, cheapest: Mapping[str, int]) -> ChannelFacts:
    local, remote = balances_msat(state)
    policies = known.policies.get(state.channel_point)
    age_blocks = age_in_blocks((state.scid, *state.other_scids), known.info.block_height)
    age_s = age_blocks if isinstance(age_blocks, Unknown) else age_blocks * float(BLOCK_S)
    others = [ppm for peer, ppm in cheapest.items() if peer != state.peer_pubkey]
    levels = known.levels if isinstance(known.levels, Unknown) else known.levels.get(state.channel_point, ((), 0.0))
    return ChannelFacts(
        channel_point=state.channel_point,
        scid=state.scid,
        other_scids=state.other_scids,
        peer=known.peers[state.peer_pubkey],
        capacity_sat=state.capacity_sat,
        local_msat=local,
        remote_msat=remote,
        ours=_ours(policies),
        theirs=None if policies is None else policies.theirs,
        initiator=state.initiator,
        private=state.private,
        active=state.active,
        remote_reserve_sat=state.remote_reserve_sat,
        min_htlc_msat=state.min_htlc_msat,
        max_pending_msat=state.max_pending_msat,
        pending_htlcs=len(state.pending),
        next_expiry_height=min((p.expiry_height for p in state.pending), default=None),
        age_blocks=age_blocks,
        age_s=age_s,
        funding_fee_sat=_funding_fee(state, known.funding),
        flows={
            w: known.flows(state, w, _days(w, age_s)) for w in known.needs.flow_windows | known.needs.profit_windows
        },
        missed_msat={w: _missed_of(state, found) for w, found in known.missed.items()},
        profit_msat={w: _profit(state, w, known, age_s) for w in known.needs.profit_windows},
        price_levels=levels if isinstance(levels, Unknown) else levels[0],
        days_at_price=levels if isinstance(levels, Unknown) else levels[1],
        cost=_cost(state, known),
        cheapest_other_ppm=min(others, default=None),
    )


def _ours(policies: ChannelPolicies | None) -> Policy | Unknown:
    if policies is None or policies.ours is None:
        return Unknown("the node has not announced the channel yet")
    return policies.ours


def _days(window_s: int, age_s: float | Unknown) -> float:
    """A channel younger than the window has only its own days."""
    seconds = window_s if isinstance(age_s, Unknown) else max(BLOCK_S, min(window_s, age_s))
    return seconds / 86_400


# -- flows ----------------------------------------------------------------------------------------------


async def _flows(
    sources: Sources, needs: Needs, info: NodeInfo, now_ns: int
) -> Callable[[ChannelState, int, float], Flow | Unknown]:
    windows = set(needs.flow_windows | needs.profit_windows)
    if "alternatives" in needs.facts:
        windows.add(RECENT_S)
    if not windows:
        return lambda state, window, days: Flow(days=days)
    if sources.store is not None and _is_fresh(sources.store, info, now_ns):
        return _stored_flows(sources.store, windows, now_ns)
    sums = _Sums(sorted(windows), now_ns)
    since_ns = now_ns - max(windows) * SECOND_NS
    async for page in sources.reader.forwards_since(since_ns, page_size=HISTORY_PAGE):
        for f in page:
            sums.add(f.in_scid, f.out_scid, f.at_ns, f.amount_in_msat, f.amount_out_msat)
    return lambda state, window, days: sums.flow((state.scid, *state.other_scids), window, days)


def _is_fresh(store: StoreReader, info: NodeInfo, now_ns: int) -> bool:
    """Tell whether a collector keeps this node's settled forwards up to date."""
    last_ns = store.coverage(0, now_ns + 1).last_ns
    return store.node.pubkey == info.pubkey and last_ns is not None and now_ns - last_ns < FRESH_NS


def _stored_flows(
    store: StoreReader, windows: set[int], now_ns: int
) -> Callable[[ChannelState, int, float], Flow | Unknown]:
    with store.consistent():
        numbers = {c.channel_point: c.channel_id for c in store.channels(now_ns)}
        rows = {
            window: {row.chan: row for row in store.flows(now_ns - window * SECOND_NS, now_ns + 1)}
            for window in windows
        }

    def flow(state: ChannelState, window: int, days: float) -> Flow | Unknown:
        number = numbers.get(state.channel_point)
        row = None if number is None else rows[window].get(number)
        if row is None:
            return Flow(days=days)
        return Flow(
            htlcs_in=row.in_settled,
            htlcs_out=row.out_settled,
            in_msat=row.in_settled_msat,
            out_msat=row.out_settled_msat,
            earned_msat=row.earned_msat,
            days=days,
        )

    return flow


# -- peers ----------------------------------------------------------------------------------------------


async def _peers(
    sources: Sources,
    needs: Needs,
    info: NodeInfo,
    states: Sequence[ChannelState],
    flows: Callable[[ChannelState, int, float], Flow | Unknown],
) -> dict[str, PeerFacts]:
    by_peer: dict[str, list[ChannelState]] = {}
    for state in states:
        by_peer.setdefault(state.peer_pubkey, []).append(state)
    graph = await _graph(sources.further, needs, info, by_peer, flows)
    aliases = await _aliases(sources, needs, by_peer)
    return {
        pubkey: PeerFacts(
            pubkey=pubkey,
            alias=aliases if isinstance(aliases, Unknown) else aliases.get(pubkey),
            graph_channels=graph if isinstance(graph, Unknown) else graph[pubkey].channels,
            graph_capacity_sat=graph if isinstance(graph, Unknown) else graph[pubkey].capacity_sat,
            alternatives=graph if isinstance(graph, Unknown) else graph[pubkey].alternatives,
            active=_balance([s for s in channels if s.active]),
            inactive=_balance([s for s in channels if not s.active]),
        )
        for pubkey, channels in by_peer.items()
    }


def _balance(states: Sequence[ChannelState]) -> Balance:
    totals = [balances_msat(state) for state in states]
    return Balance(
        channels=len(states),
        local_msat=sum(local for local, _ in totals),
        remote_msat=sum(remote for _, remote in totals),
    )


async def _graph(
    further: FeeFacts | None,
    needs: Needs,
    info: NodeInfo,
    by_peer: Mapping[str, Sequence[ChannelState]],
    flows: Callable[[ChannelState, int, float], Flow | Unknown],
) -> Mapping[str, GraphPlace] | Unknown:
    if not needs.facts & {"graph_node", "alternatives"}:
        return Unknown("the graph was not asked for")
    if further is None:
        return Unknown("this node's graph cannot be read")
    try:
        edges = await further.list_edges()
    except LnflowError as exc:
        return Unknown(f"the graph cannot be read: {exc}")
    recent = list(by_peer)
    if "alternatives" in needs.facts:
        recent = [p for p, channels in by_peer.items() if any(_moves(flows(s, RECENT_S, 30.0)) for s in channels)]
    return places(edges, info.pubkey, list(by_peer), recent)


def _moves(flow: Flow | Unknown) -> bool:
    return not isinstance(flow, Unknown) and flow.in_msat + flow.out_msat > 0


async def _aliases(
    sources: Sources, needs: Needs, by_peer: Mapping[str, Sequence[ChannelState]]
) -> dict[str, str] | Unknown:
    found = {s.peer_pubkey: s.peer_alias for channels in by_peer.values() for s in channels if s.peer_alias}
    if sources.store is not None:
        stored = sources.store.channels(2**62)
        found = {c.peer_pubkey: c.peer_alias for c in stored if c.peer_pubkey and c.peer_alias} | found
    missing = [pubkey for pubkey in by_peer if pubkey not in found]
    if "alias" not in needs.facts or not missing:
        return found
    try:
        return found | await sources.reader.list_aliases(missing)
    except LnflowError as exc:
        return Unknown(f"aliases cannot be read: {exc}")


# -- money ----------------------------------------------------------------------------------------------


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


def _closing_sat(feerates: Mapping[int, float | Unknown]) -> float | Unknown:
    rate = feerates.get(CLOSING_TARGET, Unknown("the on-chain fee was not asked for"))
    return rate if isinstance(rate, Unknown) else rate * CLOSING_VBYTES


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
    since_ns = 0 if "cost" in needs.facts else now_ns - max(needs.profit_windows) * SECOND_NS
    try:
        return await further.list_rebalance_costs(since_ns)
    except LnflowError as exc:
        return Unknown(f"payments cannot be read: {exc}")


def _funding_fee(state: ChannelState, funding: Mapping[str, int] | Unknown) -> int | Unknown | None:
    return funding if isinstance(funding, Unknown) else funding.get(state.channel_point.partition(":")[0])


def _rebalance_msat(state: ChannelState, costs: Sequence[RebalanceCost], since_ns: int) -> int:
    ids = {state.scid, *state.other_scids}
    return sum(cost.fee_msat for cost in costs if cost.in_scid in ids and cost.at_ns >= since_ns)


def _profit(state: ChannelState, window: int, known: _Gathered, age_s: float | Unknown) -> int | Unknown:
    flow = known.flows(state, window, _days(window, age_s))
    if isinstance(flow, Unknown):
        return flow
    if isinstance(known.rebalances, Unknown):
        return known.rebalances
    return flow.earned_msat - _rebalance_msat(state, known.rebalances, known.now_ns - window * SECOND_NS)


def _cost(state: ChannelState, known: _Gathered) -> ChannelCost | Unknown:
    if "cost" not in known.needs.facts:
        return Unknown("costs were not asked for")
    if isinstance(known.rebalances, Unknown):
        return known.rebalances
    rebalance_msat = _rebalance_msat(state, known.rebalances, 0)
    if not state.initiator:  # the other side paid for opening, and will pay for closing
        return ChannelCost(opening_msat=0, rebalance_msat=rebalance_msat, closing_msat=0)
    if isinstance(known.funding, Unknown):
        return known.funding
    if isinstance(known.closing_sat, Unknown):
        return known.closing_sat
    txid = state.channel_point.partition(":")[0]
    opening_sat = known.funding.get(txid)
    if opening_sat is None:
        return Unknown("the funding transaction is not in the node's wallet")
    return ChannelCost(
        opening_msat=opening_sat * 1000 // max(1, known.ours_in_transaction.get(txid, 1)),
        rebalance_msat=rebalance_msat,
        closing_msat=round(known.closing_sat * 1000),
    )


def _cheapest_by_peer(states: Sequence[ChannelState], policies: Mapping[str, ChannelPolicies]) -> dict[str, int]:
    found: dict[str, int] = {}
    for state in states:
        entry = policies.get(state.channel_point)
        if entry is not None and entry.ours is not None:
            ppm = entry.ours.fee_ppm
            found[state.peer_pubkey] = min(ppm, found.get(state.peer_pubkey, ppm))
    return found


def _count(items: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in items:
        found[item] = found.get(item, 0) + 1
    return found


# -- history --------------------------------------------------------------------------------------------


def _missed(sources: Sources, window_s: int) -> Mapping[str, int] | Unknown:
    if sources.missed is None:
        return Unknown("no failures are stored: run 'lnflow monitor'")
    return sources.missed(window_s)


def _missed_of(state: ChannelState, found: Mapping[str, int] | Unknown) -> int | Unknown:
    return found if isinstance(found, Unknown) else found.get(state.channel_point, 0)


def _levels(
    store: StoreReader | None, needs: Needs, now_ns: int
) -> Mapping[str, tuple[tuple[PriceLevel, ...], float]] | Unknown:
    """Return per channel what it earned at each price, and the covered days at the present one."""
    if "price_levels" not in needs.facts:
        return Unknown("earlier prices were not asked for")
    if store is None:
        return Unknown("no earlier prices are stored: run 'lnflow monitor'")
    since_ns = now_ns - PRICE_DAYS * DAY_NS
    covered = list(store.coverage(since_ns, now_ns).intervals)
    found: dict[str, tuple[tuple[PriceLevel, ...], float]] = {}
    with PriceHistory(store.path, store.node.node_id) as history:
        for span in history.spans(since_ns, now_ns):
            days = sum(b - a for a, b in within(covered, span.since_ns, span.until_ns)) / DAY_NS
            level = PriceLevel(fee_ppm=span.fee_ppm, days=days, forwards=span.forwards, earned_msat=span.earned_msat)
            levels, _ = found.get(span.channel_point, ((), 0.0))
            found[span.channel_point] = ((*levels, level), days)
    return found
