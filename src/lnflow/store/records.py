"""What the store answers with: plain rows, ids as the store's small numbers, times in UTC nanoseconds."""

from __future__ import annotations

import msgspec
from msgspec import Struct, structs

from lnflow.domain.channel import ChannelState, Policy


class StoredNode(Struct, frozen=True, kw_only=True):
    node_id: int
    name: str
    pubkey: str | None
    alias: str | None
    implementation: str | None
    network: str | None
    version: str | None
    block_height: int | None
    seen_ns: int | None


class StoredSpan(Struct, frozen=True, kw_only=True):
    """First and last accounted time of all attempts, rollups included; None if there is none."""

    first_ns: int | None
    last_ns: int | None


class StoredCoverage(Struct, frozen=True, kw_only=True):
    """When we listened within a window: disjoint intervals in order; `first_ns` is the earliest ever."""

    first_ns: int | None
    last_ns: int | None
    intervals: tuple[tuple[int, int], ...]

    @property
    def covered_ns(self) -> int:
        return sum(until - since for since, until in self.intervals)


class FlowRow(Struct, frozen=True, gc=False):
    """Sums of one channel over a window, as incoming and as outgoing channel apart.

    `earned` and `sourced` are the same fees, credited to the channel they left and came in by.
    `_live` counts those seen in the stream; a backfilled forward is not among them.
    """

    chan: int
    in_settled: int
    in_settled_msat: int
    sourced_msat: int
    in_settled_live: int
    in_downstream: int
    in_refused: int
    in_refused_fee_msat: int
    in_pending: int
    out_settled: int
    out_settled_msat: int
    earned_msat: int
    out_settled_live: int
    out_downstream: int
    out_downstream_msat: int
    out_downstream_fee_msat: int
    out_refused: int
    out_refused_msat: int
    out_refused_fee_msat: int
    out_pending: int


class CauseRow(Struct, frozen=True, gc=False):
    cause: int
    attempts: int
    msat: int
    fee_msat: int


class RefusalRow(Struct, frozen=True, gc=False):
    chan: int
    cause: int
    attempts: int
    msat: int
    fee_msat: int


class PairRow(Struct, frozen=True, gc=False):
    """Attempts from one channel to another by outcome and cause."""

    in_chan: int
    out_chan: int
    outcome: int
    cause: int
    attempts: int
    msat: int
    fee_msat: int


class HourRow(Struct, frozen=True, gc=False):
    """Attempts of one hour of the whole node; cause 0 stands for what we did not refuse."""

    hour: int
    cause: int
    attempts: int
    msat: int
    fee_msat: int
    settled: int
    downstream: int


class WishRow(Struct, frozen=True, gc=False):
    """One refused wish, as `store/schema` describes it."""

    in_chan: int
    out_chan: int
    cause: int
    circumstance: int
    oversize: int
    first_ns: int
    last_ns: int
    attempts: int
    amount_out_msat: int | None
    fee_msat: int | None
    paid_msat: int
    recovered_ns: int | None


class Listed(Struct, frozen=True, kw_only=True, gc=False):
    """A channel in a listing: its balances then, and the rest (JSON of the last `ChannelState`)."""

    facts: str
    was_active: bool
    local_msat: int
    remote_msat: int
    unsettled_msat: int

    def state(self) -> ChannelState:
        return structs.replace(
            _state.decode(self.facts),
            active=self.was_active,
            local_msat=self.local_msat,
            remote_msat=self.remote_msat,
            unsettled_msat=self.unsettled_msat,
        )


_state = msgspec.json.Decoder(ChannelState)


class StoredChannel(Struct, frozen=True, kw_only=True, gc=False):
    """A channel of ours with what was last known of it before a time."""

    channel_id: int
    scid: int | None
    scids: tuple[int, ...]
    channel_point: str | None
    peer_id: int | None
    peer_pubkey: str | None
    peer_alias: str | None
    capacity_sat: int | None
    private: bool | None
    closed_height: int | None
    listed: Listed | None
    """As it was last listed; None: it never was."""
    state_ns: int | None
    active: bool | None
    active_ns: int | None
    ours: Policy | None
    ours_ns: int | None
    theirs: Policy | None

    @property
    def state(self) -> ChannelState | None:
        """Everything of the last listing; few answers need more of it than the balances."""
        return None if self.listed is None else self.listed.state()


class Usability(Struct, frozen=True, gc=False):
    """For how much of a window a channel's link is known to have been up, and watched at all."""

    chan: int
    active_ns: int
    watched_ns: int
