"""One way to ask a Core Lightning node, whatever carries it: a bounded reply, or a long one by elements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NoReturn, Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct

from lnflow.domain.errors import InputError, NodeUnavailable
from lnflow.nodes.cln.errors import PLUGIN_TERMINATED, SHUTTING_DOWN, RpcRefused

T = TypeVar("T")
MAX_REPLY_BYTES = 64 * 1024 * 1024
DEFAULT_TIMEOUT_S = 30.0


class ClnRpc(Protocol):
    """Asks the node.  Each call stands alone: no lock, no shared connection; cancelling one closes its own.

    Raises `NodeUnavailable` when the node cannot be reached, `OutcomeUnknown` (a `NodeUnavailable`) when the
    request went out and no answer came, `RpcRefused` when the node said no.
    """

    async def call(
        self,
        method: str,
        params: Mapping[str, object],
        reply: type[T],
        *,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
    ) -> T:
        """Return a reply that fits in memory (a page, a summary); None for `timeout_s` waits for ever."""

    def elements(
        self,
        method: str,
        params: Mapping[str, object],
        array: str,
        element: type[T],
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> AsyncIterator[list[T]]:
        """Yield the elements of an array in the reply as they arrive; `timeout_s` bounds each silence."""

    async def close(self) -> None: ...


NOTHING = Raw()


class RpcErrorBody(Struct, frozen=True):
    """The `error` member of a reply."""

    code: int = -1
    message: str = ""


class Envelope(Struct, frozen=True):
    """A JSON-RPC reply (or, with `method`, a notification that came between)."""

    id: str | int | None = None
    method: str | None = None
    result: Raw = NOTHING
    error: RpcErrorBody | None = None


decode_envelope = msgspec.json.Decoder(Envelope).decode


def decode_result(method: str, raw: bytes | Raw, reply: type[T]) -> T:
    """Return the typed reply; raise `NodeUnavailable` for a shape that this version does not understand."""
    try:
        return msgspec.json.decode(raw, type=reply)
    except msgspec.DecodeError as exc:
        raise NodeUnavailable(f"{method}: the node's reply has an unexpected shape: {exc}") from None


def convert_elements(method: str, values: Sequence[Any], element: type[T]) -> list[T]:
    """Return the typed elements, or raise as `decode_result` does."""
    try:
        return msgspec.convert(values, list[element])  # type: ignore[valid-type]  # a type made at run time
    except msgspec.ValidationError as exc:
        raise NodeUnavailable(f"{method}: an element of the reply has an unexpected shape: {exc}") from None


def raise_rpc_error(method: str, code: int, message: str) -> NoReturn:
    """Raise what a JSON-RPC error means to us."""
    if code in (SHUTTING_DOWN, PLUGIN_TERMINATED):
        raise NodeUnavailable(f"{method}: the node is shutting down or its plugin ended ({code}): {message}")
    raise RpcRefused(method, code, message)


def error_body(value: object) -> RpcErrorBody | None:
    """Return the error in a decoded `error` member, None if there is none."""
    if not isinstance(value, dict):
        return None
    try:
        return msgspec.convert(value, RpcErrorBody)
    except msgspec.ValidationError:
        return RpcErrorBody(message=str(value))


def malformed(method: str, exc: InputError | msgspec.MsgspecError) -> NodeUnavailable:
    """Return the error for bytes that are no reply."""
    return NodeUnavailable(f"{method}: the node's reply cannot be read: {exc}")
