from __future__ import annotations

import pytest
from tests.unit.analysis.builders import channel

from lnflow.analysis.problems import PROBLEM_CONFIDENCE, Standing, problem_of, standing_of
from lnflow.domain.causes import Cause, Circumstance, Problem


@pytest.mark.parametrize(
    ("cause", "circumstance", "problem"),
    [
        (Cause.INSUFFICIENT_BALANCE, Circumstance.NONE, Problem.LIQUIDITY),
        (Cause.HTLC_EXCEEDS_MAX, Circumstance.NONE, Problem.SIZE),
        (Cause.FEE_INSUFFICIENT, Circumstance.NONE, Problem.FEE),
        (Cause.FEE_INSUFFICIENT, Circumstance.AFTER_RAISE, Problem.STALE_FEE),
        (Cause.UNKNOWN_NEXT_PEER, Circumstance.LINK_DOWN, Problem.OFFLINE),
        (Cause.UNKNOWN_NEXT_PEER, Circumstance.NONE, Problem.UNATTRIBUTED),
        (Cause.HTLC_ADD_FAILED, Circumstance.NONE, Problem.SLOTS),
        (Cause.FORWARDS_DISABLED, Circumstance.NONE, Problem.OTHER),
    ],
)
def test_each_cause_has_the_problem_that_would_mend_it(
    cause: Cause, circumstance: Circumstance, problem: Problem
) -> None:
    assert problem_of(cause, circumstance, False, Standing.OPEN) is problem


def test_an_absent_link_without_stored_downtime_is_not_called_offline() -> None:
    assert problem_of(Cause.UNKNOWN_NEXT_PEER, Circumstance.NONE, False, Standing.OPEN) is not Problem.OFFLINE


def test_more_than_a_channel_holds_is_a_matter_of_size_not_of_balance() -> None:
    assert problem_of(Cause.INSUFFICIENT_BALANCE, Circumstance.NONE, True, Standing.OPEN) is Problem.SIZE


@pytest.mark.parametrize("cause", list(Cause))
def test_channels_that_are_not_ours_are_nobodys_opportunity(cause: Cause) -> None:
    """But for full slots, where an older LND does not name the outgoing side at all."""
    problem = problem_of(cause, Circumstance.NONE, False, standing_of(None))
    assert problem is (Problem.SLOTS if cause is Cause.HTLC_ADD_FAILED else None)


def test_a_link_that_is_closed_by_now_is_not_called_offline() -> None:
    standing = standing_of(channel(closed=True))
    assert problem_of(Cause.UNKNOWN_NEXT_PEER, Circumstance.LINK_DOWN, False, standing) is None


def test_what_a_channel_lacked_before_it_closed_is_still_said() -> None:
    standing = standing_of(channel(closed=True))
    assert problem_of(Cause.INSUFFICIENT_BALANCE, Circumstance.NONE, False, standing) is Problem.LIQUIDITY


def test_every_problem_has_a_confidence() -> None:
    assert set(PROBLEM_CONFIDENCE) == set(Problem)
