"""The one writer of a store: batches of facts go in, each in one transaction.

Several programs may hold a writer for the same file; SQLite lets one of them write at a time, and every
transaction here is short.  The collector of a node also holds its lease (`lease.py`).
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from lnflow.domain.causes import Outcome
from lnflow.domain.channel import (
    ChannelPolicies,
    ChannelState,
    ClosedChannel,
    NodeInfo,
    Policy,
)
from lnflow.domain.costs import CircularHtlc, WalletTransaction
from lnflow.domain.demand import PERIOD_NS
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.time import DAY_NS, HOUR_NS
from lnflow.store import attempts, costs, totals, twins
from lnflow.store.channels import UNKNOWN_CHANNEL, ChannelDictionary, proves_channel
from lnflow.store.database import explained, open_writer, transaction
from lnflow.store.demands import DemandKeeper
from lnflow.store.rows import (
    AMOUNT_IN,
    AMOUNT_OUT,
    ARRIVED,
    HISTORY,
    IN_CHAN,
    IN_HTLC_ID,
    ONLY_KNOWN,
    OUT_CHAN,
    OUTCOME,
    RESOLVED,
    AttemptFacts,
    Row,
    WriteReport,
)
from lnflow.store.signed import to_signed

OUR_SIDE, PEER_SIDE = 0, 1

_LAST_WRITER = "writer"  # a cursor that says whose memory agrees with the store
_PRUNED_ROWS = 5_000  # a transaction; readers and the stream's batches come between
_VACUUMED_PAGES = 2_000  # 8 MB at a time

T = TypeVar("T")


class StoreWriter:
    """Writes for one node.  Methods are blocking: call them from a thread that may wait for the disk."""

    def __init__(self, path: Path, node_name: str) -> None:
        self.path = path
        self.node_name = node_name
        self._token = secrets.randbits(62)
        self._holds_stored_state = False
        self._raw_since_ns: int | None = None
        self._con = open_writer(path)
        with explained(path):
            attempts.prepare(self._con)
            self._con.execute("PRAGMA optimize")
            with transaction(self._con):
                self.node_id = self._node_id(node_name)
                self._highest = attempts.HighestIds(self._con, self.node_id)
                self._demands = DemandKeeper(self._con, self.node_id)
                self._channels = ChannelDictionary(self._con, self.node_id, self._demands, self._highest)

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
        older = told_twice = 0
        if has_no_id:
            staged = len(rows)
            rows = _each_once(rows)
            told_twice = staged - len(rows)
        if self._raw_since_ns is not None:
            staged = len(rows)
            rows = [row for row in rows if self._can_be_told(row, self._raw_since_ns)]
            older = staged - len(rows)
        if rows:
            report = self._write_attempts(rows)
            twins.match(self._con, self.node_id, rows, has_no_id)
        for row in again:  # one HTLC under two ids of its channel
            report.known += self._write_attempts([row]).known
        report.known += told_twice
        for name, more_of_it in (counters or {}).items():
            self._con.execute(
                "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (self.node_id, name, more_of_it),
            )
        self._set_cursors(cursors or {})
        if covered is not None:
            self._cover(*covered)
        report.older = older
        return report

    def _can_be_told(self, row: Row, raw_since_ns: int) -> bool:
        """Tell whether a row is new or known: not if the single rows of its time were pruned and it is not there."""
        settled = row[OUTCOME] == Outcome.SETTLED
        order = (HISTORY, RESOLVED, ARRIVED) if settled else (ARRIVED, RESOLVED, HISTORY)
        at_ns = next((at for n in order if (at := row[n]) is not None), None)
        if at_ns is None or at_ns >= raw_since_ns or row[ONLY_KNOWN]:
            return True
        found = self._con.execute(
            "SELECT 1 FROM attempt WHERE node_id = ? AND in_chan = ? AND in_htlc_id = ?",
            (self.node_id, row[IN_CHAN], row[IN_HTLC_ID]),
        ).fetchone()
        return found is not None

    def _write_attempts(self, rows: list[Row]) -> WriteReport:
        report = attempts.upsert(self._con, self.node_id, self._highest, rows)
        self._demands.changed(at_ns for r in rows if (at_ns := r[ARRIVED]) is not None)
        if report.known:
            self._demands.changed(attempts.known_arrivals(self._con))
        return report

    def _stage(self, facts: Iterable[AttemptFacts]) -> tuple[list[Row], list[Row], bool]:
        """Return the facts as rows, those rows that are one HTLC under a second id, and whether any has no id."""
        rows: list[Row] = []
        ids, channels = self._channels.ids, self._channels
        has_no_id = False
        scid_of: dict[int, int] = {}
        several_ids = False
        unknown: list[tuple[int, int]] = []
        for f in facts:
            in_scid, out_scid = f.in_scid, f.out_scid
            in_chan = ids.get(in_scid)
            if f.only_known:
                if in_chan is None:
                    continue  # a receive, or from before our time
                out_chan: int | None = UNKNOWN_CHANNEL
            else:
                if in_chan is None:
                    in_chan = channels.incoming(in_scid)
                out_chan = ids.get(out_scid)
                if out_chan is None:
                    out_chan = channels.outgoing(out_scid, proves_channel(f.out_used, f.cause))
                    if not out_chan and out_scid:
                        unknown.append((len(rows), out_scid))
            for used in f.also_used:
                channels.outgoing(used, True)
            several_ids |= scid_of.setdefault(in_chan, in_scid) != in_scid
            has_no_id |= f.in_htlc_id is None
            rows.append(
                (
                    in_chan, f.in_htlc_id, out_chan, to_signed(out_scid), f.out_htlc_id, f.out_used, f.out_at_ns,
                    f.amount_in_msat, f.amount_out_msat, f.arrived_ns, f.resolved_ns, f.history_ns, f.outcome,
                    f.cause, f.wire_code, f.detail, f.live, f.only_known, f.ordinal,
                )
            )  # fmt: skip
        for n, out_scid in unknown:  # a later row of the batch may have shown that the id is ours
            known = ids.get(out_scid)
            if known is not None:
                rows[n] = (*rows[n][:OUT_CHAN], known, *rows[n][OUT_CHAN + 1 :])
        if several_ids:
            return *_apart(rows), has_no_id
        return rows, [], has_no_id

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
                self._mark_gone(at_ns, [s.channel_point for s in states], thin)
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
        if not (thin and self._last_online(chan, at_ns) == state.active):
            self._set_online(chan, at_ns, state.active)
        return stored > 0

    def _mark_gone(self, at_ns: int, points: Sequence[str], thin: bool) -> None:
        """A channel once listed and now not is no link any more; with `thin` that is said once."""
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
                if seen and not (thin and self._last_online(chan, at_ns) == 0):
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

    def _last_online(self, chan: int, at_ns: int) -> int | None:
        row = self._con.execute(
            """SELECT active FROM channel_online WHERE node_id = ? AND chan = ? AND at_ns <= ?
               ORDER BY at_ns DESC LIMIT 1""",
            (self.node_id, chan, at_ns),
        ).fetchone()
        return int(row[0]) if row is not None else None

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
            chan = self._channels.ids.get(entry.scid)
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
            self._demands.settle(now_ns)
            self._demands.sum_days(now_ns)
            totals.extend_totals(self._con, self.node_id, now_ns // HOUR_NS)

        self._transact(run)

    def prune_raw(self, before_ns: int, *, most: int | None = None) -> int:
        """Delete raw attempts accounted before `before_ns`, cut to a demand's period of six hours, oldest first.

        No total changes: rollups and demands stay.  Of older balances one a day and channel is kept.  Short
        transactions; `most` is how many attempts are enough for now.  Return how many were deleted; the
        space goes back to the disk.
        """
        before_ns = before_ns // PERIOD_NS * PERIOD_NS
        self._transact(self._demands.settle)
        deleted = 0
        while most is None or deleted < most:
            count = self._transact(lambda: self._prune_chunk(before_ns))
            deleted += count
            if not count:
                self._transact(lambda: self._thin_snapshots(before_ns))
                break
        with explained(self.path):
            # It frees a page a step, and only `executescript` goes on to the end.
            self._con.executescript(f"PRAGMA incremental_vacuum({_VACUUMED_PAGES})")
        return deleted

    def _prune_chunk(self, before_ns: int) -> int:
        """Delete some rows; from then on windows older than the oldest row left are answered by rollups."""
        # Pending ones stay: they may still end, and then count in the hour of their end.
        last = self._con.execute(
            """SELECT max(accounted_ns) FROM (SELECT accounted_ns FROM attempt WHERE node_id = ? AND accounted_ns < ?
                 AND outcome <> 0 ORDER BY accounted_ns LIMIT ?)""",
            (self.node_id, before_ns, _PRUNED_ROWS),
        ).fetchone()[0]
        if last is None:
            return 0
        # Whole periods only: demands are made again from all rows of their period, or not at all.
        until_ns = min(before_ns, (last // PERIOD_NS + 1) * PERIOD_NS)
        self._con.execute(
            "UPDATE node_state SET raw_since_ns = max(coalesce(raw_since_ns, 0), ?) WHERE node_id = ?",
            (until_ns, self.node_id),
        )
        self._raw_since_ns = max(self._raw_since_ns or 0, until_ns)
        return self._con.execute(
            """DELETE FROM attempt WHERE attempt_id IN (SELECT attempt_id FROM attempt
                 WHERE node_id = ? AND accounted_ns < ? AND outcome <> 0 ORDER BY accounted_ns LIMIT ?)""",
            (self.node_id, until_ns, _PRUNED_ROWS),
        ).rowcount

    def _thin_snapshots(self, before_ns: int) -> None:
        self._con.execute(
            f"""DELETE FROM channel_snapshot WHERE node_id = ?1 AND at_ns < ?2 AND (chan, at_ns) NOT IN (
                  SELECT chan, max(at_ns) FROM channel_snapshot WHERE node_id = ?1 AND at_ns < ?2
                  GROUP BY chan, at_ns / {DAY_NS})""",
            (self.node_id, before_ns),
        )

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
        """Become, or stay, the node's one collector until `until_ns`; False if another one is.

        A holder is `host:pid:…`; a lease whose process on this machine is gone is taken over at once.
        """

        def take() -> bool:
            row = self._con.execute("SELECT holder, until_ns FROM lease WHERE node_id = ?", (self.node_id,)).fetchone()
            # A lease longer than any is of a clock that was ahead; who holds it renews it within its length.
            longest_ns = now_ns + 2 * (until_ns - now_ns)
            if row is not None and row[0] != holder and now_ns < row[1] <= longest_ns and not _is_gone(row[0]):
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
        first_ns, last_ns = (
            self._con.execute(f"SELECT {end}(first_ns) FROM demand WHERE node_id = ?", (self.node_id,)).fetchone()[0]
            for end in ("min", "max")
        )
        if last_ns is not None and last_ns >= since_ns:
            self._demands.mark_dirty(max(since_ns, first_ns), last_ns)

    def _transact(self, work: Callable[[], T]) -> T:
        """Run `work` in one transaction.  What we hold in memory is only as good as the last one of ours."""
        with explained(self.path):
            try:
                with transaction(self._con):
                    self._notice_others()
                    return work()
            except BaseException:
                self._holds_stored_state = False  # what we learnt was rolled back
                raise

    def _notice_others(self) -> None:
        """Another writer of this node (an import beside the collector) may have merged channels, made demands."""
        row = self._con.execute(
            "SELECT value FROM cursor WHERE node_id = ? AND name = ?", (self.node_id, _LAST_WRITER)
        ).fetchone()
        if row is not None and row[0] == self._token and self._holds_stored_state:
            return
        self._demands.forget()
        [self._raw_since_ns] = self._con.execute(
            "SELECT raw_since_ns FROM node_state WHERE node_id = ?", (self.node_id,)
        ).fetchone()
        self._highest.clear()
        self._channels.reload()
        self._con.execute(
            "INSERT INTO cursor VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (self.node_id, _LAST_WRITER, self._token),
        )
        self._holds_stored_state = True

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


def _apart(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows with the first of each HTLC, and the rest."""
    first: list[Row] = []
    again: list[Row] = []
    seen: set[Row] = set()
    for row in rows:
        key = row[: IN_HTLC_ID + 1]
        (again if row[IN_HTLC_ID] is not None and key in seen else first).append(row)
        seen.add(key)
    return first, again


def _each_once(rows: list[Row]) -> list[Row]:
    """Return the rows without those that repeat one without HTLC id: pages of a history may overlap."""
    once: dict[Row, Row] = {}
    for number, row in enumerate(rows):
        *_, ordinal = row
        if row[IN_HTLC_ID] is None and row[HISTORY] is not None:
            key: Row = (row[IN_CHAN], row[OUT_CHAN], row[AMOUNT_IN], row[AMOUNT_OUT], row[HISTORY], ordinal)
        else:
            key = (number,)
        once.setdefault(key, row)
    return list(once.values())


def _is_gone(holder: str) -> bool:
    """Tell whether a lease's holder was a process of this machine that no longer runs."""
    host, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, as another user's
        return False
    return False
