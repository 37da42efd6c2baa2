"""A page taken column by column says what its rows say one by one."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.errors import NodeUnavailable
from lnflow.domain.time import SECOND_NS
from lnflow.ingest.cln_pages import page_facts
from lnflow.ingest.join import Joiner
from lnflow.nodes.cln.rows import attempt_of
from lnflow.nodes.cln.wire import ForwardRow
from lnflow.store.rows import FactColumns, in_columns

AMOUNTS = st.one_of(st.integers(0, 10**12), st.integers(0, 10**12).map("{}msat".format))
TIMES = st.decimals(0, 2**31, places=9)
ROWS = st.lists(
    st.builds(
        ForwardRow,
        in_channel=st.sampled_from(["1x1x1", "2x2x2", "16000000x0x7", "1:1:1"]),
        in_msat=AMOUNTS,
        status=st.sampled_from(["settled", "offered", "failed", "local_failed"]),
        received_time=TIMES,
        created_index=st.integers(1, 10**9),
        in_htlc_id=st.integers(0, 1000) | st.integers(0, 3),
        out_channel=st.none() | st.sampled_from(["3x3x3", "1x1x1", "16777215x16777215x65535"]),
        out_htlc_id=st.none() | st.integers(0, 20),
        out_msat=st.none() | AMOUNTS,
        failcode=st.sampled_from([None, 4103, 4108, 16394, 16392, 1]),
        resolved_time=st.none() | TIMES,
    ),
    max_size=12,
)
NO_IDS = st.none() | st.integers(0, 3)


def one_by_one(rows: list[ForwardRow]) -> FactColumns:
    joiner = Joiner()
    for row in rows:
        joiner.add_attempt(attempt_of(row))
    return in_columns(joiner.take())


def in_lists(facts: FactColumns) -> list[list[object]]:
    return [list(getattr(facts, name)) for name in facts.__slots__]


@given(ROWS)
def test_it_says_what_its_rows_say_one_by_one(rows: list[ForwardRow]) -> None:
    assert in_lists(page_facts(rows)) == in_lists(one_by_one(rows))


@given(ROWS, st.lists(NO_IDS, min_size=12, max_size=12))
def test_also_where_ids_are_missing_or_repeated(rows: list[ForwardRow], ids: list[int | None]) -> None:
    rows = [msgspec.structs.replace(row, in_htlc_id=htlc_id) for row, htlc_id in zip(rows, ids, strict=False)]
    assert in_lists(page_facts(rows)) == in_lists(one_by_one(rows))


def test_one_channel_written_in_two_ways_is_one() -> None:
    """The store takes each HTLC once, and would refuse such a page for ever."""
    rows = [
        ForwardRow(channel, 2, "offered", Decimal(second), in_htlc_id=1)
        for channel, second in (("1x1x1", 5), ("1:1:1", 4))
    ]
    facts = page_facts(rows)
    assert (facts.in_htlc_id, facts.arrived_ns) == ([1], [4 * SECOND_NS])


@given(ROWS)
def test_what_goes_to_the_store_is_plain_numbers(rows: list[ForwardRow]) -> None:
    """An enum is bound by SQLite at a tenth of the speed."""
    *members, _also_used = in_lists(page_facts(rows))
    assert {type(value) for column in members for value in column} <= {int, type(None)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": "lost"}, "row 7 has a status we do not know: 'lost'"),
        ({"out_channel": "7x"}, "row 7: '7x' is not"),
        ({"out_msat": "manymsat"}, "row 7: invalid literal .* 'many'"),
    ],
)
def test_a_row_that_we_do_not_understand_is_named(changes: dict[str, str], told: str) -> None:
    known = {"in_channel": "1x1x1", "in_msat": 1, "status": "offered", "received_time": Decimal(1), "in_htlc_id": 1}
    with pytest.raises(NodeUnavailable, match=told):
        page_facts([ForwardRow(**(known | {"created_index": 7} | changes))])  # type: ignore[arg-type]
