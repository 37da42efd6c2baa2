"""What the writer is given: everything one batch knows of an HTLC, with ids as the node said them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lnflow.domain.causes import Outcome

_SETTLED = int(Outcome.SETTLED)

Row = tuple[int | None, ...]
"""An attempt as the store takes it: `AttemptFacts` with our channels' numbers and the id as stored (signed)."""

IN_CHAN, IN_HTLC_ID, OUT_CHAN, OUT_SCID = range(4)
AMOUNT_IN, AMOUNT_OUT, ARRIVED, RESOLVED, HISTORY, OUTCOME, CAUSE = range(7, 14)
LIVE, ONLY_KNOWN, ORDINAL = range(16, 19)


Column = Sequence[int | None]


def accounted_ns(outcomes: Column, arrived_ns: Column, resolved_ns: Column, history_ns: Column) -> list[int | None]:
    """Return the time each attempt counts at: when it settled, all others when they arrived."""
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


class WriteReport(Struct, kw_only=True):
    """What one batch changed."""

    new: int = 0
    known: int = 0
    """Rows that were there before, whether or not they learnt something."""
    dropped: int = 0
    """Facts that finish an attempt nobody has seen (receives, older attempts)."""
    older: int = 0
    """Attempts from before the single ones that are kept: whether they are in the totals cannot be told any more."""
