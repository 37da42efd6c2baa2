"""Times that nothing of a Lightning node can have: one of them would stretch the coverage over decades."""

from __future__ import annotations

from lnflow.domain.htlc import Attempt, DownstreamFailed, Forward, Offered, Refused, Resolved, Settled, Subscribed
from lnflow.domain.time import SECOND_NS, iso_utc
from lnflow.ingest.files.items import ChannelSnapshot, ClnForward, Coverage, FileItem, PolicyRecord

EARLIEST_NS = 1_514_764_800 * SECOND_NS  # 2018: no node before it forwarded on mainnet
LATEST_NS = 4_102_444_800 * SECOND_NS  # 2100; a clock some years ahead is the operator's, and may be this machine's

_AT = ("at_ns",)
_TIMES: dict[type, tuple[str, ...]] = {
    **dict.fromkeys((Offered, Settled, DownstreamFailed, Refused, Resolved, Subscribed, Forward), _AT),
    **dict.fromkeys((ChannelSnapshot, PolicyRecord), _AT),
    Attempt: ("arrived_ns", "resolved_ns"),
    Coverage: ("since_ns", "until_ns"),
}


def misdated(item: FileItem) -> str | None:
    """Return what is wrong with the times of an item; None if they can be, or it has none."""
    dated = item.attempt if isinstance(item, ClnForward) else item
    for name in _TIMES.get(type(dated), ()):
        at_ns = getattr(dated, name)
        if at_ns is None or EARLIEST_NS <= at_ns < LATEST_NS:
            continue
        if at_ns or not isinstance(dated, Subscribed):  # a subscription has no time of its own
            return (
                f"its time is {iso_utc(at_ns)}: nothing of a Lightning node is from before 2018 or after 2100"
                " (are these nanoseconds since 1970?)"
            )
    return None
