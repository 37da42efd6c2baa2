"""Runes: the documented ones are those lnflow means, and one in hand is read for what it could do."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from lnflow.domain.errors import InputError
from lnflow.nodes.cln.methods import FEE_METHODS, READ_METHODS
from lnflow.nodes.cln.runes import SPENDING_METHODS, Rune, fee_command, parse_rune, read_command

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "core-lightning.md"


def rune(plain: str) -> Rune:
    return parse_rune(base64.urlsafe_b64encode(bytes(range(32)) + plain.encode()).decode().rstrip("="))


def test_the_page_has_the_commands() -> None:
    page = PAGE.read_text()
    assert read_command() in page
    assert fee_command(5000, 10_000) in page


def test_a_rune_for_reading_allows_every_call_we_read_with_and_nothing_that_spends() -> None:
    methods = "|".join(["method^list", "method^get", *(f"method={m}" for m in READ_METHODS)])
    reader = rune(f"=17&{methods}&method/listdatastore")
    assert all(reader.may_call(m) for m in READ_METHODS)
    assert not any(reader.may_call(m) for m in SPENDING_METHODS)
    assert not reader.may_call("listdatastore")


@pytest.mark.parametrize(
    ("plain", "may", "may_not"),
    [
        ("", ["pay", "getinfo"], []),
        ("=0", ["pay", "getinfo"], []),
        ("=0&rate=60", ["pay"], []),
        ("=0&method=pay|method$info", ["pay", "getinfo"], ["withdraw"]),
        ("=0&method~chan&method{s", ["listchannels"], ["setchannel", "pay"]),
        ("=0&id=02ab|method=getinfo", ["pay"], []),  # depends on the caller: counts as yes
        ("=0&method=getinfo&time<5#later", ["getinfo"], ["pay"]),
        ("=0&#a comment\\&method=x", ["pay"], []),
        ("=0&method!", [], ["pay"]),
    ],
)
def test_conditions(plain: str, may: list[str], may_not: list[str]) -> None:
    read = rune(plain)
    assert [m for m in may if not read.may_call(m)] == []
    assert [m for m in may_not if read.may_call(m)] == []


@pytest.mark.parametrize("text", ["", "abc", "!!!", "ä" * 60])
def test_what_is_no_rune(text: str) -> None:
    with pytest.raises(InputError):
        parse_rune(text)


def test_a_rune_for_prices_names_every_parameter() -> None:
    command = fee_command(5000, 10_000)
    assert all(f'"method={m}"' in command for m in FEE_METHODS)
    assert '["parr0!"]' in command
