"""Bad input of every sort becomes a rejected line with its reason; what is good around it is kept."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import random
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ingest_files.event_files import COMPRESSIONS, DOCUMENTS, EVENTS, LAYOUTS, as_lines
from tests.unit.ingest_files.reading_back import read_bytes, read_source

from lnflow.ingest.files.items import ChannelSnapshot
from lnflow.ingest.files.recognise import FileKind
from lnflow.ingest.files.source import Source

LINES = as_lines(DOCUMENTS).splitlines()
ROW = {"chan_id_in": "1", "chan_id_out": "2", "amt_in_msat": "3000", "amt_out_msat": "2000"}


@pytest.mark.parametrize("data", [b"", b"\n \r\n", b"\xef\xbb\xbf", gzip.compress(b""), lzma.compress(b"")])
def test_an_empty_file_is_said_to_be_empty(data: bytes) -> None:
    result = read_bytes(data)
    assert (result.kind, result.reasons) == (FileKind.EMPTY, ["line 1: the file is empty"])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"incoming_channel_id": ', "truncated"),
        (b"what a node's log says", "malformed"),
        (b'{"incoming_channel_id": "no number", "forward_event": {}}', "incoming_channel_id"),
        (b'{"incoming_htlc_id": -1, "forward_event": {}}', "incoming_htlc_id"),
        (b'{"incoming_channel_id": 18446744073709551616, "forward_event": {}}', ""),
        (b'{"timestamp_ns": "9223372036854775808", "settle_event": {}}', "timestamp_ns"),
        (b'{"failure_string": "\xff\xfe", "forward_fail_event": {}}', "UTF-8"),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", ""),
        (b'{"x": "' + b"x" * (2 << 20) + b'"}', "KiB"),
        (b"[]", ""),
        (b"null", ""),
        (b"{}", "none of the event fields"),
    ],
)
@pytest.mark.parametrize("place", [1, 2])
def test_a_bad_line_costs_only_itself(bad: bytes, reason: str, place: int) -> None:
    data = b"\n".join([*LINES[:place], bad, *LINES[place:]]) + b"\n"
    result = read_bytes(data)
    assert result.items == EVENTS
    [rejected] = result.rejected
    assert rejected.line == place + 1
    assert reason in rejected.reason
    assert result.rows == len(EVENTS) + 1


def test_a_file_that_begins_inside_a_line_is_known_by_the_next() -> None:
    result = read_bytes(b'el_id": "443", "settle_event": {}}\n' + as_lines(DOCUMENTS))
    assert result.items == EVENTS
    assert [rejected.line for rejected in result.rejected] == [1]


def test_a_cut_last_line_is_rejected() -> None:
    result = read_bytes(as_lines(DOCUMENTS)[:-20])
    assert result.items == EVENTS[:-1]
    assert "line 5: not an HTLC event of LND: Input data was truncated" in result.reasons


@pytest.mark.parametrize("layout", sorted(LAYOUTS.keys() - {"lines", "lines of REST", "camel case of grpcurl"}))
def test_a_file_cut_anywhere_keeps_what_came_before(layout: str) -> None:
    data = LAYOUTS[layout](DOCUMENTS)
    for end in range(len(data) // 2, len(data) - 3, 7):
        result = read_bytes(data[:end])
        if layout == "array on one line" and result.kind is FileKind.UNKNOWN:
            continue
        assert result.items == EVENTS[: len(result.items)]
        assert result.items
        between_values = data[:end].rstrip().endswith(b"}") and not layout.startswith("array")
        assert result.rejected or between_values


@pytest.mark.parametrize("indent", [None, 2])
def test_a_bad_element_of_an_array_costs_only_itself(indent: int | None) -> None:
    good = [json.dumps(document, indent=indent) for document in DOCUMENTS]
    for bad in (
        '{"a": nothing}',
        '{"a": [1, 2}, {"b": 3]}',
        '{"timestamp_ns": "x"}',
        "7",
        '"text"',
        '{"a": NaN}',
        '{"a": 1e99999999999999999999}',
        "{a}",
    ):
        data = "[" + ",\n".join([*good[:2], bad, *good[2:]]) + "]"
        result = read_bytes(data.encode())
        assert result.items == EVENTS, bad
        assert result.rejected, bad
        assert result.rejected[0].element == 3


def test_an_element_without_its_end_does_not_swallow_the_rest() -> None:
    """The next line begins an object no deeper than the broken one began."""
    good = [json.dumps(document, indent=2) for document in DOCUMENTS]
    broken = good[2][: good[2].index("outgoing")]
    result = read_bytes("\n".join([*good[:2], broken, *good[2:]]).encode())
    assert result.items == EVENTS
    assert len(result.rejected) == 1


def test_a_string_without_its_end_does_not_swallow_the_rest() -> None:
    good = [json.dumps(document) for document in DOCUMENTS]
    result = read_bytes(("[\n" + ",\n".join([*good[:2], '{"a": "b}', *good[2:]]) + "\n]").encode())
    assert result.items == EVENTS
    assert len(result.rejected) == 1


def test_deep_nesting_in_an_array_is_rejected() -> None:
    data = b"[" + LINES[0] + b", " + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"," + LINES[1] + b"]"
    result = read_bytes(data)
    assert result.items == EVENTS[:2]
    assert "nested too deeply" in result.reasons[0]


def test_an_element_longer_than_any_is_rejected_without_being_held() -> None:
    huge = b'{"a": "' + b"x" * (3 << 20) + b'"}'
    result = read_bytes(b"[" + LINES[0] + b", " + huge + b"," + LINES[1] + b"]")
    assert result.items == EVENTS[:2]
    assert result.reasons == ["line 1, element 2: longer than 1,024 KiB: nothing that a node prints is"]


def test_invalid_utf8_inside_an_array_is_rejected() -> None:
    bad = LINES[3].replace(b"brackets", b"br\xffckets")
    result = read_bytes(b"[" + LINES[0] + b",\n" + bad + b",\n" + LINES[1] + b"]")
    assert result.items == EVENTS[:2]
    assert result.reasons == ["line 2, element 2: not valid UTF-8"]


def test_utf16_is_named() -> None:
    result = read_bytes(as_lines(DOCUMENTS).decode().encode("utf-16"))
    assert "UTF-16" in result.reasons[0]


@pytest.mark.parametrize("compression", ["gzip", "xz", "gzip of two members"])
def test_a_truncated_archive_keeps_what_was_good(compression: str) -> None:
    documents = [{**DOCUMENTS[0], "incoming_htlc_id": str(random.Random(n).getrandbits(60))} for n in range(3_000)]
    packed = COMPRESSIONS[compression](as_lines(documents))
    result = read_bytes(packed[: len(packed) * 3 // 4])
    whole = read_bytes(packed)
    assert 1_000 < len(result.items) < len(whole.items) == 3_000
    assert result.items == whole.items[: len(result.items)]
    assert any("archive is truncated" in reason for reason in result.reasons)


@pytest.mark.parametrize("compression", ["gzip", "xz"])
def test_a_damaged_archive_says_so(compression: str) -> None:
    packed = bytearray(COMPRESSIONS[compression](as_lines(DOCUMENTS * 100)))
    packed[len(packed) // 2 :] = bytes(len(packed) - len(packed) // 2)
    assert any("archive is" in reason for reason in read_bytes(bytes(packed)).reasons)


def test_a_decompression_bomb_is_stopped() -> None:
    packed = gzip.compress(LINES[0] + b"\n" + bytes(100 << 20))
    source = Source("bomb", io.BytesIO(packed), len(packed))
    result = read_source(source)
    assert source.failure is not None
    assert "times its size" in source.failure
    assert any("times its size" in reason for reason in result.reasons)


def test_an_xz_file_that_asks_for_too_much_memory_is_refused() -> None:
    packed = bytearray(lzma.compress(as_lines(DOCUMENTS), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]))
    header = packed.index(b"\x21\x01")  # LZMA2's filter id and the size of its properties
    packed[header + 2] = 36  # 1 GiB
    start, size = 12, (packed[12] + 1) * 4
    packed[start + size - 4 : start + size] = zlib.crc32(packed[start : start + size - 4]).to_bytes(4, "little")
    assert "archive is damaged: Memory usage limit" in read_bytes(bytes(packed)).reasons[0]


def test_an_error_of_the_disk_ends_the_reading_with_its_reason() -> None:
    class Failing(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= 65_536:
                raise OSError(5, "Input/output error")
            return super().read1(65_536)

    data = as_lines(DOCUMENTS * 200)
    result = read_source(Source("test", Failing(data), len(data)))
    assert len(result.items) > 100
    assert "Input/output error" in result.reasons[-1]


def test_a_listing_cut_in_the_middle_is_a_snapshot_that_is_not_complete() -> None:
    channel = {"remote_pubkey": "02" * 33, "channel_point": "ab:0", "chan_id": "5"}
    text = json.dumps({"timestamp": 7, "channels": [channel, channel]})
    for layout in (text[:-30], text[:-30] + "\n" + text + "\n", text + "\n" + text[:-30] + "\n" + text + "\n"):
        result = read_bytes(layout.encode())
        snapshots = [item for item in result.items if isinstance(item, ChannelSnapshot)]
        assert [len(snapshot.channels) for snapshot in snapshots if not snapshot.complete] == [1], layout
        assert all(len(snapshot.channels) == 2 for snapshot in snapshots if snapshot.complete)
        assert len(snapshots) == layout.count("timestamp")
        assert result.rejected


def test_a_bad_channel_makes_its_snapshot_incomplete() -> None:
    channel = {"remote_pubkey": "02" * 33, "channel_point": "ab:0", "chan_id": "5"}
    data = json.dumps({"timestamp": 7, "channels": [channel, {"remote_pubkey": 5}, channel]})
    [snapshot] = read_bytes(data.encode()).items
    assert isinstance(snapshot, ChannelSnapshot)
    assert (len(snapshot.channels), snapshot.complete) == (2, False)


@pytest.mark.parametrize(
    "value", ["1e400", "9223372036854775808", "-1", "1" * 5000, '"\\ud800"', "1.5", "true", "[]", '"0x10"']
)
def test_numbers_that_no_node_has_are_rejected(value: str) -> None:
    good = json.dumps({**ROW, "timestamp_ns": "1"})
    for field in ("timestamp_ns", "incoming_htlc_id", "amt_in_msat"):
        bad = json.dumps({**ROW, "timestamp_ns": "1", field: "@"}).replace('"@"', value)
        result = read_bytes(f'{{"forwarding_events": [{good}, {bad}, {good}]}}'.encode())
        if value != "true":
            assert len(result.items) == 2, (field, result.items)
            assert len(result.rejected) == 1


def test_half_a_surrogate_pair_in_a_name_is_rejected() -> None:
    data = b'{"nodes": [{"pub_key": "02", "alias": "\\ud800"}, {"pub_key": "03", "alias": "b"}], "edges": []}'
    result = read_bytes(data)
    assert len(result.items) == len(result.rejected) == 1


def test_members_beside_a_list_are_passed_over() -> None:
    members = ",".join(f'"x{n}": 0' for n in range(20_000))
    result = read_bytes(f'{{"timestamp": 5, "channels": [], {members}}}'.encode())
    assert len(result.items) == 1


ANY_BYTES = st.binary(max_size=300)
PIECES = st.sampled_from(
    [
        *LINES,
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"\n",
        b'"',
        b"\\",
        b":",
        b"\xff",
        b"\xef\xbb\xbf",
        b'{"channels": [',
        b'{"forwarding_events": [',
        json.dumps(ROW).encode(),
        b'{"forwards": [{"in_channel": "1x2x3", "status": "settled"}',
        b'"timestamp": 1e5',
        b'{"node": {"pub_key": 5}, "channels": [{}',
        b'{"edges": [{"node1_pub": 1}], "nodes": [{"pub_key": []}',
        b"chan_id_in,chan_id_out,timestamp,amt_in_msat,amt_out_msat\n",
        b"1,2,3,4,5\n",
        b'",,,,\n',
        b'{"subscribed_ns": 1, "ended_ns": {}}',
        b'{"result": {"result": {}}}',
        b'{"error": {"message": 5}}',
        b'{"timestamp_ns": 1, "edge": 5}',
        b'{"id": 1, "alias": 2, "blockheight": 3}',
        b'{"identity_pubkey": "02", "chains": ["bitcoin"]}',
    ]
)


@given(data=ANY_BYTES)
@settings(max_examples=300, deadline=None)
def test_random_bytes_never_raise(data: bytes) -> None:
    result = read_bytes(data)
    assert result.rejected or result.items or result.kind is FileKind.NO_CHANNELS


@given(pieces=st.lists(PIECES, max_size=12))
@settings(max_examples=600, deadline=None)
def test_torn_pieces_of_json_never_raise(pieces: list[bytes]) -> None:
    read_bytes(b"".join(pieces))


@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=4),
)
@settings(max_examples=400, deadline=None)
def test_mutated_files_never_raise(layout: str, changes: list[tuple[int, bytes, int]]) -> None:
    data = bytearray(LAYOUTS[layout](DOCUMENTS))
    for place, new, removed in changes:
        data[place % len(data) : place % len(data) + removed] = new
    result = read_bytes(bytes(data))
    assert len(result.items) <= len(EVENTS) + 2


@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from([*ROW, "timestamp_ns", "timestamp", "incoming_htlc_id"]),
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(),
                st.floats(),
                st.text(max_size=5),
                st.integers().map(str),
                st.lists(st.integers(), max_size=2),
            ),
        ),
        max_size=4,
    )
)
@settings(max_examples=300, deadline=None)
def test_rows_of_any_content_never_raise(rows: list[dict[str, Any]]) -> None:
    result = read_bytes(json.dumps({"forwarding_events": rows}).encode())
    assert len(result.items) + len(result.rejected) == len(rows)


@given(data=st.binary(max_size=200), xz=st.booleans())
@settings(max_examples=200, deadline=None)
def test_archives_of_any_content_never_raise(data: bytes, xz: bool) -> None:
    read_bytes((b"\xfd7zXZ\x00" if xz else b"\x1f\x8b\x08") + data)
