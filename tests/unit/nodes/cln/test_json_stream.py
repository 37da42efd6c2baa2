"""JSON as it arrives: however the bytes are cut, the same messages and elements come out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.errors import InputError
from lnflow.nodes.cln.json_stream import ArrayReader, MessageSplitter

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(['"', "\\", '\\"', "{[", "]}", "\n\n", "é\U0001f980"])
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
objects = st.dictionaries(st.text(), values, max_size=5)
separators = st.sampled_from(["", "\n\n", " ", "\r\n"])


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in pieces of these sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def exact(value: Any) -> Any:
    """The value as JSON says it, with exact decimals."""
    return json.loads(json.dumps(value), parse_float=Decimal)


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@given(st.lists(st.tuples(objects, separators, st.booleans())), sizes)
def test_messages_come_out_whole_however_they_are_cut(parts: list[Any], pieces: list[int]) -> None:
    data = "".join(
        json.dumps(value, indent=2 if pretty else None, ensure_ascii=pretty) + separator
        for value, separator, pretty in parts
    ).encode()
    splitter = MessageSplitter()
    found = [json.loads(m) for piece in cut(data, pieces) for m in splitter.feed(piece)]
    assert found == [value for value, _, _ in parts]
    assert splitter.dropped_bytes == 0


def test_what_is_no_object_is_dropped_and_counted() -> None:
    splitter = MessageSplitter()
    assert splitter.feed(b'hello\n{"a": 1} tail {"b": "}"') == [b'{"a": 1}']
    assert splitter.feed(b"}") == [b'{"b": "}"}']
    assert splitter.dropped_bytes == len("hellotail")


def test_a_message_that_never_ends_is_refused() -> None:
    splitter = MessageSplitter(max_bytes=1000)
    for _ in range(9):
        splitter.feed(b'{"a": [' + b"1," * 50)
    with pytest.raises(InputError, match="1000 bytes"):
        splitter.feed(b"1," * 50)


@given(st.lists(values), st.dictionaries(st.sampled_from(["id", "jsonrpc", "w"]), scalars), sizes, st.booleans())
def test_elements_come_out_however_they_are_cut(
    elements: list[Any], beside: dict[str, Any], pieces: list[int], pretty: bool
) -> None:
    reply = {**beside, "result": {"note": "x", "rows": elements, "after": [1]}, "end": None}
    data = json.dumps(reply, indent=1 if pretty else None, ensure_ascii=pretty).encode() + b"\n\n"
    reader = ArrayReader(("result", "rows"))
    found = [e for piece in cut(data, pieces) for e in reader.feed(piece)]
    assert reader.finished
    assert reader.found
    assert found == exact(elements)
    assert reader.members == exact({**beside, "note": "x", "after": [1], "end": None})


@given(st.integers(1, 60))
def test_a_reply_cut_off_is_an_error(length: int) -> None:
    data = b'{"id": 1, "result": {"rows": [{"a": 1}, {"b": [2, 3]}, "text"]}}'
    reader = ArrayReader(("result", "rows"))
    reader.feed(data[:length])
    with pytest.raises(InputError):
        reader.feed(b"")


@pytest.mark.parametrize(
    "data",
    [
        b'{"result": {"rows": [1 2]}}',
        b'{"result": {"rows": [1,]}}                                     ',
        b'{"result": {"rows": [{"a" 1}                                ',
        b'{"result": {"rows": [NaN]}}',
        b"{5: 1}                                  ",
        b"[1]",
        b'{"a": "\xff"}',
    ],
)
def test_what_is_not_json_is_an_error(data: bytes) -> None:
    reader = ArrayReader(("result", "rows"))
    with pytest.raises(InputError):
        [reader.feed(part) for part in (data, b"")]


def test_an_error_reply_has_no_rows() -> None:
    reader = ArrayReader(("result", "rows"))
    assert reader.feed(b'{"id":1,"error":{"code":-32602,"message":"no"}}\n\n') == []
    assert (reader.found, reader.members["error"]["code"]) == (False, -32602)


def test_memory_stays_at_the_size_of_an_element() -> None:
    """A gigabyte of rows would pass through the window of one chunk; here 20 MB do, in small pieces."""
    reader = ArrayReader(("result", "rows"))
    row = b'{"created_index": 1, "in_channel": "453x1x0", "pad": "' + b"x" * 900 + b'"},'
    reader.feed(b'{"result": {"rows": [')
    count = 0
    for _ in range(200):
        count += len(reader.feed(row * 100))
        assert len(reader._text) - reader._at < 2 * len(row)
    count += len(reader.feed(b"1]}}"))
    assert (count, reader.finished) == (20_001, True)


def test_an_element_without_end_is_refused() -> None:
    reader = ArrayReader(("rows",), max_chars=10_000)
    reader.feed(b'{"rows": ["')
    with pytest.raises(InputError, match="10000 characters"):
        [reader.feed(b"x" * 1000) for _ in range(100)]
