"""A change that hurt is taken back; one that did not, or that is somebody else's by now, is left."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.unit.pricing.builders import policy

from lnflow.pricing.changes import values_of
from lnflow.pricing.decision import RollbackTerms
from lnflow.pricing.facts import Unknown
from lnflow.pricing.rollback import LEAST_BUCKETS, MOST_BUCKETS, Bucket, Outcome, Trial, judge, less_after

OLD, NEW = values_of(policy(fee_ppm=100)), values_of(policy(fee_ppm=150))


def buckets(seed: int, count: int, *, share: float = 1.0, rest: float = 1.0) -> tuple[Bucket, ...]:
    """Six-hour buckets of about 8 forwards here and 60 elsewhere, each paying 50 sat or so."""
    source = random.Random(seed)

    def earned(mean: float) -> tuple[int, int]:
        forwards = sum(source.random() < mean / 100 for _ in range(100))
        return forwards, sum(source.randrange(20_000, 80_000) for _ in range(forwards))

    found = []
    for _ in range(count):
        forwards, msat = earned(8 * share)
        rest_forwards, rest_msat = earned(60 * rest)
        found.append(
            Bucket(earned_msat=msat, forwards=forwards, rest_earned_msat=rest_msat, rest_forwards=rest_forwards)
        )
    return tuple(found)


def trial(**changes: Any) -> Trial:
    values: dict[str, Any] = {
        "channel_point": "aa:0",
        "rule": "rule",
        "old": OLD,
        "new": NEW,
        "terms": RollbackTerms(enabled=True, threshold=0.3),
        "present": NEW,
        "before": buckets(1, 28),
        "after": buckets(2, 28),
    }
    return Trial(**(values | changes))


def test_a_change_that_cost_most_of_the_revenue_is_taken_back_to_the_exact_former_policy() -> None:
    judgement = judge(trial(after=buckets(2, 12, share=0.2)))
    assert (judgement.outcome, judgement.revert_to) == (Outcome.REVERT, OLD)
    assert judgement.drop == pytest.approx(0.8, abs=0.15)
    assert "threshold is 30%" in judgement.reason


def test_a_fall_of_the_whole_node_is_no_reason() -> None:
    judgement = judge(trial(after=buckets(2, 28, share=0.2, rest=0.2)))
    assert judgement.outcome is Outcome.WAIT
    assert judgement.revert_to is None


def test_a_fall_beyond_that_of_the_node_is() -> None:
    judgement = judge(trial(after=buckets(2, 28, share=0.15, rest=0.6)))
    assert judgement.outcome is Outcome.REVERT


def test_a_node_that_grew_does_not_make_a_steady_channel_look_hurt() -> None:
    assert judge(trial(after=buckets(2, 28, rest=1.6))).outcome is Outcome.WAIT


def test_a_fall_below_the_threshold_is_left() -> None:
    terms = RollbackTerms(enabled=True, threshold=0.9)
    assert judge(trial(after=buckets(2, 28, share=0.3), terms=terms)).outcome is Outcome.WAIT


def test_two_points_are_no_evidence() -> None:
    few = LEAST_BUCKETS - 1
    assert judge(trial(after=buckets(2, few, share=0.0))).outcome is Outcome.WAIT
    assert judge(trial(before=buckets(1, few), after=buckets(2, 28, share=0.0))).outcome is Outcome.WAIT
    assert judge(trial(after=buckets(2, few + 1, share=0.0))).outcome is Outcome.REVERT


def test_a_channel_with_hardly_a_forward_before_cannot_be_judged() -> None:
    judgement = judge(trial(before=buckets(1, 28, share=0.01), after=buckets(2, 28, share=0.0)))
    assert (judgement.outcome, "forwards before" in judgement.reason) == (Outcome.WAIT, True)


def test_after_fourteen_days_without_harm_the_change_stands() -> None:
    assert judge(trial(after=buckets(2, MOST_BUCKETS))).outcome is Outcome.KEEP


def test_a_quiet_node_is_no_control_and_asks_for_more() -> None:
    quiet = buckets(1, 28, rest=0.0)
    assert judge(trial(before=quiet, after=buckets(2, 28, share=0.1, rest=0.0))).outcome is Outcome.REVERT
    judgement = judge(trial(before=quiet, after=buckets(2, 28, rest=0.0)))
    assert "too quiet" in judgement.reason


def test_somebody_elses_later_change_is_theirs() -> None:
    other = structs.replace(NEW, fee_ppm=151)
    judgement = judge(trial(after=buckets(2, 28, share=0.0), present=other))
    assert (judgement.outcome, judgement.revert_to) == (Outcome.YIELD, None)


def test_what_is_not_known_switched_off_or_replaced_is_not_rolled_back() -> None:
    bad = buckets(2, 28, share=0.0)
    assert judge(trial(after=bad, present=Unknown("node away"))).outcome is Outcome.WAIT
    assert judge(trial(after=bad, terms=RollbackTerms())).outcome is Outcome.KEEP
    assert judge(trial(after=bad, superseded=True)).outcome is Outcome.KEEP


def test_no_change_of_revenue_is_rarely_called_harm() -> None:
    """Repeated looks at 100 channels whose revenue did not change: almost none is rolled back."""
    wrong = sum(
        judge(trial(before=buckets(2 * seed, 28), after=buckets(2 * seed + 1, 28))).outcome is Outcome.REVERT
        for seed in range(100)
    )
    assert wrong == 0


values = st.lists(st.integers(0, 9), min_size=1, max_size=30)


@given(values, values)
def test_the_test_is_a_probability_and_knows_its_sides(before: list[int], after: list[int]) -> None:
    p = less_after(before=before, after=after)
    assert 0 <= p <= 1
    lower = less_after(before=before, after=[value - 10 for value in after])
    assert lower <= p or len(set(before + after)) == 1
