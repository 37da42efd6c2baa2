"""Each of the usual troubles is found, named, and has its remedy."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from tests.fakes.lnd import running_lnd
from tests.integration.cli.conftest import Lnflow, Result

from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import LndServer, Personality


def by_name(result: Result) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in result.document["checks"]}


def options(lnd: LndServer, macaroon: str = "monitor") -> list[str]:
    directory = lnd.directory
    return [
        f"--grpc-host={lnd.target}",
        f"--cert-path={directory.tls_cert}",
        f"--macaroon-path={directory.macaroon(macaroon)}",
    ]


async def test_a_healthy_node(lnflow: Lnflow) -> None:
    async with running_lnd() as lnd:
        result = await lnflow("doctor", "--json", *options(lnd))
    checks = by_name(result)
    assert result.code == 0, result.err
    assert result.document["ok"] is True
    for name in ("credentials", "connection", "certificate", "wallet", "macaroon", "version", "network"):
        assert checks[name]["status"] == "ok", checks[name]


async def test_no_lnd_at_all(lnflow: Lnflow) -> None:
    result = await lnflow("doctor", "--json")
    check = by_name(result)["credentials"]
    assert (result.code, check["status"]) == (1, "fail")
    assert "no LND found" in check["found"]
    assert "--lnd-dir" in check["found"] + (check["remedy"] or "")


async def test_nothing_listens_at_the_port(lnflow: Lnflow) -> None:
    async with running_lnd() as lnd:
        given = options(lnd)
        await lnd.stop()
        check = by_name(await lnflow("doctor", "--json", *given))["connection"]
    assert check["status"] == "fail"
    assert "nothing listens there" in check["found"]
    assert "--grpc-host" in check["remedy"]


async def test_a_port_that_is_not_lnds(lnflow: Lnflow) -> None:
    """Here a web server without TLS, as LND's REST port without it would be."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as web, running_lnd() as lnd:
        port = web.sockets[0].getsockname()[1]
        given = [f"--grpc-host=127.0.0.1:{port}", *options(lnd)[1:]]
        check = by_name(await lnflow("doctor", "--json", *given))["connection"]
    assert check["status"] == "fail"
    assert "is it LND's gRPC port" in check["found"]


async def test_a_macaroon_of_another_node(lnflow: Lnflow, tmp_path: Path) -> None:
    async with running_lnd() as lnd, running_lnd() as other:
        foreign = tmp_path / "foreign.macaroon"
        shutil.copy(other.directory.macaroon("monitor"), foreign)
        given = [*options(lnd)[:2], f"--macaroon-path={foreign}"]
        result = await lnflow("doctor", "--json", *given)
    check = by_name(result)["macaroon"]
    assert check["status"] == "fail"
    assert "does not accept the macaroon" in check["found"]
    assert "--macaroon-path" in check["remedy"]


async def test_a_macaroon_that_can_spend(lnflow: Lnflow) -> None:
    async with running_lnd() as lnd:
        result = await lnflow("doctor", "--json", *options(lnd, "admin"))
    check = by_name(result)["credentials"]
    assert check["status"] == "fail"
    assert "can spend" in check["found"]
    assert "bakemacaroon" in check["remedy"]


async def test_a_locked_wallet(lnflow: Lnflow) -> None:
    async with running_lnd(state=pb.LOCKED) as lnd:
        check = by_name(await lnflow("doctor", "--json", *options(lnd)))["wallet"]
    assert check["status"] == "fail"
    assert "lncli unlock" in check["found"]


async def test_an_old_version(lnflow: Lnflow) -> None:
    async with running_lnd(Personality.V0_18_5) as lnd:
        result = await lnflow("doctor", "--json", *options(lnd))
    check = by_name(result)["version"]
    assert check["status"] == "warn"
    assert "0.18.5" in check["found"]
    assert "update LND" in check["remedy"]


async def test_no_coverage(lnflow: Lnflow) -> None:
    history = Path(__file__).parent / "fwdinghistory.json"
    assert (await lnflow("import", str(history))).code == 0
    async with running_lnd() as lnd:
        check = by_name(await lnflow("doctor", "--json", *options(lnd)))["coverage"]
    assert check["status"] == "warn"
    assert "nobody has listened" in check["found"]
    assert "lnflow monitor" in check["remedy"]


async def test_a_store_of_another_node(lnflow: Lnflow) -> None:
    async with running_lnd() as lnd:
        process = await lnflow.start("analyze", "--all", "--json", *options(lnd))
        assert (await lnflow.finish(process)).code == 0
    async with running_lnd() as other:
        other.node.pubkey = "02" + "ab" * 32
        check = by_name(await lnflow("doctor", "--json", *options(other)))["node"]
    assert check["status"] == "fail"
    assert "--node" in check["remedy"]


async def test_a_store_of_several_nodes(lnflow: Lnflow) -> None:
    """A further node fills its own part; doctor takes the part of the node at hand; who is answered about is said."""
    history = Path(__file__).parent / "fwdinghistory.json"
    assert (await lnflow("import", "--node=first", str(history))).code == 0
    async with running_lnd() as lnd:
        filled = await lnflow("analyze", "--all", "--json", "--node=second", *options(lnd))
        assert filled.code == 0, filled.err
        assert filled.document["node"]["name"] == "second"
        doctor = await lnflow("doctor", "--json", *options(lnd))
    assert "node" not in by_name(doctor)
    unnamed = await lnflow("analyze", "--all", "--json")
    assert unnamed.document["node"]["name"] == "first"
    assert "holds first, second: this is first; choose with --node" in unnamed.err


async def test_the_words_on_a_terminal_are_those_of_the_document(lnflow: Lnflow) -> None:
    result = await lnflow("doctor")
    assert result.code == 1
    assert "no LND found" in result.out.decode()
    assert "Something is to be mended." in result.out.decode()
