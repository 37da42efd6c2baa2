"""Macaroons as LND bakes and checks them; our own reader understands them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.nodes.lnd.macaroon import REQUIRED_PERMISSION, read_powers
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server.answers import ANSWERS
from lnflow.simulation.lnd_server.macaroons import (
    ADMIN,
    FEES,
    METHOD_PERMISSION,
    MONITOR,
    READONLY,
    Bakery,
    MacaroonRefused,
    Permission,
)


def test_every_served_method_has_its_permission() -> None:
    assert set(ANSWERS) <= set(METHOD_PERMISSION)
    assert {method: METHOD_PERMISSION[method] for method in REQUIRED_PERMISSION} == REQUIRED_PERMISSION


@pytest.mark.parametrize("powers", [ADMIN, READONLY, MONITOR])
def test_a_macaroon_that_may_read_reads_everything(powers: tuple[Permission, ...]) -> None:
    bakery = Bakery()
    baked = bakery.bake(powers).hex()
    for method in methods.READ_METHODS:
        bakery.check([baked], method)
        bakery.check([baked.upper()], method)


@pytest.mark.parametrize("powers", [READONLY, MONITOR])
def test_a_reading_macaroon_changes_nothing(powers: tuple[Permission, ...]) -> None:
    bakery = Bakery()
    with pytest.raises(MacaroonRefused, match=r"^permission denied$"):
        bakery.check([bakery.bake(powers).hex()], methods.UPDATE_CHANNEL_POLICY)


def test_a_fees_macaroon_may_call_exactly_its_methods() -> None:
    bakery = Bakery()
    baked = bakery.bake(FEES, root_key_id=102).hex()
    bakery.check([baked], methods.UPDATE_CHANNEL_POLICY)
    with pytest.raises(MacaroonRefused, match=r"^permission denied$"):
        bakery.check([baked], methods.SEND_PAYMENT_V2)


def test_our_reader_finds_the_powers() -> None:
    bakery = Bakery()
    assert read_powers(bakery.bake(MONITOR)).operations == frozenset(MONITOR)
    assert read_powers(bakery.bake(FEES)).operations == frozenset(FEES)
    assert read_powers(bakery.bake(ADMIN)).can_spend
    assert not read_powers(bakery.bake(READONLY)).can_spend


def test_another_nodes_macaroon_does_not_verify() -> None:
    stranger = Bakery().bake(ADMIN).hex()
    with pytest.raises(MacaroonRefused, match=r"^verification failed: signature mismatch after caveat verification$"):
        Bakery().check([stranger], methods.GET_INFO)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ([], "expected 1 macaroon, got 0"),
        (["00", "00"], "expected 1 macaroon, got 2"),
        ([""], "cannot determine data format of binary-encoded macaroon"),
        (["00ff"], "cannot determine data format of binary-encoded macaroon"),
        (["zz"], "encoding/hex: invalid byte"),
    ],
)
def test_what_is_no_macaroon_is_refused_in_lnds_words(sent: list[str], words: str) -> None:
    with pytest.raises(MacaroonRefused, match=words):
        Bakery().check(sent, methods.GET_INFO)


def test_the_state_service_needs_no_macaroon() -> None:
    Bakery().check([], methods.GET_STATE)


@given(st.data())
def test_a_changed_byte_never_gives_power(data: st.DataObject) -> None:
    """Flip any byte, or cut anywhere: it is refused, or it never was part of what is signed (location)."""
    bakery = Bakery(b"k" * 32)
    baked = bytearray(bakery.bake(MONITOR))
    place = data.draw(st.integers(0, len(baked) - 1))
    if data.draw(st.booleans()):
        baked[place] ^= data.draw(st.integers(1, 255))
        unsigned = range(3, 6)  # the text of the location field
        if place in unsigned:
            return
    else:
        del baked[place:]
    with pytest.raises(MacaroonRefused):
        bakery.check([baked.hex()], methods.GET_INFO)
