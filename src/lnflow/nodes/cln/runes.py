"""Runes: which ones lnflow asks for, and what one in hand could do, read from its own bytes.

A rune is base64url: 32 bytes of authentication, then its restrictions as text.  All restrictions must hold; each
is a choice of conditions.  Source: Core Lightning's `createrune`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable

from msgspec import Struct

from lnflow.domain.errors import InputError
from lnflow.nodes.cln.methods import FEE_METHODS, READ_METHODS

_AUTHENTICATION_BYTES = 32
_OPERATORS = "!=/^$~<>{}#"
_BY_PREFIX = ("list", "get")

SPENDING_METHODS = (
    "close", "createrune", "datastore", "delforward", "fundchannel", "keysend", "multifundchannel", "pay", "plugin",
    "renepay", "sendonion", "sendpay", "setchannel", "setconfig", "stop", "txprepare", "txsend", "withdraw", "xpay",
)  # fmt: skip
"""What a rune for reading has no business with: spending, changing the node, making further runes."""


class Rune(Struct, frozen=True):
    """`restrictions`: all must hold, of each any one condition."""

    restrictions: tuple[tuple[str, ...], ...]

    def may_call(self, method: str) -> bool:
        """Whether nothing in it speaks against the method; what depends on time, caller or parameters counts as yes.

        >>> rune = Rune((("method^list", "method=wait"), ("method/listdatastore",)))
        >>> [rune.may_call(m) for m in ("listforwards", "wait", "listdatastore", "pay")]
        [True, True, False, False]
        """
        return all(any(_allows(c, method) for c in choice) for choice in self.restrictions)


def parse_rune(text: str) -> Rune:
    """Return what the rune says of itself; raise `InputError` for what is no rune."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        plain = raw[_AUTHENTICATION_BYTES:].decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise InputError("it cannot be decoded as one") from None
    if len(raw) < _AUTHENTICATION_BYTES:
        raise InputError("it is too short for one")
    choices = [tuple(_split(part, "|")) for part in _split(plain, "&")] if plain else []
    if choices and len(choices[0]) == 1 and choices[0][0].startswith("="):
        choices = choices[1:]  # its number
    return Rune(tuple(choices))


def read_command(methods: Iterable[str] = READ_METHODS) -> str:
    """Return the command that makes a rune for reading: listings, and the few other methods that lnflow asks."""
    others = sorted(m for m in methods if not m.startswith(_BY_PREFIX))
    allowed = ["method^list", "method^get", *(f"method={m}" for m in others)]
    return _command([allowed, ["method/listdatastore"]])


def fee_command(most_ppm: int, most_base_msat: int) -> str:
    """Return the command that makes a rune for prices; the node itself then refuses more than the two caps.

    A condition on a name does not see parameters given by place, hence `parr0!`.
    """
    methods = [f"method={m}" for m in sorted(FEE_METHODS)]
    ppm = ["pnamefeeppm!", f"pnamefeeppm<{most_ppm + 1}"]
    base = ["pnamefeebase!", f"pnamefeebase<{most_base_msat + 1}"]
    return _command([methods, ppm, base, ["parr0!"]])


def _command(restrictions: list[list[str]]) -> str:
    return f"lightning-cli createrune restrictions='{json.dumps(restrictions, separators=(',', ':'))}'"


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that no backslash stands before."""
    parts, escaped = [""], False
    for letter in text:
        if escaped or letter not in ("\\", separator):
            parts[-1] += letter
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            parts.append("")
    return parts


def _allows(condition: str, method: str) -> bool:
    at = next((i for i, letter in enumerate(condition) if letter in _OPERATORS), len(condition))
    field, operator, value = condition[:at], condition[at : at + 1], condition[at + 1 :]
    return field != "method" or _METHOD_TESTS.get(operator, _never)(method, value)


def _never(method: str, value: str) -> bool:
    return False


_METHOD_TESTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda method, value: method == value,
    "/": lambda method, value: method != value,
    "^": lambda method, value: method.startswith(value),
    "$": lambda method, value: method.endswith(value),
    "~": lambda method, value: value in method,
    "{": lambda method, value: method < value,
    "}": lambda method, value: method > value,
    "#": lambda method, value: True,
}
