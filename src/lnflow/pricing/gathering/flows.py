"""Settled forwards by channel and window: from the store while a collector keeps it fresh, else from the node."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lnflow.domain.channel import ChannelState, NodeInfo
from lnflow.domain.time import MINUTE_NS, SECOND_NS
from lnflow.pricing.facts import Flow, Unknown
from lnflow.pricing.gathering.sources import Sources
from lnflow.pricing.matching.criteria import Needs
from lnflow.store.reading import StoreReader

FRESH_NS = 20 * MINUTE_NS  # a collector reads the history every 10 min; older than two of those is not "now"
RECENT_S = 30 * 86_400
HISTORY_PAGE = 10_000

Flows = Callable[[ChannelState, int, float], Flow | Unknown]
"""Return the sums of a channel over a window (in seconds); the last argument is how many days they reach."""


async def load_flows(sources: Sources, needs: Needs, info: NodeInfo, now_ns: int) -> Flows:
    windows = set(needs.flow_windows | needs.profit_windows)
    if "alternatives" in needs.facts:
        windows.add(RECENT_S)
    if not windows:
        return lambda state, window, days: Flow(days=days)
    if sources.store is not None and is_fresh(sources.store, info, now_ns):
        return _stored_flows(sources.store, windows, now_ns)
    sums = _Sums(sorted(windows), now_ns)
    since_ns = max(0, now_ns - max(windows) * SECOND_NS)
    async for page in sources.reader.forwards_since(since_ns, page_size=HISTORY_PAGE):
        for f in page:
            sums.add(f.in_scid, f.out_scid, f.at_ns, f.amount_in_msat, f.amount_out_msat)
    return lambda state, window, days: sums.flow((state.scid, *state.other_scids), window, days)


def is_fresh(store: StoreReader, info: NodeInfo, now_ns: int) -> bool:
    """Tell whether a collector keeps this node's settled forwards up to date."""
    last_ns = store.coverage(0, now_ns + 1).last_ns
    return store.node.pubkey == info.pubkey and last_ns is not None and now_ns - last_ns < FRESH_NS


def _stored_flows(store: StoreReader, windows: set[int], now_ns: int) -> Flows:
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
