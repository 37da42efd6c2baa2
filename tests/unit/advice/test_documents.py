"""The contract of --json: these keys, in these places, whatever else changes."""

from __future__ import annotations

import json
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from tests.unit.analysis.builders import demands, ends, facts

from lnflow.advice import documents as d
from lnflow.advice.analyzing import Selection, analyze

CONTRACT = {
    d.AnalyzeDocument: "schema_version node window collecting_since covered_s coverage settled attempts "
    "failures "
    "downstream totals opportunities notes",
    d.NodeDocument: "name pubkey alias implementation network",
    d.WindowDocument: "since until",
    d.SettledDocument: "forwards amount_out_msat income_msat",
    d.AttemptsDocument: "total settled failed_here failed_downstream pending",
    d.CauseDocument: "cause attempts attempted_msat offered_fee_msat confidence",
    d.DownstreamDocument: "attempts attempted_msat offered_fee_msat",
    d.TotalsDocument: "naive_missed_msat expected_missed_msat low_msat high_msat per_month_msat",
    d.Note: "code text",
    d.Opportunity: "rank peer_pubkey peer_alias channels cause confidence attempts attempted_msat demands "
    "servable_demands offered_fee_msat settle_chance expected_missed_msat low_msat high_msat "
    "per_month_msat "
    "failure_rate urgency urgency_parts current_outbound_fee_ppm marginal_gain recommendation",
    d.OpportunityChannel: "scid channel_point capacity_sat local_sat attempts",
    d.UrgencyParts: "revenue frequency rate",
    d.MarginalGain: "added_sat gain_per_month_msat low_msat high_msat",
    d.Recommendation: "type channel amount_sat max_ppm fee_ppm max_htlc_msat gain_per_month_msat cost_msat "
    "confidence text evidence",
    d.ImportDocument: "files totals rows_per_s",
    d.ImportedFile: "path kind rows_read new known rejected rejections",
    d.ImportTotals: "rows_read new known rejected",
    d.Rejection: "line element reason",
    d.FailuresDocument: "window coverage by rows",
    d.FailureRow: "cause attempts attempted_msat offered_fee_msat settled failure_rate",
    d.ReportDocument: "channels flows profit opportunities totals",
    d.DoctorDocument: "ok checks",
    d.Check: "name status found remedy",
}


@pytest.mark.parametrize("shape", CONTRACT, ids=lambda s: s.__name__)
def test_no_key_of_the_contract_is_missing(shape: type[msgspec.Struct]) -> None:
    assert set(CONTRACT[shape].split()) <= set(shape.__struct_fields__)


def test_the_causes_of_an_opportunity_are_those_of_the_contract() -> None:
    assert set(get_args(d.ProblemName)) == {
        "liquidity",
        "offline",
        "size",
        "fee",
        "stale_fee",
        "slots",
        "unattributed",
        "other",
    }


def test_an_analysis_has_every_key_even_where_nothing_is_known() -> None:
    """Unknown is null, never a missing key."""
    document = analyze(facts(demands(), passed=(ends(settled=9, downstream=1),)), Selection())
    seen = json.loads(d.encode(document))
    _has_every_key(seen, d.AnalyzeDocument)
    assert seen["opportunities"][0]["recommendation"]["fee_ppm"] is None
    assert seen["window"] == {"since": "2026-11-01T00:00:00.000Z", "until": "2026-11-02T00:00:00.000Z"}


def test_an_analysis_of_nothing_is_a_document_too() -> None:
    empty = facts(channels=(), covered=0.0, stored_since_ns=None, stored_until_ns=None)
    seen = json.loads(d.encode(analyze(empty, Selection())))
    _has_every_key(seen, d.AnalyzeDocument)
    assert seen["collecting_since"] is None
    assert seen["opportunities"] == []
    assert [n["code"] for n in seen["notes"]] == ["no_data"]


def test_a_document_reads_back_as_itself() -> None:
    document = analyze(facts(demands()), Selection(min_failures=0, min_missed_sat=0))
    assert msgspec.json.decode(d.encode(document), type=d.AnalyzeDocument) == document


def _has_every_key(value: Any, shape: Any) -> None:
    if get_origin(shape) is list:
        for item in value:
            _has_every_key(item, get_args(shape)[0])
    elif isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        hints = get_type_hints(shape)
        assert set(value) == set(shape.__struct_fields__)
        for key, inner in value.items():
            _has_every_key(inner, hints[key])
