"""What can be wrong with a connection, and what the operator is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from tests.fakes.lnd import running_lnd
from tests.integration.lnd.conftest import HastyClock, connection_to, reader_of

from lnflow.domain.errors import ConfigurationError, NodeRefused, NodeUnavailable
from lnflow.nodes.lnd.certificate import CertificateReport, probe_certificate
from lnflow.nodes.lnd.client import LndClient
from lnflow.nodes.lnd.credentials import LndConnection
from lnflow.nodes.lnd.reader import LndReader
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import LndServer
from lnflow.simulation.tls import self_signed_certificate


@pytest.fixture
async def lnd() -> AsyncIterator[LndServer]:
    async with running_lnd() as server:
        yield server


async def test_nothing_listens_there(lnd: LndServer) -> None:
    await lnd.stop()
    async with reader_of(lnd) as reader:
        with pytest.raises(NodeUnavailable, match=f"LND at {lnd.target}: nothing listens there"):
            await reader.wait_until_ready()


async def _serve_plain_text(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\nthis is no TLS")
    await writer.drain()
    writer.close()


async def test_the_port_of_something_that_speaks_no_tls(lnd: LndServer) -> None:
    async with await asyncio.start_server(_serve_plain_text, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with reader_of(lnd, grpc_host=host) as reader:
            with pytest.raises((NodeRefused, NodeUnavailable), match=r"gRPC port \(default 10009\)"):
                await reader.wait_until_ready()


async def test_a_name_that_cannot_be_resolved(lnd: LndServer) -> None:
    async with reader_of(lnd, grpc_host="no-such-node.invalid:10009") as reader:
        with pytest.raises(NodeUnavailable, match="cannot be resolved"):
            await reader.wait_until_ready()


async def test_the_certificate_of_another_node(lnd: LndServer, tmp_path: Path) -> None:
    other = tmp_path / "other.cert"
    other.write_bytes(self_signed_certificate().cert_pem)
    async with reader_of(lnd, cert_path=other) as reader:
        with pytest.raises(NodeRefused, match="not the one in --cert-path"):
            await reader.wait_until_ready()


async def test_an_expired_certificate(lnd: LndServer) -> None:
    now = datetime.now(UTC)
    await lnd.rotate_certificate(
        self_signed_certificate(not_before=now - timedelta(days=500), not_after=now - timedelta(days=1))
    )
    async with reader_of(lnd) as reader:
        with pytest.raises(NodeRefused, match="has expired: restart LND"):
            await reader.wait_until_ready()


async def test_a_certificate_that_does_not_name_the_host(lnd: LndServer) -> None:
    await lnd.rotate_certificate(self_signed_certificate(dns_names=("mynode",), addresses=()))
    async with reader_of(lnd) as reader:
        with pytest.raises(NodeRefused, match="does not name this host"):
            await reader.wait_until_ready()
    async with reader_of(lnd, tls_name="mynode") as reader:
        await reader.wait_until_ready()


async def test_the_macaroon_of_another_node(lnd: LndServer, tmp_path: Path) -> None:
    async with running_lnd() as other, reader_of(lnd, macaroon_path=other.directory.macaroon("monitor")) as reader:
        with pytest.raises(NodeRefused, match="does not accept the macaroon.*another node"):  # noqa: RUF043
            await reader.wait_until_ready()


async def test_no_macaroon(lnd: LndServer) -> None:
    connection = LndConnection(target=lnd.target, cert_path=lnd.directory.tls_cert)
    reader = LndReader(connection)
    with pytest.raises(NodeRefused, match="no macaroon was sent"):
        await reader.wait_until_ready()
    await reader.close()


async def test_a_macaroon_that_can_spend_is_refused_before_anything_is_sent(lnd: LndServer) -> None:
    async with reader_of(lnd, macaroon_path=lnd.directory.macaroon("admin")) as reader:
        with pytest.raises(ConfigurationError, match="can spend") as caught:
            await reader.wait_until_ready()
    assert "lncli --network=regtest" in str(caught.value)
    assert "bakemacaroon" in str(caught.value)
    assert not lnd.calls
    async with reader_of(lnd, macaroon_path=lnd.directory.macaroon("admin"), allow_spending_credential=True) as reader:
        await reader.wait_until_ready()


async def test_a_method_the_macaroon_does_not_allow_is_named(lnd: LndServer) -> None:
    lnd.denied.add(methods.LIST_CHANNELS)
    async with reader_of(lnd) as reader:
        with pytest.raises(NodeRefused, match="the macaroon does not allow ListChannels"):
            await reader.list_channels()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (pb.LOCKED, "is locked: run `lncli unlock`"),
        (pb.NON_EXISTING, "has no wallet yet: run `lncli create`"),
        (pb.WAITING_TO_START, "waits to start"),
    ],
)
async def test_a_node_that_waits_for_its_operator_says_for_what(state: pb.WalletState, words: str) -> None:
    async with running_lnd(state=state) as lnd:
        reader = LndReader(connection_to(lnd), clock=HastyClock())
        with pytest.raises(NodeUnavailable, match=words):
            await reader.wait_until_ready()
        with pytest.raises(NodeUnavailable, match="is not ready"):  # what its gate answers
            await reader.node_info()
        await reader.close()


async def test_a_starting_node_is_waited_for(lnd: LndServer) -> None:
    await lnd.set_state(pb.RPC_ACTIVE)
    async with reader_of(lnd) as reader:
        waiting = asyncio.ensure_future(reader.wait_until_ready())
        async with asyncio.timeout(10):
            while lnd.calls[methods.GET_STATE] < 2:
                await asyncio.sleep(0)
        assert not waiting.done()
        await lnd.set_state(pb.SERVER_ACTIVE)
        await asyncio.wait_for(waiting, 10)


async def test_a_starting_node_is_not_waited_for_without_end(lnd: LndServer) -> None:
    await lnd.set_state(pb.UNLOCKED)
    reader = LndReader(connection_to(lnd), clock=HastyClock())
    with pytest.raises(NodeUnavailable, match="is starting"):
        await reader.wait_until_ready()
    await reader.close()


async def test_a_version_that_is_too_old_is_refused(lnd: LndServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from lnflow.nodes.lnd import reader as readers

    monkeypatch.setattr(readers, "MIN_VERSION", (0, 99, 0))  # the fake has no personality that old
    async with reader_of(lnd) as reader:
        with pytest.raises(NodeRefused, match=r"is 0\.21\.2-beta; lnflow needs 0\.99\.0"):
            await reader.wait_until_ready()


async def test_a_server_that_is_no_lnd_is_too_old_for_us(lnd: LndServer) -> None:
    lnd.fail_next(methods.GET_STATE, "unknown service lnrpc.State", grpc.StatusCode.UNIMPLEMENTED)
    async with reader_of(lnd) as reader:
        with pytest.raises(NodeRefused, match="does not know GetState"):
            await reader.wait_until_ready()


async def test_a_call_has_a_deadline(lnd: LndServer) -> None:
    lnd.unary_latency_s = 30
    client = LndClient(connection_to(lnd), attempts=1)
    with pytest.raises(NodeUnavailable, match="GetInfo was not answered in time"):
        await client.call(methods.GET_INFO, pb.GetInfoRequest(), pb.GetInfoResponse, deadline_s=0.2)
    await client.close()


async def test_a_passing_failure_is_tried_again(lnd: LndServer) -> None:
    lnd.fail_next(methods.GET_INFO, "transport is closing", grpc.StatusCode.UNAVAILABLE, times=2)
    async with reader_of(lnd) as reader:
        assert (await reader.node_info()).alias == "router"
    assert lnd.calls[methods.GET_INFO] == 3


async def test_a_refusal_is_not_tried_again(lnd: LndServer) -> None:
    lnd.denied.add(methods.GET_INFO)
    async with reader_of(lnd) as reader:
        with pytest.raises(NodeRefused):
            await reader.node_info()
    assert not lnd.calls[methods.GET_INFO]  # only calls that were let in are counted


async def test_a_rotated_macaroon_is_read_anew(lnd: LndServer) -> None:
    async with reader_of(lnd) as reader:
        await reader.node_info()
        lnd.rotate_macaroons()
        assert (await reader.node_info()).alias == "router"


async def test_a_rotated_certificate_is_read_anew(lnd: LndServer) -> None:
    async with reader_of(lnd) as reader:
        await reader.node_info()
        await lnd.rotate_certificate()
        assert (await reader.node_info()).alias == "router"


async def test_a_credential_that_is_missing_while_it_is_replaced_is_waited_for(lnd: LndServer) -> None:
    """At the start it is the operator's mistake; later it is most likely LND writing a new one."""
    certificate = lnd.directory.tls_cert.read_bytes()
    async with reader_of(lnd) as reader:
        lnd.directory.tls_cert.write_bytes(b"")
        with pytest.raises(ConfigurationError, match="not a PEM certificate"):
            await reader.node_info()
        lnd.directory.tls_cert.write_bytes(certificate)
        await reader.node_info()
        lnd.directory.tls_cert.write_bytes(b"")
        with pytest.raises(NodeUnavailable, match="not a PEM certificate"):
            await reader.node_info()
        with pytest.raises(NodeUnavailable, match="not a PEM certificate"):
            await asyncio.to_thread(reader.htlc_stream().run, lambda raw: None)
        lnd.directory.tls_cert.write_bytes(certificate)
        await reader.node_info()


