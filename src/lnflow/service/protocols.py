"""What the façade needs, as small protocols: the parts behind it can be given singly, in tests and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from lnflow.advice.documents import ChannelsDocument, FailuresDocument, GroupKey
from lnflow.analysis.facts import Window
from lnflow.domain.channel import ChannelFacts
from lnflow.ingest.status import CollectorStatus
from lnflow.store.costs import StoredCosts
from lnflow.store.following import StoredFollowing
from lnflow.store.records import (
    CauseRow,
    FlowRow,
    HourRow,
    PairRow,
    RefusalRow,
    StoredChannel,
    StoredCoverage,
    StoredNode,
    StoredSpan,
    Usability,
    WishRow,
)
from lnflow.store.windows import Plan

if TYPE_CHECKING:
    from lnflow.store.blocks import Block
    from lnflow.store.totals import Ints


class HTLCCollector(Protocol):
    """Listens to a node until told to stop, and stores what it hears."""

    status: CollectorStatus

    async def run(self) -> None: ...

    def stop(self) -> None: ...


class FailureStatsStore(Protocol):
    """The questions that the answers are made of; windows are half open."""

    node: StoredNode
    costs: StoredCosts
    following: StoredFollowing

    def consistent(self) -> AbstractContextManager[None]: ...

    def span(self) -> StoredSpan: ...

    def plan(self, since_ns: int, until_ns: int) -> Plan: ...

    def coverage(self, since_ns: int, until_ns: int) -> StoredCoverage: ...

    def counters(self) -> dict[str, int]: ...

    def flows(self, since_ns: int, until_ns: int) -> list[FlowRow]: ...

    def departures(self, since_ns: int, until_ns: int) -> tuple[dict[str, Ints], list[CauseRow]]: ...

    def refusals(self, since_ns: int, until_ns: int) -> list[RefusalRow]: ...

    def confidences(self, since_ns: int, until_ns: int) -> dict[int, float]: ...

    def demands(self, since_ns: int, until_ns: int) -> Block: ...

    def served(self, since_ns: int, until_ns: int) -> Block: ...

    def wishes(self, since_ns: int, until_ns: int, chans: Sequence[int], most: int) -> list[WishRow]: ...

    def pairs(self, since_ns: int, until_ns: int) -> tuple[list[PairRow], bool]: ...

    def hours(self, since_ns: int, until_ns: int) -> list[HourRow]: ...

    def channels(self, at_ns: int) -> list[StoredChannel]: ...

    def channels_in_brief(self, at_ns: int) -> list[ChannelFacts]: ...

    def usability(self, since_ns: int, until_ns: int) -> list[Usability]: ...

    def close(self) -> None: ...


class FailureStatsProvider(Protocol):
    """Answers what was refused."""

    def failures(self, window: Window, by: GroupKey) -> FailuresDocument: ...


class ChannelInfoProvider(Protocol):
    """Answers what is known of the channels."""

    def channels(self, window: Window) -> ChannelsDocument: ...
