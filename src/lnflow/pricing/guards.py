"""What holds a decision back: step and interval limits, gossip budget, equality, and last the rails.

lnflow's files pass through all of them.  A charge-lnd file keeps upstream's decision as it is: only the hourly
floor and the rails that are set can refuse it, and they never alter it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from msgspec import Struct, structs

from lnflow.domain.time import SECOND_NS
from lnflow.pricing.changes import PolicyValues, clamp
from lnflow.pricing.decision import Action, Decision, StatusChange
from lnflow.pricing.limits import HOUR_FLOOR_S, Limits, Rails

LEAST_STEP_LIMIT_PPM = 10  # so that 1 ppm can become 11: half of 1 ppm would hold it for ever


class Guard(Enum):
    """Where in the pipeline something was said, in its order."""

    POSITIVE_INBOUND = "positive inbound fee"
    STEP = "step limit"
    INTERVAL = "interval"
    COOL_DOWN = "cool-down after a rollback"
    GOSSIP_BUDGET = "gossip budget"
    EQUALITY = "equality"
    RAILS = "rails"


class ChannelHistory(Struct, frozen=True, kw_only=True):
    """What was changed before, by us or by anybody."""

    last_change_ns: int | None = None
    changes_last_day: int = 0
    rolled_back_ns: int | None = None
    disabled_by_us: bool = False


class GuardNote(Struct, frozen=True, kw_only=True):
    """What one guard did; `refuses` ends the way to the node."""

    guard: Guard
    text: str
    refuses: bool = False


class Guarded(Struct, frozen=True, kw_only=True):
    """A decision after the guards, with what each of them said."""

    decision: Decision
    notes: tuple[GuardNote, ...] = ()


class Pipeline(Struct, frozen=True, kw_only=True):
    """The limits of one run.  `lnflow` is the file's kind, `positive_inbound` what the node accepts."""

    now_ns: int
    lnflow: bool
    limits: Limits = Limits()
    rails: Rails = Rails()
    positive_inbound: bool = False


NO_HISTORY = ChannelHistory()


def guard_all(
    decisions: Sequence[Decision], histories: Mapping[str, ChannelHistory], pipeline: Pipeline
) -> list[Guarded]:
    """Return every decision after the guards, in order; `histories` are by channel point."""
    guarded = [guard(d, histories.get(d.channel_point, NO_HISTORY), pipeline) for d in decisions]
    most = pipeline.limits.max_changes_per_run
    if not pipeline.lnflow or most is None:
        return guarded
    largest = sorted((g.decision for g in guarded if g.decision.writes), key=_move, reverse=True)
    chosen = {d.channel_point for d in largest[:most]}
    over = GuardNote(
        guard=Guard.GOSSIP_BUDGET,
        text=f"this run may change {most} channels, and others move further",
        refuses=True,
    )
    return [_refused(g, over) if g.decision.writes and g.decision.channel_point not in chosen else g for g in guarded]


def guard(decision: Decision, history: ChannelHistory, pipeline: Pipeline) -> Guarded:
    """Return the decision as it may go to the node; a refused one keeps what it wanted in `new`."""
    old, new = decision.old, decision.new
    if not decision.writes or old is None or new is None:
        return Guarded(decision=decision)
    if decision.status_change is StatusChange.ENABLE:
        by_whom = "by a rule of ours" if history.disabled_by_us else "not by us"
        hint = "" if history.disabled_by_us else "; manage_status = false would leave it so"
        decision = structs.replace(decision, reason=f"{decision.reason}; it was disabled {by_whom}{hint}")
    refusal = _positive_inbound(old, new, pipeline)
    if refusal is not None:
        return _refused(Guarded(decision=decision), refusal)
    if not pipeline.lnflow:
        refusal = _interval(history, pipeline.now_ns, HOUR_FLOOR_S)
        if refusal is None and decision.rollback.enabled:  # only a rule that asks for rollbacks rests after one
            refusal = _cool_down(history, pipeline.now_ns, pipeline.limits)
        refusal = refusal or _off_rails(new, pipeline.rails)
        return Guarded(decision=decision) if refusal is None else _refused(Guarded(decision=decision), refusal)
    return _guard_lnflow(decision, old, new, history, pipeline)


def _guard_lnflow(
    decision: Decision, old: PolicyValues, new: PolicyValues, history: ChannelHistory, pipeline: Pipeline
) -> Guarded:
    limits = pipeline.limits
    notes: list[GuardNote] = []
    if decision.computed or limits.step_limits_all:
        new, said = _step(old, new, limits)
        notes += said
    railed = _on_rails(new, pipeline.rails)
    if railed != new:
        notes.append(GuardNote(guard=Guard.RAILS, text=_rail_text(new, railed)))
    result = Guarded(decision=structs.replace(decision, new=railed), notes=tuple(notes))
    if railed == old and decision.status_change is None:
        held = next((note for note in notes if note.guard in {Guard.STEP, Guard.RAILS}), None)
        if held is not None:
            return _refused(structs.replace(result, decision=decision, notes=()), held)
        return structs.replace(result, decision=structs.replace(result.decision, action=Action.NONE))
    refusal = (
        _interval(history, pipeline.now_ns, max(HOUR_FLOOR_S, limits.min_interval_s))
        or _cool_down(history, pipeline.now_ns, limits)
        or _budget(history, limits)
    )
    if refusal is not None:
        return _refused(result, refusal)
    if not notes:
        return result
    told = "; ".join(f"{note.guard.value}: {note.text}" for note in notes)
    return structs.replace(
        result,
        decision=structs.replace(result.decision, reason=f"{result.decision.reason}; {told}"),
    )


