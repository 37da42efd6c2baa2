"""Core Lightning's rows mean what the reference says, to the nanosecond."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ingest_files.reading_back import cln_recording, read_bytes

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.errors import InputError
from lnflow.ingest.files.cln_rows import attempt_of_row, channel_of_row, node_of_getinfo, time_ns
from lnflow.ingest.files.conversions import check_storable
from lnflow.ingest.files.items import ChannelSnapshot, ClnForward

ROW: dict[str, Any] = {"in_channel": "1x2x3", "in_htlc_id": 0, "in_msat": 7001, "status": "settled"}


@pytest.mark.parametrize(
    ("fields", "outcome", "cause", "out_used"),
    [
        ({"status": "settled", "out_channel": "1x2x4"}, Outcome.SETTLED, Cause.NONE, True),
        ({"status": "offered", "out_channel": "1x2x4"}, Outcome.PENDING, Cause.NONE, True),
        ({"status": "failed", "out_channel": "1x2x4", "failcode": 49157}, Outcome.DOWNSTREAM, Cause.NONE, True),
        ({"status": "local_failed", "failcode": 4103}, Outcome.REFUSED, Cause.UNATTRIBUTED, False),
        ({"status": "local_failed", "failcode": 4109, "out_channel": "1x2x4"}, Outcome.REFUSED,
         Cause.INCORRECT_CLTV_EXPIRY, False),
        ({"status": "local_failed", "failcode": 4108}, Outcome.REFUSED, Cause.FEE_INSUFFICIENT, False),
        ({"status": "local_failed", "failcode": 4107}, Outcome.REFUSED, Cause.AMOUNT_BELOW_MINIMUM, False),
        ({"status": "local_failed", "failcode": 16394}, Outcome.REFUSED, Cause.UNKNOWN_NEXT_PEER, False),
        ({"status": "local_failed", "failcode": 21}, Outcome.REFUSED, Cause.EXPIRY_TOO_FAR, False),
        ({"status": "local_failed", "failcode": 9}, Outcome.REFUSED, Cause.UNRECOGNISED, False),
        ({"status": "local_failed"}, Outcome.REFUSED, Cause.UNATTRIBUTED, False),
        ({"status": "local_failed", "failcode": 16392}, Outcome.REFUSED, Cause.NO_DETAIL, False),
        (
            {"status": "local_failed", "failcode": 16392, "out_channel": "1x2x4", "out_msat": 5},
            Outcome.DOWNSTREAM,
            Cause.NONE,
            True,
        ),
    ],
)  # fmt: skip
def test_a_row_is_an_attempt(fields: dict[str, Any], outcome: Outcome, cause: Cause, out_used: bool) -> None:
    attempt = attempt_of_row(ROW | fields)
    assert (attempt.outcome, attempt.cause, attempt.out_used) == (outcome, cause, out_used)
    assert attempt.wire_code == fields.get("failcode", 0)


@pytest.mark.parametrize(("text", "amount"), [(5, 5), ("5msat", 5), ("5", 5)])
def test_old_and_new_amounts(text: object, amount: int) -> None:
    assert attempt_of_row({**ROW, "in_msat": text}).amount_in_msat == amount
    old = {name: value for name, value in ROW.items() if name not in ("in_msat", "in_htlc_id")}
    attempt = attempt_of_row({**old, "in_msatoshi": amount})
    assert (attempt.amount_in_msat, attempt.in_htlc_id) == (amount, None)


@given(seconds=st.integers(0, 10**10 - 1), places=st.integers(0, 9), rest=st.integers(0, 10**9 - 1))
def test_times_are_exact(seconds: int, places: int, rest: int) -> None:
    fraction = f"{rest:09}"[:places]
    text = f"{seconds}.{fraction}" if fraction else str(seconds)
    expected = seconds * 10**9 + int(fraction.ljust(9, "0"))
    assert time_ns(Decimal(text)) == time_ns(text) == expected


def test_a_float_of_json_keeps_its_digits() -> None:
    """1795261099.1508887 as a float is 1795261099.15088868…: read as text it ends in 700 ns."""
    for text in ("[%s]", "%s", '{"forwards": [%s]}'):
        row = json.dumps({**ROW, "received_time": 0, "resolved_time": 1795261099.1508887})
        [item] = read_bytes((text % row).encode()).items
        assert isinstance(item, ClnForward)
        attempt = item.attempt
        assert (attempt.arrived_ns, attempt.resolved_ns) == (None, 1795261099150888700)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "lost"}, "'lost'"),
        ({"in_channel": None}, "in_channel"),
        ({"in_channel": "1x2x3x4"}, "'1x2x3x4' is not a short channel id"),
        ({"in_msat": -1}, "amount_in_msat is negative"),
        ({"in_msat": True}, "in_msat"),
        ({"in_msat": "1 BTC"}, "'1 BTC'"),
        ({"received_time": Decimal("1e999999999")}, "received_time"),
        ({"resolved_time": Decimal("-1")}, "resolved_time"),
        ({"resolved_time": "NaN"}, "resolved_time"),
        ({"in_htlc_id": Decimal("1.5")}, "in_htlc_id"),
        ({"failcode": "4103", "status": "local_failed"}, "failcode"),
        ({"out_channel": "99999999x1x1"}, "99999999x1x1"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises((InputError, ValueError), match=reason):
        check_storable(attempt_of_row(ROW | fields))


def test_a_channel_with_htlcs_in_flight_adds_up() -> None:
    """What is ours, theirs and in flight is the capacity, in every recorded listing."""
    data = cln_recording("26.06.6", "listpeerchannels.jsonl").read_bytes()
    snapshots = [item for item in read_bytes(data).items if isinstance(item, ChannelSnapshot)]
    channels = [channel for snapshot in snapshots for channel in snapshot.channels]
    assert any(channel.pending for channel in channels)
    for channel in channels:
        assert channel.local_msat + channel.remote_msat + channel.unsettled_msat == channel.capacity_sat * 1000


@pytest.mark.parametrize(
    ("fields", "active"),
    [({}, True), ({"peer_connected": False}, False), ({"reestablished": False}, False),
     ({"state": "CHANNELD_AWAITING_SPLICE"}, True), ({"state": "ONCHAIN"}, False)],
)  # fmt: skip
def test_a_channel_is_active_if_it_could_forward(fields: dict[str, Any], active: bool) -> None:
    row = {"peer_id": "02" * 33, "channel_id": "ab" * 32, "to_us_msat": 5, "total_msat": "10msat",
           "state": "CHANNELD_NORMAL", "peer_connected": True, "short_channel_id": "1x2x3"}  # fmt: skip
    channel = channel_of_row(row | fields)
    assert channel is not None
    assert channel.active is active


def test_versions_are_read_leniently() -> None:
    row = {"id": "02" * 33, "alias": "x", "blockheight": 5, "network": "bitcoin"}
    versions = {
        "v26.06.6": (26, 6, 6),
        "v24.11-123-gabc-modded": (24, 11, 0),
        "basedon-v25.02.1": (25, 2, 1),
        "?": (0, 0, 0),
    }
    for version, numbers in versions.items():
        info = node_of_getinfo({**row, "version": version})
        assert (info.version_tuple, info.network) == (numbers, "mainnet")
