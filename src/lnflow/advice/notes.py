"""What the reader must know before believing a figure."""

from __future__ import annotations

from lnflow.advice.documents import Note
from lnflow.advice.wording import duration
from lnflow.analysis.facts import Scope, WindowFacts
from lnflow.analysis.findings import Findings
from lnflow.analysis.month import MIN_COVERED_S, MIN_DEMANDS
from lnflow.domain.causes import Cause
from lnflow.domain.time import HOUR_NS, iso_utc

LOW_COVERAGE = 0.9
STALE_BALANCE_NS = 24 * HOUR_NS


def notes_of(facts: WindowFacts, found: Findings) -> list[Note]:
    """Return the notes of an analysis, the gravest first."""
    return [
        *window_notes(facts.scope),
        *_fact_notes(facts),
        *_attribution_notes(facts),
        *_finding_notes(facts, found),
    ]


def window_notes(scope: Scope) -> list[Note]:
    """Return what is to be said of the window and its coverage."""
    window, coverage = scope.window, scope.coverage
    notes: list[Note] = []
    if scope.stored_since_ns is None or scope.stored_until_ns is None:
        return [
            Note(
                code="no_data",
                text="Nothing is stored yet: run 'lnflow monitor' beside the node or 'lnflow import' saved files.",
            )
        ]
    if scope.stored_until_ns < window.since_ns or scope.stored_since_ns >= window.until_ns:
        notes.append(
            Note(
                code="window_without_data",
                text="The stored data do not reach into this window: they go from "
                f"{iso_utc(scope.stored_since_ns)} to {iso_utc(scope.stored_until_ns)}; "
                f"use --since {iso_utc(scope.stored_since_ns)} or --all.",
            )
        )
    if coverage.first_ns is None:
        notes.append(
            Note(
                code="no_coverage",
                text="Nobody listened to the node yet, and it does not tell its refusals afterwards: failures can "
                "only be seen from now on, with 'lnflow monitor'.",
            )
        )
    elif window.length_s and coverage.covered_s < LOW_COVERAGE * window.length_s:
        notes.append(
            Note(
                code="low_coverage",
                text=f"Only {coverage.covered_s / window.length_s:.1%} of the window is covered "
                f"({duration(coverage.covered_s)}); what was refused in the gaps is not known.",
            )
        )
    if scope.shed_events:
        notes.append(
            Note(
                code="shed_events",
                text=f"{scope.shed_events:,} events came faster than they could be stored and were dropped; their "
                "time is not counted as covered.",
            )
        )
    if scope.rounded:
        notes.append(
            Note(
                code="rounded_window",
                text="The window reaches beyond the single attempts that are kept: its ends are rounded to whole "
                "hours (pairs: days).",
            )
        )
    return notes


def _fact_notes(facts: WindowFacts) -> list[Note]:
    open_channels = [c for c in facts.channels if not c.closed]
    notes: list[Note] = []
    if not facts.channels:
        return notes
    if all(c.capacity_sat is None for c in open_channels):
        notes.append(
            Note(
                code="no_channel_snapshot",
                text="No listing of the channels is stored: peers, balances and sizes are not known. 'lnflow "
                "monitor' lists them, or import the output of 'lncli listchannels'.",
            )
        )
    newest = max((c.balance_ns for c in open_channels if c.balance_ns is not None), default=None)
    if newest is not None and facts.scope.window.until_ns - newest > STALE_BALANCE_NS:
        notes.append(
            Note(
                code="stale_balances",
                text=f"The newest balances are of {iso_utc(newest)}: amounts to rebalance may be out of date.",
            )
        )
    if open_channels and all(c.fee_ppm is None for c in open_channels):
        notes.append(Note(code="no_policies", text="Our own fee policies are not stored: prices cannot be judged."))
    return notes


def _attribution_notes(facts: WindowFacts) -> list[Note]:
    """Say how much of what was refused has no cause: Core Lightning files six of them under one code."""
    refused = sum(r.attempts for r in facts.refusals)
    unknown = sum(r.attempts for r in facts.refusals if r.cause is Cause.UNATTRIBUTED)
    if not unknown or facts.scope.node.implementation != "cln":
        return []
    return [
        Note(
            code="unattributed",
            text=f"{unknown:,} of {refused:,} refusals ({unknown / refused:.1%}) could not be told apart: Core "
            "Lightning files six causes under one code, and what the channel was like at that moment was not seen "
            "(lnflow was away, or had just started). As a plugin lnflow sees most.",
        )
    ]


def _finding_notes(facts: WindowFacts, found: Findings) -> list[Note]:
    notes: list[Note] = []
    if found.noise_attempts:
        notes.append(
            Note(
                code="not_our_channels",
                text=f"{found.noise_attempts:,} refused attempts asked for channels that are not ours, or no longer: "
                "they are listed as failures, never as opportunities.",
            )
        )
    if found.findings and found.per_month_msat is None:
        notes.append(
            Note(
                code="no_month",
                text=f"Too little evidence for a figure per month: it takes {MIN_COVERED_S // 3600} covered hours "
                f"and {MIN_DEMANDS} distinct demands; there are {duration(facts.scope.coverage.covered_s)} covered "
                f"and {sum(f.servable for f in found.findings)}.",
            )
        )
    return notes
