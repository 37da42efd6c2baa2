"""Draws are uniform and belong to their owner."""

from __future__ import annotations

import itertools
from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.simulation_world.tiny_worlds import plain_population, sink_peer, tiny_world

from lnflow.simulation.world.agenda import Agenda
from lnflow.simulation.world.arrivals import draw_absences_ns, draw_arrivals
from lnflow.simulation.world.luck import normal, subkey, uniform

keys = st.integers(min_value=0, max_value=(1 << 64) - 1)
numbers = st.integers(min_value=-(1 << 30), max_value=1 << 40)


@given(keys, numbers)
def test_draws_stay_in_their_range(key: int, n: int) -> None:
    assert 0 <= uniform(key, n) < 1
    assert -4 < normal(key, n) < 4
    assert 0 <= subkey(key, n) < 1 << 64


@given(keys)
def test_draws_of_one_key_are_spread_evenly(key: int) -> None:
    draws = [uniform(key, n) for n in range(2_000)]
    assert abs(fmean(draws) - 0.5) < 0.05  # eight standard errors of 0.0065
    assert len(set(draws)) == len(draws)


def test_neighbouring_keys_are_not_alike() -> None:
    first = [uniform(subkey(7, n), 0) for n in range(2_000)]
    assert abs(fmean(first) - 0.5) < 0.05
    assert abs(fmean(a * b for a, b in itertools.pairwise(first)) - 0.25) < 0.05


def test_arrivals_keep_their_rate_and_order() -> None:
    spec = tiny_world(populations=(plain_population(per_day=2_000.0),) * 2, warmup_hours=24.0)
    arrivals = draw_arrivals(spec, 1)
    assert arrivals.at_ns == sorted(arrivals.at_ns)
    assert abs(len(arrivals.at_ns) - 8_000) < 8 * 8_000**0.5
    assert set(arrivals.amount_msat) == {100_000_000}
    assert len(set(arrivals.population)) == 2


def test_absences_are_merged() -> None:
    sink = sink_peer(local_share=0.5, offline_h=((2.0, 4.0), (3.0, 5.0), (9.0, 10.0)))
    hour = 3_600 * 10**9
    absences = draw_absences_ns(tiny_world(sink=sink), 1)
    assert absences == [[], [(2 * hour, 5 * hour), (9 * hour, 10 * hour)], []]


def test_the_agenda_is_kept_in_order_and_stops_in_time() -> None:
    agenda = Agenda()
    seen: list[tuple[int, str]] = []

    def note(now: int, word: str) -> None:
        seen.append((now, word))
        if word == "first":
            agenda.put(now, note, "at once")

    agenda.put(5, note, "late")
    agenda.put(3, note, "first")
    agenda.put(3, note, "second")
    agenda.run_until(5)
    assert seen == [(3, "first"), (3, "second"), (3, "at once")]
    agenda.run_until(6)
    assert seen[-1] == (5, "late")
