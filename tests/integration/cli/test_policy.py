"""`lnflow policy` as a process, against the simulated LND: what is shown, what is written, what is left alone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from msgspec import structs
from tests.fakes.lnd import ALICE_SCID, BOB, BOB_LARGE_SCID, BOB_SMALL_SCID, CAROL_ALIAS_SCID, running_lnd
from tests.integration.cli.conftest import Lnflow, Result

from lnflow.domain.channel import Policy
from lnflow.domain.scid import scid_text
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import LndServer

SCIDS = (ALICE_SCID, BOB_LARGE_SCID, BOB_SMALL_SCID, CAROL_ALIAS_SCID)
STATIC = "[all]\nstrategy = static\nfee_ppm = 400\nbase_fee_msat = 0\n"


@pytest.fixture
async def lnd() -> AsyncIterator[LndServer]:
    async with running_lnd() as server:
        yield server


def policies(lnd: LndServer) -> dict[int, Policy]:
    return {scid: structs.replace(lnd.node.channel(scid).policy, last_update_s=None) for scid in SCIDS}


class Case:
    """A policy file and a node."""

    def __init__(self, lnflow: Lnflow, lnd: LndServer, text: str) -> None:
        self.lnflow, self.lnd = lnflow, lnd
        self.file = lnflow.home / "policy.conf"
        self.file.write_text(text)

    def arguments(self, *more: str, macaroon: str = "monitor") -> list[str]:
        path = self.lnd.directory
        return [
            *more,
            "--grpc-host",
            self.lnd.target,
            "--cert-path",
            str(path.tls_cert),
            "--macaroon-path",
            str(path.macaroon(macaroon)),
        ]

    async def __call__(self, verb: str, *more: str, macaroon: str = "monitor") -> Result:
        config = [str(self.file)] if verb == "check" else ["-c", str(self.file)]
        return await self.lnflow("policy", verb, *self.arguments(*more, *config, "--json", macaroon=macaroon))


def by_scid(document: Any) -> dict[str, Any]:
    return {entry["scid"]: entry for entry in document["channels"]}


async def test_a_dry_run_shows_every_channel_and_makes_no_changing_call(lnflow: Lnflow, lnd: LndServer) -> None:
    before = policies(lnd)
    result = await Case(lnflow, lnd, STATIC)("apply")
    assert result.code == 0, result.err
    document = result.document
    assert set(document) == {"dry_run", "config", "node", "channels", "calls", "errors"}
    assert document["dry_run"] is True
    assert document["calls"] == {"update_channel_policy": 0, "update_chan_status": 0}
    assert set(by_scid(document)) == {scid_text(scid) for scid in SCIDS}
    entry = by_scid(document)[scid_text(BOB_LARGE_SCID)]
    assert set(entry) == {
        "channel_point", "scid", "peer_pubkey", "policy", "strategy", "action", "old", "new", "status_change",
        "reason", "error",
    }  # fmt: skip
    assert (entry["action"], entry["policy"], entry["strategy"], entry["peer_pubkey"]) == (
        "update",
        "all",
        "static",
        BOB,
    )
    assert (entry["old"]["fee_ppm"], entry["new"]["fee_ppm"], entry["new"]["base_fee_msat"]) == (250, 400, 0)
    assert lnd.changing_calls == []
    assert policies(lnd) == before
    assert not lnflow.database.exists()


async def test_an_old_cron_line_of_charge_lnd_runs_and_writes_nothing(lnflow: Lnflow, lnd: LndServer) -> None:
    case, path = Case(lnflow, lnd, STATIC), lnd.directory
    options = ["--grpc", lnd.target, "--tlscert", str(path.tls_cert), f"--macaroon={path.macaroon('readonly')}"]
    result = await lnflow("policy", "apply", "-c", str(case.file), *options, "--electrum-server", "x:1", "-vv")
    assert result.code == 0, result.err
    assert b"Nothing was written" in result.out
    assert lnd.changing_calls == []


async def test_dry_run_wins_over_apply(lnflow: Lnflow, lnd: LndServer) -> None:
    result = await Case(lnflow, lnd, STATIC)("apply", "--apply", "--dry-run")
    assert (result.code, lnd.changing_calls) == (0, [])


async def test_apply_writes_what_was_planned_once_and_keeps_a_journal(lnflow: Lnflow, lnd: LndServer) -> None:
    before, case = policies(lnd), Case(lnflow, lnd, STATIC)
    result = await case("apply", "--apply")
    assert result.code == 0, result.err
    assert result.document["calls"] == {"update_channel_policy": 4, "update_chan_status": 0}
    assert policies(lnd) == {scid: structs.replace(p, fee_ppm=400, base_fee_msat=0) for scid, p in before.items()}

    again = await case("apply", "--apply")
    assert again.code == 0, again.err
    assert {entry["action"] for entry in again.document["channels"]} == {"none"}
    assert len(lnd.changing_calls) == 4

    status = (await lnflow("policy", "status", "-c", str(case.file), "--json")).document
    assert {(c["kind"], c["rule"], c["result"], c["new"]["fee_ppm"]) for c in status["changes"]} == {
        ("update", "all", "done", 400)
    }
    [rule] = status["rules"]
    assert (rule["section"], rule["line"], rule["channels"]) == ("all", 1, 4)
    assert rule["last_change"] is not None


async def test_the_hourly_floor_refuses_and_shows_what_was_wanted(lnflow: Lnflow, lnd: LndServer) -> None:
    case = Case(lnflow, lnd, STATIC)
    await case("apply", "--apply")
    case.file.write_text(STATIC.replace("400", "900"))
    result = await case("apply", "--apply")
    assert result.code == 0
    assert len(lnd.changing_calls) == 4
    for entry in result.document["channels"]:
        assert (entry["action"], entry["new"]["fee_ppm"]) == ("refused", 900)
        assert entry["reason"].startswith("interval: changed 0 min ago")


async def test_many_changes_cost_a_bounded_number_of_reads(lnflow: Lnflow, lnd: LndServer) -> None:
    await Case(lnflow, lnd, STATIC)("apply", "--apply")
    reads = {
        method: n for method, n in lnd.calls.items() if method not in methods.FEE_METHODS - {methods.LIST_CHANNELS}
    }
    assert reads[methods.LIST_CHANNELS] <= 2
    assert reads[methods.GET_NODE_INFO] <= 2
    assert lnd.calls[methods.UPDATE_CHANNEL_POLICY] == 4


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        ("strategy = statick", "did you mean"),
        ("strategy = static\nfee_ppm = 10.5", "without a fraction"),
        ("strategy = static\nfee_ppm = 10 # cheap", "line of its own"),
        ("strategy = static\nnode.id = file://nowhere", "cannot be read"),
        ("strategy = use_config\nconfig_file = nowhere", "cannot be read"),
    ],
)
async def test_an_error_leaves_its_channels_alone_and_the_others_proceed(
    lnflow: Lnflow, lnd: LndServer, lines: str, part: str
) -> None:
    text = f"[fine]\nnode.id = {BOB}\nstrategy = static\nfee_ppm = 33\n[broken]\n{lines}\n"
    before = policies(lnd)
    result = await Case(lnflow, lnd, text)("apply", "--apply")
    assert result.code == 1
    entries = by_scid(result.document)
    for scid in (BOB_LARGE_SCID, BOB_SMALL_SCID):
        assert entries[scid_text(scid)]["action"] == "update"
        assert policies(lnd)[scid].fee_ppm == 33
    for scid in (ALICE_SCID, CAROL_ALIAS_SCID):
        assert entries[scid_text(scid)]["action"] in {"error", "skipped"}
        assert policies(lnd)[scid] == before[scid]
    error = result.document["errors"][0]
    assert (error["file"].endswith("policy.conf"), error["section"]) == (True, "broken")
    assert error["line"] in {6, 7}
    assert part in error["text"] + (error["remedy"] or "")


async def test_what_the_node_refuses_is_an_error_of_that_channel(lnflow: Lnflow, lnd: LndServer) -> None:
    lnd.fail_next(methods.UPDATE_CHANNEL_POLICY, "max htlc too large")
    result = await Case(lnflow, lnd, STATIC)("apply", "--apply")
    assert result.code == 1
    actions = sorted(entry["action"] for entry in result.document["channels"])
    assert actions == ["error", "update", "update", "update"]
    [failed] = [entry for entry in result.document["channels"] if entry["action"] == "error"]
    assert failed["error"] == "max htlc too large"
    status = (await lnflow("policy", "status", "--json")).document
    assert sorted(c["result"] for c in status["changes"]) == ["done", "done", "done", "failed"]


async def test_a_positive_inbound_fee_is_refused_before_it_is_sent(lnflow: Lnflow, lnd: LndServer) -> None:
    result = await Case(lnflow, lnd, "[all]\nstrategy = static\ninbound_fee_ppm = 5\n")("apply", "--apply")
    assert {entry["action"] for entry in result.document["channels"]} == {"refused"}
    assert "accept-positive-inbound-fees" in result.document["channels"][0]["reason"]
    assert lnd.changing_calls == []


async def test_status_changes_come_before_the_policy(lnflow: Lnflow, lnd: LndServer) -> None:
    text = f"[off]\nnode.id = {BOB}\nstrategy = disable\n[rest]\nstrategy = ignore\n"
    result = await Case(lnflow, lnd, text)("apply", "--apply")
    assert result.code == 0, result.err
    assert result.document["calls"] == {"update_channel_policy": 0, "update_chan_status": 2}
    assert {scid: p.disabled for scid, p in policies(lnd).items()} == {
        ALICE_SCID: False,
        BOB_LARGE_SCID: True,
        BOB_SMALL_SCID: True,
        CAROL_ALIAS_SCID: False,
    }


async def test_what_we_disabled_is_known_to_be_ours(lnflow: Lnflow, lnd: LndServer, tmp_path: Path) -> None:
    case = Case(lnflow, lnd, f"[off]\nnode.id = {BOB}\nstrategy = disable\n")
    await case("apply", "--apply")
    alice = lnd.node.channel(ALICE_SCID)
    alice.policy = structs.replace(alice.policy, disabled=True)
    case.file.write_text("[on]\nstrategy = static\n")
    entries = by_scid((await case("apply")).document)
    assert "disabled by a rule of ours" in entries[scid_text(BOB_LARGE_SCID)]["reason"]
    assert "disabled not by us" in entries[scid_text(ALICE_SCID)]["reason"]


async def test_writing_needs_a_macaroon_of_its_own_and_reading_does_not(lnflow: Lnflow, lnd: LndServer) -> None:
    lnd.directory.macaroon("fees").unlink()
    case = Case(lnflow, lnd, STATIC)
    assert (await case("apply", macaroon="readonly")).code == 0
    assert (await case("test-channel", scid_text(ALICE_SCID), macaroon="readonly")).code == 0
    result = await case("apply", "--apply")
    assert result.code == 1
    assert "lncli --network=regtest bakemacaroon" in result.err
    assert "uri:/lnrpc.Lightning/UpdateChannelPolicy" in result.err
    assert lnd.changing_calls == []


async def test_a_spending_macaroon_is_not_taken_for_fees(lnflow: Lnflow, lnd: LndServer) -> None:
    admin = str(lnd.directory.macaroon("admin"))
    result = await Case(lnflow, lnd, STATIC)("apply", "--apply", "--fee-macaroon-path", admin)
    assert (result.code, lnd.changing_calls) == (1, [])
    assert "can do more than change prices" in result.err


async def test_test_channel_tells_every_rule_criterion_and_guard(lnflow: Lnflow, lnd: LndServer) -> None:
    text = "[big]\nchan.min_capacity = 10_000_000\nstrategy = ignore\n[base]\nbase_fee_msat = 7\n" + STATIC
    result = await Case(lnflow, lnd, text)("test-channel", scid_text(BOB_SMALL_SCID))
    assert result.code == 0, result.err
    document = result.document
    assert [(r["section"], r["state"]) for r in document["rules"]] == [
        ("big", "does not match"),
        ("base", "matches"),
        ("all", "matches"),
    ]
    [criterion] = document["rules"][0]["criteria"]
    assert (criterion["key"], criterion["found"], criterion["state"]) == ("chan.min_capacity", "2000000", "fails")
    overlaid = [(o["value"], o["before"], o["section"]) for o in document["overlay"] if o["key"] == "base_fee_msat"]
    assert overlaid == [("7", None, "base"), ("0", "7", "all")]
    assert [entry["scid"] for entry in document["channels"]] == [scid_text(BOB_SMALL_SCID)]


async def test_check_needs_no_node_and_with_node_names_the_channels(lnflow: Lnflow, lnd: LndServer) -> None:
    case = Case(lnflow, lnd, f"[bob]\nnode.id = {BOB}\nstrategy = static\nfee_ppm = 3\n[default]\nstrategy = ignore\n")
    alone = await lnflow("policy", "check", str(case.file), "--json")
    assert alone.code == 0, alone.err
    assert (alone.document["ok"], alone.document["channels"]) == (True, None)
    result = await case("check", "--node")
    channels = {rule["section"]: set(rule["channels"]) for rule in result.document["rules"]}
    assert channels["bob"] == {scid_text(BOB_LARGE_SCID), scid_text(BOB_SMALL_SCID)}
    assert channels["default"] == {scid_text(ALICE_SCID), scid_text(CAROL_ALIAS_SCID)}
    assert lnd.changing_calls == []


async def test_a_file_that_is_no_ini_says_where(lnflow: Lnflow, lnd: LndServer) -> None:
    case = Case(lnflow, lnd, "[a]\nstrategy = ignore\n[a]\n")
    result = await case("apply", "--apply")
    assert (result.code, lnd.changing_calls) == (1, [])
    assert "policy.conf:3 [a]: the section is there twice" in result.err
    check = await lnflow("policy", "check", str(case.file), "--json")
    assert (check.code, check.document["errors"][0]["line"]) == (1, 3)


async def test_the_file_of_charge_lnd_reads_flows_from_the_node_itself(lnflow: Lnflow, lnd: LndServer) -> None:
    text = "[quiet]\nchan.activity_period = 7d\nchan.max_htlcs_out = 0\nstrategy = static\nfee_ppm = 9\n"
    result = await Case(lnflow, lnd, text)("apply")
    entry = by_scid(result.document)[scid_text(ALICE_SCID)]
    assert (entry["action"], entry["new"]["fee_ppm"]) == ("update", 9)


async def test_generated_config_is_fit_and_never_overwrites(lnflow: Lnflow, tmp_path: Path) -> None:
    target = tmp_path / "new.conf"
    assert (await lnflow("policy", "generate-config", str(target))).code == 0
    assert (await lnflow("policy", "check", str(target))).code == 0
    assert (await lnflow("policy", "generate-config", str(target))).code == 1


def settings(case: Case, act: bool) -> list[str]:
    file = case.lnflow.home / "settings.toml"
    file.write_text(f"[fees]\nact = {str(act).lower()}\n")
    return ["--settings", str(file)]


async def test_only_the_settings_let_the_daemon_write_and_dry_run_wins(lnflow: Lnflow, lnd: LndServer) -> None:
    case = Case(lnflow, lnd, STATIC)
    daemon = ["policy", "daemon", "-c", str(case.file), "--interval", "60", "--runs", "1"]
    for act, more, why in (
        (False, [], "the settings do not say 'act = true' under [fees]"),
        (True, ["--dry-run"], "--dry-run is given"),
    ):
        dry = await lnflow(*case.arguments(*daemon, *settings(case, act), *more))
        assert (dry.code, lnd.changing_calls) == (0, []), dry.err
        assert "run done: dry channels=4 update=4" in dry.err
        assert f"Nothing will be written: {why}." in dry.err
    refused = await lnflow(*case.arguments(*daemon, "--apply"))
    assert (refused.code, lnd.changing_calls) == (2, [])


async def test_the_daemon_writes_tells_its_next_run_and_stops_at_once(lnflow: Lnflow, lnd: LndServer) -> None:
    case = Case(lnflow, lnd, STATIC)
    daemon = ["policy", "daemon", "-c", str(case.file), "--interval", "60", *settings(case, act=True)]
    process = await lnflow.start(*case.arguments(*daemon))
    async with asyncio.timeout(60):
        while len(lnd.changing_calls) < 4:
            await asyncio.sleep(0.05)
    status = (await lnflow("policy", "status", "--json")).document
    assert status["daemon"] == {"acts": True, "interval_s": 3600.0}
    due = datetime.fromisoformat(status["next_run"]) - datetime.now(UTC)
    assert timedelta(minutes=55) < due < timedelta(minutes=61)

    second = await lnflow(*case.arguments(*daemon, "--runs", "1"))
    assert second.code == 1
    assert "another policy daemon runs for node" in second.err

    process.send_signal(signal.SIGTERM)
    result = await lnflow.finish(process)
    assert result.code == 0, result.err
    assert policies(lnd)[ALICE_SCID].fee_ppm == 400
    status = (await lnflow("policy", "status", "--json")).document
    assert (status["daemon"], status["next_run"]) == (None, None)


async def test_an_unknown_key_is_a_warning_of_apply_and_an_error_of_check(lnflow: Lnflow, lnd: LndServer) -> None:
    case = Case(lnflow, lnd, STATIC + "fee_pmm = 7\n")
    result = await case("apply")
    assert (result.code, by_scid(result.document)[scid_text(ALICE_SCID)]["new"]["fee_ppm"]) == (0, 400)
    assert "warning: " in result.err
    assert 'policy.conf:5 [all]: unknown key fee_pmm: it has no effect (did you mean "fee_ppm"?)' in result.err
    assert (await lnflow("policy", "check", str(case.file))).code == 1


async def test_everything_can_be_read_as_tables(lnflow: Lnflow, lnd: LndServer) -> None:
    text = f"[off]\nnode.id = {BOB}\nchan.max_capacity = 3_000_000\nstrategy = disable\n[odd]\nstrategy = statick\n"
    case = Case(lnflow, lnd, text)
    config = ["-c", str(case.file)]

    async def shown(verb: str, *more: str, node: bool = True) -> str:
        words = ["policy", verb, *more]
        result = await lnflow(*(case.arguments(*words) if node else words))
        assert "Traceback" not in result.err, result.err
        return result.out.decode()

    dry = await shown("apply", *config, "--verbose")
    assert "disable" in dry
    assert "did you mean" in dry
    assert "4 channels: 3 error, 1 update" in dry
    assert "Nothing was written" in dry
    assert "Written: 0 policies, 1 status changes." in await shown("apply", *config, "--apply")
    tried = await shown("test-channel", scid_text(BOB_LARGE_SCID), *config)
    assert "✗ chan.max_capacity = 3_000_000: found 5000000" in tried
    assert "does not match" in tried
    checked = await shown("check", str(case.file), node=False)
    assert "unknown strategy" in checked
    assert "The file is to be mended." in checked
    for listing in (await shown("status", *config, node=False), await shown("report", node=False)):
        assert scid_text(BOB_SMALL_SCID) in listing
        assert "done" in listing
    judged = await shown("rollback", *config)
    assert "None is to be taken back." in judged


async def test_a_write_that_was_not_answered_counts_as_written_and_the_rest_is_not_sent(
    lnflow: Lnflow, lnd: LndServer
) -> None:
    """LND may have done it: the hourly floor holds for that channel, and not for those that were never sent."""
    lnd.fail_next(methods.UPDATE_CHANNEL_POLICY, "too slow", grpc.StatusCode.DEADLINE_EXCEEDED)
    case = Case(lnflow, lnd, STATIC)
    result = await case("apply", "--apply")
    assert result.code == 1
    assert [entry["action"] for entry in result.document["channels"]] == ["error"] * 4
    status = (await lnflow("policy", "status", "--json")).document
    assert sorted(c["result"] for c in status["changes"]) == ["failed", "failed", "failed", "unverified"]
    again = await case("apply", "--apply")
    actions = [entry["action"] for entry in again.document["channels"]]
    assert sorted(actions) == ["refused", "update", "update", "update"]


async def test_a_fee_only_macaroon_is_enough_to_apply(lnflow: Lnflow, lnd: LndServer) -> None:
    """lnd.md §3.3 b: the same file may stand for reading and for writing."""
    result = await Case(lnflow, lnd, STATIC)("apply", "--apply", macaroon="fees")
    assert result.code == 0, result.err
    assert {scid: p.fee_ppm for scid, p in policies(lnd).items()} == dict.fromkeys(SCIDS, 400)
