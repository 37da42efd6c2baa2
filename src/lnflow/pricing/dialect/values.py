"""What stands behind a key: numbers, booleans, lists, windows, times of day.

Each reader returns the value or raises `ValueError` with a text that says the rule and the remedy.
Numbers are read as charge-lnd does, with Python's `int` and `float` (so `5_000_000` is five million).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from lnflow.domain.scid import parse_scid

_TRUE = frozenset({"1", "yes", "true", "on"})
_FALSE = frozenset({"0", "no", "false", "off"})
_WINDOW = re.compile(r"([0-9]{1,12})([smhd]?)")
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_CLOCK_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_WINDOW_S = 3650 * 86_400
PUBKEY = re.compile(r"[0-9a-z]{66}")
FILE_PREFIX = "file://"
NO_INLINE_COMMENT = "a comment must stand on a line of its own, here it is part of the value"


class BadValue(ValueError):
    """A value that cannot be read, and what to do about it, if that is clear."""

    def __init__(self, text: str, remedy: str | None = None) -> None:
        super().__init__(text)
        self.remedy = remedy


def integer(text: str) -> int:
    """Return a whole number.

    >>> integer("5_000_000")
    5000000
    """
    try:
        return int(text)
    except ValueError:
        raise BadValue(f"{text!r} is not a whole number", _remedy(text)) from None


def number(text: str) -> float:
    """Return a finite number."""
    try:
        value = float(text)
    except ValueError:
        raise BadValue(f"{text!r} is not a number", _remedy(text)) from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def boolean(text: str) -> bool:
    """Return True for 1/yes/true/on, False for 0/no/false/off, in any case."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadValue(f"{text!r} is neither true nor false (1/yes/true/on, 0/no/false/off)", _remedy(text))


def items(text: str) -> list[str]:
    """Return the parts between commas, trimmed; a newline alone does not separate.

    >>> items("a, b\\nc,")
    ['a', 'b\\nc', '']
    """
    return [part.strip() for part in text.split(",")]


def window_s(text: str) -> int:
    """Return seconds of `90`, `90s`, `15m`, `12h` or `7d`."""
    match = _WINDOW.fullmatch(text.strip())
    seconds = 0 if match is None else int(match[1]) * _UNIT_S[match[2]]
    if seconds == 0:
        raise ValueError(f"{text!r} is not a period (seconds, or a number with s, m, h or d, as in 7d)")
    if seconds > LONGEST_WINDOW_S:
        raise ValueError(f"{text!r} is longer than ten years")
    return seconds


def time_range(text: str) -> tuple[int, int]:
    """Return minutes of the day, first and last included; the first may be later than the last.

    >>> time_range("22:00-06:30")
    (1320, 390)
    """
    parts = [part.strip() for part in text.split("-")]
    if len(parts) == 2:
        start, end = (_minutes(part) for part in parts)
        if start is not None and end is not None:
            return start, end
    raise ValueError(f"{text!r} is not a time of day (HH:MM-HH:MM)")


def days_of_week(text: str) -> frozenset[int]:
    """Return the days, 1 is Monday, of names or numbers or ranges of them.

    >>> sorted(days_of_week("mon-wed, 6"))
    [1, 2, 3, 6]
    """
    days: set[int] = set()
    for item in items(text):
        ends = [_day(part.strip().lower()) for part in item.split("-")]
        first, last = ends[0], ends[-1]
        if len(ends) > 2 or first is None or last is None:
            raise ValueError(f"{item!r} is not a day of the week (mon … sun, 1 … 7, or a range: mon-fri, 1-5)")
        days.update((first + step - 1) % 7 + 1 for step in range((last - first) % 7 + 1))
    return frozenset(days)


def scids(text: str) -> frozenset[int]:
    """Return short channel ids; one that cannot be read makes the whole list unreadable."""
    return frozenset(parse_scid(item) for item in items(text) if item)


def listed(text: str, read: Callable[[str], object]) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the good items of a list file and the bad ones with their lines.

    Items end with a line or a comma; `#` starts a comment.
    """
    good: list[str] = []
    bad: list[tuple[int, str]] = []
    for line_number, line in enumerate(text.splitlines(), start=1):
        for item in (part.strip() for part in line.partition("#")[0].split(",")):
            if not item:
                continue
            try:
                read(item)
            except ValueError:
                bad.append((line_number, item))
            else:
                good.append(item)
    return good, bad


def pubkey(text: str) -> str:
    """Return a node's public key, 66 characters of 0-9a-z."""
    if PUBKEY.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a public key (66 characters, 0-9 and a-f)")
    return text


def _minutes(text: str) -> int | None:
    match = _CLOCK_TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes = int(match[1]), int(match[2])
    if text == "24:00":
        return 24 * 60 - 1
    return hours * 60 + minutes if hours < 24 and minutes < 60 else None


def _day(word: str) -> int | None:
    if word[:3] in _DAYS and word in {word[:3], *_LONG_DAYS}:
        return _DAYS.index(word[:3]) + 1
    return int(word) if word in {"1", "2", "3", "4", "5", "6", "7"} else None


_LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _remedy(text: str) -> str | None:
    if re.search(r"\s[#;]", text):
        return NO_INLINE_COMMENT
    if re.fullmatch(r"\s*-?\d+\.\d+\s*", text):
        return "write it without a fraction"
    return None
