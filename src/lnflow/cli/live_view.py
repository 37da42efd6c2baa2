"""One frame of the monitor's live view: stream, rate, coverage, failures by cause, top misses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lnflow.advice.wording import duration, sats
from lnflow.cli.tables import opportunity_table
from lnflow.cli.text import safe, when
from lnflow.ingest.status import CollectorStatus, StreamState

if TYPE_CHECKING:
    from lnflow.advice.documents import AnalyzeDocument

TOP_CAUSES, TOP_MISSES = 6, 5

_COLOURS = {StreamState.STREAMING: "green", StreamState.CONNECTING: "yellow", StreamState.RETRYING: "yellow"}


class Look(Protocol):
    """What there is to show; `document` is None until the first analysis."""

    document: AnalyzeDocument | None
    events_per_s: float

    @property
    def status(self) -> CollectorStatus: ...


def live_view(look: Look) -> RenderableType:
    """Return the frame."""
    status, document = look.status, look.document
    parts: list[RenderableType] = [_stream_line(status, look.events_per_s)]
    if status.trouble:
        parts.append(Text(safe(status.trouble, 200), style="yellow"))
    if document is not None:
        parts.append(
            Text(
                f"{safe(document.node.alias) or document.node.name}: {document.coverage:.1%} of "
                f"{when(document.window.since)} – {when(document.window.until)} covered "
                f"({duration(document.covered_s)}); {document.attempts.settled:,} settled, "
                f"{document.attempts.failed_here:,} refused here, {document.attempts.failed_downstream:,} "
                f"downstream; expected missed {sats(document.totals.expected_missed_msat)} sat"
            )
        )
        if document.failures:
            parts.append(_causes(document))
        if document.opportunities:
            parts.append(opportunity_table(document.opportunities[:TOP_MISSES]))
    parts.append(Text("Ctrl-C stops; nothing received is lost.", style="dim"))
    return Group(*parts)


def _stream_line(status: CollectorStatus, events_per_s: float) -> Text:
    extra = f", next try in {status.retry_in_s:.0f} s" if status.retry_in_s is not None else ""
    return Text.assemble(
        ("● ", _COLOURS.get(status.stream, "red")),
        f"{status.stream.value}{extra} · {status.events:,} events ({events_per_s:.1f}/s), "
        f"{status.attempts:,} attempts, {status.backfilled:,} forwards backfilled"
        + (f", {status.queued:,} waiting" if status.queued else "")
        + (f", {status.shed:,} shed" if status.shed else ""),
    )


def _causes(document: AnalyzeDocument) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    for f in document.failures[:TOP_CAUSES]:
        table.add_row(f.cause, f"{f.attempts:,}", f"{sats(f.offered_fee_msat)} sat offered")
    return table
