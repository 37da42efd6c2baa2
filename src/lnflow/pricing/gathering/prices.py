"""What a channel earned at each of its earlier prices."""

from __future__ import annotations

from collections.abc import Mapping

from lnflow.domain.time import DAY_NS
from lnflow.pricing.facts import PriceLevel, Unknown
from lnflow.pricing.matching.criteria import Needs
from lnflow.store.intervals import within
from lnflow.store.price_history import PriceHistory
from lnflow.store.reading import StoreReader

PRICE_DAYS = 90


def load_price_levels(
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
