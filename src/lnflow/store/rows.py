"""What the writer is given: everything one batch knows of an HTLC, with ids as the node said them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from msgspec import Struct

from lnflow.domain.causes import Outcome

_SETTLED = int(Outcome.SETTLED)

Row = tuple[int | None, ...]
"""An attempt as the store takes it: `AttemptFacts` with our channels' numbers and the id as stored (signed)."""

IN_CHAN, IN_HTLC_ID, OUT_CHAN, OUT_SCID = range(4)
AMOUNT_IN, AMOUNT_OUT, ARRIVED, RESOLVED, HISTORY, OUTCOME, CAUSE = range(7, 14)
DETAIL, LIVE, ONLY_KNOWN, ORDINAL = range(15, 19)
_WIDTH = 19

Column = Sequence[int | None]
"""One member of many rows; a batch is worked on column by column, which takes a fraction of the time."""

Columns = list[Column]
"""Rows column by column, in the order of a `Row`."""


def columns_of(rows: Sequence[Row]) -> Columns:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(_WIDTH)]


def rows_of(columns: Columns) -> list[Row]:
    return list(zip(*columns, strict=True))


def accounted_ns(columns: Columns) -> list[int | None]:
    """Return the time each attempt counts at: when it settled, all others when they arrived."""
    outcomes, arrived_ns, resolved_ns, history_ns = (columns[n] for n in (OUTCOME, ARRIVED, RESOLVED, HISTORY))
    return [
        (history if history is not None else resolved if resolved is not None else arrived)
        if outcome == _SETTLED
        else (arrived if arrived is not None else resolved if resolved is not None else history)
        for outcome, arrived, resolved, history in zip(outcomes, arrived_ns, resolved_ns, history_ns, strict=True)
    ]


class AttemptFacts(Struct, gc=False):
    """Partial knowledge of one attempt.  Facts of the same HTLC merge in any order to the same row.

    `in_htlc_id` None marks a row of a source without HTLC ids; `ordinal` then tells equal rows apart.
    `out_at_ns` is when the outgoing side was said; with `out_used` it decides whose word counts.
    `only_known` facts (a final event alone) may finish an attempt but never start one.
    """

    in_scid: int
    in_htlc_id: int | None
    out_scid: int
    out_htlc_id: int | None
    out_used: int
    out_at_ns: int
    amount_in_msat: int | None
    amount_out_msat: int | None
    arrived_ns: int | None
    resolved_ns: int | None
    history_ns: int | None
    outcome: int
    cause: int
    wire_code: int
    detail: int
    live: int
    only_known: int = 0
    ordinal: int = 0
    also_used: tuple[int, ...] = ()
    """Channels it was offered by before the last one: they are ours, although the row names another."""


@dataclass(frozen=True, slots=True)
class FactColumns:
    """The members of `AttemptFacts`, column by column; all are equally long."""

    in_scid: Sequence[int]
    in_htlc_id: Column
    out_scid: Sequence[int]
    out_htlc_id: Column
    out_used: Sequence[int]
    out_at_ns: Sequence[int]
    amount_in_msat: Column
    amount_out_msat: Column
    arrived_ns: Column
    resolved_ns: Column
    history_ns: Column
    outcome: Sequence[int]
    cause: Sequence[int]
    wire_code: Sequence[int]
    detail: Sequence[int]
    live: Sequence[int]
    only_known: Sequence[int]
    ordinal: Sequence[int]
    also_used: Sequence[tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.in_scid)

    def chosen(self, which: Sequence[bool]) -> FactColumns:
        """Return some of the facts."""
        return FactColumns(*(list(compress(getattr(self, name), which)) for name in self.__slots__))


def in_columns(facts: Sequence[AttemptFacts]) -> FactColumns:
    """Return the same facts column by column."""
    return FactColumns(
        [f.in_scid for f in facts],
        [f.in_htlc_id for f in facts],
        [f.out_scid for f in facts],
        [f.out_htlc_id for f in facts],
        [f.out_used for f in facts],
        [f.out_at_ns for f in facts],
        [f.amount_in_msat for f in facts],
        [f.amount_out_msat for f in facts],
        [f.arrived_ns for f in facts],
        [f.resolved_ns for f in facts],
        [f.history_ns for f in facts],
        [f.outcome for f in facts],
        [f.cause for f in facts],
        [f.wire_code for f in facts],
        [f.detail for f in facts],
        [f.live for f in facts],
        [f.only_known for f in facts],
        [f.ordinal for f in facts],
        [f.also_used for f in facts],
    )


class WriteReport(Struct, kw_only=True):
    """What one batch changed."""

    new: int = 0
    known: int = 0
    """Rows that were there before, whether or not they learnt something."""
    older: int = 0
    """Attempts from before the single ones that are kept: whether they are in the totals cannot be told any more."""
