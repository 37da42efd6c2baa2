"""How `lnflow why` looks in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from lnflow.advice.wording import sats
from lnflow.cli.tables import draw_notes
from lnflow.cli.text import count, peer_name, when

if TYPE_CHECKING:
    from rich.console import Console

    from lnflow.advice.documents import WhyDocument

_DEMANDS_SHOWN = 15


def draw_why(console: Console, document: WhyDocument) -> None:
    o = document.opportunity
    console.print(
        f"{peer_name(o.peer_alias, o.peer_pubkey)}, {o.cause}: expected missed {sats(o.expected_missed_msat)} sat"
        f" ({sats(o.low_msat)} to {sats(o.high_msat)}), {document.coverage:.0%} of the window covered",
        style="bold",
    )
    for table in (_layers(document), _chances(document), _demands(document)):
        console.print(table)
    for line in document.formulas:
        console.print(line, markup=False)
    console.print(o.recommendation.text, markup=False)
    if document.other_causes:
        console.print(f"Also refused for this peer: {', '.join(document.other_causes)} (see --cause).")
    draw_notes(console, document.notes)


def _layers(document: WhyDocument) -> Table:
    table = Table(title="From attempts to the figure", title_justify="left")
    for name, right in (("layer", False), ("count", True), ("sat", True), ("fee sat", True), ("rule", False)):
        table.add_column(name, justify="right" if right else "left")
    for layer in document.layers:
        table.add_row(layer.name, count(layer.count), sats(layer.amount_msat), sats(layer.fee_msat), layer.rule)
    return table


def _chances(document: WhyDocument) -> Table:
    table = Table(title="Chance to settle, by size", title_justify="left")
    for name in ("sat", "demands", "fee sat", "prior", "settled", "failed", "reach", "chance"):
        table.add_column(name, justify="right")
    for row in document.chance.evidence:
        upper = f" to {row.below_sat:,}" if row.below_sat is not None else " and more"
        table.add_row(
            f"{row.from_sat:,}{upper}", count(row.demands), sats(row.open_fee_msat), f"{row.prior:.3f}",
            count(row.settled), count(row.failed), f"{row.reach:.3f}", f"{row.chance:.3f}",
        )  # fmt: skip
    return table


def _demands(document: WhyDocument) -> Table:
    table = Table(title="The largest demands", title_justify="left")
    for name, right in (
        ("first", False),
        ("by", False),
        ("tries", True),
        ("sat", True),
        ("fee", True),
        ("fate", False),
    ):
        table.add_column(name, justify="right" if right else "left")
    for w in document.demands[:_DEMANDS_SHOWN]:
        table.add_row(
            when(w.first_at), w.in_channel or "–", count(w.attempts), sats(w.amount_out_msat),
            sats(w.offered_fee_msat), w.fate.replace("_", " "),
        )  # fmt: skip
    return table
