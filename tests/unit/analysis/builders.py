"""Facts that name only what matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lnflow.analysis.chance import UNKNOWN
from lnflow.analysis.facts import (
    CoverageFacts,
    DemandGroups,
    Departures,
    DownstreamTotal,
    EndGroups,
    NodeFacts,
    OutcomeTotal,
    RefusalTotal,
    Scope,
    SettledTotal,
    Window,
    WindowFacts,
)
from lnflow.domain.amounts import AMOUNT_BOUNDS_MSAT
from lnflow.domain.causes import Cause, Circumstance
from lnflow.domain.channel import ChannelFacts
from lnflow.domain.scid import parse_scid
from lnflow.domain.time import DAY_NS, SECOND_NS, parse_time_ns

SINCE_NS = parse_time_ns("2026-11-01T00:00:00Z")


class DemandGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `DemandGroups`; None: not known."""

    channel_id: int
    cause: Cause
    circumstance: Circumstance
    amount_class: int | None
    oversize: bool
    attempts: int
    attempted_msat: int
    offered_fee_msat: int
    demands: int
    recovered: int
    open_msat: int
    open_fee_msat: int
    open_fee_squares: float
    open_part_msat: int | None = None
    """None: they came whole."""


class EndGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `EndGroups`."""

    channel_id: int
    amount_class: int | None
    settled: int
    downstream: int
    amount_msat: int
    part_msat: int
    arrived_msat: int


def channel(channel_id: int = 1, **changes: Any) -> ChannelFacts:
    plain = ChannelFacts(
        channel_id=channel_id,
        scid=parse_scid(f"840000x{channel_id}x1"),
        channel_point=f"{channel_id:064x}:0",
        peer_id=channel_id,
        peer_pubkey=f"02{channel_id:064x}",
        peer_alias=f"peer{channel_id}",
        capacity_sat=10_000_000,
        local_msat=500_000_000,
        remote_msat=9_500_000_000,
        balance_ns=SINCE_NS,
        closed=False,
        fee_ppm=500,
        max_htlc_msat=990_000_000,
    )
    return msgspec.structs.replace(plain, **changes)


def demands(channel_id: int = 1, **changes: Any) -> DemandGroup:
    """Ten wishes of 100,000 sat, asked for twice each, 50 sat of fee each."""
    plain = DemandGroup(
        channel_id=channel_id,
        cause=Cause.INSUFFICIENT_BALANCE,
        circumstance=Circumstance.NONE,
        amount_class=4,
        oversize=False,
        attempts=20,
        attempted_msat=20 * 100_000_000,
        offered_fee_msat=20 * 50_000,
        demands=10,
        recovered=0,
        open_msat=10 * 100_000_000,
        open_fee_msat=10 * 50_000,
        open_fee_squares=10 * 50_000.0**2,
    )
    return msgspec.structs.replace(plain, **changes)


def ends(channel_id: int = 1, *, settled: int, downstream: int, amount_class: int | None = 4) -> EndGroup:
    """Wishes that we passed on at once, each of the least amount of its class."""
    least_msat = (0, *AMOUNT_BOUNDS_MSAT)[amount_class] if amount_class else 1_000
    return EndGroup(
        channel_id=channel_id,
        amount_class=amount_class,
        settled=settled,
        downstream=downstream,
        amount_msat=(settled + downstream) * least_msat,
        part_msat=(settled + downstream) * least_msat,
        arrived_msat=settled * least_msat,
    )


def departures(passed: Sequence[EndGroup]) -> Departures:
    """Of what settled each forward was 100,000 sat at 500 ppm."""
    channel_id, forwards = np.array([(e.channel_id, e.settled) for e in passed], np.int64).reshape(-1, 2).T
    return Departures(channel_id=channel_id, out_msat=forwards * 100_000_000, earned_msat=forwards * 50_000)


def facts(
    *groups: DemandGroup,
    channels: tuple[ChannelFacts, ...] = (channel(1),),
    passed: tuple[EndGroup, ...] = (),
    days: float = 1.0,
    covered: float = 1.0,
    **changes: Any,
) -> WindowFacts:
    """A window of `days`, `covered` of it (a share), in which these groups were refused; `changes` its scope."""
    until_ns = SINCE_NS + int(days * DAY_NS)
    covered_ns = int((until_ns - SINCE_NS) * covered)
    refused = sum(g.attempts for g in groups)
    scope = Scope(
        node=NodeFacts(name="b", pubkey="02" * 33, alias="B", implementation="lnd", network="mainnet"),
        window=Window(since_ns=SINCE_NS, until_ns=until_ns),
        coverage=CoverageFacts(
            first_ns=SINCE_NS if covered else None,
            last_ns=SINCE_NS + covered_ns if covered else None,
            covered_s=covered_ns / SECOND_NS,
        ),
        stored_since_ns=SINCE_NS,
        stored_until_ns=until_ns,
    )
    return WindowFacts(
        scope=msgspec.structs.replace(scope, **changes),
        settled=SettledTotal(forwards=0, amount_out_msat=0, income_msat=0),
        outcomes=OutcomeTotal(
            settled=sum(e.settled for e in passed),
            failed_here=refused,
            failed_downstream=sum(e.downstream for e in passed),
            pending=0,
        ),
        downstream=DownstreamTotal(attempts=0, attempted_msat=0, offered_fee_msat=0),
        refusals=tuple(
            RefusalTotal(
                cause=g.cause,
                attempts=g.attempts,
                attempted_msat=g.attempted_msat,
                offered_fee_msat=g.offered_fee_msat,
            )
            for g in groups
        ),
        demands=_demand_columns(groups),
        ends=_end_columns(passed),
        channels=channels,
        departures=departures(passed),
    )


def _demand_columns(groups: tuple[DemandGroup, ...]) -> DemandGroups:
    whole = [
        g if g.open_part_msat is not None else msgspec.structs.replace(g, open_part_msat=g.open_msat) for g in groups
    ]
    return DemandGroups(**_columns(DemandGroup, whole))


def _end_columns(passed: tuple[EndGroup, ...]) -> EndGroups:
    return EndGroups(**_columns(EndGroup, passed))


def _columns(kind: type[msgspec.Struct], rows: Sequence[msgspec.Struct]) -> dict[str, NDArray[Any]]:
    return {
        name: np.array(
            [UNKNOWN if getattr(row, name) is None else getattr(row, name) for row in rows],
            float if name == "open_fee_squares" else np.int64,
        )
        for name in kind.__struct_fields__
    }
