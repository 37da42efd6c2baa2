"""From the store's rows to the records the analysis takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import structs

from lnflow.analysis.facts import (
    ChannelDetails,
    ChannelFlow,
    CoverageFacts,
    DemandGroups,
    Departures,
    DownstreamTotal,
    EndGroups,
    FailureFacts,
    NodeFacts,
    OutcomeTotal,
    RefusalTotal,
    Scope,
    SettledTotal,
    Window,
    WindowFacts,
    WishFacts,
)
from lnflow.domain.causes import Cause, Circumstance, Outcome
from lnflow.domain.time import HOUR_NS, SECOND_NS
from lnflow.service.protocols import FailureStatsStore
from lnflow.store.records import FlowRow, RefusalRow, StoredChannel, Usability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lnflow.analysis.columns import Ints
    from lnflow.store.blocks import Block

SHED_COUNTER = "shed"


def load_scope(store: FailureStatsStore, window: Window) -> Scope:
    """Return which window is answered, and how much of it was covered."""
    coverage = store.coverage(window.since_ns, window.until_ns)
    span = store.span()
    node = store.node
    return Scope(
        node=NodeFacts(
            name=node.name,
            pubkey=node.pubkey,
            alias=node.alias,
            implementation=node.implementation,
            network=node.network,
        ),
        window=window,
        coverage=CoverageFacts(
            first_ns=coverage.first_ns, last_ns=coverage.last_ns, covered_s=coverage.covered_ns / SECOND_NS
        ),
        stored_since_ns=span.first_ns,
        stored_until_ns=span.last_ns,
        rounded=store.plan(window.since_ns, window.until_ns).rounded,
        shed_events=store.counters().get(SHED_COUNTER, 0),
    )


def load_window(store: FailureStatsStore, window: Window) -> WindowFacts:
    """Return everything `analyze` needs; all of it from one state of the store."""
    with store.consistent():
        since_ns, until_ns = window.since_ns, window.until_ns
        left, causes = store.departures(since_ns, until_ns)
        total = {name: sum(column.tolist()) for name, column in left.items()}
        confidences = store.confidences(since_ns, until_ns)
        return WindowFacts(
            scope=load_scope(store, window),
            settled=SettledTotal(
                forwards=total["out_settled"],
                amount_out_msat=total["out_settled_msat"],
                income_msat=total["earned_msat"],
            ),
            outcomes=OutcomeTotal(
                settled=total["out_settled_live"],
                failed_here=total["out_refused"],
                failed_downstream=total["out_downstream"],
                pending=total["out_pending"],
            ),
            downstream=DownstreamTotal(
                attempts=total["out_downstream"],
                attempted_msat=total["out_downstream_msat"],
                offered_fee_msat=total["out_downstream_fee_msat"],
            ),
            refusals=tuple(
                RefusalTotal(
                    cause=Cause(r.cause),
                    attempts=r.attempts,
                    attempted_msat=r.msat,
                    offered_fee_msat=r.fee_msat,
                    confidence=confidences.get(r.cause),
                )
                for r in causes
            ),
            demands=_demands(store.demands(since_ns, until_ns)),
            ends=_ends(store.served(since_ns, until_ns)),
            channels=tuple(store.channels_in_brief(until_ns)),
            departures=Departures(
                channel_id=left["chan"], out_msat=left["out_settled_msat"], earned_msat=left["earned_msat"]
            ),
        )


def _demands(rows: Block) -> DemandGroups:
    return DemandGroups(
        channel_id=_whole(rows["chan"]),
        cause=_whole(rows["cause"]),
        circumstance=_whole(rows["circumstance"]),
        amount_class=_whole(rows["amount_class"]),
        oversize=_whole(rows["oversize"]),
        attempts=_whole(rows["attempts"]),
        attempted_msat=_whole(rows["msat"]),
        offered_fee_msat=_whole(rows["fee_msat"]),
        demands=_whole(rows["demands"]),
        recovered=_whole(rows["recovered"]),
        open_msat=_whole(rows["open_msat"]),
        open_fee_msat=_whole(rows["open_fee_msat"]),
        open_fee_squares=rows["open_fee_squares"].astype(float),
        open_part_msat=_whole(rows["open_part_msat"]),
    )


def _ends(rows: Block) -> EndGroups:
    return EndGroups(
        channel_id=_whole(rows["chan"]),
        amount_class=_whole(rows["amount_class"]),
        settled=_whole(rows["arrived"]),
        downstream=_whole(rows["wishes"]) - _whole(rows["arrived"]),
        amount_msat=_whole(rows["amount_msat"]),
        part_msat=_whole(rows["part_msat"]),
        arrived_msat=_whole(rows["arrived_msat"]),
    )


def _whole(column: NDArray[Any]) -> Ints:
    return column.astype("int64", copy=False)


MOST_WISHES = 1_000  # of one peer and all causes, the largest; a face shows fewer


def load_wishes(store: FailureStatsStore, window: Window, channel_ids: Sequence[int]) -> list[WishFacts]:
    """Return the largest refused wishes for some channels."""
    return [
        WishFacts(
            in_channel_id=w.in_chan,
            channel_id=w.out_chan,
            cause=Cause(w.cause),
            circumstance=Circumstance(w.circumstance),
            oversize=bool(w.oversize),
            first_ns=w.first_ns,
            last_ns=w.last_ns,
            attempts=w.attempts,
            amount_out_msat=w.amount_out_msat,
            fee_msat=w.fee_msat,
            paid_msat=w.paid_msat,
            recovered=w.recovered_ns is not None,
        )
        for w in store.wishes(window.since_ns, window.until_ns, channel_ids, MOST_WISHES)
    ]


def load_channels(store: FailureStatsStore, at_ns: int) -> tuple[ChannelDetails, ...]:
    """Return every channel as it was last known at a time."""
    return tuple(_channel(c) for c in store.channels(at_ns))


def channel_flows(flows: Iterable[FlowRow], usability: Iterable[Usability]) -> tuple[ChannelFlow, ...]:
    """Return what passed each channel; with `usability` also those that were only watched."""
    up = {u.chan: u for u in usability}
    seen = {f.chan: f for f in flows if f.chan}
    return tuple(_flow(chan, seen.get(chan), up.get(chan)) for chan in sorted(seen.keys() | up.keys()))


def refusals_by_channel(rows: Iterable[RefusalRow]) -> list[FailureFacts]:
    return [
        FailureFacts(
            cause=Cause(r.cause),
            attempts=r.attempts,
            attempted_msat=r.msat,
            offered_fee_msat=r.fee_msat,
            channel_id=r.chan,
        )
        for r in rows
    ]


def passed_on_by_channel(rows: Iterable[FlowRow]) -> list[FailureFacts]:
    """Return what was seen to be passed on: a rate with backfilled forwards in it would be of uncovered time."""
    return [_passed_on(settled=f.out_settled_live, downstream=f.out_downstream, channel_id=f.chan) for f in rows]


def load_pairs(store: FailureStatsStore, window: Window) -> tuple[list[FailureFacts], list[FailureFacts], bool]:
    """Return refusals and what was passed on by pair of channels, and whether days were rounded."""
    rows, rounded = store.pairs(window.since_ns, window.until_ns)
    refused, passed = [], []
    for r in rows:
        if r.outcome == Outcome.REFUSED:
            refused.append(
                FailureFacts(
                    cause=Cause(r.cause),
                    attempts=r.attempts,
                    attempted_msat=r.msat,
                    offered_fee_msat=r.fee_msat,
                    in_channel_id=r.in_chan,
                    channel_id=r.out_chan,
                )
            )
        elif r.outcome in (Outcome.SETTLED, Outcome.DOWNSTREAM):
            settled = r.attempts if r.outcome == Outcome.SETTLED else 0
            passed.append(
                _passed_on(
                    settled=settled,
                    downstream=r.attempts - settled,
                    in_channel_id=r.in_chan,
                    channel_id=r.out_chan,
                )
            )
    return refused, passed, rounded


def load_hours(store: FailureStatsStore, window: Window) -> tuple[list[FailureFacts], list[FailureFacts]]:
    """Return refusals and what was passed on by hour; of an hour that the window cuts, what lies inside of it."""
    since_ns, until_ns = window.since_ns, window.until_ns
    first_ns, last_ns = -(-since_ns // HOUR_NS) * HOUR_NS, until_ns // HOUR_NS * HOUR_NS
    refused, passed = [], []
    for a, b in [(since_ns, until_ns)] if first_ns > last_ns else [(since_ns, first_ns), (last_ns, until_ns)]:
        if a < b:
            hour = a // HOUR_NS
            refused += [structs.replace(f, hour=hour) for f in refusals_by_channel(store.refusals(a, b))]
            passed += [structs.replace(f, hour=hour) for f in passed_on_by_channel(store.flows(a, b))]
    for r in store.hours(first_ns, last_ns) if first_ns < last_ns else ():
        if r.cause:
            refused.append(
                FailureFacts(
                    cause=Cause(r.cause),
                    attempts=r.attempts,
                    attempted_msat=r.msat,
                    offered_fee_msat=r.fee_msat,
                    hour=r.hour,
                )
            )
        else:
            passed.append(_passed_on(settled=r.settled, downstream=r.downstream, hour=r.hour))
    return refused, passed


def _passed_on(
    *,
    settled: int,
    downstream: int,
    in_channel_id: int | None = None,
    channel_id: int | None = None,
    hour: int | None = None,
) -> FailureFacts:
    return FailureFacts(
        cause=Cause.NONE,
        attempts=0,
        attempted_msat=0,
        offered_fee_msat=0,
        settled=settled,
        downstream=downstream,
        in_channel_id=in_channel_id,
        channel_id=channel_id,
        hour=hour,
    )


def _channel(c: StoredChannel) -> ChannelDetails:
    return ChannelDetails(
        channel_id=c.channel_id,
        scid=c.scid,
        scids=c.scids,
        channel_point=c.channel_point,
        peer_id=c.peer_id,
        peer_pubkey=c.peer_pubkey,
        peer_alias=c.peer_alias,
        capacity_sat=c.capacity_sat,
        local_msat=c.listed.local_msat if c.listed is not None else None,
        remote_msat=c.listed.remote_msat if c.listed is not None else None,
        balance_ns=c.state_ns,
        active=c.active,
        closed=c.closed_height is not None,
        fee_ppm=c.ours.fee_ppm if c.ours is not None else None,
        max_htlc_msat=c.ours.max_htlc_msat if c.ours is not None else None,
        ours=c.ours,
        theirs=c.theirs,
        private=c.private,
    )


def _flow(chan: int, flow: FlowRow | None, up: Usability | None) -> ChannelFlow:
    return ChannelFlow(
        channel_id=chan,
        in_forwards=flow.in_settled if flow else 0,
        in_msat=flow.in_settled_msat if flow else 0,
        out_forwards=flow.out_settled if flow else 0,
        out_msat=flow.out_settled_msat if flow else 0,
        earned_msat=flow.earned_msat if flow else 0,
        sourced_msat=flow.sourced_msat if flow else 0,
        out_refused=flow.out_refused if flow else 0,
        out_downstream=flow.out_downstream if flow else 0,
        active_s=up.active_ns / SECOND_NS if up else None,
        watched_s=up.watched_ns / SECOND_NS if up else None,
    )
