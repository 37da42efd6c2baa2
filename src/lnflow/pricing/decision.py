"""One decision per channel: which rule, which strategy, what would change, or why nothing does."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct, structs

from lnflow.domain.channel import Policy
from lnflow.domain.scid import scid_text
from lnflow.pricing.changes import (
    PolicyValues,
    bounded_terms,
    invalid,
    new_values,
    possible_terms,
    read_bounds,
    read_deltas,
    values_of,
)
from lnflow.pricing.dialect.ini import Entry
from lnflow.pricing.dialect.policy_file import PolicyFile
from lnflow.pricing.dialect.vocabulary import COMPUTED_STRATEGIES, strategy_remedy
from lnflow.pricing.facts import ChannelFacts, NodeFacts, Unknown
from lnflow.pricing.matching.selection import Selected, Selection, select
from lnflow.pricing.problems import Problem
from lnflow.pricing.strategies.registry import STRATEGIES
from lnflow.pricing.strategies.terms import BadPolicy, Case, NotEvaluable, Properties, Terms


class Action(Enum):
    UPDATE = "update"
    NONE = "none"
    """Nothing differs."""
    NO_POLICY = "no_policy"
    SKIPPED = "skipped"
    """A criterion or a strategy could not be evaluated."""
    REFUSED = "refused"
    """A guard held it back, or the node has no such thing: the reason says which."""
    ERROR = "error"


class StatusChange(Enum):
    ENABLE = "enable"
    DISABLE = "disable"
    AUTO = "auto"


class RollbackTerms(Struct, frozen=True, kw_only=True):
    """Whether, and from which loss of revenue on (0–1), a change by this rule is taken back."""

    enabled: bool = False
    threshold: float = 0.3


class Decision(Struct, frozen=True, kw_only=True):
    """`policy` is the deciding section, `new` what its strategy wants (also when a guard refused it)."""

    channel_point: str
    scid: int
    peer_pubkey: str
    action: Action
    reason: str
    policy: str | None = None
    strategy: str | None = None
    old: PolicyValues | None = None
    new: PolicyValues | None = None
    status_change: StatusChange | None = None
    computed: bool = False
    """The price comes from measurements (lnflow's strategies), so that step limits hold for it."""
    rollback: RollbackTerms = RollbackTerms()
    problem: Problem | None = None

    @property
    def writes(self) -> bool:
        return self.action is Action.UPDATE

    @property
    def scid_text(self) -> str:
        return scid_text(self.scid)


class _Wanted(Struct, frozen=True, kw_only=True):
    """What a file wants for a channel; `terms` is None if no rule of it has a strategy."""

    policy: str
    strategy: str
    terms: Terms
    properties: Properties
    delta: Entry | None


def decide_all(file: PolicyFile, channels: Iterable[ChannelFacts], node: NodeFacts) -> list[Decision]:
    """Return one decision per channel, in their order."""
    return [decide(file, channel, node) for channel in channels]


def decide(file: PolicyFile, channel: ChannelFacts, node: NodeFacts) -> Decision:
    """Return what the file wants for the channel, before any guard.  A pure function."""
    undecided = Decision(
        channel_point=channel.channel_point,
        scid=channel.scid,
        peer_pubkey=channel.peer.pubkey,
        action=Action.NO_POLICY,
        reason="",
        old=None if isinstance(channel.ours, Unknown) else values_of(channel.ours),
    )
    selection = select(file.rules, file.default, channel, node)
    if selection.state is not Selected.DECIDED:
        return _undecided(undecided, selection)
    named = structs.replace(undecided, policy=selection.section, strategy=_strategy_name(selection))
    if isinstance(channel.ours, Unknown):
        return structs.replace(
            named, action=Action.SKIPPED, reason=f"our own policy is not known: {channel.ours.reason}"
        )
    try:
        wanted = _wanted(file, selection, channel, node, channel.ours)
        decision = _decided(file, named, wanted, channel, node, channel.ours)
        if decision.writes and file.settings_problem is not None:
            raise BadPolicy(file.settings_problem)
        return decision
    except NotEvaluable as exc:
        return structs.replace(named, action=Action.SKIPPED, reason=str(exc))
    except BadPolicy as exc:
        return structs.replace(named, action=Action.ERROR, reason=str(exc), problem=exc.problem)
    except ArithmeticError as exc:  # a number of the file that no price can be made of
        problem = selection.overlay["strategy"].problem(f"strategy = {named.strategy} cannot be computed: {exc}")
        return structs.replace(named, action=Action.ERROR, reason=str(problem), problem=problem)


def _undecided(decision: Decision, selection: Selection) -> Decision:
    action = {
        Selected.NO_POLICY: Action.NO_POLICY,
        Selected.SKIPPED: Action.SKIPPED,
        Selected.ERROR: Action.ERROR,
    }[selection.state]
    return structs.replace(
        decision,
        action=action,
        policy=selection.section,
        reason=selection.reason or "",
        problem=selection.problem,
    )


def _strategy_name(selection: Selection) -> str:
    return selection.overlay["strategy"].value or ""


def _wanted(file: PolicyFile, selection: Selection, channel: ChannelFacts, node: NodeFacts, ours: Policy) -> _Wanted:
    """Return what the deciding section wants, followed into other files; raise `BadPolicy` or `NotEvaluable`."""
    name, overlay = _strategy_name(selection), selection.overlay
    properties = Properties(overlay)
    section = selection.section or ""
    if name == "use_config":
        return _from_other_file(file, section, properties, channel, node, ours)
    strategy = STRATEGIES.get(name)
    if strategy is None:
        raise properties.bad(f"unknown strategy {name!r}", strategy_remedy(name))
    case = Case(channel=channel, node=node, ours=ours, properties=properties, strict=file.strict)
    return _Wanted(
        policy=section,
        strategy=name,
        terms=strategy(case),
        properties=properties,
        delta=overlay.get("min_fee_ppm_delta"),
    )


def _from_other_file(
    file: PolicyFile,
    section: str,
    properties: Properties,
    channel: ChannelFacts,
    node: NodeFacts,
    ours: Policy,
) -> _Wanted:
    """Return the other file's wish.  Only its strategy and `min_fee_ppm_delta` replace those out here."""
    config = properties.text("config_file")
    if not config:
        raise properties.bad("strategy = use_config needs config_file", "add config_file = PATH")
    other = file.included[config]
    if isinstance(other, Problem):
        raise BadPolicy(other)
    if other.settings_problem is not None:
        raise BadPolicy(other.settings_problem)
    selection = select(other.rules, other.default, channel, node)
    match selection.state:
        case Selected.NO_POLICY:
            terms = Terms(disabled=False, reason=f"no rule of {other.path} matches")
            return _Wanted(
                policy=f"{section} (from {other.path})",
                strategy="use_config",
                terms=terms,
                properties=properties,
                delta=None,
            )
        case Selected.SKIPPED if selection.problem is None:
            raise NotEvaluable(f"{other.path}: {selection.reason}")
        case Selected.DECIDED:
            inner = _wanted(other, selection, channel, node, ours)
            policy = inner.policy if " (from " in inner.policy else f"{inner.policy} (from {other.path})"
            delta = {} if inner.delta is None else {"min_fee_ppm_delta": inner.delta}
            return structs.replace(inner, policy=policy, properties=properties.with_entries(delta))
        case _:
            if selection.problem is None:
                raise NotEvaluable(f"{other.path}: {selection.reason}")
            raise BadPolicy(selection.problem)


def _decided(
    file: PolicyFile,
    named: Decision,
    wanted: _Wanted,
    channel: ChannelFacts,
    node: NodeFacts,
    ours: Policy,
) -> Decision:
    properties = wanted.properties
    if wanted.strategy == "ignore":
        return structs.replace(
            named,
            action=Action.NONE,
            policy=wanted.policy,
            strategy="ignore",
            reason=wanted.terms.reason,
            new=named.old,
        )
    deltas = read_deltas(properties, wanted.terms)
    bounds = read_bounds(properties, lnflow=file.lnflow)
    for part in ("fee_ppm", "inbound_fee_ppm"):
        lowest, highest = getattr(bounds, f"min_{part}"), getattr(bounds, f"max_{part}")
        if lowest is not None and highest is not None and lowest > highest:
            raise properties.bad(
                f"min_{part} = {lowest} must be at most max_{part} = {highest}", "swap them", f"min_{part}"
            )
    old = values_of(ours)
    terms, unmet = possible_terms(bounded_terms(wanted.terms, bounds), old, node.lacks, deltas, bounds)
    new = new_values(terms, old, channel, node, deltas, bounds, strict=file.strict)
    problem = None if new == old else invalid(new, old)
    if problem is not None:
        raise properties.bad(f"strategy = {wanted.strategy}: {problem}")
    status = _status_change(terms, channel, ours, properties)
    reason = terms.reason
    if terms.fee_ppm is not None and terms.fee_ppm != wanted.terms.fee_ppm:
        reason += f"; bounded to {terms.fee_ppm} ppm"
    if terms.fee_ppm is not None and new.fee_ppm == old.fee_ppm != terms.fee_ppm:
        reason += f"; {terms.fee_ppm} ppm differs by less than min_fee_ppm_delta = {deltas.outbound_ppm}"
    if new.time_lock_delta != old.time_lock_delta and terms.time_lock_delta != new.time_lock_delta:
        reason += f"; time_lock_delta raised to the node's minimum of {node.min_time_lock_delta}"
    writes = new != old or status is not None
    if unmet:
        reason = f"{reason}; {'; '.join(unmet)}" if writes else f"{'; '.join(unmet)} (wanted by {reason})"
    return structs.replace(
        named,
        action=Action.UPDATE if writes else Action.REFUSED if unmet else Action.NONE,
        policy=wanted.policy,
        strategy=wanted.strategy,
        reason=reason,
        new=new,
        status_change=status,
        computed=wanted.strategy in COMPUTED_STRATEGIES,
        rollback=_rollback_terms(file, properties),
    )


def _status_change(terms: Terms, channel: ChannelFacts, ours: Policy, properties: Properties) -> StatusChange | None:
    if not channel.active or terms.disabled is None or terms.disabled == ours.disabled:
        return None
    if not properties.flag("manage_status", default=True):
        return None
    return StatusChange.DISABLE if terms.disabled else StatusChange.ENABLE


def _rollback_terms(file: PolicyFile, properties: Properties) -> RollbackTerms:
    """Return the rule's terms: on by default in lnflow's files, off in charge-lnd's unless written there."""
    threshold = properties.number("rollback_threshold", 0.3)
    if not 0 < threshold <= 1:
        raise properties.bad(
            f"rollback_threshold = {threshold:g} must be above 0 and at most 1", key="rollback_threshold"
        )
    return RollbackTerms(enabled=properties.flag("enable_auto_rollback", default=file.lnflow), threshold=threshold)
