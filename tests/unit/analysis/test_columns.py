"""Whole and rounded columns are what Python makes of each number by itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lnflow.analysis.columns import rounded, whole

SHARES = st.one_of(
    st.floats(0, 1_000),
    st.builds(lambda a, b: a / b, st.integers(0, 10_000), st.integers(1, 10_000)),
    st.builds(lambda n: n / 20_000, st.integers(0, 20_000_000)),  # halves of the last digit
)


@given(st.lists(SHARES), st.sampled_from([1, 3, 4]))
def test_rounded_is_round(values: list[float], digits: int) -> None:
    assert rounded(np.array(values, float), digits) == [round(value, digits) for value in values]


@given(st.lists(st.floats(-1e15, 1e15)))
def test_whole_is_round_to_whole_numbers(values: list[float]) -> None:
    assert whole(np.array(values, float)).tolist() == [round(value) for value in values]


def test_what_is_not_real_is_cut_not_wrapped() -> None:
    assert whole(np.array([1e30, -1e30])).tolist() == [2**62, -(2**62)]
