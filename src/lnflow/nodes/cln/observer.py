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


class _StateChange(Struct, frozen=True):
    peer_id: str
    channel_id: str
    new_state: str
    short_channel_id: str | None = None


def observe(history: NodeHistory, topic: str, payload: Mapping[str, object], at_ns: int) -> ForwardRow | None:
    """Take one notification; a `forward_event` is returned as a row (with its payment hash, without indexes).

    Raises `msgspec.ValidationError` for a payload of another shape; other topics are ignored.
    """
    match topic:
        case "connect" | "disconnect":
            peer = msgspec.convert(payload, _Peer)
            history.add_connection(at_ns, peer.id, connected=topic == "connect")
        case "channel_state_changed":
            change = msgspec.convert(payload, _StateChange)
            history.add_state(at_ns, change.channel_id, change.peer_id, change.short_channel_id, change.new_state)
        case "coin_movement":
            move = msgspec.convert(payload, _Movement)
            tag = move.primary_tag or next(iter(move.tags), "")
            if (move.type, tag) == ("channel_mvt", "invoice"):
                change_msat = msat(move.credit_msat) - msat(move.debit_msat)
                history.add_own_payment(at_ns, move.account_id, change_msat)
        case "shutdown":
            history.add_restart(at_ns)
        case "forward_event":
            return msgspec.convert(payload, ForwardRow)
        case _:
            pass
    return None
