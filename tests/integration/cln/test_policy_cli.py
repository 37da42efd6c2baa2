"""`lnflow policy … --lightning-dir`: a charge-lnd file on Core Lightning, as an operator types it.

What the node cannot do is named per channel, what it can is written and read back; dry runs change nothing, and
the calls are counted at the node.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cln.operator import Operator, until

from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.simulation.lightningd.channel import State
from lnflow.simulation.lightningd.fee_plugins import FakeClboss, FakeFeeadjuster
from lnflow.simulation.lightningd.personality import V23_11
from lnflow.simulation.lightningd.rest_server import RestServer, Rune

FILE = """
[default]
strategy = ignore

[to-d]
node.id = {d}
strategy = proportional
min_fee_ppm = 50
max_fee_ppm = 450
base_fee_msat = 0
time_lock_delta = 144

[to-c]
node.id = {c}
strategy = static
fee_ppm = 333
base_fee_msat = 1000
inbound_fee_ppm = -20

[from-a]
node.id = {a}
strategy = ignore_fees
inbound_base_fee_msat = -5
time_lock_delta = 80

[to-e]
node.id = {e}
strategy = disable
"""
BD, BC1, BC2, AB, BE = "453x3x0", "453x5x0", "453x4x0", "453x1x0", "453x6x0"


@pytest.fixture
async def operator(tmp_path: Path) -> AsyncIterator[Operator]:
    async with Operator(tmp_path) as operator:
        yield operator


def policy_file(operator: Operator, text: str = FILE) -> Path:
    network = operator.network
    peers = {"a": network.ab, "c": network.bc1, "d": network.bd, "e": network.be}
    return operator.write("charge.config", text.format(**{name: c.peer_id for name, c in peers.items()}))


def by_scid(document: Any) -> dict[str, Any]:
    return {channel["scid"]: channel for channel in document["channels"]}


async def test_a_dry_run_names_what_the_node_cannot_and_changes_nothing(operator: Operator) -> None:
    asked = ("policy", "apply", "-c", policy_file(operator), "--lightning-dir", operator.lightning_dir)
    shown = await operator.lnflow(*asked, "--json")
    assert shown.code == 0, shown.err
    channels = by_scid(shown.document)
    actions = {scid: channel["action"] for scid, channel in channels.items()}
    assert actions == {BD: "update", BC1: "update", BC2: "update", AB: "refused", BE: "refused"}
    assert "time_lock_delta = 144 not set: Core Lightning has one cltv-delta" in channels[BD]["reason"]
    assert "inbound_fee_ppm = -20 not set: Core Lightning has no inbound fees" in channels[BC1]["reason"]
    assert channels[BC1]["new"]["inbound_fee_ppm"] == 0
    assert channels[AB]["reason"].startswith("time_lock_delta = 80 not set")
    assert channels[BE]["reason"].startswith("not disabled: Core Lightning cannot disable a channel")
    assert operator.changing_calls() == []
    rehearsed = [dict(p) for m, p in operator.commands.calls if m == "check"]
    assert {p["command_to_check"] for p in rehearsed} == {"setchannel"}
    assert len(rehearsed) == 3

    table = await operator.lnflow(*asked)
    assert "not set: Core Lightning has no inbound fees" in " ".join(table.out.replace("│", " ").split())
    assert "Nothing was written" in table.out
    overruled = await operator.lnflow(*asked, "--apply", "--dry-run")
    assert "Nothing was written" in overruled.out
    assert operator.changing_calls() == []


async def test_applied_and_read_back(operator: Operator) -> None:
    network = operator.network
    config = policy_file(operator)
    where = ("--lightning-dir", operator.lightning_dir)
    done = await operator.lnflow("policy", "apply", "-c", config, "--apply", "--json", *where)
    assert done.code == 0, done.err
    assert done.document["calls"] == {"update_channel_policy": 3, "update_chan_status": 0}
    channels = by_scid(done.document)
    assert [channels[scid]["error"] for scid in (BD, BC1, BC2)] == [None, None, None]
    assert (network.bc1.terms.fee_ppm, network.bc2.terms.fee_ppm) == (333, 333)
    assert (network.bd.terms.base_fee_msat, network.bd.terms.fee_ppm) == (0, channels[BD]["new"]["fee_ppm"])
    assert network.ab.terms.fee_ppm == 100
    assert operator.changing_calls() == ["setchannel"] * 3
    assert all(dict(p)["enforcedelay"] == 600 for m, p in operator.commands.calls if m == "setchannel")

    # at most one raise while the node remembers the older price, and no endless repeating
    again = await operator.lnflow("policy", "apply", "-c", config, "--apply", "--json", *where)
    assert {c["action"] for c in again.document["channels"]} <= {"none", "refused"}
    higher = operator.write("higher.conf", config.read_text().replace("fee_ppm = 333", "fee_ppm = 400"))
    raised = await operator.lnflow("policy", "apply", "-c", higher, "--apply", "--json", *where)
    assert by_scid(raised.document)[BC1]["action"] == "refused"
    assert operator.changing_calls() == ["setchannel"] * 3

    status = await operator.lnflow("policy", "status", "--json", *where)
    assert {c["scid"] for c in status.document["changes"] if c["result"] == "done"} == {BD, BC1, BC2}
    judged = await operator.lnflow("policy", "rollback", "--json", *where)
    assert judged.code == 0, judged.err
    assert len(judged.document["changes"]) == 3
    assert operator.changing_calls() == ["setchannel"] * 3


async def test_check_and_test_channel_ask_the_node_and_change_nothing(operator: Operator) -> None:
    config = policy_file(operator)
    where = ("--lightning-dir", operator.lightning_dir)
    checked = await operator.lnflow("policy", "check", config, "--json", *where)
    assert checked.code == 0, checked.out + checked.err
    assert {r["section"]: r["channels"] for r in checked.document["rules"]}["to-d"] == [BD]
    tested = await operator.lnflow("policy", "test-channel", BC1, "-c", config, "--json", *where)
    assert tested.code == 0, tested.err
    assert "no inbound fees" in tested.document["channels"][0]["reason"]
    assert operator.changing_calls() == []


async def test_a_dry_run_shows_what_the_node_would_refuse(operator: Operator) -> None:
    """`check` looks with the node's eyes: here a channel is closing, which no listing of policies tells."""
    operator.network.node.set_state(operator.network.bd, State.SHUTTING_DOWN)
    config = policy_file(operator)
    shown = await operator.lnflow("policy", "apply", "-c", config, "--json", "--lightning-dir", operator.lightning_dir)
    assert shown.code == 1
    assert "CHANNELD_SHUTTING_DOWN" in by_scid(shown.document)[BD]["error"]
    assert operator.changing_calls() == []


