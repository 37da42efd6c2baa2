"""The main job from end to end: a node's stream in, the ranked answer out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.fakes.lnd import ALICE_SCID, BOB, BOB_LARGE_SCID, running_lnd
from tests.integration.cli.conftest import Lnflow
from tests.integration.cli.test_doctor import options

from lnflow.simulation.lnd_server import Forwarding, LndServer

EVERYTHING = ("--min-failures=0", "--min-missed-sat=0")


async def subscribed(lnd: LndServer) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(30):
        while not lnd.calls["/routerrpc.Router/SubscribeHtlcEvents"]:  # no event to wait for
            await asyncio.sleep(0.02)


def forward(lnd: LndServer, amount_msat: int) -> Forwarding:
    """Alice asks us to pass an amount on to Bob at exactly the asked fee."""
    fee_msat = 1_000 + amount_msat * 250 // 1_000_000
    return lnd.node.forward_htlc(
        in_scid=ALICE_SCID,
        requested_out=BOB_LARGE_SCID,
        amount_in_msat=amount_msat + fee_msat,
        amount_out_msat=amount_msat,
        now_ns=lnd.clock_ns(),
    )


async def test_what_is_refused_while_monitoring_is_named_at_the_end(lnflow: Lnflow, tmp_path: Path) -> None:
    output = tmp_path / "opportunities.json"
    async with running_lnd() as lnd:
        process = await lnflow.start("monitor", "--json", f"--output={output}", *EVERYTHING, *options(lnd))
        await subscribed(lnd)
        for _ in range(4):
            forward(lnd, 4_500_000_000)
        async with asyncio.timeout(30):
            while not (await lnflow("failures", "--json", "--hours=1")).document["rows"]:
                pass
        result = await lnflow.interrupt(process)
    assert result.code == 0, result.err
    document = result.document
    assert json.loads(output.read_bytes()) == document
    [opportunity] = document["opportunities"]
    assert (opportunity["cause"], opportunity["peer_pubkey"]) == ("liquidity", BOB)
    assert (opportunity["attempts"], opportunity["demands"]) == (4, 1)
    assert opportunity["offered_fee_msat"] == 4 * 1_126_000
    assert opportunity["recommendation"]["type"] == "rebalance_outbound"
    assert document["node"]["pubkey"] == lnd.node.pubkey


async def test_monitoring_stops_by_itself_after_its_duration(lnflow: Lnflow) -> None:
    async with running_lnd() as lnd:
        result = await lnflow("monitor", "--json", "--duration=0.0005", *options(lnd))
    assert result.code == 0, result.err
    assert result.document["verdict"]["code"] == "watched_briefly"


async def test_analyze_of_an_empty_store_reads_what_the_node_still_knows(lnflow: Lnflow) -> None:
    async with running_lnd() as lnd:
        lnd.node.settle(forward(lnd, 100_000_000).key, lnd.clock_ns())
        result = await lnflow("analyze", "--json", *options(lnd))
    assert result.code == 0, result.err
    assert result.document["settled"] == {"forwards": 1, "amount_out_msat": 100_000_000, "income_msat": 26_000}
    assert "failures can only be seen from now on" in result.err


async def test_a_credential_that_can_spend_is_refused_unless_told(lnflow: Lnflow) -> None:
    async with running_lnd() as lnd:
        refused = await lnflow("monitor", "--json", "--duration=0.0003", *options(lnd, "admin"))
        allowed = await lnflow(
            "monitor", "--json", "--duration=0.0003", "--allow-spending-credential", *options(lnd, "admin")
        )
    assert (refused.code, refused.out) == (1, b"")
    assert "can spend" in refused.err
    assert "Traceback" not in refused.err
    assert allowed.code == 0, allowed.err


async def test_a_node_that_is_not_there_is_said_in_one_line(lnflow: Lnflow) -> None:
    async with running_lnd() as lnd:
        given = options(lnd)
        await lnd.stop()
        result = await lnflow("monitor", "--json", "--duration=0.02", *given)
    assert result.code == 1
    assert "nothing listens there" in result.err
    assert "Traceback" not in result.err


async def test_a_node_of_the_settings_needs_no_options(lnflow: Lnflow) -> None:
    """The first node is the default; its name is the store's."""
    async with running_lnd() as lnd:
        settings = lnflow.home / "config" / "lnflow" / "settings.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(
            f'[nodes.alice]\nlnd_dir = "{lnd.directory.path}"\ngrpc_host = "{lnd.target}"\n[nodes.bob]\n',
            encoding="utf-8",
        )
        assert (await lnflow("monitor", "--json", "--duration=0.0005")).document["node"]["name"] == "alice"
    assert (await lnflow("analyze", "--json")).document["node"]["name"] == "alice"
    missing = await lnflow("analyze", "--json", "--node=bob")
    assert missing.code == 1
    assert "no node 'bob'" in missing.err


async def test_a_store_in_use_is_backed_up_but_not_restored(lnflow: Lnflow, tmp_path: Path) -> None:
    saved = tmp_path / "saved.sqlite"
    async with running_lnd() as lnd:
        process = await lnflow.start("monitor", "--json", *options(lnd))
        await subscribed(lnd)
        assert (await lnflow("backup", str(saved))).code == 0
        refused = await lnflow("restore", str(saved))
        assert (await lnflow.interrupt(process)).code == 0
    assert refused.code == 1
    assert "collecting into" in refused.err
    assert (await lnflow("restore", str(saved))).code == 0


async def test_a_log_without_a_terminal_is_plain_lines(lnflow: Lnflow) -> None:
    async with running_lnd() as lnd:
        result = await lnflow("monitor", "--duration=0.0005", *options(lnd))
    assert result.code == 0, result.err
    assert "\x1b[" not in result.err
    assert "INFO collecting: node=" in result.err
