"""What `lightning-cli lnflow-…` answers, from the plugin as the node starts it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cln.operator import Operator, until
from tests.integration.cln.stored import Stored

from lnflow.domain.time import DAY_NS, SystemClock
from lnflow.simulation.lightningd.params import RpcFailure
from lnflow.simulation.lightningd.plugin_host import PluginHost

FILE = "[to-c]\nnode.id = {c}\nstrategy = static\nfee_ppm = 333\ninbound_fee_ppm = -20\n"


@pytest.fixture
async def operator(tmp_path: Path) -> AsyncIterator[Operator]:
    async with Operator(tmp_path) as operator:
        yield operator


@contextlib.asynccontextmanager
async def running(operator: Operator, **options: Any) -> AsyncIterator[PluginHost]:
    host = operator.plugin()
    await host.start({f"lnflow-{name.replace('_', '-')}": value for name, value in options.items()})
    try:
        yield host
    finally:
        await host.stop()
        assert (host.killed_for, host.exit_code) == (None, 0)


async def ask(host: PluginHost, method: str, *params: Any, **named: Any) -> Any:
    return await host.request(f"lnflow-{method}", list(params) if params else named, timeout_s=30)


async def status_when(host: PluginHost, reached: Callable[[Any], bool]) -> Any:
    seen: list[Any] = []
    while True:
        seen[:] = [await ask(host, "status")]
        if reached(seen[0]):
            return seen[0]


def read(status: Any) -> bool:
    return bool(status["status"] and status["status"]["backfill_done"])


async def test_the_manifest_names_options_and_methods(operator: Operator) -> None:
    async with running(operator) as host:
        kinds = {option["name"]: (option["type"], option.get("default")) for option in host.manifest["options"]}
        assert kinds == {
            "lnflow-database": ("string", "lnflow/lnflow.sqlite"),
            "lnflow-raw-days": ("int", 90),
            "lnflow-policy-file": ("string", None),
            "lnflow-act": ("bool", False),
        }
        usages = {method["name"]: method["usage"] for method in host.manifest["rpcmethods"]}
        assert usages == {
            "lnflow-status": "",
            "lnflow-analyze": "[hours] [all]",
            "lnflow-report": "[hours] [all]",
            "lnflow-why": "peer [cause] [hours] [all]",
            "lnflow-failures": "[by] [hours] [all]",
            "lnflow-policy-check": "[file]",
            "lnflow-policy-apply": "[file] [apply]",
        }
        assert host.manifest["hooks"] == []


async def test_why_shows_the_working_and_failures_the_counts(operator: Operator) -> None:
    network = operator.network
    async with running(operator) as host:
        await status_when(host, read)
        for number in range(20):
            network.settled(network.bd, 1_000_000 + number)
        for number in range(6):
            network.offer(network.bd, 1_700_000_000 + number)
        await status_when(host, lambda s: s["status"]["attempts"] == 26)
    async with running(operator) as host:  # demands are made at the end, or half a minute later
        why = await ask(host, "why", peer="D")
        assert why["opportunity"]["cause"] == "liquidity"
        assert why["layers"][0]["count"] > 0
        assert why["formulas"]
        await host.request("lnflow-report", {"all": True}, timeout_s=30, progress=True)
        assert [told["num"] for told in host.progress_of("lnflow-report")] == [0, 1]
        failures = await ask(host, "failures", "peer", 1)
        assert [(row["peer_alias"], row["attempts"]) for row in failures["rows"]] == [("D", 6)]
        for method, wrong in (("why", {}), ("why", {"peer": "D", "cause": "weather"}), ("failures", {"by": "moon"})):
            with pytest.raises(RpcFailure) as caught:
                await ask(host, method, **wrong)
            assert caught.value.code == -32602


async def test_a_policy_file_is_shown_and_written_only_with_both_consents(operator: Operator) -> None:
    network = operator.network
    file = operator.write("charge.config", FILE.format(c=network.bc1.peer_id))
    async with running(operator, policy_file=str(file)) as host:
        await status_when(host, read)
        checked = await ask(host, "policy-check")
        assert (checked["ok"], len(checked["rules"][0]["channels"])) == (True, 2)
        shown = await ask(host, "policy-apply", str(file))
        assert shown["dry_run"] is True
        assert "no inbound fees" in next(c for c in shown["channels"] if c["scid"] == "453x5x0")["reason"]
        with pytest.raises(RpcFailure, match="lnflow-act=true"):
            await ask(host, "policy-apply", apply=True)
        with pytest.raises(RpcFailure, match="neither true nor false"):
            await ask(host, "policy-apply", apply="yes, please")
        assert operator.changing_calls() == []
    async with running(operator, act=True) as host:
        with pytest.raises(RpcFailure, match="lnflow-policy-file"):
            await ask(host, "policy-apply")
        await status_when(host, read)
        assert (await ask(host, "policy-apply", str(file)))["dry_run"] is True
        assert operator.changing_calls() == []
        done = await ask(host, "policy-apply", file=str(file), apply="true")
        assert [c["error"] for c in done["channels"]] == [None] * 5
        assert done["calls"]["update_channel_policy"] == 2
    assert (network.bc1.terms.fee_ppm, network.bc2.terms.fee_ppm) == (333, 333)
    assert operator.changing_calls() == ["setchannel"] * 2


async def test_nothing_is_written_before_history_is_read(operator: Operator) -> None:
    file = operator.write("charge.config", FILE.format(c=operator.network.bc1.peer_id))
    operator.network.settled(operator.network.bd, 1_000_000)
    operator.server.faults.hang = {"listforwards"}
    async with running(operator, act=True) as host:
        await status_when(host, lambda s: s["status"] is not None)
        with pytest.raises(RpcFailure, match="history is still being read"):
            await ask(host, "policy-apply", file=str(file), apply=True)
    assert operator.changing_calls() == []


async def test_single_attempts_are_kept_for_raw_days_and_totals_for_ever(operator: Operator) -> None:
    network, now = operator.network, SystemClock().now_ns
    network.node.clock = lambda: now() - 50 * DAY_NS
    for number in range(40):
        network.settled(network.bd, 1_000_000 + number)
    network.node.clock = now
    network.settled(network.bd, 2_000_000)

    def attempts() -> int:
        with contextlib.closing(sqlite3.connect(operator.database)) as con:
            return int(con.execute("SELECT count(*) FROM attempt").fetchone()[0])

    async with running(operator, raw_days=60) as host:
        await status_when(host, lambda s: read(s) and s["status"]["ledger"] is not None)
    assert attempts() == 41
    async with running(operator, raw_days=30) as host:
        await status_when(host, read)
        await until(lambda: attempts() == 1)
        assert (await ask(host, "status"))["ledger_holds"] is True
    assert Stored(operator.database).fees_msat == network.node.fees_collected_msat
    async with running(operator, raw_days=0) as host:
        told = await status_when(host, lambda s: s["trouble"] is not None)
        assert told["trouble"] == "lnflow-raw-days = 0 must be a number of days, at least 1"
        assert told["collecting"] is False


async def test_retention_of_the_settings_holds_for_monitor_too(operator: Operator) -> None:
    network, now = operator.network, SystemClock().now_ns
    network.node.clock = lambda: now() - 50 * DAY_NS
    for number in range(10):
        network.settled(network.bd, 1_000_000 + number)
    network.node.clock = now
    settings = operator.write(
        "settings.toml", f'[nodes.bob]\nlightning_dir = "{operator.lightning_dir}"\n[retention]\nraw_days = 30\n'
    )
    process = await operator.start("monitor", "--json", "--all", "--settings", settings)

    def pruned() -> bool:
        if not operator.database.exists():
            return False
        with contextlib.closing(sqlite3.connect(operator.database)) as con:
            tables = con.execute("SELECT count(*) FROM sqlite_master WHERE name = 'cursor'").fetchone()[0]
            return bool(
                tables
                and con.execute("SELECT value = 1 FROM cursor WHERE name = 'cln.down_to'").fetchone() == (1,)
                and con.execute("SELECT count(*) FROM attempt").fetchone() == (0,)
            )

    await until(pruned)
    ended = await operator.interrupt(process)
    assert ended.document["settled"]["forwards"] == 10
