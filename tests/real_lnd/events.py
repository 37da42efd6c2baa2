"""B's own words about what happened: its HTLC events, recorded over REST beside whatever is under test."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.real_lnd.processes import Json, Node, NodeError
from tests.real_lnd.scenario import Cause, Seen
from tests.real_lnd.wait import POLL_S, wait_until

DETAIL_IS_CAUSE = {
    "INSUFFICIENT_BALANCE",
    "HTLC_EXCEEDS_MAX",
    "LINK_NOT_ELIGIBLE",
    "HTLC_ADD_FAILED",
    "CIRCULAR_ROUTE",
    "FORWARDS_DISABLED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How one forwarded HTLC ended and what B's events showed of it."""

    cause: Cause
    in_scid: int
    out_scid: int  # the channel used, for refusals the one asked for
    in_msat: int
    out_msat: int
    amounts_seen: Seen
    forward_events: int


class EventLog:
    """Records B's events from ``with`` on, through its restarts."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._events: list[Json] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record, name=f"events of {node.name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until("the subscription to events", lambda: self._events)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()  # the thread itself ends with the node, or with this process

    @property
    def events(self) -> list[Json]:
        """What came so far, in order."""
        return list(self._events)

    def forwarded(self) -> list[Told]:
        """Return the ended HTLCs that B was to send on, in the order they were first seen."""
        histories: dict[tuple[int, int], list[Json]] = {}
        for event in self.events:
            if event["event_type"] == "FORWARD":
                key = int(event["incoming_channel_id"]), int(event["incoming_htlc_id"])
                histories.setdefault(key, []).append(event)
        return [told for history in histories.values() if (told := _told(history)) is not None]

    def _record(self) -> None:
        while not self._ended.is_set():
            try:
                for line in self._node.stream("/v2/router/htlcevents"):
                    if "result" in line:
                        self._events.append(line["result"])
            except (OSError, http.client.HTTPException, ValueError, NodeError):
                pass  # it restarts, and the next subscription waits for it
            self._ended.wait(POLL_S)


def _told(history: Iterable[Json]) -> Told | None:
    """Join the events of one HTLC; the last forward event has the channel used."""
    cause: Cause | None = None
    info = {"incoming_amt_msat": "0", "outgoing_amt_msat": "0"}
    out_scid = in_scid = forward_events = 0
    for event in history:
        in_scid = int(event["incoming_channel_id"])
        out_scid = int(event["outgoing_channel_id"])
        if "forward_event" in event:
            info = event["forward_event"]["info"]
            forward_events += 1
        elif "settle_event" in event:
            cause = Cause.SETTLED
        elif "forward_fail_event" in event:
            cause = Cause.DOWNSTREAM
        elif "link_fail_event" in event:
            refusal = event["link_fail_event"]
            cause = _cause(refusal)
            if int(refusal["info"]["incoming_amt_msat"]):
                info = refusal["info"]
    if cause is None:
        return None
    in_msat, out_msat = int(info["incoming_amt_msat"]), int(info["outgoing_amt_msat"])
    return Told(
        cause=cause,
        in_scid=in_scid,
        out_scid=out_scid,
        in_msat=in_msat,
        out_msat=out_msat,
        amounts_seen="both" if out_msat else "incoming" if in_msat else "none",
        forward_events=forward_events,
    )


def _cause(refusal: Json) -> Cause:
    detail, code = refusal["failure_detail"], refusal["wire_failure"]
    if code == "INVALID_ONION_PAYLOAD":
        return Cause.INVALID_ONION
    return Cause((detail if detail in DETAIL_IS_CAUSE else code).lower())
