"""The `channels` documents: facts, flows, income and failures per channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lnflow.advice.documents import (
    ChannelCause,
    ChannelDocument,
    ChannelProfit,
    FlowDocument,
    PolicyDocument,
    ProfitDocument,
)
from lnflow.analysis.facts import ChannelDetails, ChannelFlow, FailureFacts, Window
from lnflow.analysis.flows import flow_class, hours_to_empty, per_day_msat
from lnflow.analysis.profit import Profit
from lnflow.domain.channel import Policy
from lnflow.domain.scid import scid_text
from lnflow.domain.time import iso_utc


def channel_documents(
    window: Window,
    channels: Sequence[ChannelDetails],
    flows: Sequence[ChannelFlow],
    failures: Sequence[FailureFacts],
    profits: Mapping[int, Profit],
) -> list[ChannelDocument]:
    """Return one document per channel: open ones first, by what they earned, then the closed ones."""
    flow_of = {f.channel_id: f for f in flows}
    failed: dict[int, list[FailureFacts]] = {}
    for failure in failures:
        if failure.channel_id is not None:
            failed.setdefault(failure.channel_id, []).append(failure)
    rows = [
        channel_document(window, c, flow_of.get(c.channel_id), failed.get(c.channel_id, ()), profits[c.channel_id])
        for c in channels
    ]
    rows.sort(key=lambda d: (d.closed, -d.earned_msat, -d.sourced_msat, d.scid or ""))
    return rows


def channel_document(
    window: Window,
    channel: ChannelDetails,
    flow: ChannelFlow | None,
    failures: Sequence[FailureFacts],
    profit: Profit,
) -> ChannelDocument:
    length_s = window.length_s
    watched_s = flow.watched_s if flow else None
    return ChannelDocument(
        scid=None if channel.scid is None else scid_text(channel.scid),
        scids=[scid_text(s) for s in channel.scids],
        channel_point=channel.channel_point,
        peer_pubkey=channel.peer_pubkey,
        peer_alias=channel.peer_alias,
        capacity_sat=channel.capacity_sat,
        local_sat=None if channel.local_msat is None else channel.local_msat // 1000,
        remote_sat=None if channel.remote_msat is None else channel.remote_msat // 1000,
        balance_at=None if channel.balance_ns is None else iso_utc(channel.balance_ns),
        active=channel.active,
        closed=channel.closed,
        private=channel.private,
        our_policy=_policy(channel.ours),
        peer_policy=_policy(channel.theirs),
        in_forwards=flow.in_forwards if flow else 0,
        in_msat=flow.in_msat if flow else 0,
        in_msat_per_day=per_day_msat(flow.in_msat if flow else 0, length_s),
        out_forwards=flow.out_forwards if flow else 0,
        out_msat=flow.out_msat if flow else 0,
        out_msat_per_day=per_day_msat(flow.out_msat if flow else 0, length_s),
        earned_msat=profit.earned_msat,
        sourced_msat=profit.sourced_msat,
        failed_here=sum(f.attempts for f in failures),
        failed_downstream=flow.out_downstream if flow else 0,
        failures=[
            ChannelCause(
                cause=f.cause.text,
                attempts=f.attempts,
                attempted_msat=f.attempted_msat,
                offered_fee_msat=f.offered_fee_msat,
            )
            for f in sorted(failures, key=lambda f: (-f.attempts, f.cause))
        ],
        uptime=round(flow.active_s / watched_s, 4) if flow and flow.active_s is not None and watched_s else None,
        flow_class=None if channel.closed else flow_class(flow),
        hours_to_empty=None if channel.closed else hours_to_empty(channel, flow, length_s),
        profit=profit_document(profit, length_s),
    )


def profit_document(profit: Profit, length_s: float) -> ProfitDocument:
    share = profit.return_on_capital(length_s)
    return ProfitDocument(
        earned_msat=profit.earned_msat,
        sourced_msat=profit.sourced_msat,
        rebalance_cost_msat=profit.rebalance_cost_msat,
        onchain_cost_msat=profit.onchain_cost_msat,
        discount_given_msat=profit.discount_given_msat,
        discount_borne_msat=profit.discount_borne_msat,
        net_msat=profit.net_msat,
        capital_msat=profit.capital_msat,
        return_on_capital=None if share is None else round(share, 6),
    )


def flow_documents(channels: Sequence[ChannelDocument]) -> list[FlowDocument]:
    return [
        FlowDocument(
            scid=c.scid,
            peer_alias=c.peer_alias,
            flow_class=c.flow_class,
            net_out_msat_per_day=None
            if c.in_msat_per_day is None or c.out_msat_per_day is None
            else c.out_msat_per_day - c.in_msat_per_day,
            hours_to_empty=c.hours_to_empty,
        )
        for c in channels
    ]


def profit_documents(channels: Sequence[ChannelDocument]) -> list[ChannelProfit]:
    return [ChannelProfit(scid=c.scid, peer_alias=c.peer_alias, profit=c.profit) for c in channels]


def _policy(policy: Policy | None) -> PolicyDocument | None:
    if policy is None:
        return None
    return PolicyDocument(
        base_fee_msat=policy.base_fee_msat,
        fee_ppm=policy.fee_ppm,
        inbound_base_fee_msat=policy.inbound_base_fee_msat,
        inbound_fee_ppm=policy.inbound_fee_ppm,
        min_htlc_msat=policy.min_htlc_msat,
        max_htlc_msat=policy.max_htlc_msat,
        time_lock_delta=policy.time_lock_delta,
        disabled=policy.disabled,
    )
