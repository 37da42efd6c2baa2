"""All facts of one run, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, ChannelState, NodeInfo, Policy
from lnflow.domain.lacks import lacks_of
from lnflow.pricing.facts import ChannelFacts, NodeFacts, PeerFacts, PriceLevel, Unknown, age_in_blocks, balances_msat
from lnflow.pricing.gathering.flows import Flows, load_flows
from lnflow.pricing.gathering.money import Money, load_money
from lnflow.pricing.gathering.peers import load_peers
from lnflow.pricing.gathering.prices import load_price_levels
from lnflow.pricing.gathering.sources import Sources
from lnflow.pricing.matching.charge_lnd import BLOCK_S
from lnflow.pricing.matching.criteria import Needs

LND = "lnd"
STRICT_DELTA_SINCE = (0, 21, 0)


class LoadedFacts(Struct, frozen=True, kw_only=True):
    """All open channels and the node, at one moment."""

    channels: list[ChannelFacts]
    node: NodeFacts
    info: NodeInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """What was asked for once for all channels."""

    info: NodeInfo
    now_ns: int
    policies: Mapping[str, ChannelPolicies]
    peers: Mapping[str, PeerFacts]
    flows: Flows
    needs: Needs
    missed: Mapping[int, Mapping[str, int] | Unknown]
    money: Money
    levels: Mapping[str, tuple[tuple[PriceLevel, ...], float]] | Unknown
    cheapest: Sequence[tuple[int, str]]
    """Our lowest outbound price of each peer, the two lowest of all."""


async def load_facts(sources: Sources, needs: Needs, now_ns: int, *, positive_inbound: bool = False) -> LoadedFacts:
    """Return the facts that `needs` names.  Raise what the node raises for its basic listings."""
    reader = sources.reader
    info = await reader.node_info()
    states = await reader.list_channels()
    policies = {p.channel_point or "": p for p in await reader.list_policies(states)}
    flows = await load_flows(sources, needs, info, now_ns)
    money = await load_money(sources, needs, info, states, now_ns)
    gathered = _Gathered(
        info=info,
        now_ns=now_ns,
        policies=policies,
        peers=await load_peers(sources, needs, info, states, flows),
        flows=flows,
        needs=needs,
        missed={window: _missed(sources, window) for window in needs.missed_windows},
        money=money,
        levels=load_price_levels(sources.store, needs, now_ns),
        cheapest=_two_cheapest(states, policies),
    )
    node = NodeFacts(
        now_ns=now_ns,
        block_height=info.block_height,
        synced_to_chain=info.synced_to_chain,
        feerates_sat_per_vb=money.feerates,
        lacks=lacks_of(info.implementation, info.version_tuple),
        positive_inbound_fees=positive_inbound,
        min_time_lock_delta=least_time_lock_delta(info),
    )
    return LoadedFacts(channels=[_channel(s, gathered) for s in states], node=node, info=info)


def least_time_lock_delta(info: NodeInfo) -> int:
    """Return the smallest delta that the node takes; Core Lightning has none of its own per channel."""
    if info.implementation != LND:
        return 0
    return 24 if info.version_tuple >= STRICT_DELTA_SINCE else 18


def _channel(state: ChannelState, known: _Gathered) -> ChannelFacts:
    local, remote = balances_msat(state)
    policies = known.policies.get(state.channel_point)
    age_blocks = age_in_blocks((state.scid, *state.other_scids), known.info.block_height)
    age_s = age_blocks if isinstance(age_blocks, Unknown) else age_blocks * float(BLOCK_S)
    others = [ppm for ppm, peer in known.cheapest if peer != state.peer_pubkey]
    windows = known.needs.flow_windows | known.needs.profit_windows
    flows = {window: known.flows(state, window, _days(window, age_s)) for window in windows}
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
        funding_fee_sat=known.money.funding_fee_sat(state),
        flows=flows,
        missed_msat={w: _missed_of(state, found) for w, found in known.missed.items()},
        profit_msat={w: known.money.profit_msat(state, w, flows[w]) for w in known.needs.profit_windows},
        price_levels=levels if isinstance(levels, Unknown) else levels[0],
        days_at_price=levels if isinstance(levels, Unknown) else levels[1],
        cost=known.money.cost(state),
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


def _two_cheapest(states: Sequence[ChannelState], policies: Mapping[str, ChannelPolicies]) -> list[tuple[int, str]]:
    """One of the two is always another peer's."""
    found: dict[str, int] = {}
    for state in states:
        entry = policies.get(state.channel_point)
        if entry is not None and entry.ours is not None:
            ppm = entry.ours.fee_ppm
            found[state.peer_pubkey] = min(ppm, found.get(state.peer_pubkey, ppm))
    return sorted((ppm, peer) for peer, ppm in found.items())[:2]


def _missed(sources: Sources, window_s: int) -> Mapping[str, int] | Unknown:
    if sources.missed is None:
        return Unknown("no failures are stored: run 'lnflow monitor'")
    return sources.missed(window_s)


def _missed_of(state: ChannelState, found: Mapping[str, int] | Unknown) -> int | Unknown:
    return found if isinstance(found, Unknown) else found.get(state.channel_point, 0)
