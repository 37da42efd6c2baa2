"""What a kind of node cannot set per channel, in words for the operator: never dropped silently."""

from __future__ import annotations

from msgspec import Struct

INBOUND_SINCE = (0, 18, 0)  # LND


class Lacks(Struct, frozen=True, kw_only=True):
    """Why the node has no such thing per channel; None where it has."""

    inbound_fees: str | None = None
    time_lock_delta: str | None = None
    disabling: str | None = None


CORE_LIGHTNING = Lacks(
    inbound_fees="Core Lightning has no inbound fees",
    time_lock_delta="Core Lightning has one cltv-delta for all channels (option cltv-delta), not one per channel",
    disabling="Core Lightning cannot disable a channel that stays open",
)
OLD_LND = Lacks(inbound_fees="LND has inbound fees from 0.18 on")


def lacks_of(implementation: str, version: tuple[int, int, int]) -> Lacks:
    """Return what this node lacks; `implementation` is `lnd` or `cln`."""
    if implementation != "lnd":
        return CORE_LIGHTNING
    return Lacks() if version >= INBOUND_SINCE else OLD_LND
