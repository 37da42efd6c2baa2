"""Saved files in, every table out: against what was provoked on a real network, as its README has it."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cli.conftest import Lnflow

FIXTURES = Path(os.environ.get("LNFLOW_FIXTURES", Path(__file__).parents[4] / "shared" / "fixtures"))
RECORDING = FIXTURES / "lnd_simnet_v0.21.2"
EVERYTHING = ("--all", "--json", "--min-failures=0", "--min-missed-sat=0")

pytestmark = pytest.mark.skipif(not RECORDING.exists(), reason=f"no recordings at {FIXTURES} (LNFLOW_FIXTURES)")


@pytest.fixture
async def imported(lnflow: Lnflow) -> Lnflow:
    result = await lnflow("import", "--json", str(RECORDING))
    assert result.code == 0, result.err
    assert result.document["totals"]["rejected"] == 0
    return lnflow


def expected() -> Any:
    return json.loads((RECORDING / "expected.json").read_bytes())["totals"]


async def test_a_second_import_finds_everything_known(imported: Lnflow) -> None:
    document = (await imported("import", "--json", str(RECORDING))).document
    assert document["totals"]["new"] == 0


async def test_analyze_has_the_totals_of_what_was_provoked(imported: Lnflow) -> None:
    document = (await imported("analyze", *EVERYTHING)).document
    settled = expected()["settled"]
    assert document["settled"] == {
        "forwards": settled["count"],
        "amount_out_msat": settled["out_msat"],
        "income_msat": settled["fee_msat"],
    }
    attempts = document["attempts"]
    assert (attempts["total"], attempts["settled"], attempts["pending"]) == (67, 32, 0)
    assert attempts["failed_downstream"] == expected()["downstream"]["count"]
    assert document["downstream"]["offered_fee_msat"] == expected()["downstream"]["fee_msat"]
    assert document["node"]["alias"] == "B"
    assert document["verdict"] is None


async def test_failures_by_cause_are_exactly_those_provoked(imported: Lnflow) -> None:
    rows = (await imported("failures", "--all", "--json")).document["rows"]
    found = {r["cause"]: (r["attempts"], r["attempted_msat"], r["offered_fee_msat"]) for r in rows}
    wanted = {
        # what could not be decoded has one name, whatever the code
        "invalid_onion" if cause == "INVALID_ONION_PAYLOAD" else cause.lower(): (
            total["count"],
            total["out_msat"],
            total["fee_msat"],
        )
        for cause, total in expected()["refused_by_cause"].items()
    }
    assert found == wanted


@pytest.mark.parametrize("by", ["peer", "channel", "in_peer", "pair", "hour"])
async def test_every_grouping_adds_up_to_the_same(imported: Lnflow, by: str) -> None:
    document = (await imported("failures", "--all", "--json", f"--by={by}")).document
    refused = expected()["refused_by_cause"]
    assert sum(r["attempts"] for r in document["rows"]) == sum(t["count"] for t in refused.values())
    assert sum(r["offered_fee_msat"] for r in document["rows"]) == sum(t["fee_msat"] for t in refused.values())


def refusal(htlc_id: int, at_s: int, amount_in_msat: int = 1_001_000) -> bytes:
    """An event as LND prints it: 1,000 sat that were refused for lack of balance."""
    event = {
        "incoming_channel_id": str(840_000 << 40),
        "outgoing_channel_id": str(840_001 << 40),
        "incoming_htlc_id": str(htlc_id),
        "timestamp_ns": str(at_s * 10**9),
        "event_type": "FORWARD",
        "link_fail_event": {
            "info": {"incoming_amt_msat": str(amount_in_msat), "outgoing_amt_msat": "1000000"},
            "wire_failure": "TEMPORARY_CHANNEL_FAILURE",
            "failure_detail": "INSUFFICIENT_BALANCE",
        },
    }
    return json.dumps(event).encode() + b"\n"


@pytest.mark.parametrize(("length_s", "inside"), [(1200, 2), (12_000, 20), (5_400, 9)])
async def test_an_hour_that_the_window_cuts_counts_what_lies_inside(
    lnflow: Lnflow, tmp_path: Path, length_s: int, inside: int
) -> None:
    log, hour_s = tmp_path / "events.jsonl", 1_790_000_000 // 3600 * 3600
    log.write_bytes(b"".join(refusal(n, hour_s + 600 * n) for n in range(40)))
    await lnflow("import", str(log))
    since_s = hour_s + 1000
    rows = (
        await lnflow("failures", f"--since={since_s}", f"--until={since_s + length_s}", "--by=hour", "--json")
    ).document["rows"]
    assert sum(r["attempts"] for r in rows) == inside
    assert [r["failure_rate"] for r in rows] == [1.0] * len(rows)
    assert len({r["hour"] for r in rows}) == len(rows)


@pytest.mark.parametrize("wrong_s", [0, 1_790_000, 4_200_000_000])
async def test_a_time_that_cannot_be_is_rejected_and_covers_nothing(
    lnflow: Lnflow, tmp_path: Path, wrong_s: int
) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"".join(refusal(n, 1_790_000_000 + 600 * n) for n in range(7)) + refusal(7, wrong_s))
    result = await lnflow("import", "--json", str(log))
    assert result.code == 1
    [file] = result.document["files"]
    assert (file["new"], file["rejected"]) == (7, 1)
    assert file["rejections"][0]["line"] == 8
    assert "its time is" in file["rejections"][0]["reason"]
    document = (await lnflow("analyze", *EVERYTHING)).document
    assert document["attempts"]["total"] == 7
    assert document["covered_s"] == pytest.approx(3600, abs=1)


async def test_a_log_of_one_event_covers_nothing_and_is_analysed_all_the_same(lnflow: Lnflow, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(refusal(1, 1_790_000_000))
    assert (await lnflow("import", str(log))).code == 0
    for command in ("analyze", "report"):
        result = await lnflow(command, *EVERYTHING)
        assert result.code == 0, result.err
        [found] = result.document["opportunities"]
        assert (found["recommendation"]["type"], found["per_month_msat"]) == ("investigate", None)


async def test_an_element_of_one_long_line_is_told_by_its_place(lnflow: Lnflow, tmp_path: Path) -> None:
    history = tmp_path / "fwdinghistory.json"
    row = {"timestamp": "1790000000", "chan_id_in": "1", "chan_id_out": "2", "amt_in_msat": "2", "amt_out_msat": "1"}
    history.write_text(json.dumps({"forwarding_events": [row, row, {**row, "chan_id_in": "x"}]}))
    missing = tmp_path / "missing.json"
    files = (await lnflow("import", "--json", str(history), str(missing))).document["files"]
    assert [(r["line"], r["element"]) for f in files for r in f["rejections"]] == [(1, 3), (None, None)]
    told = (await lnflow("import", str(history), str(missing))).out.decode()
    assert f"{history}:1, element 3: " in told
    assert f"{missing}: cannot be opened" in told


async def test_amounts_that_cannot_be_are_rejected_and_burst_no_sum(lnflow: Lnflow, tmp_path: Path) -> None:
    log, history = tmp_path / "events.jsonl", tmp_path / "fwdinghistory.json"
    amounts = [1_001_000, *[2**63 - 1] * 3, *[10**15] * 3]
    log.write_bytes(b"".join(refusal(n, 1_790_000_000 + n, amount) for n, amount in enumerate(amounts)))
    row = {"chan_id_in": "1", "chan_id_out": "2", "amt_out_msat": "1000"}
    rows = [
        {**row, "timestamp_ns": str(1_790_000_000 * 10**9 + n), "amt_in_msat": str(a)} for n, a in enumerate(amounts)
    ]
    history.write_text(json.dumps({"forwarding_events": rows}))
    result = await lnflow("import", "--json", str(log), str(history))
    assert result.code == 1
    assert [(f["new"], f["rejected"]) for f in result.document["files"]] == [(4, 3), (4, 3)]
    document = (await lnflow("analyze", *EVERYTHING)).document
    assert document["attempts"]["failed_here"] == 4
    assert document["totals"]["naive_missed_msat"] == 1_000 + 3 * (10**15 - 1_000_000)


async def test_channels_earn_together_what_the_node_earned(imported: Lnflow) -> None:
    channels = (await imported("channels", "--all", "--json")).document["channels"]
    income = expected()["settled"]["fee_msat"]
    assert sum(c["earned_msat"] for c in channels) == income
    assert sum(c["sourced_msat"] for c in channels) == income
    assert [c["closed"] for c in channels] == [False, False, False, False, True]


async def test_a_circular_payment_is_a_cost_of_the_channel_it_came_back_by(imported: Lnflow) -> None:
    """The node paid 2,324 msat to itself; transactions are not among the files, so what is left is not known."""
    document = (await imported("channels", "--all", "--json")).document
    costs = {c["scid"]: c["profit"]["rebalance_cost_msat"] for c in document["channels"]}
    assert {scid: cost for scid, cost in costs.items() if cost} == {"403x3x0": 2_324}
    assert document["node_profit"]["rebalance_cost_msat"] == 2_324
    assert (document["node_profit"]["onchain_cost_msat"], document["node_profit"]["net_msat"]) == (None, None)


@pytest.mark.parametrize("ident", ["403x2x0", "443103186124800"])
async def test_one_channel_is_found_by_any_of_its_ids(imported: Lnflow, ident: str) -> None:
    document = (await imported("channel", ident, "--all", "--json")).document
    [channel] = document["channels"]
    assert channel["scid"] == "403x2x0"
    assert channel["peer_alias"] == "C"


async def test_a_peer_of_several_channels_is_asked_back(imported: Lnflow) -> None:
    result = await imported("channel", "C", "--all")
    assert result.code == 1
    assert "names 2 channels: choose one of" in result.err


async def test_what_is_exported_raw_and_imported_gives_the_same_analysis(imported: Lnflow, tmp_path: Path) -> None:
    before = await imported("analyze", *EVERYTHING)
    assert (await imported("export", "--raw", str(tmp_path / "raw"))).code == 0
    again = Lnflow(tmp_path / "again")
    again.home.mkdir()
    result = await again("import", "--json", str(tmp_path / "raw"))
    assert result.document["totals"]["rejected"] == 0
    assert (await again("analyze", *EVERYTHING)).document == before.document


async def test_a_backup_brings_back_what_was_there(imported: Lnflow, tmp_path: Path) -> None:
    saved = tmp_path / "saved.sqlite"
    before = await imported("analyze", *EVERYTHING)
    assert (await imported("backup", str(saved))).code == 0
    assert "exists already" in (await imported("backup", str(saved))).err
    imported.database.unlink()
    assert (await imported("restore", str(saved))).code == 0
    assert (await imported("analyze", *EVERYTHING)).out == before.out


async def test_another_nodes_folder_is_refused_as_a_whole(imported: Lnflow, tmp_path: Path) -> None:
    before = await imported("analyze", *EVERYTHING)
    info = json.loads((RECORDING / "getinfo.json").read_bytes())
    (tmp_path / "getinfo.json").write_text(json.dumps({**info, "identity_pubkey": "02" + "ab" * 32, "alias": "other"}))
    (tmp_path / "events.jsonl").write_bytes(refusal(1, 1_790_000_000))
    result = await imported("import", "--json", str(tmp_path / "events.jsonl"), str(tmp_path / "getinfo.json"))
    assert result.code == 1
    reasons = {Path(f["path"]).name: f["rejections"][0]["reason"] for f in result.document["files"]}
    assert "give the other node a name of its own with --node" in reasons["getinfo.json"]
    assert "is of another node" in reasons["events.jsonl"]
    assert (await imported("analyze", *EVERYTHING)).out == before.out
    named = await imported("import", "--json", "--node=other", str(tmp_path / "events.jsonl"))
    assert named.document["totals"]["new"] == 1


async def test_a_restore_can_be_taken_back(imported: Lnflow, tmp_path: Path) -> None:
    """What is kept is never written over, least of all while it is restored."""
    saved, before = tmp_path / "saved.sqlite", await imported("analyze", *EVERYTHING)
    other = Lnflow(tmp_path / "other")
    other.home.mkdir()
    await other("import", str(RECORDING / "fwdinghistory.json"))
    assert (await other("backup", str(saved))).code == 0
    kept = Path(f"{imported.database}.before-restore")
    for backup, told in ((saved, kept), (saved, Path(f"{kept}-2")), (kept, Path(f"{kept}-3"))):
        result = await imported("restore", str(backup))
        assert result.code == 0, result.err
        assert f"{told}\n" in result.err
    assert (await imported("analyze", *EVERYTHING)).out == before.out


@pytest.mark.parametrize("rest", [0.3, 1.0])
async def test_a_backup_takes_the_place_of_a_damaged_database(imported: Lnflow, tmp_path: Path, rest: float) -> None:
    """Cut off, or with pages overwritten: what is left is kept as it is."""
    saved, before = tmp_path / "saved.sqlite", await imported("analyze", *EVERYTHING)
    assert (await imported("backup", str(saved))).code == 0
    content = bytearray(imported.database.read_bytes())
    del content[int(len(content) * rest) :]
    if rest == 1.0:
        for page in range(4096, len(content), 4096):
            content[page : page + 100] = b"\xff" * 100
    imported.database.write_bytes(content)
    told = await imported("analyze", *EVERYTHING)
    assert (told.code, told.out) == (1, b"")
    assert "restore a backup" in told.err
    result = await imported("restore", str(saved))
    assert result.code == 0, result.err
    assert Path(f"{imported.database}.before-restore").read_bytes() == content
    assert (await imported("analyze", *EVERYTHING)).out == before.out


async def test_a_file_that_is_no_backup_is_refused_and_nothing_changes(imported: Lnflow, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    other.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    before = imported.database.read_bytes()
    result = await imported("restore", str(other))
    assert result.code == 1
    assert "not an lnflow database" in result.err
    assert imported.database.read_bytes() == before


async def test_the_table_is_exported_as_csv_json_and_parquet(imported: Lnflow, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((await imported("export", "--all")).out.decode())))
    assert len(rows) == 67
    assert sum(int(r["fee_msat"]) for r in rows if r["outcome"] == "settled") == expected()["settled"]["fee_msat"]
    lines = (await imported("export", "--all", "--format=json")).out.splitlines()
    assert [json.loads(line)["in_htlc_id"] for line in lines] == [int(r["in_htlc_id"]) for r in rows]
    duckdb = pytest.importorskip("duckdb")
    target = tmp_path / "rows.parquet"
    assert (await imported("export", "--all", str(target))).code == 0
    [(number, fees)] = duckdb.sql(
        f"SELECT count(*), sum(fee_msat) FROM '{target}' WHERE outcome = 'settled'"
    ).fetchall()
    assert (number, fees) == (32, expected()["settled"]["fee_msat"])


async def test_refusals_of_an_exported_table_are_never_imported_as_income(imported: Lnflow, tmp_path: Path) -> None:
    table = tmp_path / "attempts.csv"
    await imported("export", "--all", str(table))
    again = Lnflow(tmp_path / "again")
    again.home.mkdir()
    result = await again("import", "--json", str(table))
    [file] = result.document["files"]
    assert (result.code, file["new"]) == (1, expected()["settled"]["count"])
    assert "lnflow export --raw" in file["rejections"][0]["reason"]
    settled = (await again("analyze", *EVERYTHING)).document["settled"]
    assert settled["income_msat"] == expected()["settled"]["fee_msat"]


async def test_a_report_is_written_as_text_or_json(imported: Lnflow, tmp_path: Path) -> None:
    text, document = tmp_path / "report.txt", tmp_path / "report.JSON"
    assert (await imported("report", str(text), *EVERYTHING[:1], *EVERYTHING[2:])).code == 0
    assert (await imported("report", str(document), *EVERYTHING[:1], *EVERYTHING[2:])).code == 0
    assert "What B failed to earn" in text.read_text(encoding="utf-8")
    assert "insufficient_balance" in text.read_text(encoding="utf-8")
    found = json.loads(document.read_bytes())
    assert {"channels", "flows", "profit", "opportunities"} <= set(found)
    assert len(found["channels"]) == len(found["flows"]) == len(found["profit"]) == 5


async def test_a_window_without_data_names_the_one_that_has_some(imported: Lnflow) -> None:
    document = (await imported("analyze", "--since=2020-01-01", "--until=2020-01-02", "--json")).document
    [note] = [n for n in document["notes"] if n["code"] == "window_without_data"]
    assert "2026-11-21T10:18:57" in note["text"]


async def test_bad_lines_are_named_the_rest_is_kept_and_the_exit_code_says_so(lnflow: Lnflow, tmp_path: Path) -> None:
    lines = (RECORDING / "htlc_events.jsonl").read_text(encoding="utf-8").splitlines()
    lines.insert(2, '{"incoming_channel_id": "oops", "event_type": "FORWARD", "forward_event": {}}')
    broken = tmp_path / "events.jsonl"
    broken.write_text("\n".join(lines), encoding="utf-8")
    result = await lnflow("import", "--json", str(broken))
    assert result.code == 1
    [file] = result.document["files"]
    assert (file["new"], file["rejected"]) == (67, 1)
    assert file["rejections"][0]["line"] == 3
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("analyze",), 1, "no database at"),
        (("export", "--raw=out", "--hours=3"), 2, "--raw writes the whole history"),
        (("analyze", "--hours=3", "--since=2020-01-01"), 2, "give one of them"),
        (("analyze", "--all", "--hours=3"), 2, "leave out --hours"),
        (("analyze", "--since=yesterday"), 2, "--since: 'yesterday' is not a time"),
        (("analyze", "--hours=-1"), 2, "--hours"),
        (("analyze", "--view=money"), 2, "--view"),
        (("failures", "--by=moon"), 2, "--by"),
        (("import",), 2, "FILE|DIR"),
        (("import", "/nowhere/at/all"), 1, "/nowhere/at/all"),
        (("import", "--covered", "2", "1", "x"), 2, "before the second"),
        (("export", "--raw", "x", "y.csv"), 2, "--raw writes files of its own"),
        (("restore", "/nowhere/at/all"), 1, "no such backup"),
        (("analyze", "--database", "postgresql://x/y"), 1, "postgresql address is not supported"),
        (("analyze", "--settings", "/nowhere.toml"), 1, "/nowhere.toml"),
    ],
)
async def test_misuse_and_failure_are_told_apart_in_words(
    lnflow: Lnflow, arguments: tuple[str, ...], code: int, says: str
) -> None:
    result = await lnflow(*arguments)
    assert result.code == code, (result.out, result.err)
    assert says in result.err + result.out.decode()
    assert "Traceback" not in result.err


async def test_without_a_name_an_import_is_of_the_only_node_that_is_stored(lnflow: Lnflow, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(refusal(1, 1_790_000_000, 1_001_000))
    assert (await lnflow("import", "--node", "alice", str(log))).code == 0
    log.write_bytes(refusal(2, 1_790_000_001, 1_001_000))
    assert (await lnflow("import", str(log))).code == 0
    result = await lnflow("analyze", *EVERYTHING)
    assert result.document["node"]["name"] == "alice"
    assert result.document["attempts"]["failed_here"] == 2
    assert "holds" not in result.err
