"""OpportunityAnalyzer: the opportunities of a monitor's node as scripts know them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from lnflow.advice.analyzing import VIEWS, Selection, View
from lnflow.advice.documents import AnalyzeDocument, Opportunity, encode
from lnflow.advice.wording import sats
from lnflow.api.monitor import HTLCMonitor
from lnflow.domain.errors import LnflowError
from lnflow.nodes.lnd_manage.client import LndManageClient

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedOpportunity:
    """One opportunity; `details` is the whole document of `lnflow analyze --json`."""

    channel_id: str
    """The recommended channel, as text; empty where none can be named."""
    peer_alias: str | None
    recommended_action: str
    potential_monthly_revenue_sats: float | None
    """None without enough evidence for a month (6 covered hours, 3 distinct demands)."""
    missed_revenue_sats: float
    urgency_score: float
    failure_rate: float
    current_outbound_fee_ppm: int | None
    warnings: tuple[str, ...] = ()
    """lnd-manageJ's about this channel, if there is one to ask."""
    details: Opportunity = field(repr=False)


class OpportunityAnalyzer:
    """Reads what the monitor stored.  `manage` is optional: it adds names and warnings, and may fail."""

    def __init__(
        self,
        monitor: HTLCMonitor,
        manage: LndManageClient | None = None,
        *,
        min_opportunity_sats: int | None = None,
        analysis_window_hours: float = 24.0,
    ) -> None:
        self._monitor = monitor
        self._manage = manage
        self._selection = Selection(
            min_failures=monitor.min_failure_count,
            min_missed_sat=monitor.min_missed_sats if min_opportunity_sats is None else min_opportunity_sats,
        )
        self._hours = analysis_window_hours

    async def analyze(self) -> AnalyzeDocument:
        """Return the whole document."""
        return await asyncio.to_thread(self._monitor.analyze, self._selection, self._hours)

    async def analyze_opportunities(self) -> list[MissedOpportunity]:
        """Return the opportunities above the thresholds, ranked."""
        document = await self.analyze()
        return [await self._enriched(_opportunity(o)) for o in document.opportunities]

    async def get_top_opportunities(self, limit: int = 10) -> list[MissedOpportunity]:
        return (await self.analyze_opportunities())[:limit]

    async def get_liquidity_opportunities(self) -> list[MissedOpportunity]:
        return await self._of("liquidity")

    async def get_fee_opportunities(self) -> list[MissedOpportunity]:
        return await self._of("fee")

    async def get_capacity_opportunities(self) -> list[MissedOpportunity]:
        return await self._of("capacity")

    async def text_report(self) -> str:
        """Return the opportunities as lines of text."""
        document = await self.analyze()
        lines = [
            f"{document.window.since} – {document.window.until}, {document.coverage:.1%} covered: expected missed "
            f"{sats(document.totals.expected_missed_msat)} sat "
            f"({sats(document.totals.low_msat)} – {sats(document.totals.high_msat)})"
        ]
        lines += [
            f"{o.rank}. {o.peer_alias or o.peer_pubkey or 'unknown'}: {o.cause}, {o.attempts} failures, "
            f"{sats(o.expected_missed_msat)} sat missed, urgency {o.urgency:.0f}. {o.recommendation.text}"
            for o in document.opportunities
        ]
        if document.verdict is not None:
            lines.append(document.verdict.text)
        lines += [f"note: {note.text}" for note in document.notes]
        return "\n".join(lines) + "\n"

    async def export_json(self, file: str | Path) -> None:
        """Write the document of `lnflow analyze --json` to a file."""
        content = encode(await self.analyze())
        await asyncio.to_thread(Path(file).expanduser().write_bytes, content)

    async def _of(self, view: View) -> list[MissedOpportunity]:
        causes = {problem.text for problem in VIEWS[view]}
        return [o for o in await self.analyze_opportunities() if o.details.cause in causes]

    async def _enriched(self, found: MissedOpportunity) -> MissedOpportunity:
        if self._manage is None or not found.channel_id:
            return found
        try:
            warnings = await self._manage.get_channel_warnings(found.channel_id)
            alias = found.peer_alias
            if alias is None and found.details.peer_pubkey is not None:
                alias = await self._manage.get_node_alias(found.details.peer_pubkey)
        except LnflowError as exc:
            logger.warning("lnd-manageJ left out: cause=%s", exc)
            self._manage = None  # one answer is enough: it would be the same for each of them
            return found
        return replace(found, warnings=tuple(warnings), peer_alias=alias)


def _opportunity(o: Opportunity) -> MissedOpportunity:
    asked = max(o.channels, key=lambda c: c.attempts, default=None)
    return MissedOpportunity(
        channel_id=o.recommendation.channel or (asked.scid if asked is not None else None) or "",
        peer_alias=o.peer_alias,
        recommended_action=o.recommendation.type,
        potential_monthly_revenue_sats=None if o.per_month_msat is None else o.per_month_msat / 1000,
        missed_revenue_sats=o.expected_missed_msat / 1000,
        urgency_score=o.urgency,
        failure_rate=o.failure_rate,
        current_outbound_fee_ppm=o.current_outbound_fee_ppm,
        details=o,
    )
