"""What a plugin declares: its options and methods, the notifications it wants, and that it hooks nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from lnflow.domain.errors import InputError

Progress = Callable[[int, int], None]
"""Tell how far a long method is: (done, of)."""


class Option(Struct, frozen=True, kw_only=True):
    """A setting in the node's config file or `plugin start`; without a default it is simply absent.

    lightningd checks the value against `kind` and gives it to us as that.
    """

    name: str
    description: str
    kind: Literal["string", "int", "bool"] = "string"
    default: str | int | bool | None = None


class Method(Struct, frozen=True, kw_only=True):
    """A command of ours in lightning-cli.  `parameters` in order; a name in brackets is optional."""

    name: str
    description: str
    parameters: tuple[str, ...] = ()
    run: Callable[[dict[str, Any], Progress], Awaitable[Any]]

    def bind(self, given: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
        """Return what was given by name; raise `InputError` for a parameter too many, unknown or missing."""
        names = [p.strip("[]") for p in self.parameters]
        if isinstance(given, Mapping):
            values = dict(given)
        elif len(given) <= len(names):
            values = {name: value for name, value in zip(names, given, strict=False) if value is not None}
        else:
            raise InputError(f"{self.name}: {len(given)} parameters given, at most {len(names)} are known")
        if unknown := sorted(set(values) - set(names)):
            raise InputError(f"{self.name}: unknown parameter {unknown[0]!r} (known: {', '.join(names) or 'none'})")
        missing = [n for n, p in zip(names, self.parameters, strict=True) if p == n and n not in values]
        if missing:
            raise InputError(f"{self.name}: {missing[0]} is missing")
        return values


def manifest(options: Sequence[Option], methods: Sequence[Method], subscriptions: Sequence[str]) -> dict[str, Any]:
    """Return the answer to `getmanifest`: dynamic, string ids, no hooks."""
    return {
        "options": [
            {"name": o.name, "type": o.kind, "description": o.description}
            | ({} if o.default is None else {"default": o.default})
            for o in options
        ],
        "rpcmethods": [
            {
                "name": m.name,
                "usage": " ".join(m.parameters),
                "description": m.description,
                "long_description": m.description,
            }
            for m in methods
        ],
        "subscriptions": list(subscriptions),
        "hooks": [],
        "dynamic": True,
        "nonnumericids": True,
    }
