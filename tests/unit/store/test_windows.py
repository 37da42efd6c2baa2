"""A plan's parts add up to exactly the window, whatever the store keeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.time import HOUR_NS
from lnflow.store.windows import plan_window

times = st.one_of(
    st.integers(0, 100 * HOUR_NS), st.integers(0, 100).map(lambda h: h * HOUR_NS), st.sampled_from([0, 1, HOUR_NS - 1])
)


@given(since=times, until=times, last=times, at=times, totals=st.none() | st.integers(0, 17))
def test_every_instant_counts_once_if_and_only_if_it_is_in_the_window(
    since: int, until: int, last: int, at: int, totals: int | None
) -> None:
    """Over raw, hour and total parts, an attempt at `at` has weight 1 inside and 0 outside."""
    at = min(at, last)  # nothing is stored behind the last instant
    plan = plan_window(since, until, raw_since_ns=None, last_ns=last, totals_through=totals)
    weight = sum(p.sign * (p.since_ns <= at < p.until_ns) for p in plan.raw)
    weight += sum(p.sign * (p.first <= at // HOUR_NS < p.last) for p in plan.hours)
    weight += sum(p.sign * (at // HOUR_NS < p.period * 6) for p in plan.totals)
    assert weight == (since <= at < until)
    assert not plan.rounded
    assert all(totals is not None and p.period <= totals for p in plan.totals)


@given(since=times, until=times, at=times)
def test_beyond_the_raw_rows_the_ends_are_rounded_outwards_and_the_plan_says_so(
    since: int, until: int, at: int
) -> None:
    """Where no raw rows are left, a window covers at least what was asked, in whole hours."""
    plan = plan_window(since, until, raw_since_ns=10**20, last_ns=10**19, totals_through=None)
    assert not plan.raw
    weight = sum(p.sign * (p.first <= at // HOUR_NS < p.last) for p in plan.hours)
    inside = since <= at < until
    assert weight in (0, 1)
    if inside:
        assert weight == 1
    if since < until:
        assert plan.rounded == bool(since % HOUR_NS or until % HOUR_NS)
