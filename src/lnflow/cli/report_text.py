"""The report as text: the analysis, then failures by cause, the working behind each finding, the channels."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from lnflow.advice.documents import ChannelsDocument, ReportDocument
from lnflow.advice.wording import sats
from lnflow.cli.advice_table import draw_score
from lnflow.cli.channel_tables import draw_channels, draw_profits
from lnflow.cli.tables import draw_analysis

_WIDTH = 160


def report_text(document: ReportDocument) -> str:
    """Return the report as plain text."""
    console = Console(file=io.StringIO(), width=_WIDTH, highlight=False, color_system=None)
    draw_report(console, document)
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def draw_report(console: Console, document: ReportDocument) -> None:
    draw_analysis(console, document)
    for o in document.opportunities:
        _heading(console, f"{o.rank}. {o.cause}: {o.recommendation.text}")
        for line in o.recommendation.evidence:
            console.print(f"  · {line}", markup=False, soft_wrap=True)
    _heading(console, "Refused here, by cause")
    for f in document.failures:
        console.print(
            f"  {f.cause:<24}{f.attempts:>10,} attempts {sats(f.attempted_msat):>16} sat, "
            f"{sats(f.offered_fee_msat):>10} sat of fees offered",
            markup=False,
        )
    _heading(console, "Profit, by peer")
    draw_profits(console, document.peer_profit, document.node_profit)
    if document.advice.given:
        _heading(console, "Our advice so far")
        draw_score(console, document.advice)
    _heading(console, "Channels")
    draw_channels(
        console,
        ChannelsDocument(
            node=document.node,
            window=document.window,
            coverage=document.coverage,
            channels=document.channels,
            peer_profit=document.peer_profit,
            node_profit=document.node_profit,
            notes=[],
        ),
    )


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"), soft_wrap=True)
