"""The same calls over clnrest: HTTPS POST /v1/<method> with a rune, which the node itself restricts."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import httpx2 as httpx
import msgspec

from lnflow.domain.errors import ConfigurationError, InputError, NodeRefused, NodeUnavailable
from lnflow.nodes.cln.errors import OutcomeUnknown
from lnflow.nodes.cln.json_stream import ArrayReader
from lnflow.nodes.cln.methods import require_allowed
from lnflow.nodes.cln.rpc import (
    DEFAULT_TIMEOUT_S,
    MAX_REPLY_BYTES,
    RpcErrorBody,
    convert_elements,
    decode_result,
    malformed,
    raise_rpc_error,
)

T = TypeVar("T")
_CREATED = 201  # clnrest's success
_CONNECT_TIMEOUT_S = 10.0


class RestRpc:
    """Asks the clnrest at `url`, only the methods in `allowed`.  The rune never appears in a message."""

    def __init__(self, url: str, rune: str, *, allowed: frozenset[str], ca_file: Path | None = None) -> None:
        self._url = url.rstrip("/")
        self._allowed = allowed
        self._http = httpx.AsyncClient(
            headers={"Rune": rune},
            verify=_trust(ca_file),
            trust_env=False,
            timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S),
        )

    async def call(
        self,
        method: str,
        params: Mapping[str, object],
        reply: type[T],
        *,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
    ) -> T:
        async with self._asked(method, params, timeout_s) as response:
            return decode_result(method, await _bounded_body(method, response), reply)

    async def elements(
        self,
        method: str,
        params: Mapping[str, object],
        array: str,
        element: type[T],
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> AsyncIterator[list[T]]:
        parser = ArrayReader((array,))
        async with self._asked(method, params, timeout_s) as response:
            try:
                async for chunk in response.aiter_bytes():
                    if chunk and (values := parser.feed(chunk)):
                        yield convert_elements(method, values, element)
                if not parser.finished:
                    parser.feed(b"")
            except InputError as exc:
                raise malformed(method, exc) from None
        if not parser.found:
            raise NodeUnavailable(f"{method}: the node's reply has no {array!r}")

    async def close(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def _asked(
        self, method: str, params: Mapping[str, object], timeout_s: float | None
    ) -> AsyncIterator[httpx.Response]:
        require_allowed(method, self._allowed)
        timeout = httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S)
        try:
            async with self._http.stream(
                "POST", f"{self._url}/v1/{method}", json=dict(params), timeout=timeout
            ) as response:
                if response.status_code != _CREATED:
                    await self._refuse(method, response)
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            raise NodeUnavailable(
                f"{self._url}: cannot connect to clnrest ({exc}): is clnrest-port set, and is the certificate"
                " the one in ca_file?"
            ) from None
        except httpx.TransportError as exc:
            raise OutcomeUnknown(f"{method}: clnrest gave no answer: {type(exc).__name__}") from None

    async def _refuse(self, method: str, response: httpx.Response) -> None:
        body = await _bounded_body(method, response)
        error = _error_in(body)
        if response.status_code in (401, 403):
            raise NodeRefused(
                f"{method}: the rune does not allow it ({response.status_code}, {error.message}):"
                " make one with the recipe of docs/how-to/core-lightning.md"
            )
        if response.status_code >= 502:
            raise NodeUnavailable(f"{method}: clnrest answered {response.status_code}")
        raise_rpc_error(method, error.code, error.message)


def _trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(f"{ca_file}: not a readable PEM certificate: {exc}") from None


async def _bounded_body(method: str, response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise NodeUnavailable(f"{method}: a reply of more than {MAX_REPLY_BYTES} bytes: refused")
    return bytes(body)


def _error_in(body: bytes) -> RpcErrorBody:
    """clnrest gives the error bare; some versions wrap it in `error`."""
    try:
        value = msgspec.json.decode(body)
        return msgspec.convert(value.get("error", value) if isinstance(value, dict) else {}, RpcErrorBody)
    except msgspec.MsgspecError:
        return RpcErrorBody(message=body[:200].decode("utf-8", "replace"))
