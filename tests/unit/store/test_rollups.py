"""Folding shares by numpy gives what adding them up one by one gives, whatever their size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.errors import StoreRefused
from lnflow.store import rollups
from lnflow.store.database import explained, open_writer

KEYS = st.one_of(st.integers(0, 3), st.integers(0, (1 << 60)))
ROWS = st.lists(st.tuples(KEYS, KEYS, KEYS, st.integers(-(10**12), 10**12)), min_size=1, max_size=40)
LARGEST = (1 << 63) - 1


@given(ROWS)
def test_groups_are_the_sums_by_key_and_those_without_change_are_left_out(rows: list[tuple[int, ...]]) -> None:
    """Keys may be as wide as they like: their combination is made dense before it overflows."""
    expected: dict[tuple[int, ...], int] = {}
    for *key, value in rows:
        expected[tuple(key)] = expected.get(tuple(key), 0) + value
    columns = np.array(rows, dtype=np.int64).T
    grouped = list(zip(*rollups._grouped(list(columns[:3]), [columns[3]]), strict=True))
    assert grouped == sorted((*key, total) for key, total in expected.items() if total)


def test_amounts_near_the_end_of_64_bits_are_summed_exactly_or_refused(tmp_path: Path) -> None:
    """A peer may say any amount: what cancels out is exact, what cannot be stored is refused, nothing wraps."""
    path = tmp_path / "s"
    con = open_writer(path)
    taken_in: rollups.Share = (1, 10, 1, 2, 4, 0, 1, LARGEST, LARGEST, 0)
    taken_out: rollups.Share = (-1, *taken_in[1:])
    rollups.fold(con, 1, [taken_in, taken_out, taken_in])
    assert con.execute("SELECT out_settled, out_settled_msat FROM channel_hour WHERE chan = 2").fetchall() == [
        (1, LARGEST)
    ]
    with pytest.raises(StoreRefused), explained(path):
        rollups.fold(con, 1, [taken_in, taken_in])
    con.close()
