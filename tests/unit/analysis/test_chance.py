"""The chance to settle, by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.analysis.chance import CLASSES, SettleChances, posterior

PEERS = 5
OTHERS, PEER, STRANGER = range(3)


def chances_of(
    ends: Mapping[tuple[int, int], tuple[int, int]], arrived_msat: Mapping[int, int] | None = None
) -> SettleChances:
    """Return the chances after (settled, failed downstream) by peer and class."""
    settled, downstream = np.zeros((2, PEERS, CLASSES + 1), np.int64)
    for at, (s, d) in ends.items():
        settled[at], downstream[at] = s, d
    return SettleChances(settled, downstream, np.array([(arrived_msat or {}).get(c, 0) for c in range(CLASSES)]))


def chance(chances: SettleChances, peer: int, size: int) -> float:
    return float(chances.of(np.array([peer]), np.array([size]), np.zeros(1)).mean[0])


def reach(chances: SettleChances, amount_msat: int) -> float:
    return float(chances.reach(np.array([amount_msat]))[0])


def test_a_peer_fails_as_often_as_the_node_until_it_has_evidence_of_its_own() -> None:
    chances = chances_of({(OTHERS, 4): (950, 50)})
    assert chance(chances, STRANGER, 4) == pytest.approx(0.95, abs=0.001)


def test_the_worked_example_of_the_documentation() -> None:
    """5 % fail on the node; 4 of 20 at one peer: 1.6 times as often, (4 x 0.08 + 4) / 24 = 18 %."""
    chances = chances_of({(OTHERS, 4): (95_000, 5_000), (PEER, 4): (16, 4)})
    assert 1 - chance(chances, PEER, 4) == pytest.approx(0.18, abs=0.001)


def test_amounts_beyond_what_settles_regularly_lose_by_the_power_of_one_and_a_half() -> None:
    chances = chances_of({(OTHERS, 4): (1000, 0)}, {4: 1000 * 1_000_000_000})
    assert chances.regular_msat == 1_000_000_000
    assert reach(chances, 7_500_000_000) == pytest.approx(0.0487, abs=0.0001)
    assert reach(chances, 900_000_000) == 1.0


def test_one_lucky_giant_is_not_regular() -> None:
    chances = chances_of({(OTHERS, 4): (1000, 0), (OTHERS, 9): (1, 0)}, {4: 1000 * 150_000_000, 9: 9_000_000_000})
    assert chances.regular_msat == 150_000_000


def test_what_nobody_knows_takes_nothing_off() -> None:
    assert reach(chances_of({}), 10**12) == 1.0


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0, 1))
def test_more_failures_never_raise_the_chance(settled: int, failed: int, prior: float) -> None:
    before, after = posterior(np.array([settled] * 2), np.array([failed, failed + 1]), np.array([prior] * 2)).mean
    assert after < before


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(0, 9)), st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1
    ),
    st.data(),
)
def test_a_downstream_failure_more_never_raises_any_chance_of_its_peer(
    ends: dict[tuple[int, int], tuple[int, int]], data: st.DataObject
) -> None:
    peer, size = key = data.draw(st.sampled_from(sorted(ends)))
    worse = {**ends, key: (ends[key][0], ends[key][1] + 50)}
    assert chance(chances_of(worse), peer, size) <= chance(chances_of(ends), peer, size) + 1e-9


@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 9)), st.tuples(*[st.integers(0, 300)] * 2)))
def test_a_chance_is_a_share(ends: dict[tuple[int, int], tuple[int, int]]) -> None:
    chances = chances_of(ends)
    for peer in range(PEERS):
        for size in (-1, *range(CLASSES)):
            assert 0 < chance(chances, peer, size) < 1
