"""What listings of our channels say: balances over time, and whether the links were up."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from lnflow.domain.channel import ChannelState


def write_state(con: sqlite3.Connection, node_id: int, chan: int, at_ns: int, state: ChannelState, thin: bool) -> bool:
    """Record what a listing says of a channel; tell whether its balances are new."""
    stored = _write_balances(con, node_id, chan, at_ns, state, thin)
    con.execute(
        """INSERT INTO channel_state VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
             SET at_ns = excluded.at_ns, facts = excluded.facts WHERE excluded.at_ns >= at_ns""",
        (node_id, chan, at_ns, msgspec.json.encode(state).decode()),
    )
    return stored


def _write_balances(
    con: sqlite3.Connection, node_id: int, chan: int, at_ns: int, state: ChannelState, thin: bool
) -> bool:
    values = (int(state.active), state.local_msat, state.remote_msat, state.unsettled_msat)
    if thin:
        last = con.execute(
            """SELECT active, local_msat, remote_msat, unsettled_msat FROM channel_snapshot
               WHERE node_id = ? AND chan = ? AND at_ns <= ? ORDER BY at_ns DESC LIMIT 1""",
            (node_id, chan, at_ns),
        ).fetchone()
        if last == values:
            return False
    stored = con.execute(
        "INSERT OR IGNORE INTO channel_snapshot VALUES (?, ?, ?, ?, ?, ?, ?)",
        (node_id, chan, at_ns, *values),
    ).rowcount
    if not (thin and _last_online(con, node_id, chan, at_ns) == state.active):
        _set_online(con, node_id, chan, at_ns, state.active)
    return stored > 0


def mark_gone(con: sqlite3.Connection, node_id: int, at_ns: int, points: Sequence[str], thin: bool) -> None:
    """A channel once listed and now not is no link any more; with `thin` that is said once."""
    listed = set(points)
    for chan, point in con.execute(
        "SELECT channel_id, channel_point FROM channel WHERE node_id = ? AND channel_point IS NOT NULL",
        (node_id,),
    ).fetchall():
        if point not in listed:
            seen = con.execute(
                "SELECT 1 FROM channel_snapshot WHERE node_id = ? AND chan = ? AND at_ns < ? LIMIT 1",
                (node_id, chan, at_ns),
            ).fetchone()
            if seen and not (thin and _last_online(con, node_id, chan, at_ns) == 0):
                _set_online(con, node_id, chan, at_ns, False)


def set_online(
    con: sqlite3.Connection,
    node_id: int,
    channel_point: str | None,
    peer_pubkey: str | None,
    at_ns: int,
    active: bool,
) -> None:
    """Record that the link of a channel, or all links of a peer, came up or went down."""
    rows = con.execute(
        """SELECT channel_id FROM channel LEFT JOIN peer USING (peer_id)
           WHERE channel.node_id = ? AND closed_height IS NULL AND (channel_point = ? OR pubkey = ?)""",
        (node_id, channel_point, peer_pubkey),
    ).fetchall()
    for (chan,) in rows:
        _set_online(con, node_id, chan, at_ns, active)


def _last_online(con: sqlite3.Connection, node_id: int, chan: int, at_ns: int) -> int | None:
    row = con.execute(
        """SELECT active FROM channel_online WHERE node_id = ? AND chan = ? AND at_ns <= ?
           ORDER BY at_ns DESC LIMIT 1""",
        (node_id, chan, at_ns),
    ).fetchone()
    return int(row[0]) if row is not None else None


def _set_online(con: sqlite3.Connection, node_id: int, chan: int, at_ns: int, active: bool) -> None:
    con.execute(
        "INSERT INTO channel_online VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET active = min(active, excluded.active)",
        (node_id, chan, at_ns, active),
    )
