"""What a macaroon may do, from its own bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.nodes.lnd.bake import bake_command, monitor_methods
from lnflow.nodes.lnd.macaroon import REQUIRED_PERMISSION, read_powers
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server.macaroons import ADMIN, FEES, MONITOR, READONLY, Bakery

BAKERY = Bakery(b"0" * 32)


@pytest.mark.parametrize(
    ("permissions", "can_spend"),
    [
        (MONITOR, False),
        (READONLY, False),
        (FEES, False),
        (ADMIN, True),
        ((("offchain", "write"),), True),
        ((("onchain", "write"),), True),
        ((("macaroon", "generate"),), True),  # bakes itself whatever it likes
        ((("signer", "generate"),), True),
        ((("invoices", "write"), ("address", "write"), ("peers", "write"), ("info", "write")), False),
        ((("uri", methods.SEND_PAYMENT_V2),), True),
        ((("uri", "/lnrpc.Lightning/SendCoins"),), True),
        ((("uri", "/some.Service/OfALaterLnd"),), True),
        ((("some entity of a later LND", "write"),), True),
        ((("some entity of a later LND", "read"),), False),
        (tuple(("uri", method) for method in monitor_methods()), False),
    ],
)
def test_who_can_spend(permissions: tuple[tuple[str, str], ...], can_spend: bool) -> None:
    powers = read_powers(BAKERY.bake(permissions))
    assert powers.known
    assert powers.can_spend is can_spend


def test_the_short_and_the_long_bake_command_both_allow_all_we_call() -> None:
    for permissions in (MONITOR, tuple(("uri", method) for method in monitor_methods())):
        assert read_powers(BAKERY.bake(permissions)).missing() == []


def test_what_is_missing_is_named() -> None:
    powers = read_powers(BAKERY.bake((("info", "read"), ("uri", methods.LIST_CHANNELS))))
    assert methods.SUBSCRIBE_HTLC_EVENTS in powers.missing()
    assert methods.LIST_CHANNELS not in powers.missing()
    assert methods.GET_STATE not in powers.missing()
    assert powers.allows(methods.GET_STATE)


def test_every_method_we_read_with_has_its_permission() -> None:
    assert set(REQUIRED_PERMISSION) == methods.READ_METHODS - methods.METHODS_WITHOUT_MACAROON
    assert set(monitor_methods()) == set(REQUIRED_PERMISSION)


def test_what_cannot_be_told_counts_as_able_to_spend() -> None:
    version_1 = b"0016location lnd\n"
    for macaroon in (b"", b"\x02", b"junk", version_1, b"\x02\x02\x05\x02abcd", b"\x02\x02\x01\x03\x00"):
        powers = read_powers(macaroon)
        assert not powers.known
        assert powers.can_spend
        assert powers.allows(methods.GET_INFO)  # LND will say


@given(st.binary(max_size=64))
def test_any_bytes_are_read_without_an_error(macaroon: bytes) -> None:
    assert read_powers(b"\x02" + macaroon).can_spend in (True, False)


@given(st.integers(1, 200))
def test_a_macaroon_cut_short_is_not_mistaken_for_a_weaker_one(cut: int) -> None:
    whole = BAKERY.bake(ADMIN)
    assert read_powers(whole[:-cut]).can_spend


def test_the_command_is_one_line_for_that_node() -> None:
    command = bake_command(rpc_server="localhost:10009", network="mainnet")
    assert command.startswith("lncli bakemacaroon --save_to=monitor.macaroon --root_key_id=101 uri:/")
    assert "\n" not in command
    assert "uri:/routerrpc.Router/SubscribeHtlcEvents" in command
    assert "State/" not in command  # bakemacaroon refuses methods that need no macaroon
    assert "--network=signet --rpcserver=box:10010 " in bake_command(rpc_server="box:10010", network="signet")
