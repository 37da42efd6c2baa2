"""`lnflow why`: one finding with all its working, from attempts to the expected figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from lnflow.advice.analyzing import PROBLEM_NAMES, opportunities_of, window_document
from lnflow.advice.documents import (
    ChanceDocument,
    ChanceRow,
    Layer,
    ProblemName,
    WhyDocument,
    WishDocument,
)
from lnflow.advice.notes import window_notes
from lnflow.advice.wording import sats
from lnflow.analysis.chance import STRENGTH, Chances
from lnflow.analysis.facts import ChannelDetails, DemandGroups, WindowFacts, WishFacts
from lnflow.analysis.finding import Finding
from lnflow.analysis.findings import Findings, find
from lnflow.analysis.problems import fate_of
from lnflow.domain.amounts import AMOUNT_BOUNDS_SAT
from lnflow.domain.channel import ChannelFacts
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.scid import scid_text
from lnflow.domain.time import iso_utc

MOST_WISHES = 50


def explain(
    facts: WindowFacts,
    listed: Sequence[ChannelDetails],
    ident: str,
    cause: ProblemName | None,
    load_wishes: Callable[[Sequence[int]], Sequence[WishFacts]],
) -> WhyDocument:
    """Return the working of a peer's most valuable finding, or of the one for `cause`.

    `ident` is the peer's public key or alias, or an id of one of its channels, which are `listed` with all of their
    names; `load_wishes` returns the largest refused wishes for some channels.  `ConfigurationError` if the peer is
    not known or nothing was refused for it.
    """
    found = find(facts)
    channels = {c.channel_id: c for c in facts.channels}
    named = [c for c in listed if _is_called(c, ident)]
    if not named:
        raise ConfigurationError(
            f"no peer {ident!r} in the store: give its public key, its alias or one of its channels; "
            "'lnflow channels' lists them"
        )
    keys = {c.peer_pubkey for c in named}
    if len(keys) > 1:
        raise ConfigurationError(f"{ident!r} names {len(keys)} peers: give the public key, one of {_listed(keys)}")
    numbers = {c.channel_id for c in named}
    mine = [f for f in found.findings if any(c.channel_id in numbers for c in f.channels)]
    finding = next((f for f in mine if cause is None or PROBLEM_NAMES[f.problem] == cause), None)
    if finding is None:
        what = "nothing" if cause is None else f"nothing for {cause}"
        there = ", ".join(PROBLEM_NAMES[f.problem] for f in mine)
        raise ConfigurationError(
            f"{what} was refused for {ident!r} in this window"
            + (f": there is {there}" if there else ": take a longer one with --hours N or --all")
        )
    rank = next(n for n, f in enumerate(found.findings, start=1) if f is finding)
    [opportunity] = opportunities_of(facts, found, [finding], first_rank=rank)
    unseen, lasting, doubt = found.circumstances.of(finding.place)
    own = [w for w in load_wishes([c.channel_id for c in finding.channels]) if finding.holds(w)]
    return WhyDocument(
        window=window_document(facts.scope.window),
        coverage=facts.scope.covered_share,
        opportunity=opportunity,
        layers=_layers(finding, unseen, lasting),
        demands=[_wish(w, channels) for w in own[:MOST_WISHES]],
        chance=_chance(found, finding),
        formulas=_formulas(facts, finding, unseen, lasting, doubt),
        other_causes=[PROBLEM_NAMES[f.problem] for f in mine if f is not finding],
        notes=window_notes(facts.scope),
    )


def _is_called(channel: ChannelDetails, ident: str) -> bool:
    names = (channel.peer_pubkey, channel.peer_alias, channel.channel_point, *map(scid_text, channel.scids))
    return ident.strip() in names


def _listed(keys: Iterable[str | None]) -> str:
    return ", ".join(sorted(k or "?" for k in keys))


def _layers(f: Finding, unseen: float, lasting: float) -> list[Layer]:
    chance = f.settle_chance or 0.0
    settling = round(f.open_fee_msat * chance)
    return [
        Layer(
            name="attempts",
            count=f.attempts,
            amount_msat=f.attempted_msat,
            fee_msat=f.offered_fee_msat,
            rule="every refused try: the naive figure",
        ),
        Layer(
            name="demands",
            count=f.demands,
            amount_msat=None,
            fee_msat=None,
            rule="retries, parts and returns of one payment are one; who bisects our balance is none",
        ),
        Layer(
            name="unserved",
            count=f.unserved,
            amount_msat=None,
            fee_msat=None,
            rule="no later try was passed on whole, by whichever of our channels",
        ),
        Layer(
            name="servable",
            count=f.servable,
            amount_msat=f.open_msat,
            fee_msat=f.open_fee_msat,
            rule="not the sender's own fault, nor beyond the balance of the time; once per demand, less what it paid",
        ),
        Layer(
            name="settling",
            count=None,
            amount_msat=None,
            fee_msat=settling,
            rule=f"x {chance:.3f}: the chance that a demand of its size pays if we pass it on",
        ),
        Layer(
            name="unseen parts",
            count=None,
            amount_msat=None,
            fee_msat=round(settling * unseen),
            rule=f"x {unseen:.3f}: who sends in equal parts stops when the first is refused",
        ),
        Layer(
            name="expected",
            count=None,
            amount_msat=None,
            fee_msat=f.expected_msat,
            rule=f"x {lasting:.3f}: the chance that the balance would have lasted",
        ),
    ]


def _chance(found: Findings, f: Finding) -> ChanceDocument:
    refusals = found.refusals
    own = np.flatnonzero((refusals.bins.of_row == f.place) & refusals.valued)
    groups, chances = refusals.groups.taken(own), refusals.chances.taken(own)
    sizes = np.maximum(groups.amount_class, 0)
    return ChanceDocument(
        prior=round(found.average_chance, 4),
        evidence=[
            _chance_row(size, groups.taken(rows), chances.taken(rows))
            for size in np.unique(sizes).tolist()
            for rows in [np.flatnonzero(sizes == size)]
        ],
        result=None if f.settle_chance is None else round(f.settle_chance, 4),
    )


def _chance_row(size: int, groups: DemandGroups, chances: Chances) -> ChanceRow:
    """One size; the parallel channels of a peer share its evidence, and only mean amounts differ."""
    fee_msat = int(groups.open_fee_msat.sum())
    settled, failed = int(chances.settled[0]), int(chances.downstream[0])
    return ChanceRow(
        from_sat=AMOUNT_BOUNDS_SAT[size - 1] if size else 0,
        below_sat=AMOUNT_BOUNDS_SAT[size] if size < len(AMOUNT_BOUNDS_SAT) else None,
        demands=int(groups.unserved.sum()),
        open_fee_msat=fee_msat,
        prior=round((float(chances.alpha[0]) - settled) / STRENGTH, 4),
        settled=settled,
        failed=failed,
        reach=round(float((groups.open_fee_msat * chances.reach).sum()) / fee_msat, 4),
        chance=round(float((groups.open_fee_msat * chances.mean).sum()) / fee_msat, 4),
    )


def _formulas(facts: WindowFacts, f: Finding, unseen: float, lasting: float, doubt: float) -> list[str]:
    chance = f.settle_chance or 0.0
    lines = [
        f"expected = {sats(f.open_fee_msat)} sat x {chance:.3f} x {unseen:.3f} x {lasting:.3f}"
        f" = {sats(f.expected_msat)} sat",
        f"80 % range = {sats(f.low_msat)} to {sats(f.high_msat)} sat: luck of {f.servable} demands, the"
        f" doubt of the chance, and {doubt:.2f} (standard deviation of the logarithm) for the model itself",
    ]
    covered_s = facts.scope.coverage.covered_s
    if f.per_month_msat is not None:
        lines.append(
            f"per month = {sats(f.expected_msat)} sat x 30 d / {covered_s / 86_400:.2f} d covered"
            f" = {sats(f.per_month_msat)} sat"
        )
    lines.append(
        f"confidence = cause named right x {f.unserved} / ({f.unserved} + 3) x (0.5 + 0.5 x"
        f" {facts.scope.covered_share:.2f} covered) = {f.confidence:.2f}"
    )
    return lines


def _wish(w: WishFacts, channels: dict[int, ChannelFacts]) -> WishDocument:
    return WishDocument(
        first_at=iso_utc(w.first_ns),
        last_at=iso_utc(w.last_ns),
        in_channel=_scid(channels.get(w.in_channel_id)),
        channel=_scid(channels.get(w.channel_id)),
        cause=w.cause.text,
        attempts=w.attempts,
        amount_out_msat=w.amount_out_msat,
        offered_fee_msat=w.fee_msat,
        paid_msat=w.paid_msat,
        fate=fate_of(w),
    )


def _scid(channel: ChannelFacts | None) -> str | None:
    return scid_text(channel.scid) if channel is not None and channel.scid is not None else None
