"""LND's unary methods, answered from the node: one function per method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import messages
from lnflow.simulation.lnd_server.ledger_answers import (
    estimate_fee,
    fee_report,
    forwarding_history,
    get_transactions,
    list_payments,
    wallet_balance,
)
from lnflow.simulation.lnd_server.node import LndNode
from lnflow.simulation.lnd_server.policy_update import update_chan_status, update_channel_policy
from lnflow.simulation.lnd_server.rpc_error import RpcError

_MSAT = 1000

Answer = Callable[[LndNode, Any, int], Any]
"""Takes the node, the request and the time (ns); returns the response or raises `RpcError`."""


def get_version(node: LndNode, request: pb.VersionRequest, now_ns: int) -> pb.Version:
    major, minor, patch = node.personality.version
    return pb.Version(
        commit=f"v{major}.{minor}.{patch}-beta",
        version=node.personality.version_text,
        app_major=major,
        app_minor=minor,
        app_patch=patch,
        app_pre_release="beta",
        build_tags=["signrpc", "walletrpc", "invoicesrpc"],
    )


def get_info(node: LndNode, request: pb.GetInfoRequest, now_ns: int) -> pb.GetInfoResponse:
    active = sum(1 for channel in node.channels.values() if node.is_active(channel))
    return pb.GetInfoResponse(
        version=node.personality.version_text,
        identity_pubkey=node.pubkey,
        alias=node.alias,
        color="#3399ff",
        num_active_channels=active,
        num_inactive_channels=len(node.channels) - active,
        num_peers=sum(1 for peer in node.peers.values() if peer.online),
        block_height=node.height,
        block_hash=f"{node.height:064x}",
        best_header_timestamp=now_ns // SECOND_NS,
        synced_to_chain=node.synced_to_chain,
        synced_to_graph=node.synced_to_graph,
        testnet=node.network == "testnet",
        chains=[pb.Chain(chain="bitcoin", network=node.network)],
        uris=[f"{node.pubkey}@127.0.0.1:9735"],
    )


def list_channels(node: LndNode, request: pb.ListChannelsRequest, now_ns: int) -> pb.ListChannelsResponse:
    wanted = [
        channel
        for channel in node.channels.values()
        if not (request.active_only and not node.is_active(channel))
        and not (request.inactive_only and node.is_active(channel))
        and not (request.public_only and channel.private)
        and not (request.private_only and not channel.private)
        and not (request.peer and channel.peer != request.peer.hex())
    ]
    with_alias = request.peer_alias_lookup
    return pb.ListChannelsResponse(
        channels=[messages.channel(node, c, now_ns=now_ns, peer_alias=with_alias) for c in wanted]
    )


def closed_channels(node: LndNode, request: pb.ClosedChannelsRequest, now_ns: int) -> pb.ClosedChannelsResponse:
    kinds = pb.ChannelCloseSummary
    asked = {
        kind
        for kind, on in (
            (kinds.COOPERATIVE_CLOSE, request.cooperative),
            (kinds.LOCAL_FORCE_CLOSE, request.local_force),
            (kinds.REMOTE_FORCE_CLOSE, request.remote_force),
            (kinds.BREACH_CLOSE, request.breach),
            (kinds.FUNDING_CANCELED, request.funding_canceled),
            (kinds.ABANDONED, request.abandoned),
        )
        if on
    }
    return pb.ClosedChannelsResponse(
        channels=[summary for summary in node.closed if not asked or summary.close_type in asked]
    )


def pending_channels(node: LndNode, request: pb.PendingChannelsRequest, now_ns: int) -> pb.PendingChannelsResponse:
    return pb.PendingChannelsResponse()


def channel_balance(node: LndNode, request: pb.ChannelBalanceRequest, now_ns: int) -> pb.ChannelBalanceResponse:
    channels = node.channels.values()

    def amount(msat: int) -> pb.Amount:
        return pb.Amount(sat=msat // _MSAT, msat=msat)

    return pb.ChannelBalanceResponse(
        local_balance=amount(sum(c.local_balance_sat() for c in channels) * _MSAT),
        remote_balance=amount(sum(c.remote_balance_sat() for c in channels) * _MSAT),
        unsettled_local_balance=amount(sum(h.amount_msat for c in channels for h in c.in_flight if not h.incoming)),
        unsettled_remote_balance=amount(sum(h.amount_msat for c in channels for h in c.in_flight if h.incoming)),
    )


def list_aliases(node: LndNode, request: pb.ListAliasesRequest, now_ns: int) -> pb.ListAliasesResponse:
    return pb.ListAliasesResponse(
        alias_maps=[
            pb.AliasMap(base_scid=channel.scid, aliases=channel.alias_scids)
            for channel in node.channels.values()
            if channel.alias_scids
        ]
    )


def list_peers(node: LndNode, request: pb.ListPeersRequest, now_ns: int) -> pb.ListPeersResponse:
    return pb.ListPeersResponse(
        peers=[
            pb.Peer(
                pub_key=peer.pubkey,
                address=peer.address,
                flap_count=peer.flaps,
                last_flap_ns=peer.last_flap_ns,
            )
            for peer in node.peers.values()
            if peer.online
        ]
    )


def get_chan_info(node: LndNode, request: pb.ChanInfoRequest, now_ns: int) -> pb.ChannelEdge:
    by_point = bool(request.chan_point)
    channel = node.channels.get(request.chan_point) if by_point else node.find_channel(request.chan_id)
    if channel is not None and channel.announced:
        return messages.edge(node, channel)
    for edge in node.graph_edges:
        if request.chan_id == edge.channel_id or (request.chan_point and request.chan_point == edge.chan_point):
            return edge
    raise RpcError("edge not found", _edge_not_found(node))


def get_node_info(node: LndNode, request: pb.NodeInfoRequest, now_ns: int) -> pb.NodeInfo:
    known = {entry.pub_key: entry for entry in _graph_nodes(node)}
    found = known.get(request.pub_key)
    if found is None:
        raise RpcError("unable to find node", grpc.StatusCode.NOT_FOUND)
    edges = [edge for edge in _graph_edges(node) if request.pub_key in (edge.node1_pub, edge.node2_pub)]
    return pb.NodeInfo(
        node=found,
        num_channels=len(edges),
        total_capacity=sum(edge.capacity for edge in edges),
        channels=edges if request.include_channels else [],
    )


def describe_graph(node: LndNode, request: pb.ChannelGraphRequest, now_ns: int) -> pb.ChannelGraph:
    edges = _graph_edges(node)
    if request.include_unannounced:
        edges += [messages.edge(node, channel) for channel in node.channels.values() if channel.private]
    return pb.ChannelGraph(nodes=_graph_nodes(node), edges=edges)


def _edge_not_found(node: LndNode) -> grpc.StatusCode:
    if node.personality.edge_not_found_has_status:
        return grpc.StatusCode.NOT_FOUND
    return grpc.StatusCode.UNKNOWN


def _graph_nodes(node: LndNode) -> list[pb.LightningNode]:
    names = {node.pubkey: node.alias}
    names.update((peer.pubkey, peer.alias) for peer in node.peers.values() if peer.alias)
    names.update(node.graph_aliases)
    return [pb.LightningNode(pub_key=key, alias=alias, color="#3399ff") for key, alias in names.items()]


def _graph_edges(node: LndNode) -> list[pb.ChannelEdge]:
    own = [
        messages.edge(node, channel) for channel in node.channels.values() if not channel.private and channel.announced
    ]
    return own + node.graph_edges


ANSWERS: dict[str, tuple[Any, Answer]] = {
    methods.GET_VERSION: (pb.VersionRequest, get_version),
    methods.GET_INFO: (pb.GetInfoRequest, get_info),
    methods.LIST_CHANNELS: (pb.ListChannelsRequest, list_channels),
    methods.CLOSED_CHANNELS: (pb.ClosedChannelsRequest, closed_channels),
    methods.PENDING_CHANNELS: (pb.PendingChannelsRequest, pending_channels),
    methods.CHANNEL_BALANCE: (pb.ChannelBalanceRequest, channel_balance),
    methods.LIST_ALIASES: (pb.ListAliasesRequest, list_aliases),
    methods.LIST_PEERS: (pb.ListPeersRequest, list_peers),
    methods.GET_CHAN_INFO: (pb.ChanInfoRequest, get_chan_info),
    methods.GET_NODE_INFO: (pb.NodeInfoRequest, get_node_info),
    methods.DESCRIBE_GRAPH: (pb.ChannelGraphRequest, describe_graph),
    methods.FEE_REPORT: (pb.FeeReportRequest, fee_report),
    methods.FORWARDING_HISTORY: (pb.ForwardingHistoryRequest, forwarding_history),
    methods.LIST_PAYMENTS: (pb.ListPaymentsRequest, list_payments),
    methods.GET_TRANSACTIONS: (pb.GetTransactionsRequest, get_transactions),
    methods.WALLET_BALANCE: (pb.WalletBalanceRequest, wallet_balance),
    methods.ESTIMATE_FEE: (pb.EstimateFeeRequest, estimate_fee),
    methods.UPDATE_CHANNEL_POLICY: (pb.PolicyUpdateRequest, update_channel_policy),
    methods.UPDATE_CHAN_STATUS: (pb.UpdateChanStatusRequest, update_chan_status),
}
"""Request class and answer of every unary method but GetState."""

CHANGING = frozenset({methods.UPDATE_CHANNEL_POLICY, methods.UPDATE_CHAN_STATUS})
