"""Channels with what was last known of them: balances, link state, policies of both ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lnflow.domain.channel import ChannelFacts, Policy
from lnflow.store.records import Listed, StoredChannel, Usability
from lnflow.store.signed import from_signed

_POLICY = (
    "base_fee_msat", "fee_ppm", "time_lock_delta", "min_htlc_msat", "max_htlc_msat", "inbound_base_fee_msat",
    "inbound_fee_ppm", "disabled", "last_update_s",
)  # fmt: skip


def _last(table: str, name: str, time: str, of: str = "") -> str:
    """Return a join with the last row of a channel's history before ?2; the length of the history costs nothing."""
    return f"""LEFT JOIN {table} {name} ON {name}.node_id = ?1 AND {name}.chan = c.channel_id{of.format(name)}
      AND {name}.{time} = (SELECT {time} FROM {table} x WHERE x.node_id = ?1 AND x.chan = c.channel_id
        {of.format("x")} AND x.{time} <= ?2 ORDER BY {time} DESC LIMIT 1)"""


_CHANNELS = f"""SELECT c.channel_id, c.scid, c.channel_point, c.peer_id, peer.pubkey, peer.alias, c.capacity_sat,
    c.private, c.closed_height, l.at_ns, l.facts, s.at_ns, s.active, s.local_msat, s.remote_msat, s.unsettled_msat,
    o.active, o.at_ns, a.since_ns, {", ".join(f"a.{n}" for n in _POLICY)}, b.since_ns,
    {", ".join(f"b.{n}" for n in _POLICY)}
  FROM channel c LEFT JOIN peer USING (peer_id)
  LEFT JOIN channel_state l ON l.node_id = ?1 AND l.chan = c.channel_id
  {_last("channel_snapshot", "s", "at_ns")} {_last("channel_online", "o", "at_ns")}
  {_last("policy", "a", "since_ns", " AND {}.side = 0")} {_last("policy", "b", "since_ns", " AND {}.side = 1")}
  WHERE c.node_id = ?1 AND c.channel_id <> 0"""

_IN_BRIEF = f"""SELECT c.channel_id, c.scid, c.channel_point, c.peer_id, peer.pubkey, peer.alias, c.capacity_sat,
    s.local_msat, s.remote_msat, CASE WHEN l.at_ns <= ?2 THEN max(s.at_ns, l.at_ns) ELSE s.at_ns END,
    c.closed_height IS NOT NULL, a.fee_ppm, a.max_htlc_msat
  FROM channel c NOT INDEXED LEFT JOIN peer USING (peer_id)
  LEFT JOIN channel_state l ON l.node_id = ?1 AND l.chan = c.channel_id
  {_last("channel_snapshot", "s", "at_ns")} {_last("policy", "a", "since_ns", " AND {}.side = 0")}
  WHERE c.node_id = ?1 AND c.channel_id <> 0 ORDER BY c.channel_id"""


def load_channels_in_brief(con: sqlite3.Connection, node_id: int, at_ns: int) -> list[ChannelFacts]:
    """Return what `load_channels` does without listings, links and the peers' policies, in a third of the time."""
    return [
        ChannelFacts(chan, None if scid is None else from_signed(scid), point, peer_id, pubkey, alias, capacity_sat,
                     local_msat, remote_msat, balance_ns, bool(closed), fee_ppm, max_htlc_msat)
        for chan, scid, point, peer_id, pubkey, alias, capacity_sat, local_msat, remote_msat, balance_ns, closed,
            fee_ppm, max_htlc_msat in con.execute(_IN_BRIEF, (node_id, at_ns))
    ]  # fmt: skip


def load_channels(con: sqlite3.Connection, node_id: int, at_ns: int) -> list[StoredChannel]:
    """Return every channel of the node, open, closed or provisional; the bucket of unknown ids is none."""
    scids: dict[int, list[int]] = {}
    for chan, scid in con.execute("SELECT channel_id, scid FROM channel_scid WHERE node_id = ?", (node_id,)):
        scids.setdefault(chan, []).append(from_signed(scid))
    result = []
    for (
        chan, scid, point, peer_id, pubkey, alias, capacity_sat, private, closed_height, listed_ns, facts, balance_ns,
        was_active, local_msat, remote_msat, unsettled_msat, active, active_ns, ours_ns, *policies,
    ) in con.execute(_CHANNELS, (node_id, at_ns)):  # fmt: skip
        listed = state_ns = None
        if balance_ns is not None:
            listed = Listed(
                facts=facts,
                was_active=bool(was_active),
                local_msat=local_msat,
                remote_msat=remote_msat,
                unsettled_msat=unsettled_msat,
            )
            # balances are stored when they change; a later listing found them the same
            state_ns = max(balance_ns, listed_ns) if listed_ns <= at_ns else balance_ns
        theirs_ns = policies[len(_POLICY)]
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
                listed=listed,
                state_ns=state_ns,
                active=bool(active) if active is not None else None,
                active_ns=active_ns,
                ours=_policy(policies[: len(_POLICY)]) if ours_ns is not None else None,
                ours_ns=ours_ns,
                theirs=_policy(policies[len(_POLICY) + 1 :]) if theirs_ns is not None else None,
            )
        )
    return sorted(result, key=lambda c: c.channel_id)


def _policy(row: Sequence[int | None]) -> Policy:
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
        """SELECT o.chan, o.at_ns, o.active FROM channel c JOIN channel_online o ON o.node_id = ?1
             AND o.chan = c.channel_id AND o.at_ns < ?3 AND o.at_ns >= coalesce((SELECT max(at_ns) FROM channel_online
               WHERE node_id = ?1 AND chan = c.channel_id AND at_ns < ?2), ?2)
           WHERE c.node_id = ?1 ORDER BY 1, 2""",
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
