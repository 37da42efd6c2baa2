"""A recording of a real node, played back by the fake one: the same rows, pages, channels and notifications.

A recording is a folder with `listforwards_pages.jsonl`, `listpeerchannels.jsonl`, `notifications.jsonl`,
`setchannel.jsonl`, `getinfo.json`, `listclosedchannels.json` and `listnodes.json`, as our recorder writes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from lnflow.simulation.lightningd.commands import Commands
from lnflow.simulation.lightningd.forwards import SECOND_NS, Row
from lnflow.simulation.lightningd.node import FakeNode
from lnflow.simulation.lightningd.params import Params
from lnflow.simulation.lightningd.personality import Personality


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something the recorded node said: `kind` is forwards, channels, setchannel or a notification's topic."""

    at_ns: int
    kind: str
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was recorded, in order of time."""

    moments: tuple[Moment, ...]
    getinfo: dict[str, Any]
    closed: list[dict[str, Any]]
    nodes: list[dict[str, Any]]

    @classmethod
    def load(cls, folder: Path) -> Recording:
        moments = [
            *(
                Moment(at_ns=int(m["_taken_at_ns"]), kind="forwards", body=m["forwards"])
                for m in _lines(folder / "listforwards_pages.jsonl")
            ),
            *(
                Moment(at_ns=int(m["_taken_at_ns"]), kind="channels", body=m["channels"])
                for m in _lines(folder / "listpeerchannels.jsonl")
            ),
            *(Moment(at_ns=int(m["_at_ns"]), kind="setchannel", body=m) for m in _lines(folder / "setchannel.jsonl")),
            *(
                Moment(at_ns=int(m["_received_at_ns"]), kind=m["method"], body=m["params"])
                for m in _lines(folder / "notifications.jsonl")
            ),
        ]
        moments.sort(key=lambda m: m.at_ns)
        return cls(
            moments=tuple(moments),
            getinfo=_load(folder / "getinfo.json"),
            closed=_load(folder / "listclosedchannels.json")["closedchannels"],
            nodes=_load(folder / "listnodes.json")["nodes"],
        )


class RecordedCommands(Commands):
    """The fake node's methods, where channels and the node itself are shown as they were recorded."""

    def __init__(self, node: FakeNode, recording: Recording) -> None:
        super().__init__(node)
        self.recording = recording
        self.channels: list[dict[str, Any]] = []

    async def _getinfo(self, params: Params) -> dict[str, Any]:
        return self.recording.getinfo | {"fees_collected_msat": self.node.fees_collected_msat}

    async def _listpeerchannels(self, params: Params) -> dict[str, Any]:
        return {"channels": self.channels}

    async def _listclosedchannels(self, params: Params) -> dict[str, Any]:
        return {"closedchannels": self.recording.closed}

    async def _listnodes(self, params: Params) -> dict[str, Any]:
        wanted = params.text("id")
        return {"nodes": [n for n in self.recording.nodes if wanted in (None, n["nodeid"])]}


class Player:
    """Plays a recording, one moment at a time; the clock of the node is the recording's."""

    def __init__(self, recording: Recording) -> None:
        info = recording.getinfo
        self.now_ns = recording.moments[0].at_ns
        self.node = FakeNode(
            Personality(version=info["version"]),
            node_id=info["id"],
            alias=info["alias"],
            clock=self._clock,
            network=info["network"],
            block_height=info["blockheight"],
        )
        self.commands = RecordedCommands(self.node, recording)
        self._moments = iter(recording.moments)
        self._rows: dict[int, Row] = {}

    def _clock(self) -> int:
        return self.now_ns

    def play(self, until: Callable[[Moment], bool] = lambda _: False) -> Iterator[Moment]:
        """Yield each moment after it was applied, to the end or until one satisfies `until`."""
        for moment in self._moments:
            self.now_ns = moment.at_ns
            self._apply(moment)
            yield moment
            if until(moment):
                return

    def _apply(self, moment: Moment) -> None:
        match moment.kind:
            case "forwards":
                for shown in moment.body:
                    self._take_row(shown)
            case "channels":
                self.commands.channels = moment.body
            case "setchannel":
                pass
            case topic:
                self.node.announce(topic, moment.body.get(topic, moment.body))

    def _take_row(self, shown: dict[str, Any]) -> None:
        row = _row(shown)
        old = self._rows.get(row.created_index)
        if old == row:
            return
        if old is not None:
            self.node.forwards.remove(old)
            self.node.forwards.deleted -= 1
        self.node.forwards.add(row)
        self._rows[row.created_index] = row
        if row.status == "settled" and (old is None or old.status != "settled"):
            self.node.fees_collected_msat += row.in_msat - (row.out_msat or 0)
        self.node.index_changed()


def _row(shown: dict[str, Any]) -> Row:
    return Row(
        created_index=shown["created_index"],
        updated_index=shown.get("updated_index"),
        in_channel=shown["in_channel"],
        in_htlc_id=shown["in_htlc_id"],
        in_msat=shown["in_msat"],
        out_channel=shown.get("out_channel"),
        out_htlc_id=shown.get("out_htlc_id"),
        out_msat=shown.get("out_msat"),
        status=shown["status"],
        failcode=shown.get("failcode"),
        failreason=shown.get("failreason"),
        failure_reason=shown.get("failure_reason"),
        style=shown.get("style"),
        received_ns=int(shown["received_time"] * SECOND_NS),
        resolved_ns=None if "resolved_time" not in shown else int(shown["resolved_time"] * SECOND_NS),
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line, parse_float=Decimal)


def _load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded
