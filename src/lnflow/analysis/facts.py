"""What the analysis needs to know of one node and one window, as plain records.

Money is msat, times UTC nanoseconds.  None is "not known", never zero.  `channel_id` and `peer_id` are the
store's small numbers; channel 0 stands for every short channel id that is not ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from lnflow.domain.causes import Cause, Circumstance
from lnflow.domain.channel import ChannelFacts, Policy
from lnflow.domain.time import SECOND_NS

if TYPE_CHECKING:
    from lnflow.analysis.columns import Floats, Ints


class Window(Struct, frozen=True, kw_only=True, gc=False):
    """Half open: `since_ns` belongs to it, `until_ns` does not."""

    since_ns: int
    until_ns: int

    @property
    def length_s(self) -> float:
        return max(0, self.until_ns - self.since_ns) / SECOND_NS


class NodeFacts(Struct, frozen=True, kw_only=True, gc=False):
    name: str
    pubkey: str | None
    alias: str | None
    implementation: str | None
    network: str | None


class CoverageFacts(Struct, frozen=True, kw_only=True, gc=False):
    """When we listened.  `first_ns` is the first covered instant of all, `covered_s` lies in the window."""

    first_ns: int | None
    last_ns: int | None
    covered_s: float


class ChannelDetails(ChannelFacts, frozen=True, kw_only=True, gc=False):
    """What a listing says of a channel beyond that: every id, the link, the policies of both ends."""

    scids: tuple[int, ...]
    active: bool | None
    ours: Policy | None
    theirs: Policy | None
    private: bool | None = None


class DemandGroups(Struct, frozen=True, kw_only=True):
    """Refused wishes to leave by one channel, alike in cause, circumstance and size: a group a row, as columns.

    `attempts` counts every try, `demands` each wish once.  `recovered` are the wishes of which a later try
    was passed on or settled; the `open_` figures leave them out and are once per wish.
    """

    channel_id: Ints
    cause: Ints
    circumstance: Ints
    amount_class: Ints
    """-1: the node gave no amounts (LND's HTLC_ADD_FAILED)."""
    oversize: Ints
    """1: more than the largest channel with that peer could ever hold."""
    attempts: Ints
    attempted_msat: Ints
    offered_fee_msat: Ints
    demands: Ints
    recovered: Ints
    open_msat: Ints
    open_fee_msat: Ints
    open_fee_squares: Floats
    """Sum of the squares of the open fees, msat squared: how unequal the wishes are."""
    open_part_msat: Ints
    """The open wishes as far as their first part was shown."""

    def taken(self, rows: Ints) -> DemandGroups:
        """Return some of the groups, in the order of their numbers."""
        return DemandGroups(**{name: getattr(self, name).take(rows) for name in self.__struct_fields__})

    @property
    def unserved(self) -> Ints:
        return self.demands - self.recovered


class WishFacts(Struct, frozen=True, kw_only=True, gc=False):
    """One refused wish; `paid_msat` is what its later tries paid us after all."""

    in_channel_id: int
    channel_id: int
    cause: Cause
    circumstance: Circumstance
    oversize: bool
    first_ns: int
    last_ns: int
    attempts: int
    amount_out_msat: int | None
    fee_msat: int | None
    paid_msat: int
    recovered: bool


class EndGroups(Struct, frozen=True, kw_only=True):
    """What became of the wishes that we passed on at once by one channel, seen live in covered time, as columns.

    `settled` paid us (for more than half of what they wanted), `downstream` did not: a later hop failed them.
    """

    channel_id: Ints
    amount_class: Ints
    settled: Ints
    downstream: Ints
    amount_msat: Ints
    """Of those that settled; `part_msat` counts one part of those that came in equal parts at once."""
    part_msat: Ints
    arrived_msat: Ints


class RefusalTotal(Struct, frozen=True, kw_only=True, gc=False):
    cause: Cause
    attempts: int
    attempted_msat: int
    offered_fee_msat: int
    confidence: float | None = None
    """How sure the cause is, 0-1, where it was told from what we saw; None where nobody judged it."""


class SettledTotal(Struct, frozen=True, kw_only=True, gc=False):
    forwards: int
    amount_out_msat: int
    income_msat: int


class OutcomeTotal(Struct, frozen=True, kw_only=True, gc=False):
    """Attempts of covered time by their end; each HTLC is one."""

    settled: int
    failed_here: int
    failed_downstream: int
    pending: int


class DownstreamTotal(Struct, frozen=True, kw_only=True, gc=False):
    attempts: int
    attempted_msat: int
    offered_fee_msat: int


class Departures(Struct, frozen=True, kw_only=True):
    """What settled by each channel in the window, backfilled forwards included, as columns."""

    channel_id: Ints
    out_msat: Ints
    earned_msat: Ints


class ChannelFlow(Struct, frozen=True, kw_only=True, gc=False):
    """What passed one channel in the window, backfilled forwards included.

    For `active_s` of `watched_s` its link was known to be up; None if that was never watched.
    """

    channel_id: int
    in_forwards: int
    in_msat: int
    out_forwards: int
    out_msat: int
    earned_msat: int
    sourced_msat: int
    out_refused: int
    out_downstream: int
    active_s: float | None = None
    watched_s: float | None = None


class Scope(Struct, frozen=True, kw_only=True):
    """Which node and window an answer is about, and how much of it is known.

    `stored_since_ns` and `stored_until_ns` bound what the store has at all (None: nothing).
    """

    node: NodeFacts
    window: Window
    coverage: CoverageFacts
    stored_since_ns: int | None
    stored_until_ns: int | None
    rounded: bool = False
    """True: the window reaches beyond the raw rows, so its ends were rounded to whole hours."""
    shed_events: int = 0

    @property
    def covered_share(self) -> float:
        """Covered time of the window, 0-1."""
        length_s = self.window.length_s
        return round(min(1.0, self.coverage.covered_s / length_s), 4) if length_s else 0.0


class WindowFacts(Struct, frozen=True, kw_only=True):
    """Everything `analyze` is made of."""

    scope: Scope
    settled: SettledTotal
    outcomes: OutcomeTotal
    downstream: DownstreamTotal
    refusals: tuple[RefusalTotal, ...]
    demands: DemandGroups
    ends: EndGroups
    channels: tuple[ChannelFacts, ...]
    departures: Departures


class FailureFacts(Struct, frozen=True, kw_only=True, gc=False):
    """One row of the failure table; which keys are set depends on what it is by.

    `settled` and `downstream` are what else came under the same key, whatever the cause of this row; None
    where a key has none of its own (by cause).
    """

    cause: Cause
    attempts: int
    attempted_msat: int
    offered_fee_msat: int
    settled: int | None = None
    downstream: int | None = None
    in_channel_id: int | None = None
    channel_id: int | None = None
    hour: int | None = None
    """Whole hours since the epoch."""
