"""Columns read as text are the numbers of the rows."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from lnflow.store.columns import read_columns

WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(WHOLE, WHOLE), max_size=9), st.integers(0, 9))
def test_columns_are_those_of_the_rows(rows: list[tuple[int, int]], most: int) -> None:
    con = sqlite3.connect(":memory:")
    con.execute("CREATE TABLE pair (a INTEGER, b INTEGER)")
    con.executemany("INSERT INTO pair VALUES (?, ?)", rows)
    columns = read_columns(con, ("b", "a"), "FROM (SELECT * FROM pair LIMIT ?)", (most,))
    assert columns.tolist() == [[b for _, b in rows[:most]], [a for a, _ in rows[:most]]]
    con.close()