def _refused(guarded: Guarded, note: GuardNote) -> Guarded:
    refusing = structs.replace(note, refuses=True)
    reason = f"{note.guard.value}: {note.text} (wanted by {guarded.decision.reason})"
    return Guarded(
        decision=structs.replace(guarded.decision, action=Action.REFUSED, reason=reason),
        notes=(*guarded.notes, refusing),
    )


def _positive_inbound(old: PolicyValues, new: PolicyValues, pipeline: Pipeline) -> GuardNote | None:
    raised = (new.inbound_fee_ppm > 0 and new.inbound_fee_ppm != old.inbound_fee_ppm) or (
        new.inbound_base_fee_msat > 0 and new.inbound_base_fee_msat != old.inbound_base_fee_msat
    )
    if not raised or pipeline.positive_inbound:
        return None
    return GuardNote(
        guard=Guard.POSITIVE_INBOUND,
        text="lnd refuses it unless it runs with accept-positive-inbound-fees; if it does, write "
        "positive_inbound_fees = true under [lnflow]",
    )


def _step(old: PolicyValues, new: PolicyValues, limits: Limits) -> tuple[PolicyValues, list[GuardNote]]:
    """Return the values moved at most one step, and what is too small a move held."""
    notes = []
    largest = max(LEAST_STEP_LIMIT_PPM, int(limits.max_step_ratio * old.fee_ppm))
    smallest = max(1, min(largest, round(limits.min_step_ratio * old.fee_ppm)))
    for name in ("fee_ppm", "inbound_fee_ppm"):
        before, wanted = getattr(old, name), getattr(new, name)
        if before == wanted:
            continue
        allowed = clamp(wanted, before - largest, before + largest)
        if abs(wanted - before) < smallest:
            allowed = before
            notes.append(
                GuardNote(
                    guard=Guard.STEP,
                    text=f"{name} {before} → {wanted} is less than the smallest step of {smallest}",
                )
            )
        elif allowed != wanted:
            notes.append(
                GuardNote(
                    guard=Guard.STEP,
                    text=f"{name} {before} → {wanted} goes to {allowed} first, {largest} is the largest step",
                )
            )
        new = structs.replace(new, **{name: allowed})
    return new, notes


def _interval(history: ChannelHistory, now_ns: int, least_s: int) -> GuardNote | None:
    if history.last_change_ns is None:
        return None
    passed_s = (now_ns - history.last_change_ns) // SECOND_NS
    if passed_s >= least_s:
        return None
    return GuardNote(
        guard=Guard.INTERVAL,
        text=f"changed {max(0, passed_s) // 60} min ago, the least time between changes is {least_s // 60} min",
    )


def _cool_down(history: ChannelHistory, now_ns: int, limits: Limits) -> GuardNote | None:
    if history.rolled_back_ns is None:
        return None
    passed_s = (now_ns - history.rolled_back_ns) // SECOND_NS
    if passed_s >= limits.cool_down_s:
        return None
    return GuardNote(
        guard=Guard.COOL_DOWN,
        text=f"a change was rolled back {passed_s // 3600} h ago, nothing is tried for {limits.cool_down_s // 3600} h",
    )


def _budget(history: ChannelHistory, limits: Limits) -> GuardNote | None:
    most = limits.max_changes_per_channel_per_day
    if history.changes_last_day < most:
        return None
    return GuardNote(
        guard=Guard.GOSSIP_BUDGET, text=f"{history.changes_last_day} changes in the last day, {most} are allowed"
    )


def _on_rails(values: PolicyValues, rails: Rails) -> PolicyValues:
    return structs.replace(
        values,
        fee_ppm=clamp(values.fee_ppm, rails.min_fee_ppm, rails.max_fee_ppm),
        base_fee_msat=clamp(values.base_fee_msat, rails.min_base_fee_msat, rails.max_base_fee_msat),
        inbound_fee_ppm=clamp(values.inbound_fee_ppm, rails.min_inbound_fee_ppm, rails.max_inbound_fee_ppm),
    )


def _off_rails(values: PolicyValues, rails: Rails) -> GuardNote | None:
    railed = _on_rails(values, rails)
    if railed == values:
        return None
    return GuardNote(guard=Guard.RAILS, text=_rail_text(values, railed))


def _rail_text(wanted: PolicyValues, railed: PolicyValues) -> str:
    parts = [
        f"{name} = {getattr(wanted, name)} is outside the rail at {getattr(railed, name)}"
        for name in ("fee_ppm", "base_fee_msat", "inbound_fee_ppm")
        if getattr(wanted, name) != getattr(railed, name)
    ]
    return ", ".join(parts)


def _move(decision: Decision) -> float:
    """Return how far the price moves, relative to what it is; a status change comes first."""
    if decision.status_change is not None:
        return float("inf")
    if decision.old is None or decision.new is None:
        return 0.0
    outbound = abs(decision.new.fee_ppm - decision.old.fee_ppm)
    inbound = abs(decision.new.inbound_fee_ppm - decision.old.inbound_fee_ppm)
    return (outbound + inbound) / (decision.old.fee_ppm + 1)
