"""List criteria: ids given inline, or by `file://` in files with one item a line or between commas."""

from __future__ import annotations

from collections.abc import Callable

from lnflow.pricing.dialect import values
from lnflow.pricing.dialect.ini import Entry
from lnflow.pricing.matching.context import Context
from lnflow.pricing.problems import Problem, Severity


def read_list(
    entry: Entry, context: Context, check: Callable[[str], object], *, check_inline: bool
) -> tuple[list[str], list[Problem]] | Problem:
    """Return the items, and warnings about those in files that are ignored; or what makes it unreadable.

    With `check_inline` one bad inline item makes the whole list unreadable, as in charge-lnd's `chan.id`.
    """
    if entry.value is None:
        return entry.problem(f"{entry.key}: {entry.broken}", "a literal $ is written $$")
    found: list[str] = []
    warnings: list[Problem] = []
    for item in values.items(entry.value):
        if item.startswith(values.FILE_PREFIX):
            path = item.removeprefix(values.FILE_PREFIX)
            try:
                content = context.read_file(path)
            except (OSError, UnicodeDecodeError, ValueError) as exc:
                reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
                return entry.problem(
                    f"{entry.key}: the list file {path} cannot be read: {reason}",
                    "the path is relative to the working directory; channels that get here are skipped",
                )
            good, bad = values.listed(content, check)
            found += good
            warnings += [
                Problem(
                    severity=Severity.WARNING,
                    file=path,
                    line=line,
                    section=entry.section,
                    text=f"{text!r} is no item of {entry.key} and is ignored",
                )
                for line, text in bad
            ]
            continue
        if "\n" in item:
            parts = [part.strip() for part in item.split("\n") if part.strip()]
            warnings.append(
                entry.problem(
                    f"{entry.key}: {len(parts)} items are read as one: {' | '.join(parts)}",
                    "put a comma at the end of each line; a new line alone does not separate",
                    Severity.WARNING,
                )
            )
        if item and check_inline:
            try:
                check(item)
            except ValueError as exc:
                return entry.problem(f"{entry.key}: {exc}", "channels that reach this section are skipped")
        if item:
            found.append(item)
    return found, warnings
