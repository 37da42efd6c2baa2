"""Peers, and which channels have the same one: channels of one peer share their wishes."""

from __future__ import annotations

import sqlite3
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray


class PeersOfChannels:
    """All channels as they are known now, by the peer that they have."""

    def __init__(self, con: sqlite3.Connection) -> None:
        rows = con.execute("SELECT channel_id, coalesce(peer_id, -channel_id), capacity_sat FROM channel").fetchall()
        self.numbers: NDArray[np.int64] = -np.arange(max(chan for chan, _, _ in rows) + 1)
        """What stands for the peer of each channel: its number, or minus the channel's own."""
        self._channels: defaultdict[int, list[int]] = defaultdict(list)
        self._largest_sat: dict[int, int] = {}
        for chan, peer, capacity_sat in rows:
            self.numbers[chan] = peer
            self._channels[peer].append(chan)
            if capacity_sat is not None:
                self._largest_sat[peer] = max(capacity_sat, self._largest_sat.get(peer, 0))

    def channels_beside(self, chan: int) -> list[int]:
        """Return all channels with a channel's peer, itself among them."""
        return self._channels[int(self.numbers[chan])]

    def largest_sat(self, chan: int) -> int | None:
        """Return the capacity of the largest channel with a channel's peer, None if none is known."""
        return self._largest_sat.get(int(self.numbers[chan]))


def peer_id(con: sqlite3.Connection, node_id: int, pubkey: str, alias: str | None = None) -> int:
    """Return the number of a peer, which is new or learns its alias."""
    row = con.execute(
        """INSERT INTO peer (node_id, pubkey, alias) VALUES (?, ?, ?)
           ON CONFLICT DO UPDATE SET alias = coalesce(excluded.alias, alias) RETURNING peer_id""",
        (node_id, pubkey, alias or None),
    ).fetchone()
    return int(row[0])


def write_aliases(con: sqlite3.Connection, node_id: int, names: dict[str, str]) -> int:
    """Record announced names of peers that we have; return how many are new."""
    return sum(
        con.execute(
            "UPDATE peer SET alias = ?1 WHERE node_id = ?2 AND pubkey = ?3 AND alias IS NOT ?1",
            (alias, node_id, pubkey),
        ).rowcount
        for pubkey, alias in names.items()
    )
