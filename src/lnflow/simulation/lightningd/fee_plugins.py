"""Two other programs that set fees on the fake node, with the quirks of the real ones."""

from __future__ import annotations

from typing import Any

from lnflow.simulation.lightningd.commands import Commands, Given
from lnflow.simulation.lightningd.params import Params, RpcFailure

TAGS = frozenset({"lnfee", "open", "close", "balance"})


class FakeClboss:
    """`clboss-unmanage` replaces the tags of a node and splits at commas only; `clboss-status` joins with `, `."""

    def __init__(self, commands: Commands) -> None:
        self.tags: dict[str, frozenset[str]] = {}
        commands.extra["clboss-status"] = self._status
        commands.extra["clboss-unmanage"] = self._unmanage

    def may_set_fees(self, peer_id: str) -> bool:
        return "lnfee" not in self.tags.get(peer_id, frozenset())

    async def _status(self, given: Given) -> dict[str, Any]:
        shown = {node: ", ".join(sorted(tags)) for node, tags in self.tags.items() if tags}
        return {"unmanaged": {"comment": "Use 'clboss-unmanage' to disable management of some nodes."} | shown}

    async def _unmanage(self, given: Given) -> dict[str, Any]:
        params = Params(given, ("nodeid", "tags"))
        tags = frozenset(tag for tag in params.required_text("tags").split(",") if tag)
        if unknown := tags - TAGS:
            raise RpcFailure(-32602, f"Parameter error: Unknown tag: {min(unknown)}")
        self.tags[params.required_text("nodeid")] = tags
        return {}


class FakeFeeadjuster:
    """`feeadjuster-toggle` says what it was and what it is."""

    def __init__(self, commands: Commands, *, on: bool = True) -> None:
        self.on = on
        commands.extra["feeadjuster-toggle"] = self._toggle

    async def _toggle(self, given: Given) -> dict[str, Any]:
        value = Params(given, ("value",)).flag("value")
        previous, self.on = self.on, (not self.on if value is None else value)
        return {"forward_event_subscription": {"previous": previous, "current": self.on}}
