from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.errors import ConfigurationError
from lnflow.domain.time import HOUR_NS, parse_time_ns
from lnflow.service.windows import WindowChoice, resolve
from lnflow.store.records import StoredCoverage, StoredSpan

NOW_NS = parse_time_ns("2026-11-21T12:00:00Z")
SPAN = StoredSpan(first_ns=NOW_NS - 50 * HOUR_NS, last_ns=NOW_NS - 30 * HOUR_NS)
COVERAGE = StoredCoverage(first_ns=NOW_NS - 60 * HOUR_NS, last_ns=NOW_NS - 20 * HOUR_NS, intervals=())
NOTHING = StoredSpan(first_ns=None, last_ns=None), StoredCoverage(first_ns=None, last_ns=None, intervals=())


def window(**choice: object) -> tuple[int, int]:
    found = resolve(WindowChoice(**choice), NOW_NS, SPAN, COVERAGE)  # type: ignore[arg-type]  # as given
    return found.since_ns, found.until_ns


def test_nothing_said_means_the_last_24_hours() -> None:
    assert window() == (NOW_NS - 24 * HOUR_NS, NOW_NS)


def test_hours_count_back_from_the_end() -> None:
    assert window(hours=2.5, until="2026-11-21T10:00:00Z") == (NOW_NS - round(4.5 * HOUR_NS), NOW_NS - 2 * HOUR_NS)


def test_since_reaches_to_now() -> None:
    assert window(since="2026-11-21T11:00:00Z") == (NOW_NS - HOUR_NS, NOW_NS)


def test_all_ends_at_the_last_stored_instant_not_now() -> None:
    """What was covered without an event counts as stored."""
    assert window(everything=True) == (NOW_NS - 60 * HOUR_NS, NOW_NS - 20 * HOUR_NS + 1)


def test_all_of_nothing_is_empty() -> None:
    found = resolve(WindowChoice(everything=True), NOW_NS, *NOTHING)
    assert found.since_ns == found.until_ns


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"everything": True, "hours": 3}, "leave out --hours"),
        ({"hours": 3, "since": "1"}, "give one of them"),
        ({"since": "soon"}, "--since: 'soon' is not a time"),
        ({"since": "2026-11-22"}, "the window is empty"),
    ],
)
def test_what_makes_no_sense_is_said(choice: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        window(**choice)


@given(st.floats(0.001, 1e5), st.integers(0, 2 * 10**9))
def test_a_window_is_never_empty_or_reversed(hours: float, until_s: int) -> None:
    since_ns, until_ns = window(hours=hours, until=str(until_s))
    assert since_ns < until_ns


@pytest.mark.parametrize("hours", [float("nan"), float("inf"), -1.0, 1e30])
def test_hours_that_are_no_length_of_time_are_refused(hours: float) -> None:
    with pytest.raises(ConfigurationError, match="--hours"):
        window(hours=hours)


@pytest.mark.parametrize("text", ["99999999999999999999", "1795256337336", "0001-01-01", "9999-12-31"])
def test_times_beyond_what_the_store_counts_are_refused(text: str) -> None:
    """Milliseconds among them, taken for seconds."""
    with pytest.raises(ConfigurationError, match="--since"):
        window(since=text)
