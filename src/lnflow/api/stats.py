"""What a monitor knows of each channel's failures."""

from __future__ import annotations

from dataclasses import dataclass

from lnflow.advice.documents import AnalyzeDocument, ChannelsDocument
from lnflow.domain.causes import Cause

_LIQUIDITY = {Cause.INSUFFICIENT_BALANCE.text}
_FEE = {Cause.FEE_INSUFFICIENT.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFailureStats:
    """One outgoing channel in the monitor's window; rates are shares of the attempts that wanted out by it."""

    channel_id: str
    peer_pubkey: str | None
    peer_alias: str | None
    successful_forwards: int
    failed_here: int
    failed_downstream: int
    liquidity_failures: int
    fee_failures: int
    missed_revenue_msat: int
    """Expected, not the plain sum; a finding of parallel channels is shared out by their attempts."""

    @property
    def total_attempts(self) -> int:
        return self.successful_forwards + self.failed_here + self.failed_downstream

    @property
    def success_rate(self) -> float:
        """Settled among all attempts, 0-1; 0 without attempts."""
        return self.successful_forwards / self.total_attempts if self.total_attempts else 0.0

    @property
    def failure_rate(self) -> float:
        """Refused by us among all attempts, 0-1; downstream failures are not ours."""
        return self.failed_here / self.total_attempts if self.total_attempts else 0.0

    @property
    def missed_revenue_sats(self) -> float:
        return self.missed_revenue_msat / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSummary:
    """The window in a few figures; money in msat."""

    monitored_channels: int
    settled: int
    failed_here: int
    failed_downstream: int
    expected_missed_msat: int
    income_msat: int
    coverage: float
    callback_errors: int


def channel_stats(channels: ChannelsDocument, analysis: AnalyzeDocument) -> list[ChannelFailureStats]:
    """Return the channels with failures or traffic, the largest expected miss first.

    `analysis` must be without thresholds, so that no finding is missing.
    """
    missed: dict[str, int] = {}
    for opportunity in analysis.opportunities:
        for c in opportunity.channels:
            if c.scid is not None and opportunity.attempts:
                share = opportunity.expected_missed_msat * c.attempts // opportunity.attempts
                missed[c.scid] = missed.get(c.scid, 0) + share
    stats = [
        ChannelFailureStats(
            channel_id=c.scid or c.channel_point or "",
            peer_pubkey=c.peer_pubkey,
            peer_alias=c.peer_alias,
            successful_forwards=c.out_forwards,
            failed_here=c.failed_here,
            failed_downstream=c.failed_downstream,
            liquidity_failures=sum(f.attempts for f in c.failures if f.cause in _LIQUIDITY),
            fee_failures=sum(f.attempts for f in c.failures if f.cause in _FEE),
            missed_revenue_msat=missed.get(c.scid or "", 0),
        )
        for c in channels.channels
    ]
    stats.sort(key=lambda s: (-s.missed_revenue_msat, -s.failed_here, s.channel_id))
    return [s for s in stats if s.total_attempts]
