"""Judging the changes we made, and taking back those that hurt, by the same way to the node as all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, Policy
from lnflow.nodes.port import NodeReader
from lnflow.pricing.applying import Change
from lnflow.pricing.changes import PolicyValues, values_of
from lnflow.pricing.decision import Action, Decision, RollbackTerms
from lnflow.pricing.facts import ChannelFacts, PeerFacts, Unknown, balances_msat
from lnflow.pricing.guards import ChannelHistory, Pipeline, guard
from lnflow.pricing.rollback import BUCKET_S, MOST_BUCKETS, Bucket, Judgement, Outcome, Trial, judge
from lnflow.store.fee_journal import DONE, UPDATE, FeeChange, FeeJournal
from lnflow.store.intervals import within
from lnflow.store.price_history import PeriodRow, PriceHistory
from lnflow.store.reading import StoreReader

BUCKET_NS = BUCKET_S * 10**9
COVERED_SHARE = 0.95
LOOK_BACK = 4 * MOST_BUCKETS  # gaps in coverage may push the evidence further back


class Judged(Struct, frozen=True, kw_only=True):
    """One change of ours with what came of it."""

    change: FeeChange
    judgement: Judgement


class Record(Struct, frozen=True, kw_only=True):
    """What the store knows for judging: our last changes, revenue by period, what was covered."""

    changes: Sequence[FeeChange]
    starts: Mapping[str, int]
    """When the price before the last change was set, by channel point: older revenue is not its."""
    rows: Sequence[PeriodRow]
    covered: frozenset[int]
    closed: Mapping[str, frozenset[int]]


def load_record(database: Path, node_name: str | None, now_ns: int) -> Record:
    """Return what is known of the last change of each channel that its rule would roll back."""
    now_period = now_ns // BUCKET_NS
    first = now_period - LOOK_BACK
    with FeeJournal(database, node_name, read_only=True) as journal:
        changes = [c for c in journal.latest_written() if c.kind == UPDATE and c.result == DONE]
        if not changes:
            return Record(changes=[], starts={}, rows=[], covered=frozenset(), closed={})
        starts = journal.written_before(changes)
        with PriceHistory(database, journal.node_id) as history:
            rows = history.periods(first, now_period)
            closed = {
                c.channel_point: frozenset(history.closed_periods(c.channel_point, first, now_period))
                for c in changes
                if c.may_roll_back
            }
    with StoreReader(database, node_name) as store:
        intervals = list(store.coverage(first * BUCKET_NS, now_period * BUCKET_NS).intervals)
    return Record(
        changes=changes,
        starts=starts,
        rows=rows,
        covered=covered_periods(intervals, first, now_period),
        closed=closed,
    )


def covered_periods(intervals: Sequence[tuple[int, int]], first: int, last: int) -> frozenset[int]:
    """Return the periods in [first, last) of which we heard at least 95 %."""
    found = set()
    for period in range(first, last):
        heard = within(intervals, period * BUCKET_NS, (period + 1) * BUCKET_NS)
        if sum(b - a for a, b in heard) >= COVERED_SHARE * BUCKET_NS:
            found.add(period)
    return frozenset(found)


def judge_all(record: Record, present: Mapping[str, PolicyValues], now_ns: int) -> list[Judged]:
    """Return the judgement of every last change.  Pure."""
    return [
        Judged(change=change, judgement=judge(_trial(change, record, present, now_ns))) for change in record.changes
    ]


async def present_values(reader: NodeReader) -> tuple[dict[str, PolicyValues], dict[str, ChannelFacts]]:
    """Return the policies at the node now, and the facts that a rollback is recorded with."""
    states = await reader.list_channels()
    policies = {p.channel_point: p for p in await reader.list_policies(states)}
    values: dict[str, PolicyValues] = {}
    facts: dict[str, ChannelFacts] = {}
    for state in states:
        ours = _ours(policies.get(state.channel_point))
        if isinstance(ours, Policy):
            values[state.channel_point] = values_of(ours)
        local, remote = balances_msat(state)
        facts[state.channel_point] = ChannelFacts(
            channel_point=state.channel_point,
            scid=state.scid,
            peer=PeerFacts(pubkey=state.peer_pubkey, alias=state.peer_alias),
            capacity_sat=state.capacity_sat,
            local_msat=local,
            remote_msat=remote,
            ours=ours,
            active=state.active,
        )
    return values, facts


def reversals(
    judged: Sequence[Judged],
    facts: Mapping[str, ChannelFacts],
    histories: Mapping[str, ChannelHistory],
    pipeline: Pipeline,
    min_time_lock_delta: int,
) -> list[Change]:
    """Return what takes the hurtful changes back; a rollback keeps the hourly floor and the rails that are set.

    The former policy comes back as it was, except a time lock below what the node takes by now.
    """
    found = []
    for one in judged:
        change, judgement = one.change, one.judgement
        channel = facts.get(change.channel_point)
        if judgement.outcome is not Outcome.REVERT or judgement.revert_to is None or channel is None:
            continue
        former = judgement.revert_to
        delta = max(former.time_lock_delta, min_time_lock_delta)
        decision = Decision(
            channel_point=change.channel_point,
            scid=channel.scid,
            peer_pubkey=channel.peer.pubkey,
            action=Action.UPDATE,
            reason=f"rollback: {judgement.reason}",
            policy=change.rule,
            strategy=change.strategy,
            old=None if isinstance(channel.ours, Unknown) else values_of(channel.ours),
            new=msgspec.structs.replace(former, time_lock_delta=delta),
        )
        history = histories.get(change.channel_point, ChannelHistory())
        # the way back is upstream's kind of decision: it goes where it was, in one step, or not at all
        guarded = guard(decision, history, msgspec.structs.replace(pipeline, lnflow=False))
        found.append(Change(decision=guarded.decision, facts=channel, reverts=change.change_id))
    return found


def values_from(text: str | None) -> PolicyValues | None:
    return None if text is None else msgspec.json.decode(text, type=PolicyValues)


def _ours(policies: ChannelPolicies | None) -> Policy | Unknown:
    if policies is None or policies.ours is None:
        return Unknown("the node shows no policy of ours")
    return policies.ours


def _trial(change: FeeChange, record: Record, present: Mapping[str, PolicyValues], now_ns: int) -> Trial:
    point = change.channel_point
    old, new = values_from(change.old_values), values_from(change.new_values)
    assert old is not None
    assert new is not None
    at = (change.completed_ns or change.at_ns) // BUCKET_NS
    start = record.starts.get(point, 0) // BUCKET_NS + 1
    usable = record.covered - record.closed.get(point, frozenset())
    # the bucket of the change itself belongs to neither side: half of it was at the other price
    before = sorted(p for p in usable if start <= p < at)[-MOST_BUCKETS:]
    after = sorted(p for p in usable if at < p < now_ns // BUCKET_NS)[:MOST_BUCKETS]
    return Trial(
        channel_point=point,
        rule=change.rule or "",
        old=old,
        new=new,
        terms=RollbackTerms(enabled=change.may_roll_back, threshold=change.threshold),
        present=present.get(point, Unknown("the node no longer lists the channel")),
        before=_buckets(point, before, record.rows),
        after=_buckets(point, after, record.rows),
    )


def _buckets(point: str, periods: Sequence[int], rows: Sequence[PeriodRow]) -> tuple[Bucket, ...]:
    """Return the buckets of a channel; the rest are the channels with other peers (siblings take its traffic)."""
    own_peer = next((row.peer_id for row in rows if row.channel_point == point), None)
    sums = {period: [0, 0, 0, 0] for period in periods}
    for row in rows:
        total = sums.get(row.period)
        if total is None:
            continue
        if row.channel_point == point:
            total[0] += row.earned_msat
            total[1] += row.forwards
        elif own_peer is None or row.peer_id != own_peer:
            total[2] += row.earned_msat
            total[3] += row.forwards
    return tuple(
        Bucket(earned_msat=a, forwards=b, rest_earned_msat=c, rest_forwards=d)
        for _, (a, b, c, d) in sorted(sums.items())
    )
