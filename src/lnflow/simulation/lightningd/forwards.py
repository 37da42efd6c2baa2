"""The fake node's table of forwards: rows, the three indexes of `wait`, and reading it in pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from msgspec import Raw

SECOND_NS = 1_000_000_000
STATUSES = ("offered", "settled", "local_failed", "failed")


def time_number(at_ns: int) -> Raw:
    """Return a time as lightningd prints it: seconds with nine decimals, a number and not a string."""
    seconds, rest = divmod(at_ns, SECOND_NS)
    return Raw(f"{seconds}.{rest:09d}".encode())


@dataclass(slots=True, kw_only=True)
class Row:
    """One forward.  `payment_hash` is known to the node's memory only: `listforwards` never shows it."""

    created_index: int
    in_channel: str
    in_htlc_id: int
    in_msat: int
    status: str
    received_ns: int
    updated_index: int | None = None
    out_channel: str | None = None
    out_htlc_id: int | None = None
    out_msat: int | None = None
    failcode: int | None = None
    failreason: str | None = None
    failure_reason: str | None = None
    style: str | None = "tlv"
    resolved_ns: int | None = None
    payment_hash: str = ""

    def listed(self) -> dict[str, Any]:
        """The row as `listforwards` prints it."""
        return {
            name: value
            for name, value in (
                ("created_index", self.created_index),
                ("updated_index", self.updated_index),
                ("in_channel", self.in_channel),
                ("in_htlc_id", self.in_htlc_id),
                ("out_channel", self.out_channel),
                ("out_htlc_id", self.out_htlc_id),
                ("in_msat", self.in_msat),
                ("out_msat", self.out_msat),
                ("fee_msat", None if self.out_msat is None else self.in_msat - self.out_msat),
                ("status", self.status),
                ("failcode", self.failcode),
                ("failreason", self.failreason),
                ("failure_reason", self.failure_reason),
                ("style", self.style),
                ("received_time", time_number(self.received_ns)),
                ("resolved_time", None if self.resolved_ns is None else time_number(self.resolved_ns)),
            )
            if value is not None
        }


@dataclass(slots=True)
class Forwards:
    """Rows by creation, an order of updates beside it.  Indexes never go back, whatever is deleted."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    _rows: dict[int, Row] = field(default_factory=dict)
    _by_update: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        self._rows[row.created_index] = row
        self.created = max(self.created, row.created_index)
        if row.updated_index is not None:
            self._by_update[row.updated_index] = row.created_index
            self.updated = max(self.updated, row.updated_index)

    def touch(self, row: Row) -> None:
        """Give a changed row the next updated index."""
        if row.updated_index is not None:
            del self._by_update[row.updated_index]
        self.updated += 1
        row.updated_index = self.updated
        self._by_update[self.updated] = row.created_index

    def find(self, in_channel: str, in_htlc_id: int) -> Row | None:
        return next((r for r in self if (r.in_channel, r.in_htlc_id) == (in_channel, in_htlc_id)), None)

    def remove(self, row: Row) -> None:
        del self._rows[row.created_index]
        if row.updated_index is not None:
            del self._by_update[row.updated_index]
        self.deleted += 1

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self._rows.values()))

    def page(self, *, index: str, start: int, limit: int | None, status: str | None) -> list[Row]:
        """Return rows in the order of `index`; `updated` from 0 begins with all rows never updated."""
        chosen: list[Row] = []
        for row in self._ordered(index, start):
            if limit is not None and len(chosen) >= limit:
                break
            if status is None or row.status == status:
                chosen.append(row)
        return chosen

    def _ordered(self, index: str, start: int) -> Iterable[Row]:
        if index == "created":
            numbers: Iterable[int] = range(max(start, 1), self.created + 1)
            if self.created > 4 * len(self._rows):  # most are deleted: do not walk the gaps
                numbers = (n for n in sorted(self._rows) if n >= start)
            yield from (row for n in numbers if (row := self._rows.get(n)) is not None)
            return
        if start == 0:
            yield from (row for row in self._rows.values() if row.updated_index is None)
        for number in range(max(start, 1), self.updated + 1):
            if (created := self._by_update.get(number)) is not None:
                yield self._rows[created]
