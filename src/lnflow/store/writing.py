"""The one writer of a store: batches of facts go in, each in one transaction.

Several programs may hold a writer for the same file; SQLite lets one of them write at a time, and every
transaction here is short.  The collector of a node also holds its lease (`lease.py`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo
from lnflow.domain.costs import CircularHtlc, WalletTransaction
from lnflow.domain.demand import PERIOD_NS
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.time import HOUR_NS
from lnflow.store import attempts, attributions, costs, lease, listings, marks, policies, pruning, totals, wish_sums
from lnflow.store.attributions import AttributedHour
from lnflow.store.batches import BatchWriter
from lnflow.store.channels import ChannelDictionary
from lnflow.store.database import explained, open_writer, transaction
from lnflow.store.demands import DemandKeeper
from lnflow.store.peers import peer_id, write_aliases
from lnflow.store.rows import AttemptFacts, FactColumns, WriteReport, in_columns

_LAST_WRITER = "writer"  # a cursor that says whose memory agrees with the store
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
                self._stored_ids = attempts.StoredIds(self._con, self.node_id)
                self._demands = DemandKeeper(self._con, self.node_id)
                self._channels = ChannelDictionary(self._con, self.node_id, self._demands, self._stored_ids)
                self._batches = BatchWriter(self._con, self.node_id, self._channels, self._stored_ids, self._demands)

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
        facts: Sequence[AttemptFacts] | FactColumns,
        *,
        counters: dict[str, int] | None = None,
        cursors: dict[str, int] | None = None,
        covered: tuple[str, int, int, str] | None = None,
        attributed: Iterable[AttributedHour] = (),
    ) -> WriteReport:
        """Store facts of HTLCs with what belongs to the same instant, in one transaction.

        `counters` and `attributed` are added, `cursors` set; `covered` is (source, since_ns, until_ns, reason): the
        interval that starts at since_ns now reaches to until_ns.  Facts of one HTLC must come in one piece.
        """
        columns = facts if isinstance(facts, FactColumns) else in_columns(facts)
        return self._transact(lambda: self._write_batch(columns, counters, cursors, covered, attributed))

    def tell_again(self, facts: Sequence[AttemptFacts], attributed: Iterable[AttributedHour]) -> None:
        """Tell stored refusals again, now with their cause; how sure that is replaces what was said of those hours."""

        def write() -> None:
            self._batches.write(in_columns(facts), self._raw_since_ns)
            attributions.replace(self._con, self.node_id, attributed)

        self._transact(write)

    def _write_batch(
        self,
        facts: FactColumns,
        counters: dict[str, int] | None,
        cursors: dict[str, int] | None,
        covered: tuple[str, int, int, str] | None,
        attributed: Iterable[AttributedHour],
    ) -> WriteReport:
        report = self._batches.write(facts, self._raw_since_ns)
        marks.count(self._con, self.node_id, counters or {})
        marks.set_cursors(self._con, self.node_id, cursors or {})
        attributions.add(self._con, self.node_id, attributed)
        if covered is not None:
            marks.cover(self._con, self.node_id, *covered)
        return report

    # -- coverage ---------------------------------------------------------------------------------------

    def cover(self, source: str, since_ns: int, until_ns: int, reason: str = "") -> None:
        """Record that we listened from `since_ns` to `until_ns`; the same interval may grow later."""
        self._transact(lambda: marks.cover(self._con, self.node_id, source, since_ns, until_ns, reason))

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
            chan = self._channels.learn(state, peer_id(self._con, self.node_id, state.peer_pubkey, state.peer_alias))
            if at_ns is None:
                continue
            stored = listings.write_state(self._con, self.node_id, chan, at_ns, state, thin)
            report.new += stored
            report.known += not stored
        if at_ns is not None:
            if complete:
                listings.mark_gone(self._con, self.node_id, at_ns, [s.channel_point for s in states], thin)
            if report.new:
                self._demands.facts_learnt(at_ns)
        return report

    def write_closed(self, closed: Sequence[ClosedChannel]) -> None:
        """Record channels that no longer exist: their ids stay ours."""

        def write() -> None:
            for channel in closed:
                self._channels.learn(channel, peer_id(self._con, self.node_id, channel.peer_pubkey))
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
            marks.set_cursors(self._con, self.node_id, cursors)
            return report

        return self._transact(write)

    def set_online(self, channel_point: str | None, peer_pubkey: str | None, at_ns: int, active: bool) -> None:
        """Record that the link of a channel, or all links of a peer, came up or went down."""

        def write() -> None:
            listings.set_online(self._con, self.node_id, channel_point, peer_pubkey, at_ns, active)
            self._demands.facts_learnt(at_ns)

        self._transact(write)

    def write_policies(self, entries: Sequence[ChannelPolicies], at_ns: int) -> WriteReport:
        """Record what both ends ask as of `at_ns`; a row is stored only where something changed.

        An announcement that carries its gossip time is dated by it when that is not later than `at_ns`.
        """
        return self._transact(lambda: self._write_policies(entries, at_ns))

    def _write_policies(self, entries: Sequence[ChannelPolicies], at_ns: int) -> WriteReport:
        report = WriteReport()
        for entry in entries:
            written = policies.write(self._con, self.node_id, self._channels, entry, at_ns)
            report.new += written.new
            report.known += written.known
        if report.new:
            self._demands.facts_learnt(at_ns - HOUR_NS)
        return report

    def write_aliases(self, names: dict[str, str]) -> WriteReport:
        """Record announced names of peers that we have."""
        return self._transact(lambda: WriteReport(new=write_aliases(self._con, self.node_id, names)))

    # -- upkeep -----------------------------------------------------------------------------------------

    def upkeep(self, now_ns: int) -> None:
        """Bring demands and running totals up to date; short when there is little to do."""

        def run() -> None:
            self._demands.settle(now_ns)
            wish_sums.extend_blocks(self._con, self.node_id, now_ns)
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
                self._transact(lambda: pruning.thin_balances(self._con, self.node_id, before_ns))
                break
        with explained(self.path):
            # It frees a page a step, and only `executescript` goes on to the end.
            self._con.executescript(f"PRAGMA incremental_vacuum({_VACUUMED_PAGES})")
        return deleted

    def _prune_chunk(self, before_ns: int) -> int:
        deleted, raw_since_ns = pruning.prune_chunk(self._con, self.node_id, before_ns)
        if raw_since_ns is not None:
            self._raw_since_ns = max(self._raw_since_ns or 0, raw_since_ns)
        return deleted

    def counter(self, name: str) -> int:
        """Return a counter's value."""
        return marks.counter(self._con, self.node_id, name)

    def cursor(self, name: str) -> int | None:
        """Return a cursor's value, None if it was never set."""
        return marks.cursor(self._con, self.node_id, name)

    def pubkey(self) -> str | None:
        """Return the public key this node name is bound to."""
        row = self._con.execute("SELECT pubkey FROM node WHERE node_id = ?", (self.node_id,)).fetchone()
        return str(row[0]) if row[0] is not None else None

    def take_lease(self, holder: str, now_ns: int, until_ns: int) -> bool:
        """Become, or stay, the node's one collector until `until_ns`; False if another one is.

        A holder is `host:pid:…`; a lease whose process on this machine is gone is taken over at once.
        """
        return self._transact(lambda: lease.take(self._con, self.node_id, holder, now_ns, until_ns))

    def release_lease(self, holder: str) -> None:
        """Let another collector begin at once."""
        self._transact(lambda: lease.release(self._con, self.node_id, holder))

    # -- inside -----------------------------------------------------------------------------------------

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
        last_writer = marks.cursor(self._con, self.node_id, _LAST_WRITER)
        if last_writer == self._token and self._holds_stored_state:
            return
        self._demands.forget()
        [self._raw_since_ns] = self._con.execute(
            "SELECT raw_since_ns FROM node_state WHERE node_id = ?", (self.node_id,)
        ).fetchone()
        self._stored_ids.clear()
        self._channels.reload()
        marks.set_cursors(self._con, self.node_id, {_LAST_WRITER: self._token})
        self._holds_stored_state = True

    def _node_id(self, name: str) -> int:
        row = self._con.execute("SELECT node_id FROM node WHERE name = ?", (name,)).fetchone()
        if row is None:
            cursor = self._con.execute("INSERT INTO node (name) VALUES (?)", (name,))
            assert cursor.lastrowid is not None
            row = (cursor.lastrowid,)
            self._con.execute("INSERT INTO node_state (node_id) VALUES (?)", row)
        return int(row[0])
