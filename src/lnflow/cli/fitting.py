"""Tables on terminals of any width: a figure is never cut, since half a number reads as another."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def draw_table(console: Console, table: Table) -> None:
    """Print a table that fits; else without its lines; else each row as a paragraph that names its columns.

    What is no terminal has no width: it gets whole rows.
    """
    if not console.is_terminal:
        width = console.width
        console.width = max(width, _width(console, table))
        console.print(table)
        console.width = width
        return
    if _width(console, table) > console.width:
        table.box = None
    if _width(console, table) <= console.width:
        console.print(table)
        return
    headers = [_one_line(column.header) for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        words = Text(" · ").join(
            Text.assemble((f"{header} ", "dim"), _one_line(cell)) for header, cell in zip(headers, row, strict=True)
        )
        console.print(Padding(words, (0, 0, 1, 0)))


def _width(console: Console, table: Table) -> int:
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum


def _one_line(cell: object) -> Text:
    text = cell.copy() if isinstance(cell, Text) else Text(str(cell))
    return Text(" ").join(text.split("\n"))
