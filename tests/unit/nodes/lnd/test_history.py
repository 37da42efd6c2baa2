"""Paging through ForwardingHistory: each row once and in order, in few calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.htlc import Forward
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.history import MAX_PAGE, forwards_since
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server.forward_log import ForwardLog

START_NS = 1_795_256_337 * SECOND_NS


class Lnd:
    """What LND answers to ForwardingHistory, and how often it was asked."""

    def __init__(self, times_ns: list[int]) -> None:
        self.log = ForwardLog()
        for number, at_ns in enumerate(times_ns):
            self.log.add(Forward(1, 2, at_ns, 1_001, 1_000, number, number))
        self.requests: list[pb.ForwardingHistoryRequest] = []

    async def ask(self, request: pb.ForwardingHistoryRequest) -> pb.ForwardingHistoryResponse:
        self.requests.append(request)
        rows, last = self.log.page(
            start_s=request.start_time,
            end_s=request.end_time,
            index_offset=request.index_offset,
            num_max_events=request.num_max_events,
        )
        return pb.ForwardingHistoryResponse(
            forwarding_events=[
                pb.ForwardingEvent(
                    chan_id_in=row.in_scid,
                    chan_id_out=row.out_scid,
                    timestamp_ns=row.at_ns,
                    amt_in_msat=row.amount_in_msat,
                    amt_out_msat=row.amount_out_msat,
                    incoming_htlc_id=row.in_htlc_id,
                    outgoing_htlc_id=row.out_htlc_id,
                )
                for row in rows
            ],
            last_offset_index=last,
        )


# Clustered: many rows in one second, some alone, some at its very edges
TIMES = st.lists(
    st.builds(
        lambda second, part: START_NS + second * SECOND_NS + part,
        st.integers(0, 6),
        st.sampled_from([0, 0, 1, 2, SECOND_NS // 2, SECOND_NS - 1]),
    ),
    max_size=40,
)


@given(times=TIMES, page_size=st.integers(1, 12), since=st.integers(-1, 7), part=st.sampled_from([-1, 0, 1]))
async def test_every_row_since_then_comes_once_and_in_order(
    times: list[int], page_size: int, since: int, part: int
) -> None:
    lnd = Lnd(times)
    since_ns = START_NS + since * SECOND_NS + part
    pages = [page async for page in forwards_since(lnd.ask, since_ns, page_size=page_size)]
    assert [row for page in pages for row in page] == [row for row in lnd.log.rows if row.at_ns >= since_ns]
    assert all(0 < len(page) <= page_size for page in pages)


async def test_paging_is_not_quadratic() -> None:
    """LND walks from the start to the offset on every call: so there is none, but within a crowded second."""
    lnd = Lnd([START_NS + number * SECOND_NS // 10 for number in range(5_000)])
    rows = [row async for page in forwards_since(lnd.ask, 0, page_size=500) for row in page]
    assert len(rows) == 5_000
    assert len(lnd.requests) <= 12
    assert {request.index_offset for request in lnd.requests} == {0}


async def test_a_second_that_fills_a_page_is_paged_by_offset() -> None:
    lnd = Lnd([START_NS + number for number in range(100)] + [START_NS + 2 * SECOND_NS])
    rows = [row async for page in forwards_since(lnd.ask, 0, page_size=30) for row in page]
    assert rows == list(lnd.log.rows)
    assert max(request.index_offset for request in lnd.requests) == 90


@pytest.mark.parametrize(("asked", "sent"), [(0, 1), (-5, 1), (10**9, MAX_PAGE)])
async def test_the_page_is_within_what_lnd_documents(asked: int, sent: int) -> None:
    lnd = Lnd([])
    assert [page async for page in forwards_since(lnd.ask, 0, page_size=asked)] == []
    [request] = lnd.requests
    assert request.num_max_events == sent
    assert not request.peer_alias_lookup  # LND would look up each channel


async def test_before_the_epoch_is_all_of_it() -> None:
    lnd = Lnd([START_NS])
    [[row]] = [page async for page in forwards_since(lnd.ask, -(10**18), page_size=10)]
    assert row.at_ns == START_NS
