"""The one writer of a store: batches of facts go in, each in one transaction.

Several programs may hold a writer for the same file; SQLite lets one of them write at a time, and every
transaction here is short.  The collector of a node also holds its lease (`lease.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.channel import (
    ChannelPolicies,
    ChannelState,
    ClosedChannel,
    NodeInfo,
    Policy,
)
from lnflow.domain.costs import CircularHtlc, WalletTransaction
from lnflow.domain.demand import Try
from lnflow.domain.errors import ConfigurationError, StoreError
from lnflow.domain.time import HOUR_NS
from lnflow.store import attempts, costs, totals, twins
from lnflow.store.channels import ChannelDictionary, proves_channel
from lnflow.store.database import explained, open_writer, transaction
from lnflow.store.demands import DemandKeeper
from lnflow.store.rows import AttemptFacts, WriteReport
from lnflow.store.signed import to_signed

OUR_SIDE, PEER_SIDE = 0, 1

T = TypeVar("T")

Row = tuple[int | None, ...]


class StoreWriter:
    """Writes for one node.  Methods are blocking: call them from a thread that may wait for the disk."""

    def __init__(self, path: Path, node_name: str) -> None:
        self.path = path
        self.node_name = node_name
        self._con = open_writer(path)
        with explained(path):
            attempts.prepare(self._con)
            self._con.execute("PRAGMA optimize")
            with transaction(self._con):
                self.node_id = self._node_id(node_name)
                self._demands = DemandKeeper(self._con, self.node_id)
                self._channels = ChannelDictionary(self._con, self.node_id, self._demands)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Checkpoint and close; harmless when done twice."""
        with explained(self.path):
            self._con.close()

    # -- attempts ---------------------------------------------------------------------------------------

    def write_batch(
        self,
        facts: Iterable[AttemptFacts],
        *,
        counters: dict[str, int] | None = None,
        cursors: dict[str, int] | None = None,
        covered: tuple[str, int, int, str] | None = None,
    ) -> WriteReport:
        """Store facts of HTLCs with what belongs to the same instant, in one transaction.

        `counters` are added, `cursors` set; `covered` is (source, since_ns, until_ns, reason): the interval
        that starts at since_ns now reaches to until_ns.  Facts of one HTLC must come in one piece.
        """
        return self._transact(lambda: self._write_batch(facts, counters, cursors, covered))

    def _write_batch(
        self,
        facts: Iterable[AttemptFacts],
        counters: dict[str, int] | None,
        cursors: dict[str, int] | None,
        covered: tuple[str, int, int, str] | None,
    ) -> WriteReport:
        rows, again, has_no_id = self._stage(facts)
        report = WriteReport()
        if rows:
            report = self._write_attempts(rows)
            twins.match(self._con, self.node_id, rows, has_no_id)
        for row in again:  # one HTLC under two ids of its channel
            report.known += self._write_attempts([row]).known
        for name, more_of_it in (counters or {}).items():
            self._con.execute(
                "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (self.node_id, name, more_of_it),
            )
        self._set_cursors(cursors or {})
        if covered is not None:
            self._cover(*covered)
        return report

    def _write_attempts(self, rows: list[Row]) -> WriteReport:
        arrivals_ns = [row[_ARRIVED] for row in rows]
        self._demands.before_batch([at_ns for at_ns in arrivals_ns if at_ns is not None])
        report, not_new = attempts.upsert(self._con, self.node_id, rows)
        self._demands.take(_try(row) for n, row in enumerate(rows) if row[_ARRIVED] is not None and n not in not_new)
        if not_new:
            again = (arrivals_ns[n] for n in not_new)
            self._demands.changed(at_ns for at_ns in again if at_ns is not None)
        return report

    def _stage(self, facts: Iterable[AttemptFacts]) -> tuple[list[Row], list[Row], bool]:
        rows: list[Row] = []
        again: list[Row] = []
        seen: set[tuple[int, int]] = set()
        incoming, outgoing = self._channels.incoming, self._channels.outgoing
        has_no_id = False
        unknown: list[int] = []
        for f in facts:
            if f.only_known:
                known = self._channels.known(f.in_scid)
                if known is None:
                    continue  # a receive, or from before our time
                in_chan, out_chan = known, 0
            else:
                in_chan = incoming(f.in_scid)
                out_chan = outgoing(f.out_scid, proves_channel(f.out_used, f.cause))
            row = (
                in_chan, f.in_htlc_id, out_chan, to_signed(f.out_scid), f.out_htlc_id, f.out_used, f.out_at_ns,
                f.amount_in_msat, f.amount_out_msat, f.arrived_ns, f.resolved_ns, f.history_ns, f.outcome,
                f.cause, f.wire_code, f.detail, f.live, f.only_known, f.ordinal, f.whole_seconds,
            )  # fmt: skip
            if f.in_htlc_id is None:
                has_no_id = True
            else:
                key = (in_chan, f.in_htlc_id)
                if key in seen:
                    again.append(row)
                    continue
                seen.add(key)
            if not out_chan and f.out_scid:
                unknown.append(len(rows))
            rows.append(row)
        for n in unknown:  # a later row of the batch may have shown that the id is ours
            known = self._channels.known_stored(rows[n][3] or 0)
            if known is not None:
                rows[n] = (*rows[n][:2], known, *rows[n][3:])
        return rows, again, has_no_id

    def _set_cursors(self, cursors: dict[str, int]) -> None:
        for name, value in cursors.items():
            self._con.execute(
                "INSERT INTO cursor VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                (self.node_id, name, value),
            )

    # -- coverage ---------------------------------------------------------------------------------------

    def cover(self, source: str, since_ns: int, until_ns: int, reason: str = "") -> None:
        """Record that we listened from `since_ns` to `until_ns`; the same interval may grow later."""
        self._transact(lambda: self._cover(source, since_ns, until_ns, reason))

    def _cover(self, source: str, since_ns: int, until_ns: int, reason: str) -> None:
        self._con.execute(
            """INSERT INTO coverage (node_id, source, since_ns, until_ns, reason) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (node_id, source, since_ns) DO UPDATE SET until_ns = max(until_ns, excluded.until_ns),
                 reason = CASE WHEN excluded.reason <> '' THEN excluded.reason ELSE reason END""",
            (self.node_id, source, since_ns, until_ns, reason),
        )

    # -- facts about the node ---------------------------------------------------------------------------

    def bind_node(self, info: NodeInfo, at_ns: int) -> None:
        """Record who the node is; `ConfigurationError` if this name belongs to another public key."""
        self._transact(lambda: self._bind_node(info, at_ns))

    def _bind_node(self, info: NodeInfo, at_ns: int) -> None:
        bound = self._con.execute("SELECT pubkey FROM node WHERE node_id = ?", (self.node_id,)).fetchone()[0]
        if bound is not None and bound != info.pubkey:
            raise ConfigurationError(
                f"node {self.node_name!r} in {self.path} is {bound}, but this is {info.pubkey}"
                f" ({info.alias}): give the other node a name of its own with --node NAME, or another --database"
            )
        self._con.execute(
            "UPDATE node SET pubkey = ?, alias = ?, implementation = ?, network = ?, version = ?,"
            " block_height = max(coalesce(block_height, 0), ?), seen_ns = max(coalesce(seen_ns, 0), ?)"
            " WHERE node_id = ?",
            (
                info.pubkey, info.alias, info.implementation, info.network, info.version, info.block_height,
                at_ns, self.node_id,
            ),
        )  # fmt: skip

    def write_channels(
        self, at_ns: int | None, states: Sequence[ChannelState], *, complete: bool = True, thin: bool = False
    ) -> WriteReport:
        """Record a listing of our channels; with `at_ns` also their balances and link states at that time.

        `complete` says that it holds every open channel, so that a channel not in it is offline or gone.
        `thin` leaves out balances equal to the last stored ones: right only for listings in order of time.
        """
        return self._transact(lambda: self._write_channels(at_ns, states, complete, thin))

    def _write_channels(
        self, at_ns: int | None, states: Sequence[ChannelState], complete: bool, thin: bool
    ) -> WriteReport:
        report = WriteReport()
        for state in states:
            chan = self._channels.learn(state, self._peer(state.peer_pubkey, state.peer_alias))
            if at_ns is None:
                continue
            stored = self._write_balances(chan, at_ns, state, thin)
            report.new += stored
            report.known += not stored
            self._con.execute(
                """INSERT INTO channel_state VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
                     SET at_ns = excluded.at_ns, facts = excluded.facts WHERE excluded.at_ns >= at_ns""",
                (self.node_id, chan, at_ns, msgspec.json.encode(state).decode()),
            )
        if at_ns is not None:
            if complete:
                self._mark_gone(at_ns, [s.channel_point for s in states])
            if report.new:
                self._demands_from(at_ns)
        return report

    def _write_balances(self, chan: int, at_ns: int, state: ChannelState, thin: bool) -> bool:
        values = (int(state.active), state.local_msat, state.remote_msat, state.unsettled_msat)
        if thin:
            last = self._con.execute(
                """SELECT active, local_msat, remote_msat, unsettled_msat FROM channel_snapshot
                   WHERE node_id = ? AND chan = ? AND at_ns <= ? ORDER BY at_ns DESC LIMIT 1""",
                (self.node_id, chan, at_ns),
            ).fetchone()
            if last == values:
                return False
        stored = self._con.execute(
            "INSERT OR IGNORE INTO channel_snapshot VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self.node_id, chan, at_ns, *values),
        ).rowcount
        self._set_online(chan, at_ns, state.active)
        return stored > 0

    def _mark_gone(self, at_ns: int, points: Sequence[str]) -> None:
        """A channel once listed and now not is no link any more."""
        listed = set(points)
        for chan, point in self._con.execute(
            "SELECT channel_id, channel_point FROM channel WHERE node_id = ? AND channel_point IS NOT NULL",
            (self.node_id,),
        ).fetchall():
            if point not in listed:
                seen = self._con.execute(
                    "SELECT 1 FROM channel_snapshot WHERE node_id = ? AND chan = ? AND at_ns < ? LIMIT 1",
                    (self.node_id, chan, at_ns),
                ).fetchone()
                if seen:
                    self._set_online(chan, at_ns, False)

    def write_closed(self, closed: Sequence[ClosedChannel]) -> None:
        """Record channels that no longer exist: their ids stay ours."""

        def write() -> None:
            for channel in closed:
                self._channels.learn(channel, self._peer(channel.peer_pubkey, None))
            costs.write_closings(self._con, self.node_id, closed)

        self._transact(write)

    def write_costs(
        self,
        *,
        circular: Sequence[CircularHtlc] = (),
        transactions: Sequence[WalletTransaction] = (),
        cursors: dict[str, int],
    ) -> WriteReport:
        """Record circular payments and wallet transactions; that a cursor is set says that they are known."""

        def write() -> WriteReport:
            costs.write_transactions(self._con, self.node_id, transactions)
            report = costs.write_circular(self._con, self.node_id, circular)
            self._set_cursors(cursors)
            return report

        return self._transact(write)

    def set_online(self, channel_point: str | None, peer_pubkey: str | None, at_ns: int, active: bool) -> None:
        """Record that the link of a channel, or all links of a peer, came up or went down."""

        def write() -> None:
            rows = self._con.execute(
                """SELECT channel_id FROM channel LEFT JOIN peer USING (peer_id)
                   WHERE channel.node_id = ? AND closed_height IS NULL AND (channel_point = ? OR pubkey = ?)""",
                (self.node_id, channel_point, peer_pubkey),
            ).fetchall()
            for (chan,) in rows:
                self._set_online(chan, at_ns, active)
            self._demands_from(at_ns)

        self._transact(write)

    def _set_online(self, chan: int, at_ns: int, active: bool) -> None:
        self._con.execute(
            "INSERT INTO channel_online VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET active = min(active, excluded.active)",
            (self.node_id, chan, at_ns, active),
        )

    def write_policies(self, policies: Sequence[ChannelPolicies], at_ns: int) -> WriteReport:
        """Record what both ends ask as of `at_ns`; a row is stored only where something changed.

        An announcement that carries its gossip time is dated by it when that is not later than `at_ns`.
        """
        return self._transact(lambda: self._write_policies(policies, at_ns))

    def _write_policies(self, policies: Sequence[ChannelPolicies], at_ns: int) -> WriteReport:
        report = WriteReport()
        for entry in policies:
            chan = self._channels.known(entry.scid)
            if chan is None and entry.channel_point is not None:
                row = self._con.execute(
                    "SELECT channel_id FROM channel WHERE node_id = ? AND channel_point = ?",
                    (self.node_id, entry.channel_point),
                ).fetchone()
                chan = row[0] if row else None
            if chan is None:
                chan = self._channels.incoming(entry.scid)
            self._con.execute(
                "UPDATE channel SET peer_id = coalesce(peer_id, ?), capacity_sat = coalesce(capacity_sat, ?)"
                " WHERE channel_id = ?",
                (self._peer(entry.peer_pubkey, None), entry.capacity_sat, chan),
            )
            for side, policy in ((OUR_SIDE, entry.ours), (PEER_SIDE, entry.theirs)):
                if policy is None:
                    continue
                changed = self._write_policy(chan, side, policy, at_ns)
                report.new += changed
                report.known += not changed
        if report.new:
            self._demands_from(at_ns - HOUR_NS)
        return report

    def _write_policy(self, chan: int, side: int, policy: Policy, at_ns: int) -> bool:
        since_ns = at_ns
        if policy.last_update_s is not None:
            since_ns = min(at_ns, policy.last_update_s * 1_000_000_000)
        values = (
            policy.base_fee_msat, policy.fee_ppm, policy.time_lock_delta, policy.min_htlc_msat,
            policy.max_htlc_msat, policy.inbound_base_fee_msat, policy.inbound_fee_ppm, int(policy.disabled),
        )  # fmt: skip
        before = self._con.execute(
            """SELECT base_fee_msat, fee_ppm, time_lock_delta, min_htlc_msat, max_htlc_msat,
                 inbound_base_fee_msat, inbound_fee_ppm, disabled FROM policy
               WHERE node_id = ? AND chan = ? AND side = ? AND since_ns <= ? ORDER BY since_ns DESC LIMIT 1""",
            (self.node_id, chan, side, since_ns),
        ).fetchone()
        if before == values:
            return False
        self._con.execute(
            "INSERT OR REPLACE INTO policy VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self.node_id, chan, side, since_ns, *values, policy.last_update_s),
        )
        return True

    def write_aliases(self, names: dict[str, str]) -> WriteReport:
        """Record announced names of peers that we have."""

        def write() -> WriteReport:
            report = WriteReport()
            for pubkey, alias in names.items():
                changed = self._con.execute(
                    "UPDATE peer SET alias = ?1 WHERE node_id = ?2 AND pubkey = ?3 AND alias IS NOT ?1",
                    (alias, self.node_id, pubkey),
                ).rowcount
                report.new += changed
            return report

        return self._transact(write)

    # -- upkeep -----------------------------------------------------------------------------------------

    def upkeep(self, now_ns: int) -> None:
        """Bring demands and running totals up to date; short when there is little to do."""

        def run() -> None:
            self._demands.settle()
            self._demands.sum_days(now_ns)
            totals.extend_totals(self._con, self.node_id, now_ns // HOUR_NS)

        self._transact(run)

    def prune_raw(self, before_ns: int) -> int:
        """Delete raw attempts accounted before `before_ns` (cut to the hour), in short transactions."""
        hour_ns = before_ns // HOUR_NS * HOUR_NS
        self._transact(self._demands.settle)
        deleted = 0
        while True:
            count = self._transact(lambda: self._prune_chunk(hour_ns))
            deleted += count
            if not count:
                return deleted

    def _prune_chunk(self, before_ns: int) -> int:
        count = self._con.execute(
            """DELETE FROM attempt WHERE attempt_id IN (SELECT attempt_id FROM attempt
                 WHERE node_id = ? AND accounted_ns < ? AND outcome <> 0 LIMIT 5000)""",
            (self.node_id, before_ns),
        ).rowcount
        if count:
            self._con.execute(
                "UPDATE node_state SET raw_since_ns = max(coalesce(raw_since_ns, 0), ?) WHERE node_id = ?",
                (before_ns, self.node_id),
            )
        return count

    def counter(self, name: str) -> int:
        """Return a counter's value."""
        row = self._con.execute(
            "SELECT value FROM counter WHERE node_id = ? AND name = ?", (self.node_id, name)
        ).fetchone()
        return int(row[0]) if row else 0

    def cursor(self, name: str) -> int | None:
        """Return a cursor's value, None if it was never set."""
        row = self._con.execute(
            "SELECT value FROM cursor WHERE node_id = ? AND name = ?", (self.node_id, name)
        ).fetchone()
        return int(row[0]) if row else None

    def pubkey(self) -> str | None:
        """Return the public key this node name is bound to."""
        row = self._con.execute("SELECT pubkey FROM node WHERE node_id = ?", (self.node_id,)).fetchone()
        return str(row[0]) if row[0] is not None else None

    def take_lease(self, holder: str, now_ns: int, until_ns: int) -> bool:
        """Become, or stay, the node's one collector until `until_ns`; False if another one is."""

        def take() -> bool:
            row = self._con.execute("SELECT holder, until_ns FROM lease WHERE node_id = ?", (self.node_id,)).fetchone()
            if row is not None and row[0] != holder and row[1] > now_ns:
                return False
            self._con.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?)", (self.node_id, holder, until_ns))
            return True

        return self._transact(take)

    def release_lease(self, holder: str) -> None:
        """Let another collector begin at once."""
        self._transact(
            lambda: self._con.execute("DELETE FROM lease WHERE node_id = ? AND holder = ?", (self.node_id, holder))
        )

    # -- inside -----------------------------------------------------------------------------------------

    def _demands_from(self, since_ns: int) -> None:
        """Facts of this time were learnt: demands that were refused after it may read differently."""
        row = self._con.execute("SELECT max(first_ns) FROM demand WHERE node_id = ?", (self.node_id,)).fetchone()
        if row[0] is not None and row[0] >= since_ns:
            self._demands.mark_dirty(since_ns, row[0])

    def _transact(self, work: Callable[[], T]) -> T:
        with explained(self.path):
            try:
                with transaction(self._con):
                    return work()
            except (sqlite3.Error, StoreError, ConfigurationError):
                self._demands.forget()
                self._channels.reload()  # what the dictionary learnt was rolled back
                raise

    def _node_id(self, name: str) -> int:
        row = self._con.execute("SELECT node_id FROM node WHERE name = ?", (name,)).fetchone()
        if row is None:
            cursor = self._con.execute("INSERT INTO node (name) VALUES (?)", (name,))
            assert cursor.lastrowid is not None
            row = (cursor.lastrowid,)
            self._con.execute("INSERT INTO node_state (node_id) VALUES (?)", row)
        return int(row[0])

    def _peer(self, pubkey: str, alias: str | None) -> int:
        row = self._con.execute(
            """INSERT INTO peer (node_id, pubkey, alias) VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET alias = coalesce(excluded.alias, alias) RETURNING peer_id""",
            (self.node_id, pubkey, alias or None),
        ).fetchone()
        return int(row[0])


_ARRIVED = 9  # place of arrived_ns in a staged row


def _try(row: Row) -> Try:
    in_chan, out_chan, arrived_ns, outcome = row[0], row[2], row[_ARRIVED], row[12]
    assert in_chan is not None
    assert out_chan is not None
    assert arrived_ns is not None
    amount_in, amount_out = row[7], row[8]
    fee = max(amount_in - amount_out, 0) if amount_in is not None and amount_out is not None else None
    refused_for = Cause(row[13] or 0) if outcome == Outcome.REFUSED else Cause.NONE
    return Try(arrived_ns, in_chan, out_chan, amount_out, fee, refused_for)
