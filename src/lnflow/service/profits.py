"""What each channel, each peer and the node made in a window: from the store's rows to `analysis.profit`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from msgspec import Struct

from lnflow.advice import documents
from lnflow.advice.channel_table import profit_document
from lnflow.analysis.costs import Funding, onchain_costs
from lnflow.analysis.discounts import Discounts, PricedForward, PriceHistory, attribute
from lnflow.analysis.facts import Window
from lnflow.analysis.profit import Profit, summed
from lnflow.domain.channel import ChannelFacts
from lnflow.domain.scid import scid_text
from lnflow.domain.time import SECOND_NS
from lnflow.service.protocols import FailureStatsStore
from lnflow.store.costs import CircularRow, FundingRow, StoredCosts
from lnflow.store.records import FlowRow, StoredNode

_BLOCK_NS = 600 * SECOND_NS
_FIRST_ALIAS_HEIGHT = 16_000_000  # short channel ids from here on are aliases


class PeerProfit(Struct, frozen=True, kw_only=True):
    """`channels` are the store's numbers; the rebalances known only by their peer are in it too."""

    peer_pubkey: str | None
    peer_alias: str | None
    channels: tuple[int, ...]
    profit: Profit


class Profits(Struct, frozen=True, kw_only=True):
    """Three views of the same sums: the channels add up to the peers but for rebalances that came back by a
    channel nobody named, and the peers to the node."""

    channels: Mapping[int, Profit]
    peers: Sequence[PeerProfit]
    node: Profit


def load_profits(
    store: FailureStatsStore, window: Window, channels: Sequence[ChannelFacts], flows: Iterable[FlowRow]
) -> Profits:
    """Return the profits; call it inside the store's `consistent`."""
    traffic = {f.chan: f for f in flows}
    rebalances = _rebalances(store.costs.circular(window.since_ns, window.until_ns), channels)
    onchain = _onchain(store.costs, store.node, window)
    discounts, unpriced = _discounts(store.costs, window, traffic)
    capital = {row.chan: row.local_msat for row in store.costs.capital(window.since_ns, window.until_ns)}

    def profit(channel: ChannelFacts) -> Profit:
        chan = channel.channel_id
        flow = traffic.get(chan)
        given = None if discounts is None or chan in unpriced else discounts.given_msat.get(chan, 0)
        return Profit(
            earned_msat=flow.earned_msat if flow else 0,
            sourced_msat=flow.sourced_msat if flow else 0,
            rebalance_cost_msat=None if rebalances is None else rebalances.by_channel.get(chan, 0),
            onchain_cost_msat=None if onchain is None else onchain.get(chan, 0),
            discount_given_msat=given,
            discount_borne_msat=None if discounts is None else discounts.borne_msat.get(chan, 0),
            capital_msat=capital.get(chan, 0 if channel.closed else None),
        )

    by_channel = {c.channel_id: profit(c) for c in channels}
    peers = [_peer(group, by_channel, rebalances) for group in _by_peer(channels)]
    peers.sort(key=lambda p: (-(p.profit.net_msat or 0), -p.profit.earned_msat, p.peer_pubkey or ""))
    node = summed(by_channel.values())
    if rebalances is not None:
        node = _charge(node, sum(rebalances.by_peer.values()))
    return Profits(channels=by_channel, peers=peers, node=node)


def peer_profit_documents(
    profits: Profits, channels: Sequence[ChannelFacts], window: Window
) -> list[documents.PeerProfit]:
    """Return the peers' profits, the best first, with the ids of their channels."""
    names = {c.channel_id: scid_text(c.scid) if c.scid is not None else c.channel_point or "" for c in channels}
    return [
        documents.PeerProfit(
            peer_pubkey=p.peer_pubkey,
            peer_alias=p.peer_alias,
            channels=[names[c] for c in p.channels],
            profit=profit_document(p.profit, window.length_s),
        )
        for p in profits.peers
    ]


class _Rebalances(Struct, frozen=True):
    """What circular payments cost, by the channel they came back by, else by its peer (None: nobody named)."""

    by_channel: dict[int, int]
    by_peer: dict[str | None, int]


def _rebalances(rows: Sequence[CircularRow] | None, channels: Sequence[ChannelFacts]) -> _Rebalances | None:
    if rows is None:
        return None
    only: dict[str | None, list[int]] = {}
    for channel in channels:
        only.setdefault(channel.peer_pubkey, []).append(channel.channel_id)
    found = _Rebalances({}, {})
    for row in rows:
        chan = row.chan
        if chan is None and row.in_peer is not None and len(only.get(row.in_peer, ())) == 1:
            chan = only[row.in_peer][0]
        if chan is not None:
            found.by_channel[chan] = found.by_channel.get(chan, 0) + row.fee_msat
        else:
            found.by_peer[row.in_peer] = found.by_peer.get(row.in_peer, 0) + row.fee_msat
    return found


