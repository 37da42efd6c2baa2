"""The methods of the fake node: parameters, rules and errors as the real one has them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lnflow.simulation.lightningd.channel import SETTABLE, Channel, Terms
from lnflow.simulation.lightningd.forwards import STATUSES
from lnflow.simulation.lightningd.listing import show_channel, show_closed, show_getinfo, show_graph
from lnflow.simulation.lightningd.node import FakeNode
from lnflow.simulation.lightningd.params import Params, RpcFailure, bad_param

Given = Mapping[str, Any] | Sequence[Any]
Method = Callable[[Params], Awaitable[dict[str, Any]]]
U32_MAX = 2**32 - 1
INDEXES = ("created", "updated", "deleted")


class Commands:
    """Calls by name.  `extra` methods (of plugins) are tried before unknown ones are refused."""

    def __init__(self, node: FakeNode) -> None:
        self.node = node
        self.calls: list[tuple[str, Given]] = []
        self.extra: dict[str, Callable[[Given], Awaitable[Any]]] = {}
        self.stopping = False
        self._waiting: set[asyncio.Event] = set()
        node.on_index_change(self._wake_waiters)
        self._methods: dict[str, tuple[tuple[str, ...], Method]] = {
            "autoclean-once": (("subsystem", "age"), self._autoclean_once),
            "autoclean-status": (("subsystem",), self._autoclean_status),
            "bkpr-listincome": (("consolidate_fees", "start_time", "end_time"), self._listincome),
            "check": ((), self._unreachable),
            "delforward": (("in_channel", "in_htlc_id", "status"), self._delforward),
            "feerates": (("style",), self._feerates),
            "getinfo": ((), self._getinfo),
            "help": (("command",), self._help),
            "listchannels": (("short_channel_id", "source", "destination"), self._listchannels),
            "listclosedchannels": (("id",), self._listclosedchannels),
            "listconfigs": (("config",), self._listconfigs),
            "listforwards": (
                ("status", "in_channel", "out_channel", "index", "start", "limit"),
                self._listforwards,
            ),
            "listnodes": (("id",), self._listnodes),
            "listpeerchannels": (("id", "short_channel_id", "channel_id"), self._listpeerchannels),
            "listtransactions": ((), self._listtransactions),
            "setchannel": (
                ("id", "feebase", "feeppm", "htlcmin", "htlcmax", "enforcedelay", "ignorefeelimits"),
                self._setchannel,
            ),
            "wait": (("subsystem", "indexname", "nextvalue"), self._wait),
        }
        if node.personality.has_moves:
            self._methods["listchannelmoves"] = (("index", "start", "limit"), self._listchannelmoves)
        if node.personality.has_network_events:
            self._methods["listnetworkevents"] = (("id", "index", "start", "limit"), self._listnetworkevents)

    async def call(self, method: str, given: Given) -> Any:
        """Return the result; raise `RpcFailure` with the node's code and text."""
        self.calls.append((method, given))
        if self.stopping:
            raise RpcFailure(-5, "lightningd is shutting down")
        if method == "check":
            return await self._check(given)
        if method in self.extra:
            return await self.extra[method](given)
        if method not in self._methods:
            raise RpcFailure(-32601, f"Unknown command '{method}'")
        names, run = self._methods[method]
        return await run(Params(given, names))

    def method_names(self) -> list[str]:
        return sorted({*self._methods, *self.extra})

    # -- forwards

    async def _listforwards(self, params: Params) -> dict[str, Any]:
        status = params.choice("status", STATUSES)
        in_channel, out_channel = params.scid("in_channel"), params.scid("out_channel")
        index = params.choice("index", ("created", "updated"))
        start = params.number("start", bits=64) or 0
        limit = params.number("limit", bits=32)
        filtered = in_channel is not None or out_channel is not None
        if index is None and (start or limit is not None):
            raise RpcFailure(-32602, "Can only specify {start} or {limit} with {index}")
        if filtered and start:
            raise RpcFailure(-32602, "Cannot use start with in_channel or out_channel")
        rows = self.node.forwards.page(
            index=index or "created", start=start, limit=None if filtered else limit, status=status
        )
        return {
            "forwards": [
                row.listed()
                for row in rows
                if in_channel in (None, row.in_channel) and out_channel in (None, row.out_channel)
            ]
        }

    async def _delforward(self, params: Params) -> dict[str, Any]:
        status = params.choice("status", ("settled", "local_failed", "failed"))
        row = self.node.forwards.find(
            params.scid("in_channel") or params.required_text("in_channel"),
            params.required_number("in_htlc_id", bits=64),
        )
        if row is None or row.status != status:
            raise RpcFailure(1401, "Could not find that forward")
        self.node.delete([row])
        return {}

    async def _autoclean_once(self, params: Params) -> dict[str, Any]:
        subsystem = params.choice("subsystem", ("failedforwards", "succeededforwards"))
        age_s = params.required_number("age", bits=64)
        wanted = ("settled",) if subsystem == "succeededforwards" else ("failed", "local_failed")
        oldest_ns = self.node.clock() - age_s * 1_000_000_000
        rows = [r for r in self.node.forwards if r.status in wanted and r.received_ns <= oldest_ns]
        cleaned = self.node.delete(rows)
        return {"autoclean": {subsystem: {"cleaned": cleaned, "uncleaned": 0}}}

    async def _autoclean_status(self, params: Params) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for subsystem in ("succeededforwards", "failedforwards"):
            age_s = self.node.autoclean_age_s.get(subsystem)
            shown[subsystem] = {"enabled": age_s is not None, "cleaned": 0}
            if age_s is not None:
                shown[subsystem]["age"] = age_s
        return {"autoclean": shown}

    def _wake_waiters(self) -> None:
        for changed in self._waiting:
            changed.set()

    async def _wait(self, params: Params) -> dict[str, Any]:
        subsystem = params.required_text("subsystem")
        if subsystem != "forwards":
            raise bad_param("subsystem", "unknown subsystem", subsystem)
        name = params.choice("indexname", INDEXES) or params.required_text("indexname")
        wanted = params.required_number("nextvalue", bits=64)
        forwards = self.node.forwards
        waited = wanted > getattr(forwards, name)
        await self._until(lambda: getattr(forwards, name) >= wanted)
        reply: dict[str, Any] = {"subsystem": "forwards", name: getattr(forwards, name)}
        if waited:
            row = next(iter(forwards.page(index="created", start=forwards.created, limit=1, status=None)), None)
            details = row.listed() if row is not None and name != "deleted" else {}
            hint = {
                k: details[k] for k in ("status", "in_channel", "in_htlc_id", "in_msat", "out_channel") if k in details
            }
            reply["details"] = hint
            if self.node.personality.has_wait_objects:
                reply["forwards"] = hint
        return reply

    async def _until(self, reached: Callable[[], bool]) -> None:
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            while not reached():
                changed.clear()
                await changed.wait()
        finally:
            self._waiting.discard(changed)

    # -- facts

    async def _getinfo(self, params: Params) -> dict[str, Any]:
        return show_getinfo(self.node)

    async def _help(self, params: Params) -> dict[str, Any]:
        wanted = params.text("command")
        names = [n for n in self.method_names() if wanted in (None, n)]
        if not names:
            raise RpcFailure(-32601, f"Unknown command '{wanted}'")
        return {"help": [{"command": name} for name in names]}

    async def _listconfigs(self, params: Params) -> dict[str, Any]:
        dust = [c.max_dust_msat for c in self.node.channels.values()] or [50_000_000]
        configs = {
            "max-dust-htlc-exposure-msat": {"value_msat": max(dust), "source": "default"},
            "max-concurrent-htlcs": {"value_int": self.node.max_concurrent_htlcs, "source": "default"},
        }
        wanted = params.text("config")
        if wanted is not None and wanted not in configs:
            raise RpcFailure(-32602, f"Unknown config option '{wanted}'")
        return {"configs": {n: v for n, v in configs.items() if wanted in (None, n)}}

    async def _listpeerchannels(self, params: Params) -> dict[str, Any]:
        wanted = [params.text("id"), params.scid("short_channel_id"), params.text("channel_id")]
        return {
            "channels": [
                show_channel(self.node, c)
                for c in self.node.channels.values()
                if wanted[0] in (None, c.peer_id)
                and wanted[1] in (None, c.scid, c.alias)
                and wanted[2] in (None, c.channel_id)
            ]
        }

    async def _listclosedchannels(self, params: Params) -> dict[str, Any]:
        peer_id = params.text("id")
        return {"closedchannels": [show_closed(self.node, c) for c in self.node.closed if peer_id in (None, c.peer_id)]}

    async def _listnodes(self, params: Params) -> dict[str, Any]:
        wanted = params.text("id")
        return {
            "nodes": [
                {
                    "nodeid": node_id,
                    "alias": alias,
                    "color": node_id[:6],
                    "last_timestamp": self.node.clock() // 1_000_000_000,
                    "features": "08a0",
                    "addresses": [],
                }
                for node_id, alias in self.node.aliases.items()
                if wanted in (None, node_id)
            ]
        }

    async def _listchannels(self, params: Params) -> dict[str, Any]:
        if len(params.values) > 1:
            raise RpcFailure(-32602, "Can only specify one of short_channel_id, source or destination")
        rows = show_graph(self.node, destination=params.text("destination"), source=params.text("source"))
        scid = params.scid("short_channel_id")
        return {"channels": [r for r in rows if scid in (None, r["short_channel_id"])]}

    async def _listchannelmoves(self, params: Params) -> dict[str, Any]:
        start, limit = params.number("start", bits=64) or 0, params.number("limit", bits=32)
        return {"channelmoves": self.node.moves[max(0, start - 1) :][:limit]}

    async def _feerates(self, params: Params) -> dict[str, Any]:
        style = params.choice("style", ("perkb", "perkw")) or params.required_text("style")
        scale = 1 if style == "perkb" else 4
        rates = {blocks: rate // scale for blocks, rate in self.node.feerates_perkb.items()}
        shown: dict[str, Any] = {
            "min_acceptable": 1000 // scale,
            "max_acceptable": 1_000_000 // scale,
            "floor": 1000 // scale,
            "estimates": [
                {"blockcount": blocks, "feerate": rate, "smoothed_feerate": rate} for blocks, rate in rates.items()
            ],
        }
        return {style: shown} if rates else {style: shown, "warning_missing_feerates": "no estimates yet"}

    async def _listincome(self, params: Params) -> dict[str, Any]:
        return {"income_events": self.node.income_events}

    async def _listtransactions(self, params: Params) -> dict[str, Any]:
        return {"transactions": self.node.transactions}

    async def _listnetworkevents(self, params: Params) -> dict[str, Any]:
        start, limit = params.number("start", bits=64) or 0, params.number("limit", bits=32)
        peer_id = params.text("id")
        events = [e for e in self.node.network_events if peer_id in (None, e["peer_id"])]
        return {"networkevents": [e for e in events if e["created_index"] >= start][:limit]}

    # -- setchannel

    async def _check(self, given: Given) -> dict[str, Any]:
        """Validate another method's parameters and do nothing; no clamp shows here."""
        if isinstance(given, Mapping):
            command = given.get("command_to_check")
            rest: Given = {k: v for k, v in given.items() if k != "command_to_check"}
        else:
            command, rest = (given[0] if given else None), given[1:]
        if command is None:
            raise RpcFailure(-32602, "missing required parameter: command_to_check")
        if command not in self._methods:
            raise RpcFailure(-32601, f"Unknown command '{command}'")
        params = Params(rest, self._methods[command][0])
        if command == "setchannel":
            self._asked_terms(params)
        return {"command_to_check": command}

    async def _unreachable(self, params: Params) -> dict[str, Any]:
        raise RpcFailure(-1, "check takes the parameters of another command")

    async def _setchannel(self, params: Params) -> dict[str, Any]:
        asked = self._asked_terms(params)
        grace_s = params.number("enforcedelay", bits=32)
        replies = []
        for channel, terms, warnings in asked:
            self.node.set_terms(channel, terms, grace_s=600 if grace_s is None else grace_s)
            reply: dict[str, Any] = {
                "peer_id": channel.peer_id,
                "channel_id": channel.channel_id,
                "fee_base_msat": terms.base_fee_msat,
                "fee_proportional_millionths": terms.fee_ppm,
                "minimum_htlc_out_msat": terms.htlc_min_msat,
                "maximum_htlc_out_msat": terms.htlc_max_msat,
                "ignore_fee_limits": params.flag("ignorefeelimits") is not False,
            }
            if channel.scid is not None:
                reply["short_channel_id"] = channel.scid
            replies.append(reply | warnings)
        return {"channels": replies}

    def _asked_terms(self, params: Params) -> list[tuple[Channel, Terms, dict[str, str]]]:
        target = params.required_text("id")
        base, ppm = params.msat("feebase"), params.number("feeppm", bits=32)
        low, high = params.msat("htlcmin"), params.msat("htlcmax")
        params.number("enforcedelay", bits=32)
        params.flag("ignorefeelimits")
        if base is not None and base > U32_MAX:
            raise bad_param("feebase", "must be less than 2^32", base)
        if low is not None and high is not None and high < low:
            raise RpcFailure(-1, "htlcmax cannot be less than htlcmin")
        return [self._clamped(c, base, ppm, low, high) for c in self._targets(target)]

    def _targets(self, target: str) -> list[Channel]:
        channels = self.node.channels.values()
        if target == "all":
            return [c for c in channels if c.state in SETTABLE]
        found = [c for c in channels if target in (c.scid, c.alias, c.channel_id)]
        if not found:
            found = [c for c in channels if c.peer_id == target and c.state in SETTABLE]
        if not found:
            raise RpcFailure(-32602, f"id: Couldn't find channel or peer: invalid token '{target}'")
        for channel in found:
            if channel.state not in SETTABLE:
                raise RpcFailure(-1, f"Channel is in state {channel.state.value}")
        return found

    def _clamped(
        self, channel: Channel, base: int | None, ppm: int | None, low: int | None, high: int | None
    ) -> tuple[Channel, Terms, dict[str, str]]:
        now = channel.terms
        warnings: dict[str, str] = {}
        if low is not None and low < channel.peer_min_htlc_msat:
            low = channel.peer_min_htlc_msat
            warnings["warning_htlcmin_too_low"] = "Set minimum to the lowest the peer allows"
        possible = channel.total_msat - channel.their_reserve_msat
        if high is not None and high > possible:
            high = possible
            warnings["warning_htlcmax_too_high"] = "Set maximum to the possible"
        terms = Terms(
            base_fee_msat=now.base_fee_msat if base is None else base,
            fee_ppm=now.fee_ppm if ppm is None else ppm,
            htlc_min_msat=now.htlc_min_msat if low is None else low,
            htlc_max_msat=now.htlc_max_msat if high is None else high,
        )
        return channel, terms, warnings
