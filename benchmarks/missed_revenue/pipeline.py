"""From a recording to a store, by the same joiner and writer as the collector, and what lnflow then says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lnflow.domain.channel import ChannelPolicies
from lnflow.domain.htlc import StreamEnded, Subscribed
from lnflow.ingest.join import Joiner
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, PolicyEvent
from lnflow.simulation.world import Recording, Snapshot
from lnflow.store.reading import LIVE
from lnflow.store.writing import StoreWriter

_BATCH = 5_000
_DOWN = (ChannelEventKind.INACTIVE, ChannelEventKind.PEER_OFFLINE)

Fact = ChannelEvent | PolicyEvent | Snapshot


def store_recording(recording: Recording, path: Path) -> None:
    """Write what a collector would have written, had it listened in the recording's covered time."""
    facts = _facts_heard(recording)
    with StoreWriter(path, "judged") as writer:
        since = recording.since_ns
        writer.bind_node(recording.node, since)
        writer.write_channels(since, recording.channels)
        writer.write_policies(recording.policies, since)
        writer.write_aliases(recording.aliases)
        _backfill(writer, recording, since)
        joiner = Joiner()
        fact = next(facts, None)
        for event in recording.heard_events():
            if isinstance(event, Subscribed | StreamEnded):
                continue
            while fact is not None and fact.at_ns <= event.at_ns:
                writer.write_batch(joiner.take())
                _write_fact(writer, recording, fact)
                fact = next(facts, None)
            joiner.add(event)
            if joiner.events >= _BATCH:
                writer.write_batch(joiner.take())
        writer.write_batch(joiner.take())
        for start, end in recording.covered:
            writer.cover(LIVE, start, end)
        _backfill(writer, recording, recording.until_ns)
        writer.upkeep(recording.until_ns)


def _facts_heard(recording: Recording) -> Iterator[Fact]:
    """Yield what was listed and told about channels and policies while somebody listened."""
    facts: list[Fact] = [*recording.channel_events, *recording.policy_events, *recording.snapshots]
    for fact in sorted(facts, key=lambda f: f.at_ns):
        if any(start <= fact.at_ns < end for start, end in recording.covered):
            yield fact


def _write_fact(writer: StoreWriter, recording: Recording, fact: Fact) -> None:
    match fact:
        case Snapshot():
            writer.write_channels(fact.at_ns, fact.channels, thin=True)
        case ChannelEvent(kind=kind) if kind in _DOWN:
            writer.set_online(fact.channel_point, fact.peer_pubkey, fact.at_ns, False)
        case ChannelEvent(kind=ChannelEventKind.ACTIVE):
            writer.set_online(fact.channel_point, None, fact.at_ns, True)
        case ChannelEvent():
            pass
        case PolicyEvent():
            state = next(c for c in recording.channels if c.scid == fact.scid)
            change = ChannelPolicies(
                scid=state.scid,
                channel_point=state.channel_point,
                peer_pubkey=state.peer_pubkey,
                ours=fact.policy,
                theirs=None,
                capacity_sat=state.capacity_sat,
            )
            writer.write_policies([change], fact.at_ns)


def _backfill(writer: StoreWriter, recording: Recording, until_ns: int) -> None:
    joiner = Joiner()
    for forward in recording.forwards:
        if forward.at_ns < until_ns:
            joiner.add_forward(forward)
    writer.write_batch(joiner.take())


def covered_share(recording: Recording) -> float:
    """Return how much of the recording was listened to, 0-1."""
    return sum(end - start for start, end in recording.covered) / (recording.until_ns - recording.since_ns)
