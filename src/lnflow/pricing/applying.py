"""The one way to the node: record, set the status, write, look whether it holds, record.

Everything that sets prices comes through `apply`, whatever proposed it.  N changes cost N writes and one look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct, structs

from lnflow.domain.channel import ChannelState, Policy
from lnflow.domain.errors import LnflowError, NodeRefused, NodeUnavailable
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.port import FeeRehearsal, FeeWriter, NodeReader
from lnflow.pricing.changes import PolicyValues, values_of
from lnflow.pricing.decision import Action, Decision, StatusChange
from lnflow.pricing.documents import WriteResult
from lnflow.pricing.facts import ChannelFacts
from lnflow.pricing.limits import HOUR_FLOOR_S
from lnflow.pricing.pacing import Pacing
from lnflow.store.fee_journal import DONE, FAILED, ROLLBACK, UNVERIFIED, UPDATE, FeeJournal, NewFeeChange

_HELD_BACK = frozenset({Action.REFUSED, Action.SKIPPED, Action.ERROR})


@dataclass(slots=True, kw_only=True)
class Calls:
    """Changing calls that were made."""

    update_channel_policy: int = 0
    update_chan_status: int = 0


class Change(Struct, frozen=True, kw_only=True):
    """A decision to be written, with the facts it was made of; `reverts` for a rollback."""

    decision: Decision
    facts: ChannelFacts
    reverts: int | None = None


class Applied(Struct, frozen=True, kw_only=True):
    """How the writes ended, by channel point, and how many calls it took."""

    results: Mapping[str, WriteResult]
    calls: Calls


async def apply(
    changes: Sequence[Change],
    reader: NodeReader,
    writer: FeeWriter,
    journal: FeeJournal,
    now_ns: Callable[[], int],
    pacing: Pacing | None = None,
) -> Applied:
    """Write the decisions that are updates, in order; note in the journal what was held back.

    A change that the node refuses does not stop the others; a node that is away, or a credential that does not
    suffice, does: what was not sent then is recorded as failed, and what was sent but not answered as unverified,
    unless the node shows it.
    """
    journal.note([_record(c) for c in changes if c.decision.action in _HELD_BACK], now_ns())
    updates = [c for c in changes if c.decision.writes]
    least_gap_ns = HOUR_FLOOR_S * SECOND_NS
    numbers = journal.begin([_record(c) for c in updates], now_ns(), least_gap_ns=least_gap_ns)
    calls = Calls()
    errors: dict[str, str] = {}
    unanswered: dict[str, str] = {}
    stopped: str | None = None
    for place, (change, number) in enumerate(zip(updates, numbers, strict=True)):
        point = change.decision.channel_point
        if number is None:
            errors[point] = "not sent: another run wrote this channel less than an hour ago"
            continue
        if stopped is not None:
            errors[point] = f"not sent: {stopped}"
            continue
        if pacing is not None and place > 0:
            await pacing.wait(len(updates))
        try:
            refusal = await _write(change, writer, calls)
        except NodeRefused as exc:
            stopped = refusal = str(exc)
        except NodeUnavailable as exc:
            stopped, refusal = str(exc), None
            unanswered[point] = f"sent, but not answered: {exc}"
        if refusal is not None:
            errors[point] = refusal
    sent = [c for c in updates if c.decision.channel_point not in errors]
    unseen = await _verify(sent, reader)
    # what was not answered and does not show may still come true: it counts as written, and is told as it ended
    unseen |= {point: told for point, told in unanswered.items() if point in unseen}
    results: dict[str, WriteResult] = {}
    for change, number in zip(updates, numbers, strict=True):
        point = change.decision.channel_point
        error = errors.get(point) or unseen.get(point)
        result = FAILED if point in errors else UNVERIFIED if point in unseen else DONE
        if number is not None:
            journal.complete(number, result, error, now_ns())
        results[point] = WriteResult(error=error, verified=result == DONE)
    return Applied(results=results, calls=calls)


async def rehearse(changes: Sequence[Change], rehearsal: FeeRehearsal) -> dict[str, WriteResult]:
    """Ask the node whether it would take the updates; return those that it would refuse, by channel point."""
    refused = {}
    for change in changes:
        decision, ours = change.decision, change.facts.ours
        if not decision.writes or decision.new in (None, decision.old) or not isinstance(ours, Policy):
            continue
        refusal = await rehearsal.rehearse(decision.channel_point, ours, with_values(ours, decision.new))
        if refusal is not None:
            refused[decision.channel_point] = WriteResult(error=refusal, verified=False)
    return refused


async def _write(change: Change, writer: FeeWriter, calls: Calls) -> str | None:
    """Return why the node refused, None if it accepted.  The status comes first, as in charge-lnd."""
    decision, ours = change.decision, change.facts.ours
    if decision.new is None or not isinstance(ours, Policy):
        return "there is nothing to write from: our own policy is not known"
    if decision.status_change is not None:
        calls.update_chan_status += 1
        enabled = decision.status_change is not StatusChange.DISABLE
        refusal = await writer.set_enabled(decision.channel_point, enabled)
        if refusal is not None:
            return f"{decision.status_change.value}: {refusal}"
    if decision.new == decision.old:
        return None
    calls.update_channel_policy += 1
    return await writer.write_policy(decision.channel_point, ours, with_values(ours, decision.new))


async def _verify(sent: Sequence[Change], reader: NodeReader) -> dict[str, str]:
    """Return what the node does not show as it was written, by channel point."""
    if not sent:
        return {}
    try:
        wanted = {c.decision.channel_point for c in sent}
        states: list[ChannelState] = [s for s in await reader.list_channels() if s.channel_point in wanted]
        policies = {p.channel_point: p.ours for p in await reader.list_policies(states)}
    except LnflowError as exc:
        return {c.decision.channel_point: f"written, but not seen yet: {exc}" for c in sent}
    unseen = {}
    for change in sent:
        decision = change.decision
        now = policies.get(decision.channel_point)
        if now is None:
            unseen[decision.channel_point] = "written, but the node shows no policy for the channel"
        elif values_of(now) != decision.new:
            unseen[decision.channel_point] = f"written, but the node shows {_differences(decision.new, values_of(now))}"
        elif decision.status_change is StatusChange.DISABLE and not now.disabled:
            unseen[decision.channel_point] = "disabled, but the node shows the channel enabled"
    return unseen


def with_values(policy: Policy, values: PolicyValues) -> Policy:
    return structs.replace(
        policy,
        base_fee_msat=values.base_fee_msat,
        fee_ppm=values.fee_ppm,
        inbound_base_fee_msat=values.inbound_base_fee_msat,
        inbound_fee_ppm=values.inbound_fee_ppm,
        min_htlc_msat=values.min_htlc_msat,
        max_htlc_msat=values.max_htlc_msat,
        time_lock_delta=values.time_lock_delta,
    )


def _differences(wanted: PolicyValues | None, seen: PolicyValues) -> str:
    names = [name for name in PolicyValues.__struct_fields__ if getattr(wanted, name, None) != getattr(seen, name)]
    return ", ".join(f"{name} = {getattr(seen, name)}" for name in names)


def _record(change: Change) -> NewFeeChange:
    decision = change.decision
    kind = decision.action.value
    if decision.writes:
        kind = UPDATE if change.reverts is None else ROLLBACK
    return NewFeeChange(
        channel_point=decision.channel_point,
        scid=decision.scid_text,
        kind=kind,
        rule=decision.policy,
        strategy=decision.strategy,
        old_values=None if decision.old is None else _json(decision.old),
        new_values=None if decision.new is None else _json(decision.new),
        status_change=None if decision.status_change is None else decision.status_change.value,
        reason=decision.reason,
        inputs=_json(change.facts),
        may_roll_back=decision.rollback.enabled,
        threshold=decision.rollback.threshold,
        reverts=change.reverts,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
