"""Notifications as facts of the history: who connected, which channel changed its state, when the node stopped."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from lnflow.nodes.cln.history import NodeHistory
from lnflow.nodes.cln.wire import ForwardRow, Msat, msat

TOPICS = ("channel_state_changed", "coin_movement", "connect", "disconnect", "forward_event", "shutdown")
"""What a plugin subscribes to."""
LINK_TOPICS = frozenset({"channel_state_changed", "connect", "disconnect"})
"""Those after which a channel may have become usable, or stopped being so."""


class PeerSeen(Struct, frozen=True, gc=False):
    """A peer came or went."""

    peer_id: str
    connected: bool


class StateChanged(Struct, frozen=True, gc=False):
    """A channel went into another state."""

    peer_id: str
    channel_id: str
    new_state: str
    short_channel_id: str | None = None


class OwnMoney(Struct, frozen=True, gc=False):
    """Our own payments moved the balance of a channel: up if positive."""

    channel_id: str
    change_msat: int


class Stopped(Struct, frozen=True, gc=False):
    """The node shut down."""


Observed = PeerSeen | StateChanged | OwnMoney | Stopped


class _Peer(Struct, frozen=True):
    id: str


class _Movement(Struct, frozen=True):
    """`primary_tag` since v25.09, `tags` before."""

    type: str
    account_id: str
    credit_msat: Msat
    debit_msat: Msat
    primary_tag: str | None = None
    tags: tuple[str, ...] = ()


def read_notice(topic: str, payload: Mapping[str, object]) -> Observed | ForwardRow | None:
    """Return what a notification tells of the node; a `forward_event` as a row (with its payment hash, no indexes).

    None for topics and movements that tell nothing here.  `msgspec.ValidationError` for another shape.
    """
    match topic:
        case "connect" | "disconnect":
            return PeerSeen(msgspec.convert(payload, _Peer).id, topic == "connect")
        case "channel_state_changed":
            return msgspec.convert(payload, StateChanged)
        case "coin_movement":
            move = msgspec.convert(payload, _Movement)
            tag = move.primary_tag or next(iter(move.tags), "")
            if (move.type, tag) == ("channel_mvt", "invoice"):
                return OwnMoney(move.account_id, msat(move.credit_msat) - msat(move.debit_msat))
        case "shutdown":
            return Stopped()
        case "forward_event":
            return msgspec.convert(payload, ForwardRow)
        case _:
            pass
    return None


def remember(history: NodeHistory, seen: Observed, at_ns: int) -> None:
    """Put what was observed at an instant into the history."""
    match seen:
        case PeerSeen():
            history.add_connection(at_ns, seen.peer_id, connected=seen.connected)
        case StateChanged():
            history.add_state(at_ns, seen.channel_id, seen.peer_id, seen.short_channel_id, seen.new_state)
        case OwnMoney():
            history.add_own_payment(at_ns, seen.channel_id, seen.change_msat)
        case Stopped():
            history.add_restart(at_ns)


def observe(history: NodeHistory, topic: str, payload: Mapping[str, object], at_ns: int) -> ForwardRow | None:
    """Take one notification; a `forward_event` is returned as a row, for what it says of the stream.

    Raises `msgspec.ValidationError` for a payload of another shape; other topics are ignored.
    """
    seen = read_notice(topic, payload)
    if isinstance(seen, ForwardRow) or seen is None:
        return seen
    remember(history, seen, at_ns)
    return None
