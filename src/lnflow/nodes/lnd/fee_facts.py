"""What only some pricing rules ask of an LND: the graph, on-chain fees, what funding and rebalancing cost."""

from __future__ import annotations

from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.client import LONG_DEADLINE_S, LndClient
from lnflow.nodes.lnd.credentials import LndConnection
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.nodes.port import RebalanceCost

_PAYMENTS_A_PAGE = 1000
_WEIGHT_PER_VBYTE = 4


class LndFeeFacts:
    """The port's `FeeFacts`, with the read-only credential."""

    def __init__(self, connection: LndConnection, pubkey: str) -> None:
        self._client = LndClient(connection)
        self._pubkey = pubkey

    async def list_edges(self) -> list[tuple[str, str, int]]:
        graph = await self._client.call(
            methods.DESCRIBE_GRAPH,
            pb.ChannelGraphRequest(include_unannounced=False),
            pb.ChannelGraph,
            deadline_s=LONG_DEADLINE_S,
        )
        return [(edge.node1_pub, edge.node2_pub, edge.capacity) for edge in graph.edges]

    async def feerate_sat_per_vb(self, conf_target: int) -> float:
        reply = await self._client.call(
            methods.ESTIMATE_FEE, pb.EstimateFeeRequest(conf_target=conf_target), pb.EstimateFeeResponse
        )
        return reply.sat_per_kw * _WEIGHT_PER_VBYTE / 1000

    async def list_transaction_fees(self) -> dict[str, int]:
        reply = await self._client.call(
            methods.GET_TRANSACTIONS, pb.GetTransactionsRequest(), pb.TransactionDetails, deadline_s=LONG_DEADLINE_S
        )
        return {transaction.tx_hash: transaction.total_fees for transaction in reply.transactions}

    async def list_rebalance_costs(self, since_ns: int) -> list[RebalanceCost]:
        found: list[RebalanceCost] = []
        offset = 0
        while True:
            page = await self._client.call(
                methods.LIST_PAYMENTS,
                pb.ListPaymentsRequest(
                    index_offset=offset,
                    max_payments=_PAYMENTS_A_PAGE,  # 0 would mean everything before LND 0.20
                    creation_date_start=since_ns // SECOND_NS,
                ),
                pb.ListPaymentsResponse,
                deadline_s=LONG_DEADLINE_S,
            )
            for payment in page.payments:
                found += self._returned(payment)
            if len(page.payments) < _PAYMENTS_A_PAGE:
                return found
            offset = page.last_index_offset

    async def close(self) -> None:
        await self._client.close()

    def _returned(self, payment: pb.Payment) -> list[RebalanceCost]:
        """Return the shards of a payment that ended at ourselves."""
        return [
            RebalanceCost(htlc.route.hops[-1].chan_id, payment.creation_time_ns, htlc.route.total_fees_msat)
            for htlc in payment.htlcs
            if htlc.status == pb.HTLCAttempt.SUCCEEDED
            and htlc.route.hops
            and htlc.route.hops[-1].pub_key == self._pubkey
        ]
