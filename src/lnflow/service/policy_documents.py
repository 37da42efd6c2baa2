"""How the engine's records become the documents of the policy commands."""

from __future__ import annotations

from collections.abc import Sequence

from lnflow.domain.errors import ConfigurationError
from lnflow.domain.scid import parse_scid
from lnflow.domain.time import iso_utc
from lnflow.pricing.applying import Calls
from lnflow.pricing.documents import ApplyDocument, CallsDocument, ChangeDocument
from lnflow.pricing.facts import ChannelFacts
from lnflow.pricing.limits import Rails
from lnflow.pricing.rollback import Outcome
from lnflow.pricing.rolling_back import Judged, values_from
from lnflow.pricing.running import Plan
from lnflow.store.fee_journal import FeeChange


def failed(document: ApplyDocument) -> bool:
    """Tell whether a run ends with exit code 1: the file is wrong somewhere, or the node refused."""
    return bool(document.errors) or any(c.action == "error" or c.error for c in document.channels)


def tighter(rails: Rails, base: Rails) -> Rails:
    """Return the tighter of two sets of rails, value by value."""
    found: dict[str, int | None] = {}
    for name in Rails.__struct_fields__:
        values = [v for v in (getattr(rails, name), getattr(base, name)) if v is not None]
        found[name] = (max if name.startswith("min_") else min)(values, default=None)
    return Rails(**found)


def channels_by_section(plan: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for decision in plan.decisions:
        if decision.policy is not None:
            found.setdefault(decision.policy, []).append(decision.scid_text)
    return found


def named_channel(channels: Sequence[ChannelFacts], ident: str) -> ChannelFacts:
    wanted = ident.strip()
    scid: int | None = None
    if wanted.count(":") != 1:
        try:
            scid = parse_scid(wanted)
        except ValueError:
            scid = None
    found = [
        c
        for c in channels
        if (scid is not None and scid in (c.scid, *c.other_scids))
        or wanted in (c.channel_point, c.peer.pubkey, c.peer.alias)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(f"{ident!r} names {len(found)} channels: {', '.join(c.name for c in found)}")
    raise ConfigurationError(
        f"the node has no channel {ident!r}: give its short channel id (840000x12x1), channel point or peer"
    )


def calls_document(calls: Calls) -> CallsDocument:
    return CallsDocument(update_channel_policy=calls.update_channel_policy, update_chan_status=calls.update_chan_status)


def change_document(change: FeeChange, judged: Judged | None, error: str | None = None) -> ChangeDocument:
    judgement = None if judged is None else judged.judgement
    return ChangeDocument(
        at=iso_utc(change.at_ns),
        channel_point=change.channel_point,
        scid=change.scid,
        kind=change.kind,
        rule=change.rule,
        strategy=change.strategy,
        old=values_from(change.old_values),
        new=values_from(change.new_values),
        result=change.result,
        error=error or change.error,
        why=change.reason,
        revenue_before=None if judgement is None else judgement.before_msat,
        revenue_after=None if judgement is None else judgement.after_msat,
        would_revert=None if judgement is None else judgement.outcome is Outcome.REVERT,
        reason=None if judgement is None else f"{judgement.outcome.value}: {judgement.reason}",
    )
