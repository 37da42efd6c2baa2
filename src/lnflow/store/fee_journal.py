"""The audit of prices: every change is recorded before it is sent, and completed after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from lnflow.domain.errors import ConfigurationError, StoreError
from lnflow.domain.time import DAY_NS
from lnflow.store.database import explained, open_reader, open_writer, transaction

NO_NODE = 0  # node numbers start at 1: nothing is recorded for it
LEAST_KEPT_DAYS = 366  # a change of price can be looked up for a year at least
DONE, FAILED, UNVERIFIED = "done", "failed", "unverified"
UPDATE, ROLLBACK = "update", "rollback"


class NewFeeChange(Struct, frozen=True, kw_only=True):
    """What is about to be done, or was held back; values and inputs are JSON."""

    channel_point: str
    scid: str
    kind: str
    rule: str | None
    strategy: str | None
    old_values: str | None
    new_values: str | None
    status_change: str | None
    reason: str
    inputs: str
    may_roll_back: bool
    threshold: float
    reverts: int | None = None


class FeeChange(NewFeeChange, frozen=True, kw_only=True):
    """A recorded change; `result` is None while it is under way, or if we died before its end."""

    change_id: int
    at_ns: int
    result: str | None
    error: str | None
    completed_ns: int | None
    last_seen_ns: int


class PastChanges(Struct, frozen=True, kw_only=True):
    """What limits the next change of a channel.  A write whose end is not known counts as written."""

    last_change_ns: int | None = None
    changes_last_day: int = 0
    rolled_back_ns: int | None = None
    disabled_by_us: bool = False
    """The last status change that we recorded disabled the channel."""


_COLUMNS = (
    "change_id, at_ns, result, error, completed_ns, last_seen_ns, channel_point, scid, kind, rule, strategy, "
    "old_values, new_values, status_change, reason, inputs, may_roll_back, threshold, reverts"
)
_NAMES = tuple(_COLUMNS.replace("\n", " ").split(", "))
_WRITTEN = "kind IN ('update', 'rollback') AND (result IS NULL OR result <> 'failed')"


class FeeJournal:
    """The recorded changes of one node.  `read_only` opens without creating or migrating anything."""

    def __init__(self, path: Path, node_name: str | None, *, read_only: bool = False) -> None:
        self.path = path
        self._con = open_reader(path) if read_only else open_writer(path)
        try:
            with explained(path):
                self.node_id = self._find_node(node_name, create=not read_only)
        except BaseException:
            self._con.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    def refuse_other_node(self, pubkey: str) -> None:
        """Raise `ConfigurationError` if what is recorded here belongs to a node with another public key."""
        with explained(self.path):
            row = self._con.execute("SELECT name, pubkey FROM node WHERE node_id = ?", (self.node_id,)).fetchone()
        if row is not None and row[1] not in (None, pubkey):
            raise ConfigurationError(
                f"node {row[0]!r} in {self.path} is {row[1]}, but this is {pubkey}: give the other node a name of "
                "its own with --node NAME, or another --database"
            )

    def begin(self, changes: Sequence[NewFeeChange], at_ns: int, *, least_gap_ns: int = 0) -> list[int | None]:
        """Record what is about to be sent, all in one transaction; return its numbers.

        None for a channel that another run wrote less than `least_gap_ns` ago, perhaps after this one was planned.
        """
        with explained(self.path), transaction(self._con):
            return [
                None if self._written_since(change.channel_point, at_ns - least_gap_ns) else self._insert(change, at_ns)
                for change in changes
            ]

    def complete(self, change_id: int, result: str, error: str | None, at_ns: int) -> None:
        """Record how a change ended."""
        with explained(self.path), transaction(self._con):
            self._con.execute(
                "UPDATE fee_change SET result = ?, error = ?, completed_ns = ? WHERE change_id = ?",
                (result, error, at_ns, change_id),
            )

    def note(self, held_back: Sequence[NewFeeChange], at_ns: int) -> None:
        """Record what was not sent and why; what repeats the channel's latest row only renews its time."""
        with explained(self.path), transaction(self._con):
            for change in held_back:
                row = self._con.execute(
                    """SELECT change_id, kind, rule, new_values FROM fee_change
                       WHERE node_id = ? AND channel_point = ? ORDER BY change_id DESC LIMIT 1""",
                    (self.node_id, change.channel_point),
                ).fetchone()
                if row is not None and row[1:] == (change.kind, change.rule, change.new_values):
                    self._con.execute("UPDATE fee_change SET last_seen_ns = ? WHERE change_id = ?", (at_ns, row[0]))
                else:
                    self._insert(change, at_ns)

    def past(self, now_ns: int) -> dict[str, PastChanges]:
        """Return what limits the next change, by channel point."""
        with explained(self.path):
            rows = self._con.execute(
                f"""SELECT channel_point, max(at_ns), sum(at_ns > ?), max(CASE WHEN kind = 'rollback' THEN at_ns END),
                      coalesce(max(CASE WHEN status_change = 'disable' THEN change_id END), 0) >
                      coalesce(max(CASE WHEN status_change <> 'disable' THEN change_id END), 0)
                    FROM fee_change WHERE node_id = ? AND {_WRITTEN} GROUP BY channel_point""",
                (now_ns - DAY_NS, self.node_id),
            ).fetchall()
        return {
            point: PastChanges(
                last_change_ns=last, changes_last_day=count, rolled_back_ns=rolled_back, disabled_by_us=bool(ours)
            )
            for point, last, count, rolled_back, ours in rows
        }

    def prune(self, now_ns: int, *, held_back_days: int) -> int:
        """Delete old rows; return how many.  What the next run or a rollback builds on is kept, however old.

        What was held back goes after `held_back_days`, what was written after that or a year, whichever is later;
        the last price and the last status written to a channel, and what a kept rollback refers to, stay.
        """
        kept_days = max(held_back_days, LEAST_KEPT_DAYS)
        with explained(self.path), transaction(self._con):
            return self._con.execute(
                f"""DELETE FROM fee_change WHERE node_id = ?1
                      AND last_seen_ns < CASE WHEN kind IN ('update', 'rollback') THEN ?2 ELSE ?3 END
                      AND change_id NOT IN (SELECT max(change_id) FROM fee_change WHERE node_id = ?1 AND {_WRITTEN}
                                            GROUP BY channel_point, status_change IS NULL)
                      AND change_id NOT IN (SELECT reverts FROM fee_change WHERE reverts IS NOT NULL)""",
                (self.node_id, now_ns - kept_days * DAY_NS, now_ns - held_back_days * DAY_NS),
            ).rowcount

    def written_before(self, changes: Sequence[FeeChange]) -> dict[str, int]:
        """Return when the channel of each change was written the last time before it, by channel point."""
        found: dict[str, int] = {}
        with explained(self.path):
            for change in changes:
                row = self._con.execute(
                    f"""SELECT max(at_ns) FROM fee_change
                        WHERE node_id = ? AND channel_point = ? AND change_id < ? AND {_WRITTEN}""",
                    (self.node_id, change.channel_point, change.change_id),
                ).fetchone()
                if row[0] is not None:
                    found[change.channel_point] = row[0]
        return found

    def latest_written(self) -> list[FeeChange]:
        """Return the last change of each channel that reached the node."""
        return self._select(
            f"""change_id IN (SELECT max(change_id) FROM fee_change WHERE node_id = ? AND {_WRITTEN}
                GROUP BY channel_point) ORDER BY at_ns""",
            (self.node_id,),
        )

    def changes(self, since_ns: int = 0, *, limit: int = 200) -> list[FeeChange]:
        """Return what was done and held back, the newest first."""
        return self._select(
            "node_id = ? AND last_seen_ns >= ? ORDER BY change_id DESC LIMIT ?", (self.node_id, since_ns, limit)
        )

    def _select(self, where: str, values: Sequence[object]) -> list[FeeChange]:
        with explained(self.path):
            rows = self._con.execute(f"SELECT {_COLUMNS} FROM fee_change WHERE {where}", tuple(values)).fetchall()
        found = []
        for row in rows:
            fields = dict(zip(_NAMES, row, strict=True))
            fields["may_roll_back"] = bool(fields["may_roll_back"])
            found.append(FeeChange(**fields))
        return found

    def _written_since(self, channel_point: str, since_ns: int) -> bool:
        row = self._con.execute(
            f"SELECT 1 FROM fee_change WHERE node_id = ? AND channel_point = ? AND at_ns > ? AND {_WRITTEN} LIMIT 1",
            (self.node_id, channel_point, since_ns),
        ).fetchone()
        return row is not None

    def _insert(self, change: NewFeeChange, at_ns: int) -> int:
        cursor = self._con.execute(
            """INSERT INTO fee_change (node_id, channel_point, scid, at_ns, kind, rule, strategy, old_values,
                 new_values, status_change, reason, inputs, may_roll_back, threshold, reverts, last_seen_ns)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                self.node_id, change.channel_point, change.scid, at_ns, change.kind, change.rule, change.strategy,
                change.old_values, change.new_values, change.status_change, change.reason, change.inputs,
                change.may_roll_back, change.threshold, change.reverts, at_ns,
            ),
        )  # fmt: skip
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _find_node(self, name: str | None, *, create: bool) -> int:
        where = "" if name is None else "WHERE name = ?"
        values = () if name is None else (name,)
        row = self._con.execute(f"SELECT node_id FROM node {where} ORDER BY node_id LIMIT 1", values).fetchone()
        if row is not None:
            return int(row[0])
        if not create:
            return NO_NODE
        if name is None:
            raise StoreError(f"{self.path} holds no node yet: name yours with --node")
        with transaction(self._con):
            cursor = self._con.execute("INSERT INTO node (name) VALUES (?)", (name,))
            assert cursor.lastrowid is not None
            self._con.execute("INSERT INTO node_state (node_id) VALUES (?)", (cursor.lastrowid,))
        return cursor.lastrowid
