"""The recordings of a real Core Lightning router import to what was provoked there, the causes of 4103 told apart."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.builders import check_rollups, dump
from tests.recordings import recorded

from lnflow.advice.analyzing import Selection
from lnflow.domain.causes import Cause
from lnflow.domain.time import SystemClock
from lnflow.ingest import cln_evidence
from lnflow.ingest.importer import import_paths
from lnflow.service.opportunities import OpportunityService
from lnflow.service.windows import WindowChoice
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

RECORDINGS = ["cln_regtest_v24.11.2", "cln_regtest_v26.06.6"]
EVER = (0, 2**62)
FACTS = ["getinfo.json", "listclosedchannels.json", "listnodes.json", "listpeerchannels.jsonl"]
HEARD = ["notifications.jsonl", "setchannel.jsonl"]
EVERY_ROW = "listforwards_pages.jsonl"

CAUSES = {
    "insufficient_balance": Cause.INSUFFICIENT_BALANCE,
    "peer_offline": Cause.LINK_NOT_ELIGIBLE,
    "htlc_exceeds_max": Cause.HTLC_EXCEEDS_MAX,
    "htlc_below_min": Cause.AMOUNT_BELOW_MINIMUM,
    "slots_full": Cause.HTLC_ADD_FAILED,
    "dust_exposure": Cause.NO_DETAIL,
    "dust_exposure_incoming": Cause.NO_DETAIL,
    "channel_closing": Cause.UNKNOWN_NEXT_PEER,
}
WITHOUT_OUT = ("invalid_onion", "dust_exposure_incoming")
BELOW_OUR_PRICE = ("fee_insufficient", "channel_closing", "unknown_next_peer")
"""The sender did not pay our price of the time: what should have left is an estimate."""

Sums = dict[str, list[int]]


def imported(database: Path, *runs: list[Path]) -> Path:
    for run in runs:
        with StoreWriter(database, "B") as writer:
            reports = import_paths(writer, run, clock=SystemClock())
        assert [r.rejections for r in reports if r.rejected] == []
    check_rollups(database)
    return database


def expected(folder: Path) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return truth


def refused(database: Path) -> Sums:
    sums: Sums = defaultdict(lambda: [0, 0, 0])
    with StoreReader(database) as store:
        for row in store.refusals(*EVER):
            total = sums[Cause(row.cause).text]
            total[0] += row.attempts
            total[1] += row.msat
            total[2] += row.fee_msat
    return dict(sums)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_settled_totals_are_those_of_the_readme(tmp_path: Path, recording: str) -> None:
    folder = recorded(recording)
    truth = expected(folder)
    names = {pubkey: name for name, pubkey in truth["nodes"].items()}
    by_peer: Sums = defaultdict(lambda: [0, 0, 0])
    with StoreReader(imported(tmp_path / "s.sqlite", [folder / name for name in (*FACTS, EVERY_ROW)])) as store:
        peer_of = {c.channel_id: names.get(c.peer_pubkey or "", "?") for c in store.channels(EVER[1])}
        for flow in store.flows(*EVER):
            if flow.out_settled:
                row = by_peer[peer_of[flow.chan]]
                row[0] += flow.out_settled
                row[1] += flow.out_settled_msat
                row[2] += flow.earned_msat
    totals = truth["totals"]
    assert dict(by_peer) == {
        name: [t["count"], t["out_msat"], t["fee_msat"]] for name, t in totals["settled_by_out_peer"].items()
    }
    assert sum(fee for _, _, fee in by_peer.values()) == totals["fees_collected_msat"]


@pytest.mark.parametrize("recording", RECORDINGS)
def test_saved_evidence_tells_every_cause(tmp_path: Path, recording: str) -> None:
    """Listings, notifications and policy changes: each refusal gets its true cause, 4103 its six; amounts are exact
    wherever the sender paid our price."""
    folder = recorded(recording)
    found = refused(imported(tmp_path / "s.sqlite", [folder / name for name in (*FACTS, *HEARD, EVERY_ROW)]))
    truth = expected(folder)["totals"]["refused_by_cause"]
    counts: dict[str, int] = defaultdict(int)
    exact: Sums = defaultdict(lambda: [0, 0])
    for cause, total in truth.items():
        if cause == "onchain_timeout":
            continue  # it was sent on: downstream
        name = CAUSES[cause].text if cause in CAUSES else cause
        counts[name] += total["count"]
        if cause not in WITHOUT_OUT and cause not in BELOW_OUR_PRICE:
            exact[name][0] += total["out_msat"]
            exact[name][1] += total["fee_msat"]
    assert {name: sums[0] for name, sums in found.items()} == dict(counts)
    assert {name: found[name][1:] for name in exact} == dict(exact)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_each_cause_says_how_sure_it_is(tmp_path: Path, recording: str) -> None:
    folder = recorded(recording)
    imported(tmp_path / "s.sqlite", [folder / name for name in (*FACTS, *HEARD, EVERY_ROW)])
    with OpportunityService.open(tmp_path / "s.sqlite") as service:
        window = service.window(WindowChoice(hours=None, since=None, until=None, everything=True))
        failures = service.analyze(window, Selection()).failures
    assert all(row.confidence is not None and 0.4 <= row.confidence < 1 for row in failures)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_no_form_order_or_repetition_matters(tmp_path: Path, recording: str) -> None:
    folder = recorded(recording)
    seen = [folder / name for name in (*FACTS, *HEARD)]
    lists = [folder / f"listforwards{name}.json" for name in ("_after_trim", "", "_before_trim")]
    rows = folder / EVERY_ROW
    orders = {
        "evidence first": [[*seen, rows]],
        "evidence last": [[rows, *reversed(seen)]],
        "rows before any evidence, then all": [[rows], [*seen, rows]],
        "every form, twice": [[*lists, *seen, rows], [rows, *seen, *lists]],
    }
    dumps = {name: dump(imported(tmp_path / f"{n}.sqlite", *runs)) for n, (name, runs) in enumerate(orders.items())}
    reference = dumps.pop("evidence first")
    for name, other in dumps.items():
        assert other == reference, name


@pytest.mark.parametrize("recording", RECORDINGS)
def test_without_evidence_nothing_is_claimed(tmp_path: Path, recording: str) -> None:
    folder = recorded(recording)
    undated = folder / "listpeerchannels_last.json"
    found = refused(imported(tmp_path / "s.sqlite", [folder / "getinfo.json", undated, folder / EVERY_ROW]))
    assert found["unattributed"] == [15, 0, 0]


def test_a_long_history_is_told_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for ten rows only, what is told needs no more than the rows around it."""
    folder = recorded("cln_regtest_v26.06.6")
    files = [folder / name for name in (*FACTS, *HEARD, "listforwards_before_trim.json")]
    whole = refused(imported(tmp_path / "whole.sqlite", files))
    monkeypatch.setattr(cln_evidence, "MOST_ROWS", 10)
    pieces = refused(imported(tmp_path / "pieces.sqlite", files))
    assert {cause: sums[0] for cause, sums in pieces.items()} == {cause: sums[0] for cause, sums in whole.items()}
