from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.analysis.urgency import urgencies


@pytest.mark.parametrize(
    ("missed_sat", "failures", "rate", "parts"),
    [
        (0, 0, 0.0, (0, 0, 0)),
        (1_000, 1, 0.1, (4, 3, 3)),
        (9_999, 9, 1.0, (39.996, 27, 30)),
        (10_000, 10, 1.0, (40, 30, 30)),
        (5_000_000, 900, 1.0, (40, 30, 30)),
    ],
)
def test_the_parts_are_those_of_the_mission(
    missed_sat: float, failures: int, rate: float, parts: tuple[float, float, float]
) -> None:
    got = urgencies(np.array([missed_sat]), np.array([failures]), np.array([rate]))
    assert (*got.revenue, *got.frequency, *got.rate) == pytest.approx(parts)


@given(st.floats(0, 1e12), st.integers(0, 10**9), st.floats(0, 1))
def test_urgency_lies_between_0_and_100(missed_sat: float, failures: int, rate: float) -> None:
    [total] = urgencies(np.array([missed_sat]), np.array([failures]), np.array([rate])).total
    assert 0 <= total <= 100
