"""Sums of wishes as blocks: arrays of rows sorted by key, which add up to the sums of any whole stretch of time.

A block of level n covers 4^n periods, and starts at a multiple of that; so any stretch takes at most six blocks
of each level, and a longer history only more levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.void]
"""Rows of one of the kinds below, without two of the same key."""

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
    """Return rows of SQL, in the order of the kind's columns."""
    return np.array(rows, kind)


def read_block(stored: bytes, kind: np.dtype[np.void]) -> Block:
    return np.frombuffer(stored, kind)


def added(parts: Sequence[tuple[int, Block]], kind: np.dtype[np.void]) -> Block:
    """Return the sums of parts that count (sign 1) or are taken off (-1), in the order of the key.

    `OverflowError` if a sum takes more than 63 bits: not real, but a peer can say so.
    """
    # numpy joins rows of several types one by one, bytes at once
    rows = np.frombuffer(b"".join(block.data for _, block in parts), kind)
    key = _key(rows)
    order = np.argsort(key, kind="stable")
    rows, key = rows.take(order), key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    sign = None
    if any(sign < 0 for sign, _ in parts):
        sign = np.repeat([sign for sign, _ in parts], [len(block) for _, block in parts])[order]
    sums = rows.take(starts)
    for name in kind.names or ():
        if name not in _KEYS and len(starts):
            values = rows[name].astype(float if kind[name].kind == "f" else np.int64)
            sums[name] = _sums(values if sign is None else values * sign, starts, name)
    return sums.compress(sums[_COUNTS[kind]] > 0)  # what was taken off to the last leaves nothing


def _sums(values: NDArray[Any], starts: NDArray[np.int64], name: str) -> NDArray[Any]:
    """Return the sums of the values from each start to the next."""
    if values.dtype == float:
        return np.add.reduceat(values, starts)
    if max(int(values.max()), -int(values.min())) * len(values) >= _TWO_63 <= np.abs(values).sum(dtype=float):
        raise OverflowError(f"integer overflow: the sum of {name} takes more than 63 bits")
    to_here = np.cumsum(values)  # in half the time of `reduceat`
    return np.diff(to_here[np.append(starts[1:] - 1, -1)], prepend=0)


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


def _key(rows: Block) -> NDArray[np.int64]:
    """Return one number a row that sorts as SQL would by its key columns; -1 is the smallest class."""
    key: NDArray[np.int64] = rows["chan"].astype(np.int64)
    for name in _KEYS[1:]:
        if name in (rows.dtype.names or ()):
            key = (key << _KEY_BITS) + rows[name] + (name == "amount_class")
    return key
