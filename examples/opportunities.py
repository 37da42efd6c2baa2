"""Watch a node for an hour, then print what it failed to earn.

As the documentation of the earlier lnflow has it, with only the imports changed.  lnd-manageJ is optional:
leave `manage` out if you do not run it.
"""

import asyncio

from lnflow import AsyncLNDgRPCClient, HTLCMonitor, LndManageClient, OpportunityAnalyzer


async def main() -> None:
    async with AsyncLNDgRPCClient(lnd_dir="~/.lnd") as lnd, LndManageClient("http://localhost:18081") as manage:
        async with HTLCMonitor(
            grpc_client=lnd, history_hours=24, min_failure_count=3, min_missed_sats=100
        ) as monitor:  # starts and stops itself
            await asyncio.sleep(3600)
        analyzer = OpportunityAnalyzer(monitor, manage, min_opportunity_sats=100, analysis_window_hours=24)
        for o in (await analyzer.analyze_opportunities())[:10]:
            print(
                o.channel_id,
                o.recommended_action,
                o.potential_monthly_revenue_sats,
                o.urgency_score,
                o.current_outbound_fee_ppm,
            )


if __name__ == "__main__":
    asyncio.run(main())
