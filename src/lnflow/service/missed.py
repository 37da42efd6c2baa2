"""Expected missed revenue by channel, for rules that ask `missed.7d.min`."""

from __future__ import annotations

from collections.abc import Mapping

from lnflow.analysis.facts import Window
from lnflow.analysis.finding import Finding
from lnflow.analysis.findings import find
from lnflow.domain.causes import Problem
from lnflow.domain.time import SECOND_NS
from lnflow.pricing.facts import Unknown
from lnflow.service.loading import load_window
from lnflow.store.reading import StoreReader

COUNTED = frozenset({Problem.LIQUIDITY, Problem.FEE})


def missed_by_channel(store: StoreReader, window_s: int, now_ns: int) -> Mapping[str, int] | Unknown:
    """Return msat by channel point of what liquidity or the price cost, in covered time of the window.

    A finding is of a peer, since the node forwards non-strictly; it is divided among the peer's channels as
    they were asked for.  Channels that are left out missed nothing.
    """
    window = Window(since_ns=now_ns - window_s * SECOND_NS, until_ns=now_ns)
    if store.coverage(window.since_ns, window.until_ns).covered_ns == 0:
        return Unknown("nothing was listened to in the window: run 'lnflow monitor'")
    found: dict[str, int] = {}
    for finding in find(load_window(store, window)).findings:
        if finding.problem in COUNTED:
            for point, msat in divided(finding).items():
                found[point] = found.get(point, 0) + msat
    return found


def divided(finding: Finding) -> dict[str, int]:
    """Return the finding's expected msat by channel point, by the attempts on each."""
    points = {c.channel_id: c.channel_point for c in finding.channels if c.channel_point is not None}
    attempts = {points[chan]: n for chan, n in finding.attempts_by_channel.items() if chan in points}
    total = sum(attempts.values())
    return {point: finding.expected_msat * n // total for point, n in attempts.items()} if total else {}
