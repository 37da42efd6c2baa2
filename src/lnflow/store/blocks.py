"""Sums of wishes as blocks: columns of rows sorted by key, which add up to the sums of any whole stretch of time.

A block of level n covers 4^n periods, and starts at a multiple of that; so any stretch takes at most six blocks
of each level, and a longer history only more levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Block = dict[str, NDArray[Any]]
"""The columns of one of the kinds below, by name; no two rows have the same key."""

DEMANDS = np.dtype(
    [
        ("chan", "<i4"), ("cause", "u1"), ("circumstance", "u1"), ("amount_class", "i1"), ("oversize", "u1"),
        ("attempts", "<i4"), ("msat", "<i8"), ("fee_msat", "<i8"), ("demands", "<i4"), ("recovered", "<i4"),
        ("open_msat", "<i8"), ("open_fee_msat", "<i8"), ("open_fee_squares", "<f8"), ("open_part_msat", "<i8"),
    ]
)  # fmt: skip
"""Demands of one channel alike in cause, circumstance, class (-1: unknown) and oversize; 68 B a row."""
SERVED = np.dtype(
    [
        ("chan", "<i4"), ("amount_class", "i1"), ("wishes", "<i4"), ("arrived", "<i4"),
        ("amount_msat", "<i8"), ("part_msat", "<i8"), ("arrived_msat", "<i8"),
    ]
)  # fmt: skip
"""What became of wishes passed on at once by one channel, by class; `arrived` of them settled; 37 B a row."""

_KEYS = ("chan", "cause", "circumstance", "amount_class", "oversize")
_COUNTS = {DEMANDS: "attempts", SERVED: "wishes"}
"""What every row has at least one of."""
_KEY_BITS = 8  # of each key but the channel
FAN_OUT = 4  # blocks of one level in a block of the next
_TWO_63 = 1 << 63


def block_of(rows: Sequence[tuple[int | float, ...]], kind: np.dtype[np.void]) -> Block:
    """Return the columns of rows of SQL, which are in the order of the kind's columns."""
    table = np.array(rows, kind)
    return {name: table[name] for name in kind.names or ()}


def to_bytes(block: Block, kind: np.dtype[np.void]) -> bytes:
    """Return the stored form: one column after the other, so that each can be taken up as it is."""
    return b"".join(column.astype(kind[name]).tobytes() for name, column in block.items())


def from_bytes(stored: bytes, kind: np.dtype[np.void]) -> Block:
    count, at, block = len(stored) // kind.itemsize, 0, {}
    for name in kind.names or ():
        block[name] = np.frombuffer(stored, kind[name], count, at)
        at += count * kind[name].itemsize
    return block


def added(parts: Sequence[tuple[int, Block]], kind: np.dtype[np.void]) -> Block:
    """Return the sums of parts that count (sign 1) or are taken off (-1), in the order of the key.

    `OverflowError` if a sum takes more than 63 bits: not real, but a peer can say so.
    """
    columns = {n: np.concatenate([block[n] for _, block in parts] or [np.empty(0, kind[n])]) for n in kind.names or ()}
    key = _key(columns)
    order = np.argsort(key, kind="stable")
    begins = np.diff(key.take(order), prepend=-1) > 0
    first, place = order.take(np.flatnonzero(begins)), np.empty_like(order)
    place[order] = np.cumsum(begins) - 1
    sign = np.repeat([sign for sign, _ in parts], [len(block["chan"]) for _, block in parts])
    sums: Block = {}
    for name, column in columns.items():
        sums[name] = column.take(first) if name in _KEYS else _sums(column * sign, place, len(first), name)
    left = sums[_COUNTS[kind]] > 0  # what was taken off to the last leaves nothing
    return sums if left.all() else {name: column.compress(left) for name, column in sums.items()}


def _sums(values: NDArray[Any], place: NDArray[np.int64], count: int, name: str) -> NDArray[Any]:
    """Return `count` sums of the values that have each place."""
    most = max(int(values.max(initial=0)), -int(values.min(initial=0)))
    if values.dtype != float and most * len(values) >= _TWO_63 <= np.abs(values).sum(dtype=float):
        raise OverflowError(f"integer overflow: the sum of {name} takes more than 63 bits")
    sums = np.zeros(count, values.dtype)
    np.add.at(sums, place, values)  # in a third of the time of `reduceat`
    return sums


def cover(first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Yield (level, first number, last number + 1) of the blocks that make up the periods [first, last).

    >>> list(cover(3, 21))  # period 3, the days 1 to 4, period 20
    [(0, 3, 4), (0, 20, 21), (1, 1, 5)]
    """
    level = 0
    while first < last:
        up, down = -(-first // FAN_OUT), last // FAN_OUT
        if up >= down:
            yield level, first, last
            return
        if first < up * FAN_OUT:
            yield level, first, up * FAN_OUT
        if down * FAN_OUT < last:
            yield level, down * FAN_OUT, last
        level, first, last = level + 1, up, down


def parents(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield (level, number) of the larger blocks that end within (first, last] periods, each after its parts.

    >>> list(parents(2, 9))
    [(1, 0), (1, 1)]
    """
    level = 1
    while last // FAN_OUT**level:
        size = FAN_OUT**level
        yield from ((level, number) for number in range(first // size, last // size))
        level += 1


def _key(columns: Block) -> NDArray[np.int64]:
    """Return one number a row that sorts as SQL would by its key columns; -1 is the smallest class."""
    key: NDArray[np.int64] = columns["chan"].astype(np.int64)
    for name in _KEYS[1:]:
        if name in columns:
            key = (key << _KEY_BITS) + columns[name] + (name == "amount_class")
    return key
