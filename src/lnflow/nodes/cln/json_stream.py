"""JSON read as it arrives: whole messages out of an undelimited byte stream, and the elements of one array.

Neither needs more memory than its largest message or element, however long the stream is.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Generator
from decimal import Decimal
from typing import Any, NoReturn

import msgspec
from msgspec import Raw

from lnflow.domain.errors import InputError

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+("|\Z|\\\Z)|[{}\[\]]', re.DOTALL)
_NOT_SPACE = re.compile(r"[^ \t\r\n]")
_NOT_SPACE_BYTES = re.compile(rb"[^ \t\r\n]")
_MAY_GO_ON = ".eE+-"  # after what looks like a whole number
_NEAR_END = 16  # a cut literal, number or escape is reported at most this far before the end of the window


class MessageSplitter:
    """Cuts a byte stream into JSON objects, whatever stands between them; bytes of no object are dropped.

    `dropped_bytes` counts what was not part of any object; a message above `max_bytes` raises `InputError`.
    """

    def __init__(self, *, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._start: int | None = None
        self._depth = 0
        self._max_bytes = max_bytes
        self.dropped_bytes = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the objects completed by this chunk."""
        buffer = self._buffer
        buffer += chunk
        messages: list[bytes] = []
        done = 0  # everything before is handed out or dropped
        position = self._scanned
        while True:
            if self._start is None:
                opening = buffer.find(b"{", position)
                self._drop(buffer, position, len(buffer) if opening < 0 else opening)
                if opening < 0:
                    done = position = len(buffer)
                    break
                if (message := _line(buffer, opening)) is not None:
                    messages.append(message)
                    done = position = opening + len(message)
                    continue
                self._start, self._depth, position, done = opening, 1, opening + 1, opening
            match = _TOKEN.search(buffer, position)
            if match is None:
                position = len(buffer)
                break
            token = buffer[match.start()]
            if token == 0x22:  # a string: complete, or cut by the end of the window
                if match.group(1) != b'"':
                    position = match.start()
                    break
            elif token in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
            position = match.end()
            if self._depth == 0:
                messages.append(bytes(buffer[self._start : position]))
                self._start, done = None, position
        del buffer[:done]
        self._scanned = position - done
        if self._start is not None:
            self._start -= done
        if len(buffer) > self._max_bytes:
            raise InputError(f"a JSON message of more than {self._max_bytes} bytes: refused")
        return messages

    def _drop(self, buffer: bytearray, start: int, end: int) -> None:
        if start < end:
            self.dropped_bytes += len(_NOT_SPACE_BYTES.findall(buffer, start, end))


def _line(buffer: bytearray, start: int) -> bytes | None:
    """Return the message that ends with two newlines, as lightningd writes it; None if it is not that simple."""
    end = buffer.find(b"\n\n", start)
    if end < 0:
        return None
    line = bytes(buffer[start:end])
    try:
        msgspec.json.decode(line, type=Raw)
    except msgspec.DecodeError:
        return None
    return line


class ArrayReader:
    """Yields the elements of the array at `path` (for example result → forwards) while the reply arrives.

    Numbers with a fraction are `Decimal`, so that times keep their nanoseconds.  Members beside the path are
    kept in `members` (error, id, warnings); they must be small.  Raises `InputError` for text that is not
    JSON, and for an element of more than `max_chars`.
    """

    def __init__(self, path: tuple[str, ...], *, max_chars: int = 16 * 1024 * 1024) -> None:
        self._path = path
        self._max_chars = max_chars
        self._decode_bytes = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)
        self._text = ""
        self._at = 0
        self._ended = False
        self._out: list[Any] = []
        self._steps = self._object(path)
        self.members: dict[str, Any] = {}
        self.found = False
        self.finished = False

    def feed(self, chunk: bytes) -> list[Any]:
        """Return the elements completed by this chunk; an empty chunk is the end of the input."""
        try:
            text = self._decode_bytes.decode(chunk, final=not chunk)
        except UnicodeDecodeError as exc:
            raise InputError(f"the reply is not UTF-8: {exc.reason}") from None
        self._ended = not chunk
        self._text = self._text[self._at :] + text
        self._at = 0
        if not self.finished:
            try:
                next(self._steps)
            except StopIteration:
                self.finished = True
            if self._ended and not self.finished:
                raise InputError("the reply ended in the middle")
        elements, self._out = self._out, []
        return elements

    def _object(self, path: tuple[str, ...]) -> Generator[None, None, None]:
        yield from self._expect("{")
        if (yield from self._peek()) == "}":
            self._at += 1
            return
        while True:
            key = yield from self._value()
            if not isinstance(key, str):
                self._fail("a key is not a string")
            yield from self._expect(":")
            opening = yield from self._peek()
            if path and key == path[0] and opening == ("[" if len(path) == 1 else "{"):
                yield from self._array() if len(path) == 1 else self._object(path[1:])
            else:
                self.members[key] = yield from self._value()
            mark = yield from self._peek()
            self._at += 1
            if mark == "}":
                return
            if mark != ",":
                self._fail(f"{mark!r} between members")

    def _array(self) -> Generator[None, None, None]:
        self.found = True
        yield from self._expect("[")
        if (yield from self._peek()) == "]":
            self._at += 1
            return
        while True:
            value = yield from self._value()
            self._out.append(value)  # looked up now: feed() hands the list out and starts another
            mark = yield from self._peek()
            self._at += 1
            if mark == "]":
                return
            if mark != ",":
                self._fail(f"{mark!r} between elements")
            yield from self._peek()

    def _value(self) -> Generator[None, None, Any]:
        yield from self._peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as exc:
                cut = exc.msg.startswith("Unterminated string") or exc.pos >= len(self._text) - _NEAR_END
                if not cut:
                    self._fail(exc.msg)
            else:
                following = self._text[end : end + 1]
                if self._ended or (following and following not in _MAY_GO_ON):
                    self._at = end
                    return value
            wanted = 2 * (len(self._text) - self._at)  # not again before it doubled: linear in all
            if wanted > 2 * self._max_chars:
                self._fail(f"an element of more than {self._max_chars} characters")
            while len(self._text) - self._at < wanted:
                yield from self._more()
                if self._closes_soon():
                    break

    def _closes_soon(self) -> bool:
        """A reply may end here and nothing more come: then try at once."""
        return self._text.endswith(("}", "}\n", "\n\n"))

    def _peek(self) -> Generator[None, None, str]:
        while (match := _NOT_SPACE.search(self._text, self._at)) is None:
            self._at = len(self._text)
            yield from self._more()
        self._at = match.start()
        return match.group()

    def _expect(self, mark: str) -> Generator[None, None, None]:
        found = yield from self._peek()
        if found != mark:
            self._fail(f"{found!r} where {mark!r} must stand")
        self._at += 1

    def _more(self) -> Generator[None, None, None]:
        if self._ended:
            raise InputError("the reply ended in the middle")
        yield

    def _fail(self, what: str) -> NoReturn:
        raise InputError(f"the reply is not JSON: {what}")


def _refuse_constant(text: str) -> NoReturn:
    raise InputError(f"the reply is not JSON: {text}")