async def test_the_oldest_version_has_no_gossip_of_its_own_and_is_priced_all_the_same(tmp_path: Path) -> None:
    """v23.11 does not tell our CLTV delta: what is unknown and not asked for stops nothing."""
    async with Operator(tmp_path, V23_11) as operator:
        done = await operator.lnflow(
            "policy", "apply", "-c", policy_file(operator), "--apply", "--json",
            "--lightning-dir", operator.lightning_dir,
        )  # fmt: skip
        assert done.code == 0, done.err + done.out
        assert operator.network.bc1.terms.fee_ppm == 333


async def test_a_maximum_above_the_possible_is_cut_here_and_holds(operator: Operator) -> None:
    """The node would cut it to the capacity without the reserve; what is written is what is read back."""
    config = policy_file(operator, "[all]\nstrategy = static\nfee_ppm = 77\nmax_htlc_msat = 999_000_000_000\n")
    done = await operator.lnflow(
        "policy", "apply", "-c", config, "--apply", "--json", "--lightning-dir", operator.lightning_dir
    )
    assert done.code == 0, done.out + done.err
    assert operator.network.bd.terms.htlc_max_msat == 4_000_000_000 - 40_000_000


# -- the daemon, and others who set prices ---------------------------------------------------------------


def settings(operator: Operator, *, act: bool) -> Path:
    text = f'[nodes.bob]\nlightning_dir = "{operator.lightning_dir}"\n[fees]\nact = {str(act).lower()}\n'
    return operator.write("settings.toml", text + f'policy = "{policy_file(operator)}"\n')