@pytest.mark.parametrize(
    "method",
    [methods.UPDATE_CHANNEL_POLICY, methods.SEND_PAYMENT_V2, methods.ADD_INVOICE, "/lnrpc.Lightning/StopDaemon"],
)
async def test_a_method_that_is_not_for_reading_never_reaches_the_socket(lnd: LndServer, method: str) -> None:
    client = LndClient(
        connection_to(lnd, macaroon_path=lnd.directory.macaroon("admin"), allow_spending_credential=True)
    )
    with pytest.raises(PermissionError, match="not one of the methods"):
        await client.call(method, pb.PolicyUpdateRequest(), pb.PolicyUpdateResponse)
    with pytest.raises(PermissionError, match="not one of the methods"):
        await anext(client.stream(method, pb.SendPaymentRequest(), pb.Payment))
    await client.close()
    assert not lnd.calls
    assert not lnd.changing_calls


async def test_the_state_is_asked_without_the_macaroon(lnd: LndServer, tmp_path: Path) -> None:
    lnd.lock_macaroon_store()
    async with reader_of(lnd) as reader:
        assert await reader.get_state() == pb.SERVER_ACTIVE
        with pytest.raises(NodeUnavailable, match="shutting down, or its wallet is locked"):
            await reader.node_info()


async def test_lndconnect_is_enough(lnd: LndServer, tmp_path: Path) -> None:
    import base64
    import ssl

    der = ssl.PEM_cert_to_DER_cert(lnd.directory.tls_cert.read_text())
    cert = base64.urlsafe_b64encode(der).decode().rstrip("=")
    macaroon = base64.urlsafe_b64encode(lnd.directory.macaroon("monitor").read_bytes()).decode().rstrip("=")
    uri = f"lndconnect://{lnd.target}?cert={cert}&macaroon={macaroon}"
    file = tmp_path / "lndconnect.txt"
    file.write_text(uri + "\n")
    for options in ({"grpc_host": uri}, {"lndconnect_file": file, "grpc_host": None}):
        async with reader_of(lnd, lnd_dir=None, **options) as reader:
            await reader.wait_until_ready()
            assert macaroon not in repr(reader.connection)


async def test_doctor_sees_until_when_the_certificate_is_valid(lnd: LndServer) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    await lnd.rotate_certificate(self_signed_certificate(not_after=end))
    report = await asyncio.to_thread(probe_certificate, connection_to(lnd))
    assert report == CertificateReport(expires_at=end)


async def test_doctor_sees_what_is_wrong_with_the_certificate(lnd: LndServer, tmp_path: Path) -> None:
    async def problem(**options: object) -> str:
        report = await asyncio.to_thread(probe_certificate, connection_to(lnd, **options))
        assert report.expires_at is None
        return report.problem or ""

    other = tmp_path / "other.cert"
    other.write_bytes(self_signed_certificate().cert_pem)
    assert "not accepted" in await problem(cert_path=other)
    now = datetime.now(UTC)
    await lnd.rotate_certificate(
        self_signed_certificate(not_before=now - timedelta(days=500), not_after=now - timedelta(days=1))
    )
    assert "certificate has expired" in await problem()
    async with await asyncio.start_server(_serve_plain_text, "127.0.0.1", 0) as server:
        assert "no TLS there" in await problem(grpc_host=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await lnd.stop()
    assert "no connection" in await problem()
