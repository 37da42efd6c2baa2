"""Words and numbers as people read them; names from the network without what could harm a terminal."""

from __future__ import annotations

import unicodedata


def count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def safe(name: str | None, width: int = 32) -> str:
    """Return a name without control and direction characters, cut to `width`.

    Aliases are chosen by strangers.

    >>> safe('evil\\x1b[31mname')
    'evil[31mname'
    """
    if name is None:
        return ""
    clean = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    return clean if len(clean) <= width else clean[: width - 1] + "…"


def peer_name(alias: str | None, pubkey: str | None) -> str:
    """Return what to call a peer: its alias, or the start of its key."""
    return safe(alias) or (f"{pubkey[:10]}…" if pubkey else "unknown")


_PLAIN = {"–": "-", "—": "-", "−": "-", "…": "...", "·": "|", "×": "x", "→": "->", "✔": "ok", "✘": "!!"}


def in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    """Say with fewer characters what standard output cannot take: an error handler for `codecs`.

    >>> in_plain_characters(UnicodeEncodeError("ascii", "1–2 café", 1, 2, ""))
    ('-', 2)
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    encodable = (
        _PLAIN.get(c) or unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode() or "?"
        for c in error.object[error.start : error.end]
    )
    return "".join(encodable), error.end


def when(iso: str | None) -> str:
    """Return an ISO time for reading, to the minute.

    >>> when('2026-11-21T10:18:57.336Z')
    '2026-11-21 10:18 UTC'
    """
    return "–" if iso is None else f"{iso[:10]} {iso[11:16]} UTC"
