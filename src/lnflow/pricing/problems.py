"""What is wrong, or surprising, in a policy file: where, what, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct


class Severity(Enum):
    ERROR = "error"
    """Channels that depend on it are left alone; `check` and `apply` exit with 1."""
    WARNING = "warning"
    """It works, but perhaps not as it reads."""
    NOTE = "note"


class Problem(Struct, frozen=True, kw_only=True):
    """One finding in a policy file; `line` is None when it belongs to the file as a whole."""

    severity: Severity
    file: str
    line: int | None
    section: str | None
    text: str
    remedy: str | None = None
    code: str = ""
    """A short name for kinds that somebody tells apart (`unknown-key`)."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        section = "" if self.section is None else f" [{self.section}]"
        remedy = "" if self.remedy is None else f" ({self.remedy})"
        return f"{place}{section}: {self.text}{remedy}"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return `did you mean "…"?` for the nearest known word, None if none is near.

    >>> did_you_mean("proportionl", ["static", "proportional"])
    'did you mean "proportional"?'
    """
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.72)
    return f'did you mean "{near[0]}"?' if near else None
