"""`lnflow why`: every number of `analyze` can be traced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.integration.cli.conftest import Lnflow

RECORDING = Path(os.environ.get("LNFLOW_FIXTURES", Path(__file__).parents[4] / "shared" / "fixtures"))
RECORDING /= "lnd_simnet_v0.21.2"

pytestmark = pytest.mark.skipif(not RECORDING.exists(), reason=f"no recordings at {RECORDING} (LNFLOW_FIXTURES)")


async def test_the_working_leads_to_the_figure_of_analyze(lnflow: Lnflow) -> None:
    assert (await lnflow("import", str(RECORDING))).code == 0
    everything = ("--all", "--json")
    analysis = (await lnflow("analyze", *everything, "--min-failures=0", "--min-missed-sat=0")).document
    shown = next(o for o in analysis["opportunities"] if o["peer_pubkey"] and o["cause"] == "liquidity")
    why = (await lnflow("why", shown["peer_pubkey"], "--cause=liquidity", *everything)).document
    assert {**why["opportunity"], "rank": shown["rank"]} == shown
    layers = {layer["name"]: layer for layer in why["layers"]}
    assert layers["attempts"]["count"] == shown["attempts"]
    assert layers["attempts"]["fee_msat"] == shown["offered_fee_msat"]
    assert layers["servable"]["count"] == shown["servable_demands"]
    assert layers["expected"]["fee_msat"] == shown["expected_missed_msat"]
    assert len(why["demands"]) == shown["demands"]
    assert sum(d["attempts"] for d in why["demands"]) == shown["attempts"]
    assert sum(d["fate"] == "unserved" for d in why["demands"]) == shown["servable_demands"]
    assert why["formulas"][0].startswith("expected = ")
    drawn = await lnflow("why", shown["peer_pubkey"], "--all")
    assert (drawn.code, b"From attempts to the figure" in drawn.out) == (0, True)


async def test_an_unknown_peer_is_said_in_one_line(lnflow: Lnflow) -> None:
    assert (await lnflow("import", str(RECORDING))).code == 0
    result = await lnflow("why", "nobody", "--all")
    assert (result.code, result.out) == (1, b"")
    assert "no peer 'nobody' in the store" in result.err
