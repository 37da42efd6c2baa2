"""The other ends: names, places in the graph, and what we have with each of them in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lnflow.domain.channel import ChannelState, NodeInfo
from lnflow.domain.errors import LnflowError
from lnflow.nodes.port import FeeFacts
from lnflow.pricing.facts import Balance, Flow, PeerFacts, Unknown, balances_msat
from lnflow.pricing.gathering.flows import RECENT_S, Flows
from lnflow.pricing.gathering.graph import GraphPlace, places
from lnflow.pricing.gathering.sources import Sources
from lnflow.pricing.matching.criteria import Needs

FEW_PEERS = 200  # up to here one small call for each is less for the node than its whole graph


async def load_peers(
    sources: Sources,
    needs: Needs,
    info: NodeInfo,
    states: Sequence[ChannelState],
    flows: Flows,
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
            alternatives=_alternatives(graph, pubkey),
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
    flows: Flows,
) -> Mapping[str, GraphPlace] | Unknown:
    if not needs.facts & {"graph_node", "alternatives"}:
        return Unknown("the graph was not asked for")
    if further is None:
        return Unknown("this node's graph cannot be read")
    try:
        if "alternatives" not in needs.facts and len(by_peer) <= FEW_PEERS:
            sizes = await further.list_node_sizes(list(by_peer))
            return {peer: _place(*sizes.get(peer, (0, 0))) for peer in by_peer}
        edges = await further.list_edges()
    except LnflowError as exc:
        return Unknown(f"the graph cannot be read: {exc}")
    recent = [p for p, channels in by_peer.items() if any(_moves(flows(s, RECENT_S, 30.0)) for s in channels)]
    return places(edges, info.pubkey, list(by_peer), recent)


def _place(channels: int, capacity_sat: int) -> GraphPlace:
    return GraphPlace(channels=channels, capacity_sat=capacity_sat, alternatives=None)


def _alternatives(graph: Mapping[str, GraphPlace] | Unknown, pubkey: str) -> int | Unknown:
    if isinstance(graph, Unknown):
        return graph
    found = graph[pubkey].alternatives
    return Unknown("alternatives were not asked for") if found is None else found


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
