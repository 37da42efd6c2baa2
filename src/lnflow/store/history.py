"""The whole history of a node, row by row: what an export is made of.  Memory does not grow with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.channel import ClosedChannel, Policy
from lnflow.domain.htlc import Attempt
from lnflow.store.reading import StoreReader
from lnflow.store.signed import from_signed

_FETCH = 10_000


class StoredAttempt(Struct, frozen=True, gc=False):
    """An attempt with what the exchange needs beside it.

    `history_ns` is when the node's own history says it settled; `seen_live` False means that only the
    history told of it.  `in_peer` and `out_peer` are public keys, None where they are not known.
    """

    attempt: Attempt
    history_ns: int | None
    seen_live: bool
    in_peer: str | None
    out_peer: str | None


class StoredPolicy(Struct, frozen=True, gc=False):
    """A policy of one end of a channel, from `since_ns` until the next one of that end."""

    channel_id: int
    is_ours: bool
    since_ns: int
    policy: Policy


class StoredBalance(Struct, frozen=True, gc=False):
    """What a listing or a link event said of one channel at one time; balances None: only the link."""

    at_ns: int
    channel_id: int
    active: bool
    local_msat: int | None
    remote_msat: int | None
    unsettled_msat: int | None


class StoreHistory(StoreReader):
    """A reader that also tells every single row."""

    def attempts(self, since_ns: int, until_ns: int) -> Iterator[StoredAttempt]:
        """Yield the raw attempts accounted in [since_ns, until_ns) in order of time, each once."""
        return _attempts(self._con, self.node.node_id, since_ns, until_ns)

    def balances(self) -> Iterator[StoredBalance]:
        """Yield everything listings and link events said, in order of time."""
        return _balances(self._con, self.node.node_id)

    def policies(self) -> Iterator[StoredPolicy]:
        """Yield the policies of both ends over time."""
        return _policies(self._con, self.node.node_id)

    def closed_channels(self) -> list[ClosedChannel]:
        """Return the channels that no longer exist."""
        return _closed_channels(self._con, self.node.node_id)


def _attempts(con: sqlite3.Connection, node_id: int, since_ns: int, until_ns: int) -> Iterator[StoredAttempt]:
    scids, peers = _channel_names(con, node_id)
    cursor = con.execute(
        """SELECT in_chan, in_htlc_id, out_chan, out_scid, out_htlc_id, out_used, amount_in_msat, amount_out_msat,
             arrived_ns, resolved_ns, history_ns, outcome, cause, wire_code, detail, live FROM attempt
           WHERE node_id = ? AND accounted_ns >= ? AND accounted_ns < ? AND twin IS NULL
           ORDER BY accounted_ns, attempt_id""",
        (node_id, since_ns, until_ns),
    )
    while rows := cursor.fetchmany(_FETCH):
        for (
            in_chan, in_htlc_id, out_chan, out_scid, out_htlc_id, out_used, amount_in, amount_out,
            arrived_ns, resolved_ns, history_ns, outcome, cause, wire_code, detail, live,
        ) in rows:  # fmt: skip
            attempt = Attempt(
                in_scid=scids.get(in_chan, 0),
                in_htlc_id=in_htlc_id,
                out_scid=from_signed(out_scid),
                out_htlc_id=out_htlc_id,
                out_used=bool(out_used),
                amount_in_msat=amount_in,
                amount_out_msat=amount_out,
                arrived_ns=arrived_ns,
                resolved_ns=resolved_ns,
                outcome=Outcome(outcome),
                cause=Cause(cause),
                wire_code=wire_code,
                detail=detail,
            )
            yield StoredAttempt(attempt, history_ns, bool(live), peers.get(in_chan), peers.get(out_chan))


def _balances(con: sqlite3.Connection, node_id: int) -> Iterator[StoredBalance]:
    cursor = con.execute(
        """SELECT at_ns, chan, active, local_msat, remote_msat, unsettled_msat FROM channel_snapshot WHERE node_id = ?1
           UNION ALL SELECT at_ns, chan, active, NULL, NULL, NULL FROM channel_online WHERE node_id = ?1
           ORDER BY 1, 2, 4""",
        (node_id,),
    )
    while rows := cursor.fetchmany(_FETCH):
        for at_ns, chan, active, local, remote, unsettled in rows:
            yield StoredBalance(at_ns, chan, bool(active), local, remote, unsettled)


def _policies(con: sqlite3.Connection, node_id: int) -> Iterator[StoredPolicy]:
    for row in con.execute(
        """SELECT chan, side, since_ns, base_fee_msat, fee_ppm, time_lock_delta, min_htlc_msat, max_htlc_msat,
             inbound_base_fee_msat, inbound_fee_ppm, disabled, last_update_s FROM policy WHERE node_id = ?
           ORDER BY since_ns, chan, side""",
        (node_id,),
    ):
        policy = Policy(
            base_fee_msat=row[3],
            fee_ppm=row[4],
            time_lock_delta=row[5],
            min_htlc_msat=row[6],
            max_htlc_msat=row[7],
            inbound_base_fee_msat=row[8],
            inbound_fee_ppm=row[9],
            disabled=bool(row[10]),
            last_update_s=row[11],
        )
        yield StoredPolicy(row[0], row[1] == 0, row[2], policy)


def _closed_channels(con: sqlite3.Connection, node_id: int) -> list[ClosedChannel]:
    scids: dict[int, list[int]] = {}
    for chan, scid in con.execute("SELECT channel_id, scid FROM channel_scid WHERE node_id = ?", (node_id,)):
        scids.setdefault(chan, []).append(from_signed(scid))
    return [
        ClosedChannel(
            channel_point=point,
            scid=from_signed(scid),
            other_scids=tuple(sorted(s for s in scids.get(chan, []) if s != from_signed(scid))),
            peer_pubkey=pubkey,
            capacity_sat=capacity_sat or 0,
            close_height=height,
            close_type=close_type or "",
            closing_txid="",
            settled_sat=0,
        )
        for chan, point, scid, pubkey, capacity_sat, height, close_type in con.execute(
            """SELECT channel_id, channel_point, channel.scid, pubkey, capacity_sat, closed_height, close_type
               FROM channel JOIN peer USING (peer_id)
               WHERE channel.node_id = ? AND closed_height IS NOT NULL AND channel_point IS NOT NULL
                 AND channel.scid IS NOT NULL""",
            (node_id,),
        )
    ]


def _channel_names(con: sqlite3.Connection, node_id: int) -> tuple[dict[int, int], dict[int, str | None]]:
    scids: dict[int, int] = {}
    peers: dict[int, str | None] = {}
    for chan, scid, pubkey in con.execute(
        "SELECT channel_id, scid, pubkey FROM channel LEFT JOIN peer USING (peer_id) WHERE channel.node_id = ?",
        (node_id,),
    ):
        if scid is not None:
            scids[chan] = from_signed(scid)
        peers[chan] = pubkey
    return scids, peers
