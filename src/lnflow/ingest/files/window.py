"""JSON of any length through a sliding window of text: memory stays flat, and a bad value costs only itself.

One value is decoded at a time by the standard library's scanner; the window holds at most one value
(`ELEMENT_CHARS`) and one piece of input.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import NoReturn

ELEMENT_CHARS = 1 << 20  # an event is 0.5 kB, a channel 2 kB, a payment of many parts some 100 kB
_KEEP_CHARS = 1 << 16
_NEAR_END_CHARS = 16  # a literal, a number or an escape that the window cuts is no longer
_NUMBER_TAIL_CHARS = 3  # "1" may be the beginning of "1.5" or "1e-5"
_BLANK = " \t\r\n\x1e\ufeff"  # \x1e: RFC 7464 sequences
_blank = re.compile(f"[{_BLANK}]*")
_after_comma = re.compile(f"[{_BLANK}]*,[{_BLANK}]*(?={{)")
_between = re.compile(f"[{_BLANK},]*(?={{)")
_structure = re.compile(r'["\\{}\[\],\n]')


class BadValue(Exception):
    """The text at this place is no JSON value that we take; the message says why."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Fractions as Decimal: Core Lightning's times lose their last digits as floats.
_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


class JsonWindow:
    """A cursor over JSON text that is read as it is needed.

    With `by_line` a value never goes on in the next line, so that a cut one costs only its own line.
    """

    def __init__(self, read: Callable[[], bytes], *, by_line: bool = False) -> None:
        self.by_line = by_line
        self._read = read
        self._utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._ended = False
        self._suspect = False  # some byte was not UTF-8: look for it in every value from now on
        self._line, self._counted = 1, 0
        self._column_before = 0

    @property
    def line(self) -> int:
        """Line of the cursor, counted from 1."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def peek(self) -> str:
        """Return the next character that is not blank, without taking it; nothing at the end."""
        if self._at < len(self._text) and " " < (char := self._text[self._at]) < "\x7f":
            return char
        while True:
            found = _blank.match(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def take(self, char: str) -> bool:
        """Step over the next character if it is this one."""
        if self.peek() != char:
            return False
        self._at += 1
        return True

    def value(self) -> object:
        """Take the next value; raise `BadValue` with the cursor still before it."""
        if not self.peek():
            raise BadValue("the file ends here: it is truncated")
        while True:
            try:
                value, end = _decoder.raw_decode(self._text, self._at)
            except RecursionError:
                raise BadValue("nested too deeply") from None
            except json.JSONDecodeError as error:
                if self._is_cut(error) and self._fill():
                    continue
                if self._ended and self._is_cut(error):
                    raise BadValue("truncated: the file ends inside of it") from None
                where = f" (character {error.pos - self._at + 1})"
                raise BadValue(f"no valid JSON: {error.msg.lower()}{where}") from None
            except InvalidOperation:
                raise BadValue("a number has an exponent that nobody can calculate with") from None
            except ValueError as error:
                raise BadValue(f"no valid JSON: {error}") from None
            is_whole = isinstance(value, str | list | dict) or end + _NUMBER_TAIL_CHARS <= len(self._text)
            if is_whole or not self._fill():
                break
        size = end - self._at
        if size > ELEMENT_CHARS:
            raise BadValue(_too_long())
        if self._suspect and not _is_utf8(self._text[self._at : end]):
            raise BadValue("not valid UTF-8")
        self._at = end
        return value

    def run(self, *, need_comma: bool) -> list[tuple[dict[str, object], int]]:
        """Take the objects that follow each other whole in the window, each with its line: the quick way.

        It stops, without a word, before whatever `value` should look at.
        """
        found: list[tuple[dict[str, object], int]] = []
        if self._suspect:
            return found
        text, at, line = self._text, self._at, self.line
        separator = _after_comma if need_comma else _between
        while (gap := separator.match(text, at)) is not None:
            start = gap.end()
            try:
                value, end = _decoder.raw_decode(text, start)
            except (ValueError, InvalidOperation, RecursionError):
                break
            if end - start > ELEMENT_CHARS:
                break
            line += text.count("\n", at, start)
            found.append((value, line))
            line += text.count("\n", start, end)
            at = end
        self._at = at
        return found

    def skip_bad(self, *, depth: int = 0, column: int | None = None) -> None:
        """Go to where the next value can begin after the one at the cursor turned out to be bad.

        That is behind its closing bracket; at the end of its line if values keep to their lines, and before
        a line that begins with an object no deeper than this one began, if that comes first.  `depth`
        brackets of it are open at the cursor already; `column` is where it began.
        """
        self.peek()
        column = self.column if column is None else column
        start, quoted, escaped_at = self._at, False, -1
        while True:
            text = self._text
            for token in _structure.finditer(text, self._at):
                at, char = token.start(), token.group()
                if at == escaped_at:
                    continue
                if char == "\n":
                    if self.by_line or depth == 0 or self._object_begins(at + 1, column):
                        self._at = at
                        return
                    quoted = False  # a raw line break cannot stand in a string
                elif char == "\\":
                    escaped_at = at + 1 if quoted else -1
                elif char == '"':
                    quoted = not quoted
                elif quoted:
                    continue
                elif char in "{[":
                    depth += 1
                elif depth == 0:
                    self._at = max(at, start + 1)  # a comma or the end of what it stands in
                    return
                elif char in "}]":
                    depth -= 1
                    if depth == 0:
                        self._at = at + 1
                        return
            self._at = len(text)
            if self._at < len(self._text):
                continue
            if not self._fill():
                return
            start = -1
            escaped_at -= len(text)

    def skip_line(self) -> None:
        """Go to the end of the line."""
        while (end := self._text.find("\n", self._at)) < 0:
            self._at = len(self._text)
            if not self._fill():
                return
        self._at = end

    def _object_begins(self, start: int, column: int) -> bool:
        while len(self._text) - start <= column and (more := self._more()):
            self._text += more
        line = self._text[start : start + column + 1]
        return line.lstrip(" \t").startswith("{")

    @property
    def column(self) -> int:
        """How far into its line the cursor is (at most 256: enough to compare indentations)."""
        newline = self._text.rfind("\n", 0, self._at)
        column = self._at - newline - 1 if newline >= 0 else self._at + self._column_before
        return min(column, 256)

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        if self.by_line and "\n" in self._text[self._at : error.pos + _NEAR_END_CHARS]:
            return False
        if not error.msg.startswith("Unterminated") and error.pos < len(self._text) - _NEAR_END_CHARS:
            return False
        if len(self._text) - self._at > ELEMENT_CHARS:
            raise BadValue(_too_long())
        return True

    def _fill(self) -> bool:
        """Read more and drop what was passed; False, and nothing moves, at the end."""
        more = self._more()
        if not more:
            return False
        if self._at > _KEEP_CHARS or self._at == len(self._text):
            column = self.column
            self._line += self._text.count("\n", self._counted, self._at)
            self._text = self._text[self._at :]
            self._at, self._counted = 0, 0
            self._column_before = column
        self._text += more
        return True

    def _more(self) -> str:
        """Return what comes next, as much again as is waiting: a long value is then scanned a few times only."""
        wanted = len(self._text) - self._at
        pieces: list[str] = []
        held = 0
        while not self._ended and held <= wanted:
            data = self._read()
            self._ended = not data
            text = self._utf8.decode(data, final=self._ended)
            self._suspect = self._suspect or not _is_utf8(text)
            pieces.append(text)
            held += len(text)
        return "".join(pieces)


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_long() -> str:
    return f"longer than {ELEMENT_CHARS // 1024:,} KiB: nothing that a node prints is"
