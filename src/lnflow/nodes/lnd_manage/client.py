"""A read-only client of lnd-manageJ's REST interface."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2 as httpx

from lnflow.domain.errors import ConfigurationError, NodeRefused, NodeUnavailable

_ID = r"[0-9]+|[0-9]+[x:][0-9]+[x:][0-9]+|[0-9a-f]{64}:[0-9]+"
_KEY = r"0[23][0-9a-f]{64}"
_REPORTS = r"details|balance|fee-report|flow-report|rating|warnings"
_ALLOWED = re.compile(
    r"/api/(?:"
    r"status/(?:synced-to-chain|block-height|known-channels|open-channels|all-channels|open-channels/pubkeys"
    r"|all-channels/pubkeys)"
    rf"|channel/(?:{_ID})/(?:|policies|close-details|open-costs|close-costs|sweep-costs|{_REPORTS})"
    rf"|node/{_KEY}/(?:alias|open-channels|all-channels|on-chain-costs|{_REPORTS})"
    r"|warnings"
    r")"
)
DEADLINE_S = 30.0
"""First calls fill lnd-manageJ's caches and can take seconds."""


class LndManageClient:
    """Facts that lnd-manageJ has: `async with LndManageClient("http://localhost:8081") as manage`."""

    def __init__(self, url: str = "http://localhost:8081") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"lnd-manageJ address {url!r}: write http://HOST:PORT (its default port is 8081)")
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(base_url=self._url, timeout=DEADLINE_S, follow_redirects=False, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str) -> Any:
        """Return the JSON (or text) at an allowed path, None if lnd-manageJ knows no such thing.

        `PermissionError` for a path that is not on the allow-list, `NodeUnavailable` if it does not answer,
        `NodeRefused` for an answer that is none.
        """
        if not _ALLOWED.fullmatch(path):
            raise PermissionError(f"{path} is not one of the lnd-manageJ paths that lnflow may read")
        try:
            response = await self._http.get(path)
        except httpx.HTTPError as exc:
            raise NodeUnavailable(f"lnd-manageJ at {self._url}: {type(exc).__name__}: {exc}") from exc
        if response.status_code == 404:
            return None
        if response.status_code >= 500:
            raise NodeUnavailable(f"lnd-manageJ at {self._url}: {path}: status {response.status_code}")
        if response.status_code != 200:
            raise NodeRefused(f"lnd-manageJ at {self._url}: {path}: status {response.status_code}")
        if not response.headers.get("content-type", "").startswith("application/json"):
            return response.text
        try:
            return response.json()
        except ValueError as exc:
            raise NodeRefused(f"lnd-manageJ at {self._url}: {path}: not JSON") from exc

    async def get_channel_details(self, channel_id: str) -> dict[str, Any] | None:
        """Return everything it knows of a channel; None for one it does not know."""
        return _object(await self.get(f"/api/channel/{channel_id}/details"))

    async def get_channel_warnings(self, channel_id: str) -> list[str]:
        """Return its warnings about a channel; empty if there are none or it is not known."""
        found = _object(await self.get(f"/api/channel/{channel_id}/warnings")) or {}
        return [str(w) for w in found.get("warnings", [])]

    async def get_node_alias(self, pubkey: str) -> str | None:
        """Return a node's name, None if it has none."""
        found = await self.get(f"/api/node/{pubkey}/alias")
        return str(found) or None if found is not None else None

    async def get_node_details(self, pubkey: str) -> dict[str, Any] | None:
        """Return everything it knows of a peer; None for one it does not know."""
        return _object(await self.get(f"/api/node/{pubkey}/details"))


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
