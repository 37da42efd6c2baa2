"""CSV exports: Ride The Lightning's for both kinds of node, and tables whose columns can be told."""

from __future__ import annotations

import pytest
from tests.unit.ingest_files.reading_back import read_bytes

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.htlc import Attempt, Forward
from lnflow.ingest.files.recognise import FileKind

# As RTL's downloadFile writes them: a byte order mark, the JSON's own names, nothing quoted, CRLF.
RTL_LND = (
    "\ufefftimestamp,chan_id_in,chan_id_out,amt_in,amt_out,fee,fee_msat,amt_in_msat,amt_out_msat,timestamp_ns,"
    "peer_alias_in,peer_alias_out,incoming_htlc_id,outgoing_htlc_id,alias_in,alias_out\r\n"
    "1795256337,443103186059264,443103186190336,1295,1294,1,1017,1295794,1294777,1795256337437392010,"
    ",,0,7,A,D\r\n"
    "1795256338,443103186059264,17592186044416000004,53803,53781,22,22012,53803054,53781042,1795256337719468906,"
    "Bob, Alice & Co.,,1,8,Bob, Alice & Co.,E\r\n"
)
RTL_CLN = (
    "\ufeffcreated_index,in_channel,in_htlc_id,in_msat,status,received_time,failcode,failreason,out_channel,"
    "in_channel_alias,out_channel_alias\r\n"
    "12,453x1x0,11,26410858,local_failed,1795261103.3841236,4103,WIRE_TEMPORARY_CHANNEL_FAILURE,453x3x0,A,D\r\n"
    "13,453x1x0,12,26410858,local_failed,1795261104.5,49157,WIRE_INVALID_ONION_KEY,,A, D. and sons,\r\n"
)


def test_ride_the_lightning_with_lnd() -> None:
    result = read_bytes(RTL_LND.encode())
    assert result.kind is FileKind.CSV_FORWARDS
    assert result.reasons == []
    assert result.items == [
        Forward(443103186059264, 443103186190336, 1795256337437392010, 1295794, 1294777, 0, 7),
        # The comma in the name shifts the ids behind it: they are not believed.
        Forward(443103186059264, 17592186044416000004, 1795256337719468906, 53803054, 53781042, None, None),
    ]
    assert result.positions == [2, 3]


def test_ride_the_lightning_with_core_lightning() -> None:
    result = read_bytes(RTL_CLN.encode())
    assert result.kind is FileKind.CSV_CLN_FORWARDS
    assert result.reasons == []
    [liquidity, onion] = result.items
    assert isinstance(liquidity, Attempt)
    assert isinstance(onion, Attempt)
    assert (liquidity.outcome, liquidity.cause) == (Outcome.REFUSED, Cause.UNATTRIBUTED)
    assert liquidity.arrived_ns == 1795261103384123600
    assert (onion.out_scid, onion.cause) == (0, Cause.INVALID_ONION)


def test_an_old_export_without_msat_keeps_the_exact_fee() -> None:
    data = b"timestamp,chan_id_in,chan_id_out,amt_in,amt_out,fee,fee_msat\n1600000000,1,2,1295,1294,1,1017\n"
    [forward] = read_bytes(data).items
    assert isinstance(forward, Forward)
    assert forward.amount_in_msat - forward.amount_out_msat == 1017
    assert forward.amount_out_msat == 1_294_000
    assert (forward.at_ns, forward.whole_seconds, forward.in_htlc_id) == (1_600_000_000 * 10**9, True, None)


@pytest.mark.parametrize(
    "table",
    [
        "Date;Incoming Channel;Outgoing Channel;Amount In;Amount Out\n2020-09-13T12:26:40Z;1x2x3;4x5x6;7.001;6\n",
        "in_chan\tout_chan\ttime\tamount_out_msat\tfee_msat\n1x2x3\t4x5x6\t1600000000\t6000\t1001\n",
        'Time,"Chan In",Chan Out,In msat,Fee (msat)\n1600000000000,1x2x3,"4x5x6",7001msat,1001\n',
        'at_ns,in_scid,out_scid,in_msat,out_msat,comment\n1600000000000000000,1:2:3,4:5:6,7001,6000,"a, b"\n',
        "time,in_scid,out_scid,in_sat,fee_sat\n1600000000.000,1x2x3,4x5x6,7.001,1.001\n",
    ],
)
def test_other_tables_by_their_headers(table: str) -> None:
    result = read_bytes(table.encode())
    assert result.reasons == []
    [forward] = result.items
    assert isinstance(forward, Forward)
    assert (forward.in_scid, forward.out_scid) == (1 << 40 | 2 << 16 | 3, 4 << 40 | 5 << 16 | 6)
    assert forward.at_ns == 1_600_000_000 * 10**9
    assert (forward.amount_in_msat, forward.amount_out_msat) == (7_001, 6_000)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,2,3,4,3", "not a time"),
        ("1,2,3,4", "two of amount"),
        ("1,2,3,4,5,6,7", "more cells"),
        ("1,2z,3,4,3", "short channel id"),
        ("1,2,3,-4,3", "not an amount"),
        ("1,2,3,4.5,3", "not an amount"),
        ("1,2,3," + "9" * 30 + ",3", "not an amount"),
        ("9" * 30 + ",2,3,4,3", "not a time"),
        ("1,2," + "9" * 60 + ",4,3", "short channel id"),
        ('1,2,3,4,"3', ""),
        ("1,2,3,\xff,3", "UTF-8"),
        ("\0,2,3,4,5", "not a time"),
    ],
)
def test_a_bad_row_costs_only_itself(row: str, reason: str) -> None:
    header, good = "timestamp,chan_id_in,chan_id_out,amt_in_msat,amt_out_msat", "1600000000,2,3,4,3"
    result = read_bytes("\n".join([header, good, row, good]).encode("latin-1"))
    if row.endswith('"3'):
        assert len(result.items) == 3  # a stray quote ends with its line
        return
    assert result.positions == [2, 4]
    [rejected] = result.rejected
    assert rejected.line == 3
    assert reason in rejected.reason


@pytest.mark.parametrize("text", ["a,b,c\n1,2,3\n", "timestamp,chan_id_in,chan_id_out\n1,2,3\n", "x" * 3000, ",,,,\n"])
def test_other_tables_are_not_recognised(text: str) -> None:
    assert read_bytes(text.encode()).kind is FileKind.UNKNOWN


def test_a_header_alone_is_an_empty_table() -> None:
    result = read_bytes(RTL_LND.split("\r\n")[0].encode())
    assert (result.kind, result.items, result.reasons) == (FileKind.CSV_FORWARDS, [], [])


def test_a_row_of_core_lightning_that_we_do_not_know_costs_only_itself() -> None:
    lines = RTL_CLN.split("\r\n")
    result = read_bytes("\r\n".join([lines[0], lines[1].replace("local_failed", "reversed"), *lines[1:]]).encode())
    assert (result.kind, result.positions) == (FileKind.CSV_CLN_FORWARDS, [3, 4])
    [rejected] = result.rejected
    assert rejected.line == 2
    assert "'reversed'" in rejected.reason
