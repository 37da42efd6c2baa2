"""From advice to proposals: a recommended price goes the same way to the node as a rule's, guards included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from lnflow.advice.documents import Opportunity, Recommendation
from lnflow.domain.channel import Policy
from lnflow.domain.scid import parse_scid
from lnflow.pricing.changes import values_of
from lnflow.pricing.decision import Action, Decision, RollbackTerms
from lnflow.pricing.facts import ChannelFacts, Unknown

PRICED = frozenset({"lower_fees", "raise_fees"})
STRATEGY = "advice"


def advised(opportunities: Sequence[Opportunity], channels: Sequence[ChannelFacts]) -> list[Decision]:
    """Return one decision per channel: an update where a price is recommended for it, `no_policy` elsewhere.

    Advice is measured, so its prices move in steps and are rolled back like every computed price.  Of two
    recommendations for one channel the higher ranked one counts.
    """
    wanted = _by_scid(o.recommendation for o in sorted(opportunities, key=lambda o: o.rank))
    return [_decide(channel, wanted) for channel in channels]


def _by_scid(recommendations: Iterable[Recommendation]) -> dict[int, Recommendation]:
    found: dict[int, Recommendation] = {}
    for advice in recommendations:
        if advice.type in PRICED and advice.channel is not None and advice.fee_ppm is not None:
            try:
                found.setdefault(parse_scid(advice.channel), advice)
            except ValueError:  # named by its channel point: it has no id yet, so nothing leaves by it
                continue
    return found


def _decide(channel: ChannelFacts, wanted: Mapping[int, Recommendation]) -> Decision:
    undecided = Decision(
        channel_point=channel.channel_point,
        scid=channel.scid,
        peer_pubkey=channel.peer.pubkey,
        action=Action.NO_POLICY,
        reason="no price is recommended for this channel",
        old=None if isinstance(channel.ours, Unknown) else values_of(channel.ours),
    )
    advice = next((wanted[scid] for scid in (channel.scid, *channel.other_scids) if scid in wanted), None)
    if advice is None or advice.fee_ppm is None:
        return undecided
    named = structs.replace(undecided, policy=advice.type, strategy=STRATEGY)
    if not isinstance(channel.ours, Policy):
        return structs.replace(named, action=Action.SKIPPED, reason="our own policy is not known")
    old = values_of(channel.ours)
    new = structs.replace(old, fee_ppm=advice.fee_ppm)
    return structs.replace(
        named,
        action=Action.NONE if new == old else Action.UPDATE,
        new=new,
        reason=f"advice: {advice.text}",
        computed=True,
        rollback=RollbackTerms(enabled=True),
    )