def _onchain(costs: StoredCosts, node: StoredNode, window: Window) -> dict[int, int | None] | None:
    transactions = costs.transactions()
    if transactions is None:
        return None
    rows = costs.fundings()
    by_point = {row.channel_point: row for row in rows}
    fundings = [
        Funding(
            channel_point=row.channel_point,
            capacity_sat=row.capacity_sat,
            opened_by_us=row.opened_by_us,
            closing_txid=row.closing_txid,
        )
        for row in rows
    ]
    found: dict[int, int | None] = {}
    for cost in onchain_costs(fundings, transactions):
        if window.since_ns <= cost.at_ns < window.until_ns:
            chan = by_point[cost.channel_point].chan
            before = found.get(chan, 0)
            found[chan] = None if before is None or cost.fee_msat is None else before + cost.fee_msat
    listed = {t.txid for t in transactions}
    for row in rows:
        if row.opened_by_us and _has_unlisted(row, listed, node, window):
            found[row.chan] = None
    return found


def _has_unlisted(row: FundingRow, listed: set[str], node: StoredNode, window: Window) -> bool:
    """Tell whether a channel of our making was opened or closed in the window by a transaction not in the wallet."""
    ends = [(row.channel_point.partition(":")[0], None if row.scid is None else row.scid >> 40)]
    if row.closing_txid is not None:
        ends.append((row.closing_txid, row.close_height))
    for txid, height in ends:
        if txid in listed or height is None or not 0 < height < _FIRST_ALIAS_HEIGHT:
            continue
        if node.block_height is None or node.seen_ns is None:
            continue
        about_ns = node.seen_ns - (node.block_height - height) * _BLOCK_NS
        if window.since_ns <= about_ns < window.until_ns:
            return True
    return False


def _discounts(
    costs: StoredCosts, window: Window, traffic: Mapping[int, FlowRow]
) -> tuple[Discounts | None, frozenset[int]]:
    """Return the discounts (None: not known), and the channels that brought payments at prices not known."""
    prices: dict[int, PriceHistory] = {}
    for chan, group in groupby(costs.our_prices(), key=lambda row: row.chan):
        rows = list(group)
        prices[chan] = PriceHistory([r.since_ns for r in rows], [r.policy for r in rows])
    unpriced = frozenset(chan for chan, flow in traffic.items() if flow.in_settled and chan not in prices)
    givers = [chan for chan, history in prices.items() if history.ever_discounts and chan in traffic]
    if not givers:
        return Discounts({}, {}), unpriced
    forwards = costs.forwards_in(givers, window.since_ns, window.until_ns)
    if forwards is None:
        return None, unpriced
    priced = (PricedForward(f.in_chan, f.out_chan, f.at_ns, f.amount_in_msat, f.amount_out_msat) for f in forwards)
    return attribute(priced, prices), unpriced


def _by_peer(channels: Sequence[ChannelFacts]) -> list[list[ChannelFacts]]:
    groups: dict[str | None, list[ChannelFacts]] = {}
    for channel in channels:
        groups.setdefault(channel.peer_pubkey, []).append(channel)
    return list(groups.values())


def _peer(
    channels: Sequence[ChannelFacts], by_channel: Mapping[int, Profit], rebalances: _Rebalances | None
) -> PeerProfit:
    some = channels[0]
    profit = summed(by_channel[c.channel_id] for c in channels)
    if rebalances is not None and some.peer_pubkey is not None:
        profit = _charge(profit, rebalances.by_peer.get(some.peer_pubkey, 0))
    return PeerProfit(
        peer_pubkey=some.peer_pubkey,
        peer_alias=some.peer_alias,
        channels=tuple(c.channel_id for c in channels),
        profit=profit,
    )


def _charge(profit: Profit, msat: int) -> Profit:
    if profit.rebalance_cost_msat is None:
        return profit
    return Profit(
        earned_msat=profit.earned_msat,
        sourced_msat=profit.sourced_msat,
        rebalance_cost_msat=profit.rebalance_cost_msat + msat,
        onchain_cost_msat=profit.onchain_cost_msat,
        discount_given_msat=profit.discount_given_msat,
        discount_borne_msat=profit.discount_borne_msat,
        capital_msat=profit.capital_msat,
    )
