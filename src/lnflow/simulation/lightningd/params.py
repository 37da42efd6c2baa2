"""Parameters of one RPC call: by position or by name, checked as lightningd checks them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_AMOUNT = re.compile(r"(\d+)(?:\.(\d+))?(msat|sat|btc)?")
_UNIT_DECIMALS = {"sat": 3, "btc": 11}
_SCID = re.compile(r"\d+x\d+x\d+")


class RpcFailure(Exception):
    """A JSON-RPC error that the node gives as its answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def bad_param(name: str, rule: str, value: object) -> RpcFailure:
    return RpcFailure(-32602, f"{name}: {rule}: invalid token '{value}'")


class Params:
    """What was asked, by name.  `null` by position means absent; by name it is an error (as on the node)."""

    def __init__(self, given: Mapping[str, Any] | Sequence[Any], names: Sequence[str]) -> None:
        if isinstance(given, Mapping):
            for name, value in given.items():
                if name not in names:
                    raise RpcFailure(-32602, f"unknown parameter: {name}")
                if value is None:
                    raise bad_param(name, "should not be null", "null")
            self.values = dict(given)
        else:
            if len(given) > len(names):
                raise RpcFailure(-32602, f"too many parameters: got {len(given)}, expected {len(names)}")
            self.values = {n: v for n, v in zip(names, given, strict=False) if v is not None}

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise bad_param(name, "should be a string", value)
        return value

    def required_text(self, name: str) -> str:
        if (value := self.text(name)) is None:
            raise RpcFailure(-32602, f"missing required parameter: {name}")
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in choices:
            raise bad_param(name, f"should be one of {', '.join(choices)}", value)
        return value

    def scid(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and _SCID.fullmatch(value) is None:
            raise bad_param(name, "should be a short_channel_id of form NxNxN", value)
        return value

    def number(self, name: str, *, bits: int) -> int | None:
        value: Any = self.values.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
            raise bad_param(name, f"should be an unsigned {bits} bit integer", value)
        return int(value)

    def required_number(self, name: str, *, bits: int) -> int:
        if (value := self.number(name, bits=bits)) is None:
            raise RpcFailure(-32602, f"missing required parameter: {name}")
        return value

    def flag(self, name: str) -> bool | None:
        value: Any = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise bad_param(name, "should be 'true' or 'false'", value)
        return value

    def msat(self, name: str) -> int | None:
        """An amount: an integer of msat, or text with a unit (`1000msat`, `1sat`, `0.00000001btc`)."""
        value = self.values.get(name)
        if value is None:
            return None
        match = _AMOUNT.fullmatch(str(value)) if not isinstance(value, bool) else None
        if match is None:
            raise bad_param(name, "should be a millisatoshi amount", value)
        whole, fraction, unit = match.groups()
        decimals = _UNIT_DECIMALS.get(unit or "msat", 0)
        if len(fraction or "") > decimals:
            raise bad_param(name, "should be a millisatoshi amount", value)
        return int(whole + (fraction or "").ljust(decimals, "0"))
