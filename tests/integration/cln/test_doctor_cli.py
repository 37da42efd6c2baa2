"""`lnflow doctor` on Core Lightning: each thing that can be wrong, where it is, and how to mend it."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cln.operator import Operator

from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.simulation.lightningd.fee_plugins import FakeClboss
from lnflow.simulation.lightningd.personality import V23_11, Personality
from lnflow.simulation.lightningd.rest_server import RestServer, Rune


@pytest.fixture
async def operator(tmp_path: Path) -> AsyncIterator[Operator]:
    async with Operator(tmp_path) as operator:
        yield operator


async def checks(operator: Operator, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    arguments = arguments or ("--lightning-dir", operator.lightning_dir)
    answered = await operator.lnflow("doctor", "--json", *arguments)
    assert "Traceback" not in answered.err
    return answered.code, {check["name"]: check for check in answered.document["checks"]}


async def collected(operator: Operator) -> None:
    monitored = await operator.lnflow("monitor", "--duration", "0.0005", "--lightning-dir", operator.lightning_dir)
    assert monitored.code == 0, monitored.err


async def test_a_healthy_node_before_and_after_collecting(operator: Operator) -> None:
    operator.network.settled(operator.network.bd, 1_000_000)
    code, found = await checks(operator)
    assert code == 0
    assert found["connection"]["found"] == "Core Lightning answers: B"
    assert {name for name, check in found.items() if check["status"] != "ok"} == {"store"}
    assert "does not exist yet" in found["store"]["found"]
    assert "lnflow-plugin" in found["store"]["remedy"]
    await collected(operator)
    code, found = await checks(operator)
    assert (code, found["ledger"]["status"]) == (0, "ok")
    assert f"{operator.network.node.fees_collected_msat:,} msat" in found["ledger"]["found"]
    assert operator.changing_calls() == []


async def test_a_wrong_directory_no_socket_and_a_dead_one_are_told_apart(operator: Operator) -> None:
    code, found = await checks(operator, "--lightning-dir", operator.home / "nowhere")
    assert code == 1
    assert "no such directory" in found["connection"]["found"]
    await operator.server.stop()
    _, found = await checks(operator)
    assert "no lightning-rpc" in found["connection"]["found"]
    assert "is lightningd running" in found["connection"]["found"]
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as left_behind:
        left_behind.bind(str(operator.server.path))  # nobody listens, as after a crash
        code, found = await checks(operator)
    assert code == 1
    assert "cannot connect to lightningd" in found["connection"]["found"]


async def test_versions_below_the_floor_and_those_that_tell_less(tmp_path: Path) -> None:
    async with Operator(tmp_path / "old", Personality(version="v23.08.1")) as operator:
        code, found = await checks(operator)
        assert (code, found["version"]["status"]) == (1, "fail")
        assert "v23.08.1 cannot page its forwards" in found["version"]["found"]
    async with Operator(tmp_path / "floor", V23_11) as operator:
        code, found = await checks(operator)
        assert (code, found["version"]["status"]) == (0, "warn")
        assert "v24.02" in found["version"]["remedy"]


async def test_autoclean_that_outruns_the_reading(operator: Operator) -> None:
    operator.network.node.autoclean_age_s["failedforwards"] = 30
    _, found = await checks(operator)
    assert found["autoclean"]["status"] == "warn"
    assert "autoclean-failedforwards-age" in found["autoclean"]["remedy"]
    operator.network.node.autoclean_age_s["failedforwards"] = 86_400
    _, found = await checks(operator)
    assert (found["autoclean"]["status"], "86,400 s" in found["autoclean"]["found"]) == ("ok", True)


async def test_no_coverage_a_lag_and_a_sum_that_differs(operator: Operator) -> None:
    network = operator.network
    network.settled(network.bd, 1_000_000)
    await collected(operator)
    _, found = await checks(operator)
    assert (found["coverage"]["status"], found["ledger"]["status"]) == ("warn", "ok")
    network.settled(network.bd, 2_000_000)
    _, found = await checks(operator)
    assert (found["ledger"]["status"], "not read yet" in found["ledger"]["found"]) == ("warn", True)
    await collected(operator)
    network.node.fees_collected_msat += 5  # a row that was deleted before anybody read it
    code, found = await checks(operator)
    assert (code, found["ledger"]["status"]) == (1, "fail")
    assert f"the node says it earned {network.node.fees_collected_msat:,}" in found["ledger"]["found"]


async def test_another_program_that_sets_prices_is_named(operator: Operator) -> None:
    FakeClboss(operator.commands)
    _, found = await checks(operator)
    assert found["prices"]["found"].startswith("CLBOSS set")


def rune_text(*restrictions: Iterable[str]) -> str:
    plain = "&".join(["=7", *("|".join(choice) for choice in restrictions)])
    return base64.urlsafe_b64encode(bytes(32) + plain.encode()).decode().rstrip("=")


READER = ("method^list", "method^get", *(f"method={m}" for m in READ_METHODS if not m.startswith(("list", "get"))))


@pytest.mark.parametrize(
    ("restrictions", "status", "said"),
    [
        ([READER, ("method/listdatastore",)], "ok", "nothing that spends"),
        ([("method^list", "method^get")], "fail", "does not allow autoclean-status"),
        ([], "warn", "such as close, createrune"),
        ([("method/pay",)], "warn", "more than reading"),
    ],
)
async def test_a_rune_too_weak_or_too_strong(
    operator: Operator, restrictions: list[Iterable[str]], status: str, said: str
) -> None:
    token = rune_text(*restrictions)
    async with RestServer(operator.commands, {token: Rune(methods=READ_METHODS)}) as rest:
        rune_file = operator.write("bob.rune", token)
        settings = operator.write("s.toml", f'[nodes.bob]\nurl = "{rest.url}"\nrune_file = "{rune_file}"\n')
        code, found = await checks(operator, "--settings", settings, "--database", operator.home / "s.sqlite")
    assert found["rune"]["status"] == status
    assert said in found["rune"]["found"]
    assert code == (1 if status == "fail" else 0)
    if status != "ok":
        assert "createrune restrictions=" in found["rune"]["remedy"]
        assert "method=feerates" in found["rune"]["remedy"]
    assert token not in str(found)


async def test_a_rune_that_others_can_read(operator: Operator) -> None:
    rune_file = operator.write("bob.rune", "x", mode=0o644)
    settings = operator.write("s.toml", f'[nodes.bob]\nurl = "https://127.0.0.1:1"\nrune_file = "{rune_file}"\n')
    code, found = await checks(operator, "--settings", settings, "--database", operator.home / "s.sqlite")
    assert (code, "chmod 600" in found["connection"]["found"]) == (1, True)
