"""Whatever the width of the terminal, no figure of a table is cut."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lnflow.cli.fitting import draw_table


def drawn(width: int, *, terminal: bool = True) -> str:
    table = Table()
    table.add_column("Channel")
    for name in ("Earned\nsat", "Sourced\nsat", "Out\nsat/day"):
        table.add_column(name, justify="right")
    table.add_row("882192x113x0", Text("1,234,567\n(1,000,000)"), "23,456,789", "345,678,901")
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, force_terminal=terminal, color_system=None)
    draw_table(console, table)
    return out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 58, 80, 200])
def test_every_figure_is_whole(width: int) -> None:
    text = drawn(width)
    for figure in ("882192x113x0", "1,234,567", "(1,000,000)", "23,456,789", "345,678,901"):
        assert figure in text
    assert "…" not in text


def test_a_narrow_terminal_gets_paragraphs_that_name_the_columns() -> None:
    assert " ".join(drawn(40).split()) == (
        "Channel 882192x113x0 · Earned sat 1,234,567 (1,000,000) · Sourced sat 23,456,789 · Out sat/day 345,678,901"
    )


def test_a_pipe_gets_rows_whatever_their_width() -> None:
    [row] = [line for line in drawn(20, terminal=False).splitlines() if "882192x113x0" in line]
    assert "345,678,901" in row
