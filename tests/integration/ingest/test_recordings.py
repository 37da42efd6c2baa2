"""The recordings of a real router import to exactly what was provoked there, whatever form and order they have."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.builders import check_rollups, dump
from tests.recordings import recorded

from lnflow.domain.causes import Cause
from lnflow.domain.time import SystemClock
from lnflow.ingest.importer import import_paths
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

RECORDINGS = ["lnd_simnet_v0.20.1", "lnd_simnet_v0.21.2"]
EVER = (0, 2**62)
FACTS = ["getinfo.json", "closedchannels.json", "listchannels.json", "describegraph.json"]


def imported(database: Path, *runs: list[Path]) -> Path:
    """Import files, run by run, and check that the rollups are the sums of the rows."""
    for run in runs:
        with StoreWriter(database, "B") as writer:
            import_paths(writer, run, clock=SystemClock())
    check_rollups(database)
    return database


def expected(folder: Path) -> dict[str, Any]:
    totals: dict[str, Any] = json.loads((folder / "expected.json").read_text())["totals"]
    return totals


def peers(folder: Path) -> dict[str, str]:
    nodes: dict[str, str] = json.loads((folder / "expected.json").read_text())["nodes"]
    return {pubkey: name for name, pubkey in nodes.items()}


@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize("events", ["htlc_events.jsonl", "htlc_events_rest.jsonl"])
def test_totals_are_those_of_the_readme(tmp_path: Path, recording: str, events: str) -> None:
    """Settled by peer, refused by cause, downstream: counts, amounts and fees to the msat."""
    folder = recorded(recording)
    totals = expected(folder)
    files = [folder / name for name in (*FACTS, events, "fwdinghistory.json")]
    with StoreReader(imported(tmp_path / "s.sqlite", files)) as store:
        names = peers(folder)
        by_peer: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        channel_peers = {c.channel_id: names.get(c.peer_pubkey or "") for c in store.channels(EVER[1])}
        for flow in store.flows(*EVER):
            if flow.out_settled:
                row = by_peer[channel_peers[flow.chan] or "?"]
                row[0] += flow.out_settled
                row[1] += flow.out_settled_msat
                row[2] += flow.earned_msat
        by_cause: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for refusal in store.refusals(*EVER):
            row = by_cause[Cause(refusal.cause).text]
            row[0] += refusal.attempts
            row[1] += refusal.msat
            row[2] += refusal.fee_msat
        downstream = [sum(f.out_downstream for f in store.flows(*EVER)),
                      sum(f.out_downstream_fee_msat for f in store.flows(*EVER))]  # fmt: skip
    assert dict(by_peer) == {
        name: [t["count"], t["out_msat"], t["fee_msat"]] for name, t in totals["settled_by_out_peer"].items()
    }
    assert dict(by_cause) == {
        name.lower().removesuffix("_payload"): [t["count"], t["out_msat"], t["fee_msat"]]
        for name, t in totals["refused_by_cause"].items()
    }
    assert downstream == [totals["downstream"]["count"], totals["downstream"]["fee_msat"]]


@pytest.mark.parametrize("recording", RECORDINGS)
def test_no_order_of_imports_and_no_repetition_matters(tmp_path: Path, recording: str) -> None:
    """Events before facts, history before events, everything twice, both forms: the same rows and rollups."""
    folder = recorded(recording)
    facts = [folder / name for name in FACTS]
    events, rest = folder / "htlc_events.jsonl", folder / "htlc_events_rest.jsonl"
    history = folder / "fwdinghistory.json"
    orders = {
        "facts first": [[*facts], [events], [history]],
        "facts last": [[history], [events], [*reversed(facts)]],
        "all at once": [[history, rest, events, *facts]],
        "twice": [[events], [*facts], [history], [rest], [*facts], [events]],
    }
    dumps = {name: dump(imported(tmp_path / f"{n}.sqlite", *runs)) for n, (name, runs) in enumerate(orders.items())}
    reference = dumps.pop("facts first")
    for name, other in dumps.items():
        assert other == reference, name


@pytest.mark.parametrize("recording", RECORDINGS)
def test_coverage_ends_where_the_stream_broke(tmp_path: Path, recording: str) -> None:
    """Each subscription is an interval of its own; the time between is not covered."""
    folder = recorded(recording)
    with StoreReader(imported(tmp_path / "s.sqlite", [folder / "htlc_events.jsonl"])) as store:
        intervals = store.coverage(*EVER).intervals
    lines = [json.loads(line) for line in (folder / "htlc_events.jsonl").read_text().splitlines()]
    subscribed = [int(line["_received_at_ns"]) for line in lines if "subscribed_event" in line]
    assert [since for since, _ in intervals] == subscribed
    assert all(until < since for (_, until), (since, _) in pairwise(intervals))
