"""The ledger of recommendations drawn: one row each, then how well they did."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lnflow.advice.documents import AdviceDocument, AdviceItem, AdviceScore, GainDocument, MeasuredGain
from lnflow.advice.wording import sats
from lnflow.cli.text import peer_name, when


def draw_advice(console: Console, document: AdviceDocument) -> None:
    if not document.items:
        console.print("Nothing was advised yet.")
        return
    table = Table(header_style="bold", pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("Given", no_wrap=True)
    table.add_column("Peer", max_width=24)
    table.add_column("Recommendation")
    table.add_column("Status")
    table.add_column("Expected, sat/month\n(80 % range)", justify="right")
    table.add_column("Measured, sat/month\n(80 % range)", justify="right")
    for item in document.items:
        table.add_row(
            str(item.id),
            when(item.given_at),
            Text(peer_name(item.peer_alias, item.peer_pubkey)),
            Text(item.recommendation.text),
            _status(item),
            _gain(item.expected),
            Text(item.not_measured) if item.not_measured is not None else _measured(item),
        )
    console.print(table)
    draw_score(console, document.score)


def _measured(item: AdviceItem) -> str:
    return _gain(item.measured) + ("\nso far" if item.measured is not None and not item.is_final else "")


def draw_score(console: Console, score: AdviceScore) -> None:
    console.print(
        f"{score.given:,} given, {score.taken:,} taken; of {score.measured:,} effects measured "
        f"{score.inside_range:,} lie in the range that was given.",
        markup=False,
    )


def _status(item: AdviceItem) -> str:
    if item.taken_at is None:
        return item.status
    return f"taken {when(item.taken_at)}" + (" (marked)" if item.marked else "")


def _gain(gain: GainDocument | MeasuredGain | None) -> str:
    if gain is None or gain.gain_per_month_msat is None:
        return "–"
    if gain.low_msat is None:
        return sats(gain.gain_per_month_msat)
    return f"{sats(gain.gain_per_month_msat)}\n({sats(gain.low_msat)} – {sats(gain.high_msat)})"
