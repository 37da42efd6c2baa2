"""Progress of long work, on standard error and only on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import PurePath

Report = Callable[[str, int, int | None, int], None]
"""(file, bytes read, bytes in all or None, rows so far)."""


@contextlib.contextmanager
def import_progress() -> Iterator[Report]:
    """Show a bar per file with its throughput."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    from lnflow.cli.printing import error_console
    from lnflow.cli.text import safe

    bars: dict[str, TaskID] = {}
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        console=error_console(),
    )
    with progress:

        def report(file: str, done: int, total: int | None, rows: int) -> None:
            bar = bars.get(file)
            if bar is None:
                bar = bars[file] = progress.add_task(safe(PurePath(file).name), total=total, rows=0)
            progress.update(bar, completed=done, rows=rows)

        yield report


def _silent(file: str, done: int, total: int | None, rows: int) -> None:
    """Without a terminal there is nobody to watch."""


@contextlib.contextmanager
def week_progress() -> Iterator[Callable[[float], None]]:
    """Show how much of the simulated week is over, as a share of 0–1."""
    if not sys.stderr.isatty():
        yield lambda _share: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from lnflow.cli.printing import error_console

    columns = (TextColumn("a week of a simulated node"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=error_console(), transient=True) as progress:
        bar = progress.add_task("week", total=1.0)
        yield lambda share: progress.update(bar, completed=share)
