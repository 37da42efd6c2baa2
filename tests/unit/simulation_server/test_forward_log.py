"""Paging through the history as LND pages, and the two ways a client can read all of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.htlc import Forward
from lnflow.domain.time import SECOND_NS
from lnflow.simulation.lnd_server.forward_log import ForwardLog

FAR_S = 10_000


def row(at_ns: int, in_scid: int = 1, out_scid: int = 2) -> Forward:
    return Forward(in_scid=in_scid, out_scid=out_scid, at_ns=at_ns, amount_in_msat=1_100, amount_out_msat=1_000)


def filled(times_ns: list[int]) -> ForwardLog:
    log = ForwardLog()
    for at_ns in times_ns:
        log.add(row(at_ns))
    return log


def times(rows: list[Forward]) -> list[int]:
    return [each.at_ns for each in rows]


def test_zero_means_the_first_hundred() -> None:
    page, offset = filled(list(range(250))).page(start_s=0, end_s=1, index_offset=0, num_max_events=0)
    assert times(page) == list(range(100))
    assert offset == 100


def test_both_ends_are_inclusive_but_the_fraction_after_the_end_is_not() -> None:
    log = filled([SECOND_NS - 1, SECOND_NS, 2 * SECOND_NS, 2 * SECOND_NS + 1])
    page, _ = log.page(start_s=1, end_s=2, index_offset=0, num_max_events=10)
    assert times(page) == [SECOND_NS, 2 * SECOND_NS]


def test_equal_times_are_bumped_by_a_nanosecond() -> None:
    log = filled([5, 5, 6, 5])
    assert times(list(log.rows)) == [5, 6, 7, 8]


def test_the_offset_counts_from_the_start_time() -> None:
    log = filled([n * SECOND_NS for n in range(10)])
    page, offset = log.page(start_s=4, end_s=FAR_S, index_offset=2, num_max_events=3)
    assert times(page) == [6 * SECOND_NS, 7 * SECOND_NS, 8 * SECOND_NS]
    assert offset == 5


def test_channel_filters_are_combined() -> None:
    log = ForwardLog()
    for at_ns, (in_scid, out_scid) in enumerate([(1, 2), (1, 3), (4, 2), (4, 3)]):
        log.add(row(at_ns, in_scid, out_scid))
    page, _ = log.page(start_s=0, end_s=1, index_offset=0, num_max_events=9, in_scids={1, 4}, out_scids={3})
    assert times(page) == [1, 3]


def test_deleting_forgets_the_past_only() -> None:
    log = filled([1, 2, 3])
    assert log.delete_before(3) == 2
    assert times(list(log.rows)) == [3]


@given(
    st.lists(st.integers(0, 20 * SECOND_NS), max_size=60),
    st.integers(1, 7),
)
def test_paging_by_offset_gives_every_row_once(times_ns: list[int], size: int) -> None:
    log = filled(times_ns)
    read: list[Forward] = []
    offset = 0
    while True:
        page, offset = log.page(start_s=0, end_s=FAR_S, index_offset=offset, num_max_events=size)
        if not page:
            break
        read += page
    assert tuple(read) == log.rows


def test_fee_sums_cover_the_asked_time_only() -> None:
    log = filled([1, 2, 3])
    assert log.fee_sum_msat(2, 3) == 200
