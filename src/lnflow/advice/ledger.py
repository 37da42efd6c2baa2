"""What goes into the ledger of recommendations, when an entry ends, and how well the advice did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from lnflow.advice.documents import (
    AdviceItem,
    AdviceScore,
    AdviceStatus,
    AnalyzeDocument,
    GainDocument,
    MeasuredGain,
    Opportunity,
    Recommendation,
)
from lnflow.analysis.effect import Effect
from lnflow.domain.time import DAY_NS, iso_utc

OPEN_NS = 30 * DAY_NS  # advice not taken by then speaks of a traffic that is gone


class Entry(Struct, frozen=True, kw_only=True):
    """One recommendation as it was given; `ended_ns` is when it was taken, ran out or was withdrawn."""

    number: int
    given_ns: int
    peer_pubkey: str | None
    peer_alias: str | None
    cause: str
    recommendation: Recommendation
    expected: GainDocument
    status: AdviceStatus
    ended_ns: int | None
    marked: bool

    @property
    def topic(self) -> tuple[str | None, str | None, str, str]:
        """Two entries with the same topic say the same thing with other numbers."""
        return _topic(self.peer_pubkey, self.cause, self.recommendation)


def new_advice(document: AnalyzeDocument, since_ns: int, ledger: Sequence[Entry]) -> list[Opportunity]:
    """Return the opportunities whose recommendation is to be given now; `since_ns` is when their window began.

    What is open is not given twice: its numbers stay those it was given with.  What was taken or withdrawn is
    given again only on evidence that is wholly younger.  `investigate` asks for no change and is not followed.
    """
    silent = {
        entry.topic
        for entry in ledger
        if entry.status == "open"
        or (entry.status != "expired" and entry.ended_ns is not None and entry.ended_ns > since_ns)
    }
    return [
        o
        for o in document.opportunities
        if o.recommendation.type != "investigate" and _topic(o.peer_pubkey, o.cause, o.recommendation) not in silent
    ]


def expected_gain(opportunity: Opportunity) -> GainDocument:
    """Return what a recommendation promises per month: its gain and range.

    The range is that of the step of the marginal gain it comes from, else the finding's in proportion.
    """
    gain, expected = opportunity.recommendation.gain_per_month_msat, opportunity.expected_missed_msat
    step = next((m for m in opportunity.marginal_gain if m.gain_per_month_msat == gain), None)
    if step is not None:
        return GainDocument(gain_per_month_msat=gain, low_msat=step.low_msat, high_msat=step.high_msat)
    if gain is None or expected <= 0:
        return GainDocument(gain_per_month_msat=gain, low_msat=None, high_msat=None)
    return GainDocument(
        gain_per_month_msat=gain,
        low_msat=round(gain * opportunity.low_msat / expected),
        high_msat=round(gain * opportunity.high_msat / expected),
    )


def expires_ns(entry: Entry, now_ns: int) -> int | None:
    """Return when an open entry ran out, None if it has not."""
    end_ns = entry.given_ns + OPEN_NS
    return end_ns if entry.status == "open" and end_ns <= now_ns else None


def item(entry: Entry, measured: Effect | str | None) -> AdviceItem:
    """Return an entry as it is shown; `measured` is the effect, or why there is none yet."""
    is_taken = entry.status == "taken" and entry.ended_ns is not None
    return AdviceItem(
        id=entry.number,
        given_at=iso_utc(entry.given_ns),
        peer_pubkey=entry.peer_pubkey,
        peer_alias=entry.peer_alias,
        cause=entry.cause,
        recommendation=entry.recommendation,
        status=entry.status,
        taken_at=iso_utc(entry.ended_ns) if is_taken and entry.ended_ns is not None else None,
        marked=entry.marked,
        expected=entry.expected,
        measured=MeasuredGain(
            gain_per_month_msat=measured.gain_per_month_msat, low_msat=measured.low_msat, high_msat=measured.high_msat
        )
        if isinstance(measured, Effect)
        else None,
        not_measured=measured if isinstance(measured, str) else None,
        is_final=isinstance(measured, Effect) and measured.final,
    )


def score(items: Iterable[AdviceItem]) -> AdviceScore:
    """Return how well the advice did: of the effects that are final, how many lie in the range that was given."""
    listed = list(items)
    return AdviceScore(
        given=len(listed),
        taken=sum(i.status == "taken" for i in listed),
        measured=sum(i.is_final for i in listed),
        inside_range=sum(_is_inside(i) for i in listed),
    )


def _is_inside(i: AdviceItem) -> bool:
    low, high = i.expected.low_msat, i.expected.high_msat
    return (
        i.is_final
        and i.measured is not None
        and low is not None
        and high is not None
        and low <= i.measured.gain_per_month_msat <= high
    )


def _topic(pubkey: str | None, cause: str, r: Recommendation) -> tuple[str | None, str | None, str, str]:
    return pubkey, r.channel if pubkey is None else None, cause, r.type
