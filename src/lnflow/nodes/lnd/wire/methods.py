"""Full paths of the LND methods we may call, as they go over the wire."""

from __future__ import annotations

from typing import Final

_LIGHTNING = "/lnrpc.Lightning/"
_ROUTER = "/routerrpc.Router/"

# lnrpc.State: the only service that needs no macaroon
GET_STATE: Final = "/lnrpc.State/GetState"
SUBSCRIBE_STATE: Final = "/lnrpc.State/SubscribeState"

GET_VERSION: Final = "/verrpc.Versioner/GetVersion"

GET_INFO: Final = _LIGHTNING + "GetInfo"
LIST_CHANNELS: Final = _LIGHTNING + "ListChannels"
CLOSED_CHANNELS: Final = _LIGHTNING + "ClosedChannels"
PENDING_CHANNELS: Final = _LIGHTNING + "PendingChannels"
CHANNEL_BALANCE: Final = _LIGHTNING + "ChannelBalance"
SUBSCRIBE_CHANNEL_EVENTS: Final = _LIGHTNING + "SubscribeChannelEvents"
LIST_ALIASES: Final = _LIGHTNING + "ListAliases"
LIST_PEERS: Final = _LIGHTNING + "ListPeers"
SUBSCRIBE_PEER_EVENTS: Final = _LIGHTNING + "SubscribePeerEvents"
GET_CHAN_INFO: Final = _LIGHTNING + "GetChanInfo"
GET_NODE_INFO: Final = _LIGHTNING + "GetNodeInfo"
DESCRIBE_GRAPH: Final = _LIGHTNING + "DescribeGraph"
SUBSCRIBE_CHANNEL_GRAPH: Final = _LIGHTNING + "SubscribeChannelGraph"
FEE_REPORT: Final = _LIGHTNING + "FeeReport"
FORWARDING_HISTORY: Final = _LIGHTNING + "ForwardingHistory"
LIST_PAYMENTS: Final = _LIGHTNING + "ListPayments"
GET_TRANSACTIONS: Final = _LIGHTNING + "GetTransactions"
WALLET_BALANCE: Final = _LIGHTNING + "WalletBalance"
SUBSCRIBE_HTLC_EVENTS: Final = _ROUTER + "SubscribeHtlcEvents"
ESTIMATE_FEE: Final = "/walletrpc.WalletKit/EstimateFee"

# What changes the node or moves money: never called by the read adapter
UPDATE_CHANNEL_POLICY: Final = _LIGHTNING + "UpdateChannelPolicy"
UPDATE_CHAN_STATUS: Final = _ROUTER + "UpdateChanStatus"
ADD_INVOICE: Final = _LIGHTNING + "AddInvoice"
QUERY_ROUTES: Final = _LIGHTNING + "QueryRoutes"
BUILD_ROUTE: Final = _ROUTER + "BuildRoute"
SEND_PAYMENT_V2: Final = _ROUTER + "SendPaymentV2"
TRACK_PAYMENT_V2: Final = _ROUTER + "TrackPaymentV2"
SEND_TO_ROUTE_V2: Final = _ROUTER + "SendToRouteV2"

READ_METHODS: Final = frozenset(
    {
        GET_STATE,
        SUBSCRIBE_STATE,
        GET_VERSION,
        GET_INFO,
        LIST_CHANNELS,
        CLOSED_CHANNELS,
        PENDING_CHANNELS,
        CHANNEL_BALANCE,
        SUBSCRIBE_CHANNEL_EVENTS,
        LIST_ALIASES,
        LIST_PEERS,
        SUBSCRIBE_PEER_EVENTS,
        GET_CHAN_INFO,
        GET_NODE_INFO,
        DESCRIBE_GRAPH,
        SUBSCRIBE_CHANNEL_GRAPH,
        FEE_REPORT,
        FORWARDING_HISTORY,
        LIST_PAYMENTS,
        GET_TRANSACTIONS,
        WALLET_BALANCE,
        SUBSCRIBE_HTLC_EVENTS,
        ESTIMATE_FEE,
    }
)
"""All that the read adapter calls; anything else is stopped before it touches the socket."""

FEE_METHODS: Final = frozenset(
    {UPDATE_CHANNEL_POLICY, UPDATE_CHAN_STATUS, GET_INFO, GET_CHAN_INFO, LIST_CHANNELS, GET_VERSION}
)
"""All that the fee adapter calls, with a macaroon that allows these and nothing else."""

METHODS_WITHOUT_MACAROON: Final = frozenset({GET_STATE, SUBSCRIBE_STATE})
