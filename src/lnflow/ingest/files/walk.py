"""Going through JSON of any outer form: lines, an array, concatenated or pretty-printed values, pages.

Two shapes are all that nodes print: *rows* (each value is one record) and *listings* (an object with one or
two long arrays and some members beside them, like `{"forwarding_events": [...], "last_offset_index": 3}`).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lnflow.ingest.files.items import Rejected
from lnflow.ingest.files.window import BadValue, JsonWindow

_TRUNCATED = "is not closed: the file is truncated or damaged here"
_KEPT_MEMBERS = frozenset({"_taken_at_ns", "timestamp", "timestamp_ns", "node"})  # what stands beside lists


class Row(Struct, frozen=True):
    """One record; `list_name` is the listing's array that it stands in, if any."""

    value: dict[str, object]
    line: int
    element: int | None
    list_name: str | None = None


class ListingEnd(Struct, frozen=True):
    """A listing is over.  `whole` is False if a part of it could not be read."""

    members: dict[str, object]
    line: int
    whole: bool


def rows(window: JsonWindow) -> Iterator[Row | Rejected]:
    """Yield every object, in or out of arrays."""
    count = 0
    for value in _values(window):
        if isinstance(value, Rejected):
            yield value
            continue
        count += 1
        yield _take_row(window, count, None)
        if not window.by_line:  # lines keep to `value`, which knows where each of them ends
            for found, line in window.run(need_comma=False):
                count += 1
                yield Row(found, line, count, None)


def listings(window: JsonWindow, list_names: frozenset[str]) -> Iterator[Row | ListingEnd | Rejected]:
    """Yield the elements of the named arrays of every object, then its `ListingEnd`."""
    for count, value in enumerate(_values(window), 1):
        if isinstance(value, Rejected):
            yield value
        elif window.peek() == "{":
            yield from _Listing(window, list_names).steps()
        else:
            yield _take_row(window, count, None)


def _values(window: JsonWindow) -> Iterator[Rejected | None]:
    """Stop before every outer value; the caller takes it, and more if he likes."""
    open_arrays = 0
    while char := window.peek():
        if char in ",[]":
            window.take(char)
            open_arrays += {"[": 1, "]": -1, ",": 0}[char]
        else:
            yield None
    if open_arrays > 0:
        yield Rejected(window.line, f"the array {_TRUNCATED}")


def _take_row(window: JsonWindow, element: int, list_name: str | None) -> Row | Rejected:
    line = window.line
    place = None if window.by_line and list_name is None else element
    try:
        value = window.value()
    except BadValue as bad:
        if place is None:
            window.skip_line()
        else:
            window.skip_bad()
        return Rejected(line, str(bad), place)
    if not isinstance(value, dict):
        return Rejected(line, f"an object was expected, not {_short(value)}", place)
    return Row(value, line, place, list_name)


class _Listing:
    """The members of one object, its long arrays element by element."""

    def __init__(self, window: JsonWindow, list_names: frozenset[str]) -> None:
        self._window = window
        self._list_names = list_names
        self._line, self._column = window.line, window.column
        self._members: dict[str, object] = {}
        self._whole = True
        self._depth = 1

    def steps(self) -> Iterator[Row | ListingEnd | Rejected]:
        try:
            yield from self._read_members()
        except BadValue as bad:
            self._whole = False
            yield Rejected(self._window.line, str(bad))
            if not self._next_has_begun():
                self._window.skip_bad(depth=self._depth, column=self._column)
        yield ListingEnd(self._members, self._line, self._whole)

    def _next_has_begun(self) -> bool:
        """Whether the cursor, which has not found what it should, is at another value already."""
        window = self._window
        next_char = window.peek()
        if window.by_line:
            return window.line > self._line
        return next_char == "{" and window.line > self._line and window.column <= self._column

    def _read_members(self) -> Iterator[Row | Rejected]:
        window = self._window
        window.take("{")
        while not window.take("}"):
            if window.take(","):
                continue
            if window.peek() != '"':
                raise BadValue(f"the object {_TRUNCATED}")
            name = window.value()
            if not window.take(":"):
                raise BadValue(f"no valid JSON: a colon is missing after {_short(name)}")
            if name in self._list_names and window.take("["):
                yield from self._read_list(str(name))
                continue
            value = window.value()
            if name in _KEPT_MEMBERS:
                self._members[str(name)] = value

    def _read_list(self, name: str) -> Iterator[Row | Rejected]:
        window = self._window
        separated, element = True, 0
        self._depth += 1
        while not window.take("]"):
            if window.take(","):
                separated = True
                continue
            if not separated or window.peek() in ("", "}", ":"):
                raise BadValue(f"the list {name!r} {_TRUNCATED}")
            element += 1
            row = _take_row(window, element, name)
            yield row
            separated = isinstance(row, Rejected)
            if isinstance(row, Rejected):
                self._whole = False
                if self._next_has_begun():
                    raise BadValue(f"the list {name!r} {_TRUNCATED}")
                continue
            for found, line in window.run(need_comma=True):
                element += 1
                yield Row(found, line, element, name)
        self._depth -= 1


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
