"""Channels with what was last known of them: balances, link state, policies of both ends."""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec import structs

from lnflow.domain.channel import ChannelState, Policy
from lnflow.store.records import StoredChannel, Usability
from lnflow.store.signed import from_signed

_POLICY = """SELECT chan, base_fee_msat, fee_ppm, time_lock_delta, min_htlc_msat, max_htlc_msat,
  inbound_base_fee_msat, inbound_fee_ppm, disabled, last_update_s, max(since_ns) FROM policy
  WHERE node_id = ? AND side = ? AND since_ns <= ? GROUP BY chan"""

_state = msgspec.json.Decoder(ChannelState)


def load_channels(con: sqlite3.Connection, node_id: int, at_ns: int) -> list[StoredChannel]:
    """Return every channel of the node, open, closed or provisional; the bucket of unknown ids is none."""
    scids: dict[int, list[int]] = {}
    for chan, scid in con.execute(
        "SELECT channel_id, scid FROM channel_scid WHERE node_id = ? ORDER BY scid", (node_id,)
    ):
        scids.setdefault(chan, []).append(from_signed(scid))
    facts: dict[int, ChannelState] = {}
    listed_ns: dict[int, int] = {}
    for chan, at, text in con.execute("SELECT chan, at_ns, facts FROM channel_state WHERE node_id = ?", (node_id,)):
        facts[chan] = _state.decode(text)
        if at <= at_ns:  # balances are stored when they change; a later listing found them the same
            listed_ns[chan] = at
    snapshots = {
        chan: (
            structs.replace(
                facts[chan], active=bool(active), local_msat=local, remote_msat=remote, unsettled_msat=unsettled
            ),
            max(at, listed_ns.get(chan, at)),
        )
        for chan, at, active, local, remote, unsettled in con.execute(
            """SELECT c.channel_id, s.at_ns, s.active, s.local_msat, s.remote_msat, s.unsettled_msat
               FROM channel c JOIN channel_snapshot s ON s.node_id = ?1
                 AND s.chan = c.channel_id AND s.at_ns = (SELECT max(at_ns) FROM channel_snapshot
                   WHERE node_id = ?1 AND chan = c.channel_id AND at_ns <= ?2)
               WHERE c.node_id = ?1""",
            (node_id, at_ns),
        )
    }
    online = {
        chan: (bool(active), at)
        for chan, active, at in con.execute(
            "SELECT chan, active, max(at_ns) FROM channel_online WHERE node_id = ? AND at_ns <= ? GROUP BY chan",
            (node_id, at_ns),
        )
    }
    policies = [
        {row[0]: (_policy(row[1:10]), row[10]) for row in con.execute(_POLICY, (node_id, side, at_ns))}
        for side in (0, 1)
    ]
    rows = con.execute(
        """SELECT channel_id, scid, channel_point, peer_id, pubkey, alias, capacity_sat, private, closed_height
           FROM channel LEFT JOIN peer USING (peer_id) WHERE channel.node_id = ? AND channel_id <> 0
           ORDER BY channel_id""",
        (node_id,),
    )
    result = []
    for chan, scid, point, peer_id, pubkey, alias, capacity_sat, private, closed_height in rows:
        state, state_ns = snapshots.get(chan, (None, None))
        active, active_ns = online.get(chan, (None, None))
        ours, ours_ns = policies[0].get(chan, (None, None))
        theirs, _ = policies[1].get(chan, (None, None))
        result.append(
            StoredChannel(
                channel_id=chan,
                scid=from_signed(scid) if scid is not None else None,
                scids=tuple(sorted(scids.get(chan, []))),
                channel_point=point,
                peer_id=peer_id,
                peer_pubkey=pubkey,
                peer_alias=alias,
                capacity_sat=capacity_sat,
                private=bool(private) if private is not None else None,
                closed_height=closed_height,
                state=state,
                state_ns=state_ns,
                active=active,
                active_ns=active_ns,
                ours=ours,
                ours_ns=ours_ns,
                theirs=theirs,
            )
        )
    return result


def _policy(row: tuple[int | None, ...]) -> Policy:
    base, ppm, delta, least, most, inbound_base, inbound_ppm, disabled, last_update_s = row
    return Policy(
        base_fee_msat=base or 0,
        fee_ppm=ppm or 0,
        time_lock_delta=delta or 0,
        min_htlc_msat=least or 0,
        max_htlc_msat=most,
        inbound_base_fee_msat=inbound_base or 0,
        inbound_fee_ppm=inbound_ppm or 0,
        disabled=bool(disabled),
        last_update_s=last_update_s,
    )


def load_usability(con: sqlite3.Connection, node_id: int, since_ns: int, until_ns: int) -> list[Usability]:
    """Return the time each link is known to have been up; before its first fact it was not watched."""
    rows = con.execute(
        """SELECT chan, at_ns, active FROM channel_online WHERE node_id = ?1 AND at_ns >= ?2 AND at_ns < ?3
           UNION ALL
           SELECT chan, max(at_ns), active FROM channel_online WHERE node_id = ?1 AND at_ns < ?2 GROUP BY chan
           ORDER BY 1, 2""",
        (node_id, since_ns, until_ns),
    ).fetchall()
    result: list[Usability] = []
    for n, (chan, at_ns, active) in enumerate(rows):
        begin_ns = max(at_ns, since_ns)
        end_ns = rows[n + 1][1] if n + 1 < len(rows) and rows[n + 1][0] == chan else until_ns
        watched_ns = max(0, end_ns - begin_ns)
        active_ns = watched_ns if active else 0
        if result and result[-1].chan == chan:
            last = result.pop()
            active_ns += last.active_ns
            watched_ns += last.watched_ns
        result.append(Usability(chan, active_ns, watched_ns))
    return result
