"""One HTLC = one row: events of a batch are reduced to facts by their circuit key.

The merge rules here and in `store/attempts.py` are the same commutative ones, so it does not matter how
events are cut into batches, nor whether they come twice or late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.htlc import (
    Attempt,
    DownstreamFailed,
    Forward,
    HtlcEvent,
    Offered,
    Refused,
    Resolved,
    Settled,
)
from lnflow.domain.time import SECOND_NS
from lnflow.store.rows import AttemptFacts

_PENDING, _UNRESOLVED, _DOWNSTREAM, _REFUSED, _SETTLED = (int(o) for o in Outcome)
_NONE = int(Cause.NONE)


class Joiner:
    """Collects facts until `take`; memory is bounded by the caller, who takes every few thousand events."""

    __slots__ = ("_facts", "_without_id", "events")

    def __init__(self) -> None:
        self._facts: dict[tuple[int, int], AttemptFacts] = {}
        self._without_id: list[AttemptFacts] = []
        self.events = 0

    def __len__(self) -> int:
        return len(self._facts) + len(self._without_id)

    def take(self) -> list[AttemptFacts]:
        """Return the facts collected so far and start anew."""
        facts = [*self._facts.values(), *self._without_id]
        self._facts, self._without_id, self.events = {}, [], 0
        return facts

    def add(self, event: HtlcEvent) -> None:
        """Take one event of a stream."""
        self.add_all((event,))

    def add_all(self, events: Sequence[HtlcEvent]) -> None:
        """Take some events in their order; this is the hot path of an import."""
        self.events += len(events)
        known = self._facts
        for event in events:
            key = (event.in_scid, event.in_htlc_id)
            facts = known.get(key)
            kind = type(event)
            if facts is None:
                begin = _FIRST.get(kind)
                if begin is not None:
                    known[key] = begin(event)
                    continue
                facts = known[key] = AttemptFacts(
                    *key, 0, None, 0, 0, None, None, None, None, None, _PENDING, 0, 0, 0, 1, 1
                )
            _LATER[kind](facts, event)

    def add_forward(self, forward: Forward, ordinal: int = 0) -> None:
        """Take one row of a history of settled forwards; `ordinal` tells equal rows without id apart."""
        facts = AttemptFacts(
            forward.in_scid,
            forward.in_htlc_id,
            forward.out_scid,
            forward.out_htlc_id,
            1,
            forward.at_ns,
            forward.amount_in_msat,
            forward.amount_out_msat,
            None,
            forward.at_ns,
            forward.at_ns,
            _SETTLED,
            0,
            0,
            0,
            0,
            0,
            ordinal,
        )
        self._put(facts)

    def add_attempt(self, attempt: Attempt) -> None:
        """Take one attempt that its source has joined already (Core Lightning's listforwards)."""
        resolved_ns, in_htlc_id, outcome = attempt.resolved_ns, attempt.in_htlc_id, int(attempt.outcome)
        self._put(
            AttemptFacts(
                attempt.in_scid,
                in_htlc_id,
                attempt.out_scid,
                attempt.out_htlc_id,
                int(attempt.out_used),
                resolved_ns or attempt.arrived_ns or 0,
                attempt.amount_in_msat,
                attempt.amount_out_msat,
                attempt.arrived_ns,
                resolved_ns,
                # Without an id the settle time is what tells rows apart.
                resolved_ns if in_htlc_id is None or outcome == _SETTLED else None,
                outcome,
                int(attempt.cause),
                attempt.wire_code,
                attempt.detail,
                1,
            )
        )

    def _put(self, facts: AttemptFacts) -> None:
        self.events += 1
        if facts.in_htlc_id is None:
            self._without_id.append(facts)
            return
        key = (facts.in_scid, facts.in_htlc_id)
        known = self._facts.get(key)
        self._facts[key] = facts if known is None else merge(known, facts)


def _first_offered(event: Offered) -> AttemptFacts:
    used, out_htlc_id, out_at_ns = (1, event.out_htlc_id, event.at_ns) if event.out_scid else (0, None, 0)
    return AttemptFacts(
        event.in_scid, event.in_htlc_id, event.out_scid, out_htlc_id, used, out_at_ns, event.amount_in_msat,
        event.amount_out_msat, event.at_ns, None, None, _PENDING, 0, 0, 0, 1,
    )  # fmt: skip


def _first_refused(event: Refused) -> AttemptFacts:
    at_ns = event.at_ns
    return AttemptFacts(
        event.in_scid, event.in_htlc_id, event.out_scid, None, 0, at_ns if event.out_scid else 0, event.amount_in_msat,
        event.amount_out_msat, at_ns, at_ns, None, _REFUSED, int(event.cause), event.wire_code, event.detail, 1,
    )  # fmt: skip


def _offered(facts: AttemptFacts, event: Offered) -> None:
    facts.only_known = 0
    at_ns = event.at_ns
    if facts.arrived_ns is None or at_ns < facts.arrived_ns:
        facts.arrived_ns = at_ns
    _used(facts, event.out_scid, event.out_htlc_id, at_ns)
    if event.amount_in_msat is not None:
        facts.amount_in_msat = event.amount_in_msat
    if event.amount_out_msat is not None:
        facts.amount_out_msat = event.amount_out_msat


def _settled(facts: AttemptFacts, event: Settled) -> None:
    _passed(facts, event, _SETTLED)


def _failed(facts: AttemptFacts, event: DownstreamFailed) -> None:
    _passed(facts, event, _DOWNSTREAM)


def _passed(facts: AttemptFacts, event: Settled | DownstreamFailed, outcome: int) -> None:
    facts.only_known = 0
    _used(facts, event.out_scid, event.out_htlc_id, event.at_ns)
    _end(facts, outcome, event.at_ns)


def _used(facts: AttemptFacts, out_scid: int, out_htlc_id: int, at_ns: int) -> None:
    if not out_scid:
        return
    if facts.out_used and facts.out_scid != out_scid:
        facts.also_used = (*facts.also_used, facts.out_scid, out_scid)
    if not facts.out_used or at_ns >= facts.out_at_ns:
        facts.out_scid, facts.out_htlc_id = out_scid, out_htlc_id
        facts.out_used, facts.out_at_ns = 1, at_ns


def _refused(facts: AttemptFacts, event: Refused) -> None:
    facts.only_known = 0
    at_ns = event.at_ns
    if facts.arrived_ns is None or at_ns < facts.arrived_ns:
        facts.arrived_ns = at_ns
    if event.out_scid and not facts.out_used and at_ns >= facts.out_at_ns:
        facts.out_scid, facts.out_at_ns = event.out_scid, at_ns
    if event.amount_in_msat is not None:
        facts.amount_in_msat = event.amount_in_msat
    if event.amount_out_msat is not None:
        facts.amount_out_msat = event.amount_out_msat
    if facts.outcome < _REFUSED:
        facts.cause, facts.wire_code, facts.detail = int(event.cause), event.wire_code, event.detail
    elif facts.outcome == _REFUSED:
        facts.cause = _told(facts.cause, int(event.cause))
        facts.wire_code, facts.detail = max(facts.wire_code, event.wire_code), max(facts.detail, event.detail)
    _end(facts, _REFUSED, at_ns)


def _resolved(facts: AttemptFacts, event: Resolved) -> None:
    _end(facts, _SETTLED if event.settled else _UNRESOLVED, event.at_ns)


def _end(facts: AttemptFacts, outcome: int, at_ns: int) -> None:
    if outcome > facts.outcome:
        facts.outcome, facts.resolved_ns = outcome, at_ns
        if outcome != _REFUSED:
            facts.cause = facts.wire_code = facts.detail = _NONE
    elif outcome == facts.outcome and (facts.resolved_ns is None or at_ns < facts.resolved_ns):
        facts.resolved_ns = at_ns


def merge(one: AttemptFacts, other: AttemptFacts) -> AttemptFacts:
    """Return what both say of one HTLC; the order does not matter."""
    first, second = (other, one) if (other.out_used, other.out_at_ns) > (one.out_used, one.out_at_ns) else (one, other)
    winner = one if one.outcome > other.outcome else other
    same = one.outcome == other.outcome
    return AttemptFacts(
        one.in_scid,
        one.in_htlc_id,
        first.out_scid,
        first.out_htlc_id if first.out_htlc_id is not None else second.out_htlc_id,
        first.out_used,
        first.out_at_ns,
        _most(one.amount_in_msat, other.amount_in_msat),
        _most(one.amount_out_msat, other.amount_out_msat),
        _least(one.arrived_ns, other.arrived_ns),
        _least(one.resolved_ns, other.resolved_ns) if same else winner.resolved_ns,
        _least(one.history_ns, other.history_ns),
        winner.outcome,
        _told(one.cause, other.cause) if same else winner.cause,
        max(one.wire_code, other.wire_code) if same else winner.wire_code,
        max(one.detail, other.detail) if same else winner.detail,
        max(one.live, other.live),
        min(one.only_known, other.only_known),
        one.ordinal,
        (*one.also_used, *other.also_used, *(f.out_scid for f in (one, other) if f.out_used)),
    )


def _told(one: int, other: int) -> int:
    """Of two causes of one refusal, one that could be told beats `unattributed`."""
    if one == Cause.UNATTRIBUTED:
        return other
    return one if other == Cause.UNATTRIBUTED else max(one, other)


def _most(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


def _least(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


_FIRST: dict[type, Callable[[Any], AttemptFacts]] = {Offered: _first_offered, Refused: _first_refused}
"""How an attempt begins, where that event says enough."""
_LATER: dict[type, Callable[[AttemptFacts, Any], None]] = {
    Offered: _offered,
    Settled: _settled,
    Refused: _refused,
    DownstreamFailed: _failed,
    Resolved: _resolved,
}


class Ordinals:
    """Numbers equal rows of one second within one source, so that a second import finds the same numbers."""

    def __init__(self) -> None:
        self._second = -1
        self._seen: dict[tuple[int, int, int, int, int], int] = {}

    def next(self, forward: Forward) -> int:
        """Return how many equal rows came before in this source; 0 where the time tells rows apart."""
        if not forward.whole_seconds:
            return 0
        second = forward.at_ns // SECOND_NS
        if abs(second - self._second) > 60:  # rows of one time stand together, in either order
            self._seen.clear()
            self._second = second
        key = (second, forward.in_scid, forward.out_scid, forward.amount_in_msat, forward.amount_out_msat)
        ordinal = self._seen.get(key, 0)
        self._seen[key] = ordinal + 1
        return ordinal
