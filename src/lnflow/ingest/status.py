"""What the collector can say of itself: for the live view, the daemon's health and the tests."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class StreamState(Enum):
    """`OPEN` is the circuit breaker's: after several failures in a row we wait longer before the next try."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    RETRYING = "retrying"
    OPEN = "waiting, after repeated failures"
    STOPPED = "stopped"


class CollectorStatus(Struct, kw_only=True):
    """Changed in place by the collector; read it from anywhere."""

    stream: StreamState = StreamState.CONNECTING
    stream_trouble: str | None = None
    """Why the stream is not there; None while it is."""
    node_trouble: str | None = None
    """What else the node refused at the last try (a listing, its history)."""
    store_trouble: str | None = None
    """Why the last batch could not be stored yet; None once one was."""
    failures_in_row: int = 0
    retry_in_s: float | None = None
    subscriptions: int = 0
    events: int = 0
    attempts: int = 0
    backfilled: int = 0
    backfill_done: bool = False
    costs_done: bool = False
    """Payments and transactions were read once, or the node would not show them."""
    shed: int = 0
    queued: int = 0
    malformed: int = 0
    refused: int = 0
    """Facts that the store would not have."""
    last_event_ns: int | None = None
    last_commit_ns: int | None = None
    covered_since_ns: int | None = None

    @property
    def trouble(self) -> str | None:
        """What is wrong now, in words; None if nothing is."""
        found = (self.stream_trouble, self.node_trouble, self.store_trouble)
        return "; ".join(dict.fromkeys(text for text in found if text)) or None
