"""Answers of LND's gate and of gRPC: what may be tried again, what not, and what is said."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from lnflow.domain.errors import LnflowError, NodeRefused, NodeUnavailable
from lnflow.nodes.lnd.credentials import LndConnection
from lnflow.nodes.lnd.errors import NodeHasNone, translate, unless_replaced
from lnflow.nodes.lnd.wire import methods

CONNECTION = LndConnection(target="box:10009", network="signet")
UNKNOWN = grpc.StatusCode.UNKNOWN


def translated(details: str, code: grpc.StatusCode = UNKNOWN, method: str = methods.GET_INFO) -> LnflowError:
    return translate(code, details, method=method, connection=CONNECTION)


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ("wallet locked, unlock it to enable full RPC access", "lncli unlock"),
        ("wallet not created, create one to enable full RPC access", "lncli create"),
        ("waiting to start, RPC services not available", "leader"),
        ("the RPC server is in the process of starting up, but not yet ready to accept calls", "starting"),
        ("cannot retrieve macaroon: cannot get macaroon: macaroon store is locked", "shutting down"),
        ("subscription server shutting down", "shutting down"),
        ("htlc event subscription terminated", "ended the event stream"),
        ("unknown fail resolution: htlc invoice type mismatch", "before 0.21"),
        ("something of a later LND", "GetInfo failed: something of a later LND"),
    ],
)
def test_what_passes_may_be_tried_again(details: str, words: str) -> None:
    error = translated(details)
    assert isinstance(error, NodeUnavailable)
    assert "LND at box:10009" in str(error)
    assert words in str(error)


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ("verification failed: signature mismatch after caveat verification", "another node"),
        ("cannot retrieve macaroon: cannot get macaroon: root key with id 101 doesn't exist", "revoked"),
        ("cannot determine data format of binary-encoded macaroon", "no macaroon was sent"),
        ("expected 1 macaroon, got 0", "no macaroon was sent"),
        ("permission denied", "does not allow GetInfo"),
    ],
)
def test_a_macaroon_that_is_refused_stays_refused(details: str, words: str) -> None:
    error = translated(details)
    assert isinstance(error, NodeRefused)
    assert words in str(error)


def test_a_lack_of_permission_comes_with_the_command_that_mends_it() -> None:
    message = str(translated("permission denied", method=methods.SUBSCRIBE_HTLC_EVENTS))
    assert "does not allow SubscribeHtlcEvents" in message
    [command] = [line for line in message.splitlines() if "lncli" in line]
    assert "--network=signet --rpcserver=box:10009 bakemacaroon" in command
    assert f"uri:{methods.SUBSCRIBE_HTLC_EVENTS}" in command


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (grpc.StatusCode.NOT_FOUND, "edge not found"),  # since 0.20
        (UNKNOWN, "edge not found"),
        (UNKNOWN, "unable to find node"),
    ],
)
def test_what_lnd_does_not_know_is_told_apart(code: grpc.StatusCode, details: str) -> None:
    assert isinstance(translated(details, code), NodeHasNone)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_status_becomes_an_error_of_ours(code: grpc.StatusCode) -> None:
    error = translated("words", code)
    assert isinstance(error, NodeUnavailable | NodeRefused)
    assert "box:10009" in str(error)


def test_a_refusal_of_credentials_that_were_just_replaced_is_worth_another_try(tmp_path: Path) -> None:
    cert = tmp_path / "tls.cert"
    cert.write_text("old")
    connection = LndConnection(target="box:10009", cert_path=cert)
    seen = connection.file_stamps()
    refused = NodeRefused("the TLS certificate is not the one in --cert-path")
    assert unless_replaced(refused, seen, connection) is refused
    (tmp_path / "new").write_text("new")
    (tmp_path / "new").replace(cert)
    assert isinstance(unless_replaced(refused, seen, connection), NodeUnavailable)
    cert.unlink()
    assert isinstance(unless_replaced(refused, seen, connection), NodeUnavailable)