async def test_the_daemon_writes_only_with_consent(operator: Operator) -> None:
    for act, more in ((False, ()), (True, ("--dry-run",))):
        shown = await operator.lnflow(
            "policy", "daemon", "--runs", "1", "--settings", settings(operator, act=act), *more
        )
        assert shown.code == 0, shown.err
        assert "Nothing will be written" in shown.err
        assert "run done: dry channels=5 update=3" in shown.err
    assert operator.changing_calls() == []


async def test_the_daemon_only_shows_until_history_is_read(operator: Operator) -> None:
    """Rules look at flows and revenue: half of them is no ground for a price."""
    operator.network.settled(operator.network.bd, 1_000_000)
    operator.server.faults.hang = {"listforwards"}
    where = ("--settings", settings(operator, act=True))
    monitor = await operator.start("monitor", *where)
    await until(lambda: any(m == "listpeerchannels" for m, _ in operator.commands.calls))
    await operator.interrupt(monitor)
    early = await operator.lnflow("policy", "daemon", "--runs", "1", *where)
    assert "history is still being read: this run only shows" in early.err
    assert "run done: dry" in early.err
    assert operator.changing_calls() == []
    operator.server.faults.hang = set()
    assert (await operator.lnflow("monitor", "--duration", "0.0005", *where)).code == 0
    assert "run done: applied" in (await operator.lnflow("policy", "daemon", "--runs", "1", *where)).err
    assert operator.network.bc1.terms.fee_ppm == 333


async def test_rules_about_flows_are_answered_by_the_store_without_any_listing_of_forwards(operator: Operator) -> None:
    network = operator.network
    for number in range(30):
        network.settled(network.bd, 20_000_000 + number)
    where = ("--lightning-dir", operator.lightning_dir)
    assert (await operator.lnflow("monitor", "--duration", "0.0005", *where)).code == 0
    config = policy_file(operator, "[used]\nflow.7d.out.min = 500_000\nstrategy = static\nfee_ppm = 410\n")
    asked = len(operator.commands.calls)
    done = await operator.lnflow("policy", "apply", "-c", config, "--apply", "--json", *where)
    assert done.code == 0, done.err + done.out
    assert {c["scid"] for c in done.document["channels"] if c["action"] == "update"} == {BD}
    assert network.bd.terms.fee_ppm == 410
    assert not any("forwards" in method for method, _ in operator.commands.calls[asked:])


async def test_clboss_and_feeadjuster_let_go_while_the_daemon_runs_and_get_back_what_they_had(
    operator: Operator,
) -> None:
    network = operator.network
    clboss, adjuster = FakeClboss(operator.commands), FakeFeeadjuster(operator.commands)
    clboss.tags[network.bd.peer_id] = frozenset({"open", "balance"})
    # a pause of the daemon between two writes is a second or so
    daemon = await operator.start("policy", "daemon", "--settings", settings(operator, act=True))
    await until(lambda: network.bc1.terms.fee_ppm == 333 and network.bc2.terms.fee_ppm == 333)
    await until(lambda: network.bd.terms.base_fee_msat == 0)
    assert clboss.tags[network.bd.peer_id] == {"open", "balance", "lnfee"}
    assert not clboss.may_set_fees(network.bc1.peer_id)
    assert clboss.may_set_fees(network.ab.peer_id), "peers whose prices we do not set are none of our business"
    assert not adjuster.on
    ended = await operator.interrupt(daemon)
    assert ended.code == 0, ended.err
    assert clboss.tags[network.bd.peer_id] == {"open", "balance"}
    assert clboss.may_set_fees(network.bc1.peer_id)
    assert adjuster.on


