"""The chance to settle, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.analysis.chance import SettleChances, posterior

NODE = ("node", 4)


def test_a_peer_fails_as_often_as_the_node_until_it_has_evidence_of_its_own() -> None:
    chances = SettleChances({NODE: (950, 50)})
    assert chances.of("unknown", 4).mean == pytest.approx(0.95, abs=0.001)


def test_the_worked_example_of_the_documentation() -> None:
    """5 % fail on the node; 4 of 20 at one peer: 1.6 times as often, (4 x 0.08 + 4) / 24 = 18 %."""
    chances = SettleChances({NODE: (95_000, 5_000), ("peer", 4): (16, 4)})
    assert 1 - chances.of("peer", 4).mean == pytest.approx(0.18, abs=0.001)


def test_amounts_beyond_what_settles_regularly_lose_by_the_power_of_one_and_a_half() -> None:
    chances = SettleChances({NODE: (1000, 0)}, {4: 1000 * 1_000_000_000})
    assert chances.regular_msat == 1_000_000_000
    assert chances.reach(7_500_000_000) == pytest.approx(0.0487, abs=0.0001)
    assert chances.reach(900_000_000) == 1.0


def test_one_lucky_giant_is_not_regular() -> None:
    chances = SettleChances({NODE: (1000, 0), ("node", 9): (1, 0)}, {4: 1000 * 150_000_000, 9: 9_000_000_000})
    assert chances.regular_msat == 150_000_000


def test_what_nobody_knows_takes_nothing_off() -> None:
    assert SettleChances({}).reach(10**12) == 1.0


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0, 1))
def test_more_failures_never_raise_the_chance(settled: int, failed: int, prior: float) -> None:
    assert posterior((settled, failed + 1), prior).mean < posterior((settled, failed), prior).mean


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(0, 9)), st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1
    ),
    st.data(),
)
def test_a_downstream_failure_more_never_raises_any_chance_of_its_peer(
    ends: dict[tuple[object, int | None], tuple[int, int]], data: st.DataObject
) -> None:
    peer, size = key = data.draw(st.sampled_from(sorted(ends, key=str)))
    worse = {**ends, key: (ends[key][0], ends[key][1] + 50)}
    assert SettleChances(worse).of(peer, size).mean <= SettleChances(ends).of(peer, size).mean + 1e-9
