"""What is known of each peer besides its refusals: how its wishes end, what it moves and earns."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from lnflow.analysis.chance import CLASSES, UNKNOWN, SettleChances
from lnflow.analysis.columns import Floats, Ints
from lnflow.analysis.facts import WindowFacts
from lnflow.analysis.peers import Peers


class Evidence(Struct, frozen=True, kw_only=True):
    """By the number of the peer."""

    chances: SettleChances
    settled: Ints
    """Wishes that we passed on at once and that paid us; `downstream` did not."""
    downstream: Ints
    volume_msat: Ints
    earned_msat: Ints
    parts: Floats
    """How large a whole is compared with what was shown first, of the wishes that we passed on at once."""


def gather(facts: WindowFacts, peers: Peers) -> Evidence:
    ends = facts.ends
    peer = peers.of(ends.channel_id)

    def by_peer(numbers: Ints, values: Ints) -> Ints:
        sums = np.zeros(len(peers), np.int64)
        np.add.at(sums, numbers, values)
        return sums

    settled, downstream = np.zeros((2, len(peers), CLASSES + 1), np.int64)
    np.add.at(settled, (peer, ends.amount_class), ends.settled)
    np.add.at(downstream, (peer, ends.amount_class), ends.downstream)
    sized = ends.amount_class != UNKNOWN
    arrived = np.zeros(CLASSES, np.int64)
    np.add.at(arrived, ends.amount_class[sized], ends.arrived_msat[sized])

    whole, part = by_peer(peer, ends.amount_msat), by_peer(peer, ends.part_msat)
    left = facts.departures
    leaving_to = peers.of(left.channel_id)
    return Evidence(
        chances=SettleChances(settled, downstream, arrived),
        settled=settled.sum(axis=1),
        downstream=downstream.sum(axis=1),
        volume_msat=by_peer(leaving_to, left.out_msat),
        earned_msat=by_peer(leaving_to, left.earned_msat),
        parts=np.divide(whole, part, out=np.ones(len(peers)), where=part > 0),
    )
