"""The same events come out of every outer form, packed or not."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from tests.unit.ingest_files.event_files import COMPRESSIONS, DOCUMENTS, EVENTS, LAYOUTS, as_lines
from tests.unit.ingest_files.reading_back import read_bytes, read_source

from lnflow.domain.errors import InputError
from lnflow.domain.htlc import StreamEnded, Subscribed
from lnflow.ingest.files.items import ChannelSnapshot, Coverage, PolicyRecord
from lnflow.ingest.files.recognise import FileKind
from lnflow.ingest.files.source import Source, files_below, open_source


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_layout_gives_the_same_events(layout: str, compression: str) -> None:
    result = read_bytes(COMPRESSIONS[compression](LAYOUTS[layout](DOCUMENTS)))
    assert result.kind is FileKind.HTLC_EVENTS
    assert result.reasons == []
    assert result.items == EVENTS


@pytest.mark.parametrize("layout", LAYOUTS)
def test_positions_are_those_of_the_file(layout: str) -> None:
    result = read_bytes(LAYOUTS[layout](DOCUMENTS))
    step = 2 if layout == "CRLF and blank lines" else 1
    assert result.positions == list(range(1, step * len(EVENTS) + 1, step))


def test_a_row_that_carries_nothing_keeps_the_positions_right() -> None:
    own_send = {**DOCUMENTS[0], "event_type": "SEND"}
    result = read_bytes(as_lines([DOCUMENTS[0], own_send, DOCUMENTS[1]]))
    assert (result.positions, result.rows) == ([1, 3], 3)
    assert result.reading.counts.own_sends == 1


def test_a_rest_error_line_ends_the_stream() -> None:
    line = b'{"error":{"code":2,"message":"htlc event subscription terminated","details":[]}}\n'
    result = read_bytes(line + as_lines(DOCUMENTS[:1]))
    assert result.items == [StreamEnded("htlc event subscription terminated"), EVENTS[0]]


@pytest.mark.parametrize(
    "document",
    [
        {"jsonrpc": "2.0", "id": 1, "result": {"forwards": []}},
        {"forward_event": {"in_channel": "1x2x3", "status": "offered"}},
        {"error": "permission denied", "code": 7},
        {"uris": [], "chains": [{"chain": "bitcoin"}]},
    ],
)
def test_what_only_resembles_events_is_not_taken_for_them(document: dict[str, object]) -> None:
    assert read_bytes(json.dumps(document).encode()).kind is FileKind.UNKNOWN


def test_a_subscription_has_the_time_of_the_recording() -> None:
    line = b'{"subscribed_event": {}, "timestamp_ns": "0", "_received_at_ns": "1795256336985741141"}\n'
    for data in (line, b"[" + line + b"]"):
        assert read_bytes(data).items == [Subscribed(1795256336985741141)]


def test_many_chunks_lose_nothing() -> None:
    documents = [{**DOCUMENTS[0], "incoming_htlc_id": str(n), "timestamp_ns": str(10**18 + n)} for n in range(5_000)]
    for data in (as_lines(documents), json.dumps(documents).encode()):
        result = read_bytes(data)
        assert [item.in_htlc_id for item in result.items] == list(range(5_000))  # type: ignore[union-attr]
        assert result.positions == list(range(1, 5_001))


@pytest.mark.parametrize("form", ["plain", "array", "lines"])
def test_history_pages_may_follow_each_other(form: str) -> None:
    row = {"chan_id_in": "1", "chan_id_out": "2", "amt_in_msat": "3000", "amt_out_msat": "2000"}
    pages = [
        {"forwarding_events": [{**row, "timestamp_ns": str(n)} for n in numbers], "last_offset_index": numbers[-1]}
        for numbers in ([1, 2, 3], [4, 5])
    ]
    data = {
        "plain": "".join(json.dumps(page, indent=1) for page in pages),
        "array": json.dumps(pages),
        "lines": "\n".join(map(json.dumps, pages)),
    }[form]
    result = read_bytes(data.encode())
    assert result.kind is FileKind.FORWARDS
    assert [item.at_ns for item in result.items] == [1, 2, 3, 4, 5]  # type: ignore[union-attr]
    assert result.reasons == []


def test_rows_of_a_history_may_stand_alone() -> None:
    row = b'{"chan_id_in":"1","chan_id_out":"2","amt_in_msat":"3000","amt_out_msat":"2000","timestamp":"7"}\n'
    [forward] = read_bytes(row).items
    assert (forward.at_ns, forward.whole_seconds) == (7 * 10**9, True)  # type: ignore[union-attr]


def test_both_meanings_of_chan_id_are_understood() -> None:
    common = {"remote_pubkey": "02" * 33, "channel_point": "ab:0", "capacity": "5"}
    rest = {"channels": [{**common, "chan_id": "443103186124800"}]}
    lncli = {"channels": [{**common, "chan_id": "5a" * 32, "scid": "443103186124800"}]}
    for document in (rest, lncli):
        [snapshot] = read_bytes(json.dumps(document).encode()).items
        assert isinstance(snapshot, ChannelSnapshot)
        assert snapshot.channels[0].scid == 443103186124800


@pytest.mark.parametrize(
    ("seconds", "at_ns"),
    [
        ("1795256337", 1795256337 * 10**9),
        ("1795256337.123456789", 1795256337123456789),
        ('"1795256337"', 1795256337 * 10**9),
    ],
)
def test_exchange_snapshots_are_dated_in_seconds(seconds: str, at_ns: int) -> None:
    line = f'{{"timestamp": {seconds}, "channels": []}}\n'
    assert read_bytes(line.encode() * 2).items == [ChannelSnapshot(at_ns, ())] * 2


def test_an_undated_empty_listing_says_nothing() -> None:
    """It may be the answer of listchannels or of closedchannels."""
    result = read_bytes(b'{"channels": []}')
    assert (result.kind, result.items, result.reasons) == (FileKind.NO_CHANNELS, [], [])


@pytest.mark.parametrize("form", [b"[%s]", b"%s\n"])
def test_dated_policies(form: bytes) -> None:
    edge = {"channel_id": "9", "node1_pub": "02aa", "node2_pub": "03bb", "node1_policy": {"fee_rate_milli_msat": "7"}}
    result = read_bytes(form % json.dumps({"timestamp_ns": "12", "edge": edge}).encode())
    [record] = result.items
    assert isinstance(record, PolicyRecord)
    assert record.at_ns == 12
    assert not isinstance(record.policies, type(None))


def test_covered_intervals() -> None:
    data = b'[{"subscribed_ns": 5, "ended_ns": "9", "reason": "EOF"}, {"subscribed_ns": "11", "ended_ns": null}]'
    result = read_bytes(data)
    assert result.kind is FileKind.COVERAGE
    assert result.items == [Coverage(5, 9, "EOF"), Coverage(11, None, "")]
    assert "before" in read_bytes(b'[{"subscribed_ns": 5, "ended_ns": 4, "reason": ""}]').reasons[0]


def test_standard_input_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(as_lines(DOCUMENTS))))
    with open_source("-") as source:
        assert read_source(source).items == EVENTS
        assert source.bytes_total is None
    assert not sys.stdin.buffer.closed


def test_a_directory_is_walked_in_order(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", ".hidden", ".git/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files_below(tmp_path) == [tmp_path / "a", tmp_path / "b/1", tmp_path / "b/2"]
    assert files_below(tmp_path / "a") == [tmp_path / "a"]
    assert files_below("-") == ["-"]


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        open_source(tmp_path / "missing")
    with pytest.raises(InputError, match="is not a file"):
        open_source(tmp_path)


def test_progress_counts_packed_bytes(tmp_path: Path) -> None:
    path = tmp_path / "events.gz"
    path.write_bytes(COMPRESSIONS["gzip"](as_lines(DOCUMENTS * 10_000)))
    with open_source(path) as source:
        assert source.bytes_total == path.stat().st_size
        read_source(source)
        assert source.bytes_read == source.bytes_total


def test_peek_leaves_everything_to_be_read() -> None:
    data = bytes(range(256)) * 1_000
    source = Source("test", io.BytesIO(data), len(data))
    assert source.peek(100_000) == data[:100_000]
    assert source.peek(10) == data[:10]
    assert b"".join(iter(source.read, b"")) == data
