"""Whose a channel is: peers as numbers, since a node forwards to a peer by whichever channel it likes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from lnflow.analysis.columns import Ints
from lnflow.analysis.problems import Standing, standing_of
from lnflow.domain.channel import ChannelFacts


class Peers:
    """The peers of a node, numbered from 0; the last number stands for nobody, whose channels are not ours."""

    def __init__(self, channels: Sequence[ChannelFacts]) -> None:
        by_peer: dict[Hashable, list[ChannelFacts]] = {}
        for channel in channels:
            by_peer.setdefault(_peer(channel), []).append(channel)
        self.nobody = len(by_peer)
        self.channels: list[tuple[ChannelFacts, ...]] = [*map(tuple, by_peer.values()), ()]
        most = max((c.channel_id for c in channels), default=0)
        self._peer = np.full(most + 2, self.nobody)
        self._standing = np.full(most + 2, int(Standing.NOT_OURS))
        ids = [channel.channel_id for own in by_peer.values() for channel in own]
        self._peer[ids] = [number for number, own in enumerate(by_peer.values()) for _ in own]
        self._standing[ids] = [standing_of(channel) for own in by_peer.values() for channel in own]

    def __len__(self) -> int:
        return len(self.channels)

    def of(self, channel_ids: Ints) -> Ints:
        """Return the number of each channel's peer."""
        return self._peer[np.minimum(channel_ids, len(self._peer) - 1)]

    def standing(self, channel_ids: Ints) -> Ints:
        return self._standing[np.minimum(channel_ids, len(self._standing) - 1)]


def _peer(channel: ChannelFacts) -> Hashable:
    """Return what channels are grouped by: the peer, or the channel while its peer is not known."""
    return ("peer", channel.peer_id) if channel.peer_id is not None else ("channel", channel.channel_id)