async def test_what_a_killed_daemon_had_taken_is_given_back_by_the_next(operator: Operator) -> None:
    network = operator.network
    clboss, adjuster = FakeClboss(operator.commands), FakeFeeadjuster(operator.commands)
    daemon = await operator.start("policy", "daemon", "--settings", settings(operator, act=True))
    await until(lambda: network.bc1.terms.fee_ppm == 333)
    daemon.kill()
    await daemon.wait()
    assert not clboss.may_set_fees(network.bc1.peer_id)
    refused = await operator.lnflow("policy", "daemon", "--runs", "1", "--settings", settings(operator, act=True))
    assert "another policy daemon runs" in refused.err
    assert not clboss.may_set_fees(network.bc1.peer_id), "a daemon that may not run gives back nothing of another's"
    with contextlib.closing(sqlite3.connect(operator.database)) as con, con:
        con.execute("UPDATE policy_daemon SET alive_until_ns = 0")  # some minutes later
    again = await operator.lnflow("policy", "daemon", "--runs", "1", "--settings", settings(operator, act=True))
    assert again.code == 0, again.err
    assert clboss.may_set_fees(network.bc1.peer_id), (again.err, list(operator.database.parent.iterdir()))
    assert adjuster.on
    assert list(operator.database.parent.glob("handed-over*")) == []


async def test_a_one_shot_command_leaves_other_programs_their_peers(operator: Operator) -> None:
    FakeClboss(operator.commands)
    asked = ("policy", "apply", "-c", policy_file(operator), "--json", "--lightning-dir", operator.lightning_dir)
    for consent in ((), ("--apply",)):
        refused = await operator.lnflow(*asked, *consent)
        assert refused.code == 1
        error = by_scid(refused.document)[BC1]["error"]
        assert error == (
            f"CLBOSS sets this peer's fees: lightning-cli clboss-unmanage {operator.network.bc1.peer_id} lnfee"
        )
    assert operator.changing_calls() == []


# -- clnrest, where the node itself holds the cap ---------------------------------------------------------


async def test_over_clnrest_the_runes_caps_hold_whatever_the_file_says(operator: Operator) -> None:
    fee_rune = Rune(
        methods=frozenset({"setchannel", "check", "listpeerchannels", "help"}),
        below={"feeppm": 5001, "feebase": 10_001},
    )
    runes = {"reader": Rune(methods=READ_METHODS), "prices": fee_rune}
    async with RestServer(operator.commands, runes) as rest:
        reading = operator.write("reader.rune", "reader")
        toml = (
            f'database = "{operator.home / "store.sqlite"}"\n[nodes.bob]\nurl = "{rest.url}"\nrune_file = "{reading}"\n'
        )
        plain = operator.write("settings.toml", toml)
        config = policy_file(operator)
        shown = await operator.lnflow("policy", "apply", "-c", config, "--json", "--settings", plain)
        assert shown.code == 0, shown.err
        refused = await operator.lnflow("policy", "apply", "-c", config, "--apply", "--settings", plain)
        assert refused.code == 1
        assert "lightning-cli createrune restrictions=" in refused.err
        assert operator.changing_calls() == []

        pricing = operator.write("prices.rune", "prices")
        full = operator.write("full.toml", f'{toml}[fees]\nrune_file = "{pricing}"\n')
        dear = operator.write("dear.conf", config.read_text().replace("fee_ppm = 333", "fee_ppm = 9000"))
        for consent in ((), ("--apply",)):
            capped = await operator.lnflow("policy", "apply", "-c", dear, "--json", "--settings", full, *consent)
            assert capped.code == 1
        assert "pnamefeeppm: 9000 is greater or equal to 5001" in capped.out + capped.err
        assert operator.network.bc1.terms.fee_ppm == 250
        done = await operator.lnflow(
            "policy", "apply", "-c", config, "--apply", "--json", "--settings", plain, "--fee-rune-file", pricing
        )
        assert operator.network.bc1.terms.fee_ppm == 333, done.err + done.out
