"""Core Lightning's own JSON schemas as an oracle: a validator for the dialect they are written in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.recordings import FIXTURES, recorded

RECORDINGS = ("cln_regtest_v26.06.6", "cln_regtest_v24.11.2")

_HEX = re.compile(r"([0-9a-f]{2})*")
_SCID = re.compile(r"\d+x\d+x\d+")


def fixture(*parts: str) -> Path:
    return recorded(*parts)


def schema(version: str, name: str) -> dict[str, Any]:
    """The schema of a method or notification; v24.11 names them with a prefix."""
    folder = "v24.11" if version.startswith("v24.11") else "v26.06.6"
    for candidate in (f"{name}.json", f"lightning-{name}.json"):
        path = FIXTURES / "cln_schemas" / folder / candidate
        if path.exists():
            loaded: dict[str, Any] = json.loads(path.read_text())
            return loaded
    pytest.skip(f"no schema of {name} for {version}")


def _is_type(value: Any, kind: str) -> bool:
    """The types of CLN's dialect."""
    number = isinstance(value, int) and not isinstance(value, bool)
    match kind:
        case "u64" | "msat" | "sat":
            return number and 0 <= value < 1 << 64
        case "u32":
            return number and 0 <= value < 1 << 32
        case "u16":
            return number and 0 <= value < 1 << 16
        case "u8":
            return number and 0 <= value < 256
        case "integer":
            return number
        case "number":
            return number or isinstance(value, float)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "hash" | "secret" | "txid":
            return isinstance(value, str) and len(value) == 64 and _HEX.fullmatch(value) is not None
        case "pubkey":
            return isinstance(value, str) and len(value) == 66 and _HEX.fullmatch(value) is not None
        case "hex":
            return isinstance(value, str) and _HEX.fullmatch(value) is not None
        case "short_channel_id":
            return isinstance(value, str) and _SCID.fullmatch(value) is not None
        case "string":
            return isinstance(value, str)
        case _:
            return True


def problems(value: Any, rule: dict[str, Any], where: str = "$") -> list[str]:
    """What in `value` breaks the schema; empty if nothing does."""
    found: list[str] = []
    if (kind := rule.get("type")) is not None and not _is_type(value, kind):
        return [f"{where}: {value!r} is not {kind}"]
    if "enum" in rule and value not in rule["enum"]:
        found.append(f"{where}: {value!r} is none of {rule['enum']}")
    if "const" in rule and value != rule["const"]:
        found.append(f"{where}: {value!r} is not {rule['const']!r}")
    if isinstance(value, str) and len(value) > rule.get("maxLength", 1 << 30):
        found.append(f"{where}: too long")
    if isinstance(value, list) and isinstance(rule.get("items"), dict):
        for number, element in enumerate(value):
            found += problems(element, rule["items"], f"{where}[{number}]")
    if isinstance(value, dict):
        found += [f"{where}: no {name!r}" for name in rule.get("required", ()) if name not in value]
        known = rule.get("properties", {})
        for name, sub in known.items():
            if name in value and isinstance(sub, dict):
                found += problems(value[name], sub, f"{where}.{name}")
        if rule.get("additionalProperties") is False and known:
            found += [f"{where}: {name!r} is not in the schema" for name in value if name not in known]
    for part in rule.get("allOf", ()):
        found += problems(value, part, where)
    if "if" in rule:
        branch = rule.get("then" if not problems(value, rule["if"], where) else "else")
        if branch is not None:
            found += problems(value, branch, where)
    if "not" in rule and not problems(value, rule["not"], where):
        found.append(f"{where}: matches what it must not")
    if "oneOf" in rule and sum(not problems(value, part, where) for part in rule["oneOf"]) != 1:
        found.append(f"{where}: not exactly one of the alternatives")
    if "anyOf" in rule and all(problems(value, part, where) for part in rule["anyOf"]):
        found.append(f"{where}: none of the alternatives")
    return found


def reply_problems(version: str, method: str, reply: Any) -> list[str]:
    return problems(reply, schema(version, method)["response"])
