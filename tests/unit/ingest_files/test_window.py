"""The sliding window gives what a whole parse gives, however the bytes arrive, and holds little."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lnflow.ingest.files.window import BadValue, JsonWindow

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def pieces_of(data: bytes, sizes: list[int]) -> Callable[[], bytes]:
    def cut() -> Iterator[bytes]:
        at, turn = 0, 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            yield data[at : at + size]
            at, turn = at + size, turn + 1
        while True:
            yield b""

    return cut().__next__


def all_values(window: JsonWindow) -> list[object]:
    found = []
    while window.peek():
        found.append(window.value())
    return found


@given(
    values=st.lists(VALUES, max_size=6),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    indent=st.sampled_from([None, 0, 3]),
    ascii_only=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_pieces_do_not_matter(values: list[Any], sizes: list[int], indent: int | None, ascii_only: bool) -> None:
    text = "\n".join(json.dumps(value, indent=indent, ensure_ascii=ascii_only) for value in values)
    data = text.encode("utf-8", "replace")
    expected = [
        json.loads(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "replace"), parse_float=Decimal)
        for value in values
    ]
    assert all_values(JsonWindow(pieces_of(data, sizes))) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_number_cut_by_the_window_is_one_number(size: int) -> None:
    data = b"1234567890 1795261099.1508887 true 1e-5 -5"
    window = JsonWindow(pieces_of(data, [size]))
    assert all_values(window) == [1234567890, Decimal("1795261099.1508887"), True, Decimal("1e-5"), -5]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_lines_are_counted(size: int) -> None:
    window = JsonWindow(pieces_of(b'{"a":\n1}\n\n{"b":2}\n[\n3]', [size]))
    lines = []
    while window.peek():
        lines.append(window.line)
        window.value()
    assert lines == [1, 4, 5]


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize("bad", [b'{"a": x, "b": [1, {"c": "}]\\""}]}', b'{"a": 1 "b": 2}', b'["a" {}]'])
def test_skipping_ends_behind_the_bad_value(size: int, bad: bytes) -> None:
    window = JsonWindow(pieces_of(b" " + bad + b', {"good": 1}', [size]))
    with pytest.raises(BadValue):
        window.value()
    window.skip_bad()
    assert window.take(",")
    assert window.value() == {"good": 1}


def test_the_window_stays_small() -> None:
    served = 0

    def read() -> bytes:
        nonlocal served
        served += 1
        return b'{"a": [1, 2, 3], "b": "text"}\n' * 2_000 if served <= 50 else b""

    window = JsonWindow(read)
    longest = count = 0
    while window.peek():
        window.value()
        count += 1
        longest = max(longest, len(window._text))
    assert count == 100_000
    assert longest < 1 << 18
