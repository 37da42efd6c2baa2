"""A recording of a real router with its truth, and the history that a plugin in that router would have had."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
from tests.integration.cln.schemas import fixture

from lnflow.nodes.cln.history import NodeHistory, Terms
from lnflow.nodes.cln.observer import observe
from lnflow.nodes.cln.wire import ForwardRow, PeerChannel
from lnflow.simulation.lightningd.recording import Moment, Recording


@dataclass(frozen=True)
class Truth:
    """One HTLC as it was sent, with the row that the node kept of it."""

    cause: str
    step: str
    out_msat: int
    htlc: dict[str, Any]
    row: ForwardRow


def recording(name: str) -> Recording:
    return Recording.load(fixture(name))


def expected(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(fixture(name, "expected.json").read_text())
    return loaded


def final_rows(record: Recording) -> dict[int, ForwardRow]:
    """Every row that ever was, as it was last."""
    rows: dict[int, ForwardRow] = {}
    for moment in record.moments:
        if moment.kind == "forwards":
            for row in msgspec.convert(moment.body, list[ForwardRow]):
                rows[row.created_index or 0] = row
    return rows


def truths(name: str, record: Recording) -> list[Truth]:
    """Match what was sent with the rows, in order; HTLCs without a row are left out."""
    rows = list(final_rows(record).values())
    found = []
    for step in expected(name)["steps"]:
        for htlc in step["htlcs"]:
            if not htlc["recorded"]:
                continue
            row = next(r for r in rows if (r.in_msat, r.status) == (htlc["in_msat"], htlc["status"]))
            rows.remove(row)
            found.append(Truth(htlc["cause"], step["name"], htlc["out_msat"], htlc, row))
    assert rows == []
    return found


def take(history: NodeHistory, moment: Moment) -> None:
    """Give the history what a plugin (and its own setchannel log) would have learnt at that moment."""
    match moment.kind:
        case "channels":
            history.add_snapshot(moment.at_ns, msgspec.convert(moment.body, list[PeerChannel]))
        case "setchannel":
            for channel in moment.body["reply"]["channels"]:
                terms = Terms(
                    channel["fee_base_msat"],
                    channel["fee_proportional_millionths"],
                    channel["minimum_htlc_out_msat"],
                    channel["maximum_htlc_out_msat"],
                )
                grace = moment.body["asked"].get("enforcedelay")
                history.add_policy(moment.at_ns, channel["channel_id"], terms, grace)
        case "forwards":
            for row in msgspec.convert(moment.body, list[ForwardRow]):
                history.add_row(row)
        case topic:
            observe(history, topic, moment.body.get(topic, moment.body), moment.at_ns)
