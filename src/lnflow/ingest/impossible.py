"""What nothing of a Lightning node can have: one such time covers decades, a few such amounts burst every sum."""

from __future__ import annotations

from lnflow.domain.amounts import MOST_MSAT
from lnflow.domain.htlc import Attempt, DownstreamFailed, Forward, Offered, Refused, Resolved, Settled, Subscribed
from lnflow.domain.time import SECOND_NS, iso_utc
from lnflow.ingest.files.items import ChannelSnapshot, ClnForward, Coverage, FileItem, PolicyRecord

EARLIEST_NS = 1_514_764_800 * SECOND_NS  # 2018: no node before it forwarded on mainnet
LATEST_NS = 4_102_444_800 * SECOND_NS  # 2100; a clock some years ahead is the operator's, and may be this machine's

_TIMES: dict[type, tuple[str, ...]] = {
    **dict.fromkeys((Offered, Settled, DownstreamFailed, Refused, Resolved, Subscribed, Forward), ("at_ns",)),
    **dict.fromkeys((ChannelSnapshot, PolicyRecord), ("at_ns",)),
    Attempt: ("arrived_ns", "resolved_ns"),
    Coverage: ("since_ns", "until_ns"),
}


def impossible(item: FileItem) -> str | None:
    """Return what of an item cannot be, None if all of it can.  Amounts of events are the decoder's to look at."""
    told = item.attempt if isinstance(item, ClnForward) else item
    for name in _TIMES.get(type(told), ()):
        at_ns = getattr(told, name)
        if at_ns is None or EARLIEST_NS <= at_ns < LATEST_NS:
            continue
        if at_ns or not isinstance(told, Subscribed):  # a subscription has no time of its own
            return (
                f"its time is {iso_utc(at_ns)}: nothing of a Lightning node is from before 2018 or after 2100"
                " (are these nanoseconds since 1970?)"
            )
    if isinstance(told, Forward | Attempt) and max(told.amount_in_msat or 0, told.amount_out_msat or 0) > MOST_MSAT:
        return f"an amount is above {MOST_MSAT:,} msat: all channels of Lightning together do not hold as much"
    return None
