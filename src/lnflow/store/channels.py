"""The dictionary of channels: every id and alias ever seen, and what becomes of rows when we learn more.

A channel first met by a short channel id is provisional; when its funding outpoint is learnt the entry is
completed, or merged with the one that has it.  Ids that are not ours share channel 0, so that senders who
invent ids cannot make the dictionary or the rollups grow.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from lnflow.domain.causes import Cause
from lnflow.domain.channel import ChannelState, ClosedChannel
from lnflow.domain.demand import PERIOD_NS
from lnflow.store import attempts, rollups, twins
from lnflow.store.demands import DemandKeeper
from lnflow.store.rows import columns_of
from lnflow.store.signed import from_signed, to_signed

UNKNOWN_CHANNEL = 0

# Before these checks the link to the requested channel had not been looked up: the id may be invented.
_ID_NOT_PROVEN = frozenset(
    {
        Cause.UNKNOWN_NEXT_PEER,
        Cause.FORWARDS_DISABLED,
        Cause.UNRECOGNISED,
        Cause.NO_DETAIL,
        Cause.UNATTRIBUTED,
    }
)


def proves_channel(out_used: int, cause: int) -> bool:
    """Tell whether an event could only happen on a channel that we have."""
    return bool(out_used) or (cause != Cause.NONE and cause not in _ID_NOT_PROVEN)


class ChannelDictionary:
    """Short channel ids of one node → small integers, cached; all changes inside the caller's transaction."""

    def __init__(
        self, con: sqlite3.Connection, node_id: int, demands: DemandKeeper, stored_ids: attempts.StoredIds
    ) -> None:
        self._con = con
        self._demands = demands
        self._stored_ids = stored_ids
        self._node_id = node_id
        self._ids: dict[int, int] = {}
        self.reload()

    def reload(self) -> None:
        """Read the dictionary again (after a rollback, or when another process may have written)."""
        rows = self._con.execute("SELECT scid, channel_id FROM channel_scid WHERE node_id = ?", (self._node_id,))
        self._ids = {from_signed(stored): channel_id for stored, channel_id in rows}

    @property
    def ids(self) -> Mapping[int, int]:
        """The channels by all their (unsigned) ids, as known now."""
        return self._ids

    def incoming(self, scid: int) -> int:
        """Return the channel an HTLC came in by: always ours, so it is created when new."""
        found = self._ids.get(scid)
        return found if found is not None else self._create_provisional(scid)

    def outgoing(self, scid: int, proven: bool) -> int:
        """Return the channel an HTLC was to leave by; unknown ids are ours only if `proven`."""
        if not scid:
            return UNKNOWN_CHANNEL
        found = self._ids.get(scid)
        if found is not None:
            return found
        return self._create_provisional(scid) if proven else UNKNOWN_CHANNEL

    def learn(self, state: ChannelState | ClosedChannel, peer_id: int) -> int:
        """Record a channel of ours with its outpoint and ids; return its number."""
        scids = [s for s in (state.scid, *state.other_scids) if s]
        row = self._con.execute(
            "SELECT channel_id FROM channel WHERE node_id = ? AND channel_point = ?",
            (self._node_id, state.channel_point),
        ).fetchone()
        channel_id: int | None = row[0] if row else None
        provisional = [c for c in dict.fromkeys(self._ids.get(s) for s in scids) if c is not None]
        provisional = [c for c in provisional if c != channel_id and self._is_provisional(c)]
        if channel_id is None:
            if provisional:
                channel_id = provisional.pop(0)
                self._con.execute(
                    "UPDATE channel SET channel_point = ? WHERE channel_id = ?",
                    (state.channel_point, channel_id),
                )
            else:
                channel_id = self._insert(None, state.channel_point)
        for other in provisional:
            self._merge(other, channel_id)
        for scid in scids:
            if self._ids.get(scid) is None:
                self._map(scid, channel_id)
        before = self._con.execute("SELECT peer_id FROM channel WHERE channel_id = ?", (channel_id,)).fetchone()
        self._con.execute(
            "UPDATE channel SET scid = ?, peer_id = ?, capacity_sat = ? WHERE channel_id = ?",
            (to_signed(state.scid) if state.scid else None, peer_id, state.capacity_sat, channel_id),
        )
        if before[0] != peer_id:
            self._demands.forget()
            self._remake_demands_of(channel_id)
        if isinstance(state, ChannelState):
            self._con.execute(
                "UPDATE channel SET initiator = ?, private = ? WHERE channel_id = ?",
                (state.initiator, state.private, channel_id),
            )
        else:
            self._con.execute(
                "UPDATE channel SET closed_height = ?, close_type = ? WHERE channel_id = ?",
                (state.close_height, state.close_type, channel_id),
            )
        return channel_id

    def _is_provisional(self, channel_id: int) -> bool:
        row = self._con.execute(
            "SELECT channel_point IS NULL FROM channel WHERE channel_id = ?", (channel_id,)
        ).fetchone()
        return bool(row[0])

    def _create_provisional(self, scid: int) -> int:
        channel_id = self._insert(scid, None)
        self._map(scid, channel_id)
        return channel_id

    def _insert(self, scid: int | None, channel_point: str | None) -> int:
        cursor = self._con.execute(
            "INSERT INTO channel (node_id, scid, channel_point) VALUES (?, ?, ?)",
            (self._node_id, to_signed(scid) if scid is not None else None, channel_point),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _map(self, scid: int, channel_id: int) -> None:
        self._con.execute(
            "INSERT INTO channel_scid (node_id, scid, channel_id) VALUES (?, ?, ?)",
            (self._node_id, to_signed(scid), channel_id),
        )
        self._ids[scid] = channel_id
        self._adopt(scid, channel_id)

    def _adopt(self, scid: int, channel_id: int) -> None:
        """Give rows that asked for an id nobody knew to the channel it turned out to be."""
        con = self._con
        waiting = "a.node_id = ? AND a.out_scid = ? AND a.out_chan = 0 AND a.out_scid <> 0"
        params = (self._node_id, to_signed(scid))
        arrivals = con.execute(
            f"SELECT coalesce(a.arrived_ns, a.accounted_ns) FROM attempt a WHERE {waiting}", params
        ).fetchall()
        if not arrivals:
            return
        shares = rollups.shares_of(con, -1, waiting, params)
        shares += [(1, *share[1:3], channel_id, *share[4:]) for share in shares]
        con.execute(f"UPDATE attempt AS a SET out_chan = ? WHERE {waiting}", (channel_id, *params))
        rollups.fold(con, self._node_id, shares)
        self._demands.changed(at_ns for (at_ns,) in arrivals)

    def _merge(self, old: int, new: int) -> None:
        """Make two entries of one channel one: raw rows, rollups and facts move to `new`."""
        con, node_id = self._con, self._node_id
        # What is stored under both ids is one: take one row out and give its facts to the other.
        here = f"(CASE a.{{0}} WHEN {old:d} THEN {new:d} ELSE a.{{0}} END)"
        same_row = " AND ".join(
            (
                "b.in_htlc_id IS NULL",
                *(f"b.{c} = {here.format(c)}" for c in ("in_chan", "out_chan")),
                *(f"b.{c} IS a.{c}" for c in ("amount_in_msat", "amount_out_msat", "history_ns", "ordinal")),
            )
        )
        doubled = f"""a.node_id = ?1 AND CASE WHEN a.in_htlc_id IS NOT NULL
            THEN a.in_chan = ?2 AND a.in_htlc_id IN (SELECT in_htlc_id FROM attempt WHERE node_id = ?1 AND in_chan = ?3)
            ELSE (a.in_chan = ?2 OR a.out_chan = ?2) AND EXISTS (SELECT 1 FROM attempt b WHERE b.node_id = ?1
              AND b.attempt_id <> a.attempt_id AND {same_row}) END"""
        params = (node_id, old, new)
        facts = con.execute(
            f"""SELECT {here.format("in_chan")}, in_htlc_id, {here.format("out_chan")}, out_scid, out_htlc_id,
                  out_used, out_at_ns, amount_in_msat, amount_out_msat, arrived_ns, resolved_ns, history_ns, outcome,
                  cause, wire_code, detail, live, 0, ordinal FROM attempt a WHERE {doubled}""",
            params,
        ).fetchall()
        shares = rollups.shares_of(con, -1, doubled, params)
        gone = con.execute(f"SELECT attempt_id FROM attempt a WHERE {doubled}", params).fetchall()
        lost = set(gone)
        for attempt_id, twin in con.execute(
            "SELECT attempt_id, twin FROM attempt WHERE node_id = ? AND twin IS NOT NULL AND ?", (node_id, bool(gone))
        ).fetchall():
            if (twin,) in lost and (attempt_id,) not in lost:  # it counts again, until it is matched anew
                con.execute("UPDATE attempt SET twin = NULL WHERE attempt_id = ?", (attempt_id,))
                shares += rollups.shares_of(con, 1, "a.attempt_id = ?", (attempt_id,))
        con.executemany("DELETE FROM attempt WHERE attempt_id = ?", gone)
        rollups.fold(con, node_id, shares)
        for column in ("in_chan", "out_chan"):
            con.execute(f"UPDATE attempt SET {column} = ? WHERE node_id = ? AND {column} = ?", (new, node_id, old))
        _move_rollups(con, node_id, old, new)
        for table in ("channel_snapshot", "channel_state", "policy", "channel_online"):
            con.execute(f"UPDATE OR REPLACE {table} SET chan = ? WHERE node_id = ? AND chan = ?", (new, node_id, old))
        con.execute("UPDATE channel_scid SET channel_id = ? WHERE node_id = ? AND channel_id = ?", (new, node_id, old))
        con.execute("DELETE FROM channel WHERE channel_id = ?", (old,))
        self._ids = {scid: new if c == old else c for scid, c in self._ids.items()}
        self._stored_ids.clear()
        attempts.upsert(con, node_id, self._stored_ids, columns_of(facts))
        twins.match_channel(con, node_id, new)
        self._remake_demands_of(new)

    def _remake_demands_of(self, channel_id: int) -> None:
        """What is known of a channel changed: so may the wishes that its attempts belong to."""
        periods = self._con.execute(
            f"""SELECT DISTINCT coalesce(arrived_ns, accounted_ns) / {PERIOD_NS} FROM attempt WHERE node_id = ?1
                  AND (in_chan = ?2 OR out_chan = ?2)""",
            (self._node_id, channel_id),
        ).fetchall()
        for (period,) in periods:
            self._demands.mark_dirty(period * PERIOD_NS, (period + 1) * PERIOD_NS - 1)


def _move_rollups(con: sqlite3.Connection, node_id: int, old: int, new: int) -> None:
    """Add the rollup rows of one channel to another's."""
    tables = {
        "channel_hour": ("chan", ["node_id", "hour", "chan"]),
        "refusal_hour": ("chan", ["node_id", "hour", "chan", "cause"]),
        "pair_day": ("in_chan", ["node_id", "day", "in_chan", "out_chan", "outcome", "cause"]),
        "served": ("chan", ["node_id", "period", "chan", "amount_class"]),
    }
    moves = [(t, column, key) for t, (column, key) in tables.items()]
    moves.append(("pair_day", "out_chan", tables["pair_day"][1]))
    for table, column, key in moves:
        names = [r[1] for r in con.execute(f"PRAGMA table_info({table})")]
        values = [n for n in names if n not in key]
        selected = ", ".join(str(new) if n == column else n for n in names)
        adds = ", ".join(f"{v} = {v} + excluded.{v}" for v in values)
        con.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {selected} FROM {table}"
            f" WHERE node_id = ? AND {column} = ? ON CONFLICT DO UPDATE SET {adds}",
            (node_id, old),
        )
        con.execute(f"DELETE FROM {table} WHERE node_id = ? AND {column} = ?", (node_id, old))
    con.execute("DELETE FROM running_total WHERE node_id = ?", (node_id,))
    con.execute("UPDATE node_state SET totals_through = NULL, blocks_through = NULL WHERE node_id = ?", (node_id,))
