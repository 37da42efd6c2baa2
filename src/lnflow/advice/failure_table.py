"""The `failures` document: our own refusals by one key and cause, most frequent first."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import msgspec
from msgspec import Struct

from lnflow.advice.documents import FailureRow, GroupKey
from lnflow.analysis.facts import FailureFacts
from lnflow.domain.causes import Cause
from lnflow.domain.channel import ChannelFacts
from lnflow.domain.scid import scid_text
from lnflow.domain.time import HOUR_NS, iso_utc


class _Sum(Struct):
    attempts: int = 0
    attempted_msat: int = 0
    offered_fee_msat: int = 0


def failure_rows(
    by: GroupKey, failures: Sequence[FailureFacts], passed_on: Sequence[FailureFacts], channels: Sequence[ChannelFacts]
) -> list[FailureRow]:
    """Return the table.

    `failures` are refusals, `passed_on` the settled and downstream counts under the same keys (their cause is
    NONE).  The failure rate of a row is its share of all attempts under its key, this cause's and others'.
    """
    known = {c.channel_id: c for c in channels}
    key = _key_of(by, known)
    sums: dict[tuple[Hashable, Cause], _Sum] = {}
    examples: dict[Hashable, FailureFacts] = {}
    refused: dict[Hashable, int] = {}
    for f in failures:
        k = key(f)
        examples.setdefault(k, f)
        total = sums.setdefault((k, f.cause), _Sum())
        total.attempts += f.attempts
        total.attempted_msat += f.attempted_msat
        total.offered_fee_msat += f.offered_fee_msat
        refused[k] = refused.get(k, 0) + f.attempts
    settled: dict[Hashable, int] = {}
    downstream: dict[Hashable, int] = {}
    for f in passed_on:
        k = key(f)
        settled[k] = settled.get(k, 0) + (f.settled or 0)
        downstream[k] = downstream.get(k, 0) + (f.downstream or 0)

    rows = []
    for (k, cause), total in sums.items():
        attempts = refused[k] + settled.get(k, 0) + downstream.get(k, 0)
        rows.append(
            _named(
                by,
                examples[k],
                known,
                FailureRow(
                    cause=cause.text,
                    attempts=total.attempts,
                    attempted_msat=total.attempted_msat,
                    offered_fee_msat=total.offered_fee_msat,
                    settled=None if by == "cause" else settled.get(k, 0),
                    failure_rate=round(total.attempts / attempts, 4) if attempts else None,
                ),
            )
        )
    if by == "hour":
        return sorted(rows, key=lambda r: (str(r.hour), -r.attempts, r.cause))
    return sorted(rows, key=lambda r: (-r.attempts, r.cause, str(r.peer_pubkey), str(r.scid)))


def _key_of(by: GroupKey, known: dict[int, ChannelFacts]) -> Callable[[FailureFacts], Hashable]:
    def peer(channel_id: int | None) -> Hashable:
        channel = known.get(channel_id or 0)
        if channel is None:
            return None
        return ("peer", channel.peer_id) if channel.peer_id is not None else ("channel", channel.channel_id)

    match by:
        case "cause":
            return lambda f: ()
        case "peer":
            return lambda f: peer(f.channel_id)
        case "channel":
            return lambda f: f.channel_id
        case "in_peer":
            return lambda f: peer(f.in_channel_id)
        case "pair":
            return lambda f: (peer(f.in_channel_id), peer(f.channel_id))
        case "hour":
            return lambda f: f.hour


def _named(by: GroupKey, example: FailureFacts, known: dict[int, ChannelFacts], row: FailureRow) -> FailureRow:
    out = known.get(example.channel_id or 0)
    source = known.get(example.in_channel_id or 0)
    names: dict[str, str | None] = {}
    if by in ("peer", "channel", "pair"):
        names["peer_pubkey"] = out.peer_pubkey if out else None
        names["peer_alias"] = out.peer_alias if out else None
    if by in ("in_peer", "pair"):
        names["in_peer_pubkey"] = source.peer_pubkey if source else None
        names["in_peer_alias"] = source.peer_alias if source else None
    if by == "channel":
        names["scid"] = scid_text(out.scid) if out and out.scid is not None else None
        names["channel_point"] = out.channel_point if out else None
    if by == "hour":
        names["hour"] = iso_utc((example.hour or 0) * HOUR_NS)
    return msgspec.structs.replace(row, **names)
