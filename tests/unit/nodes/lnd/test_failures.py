"""The cause table: detail first, then the wire code; open enums."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.causes import Cause
from lnflow.nodes.lnd.events import FORWARD, RECEIVE, SEND, DecodeCounts, read_link_failure
from lnflow.nodes.lnd.failures import (
    UNKNOWN_NAME,
    FailureDetail,
    WireFailure,
    classify,
    detail_number,
    wire_number,
)

OUT_SCID = 443103186190336
TABLE = [
    ("CHANNEL_DISABLED", "FORWARDS_DISABLED", Cause.FORWARDS_DISABLED),
    ("TEMPORARY_CHANNEL_FAILURE", "CIRCULAR_ROUTE", Cause.CIRCULAR_ROUTE),
    ("UNKNOWN_NEXT_PEER", "NO_DETAIL", Cause.UNKNOWN_NEXT_PEER),
    ("UNKNOWN_NEXT_PEER", "LINK_NOT_ELIGIBLE", Cause.LINK_NOT_ELIGIBLE),
    ("FEE_INSUFFICIENT", "NO_DETAIL", Cause.FEE_INSUFFICIENT),
    ("AMOUNT_BELOW_MINIMUM", "NO_DETAIL", Cause.AMOUNT_BELOW_MINIMUM),
    ("TEMPORARY_CHANNEL_FAILURE", "HTLC_EXCEEDS_MAX", Cause.HTLC_EXCEEDS_MAX),
    ("EXPIRY_TOO_SOON", "NO_DETAIL", Cause.EXPIRY_TOO_SOON),
    ("EXPIRY_TOO_FAR", "NO_DETAIL", Cause.EXPIRY_TOO_FAR),
    ("TEMPORARY_CHANNEL_FAILURE", "INSUFFICIENT_BALANCE", Cause.INSUFFICIENT_BALANCE),
    ("INCORRECT_CLTV_EXPIRY", "NO_DETAIL", Cause.INCORRECT_CLTV_EXPIRY),
    ("TEMPORARY_CHANNEL_FAILURE", "NO_DETAIL", Cause.NO_DETAIL),
    ("TEMPORARY_CHANNEL_FAILURE", "HTLC_ADD_FAILED", Cause.HTLC_ADD_FAILED),
    ("TEMPORARY_CHANNEL_FAILURE", "INCOMPLETE_FORWARD", Cause.INCOMPLETE_FORWARD),
    # LND could not load its channel_update and put another wire code in its place: the detail survives
    ("TEMPORARY_NODE_FAILURE", "INSUFFICIENT_BALANCE", Cause.INSUFFICIENT_BALANCE),
    ("TEMPORARY_NODE_FAILURE", "HTLC_EXCEEDS_MAX", Cause.HTLC_EXCEEDS_MAX),
    ("TEMPORARY_NODE_FAILURE", "HTLC_ADD_FAILED", Cause.HTLC_ADD_FAILED),
    ("TEMPORARY_NODE_FAILURE", "NO_DETAIL", Cause.NO_DETAIL),
    ("INVALID_ONION_PAYLOAD", "NO_DETAIL", Cause.INVALID_ONION),
    ("INVALID_ONION_BLINDING", "NO_DETAIL", Cause.INVALID_ONION),
    ("TEMPORARY_CHANNEL_FAILURE", "ONION_DECODE", Cause.INVALID_ONION),
]


@pytest.mark.parametrize(("wire", "detail", "cause"), TABLE)
def test_each_row_of_the_table(wire: str, detail: str, cause: Cause) -> None:
    numbers = WireFailure[wire], FailureDetail[detail]
    assert classify(*numbers, OUT_SCID, 1) is cause


def test_an_outgoing_side_that_is_wholly_zero_means_that_the_onion_was_not_read() -> None:
    wire = WireFailure.TEMPORARY_CHANNEL_FAILURE
    assert classify(wire, FailureDetail.NO_DETAIL, out_scid=0, amount_out_msat=0) is Cause.INVALID_ONION


def test_a_next_hop_named_by_its_node_id_has_an_amount_but_no_channel() -> None:
    wire = WireFailure.UNKNOWN_NEXT_PEER
    assert classify(wire, FailureDetail.NO_DETAIL, out_scid=0, amount_out_msat=5) is Cause.UNKNOWN_NEXT_PEER


def test_numbers_of_a_later_lnd_are_kept_and_counted() -> None:
    counts = DecodeCounts()
    refused = read_link_failure(counts, FORWARD, 1, 2, 3, OUT_SCID, 15, 99, 1_100, 1_000)
    assert refused is not None
    assert (refused.cause, refused.wire_code, refused.detail) == (Cause.UNRECOGNISED, 15, 99)
    assert counts.unrecognised == 1


def test_a_full_channel_is_a_refused_forward_though_lnd_before_0_21_2_calls_it_a_receive() -> None:
    counts = DecodeCounts()
    detail = FailureDetail.HTLC_ADD_FAILED
    refused = read_link_failure(counts, RECEIVE, 1, 0, 3, 0, 15, detail, 0, 0)
    assert refused is not None
    assert (refused.cause, refused.amount_in_msat, refused.amount_out_msat) == (Cause.HTLC_ADD_FAILED, None, None)
    assert counts == DecodeCounts()


@pytest.mark.parametrize(("event_type", "counted"), [(SEND, (1, 0, 0)), (RECEIVE, (0, 1, 0)), (0, (0, 0, 1))])
def test_what_is_not_a_forward_is_counted_by_kind(event_type: int, counted: tuple[int, int, int]) -> None:
    counts = DecodeCounts()
    unknown_invoice = int(FailureDetail.UNKNOWN_INVOICE)
    assert read_link_failure(counts, event_type, 1, 2, 3, 0, 1, unknown_invoice, 5, 0) is None
    assert (counts.own_sends, counts.own_receives, counts.unrecognised) == counted


@given(wire=st.integers(0, 2**31), detail=st.integers(0, 2**31), scid=st.integers(0, 2**64 - 1), out=st.integers(0))
def test_no_number_whatever_raises(wire: int, detail: int, scid: int, out: int) -> None:
    assert classify(wire, detail, out_scid=scid, amount_out_msat=out) in Cause


def test_enum_values_come_as_numbers_digits_or_names() -> None:
    assert wire_number("FEE_INSUFFICIENT") == wire_number("12") == wire_number(12) == 12
    assert detail_number("HTLC_ADD_FAILED") == detail_number("8") == detail_number(8) == 8
    assert detail_number("OF_A_LATER_LND") == UNKNOWN_NAME
