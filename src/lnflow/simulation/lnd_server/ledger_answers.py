"""LND's answers about money that moved: forwards, fees, payments, transactions."""

from __future__ import annotations

from lnflow.domain.htlc import Forward
from lnflow.domain.time import DAY_NS, SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server.node import LndNode
from lnflow.simulation.lnd_server.rpc_error import RpcError

_MSAT = 1000
_LEAST_CONF_TARGET, _USUAL_CONF_TARGET = 2, 6


def fee_report(node: LndNode, request: pb.FeeReportRequest, now_ns: int) -> pb.FeeReportResponse:
    fees = [
        pb.ChannelFeeReport(
            chan_id=channel.scid,
            channel_point=channel.channel_point,
            base_fee_msat=channel.policy.base_fee_msat,
            fee_per_mil=channel.policy.fee_ppm,
            fee_rate=channel.policy.fee_ppm / 1_000_000,
            inbound_base_fee_msat=channel.policy.inbound_base_fee_msat,
            inbound_fee_per_mil=channel.policy.inbound_fee_ppm,
        )
        for channel in node.channels.values()
    ]
    sums = [node.forwards.fee_sum_msat(now_ns - days * DAY_NS, now_ns) // _MSAT for days in (1, 7, 30)]
    return pb.FeeReportResponse(channel_fees=fees, day_fee_sum=sums[0], week_fee_sum=sums[1], month_fee_sum=sums[2])


def forwarding_history(
    node: LndNode, request: pb.ForwardingHistoryRequest, now_ns: int
) -> pb.ForwardingHistoryResponse:
    now_s = -(-now_ns // SECOND_NS)
    start_s, end_s = request.start_time, request.end_time or now_s
    if not request.start_time and not request.end_time:
        start_s = now_s - DAY_NS // SECOND_NS  # no range at all: the past 24 hours
    filters = node.personality.history_filters_channels
    rows, last_offset = node.forwards.page(
        start_s=start_s,
        end_s=end_s,
        index_offset=request.index_offset,
        num_max_events=request.num_max_events,
        in_scids=set(request.incoming_chan_ids) if filters else (),
        out_scids=set(request.outgoing_chan_ids) if filters else (),
    )
    with_alias = request.peer_alias_lookup
    return pb.ForwardingHistoryResponse(
        forwarding_events=[_history_row(node, row, with_alias) for row in rows],
        last_offset_index=last_offset,
    )


def list_payments(node: LndNode, request: pb.ListPaymentsRequest, now_ns: int) -> pb.ListPaymentsResponse:
    chosen = [
        payment
        for payment in node.payments
        if (request.include_incomplete or payment.status == pb.Payment.SUCCEEDED)
        and payment.creation_time_ns >= request.creation_date_start * SECOND_NS
        and (not request.creation_date_end or payment.creation_time_ns // SECOND_NS <= request.creation_date_end)
    ]
    limit = request.max_payments or node.personality.default_max_payments or len(chosen)
    offset = request.index_offset
    if request.reversed:
        before = [p for p in chosen if not offset or p.payment_index < offset]
        page = before[max(0, len(before) - limit) :]
    else:
        page = [p for p in chosen if p.payment_index > offset][:limit]
    response = pb.ListPaymentsResponse(
        payments=page,
        first_index_offset=page[0].payment_index if page else 0,
        last_index_offset=page[-1].payment_index if page else 0,
        total_num_payments=len(node.payments) if request.count_total_payments else 0,
    )
    if request.omit_hops and node.personality.omits_hops:
        for payment in response.payments:
            for attempt in payment.htlcs:
                del attempt.route.hops[:]
    return response


def get_transactions(node: LndNode, request: pb.GetTransactionsRequest, now_ns: int) -> pb.TransactionDetails:
    last_height = request.end_height if request.end_height > 0 else node.height
    chosen = [t for t in node.transactions if request.start_height <= t.block_height <= last_height]
    if not node.personality.pages_transactions:
        return pb.TransactionDetails(transactions=chosen)
    offset = request.index_offset
    page = chosen[offset : offset + (request.max_transactions or len(chosen))]
    return pb.TransactionDetails(transactions=page, first_index=offset, last_index=offset + max(0, len(page) - 1))


def wallet_balance(node: LndNode, request: pb.WalletBalanceRequest, now_ns: int) -> pb.WalletBalanceResponse:
    total = sum(t.amount for t in node.transactions)
    return pb.WalletBalanceResponse(total_balance=total, confirmed_balance=total)


def estimate_fee(node: LndNode, request: pb.EstimateFeeRequest, now_ns: int) -> pb.EstimateFeeResponse:
    """The nearer the target, the dearer; LND refuses a target of one block."""
    if request.conf_target < _LEAST_CONF_TARGET:
        raise RpcError("confirmation target must be greater than 1")
    return pb.EstimateFeeResponse(sat_per_kw=node.sat_per_kw * _USUAL_CONF_TARGET // request.conf_target)


def _history_row(node: LndNode, row: Forward, with_alias: bool) -> pb.ForwardingEvent:
    fee_msat = row.amount_in_msat - row.amount_out_msat
    message = pb.ForwardingEvent(
        timestamp=row.at_ns // SECOND_NS,
        timestamp_ns=row.at_ns,
        chan_id_in=row.in_scid,
        chan_id_out=row.out_scid,
        amt_in=row.amount_in_msat // _MSAT,
        amt_out=row.amount_out_msat // _MSAT,
        fee=fee_msat // _MSAT,
        fee_msat=fee_msat,
        amt_in_msat=row.amount_in_msat,
        amt_out_msat=row.amount_out_msat,
    )
    if node.personality.history_has_htlc_ids:
        if row.in_htlc_id is not None:
            message.incoming_htlc_id = row.in_htlc_id
        if row.out_htlc_id is not None:
            message.outgoing_htlc_id = row.out_htlc_id
    if with_alias:
        message.peer_alias_in = _alias_by_channel(node, row.in_scid)
        message.peer_alias_out = _alias_by_channel(node, row.out_scid)
    return message


def _alias_by_channel(node: LndNode, scid: int) -> str:
    channel = node.find_channel(scid)
    if channel is None:
        code = "NotFound" if node.personality.edge_not_found_has_status else "Unknown"
        return f"unable to lookup peeralias: rpc error: code = {code} desc = edge not found"
    return node.peers[channel.peer].alias
