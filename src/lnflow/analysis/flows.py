"""What passes a channel, per covered day: net direction, class, and how long the balance will last."""

from __future__ import annotations

from typing import Literal

from lnflow.analysis.facts import ChannelFlow
from lnflow.domain.channel import ChannelFacts

FlowClass = Literal["source", "sink", "balanced", "dormant"]

NET_SHARE = 0.3  # of all that passes: a smaller net is called balanced
_DAY_S = 86_400


def flow_class(flow: ChannelFlow | None) -> FlowClass:
    """Return what the channel is to the node: a source brings payments in, a sink takes them out.

    It is told by the traffic itself, not by the capacity, so that large channels are not all "balanced".
    """
    if flow is None or flow.in_msat + flow.out_msat == 0:
        return "dormant"
    net = flow.out_msat - flow.in_msat
    if abs(net) < NET_SHARE * (flow.in_msat + flow.out_msat):
        return "balanced"
    return "sink" if net > 0 else "source"


def per_day_msat(amount_msat: int, length_s: float) -> int | None:
    """Return an amount of a window as a rate per day; None for an empty window.

    Settled forwards are known for the whole window (they are backfilled), so its length counts.
    """
    return round(amount_msat * _DAY_S / length_s) if length_s > 0 else None


def hours_to_empty(channel: ChannelFacts, flow: ChannelFlow | None, length_s: float) -> float | None:
    """Return when our balance is gone at the window's net outflow; None if it grows or is not known."""
    if flow is None or channel.local_msat is None or length_s <= 0:
        return None
    net = flow.out_msat - flow.in_msat
    if net <= 0:
        return None
    return round(channel.local_msat / (net / length_s) / 3600, 1)
