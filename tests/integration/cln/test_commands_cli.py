"""Every command with `--lightning-dir`: the store is the plugin's, the node is asked only where it must be."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.cln.network import pubkey
from tests.integration.cln.operator import Operator

from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.simulation.lightningd.rest_server import RestServer, Rune
from lnflow.simulation.tls import self_signed_certificate


@pytest.fixture
async def operator(tmp_path: Path) -> AsyncIterator[Operator]:
    async with Operator(tmp_path) as operator:
        yield operator


def forwards(operator: Operator) -> None:
    network = operator.network
    for number in range(30):
        network.settled(network.bd, 1_000_000 + number)
    for _ in range(8):
        network.offer(network.bd, 1_900_000_000)


async def test_analyze_reads_an_empty_store_from_the_node_and_says_what_cannot_be_known(operator: Operator) -> None:
    forwards(operator)
    answered = await operator.lnflow("analyze", "--all", "--json", "--lightning-dir", operator.lightning_dir)
    assert answered.code == 0, answered.err
    assert "38 forwards read" in answered.err
    assert "cannot be attributed" in answered.err
    assert operator.database.exists()
    document = answered.document
    assert document["node"] | {"name": "default", "implementation": "cln", "network": "regtest"} == document["node"]
    assert document["settled"]["forwards"] == 30
    assert {f["cause"]: f["attempts"] for f in document["failures"]} == {"unattributed": 8}

    asked = len(operator.commands.calls)
    again = await operator.lnflow("analyze", "--all", "--json", "--lightning-dir", operator.lightning_dir)
    assert again.document["settled"] == document["settled"]
    assert len(operator.commands.calls) == asked, "a store that is not empty needs no node"
    assert operator.changing_calls() == []


async def test_all_answers_come_from_the_store_under_the_directory(operator: Operator, tmp_path: Path) -> None:
    """The node is stopped: nothing of this asks it."""
    forwards(operator)
    where = ("--lightning-dir", operator.lightning_dir)
    assert (await operator.lnflow("analyze", "--all", *where)).code == 0
    await operator.server.stop()
    answers = {}
    for question in (
        ("failures", "--all"),
        ("channels", "--all"),
        ("channel", "453x3x0", "--all"),
        ("report", "--all"),
        ("why", pubkey("D"), "--all"),
        ("advice", "--all"),
        ("policy", "status"),
        ("policy", "report"),
    ):
        answered = await operator.lnflow(*question, "--json", *where)
        assert answered.code == 0, (question, answered.err)
        answers[question[0]] = answered.document
    assert answers["failures"]["rows"][0]["attempts"] == 8
    assert len(answers["channels"]["channels"]) == 5
    assert answers["channel"]["channels"][0]["channel_point"] == operator.network.bd.channel_id

    table = await operator.lnflow("export", "--all", *where)
    assert table.out.count("\n") == 39
    kept = tmp_path / "copy.sqlite"
    assert (await operator.lnflow("backup", kept, *where)).code == 0
    assert (await operator.lnflow("restore", kept, *where)).code == 0
    assert (await operator.lnflow("export", "--all", "--database", kept)).out == table.out


async def test_the_settings_name_the_node_and_its_directory_the_store(operator: Operator) -> None:
    forwards(operator)
    settings = operator.write("settings.toml", f'[nodes.bob]\nlightning_dir = "{operator.lightning_dir}"\n')
    monitored = await operator.lnflow("monitor", "--duration", "0.0005", "--json", "--settings", settings)
    assert monitored.code == 0, monitored.err
    assert operator.database.exists()
    for more in ((), ("--node", "bob"), ("--lightning-dir", operator.lightning_dir)):
        failures = await operator.lnflow("failures", "--all", "--json", "--settings", settings, *more)
        assert failures.code == 0, failures.err
        assert failures.document["rows"][0]["attempts"] == 8


async def test_clnrest_of_the_settings_with_its_own_certificate(operator: Operator) -> None:
    forwards(operator)
    made = self_signed_certificate(dns_names=("localhost",), addresses=("127.0.0.1",))
    ca_file = operator.write("ca.pem", made.cert_pem.decode())
    key_file = operator.write("key.pem", made.key_pem.decode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca_file, key_file)
    plain = "&".join(("=1", "|".join(["method^list", "method^get", *(f"method={m}" for m in READ_METHODS)])))
    token = base64.urlsafe_b64encode(bytes(32) + plain.encode()).decode()
    rune_file = operator.write("bob.rune", token)
    async with RestServer(operator.commands, {token: Rune(methods=READ_METHODS)}, tls=context) as rest:
        settings = operator.write(
            "settings.toml",
            f'database = "{operator.home / "store.sqlite"}"\n'
            f'[nodes.bob]\nurl = "{rest.url}"\nrune_file = "{rune_file}"\nca_file = "{ca_file}"\n',
        )
        monitored = await operator.lnflow("monitor", "--duration", "0.0005", "--json", "--settings", settings)
        assert monitored.code == 0, monitored.err
        assert monitored.document["settled"]["forwards"] == 30
        healthy = await operator.lnflow("doctor", "--json", "--settings", settings)
        assert healthy.code == 0, healthy.out


@pytest.mark.parametrize("command", [("analyze",), ("monitor",), ("doctor",), ("policy", "apply", "-c", "x.conf")])
async def test_two_kinds_of_node_at_once_are_a_misuse(operator: Operator, command: tuple[str, ...]) -> None:
    misused = await operator.lnflow(*command, "--lightning-dir", operator.lightning_dir, "--lnd-dir", "/somewhere/.lnd")
    assert misused.code == 2
    assert "--lightning-dir is of Core Lightning and --lnd-dir of LND" in misused.err
    settings = operator.write(
        "settings.toml",
        f'[nodes.bob]\nlightning_dir = "{operator.lightning_dir}"\n[nodes.alice]\nlnd_dir = "/somewhere/.lnd"\n',
    )
    misused = await operator.lnflow(*command, "--settings", settings, "--grpc-host", "localhost:10009")
    assert misused.code == 2
    assert "[nodes.bob] of the settings is a Core Lightning node" in misused.err
    named = ("--node", "alice", "--lightning-dir", operator.lightning_dir)
    misused = await operator.lnflow(*command, "--settings", settings, *named)
    assert misused.code == 2
    assert "[nodes.alice] of the settings is an LND" in misused.err
