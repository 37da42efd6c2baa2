"""The estimate against the truth, in small worlds: recorded, stored by the real writer, analysed as by `analyze`."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.missed_revenue.figures import spearman
from benchmarks.missed_revenue.pipeline import store_recording
from benchmarks.missed_revenue.simple import attempts, naive
from tests.unit.simulation_world.tiny_worlds import OTHER, plain_population, sink_peer, tiny_world

from lnflow.advice.analyzing import Selection
from lnflow.advice.documents import AnalyzeDocument
from lnflow.analysis.facts import Window
from lnflow.domain.causes import Problem
from lnflow.service.opportunities import OpportunityService
from lnflow.simulation.world import WorldSpec, record, truth
from lnflow.simulation.world.development import large_amounts_world

SERVED = plain_population(out_peers=(OTHER,))
"""Payments that we do pass on: from them the node learns how many settle."""


def said(spec: WorldSpec, seed: int, path: Path) -> AnalyzeDocument:
    recording = record(spec, seed)
    store_recording(recording, path)
    with OpportunityService.open(path) as service:
        window = Window(since_ns=recording.since_ns, until_ns=recording.until_ns)
        return service.analyze(window, Selection(min_failures=0, min_missed_sat=0))


def true_msat(spec: WorldSpec, seed: int, problem: Problem) -> int:
    return sum(t.covered_msat for (_, p), t in truth(spec, seed).items() if p is problem)


@pytest.mark.parametrize("habit", [{"returns": 3, "return_minutes": 5.0}, {"mpp": True}, {}], ids=str)
def test_who_returns_or_splits_is_counted_once(habit: dict[str, object], tmp_path: Path) -> None:
    """Naive sums are 2 to 4 times the truth here."""
    spec = tiny_world(sink=sink_peer(local_share=0.0), populations=(plain_population(**habit), SERVED))
    expected = said(spec, 1, tmp_path / "s.sqlite").totals.expected_missed_msat
    assert expected == pytest.approx(true_msat(spec, 1, Problem.LIQUIDITY), rel=0.1)


def test_large_amounts_that_never_settle_are_told_a_tenth_of_their_naive_fee_at_most(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    document = said(large_amounts_world(arrive=False), 106, path)
    refused = sum(naive(attempts(path)).values())
    assert refused > 20_000_000
    assert document.totals.expected_missed_msat <= 0.10 * refused


def test_large_amounts_that_settle_are_told_their_value(tmp_path: Path) -> None:
    spec = large_amounts_world(arrive=True)
    [found] = [o for o in said(spec, 107, tmp_path / "s.sqlite").opportunities if o.cause == "liquidity"]
    missed = true_msat(spec, 107, Problem.LIQUIDITY)
    assert found.expected_missed_msat == pytest.approx(missed, rel=0.25)
    assert found.low_msat <= missed <= found.high_msat


def test_the_figures_of_the_judge() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1.0)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    assert spearman([1, 2], [1, 2]) is None
