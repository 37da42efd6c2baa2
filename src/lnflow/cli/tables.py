"""Documents drawn with rich: tables in colour on a terminal, plain text elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lnflow.advice.documents import (
    AnalyzeDocument,
    DoctorDocument,
    FailureRow,
    FailuresDocument,
    ImportDocument,
    Note,
    Opportunity,
)
from lnflow.advice.wording import duration, sats
from lnflow.cli.fitting import draw_table
from lnflow.cli.text import count, peer_name, percent, safe, when

_URGENT = ((70.0, "bold red"), (40.0, "yellow"), (0.0, "green"))


def draw_analysis(console: Console, document: AnalyzeDocument) -> None:
    """Draw the head, the ranked opportunities and the notes."""
    draw_head(console, document)
    if document.opportunities:
        draw_table(console, opportunity_table(document.opportunities))
        draw_recommendations(console, document.opportunities)
    elif document.verdict is not None:
        console.print(Text(document.verdict.text, style="bold"))
        for line in document.verdict.evidence:
            console.print(f"  · {line}", markup=False)
    else:
        console.print("Nothing of this kind above the thresholds.")
    draw_notes(console, document.notes)


def draw_head(console: Console, document: AnalyzeDocument) -> None:
    node, totals, attempts = document.node, document.totals, document.attempts
    name = safe(node.alias) or node.name
    console.print(Text(f"What {name} failed to earn", style="bold"))
    console.print(
        f"{when(document.window.since)} – {when(document.window.until)}"
        + (
            f" · collecting since {when(document.collecting_since)}, {document.coverage:.1%} covered "
            f"({duration(document.covered_s)})"
            if document.collecting_since
            else " · never covered"
        ),
        markup=False,
    )
    console.print(
        f"Earned {sats(document.settled.income_msat)} sat with {document.settled.forwards:,} forwards · "
        f"{attempts.total:,} attempts seen: {attempts.settled:,} settled, {attempts.failed_here:,} refused here, "
        f"{attempts.failed_downstream:,} failed downstream (not ours)",
        markup=False,
    )
    month = f", {sats(totals.per_month_msat)} sat a month at this rate" if totals.per_month_msat is not None else ""
    console.print(
        f"Expected missed revenue: {sats(totals.expected_missed_msat)} sat "
        f"(80 % range {sats(totals.low_msat)} – {sats(totals.high_msat)}){month}; "
        f"plain sum of refused fees: {sats(totals.naive_missed_msat)} sat",
        markup=False,
    )
    console.print()


def opportunity_table(opportunities: Sequence[Opportunity]) -> Table:
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("Channel", no_wrap=True)
    table.add_column("Peer", max_width=24)
    table.add_column("Failures", justify="right")
    table.add_column("Missed revenue, sat\n(80 % range)", justify="right")
    table.add_column("Potential\nsat/month", justify="right")
    table.add_column("Urgency", justify="right")
    table.add_column("Recommendation")
    for o in opportunities:
        table.add_row(
            str(o.rank),
            channel_name(o),
            Text(peer_name(o.peer_alias, o.peer_pubkey)),
            f"{o.attempts:,}\n{o.demands:,} {'wish' if o.demands == 1 else 'wishes'}",
            f"{sats(o.expected_missed_msat)}\n({sats(o.low_msat)} – {sats(o.high_msat)})",
            sats(o.per_month_msat),
            Text(f"{o.urgency:.0f}", style=_urgency_style(o.urgency)),
            Text(f"{o.cause}: {o.recommendation.type}"),
        )
    return table


def draw_recommendations(console: Console, opportunities: Sequence[Opportunity]) -> None:
    for o in opportunities:
        console.print(f"{o.rank:>3}  {o.recommendation.text}", markup=False, soft_wrap=True)


def channel_name(o: Opportunity) -> str:
    """Return the recommended channel, else the one asked for most, and how many more the peer has."""
    if o.recommendation.channel is not None:
        scid = o.recommendation.channel
    else:
        asked = max(o.channels, key=lambda c: c.attempts, default=None)
        scid = (asked.scid if asked is not None else None) or "–"
    more = len(o.channels) - 1
    return f"{scid} +{more}" if more > 0 else scid


def draw_notes(console: Console, notes: Sequence[Note]) -> None:
    for note in notes:
        console.print(Text.assemble(("note: ", "yellow"), note.text), soft_wrap=True)


def draw_failures(console: Console, document: FailuresDocument) -> None:
    if document.rows:
        draw_table(console, _failure_table(document))
    else:
        console.print("No refusals in the window.")
    console.print(
        f"{when(document.window.since)} – {when(document.window.until)} · {document.coverage:.1%} covered",
        markup=False,
    )
    draw_notes(console, document.notes)


def _failure_table(document: FailuresDocument) -> Table:
    table = Table(header_style="bold", pad_edge=False)
    keys: dict[str, tuple[str, ...]] = {
        "cause": (),
        "peer": ("Peer",),
        "channel": ("Channel", "Peer"),
        "in_peer": ("From",),
        "pair": ("From", "To"),
        "hour": ("Hour",),
    }
    for name in keys[document.by]:
        table.add_column(name)
    table.add_column("Cause")
    for name in ("Attempts", "Amount, sat", "Fee offered, sat", "Settled", "Failure rate"):
        table.add_column(name, justify="right")
    for row in document.rows:
        table.add_row(
            *(Text(text) for text in _key_cells(document.by, row)),
            row.cause,
            f"{row.attempts:,}",
            sats(row.attempted_msat),
            sats(row.offered_fee_msat),
            count(row.settled),
            percent(row.failure_rate),
        )
    return table


def _key_cells(by: str, row: FailureRow) -> list[str]:
    def known(value: object) -> str | None:
        return value if isinstance(value, str) else None

    peer = peer_name(known(row.peer_alias), known(row.peer_pubkey))
    source = peer_name(known(row.in_peer_alias), known(row.in_peer_pubkey))
    match by:
        case "peer":
            return [peer]
        case "channel":
            return [known(row.scid) or "not ours", peer]
        case "in_peer":
            return [source]
        case "pair":
            return [source, peer]
        case "hour":
            return [when(known(row.hour))]
        case _:
            return []


def draw_import(console: Console, document: ImportDocument) -> None:
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("File", overflow="fold")
    table.add_column("Kind")
    for name in ("Read", "New", "Known", "Rejected"):
        table.add_column(name, justify="right")
    for file in document.files:
        table.add_row(
            Text(safe(file.path, 200)),
            file.kind,
            f"{file.rows_read:,}",
            f"{file.new:,}",
            f"{file.known:,}",
            Text(f"{file.rejected:,}", style="red" if file.rejected else ""),
        )
    draw_table(console, table)
    for file in document.files:
        for rejection in file.rejections:
            place = safe(file.path, 200) + (f":{rejection.line}" if rejection.line is not None else "")
            place += f", element {rejection.element}" if rejection.element is not None else ""
            console.print(f"{place}: {safe(rejection.reason, 300)}", markup=False, style="red", soft_wrap=True)
    totals = document.totals
    speed = f", {document.rows_per_s:,.0f} rows/s" if document.rows_per_s is not None else ""
    console.print(
        f"{totals.rows_read:,} rows read: {totals.new:,} new, {totals.known:,} known, "
        f"{totals.rejected:,} rejected{speed}"
    )


_MARKS = {"ok": ("✔", "green"), "warn": ("!", "yellow"), "fail": ("✘", "bold red")}


def draw_checks(console: Console, document: DoctorDocument) -> None:
    for check in document.checks:
        mark, style = _MARKS[check.status]
        console.print(Text.assemble((mark, style), f" {check.name}: {check.found}"), soft_wrap=True)
        if check.remedy is not None:
            console.print(f"    {check.remedy}", markup=False, soft_wrap=True)
    console.print(Text(_verdict(document), style="bold"))


def _verdict(document: DoctorDocument) -> str:
    if not document.ok:
        return "Something is to be mended."
    return "It works; mind what is marked !" if any(c.status == "warn" for c in document.checks) else "All is well."


def _urgency_style(urgency: float) -> str:
    return next(style for least, style in _URGENT if urgency >= least)
