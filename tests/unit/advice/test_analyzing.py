from __future__ import annotations

import msgspec
import pytest
from tests.unit.analysis.builders import channel, demands, ends, facts

from lnflow.advice.analyzing import Selection, analyze
from lnflow.domain.causes import Cause, Circumstance

WELL_PAID = (ends(1, settled=900, downstream=100), ends(2, settled=900, downstream=100))
TWO = (channel(1), channel(2))
EVERYTHING = Selection(min_failures=0, min_missed_sat=0)


def test_the_most_valuable_comes_first() -> None:
    rich = demands(2, open_fee_msat=5_000_000)
    document = analyze(facts(demands(1), rich, channels=TWO, passed=WELL_PAID), Selection())
    assert [(o.rank, o.peer_alias) for o in document.opportunities] == [(1, "peer2"), (2, "peer1")]


def test_totals_include_what_the_thresholds_hide() -> None:
    found = facts(demands(1), demands(2, attempts=2, demands=2), channels=TWO, passed=WELL_PAID)
    document = analyze(found, Selection(min_failures=3))
    assert len(document.opportunities) == 1
    assert document.totals.expected_missed_msat > document.opportunities[0].expected_missed_msat


@pytest.mark.parametrize(("min_missed_sat", "shown"), [(100, 1), (500, 0)])
def test_the_threshold_of_missed_sats_is_on_the_expected_value(min_missed_sat: int, shown: int) -> None:
    """The group offers 500 sat once per wish, of which about 450 would have settled."""
    document = analyze(facts(demands(), passed=WELL_PAID), Selection(min_missed_sat=min_missed_sat))
    assert len(document.opportunities) == shown


@pytest.mark.parametrize(
    ("view", "causes"),
    [("liquidity", {"liquidity"}), ("fee", {"fee", "stale_fee"}), ("capacity", {"size", "slots"})],
)
def test_a_view_shows_its_own_causes(view: str, causes: set[str]) -> None:
    found = facts(
        demands(),
        demands(cause=Cause.FEE_INSUFFICIENT),
        demands(cause=Cause.FEE_INSUFFICIENT, circumstance=Circumstance.AFTER_RAISE),
        demands(cause=Cause.HTLC_EXCEEDS_MAX),
        demands(cause=Cause.HTLC_ADD_FAILED),
        passed=WELL_PAID,
    )
    document = analyze(found, Selection(view=view))  # type: ignore[arg-type]  # one of the three
    assert {o.cause for o in document.opportunities} == causes
    assert document.verdict is None


def test_top_cuts_the_list_not_the_totals() -> None:
    found = facts(demands(1), demands(2), channels=TWO, passed=WELL_PAID)
    cut, whole = analyze(found, Selection(top=1)), analyze(found, Selection())
    assert len(cut.opportunities) == 1
    assert cut.totals == whole.totals


def test_a_cause_and_peer_occur_once() -> None:
    pair = (channel(1, peer_id=7, peer_pubkey="02aa"), channel(2, peer_id=7, peer_pubkey="02aa"))
    found = facts(demands(1), demands(2), demands(2, amount_class=5), channels=pair, passed=WELL_PAID)
    [opportunity] = analyze(found, EVERYTHING).opportunities
    assert [c.attempts for c in opportunity.channels] == [20, 40]


def test_watched_too_briefly() -> None:
    document = analyze(facts(days=0.1), Selection())
    assert document.verdict is not None
    assert document.verdict.code == "watched_briefly"


def test_too_little_traffic() -> None:
    document = analyze(facts(passed=(ends(settled=2, downstream=1),)), Selection())
    assert document.verdict is not None
    assert document.verdict.code == "little_traffic"


def test_well_served() -> None:
    document = analyze(facts(passed=WELL_PAID), Selection())
    assert document.verdict is not None
    assert document.verdict.code == "well_served"
    assert any("2000 attempts" in line for line in document.verdict.evidence)


def test_a_window_before_the_data_names_the_window_that_has_some() -> None:
    found = facts(stored_since_ns=1, stored_until_ns=2)
    [note] = [n for n in analyze(found, Selection()).notes if n.code == "window_without_data"]
    assert "1970-01-01T00:00:00.000Z" in note.text


def test_little_coverage_is_said() -> None:
    notes = analyze(facts(demands(), covered=0.1), Selection()).notes
    assert any(n.code == "low_coverage" and "10.0%" in n.text for n in notes)
    assert analyze(facts(demands(), covered=0.1), Selection()).coverage == pytest.approx(0.1)


def test_backfilled_history_without_coverage_says_how_to_see_failures() -> None:
    notes = analyze(facts(covered=0.0), Selection()).notes
    assert any(n.code == "no_coverage" and "lnflow monitor" in n.text for n in notes)


def test_what_core_lightning_does_not_tell_apart_has_a_share_and_a_note() -> None:
    found = facts(demands(cause=Cause.UNATTRIBUTED, attempts=30), demands(attempts=90), passed=WELL_PAID)
    node = msgspec.structs.replace(found.scope.node, implementation="cln")
    document = analyze(
        msgspec.structs.replace(found, scope=msgspec.structs.replace(found.scope, node=node)), EVERYTHING
    )
    assert [(f.cause, f.share, f.confidence) for f in document.failures] == [
        ("insufficient_balance", 0.75, None),
        ("unattributed", 0.25, 0.0),
    ]
    [note] = [n for n in document.notes if n.code == "unattributed"]
    assert "30 of 120 refusals (25.0%)" in note.text
    text = next(o.recommendation.text for o in document.opportunities if o.cause == "unattributed")
    assert "six things" in text
    assert not [n for n in analyze(found, EVERYTHING).notes if n.code == "unattributed"]
