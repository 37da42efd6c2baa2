"""From a finding to one recommendation: what to do, with which channel, how much it may cost, and why.

Directions follow from what our own refusals can show: missing *outbound* balance, size limits, prices that
senders would not pay, downtime.  Missing inbound shows at the previous node, never here; a channel whose
local balance lies idle is named as the place to take balance from.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from msgspec import Struct

from lnflow.advice.documents import Action, Recommendation
from lnflow.advice.wording import sats
from lnflow.analysis.finding import Finding
from lnflow.analysis.month import MIN_COVERED_S, MIN_DEMANDS, per_month_msat
from lnflow.domain.causes import Cause, Problem
from lnflow.domain.channel import ChannelFacts
from lnflow.domain.fees import PPM
from lnflow.domain.scid import scid_text

IDLE_SHARE = 0.7  # more of a channel's balance than this on our side counts as idle
_CAUSE_TEXT = [cause.text for cause in Cause]
_MAX_HTLC_SHARE = 0.99  # of the capacity: the reserve of 1 % can never be sent


class Case(Struct, frozen=True, gc=False):
    """A finding and where to act on it."""

    finding: Finding
    channel: ChannelFacts | None
    """For liquidity the open channel with most room, else the one asked for; None: all are closed."""
    amount_sat: int | None
    """How much more local balance the channel should have; None: not short of it, or nothing to size it by."""

    @property
    def outbound_ppm(self) -> int | None:
        """Our price on the channel, None while its policy is not known."""
        return self.channel.fee_ppm if self.channel is not None else None


def case_of(finding: Finding) -> Case:
    """Choose the channel; of equal ones the one that we have had for longest, as they come in that order."""
    candidates = [c for c in finding.channels if not c.closed]
    if finding.problem is not Problem.LIQUIDITY:
        asked_for = finding.attempts_by_channel
        return Case(finding, max(candidates, key=lambda c: asked_for.get(c.channel_id, 0), default=None), None)
    channel = max(candidates, key=lambda c: (c.remote_msat or 0, c.capacity_sat or 0), default=None)
    wanted_msat = max(finding.flow_msat, finding.largest_likely_msat)
    if channel is None or not wanted_msat:
        return Case(finding, channel, None)
    room_msat = channel.remote_msat
    return Case(finding, channel, -(-(wanted_msat if room_msat is None else min(wanted_msat, room_msat)) // 1000))


def recommend(case: Case, sources: Sequence[ChannelFacts], gain_msat: float | None, covered_s: float) -> Recommendation:
    """Return what to do in a case.

    `sources` are channels whose local balance lies idle; `gain_msat` is what adding its amount would
    earn within a month, None if that is not known.
    """
    if case.channel is None and case.finding.channels:
        return _investigate(case, "The channels with this peer are closed: what was asked for speaks for a new one.")
    problem = case.finding.problem
    if problem is Problem.LIQUIDITY:
        return _more_outbound(case, sources, gain_msat)
    if problem is Problem.FEE:
        return _price(case, covered_s)
    return _OF_OTHERS[problem](case)


def idle_sources(channels: Sequence[ChannelFacts]) -> list[ChannelFacts]:
    """Return open channels with most of their balance on our side, the largest surplus first."""

    def surplus(c: ChannelFacts) -> int:
        if c.closed or c.local_msat is None or not c.capacity_sat:
            return 0
        return c.local_msat - int(IDLE_SHARE * c.capacity_sat * 1000)

    return sorted((c for c in channels if surplus(c) > 0), key=surplus, reverse=True)


def _more_outbound(case: Case, sources: Sequence[ChannelFacts], gain_msat: float | None) -> Recommendation:
    finding, channel, amount_sat = case.finding, case.channel, case.amount_sat
    if channel is None or amount_sat is None:
        return _investigate(case, "The refused amounts are not known: nothing to size a rebalance by.")
    if gain_msat is None:
        return _investigate(
            case,
            "More outbound balance would serve this; what it would earn in a month cannot be told, since none of the "
            "window is covered.",
        )
    max_ppm = int(gain_msat * PPM / (amount_sat * 1000)) if amount_sat else 0
    if not max_ppm:
        return _investigate(
            case, "More outbound balance would serve this, but it brings less than a rebalance costs (below 1 ppm)."
        )
    other = list(islice((c for c in sources if c not in finding.channels), 2))
    take_from = f", for instance from {' or '.join(_name(c) for c in other)}" if other else ""
    gain = None if finding.per_month_msat is None else min(round(gain_msat), finding.per_month_msat)
    return _make(
        case,
        "rebalance_outbound",
        f"Raise the local balance of {_name(channel)} by {amount_sat:,} sat, worth at most {max_ppm:,} ppm{take_from}."
        f"{_earning(gain, finding.per_month_msat)}",
        gain_msat=gain,
        amount_sat=amount_sat,
        max_ppm=max_ppm,
        cost_msat=amount_sat * 1000 * max_ppm // PPM,
        evidence=[f"idle local balance in {_name(c)}: {_local_sat(c):,} sat" for c in other],
    )


def _earning(once_msat: int | None, kept_msat: int | None) -> str:
    """Say what an amount added once earns: what served a payment is gone."""
    if once_msat is None or kept_msat is None:
        return ""
    kept = f"; {sats(kept_msat)} sat if it is kept filled" if kept_msat * 100 > once_msat * 105 else ""
    return f" Once, that earns about {sats(once_msat)} sat within a month{kept}."


def _larger(case: Case) -> Recommendation:
    channel, largest = case.channel, case.finding.largest_msat
    if channel is None or channel.capacity_sat is None or largest is None:
        return _investigate(case, "Amounts above max_htlc were refused, but the channel's size is not known.")
    ceiling_msat = int(channel.capacity_sat * 1000 * _MAX_HTLC_SHARE)
    current = channel.max_htlc_msat
    if largest > ceiling_msat and (current is None or current >= ceiling_msat):
        return _make(
            case,
            "increase_capacity",
            f"Amounts of up to about {largest // 1000:,} sat were asked for; {_name(channel)} holds "
            f"{channel.capacity_sat:,} sat: splice in or open a larger channel.",
            amount_sat=-(-largest // 1000) - channel.capacity_sat,
        )
    target = min(largest, ceiling_msat)
    return _make(
        case,
        "raise_max_htlc",
        f"Raise max_htlc of {_name(channel)} to {target // 1000:,} sat: larger amounts were asked for.",
        max_htlc_msat=target,
        evidence=[f"max_htlc now: {current // 1000:,} sat"] if current is not None else [],
    )


def _price(case: Case, covered_s: float) -> Recommendation:
    finding, channel, current = case.finding, case.channel, case.outbound_ppm
    if channel is None or current is None or not finding.open_msat:
        return _investigate(case, "Senders paid less than we ask; our price at the time is not known.")
    offered_ppm = finding.open_fee_msat * PPM // finding.open_msat
    given_up = finding.settled_msat * max(0, current - offered_ppm) // PPM
    cost = per_month_msat(given_up, covered_s, max(finding.settled, MIN_DEMANDS))
    facts = [f"our price {current:,} ppm, offered {offered_ppm:,} ppm on average"]
    if finding.per_month_msat is None or cost is None:
        return _investigate(
            case,
            f"Senders paid less than we ask; a price needs at least {MIN_DEMANDS} unserved demands in "
            f"{MIN_COVERED_S // 3600} covered hours.",
            evidence=facts,
        )
    if offered_ppm >= current or cost >= finding.per_month_msat:
        return _investigate(
            case,
            "Senders paid less than we ask, but a lower price would cost at least what it brings: keep it, and "
            "see whether they follow.",
            evidence=facts,
        )
    return _make(
        case,
        "lower_fees",
        f"Lower the price of {_name(channel)} from {current:,} to {offered_ppm:,} ppm: that is what was offered.",
        fee_ppm=offered_ppm,
        cost_msat=cost,
        evidence=facts,
    )


def _stale(case: Case) -> Recommendation:
    return _investigate(
        case, "Senders still paid the old price within an hour after a raise: raise less often, in fewer steps."
    )


def _uptime(case: Case) -> Recommendation:
    return _make(
        case,
        "fix_uptime",
        "The peer's link was down when it was asked for: look after the connection, or close and "
        "open with a steadier peer.",
    )


def _slots(case: Case) -> Recommendation:
    finding = case.finding
    return _investigate(
        case,
        "The link could not add the HTLC: its slots or in-flight limit were used up, or the peer did not "
        "answer for a minute. Look for HTLCs that hang; a second channel to the peer doubles the slots.",
        evidence=[f"{finding.without_amount} of {finding.attempts} came without amounts and have no value here"]
        if finding.without_amount
        else [],
    )


_OTHER_TEXT = {
    Cause.FORWARDS_DISABLED: "The node runs with 'rejecthtlc': it refuses every forward.",
    Cause.AMOUNT_BELOW_MINIMUM: "Amounts below our min_htlc were asked for: lower it if small payments are welcome.",
    Cause.NO_DETAIL: "The node gave no reason: dust or fee exposure, or the incoming link went away.",
    Cause.CIRCULAR_ROUTE: "Payments came in and wanted out by the same channel: the sender's doing, nothing lost.",
}


def _unattributed(case: Case) -> Recommendation:
    if Cause.UNATTRIBUTED in case.finding.attempts_by_cause:
        return _investigate(
            case,
            "Core Lightning's code for these means any of six things, lack of balance being the most usual, and nobody "
            "saw the channel when they came: keep lnflow running, best as a plugin.",
        )
    return _investigate(
        case,
        "The channel's link was absent, and no stored uptime says whether the peer was offline: keep "
        "'lnflow monitor' running, which records it.",
    )


def _other(case: Case) -> Recommendation:
    causes = case.finding.attempts_by_cause
    cause = Cause(max(causes, key=lambda c: (causes[c], -c)))
    text = _OTHER_TEXT.get(cause, f"Refused as {cause.text}: the sender has to mend that, nothing is lost.")
    return _investigate(case, text)


_OF_OTHERS = {
    Problem.SIZE: _larger,
    Problem.STALE_FEE: _stale,
    Problem.OFFLINE: _uptime,
    Problem.SLOTS: _slots,
    Problem.UNATTRIBUTED: _unattributed,
    Problem.OTHER: _other,
}


def _investigate(case: Case, text: str, evidence: Sequence[str] = ()) -> Recommendation:
    return _make(case, "investigate", text, evidence=evidence)


def _make(
    case: Case,
    action: Action,
    text: str,
    *,
    amount_sat: int | None = None,
    max_ppm: int | None = None,
    fee_ppm: int | None = None,
    max_htlc_msat: int | None = None,
    cost_msat: int | None = None,
    gain_msat: int | None = None,
    evidence: Sequence[str] = (),
) -> Recommendation:
    """`gain_msat` is what the action earns within a month; None: all that was missed."""
    finding, at = case.finding, case.channel
    mended = finding.per_month_msat if gain_msat is None else gain_msat
    return Recommendation(
        type=action,
        channel=scid_text(at.scid) if at is not None and at.scid is not None else None,
        amount_sat=amount_sat,
        max_ppm=max_ppm,
        fee_ppm=fee_ppm,
        max_htlc_msat=max_htlc_msat,
        gain_per_month_msat=None if action == "investigate" else mended,
        cost_msat=cost_msat,
        confidence=finding.confidence,
        text=text,
        evidence=[*_counts(finding), *evidence],
    )


def _counts(finding: Finding) -> list[str]:
    causes = ", ".join([f"{n} {_CAUSE_TEXT[cause]}" for cause, n in finding.attempts_by_cause.items()])
    lines = [
        f"{finding.attempts} refused attempts ({causes}), {finding.demands} distinct demands, "
        f"{finding.unserved} never served"
    ]
    if finding.open_fee_msat and finding.settle_chance is not None:
        lines.append(
            f"{sats(finding.open_fee_msat)} sat offered once per demand x {round(finding.settle_chance * 100)}% chance "
            f"to settle ({finding.settled} settled, {finding.downstream} failed downstream with this peer)"
        )
    return lines


def _name(channel: ChannelFacts) -> str:
    return scid_text(channel.scid) if channel.scid is not None else channel.channel_point or "a channel"


def _local_sat(channel: ChannelFacts) -> int:
    return (channel.local_msat or 0) // 1000
