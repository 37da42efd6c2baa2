"""The script printed in the documentation, and the names around it, against the wire-true LND."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.fakes.lnd import BOB, BOB_LARGE_SCID, BOB_SMALL_SCID, running_lnd
from tests.integration.cli.test_monitor import forward

from lnflow import AsyncLNDgRPCClient, HTLCMonitor, LndManageClient, OpportunityAnalyzer
from lnflow.api import monitor as api_monitor
from lnflow.domain.errors import ConfigurationError, NodeRefused
from lnflow.domain.htlc import Offered, Refused, Settled, StreamEvent, Subscribed
from lnflow.domain.scid import scid_text
from lnflow.service.opportunities import OpportunityService
from lnflow.service.windows import WindowChoice
from lnflow.simulation.lnd_server import LndServer

EXAMPLE = Path(__file__).parents[3] / "examples" / "opportunities.py"
TOO_MUCH_MSAT = 4_500_000_000


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNFLOW_DATABASE", str(tmp_path / "lnflow.sqlite"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@asynccontextmanager
async def connected(lnd: LndServer) -> AsyncIterator[AsyncLNDgRPCClient]:
    async with AsyncLNDgRPCClient(lnd_dir=lnd.directory.path, grpc_host=lnd.target) as client:
        yield client


@asynccontextmanager
async def lnd_manage(replies: Mapping[str, object]) -> AsyncIterator[str]:
    """Serve these paths as lnd-manageJ does; yield the address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1].decode()
        while (await reader.readline()).strip():
            pass
        body = json.dumps(replies.get(path)).encode()
        status = b"200 OK" if path in replies else b"404 Not Found"
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        writer.write(head % (status, len(body)) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def has_all_facts(database: Path, *, refused: int) -> bool:
    """The attempts are stored, and what the catch-up reads of the channel."""
    with OpportunityService.open(database) as service:
        channels = service.channels(service.window(WindowChoice(hours=1))).channels
    asked_for = [c for c in channels if c.scid == scid_text(BOB_LARGE_SCID)]
    return any(c.our_policy is not None and c.failed_here == refused for c in asked_for)


async def until(condition: object) -> None:
    async with asyncio.timeout(20):
        while not condition():  # type: ignore[operator]  # a lambda of the test
            await asyncio.sleep(0.02)


async def test_the_printed_script_runs_with_only_its_sleep_directory_and_ports_changed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async with running_lnd() as lnd, lnd_manage({}) as url:
        source = EXAMPLE.read_text(encoding="utf-8")
        for old, new in (
            ("asyncio.sleep(3600)", "watch()"),
            ('lnd_dir="~/.lnd"', f'lnd_dir="{lnd.directory.path}", grpc_host="{lnd.target}"'),
            ("http://localhost:18081", url),
        ):
            assert old in source
            source = source.replace(old, new)

        async def watch() -> None:
            for n in range(4):
                forward(lnd, TOO_MUCH_MSAT + n * 50_000_000)
            await until(lambda: has_all_facts(tmp_path / "lnflow.sqlite", refused=4))

        names: dict[str, object] = {"watch": watch, "__name__": "script"}
        exec(compile(source, str(EXAMPLE), "exec"), names)  # our own example
        await names["main"]()  # type: ignore[operator]  # it is a coroutine function
    printed = capsys.readouterr().out.split()
    assert printed[:3] == [scid_text(BOB_LARGE_SCID), "rebalance_outbound", "None"]
    assert printed[4] == "250"


async def test_a_callback_that_never_ends_does_not_keep_the_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_monitor, "CALLBACK_PATIENCE_S", 0.05)
    ended: list[StreamEvent] = []

    async def endless(event: StreamEvent) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(event)

    async with running_lnd() as lnd, connected(lnd) as client:
        monitor = HTLCMonitor(grpc_client=client)
        monitor.register_callback(endless)
        async with asyncio.timeout(20), monitor:
            pass
    assert monitor.callback_errors == len(ended) >= 1


async def test_the_monitor_answers_what_it_was_built_for() -> None:
    seen: list[StreamEvent] = []

    async def later(event: StreamEvent) -> None:
        seen.append(event)

    def broken(event: StreamEvent) -> None:
        raise RuntimeError("a script's own mistake")

    async with running_lnd() as lnd, connected(lnd) as client:
        monitor = HTLCMonitor(grpc_client=client, min_failure_count=1, min_missed_sats=0)
        monitor.register_callback(later)
        monitor.register_callback(broken)
        async with monitor:
            assert monitor.is_monitoring
            forward(lnd, TOO_MUCH_MSAT)
            lnd.node.settle(forward(lnd, 100_000_000).key, lnd.clock_ns())
            await until(lambda: {type(e) for e in seen} >= {Subscribed, Refused, Offered, Settled})
        assert not monitor.is_monitoring
        assert monitor.callback_errors == len(seen)
        by_channel = {s.channel_id: s for s in monitor.get_channel_stats()}
        refused = by_channel[scid_text(BOB_LARGE_SCID)]
        assert (refused.failed_here, refused.liquidity_failures, refused.peer_pubkey) == (1, 1, BOB)
        assert refused.missed_revenue_sats > 0
        assert refused.success_rate + refused.failure_rate <= 1
        assert [s.channel_id for s in monitor.get_liquidity_constrained_channels()] == [refused.channel_id]
        assert monitor.get_fee_constrained_channels() == []
        assert monitor.get_top_missed_opportunities(1) == [refused]
        assert monitor.get_channel_stats(BOB_LARGE_SCID) == [refused]
        summary = monitor.get_summary_stats()
        assert (summary.settled, summary.failed_here, summary.income_msat) == (1, 1, 26_000)
        assert monitor.cleanup_old_data() == 0


async def test_the_analyzer_gives_views_text_and_json(tmp_path: Path) -> None:
    warnings = {f"/api/channel/{scid_text(BOB_LARGE_SCID)}/warnings": {"warnings": ["no flow for 40 days"]}}
    async with running_lnd() as lnd, connected(lnd) as client, lnd_manage(warnings) as url:
        async with HTLCMonitor(grpc_client=client, min_failure_count=1) as monitor:
            forward(lnd, TOO_MUCH_MSAT)
            await until(lambda: monitor.get_channel_stats())
        async with LndManageClient(url) as manage:
            analyzer = OpportunityAnalyzer(monitor, manage, min_opportunity_sats=0)
            [liquidity] = await analyzer.get_liquidity_opportunities()
            assert liquidity.warnings == ("no flow for 40 days",)
            assert await analyzer.get_fee_opportunities() == []
            assert await analyzer.get_capacity_opportunities() == []
            assert await analyzer.get_top_opportunities(1) == [liquidity]
            assert "liquidity" in await analyzer.text_report()
            await analyzer.export_json(tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_bytes())
    assert document["opportunities"][0]["recommendation"]["channel"] == liquidity.channel_id


async def test_without_lnd_manage_the_opportunities_are_the_same() -> None:
    async with running_lnd() as lnd, connected(lnd) as client:
        async with HTLCMonitor(grpc_client=client, min_failure_count=1) as monitor:
            forward(lnd, TOO_MUCH_MSAT)
            await until(lambda: monitor.get_channel_stats())
        alone = await OpportunityAnalyzer(monitor, min_opportunity_sats=0).analyze_opportunities()
        async with LndManageClient("http://127.0.0.1:1") as nobody:
            absent = await OpportunityAnalyzer(monitor, nobody, min_opportunity_sats=0).analyze_opportunities()
    assert [o.channel_id for o in alone] == [o.channel_id for o in absent]
    assert absent[0].warnings == ()


async def test_the_client_reads_and_writes_only_with_a_credential_for_it() -> None:
    async with running_lnd() as lnd, connected(lnd) as client:
        assert (await client.get_info()).pubkey == lnd.node.pubkey
        assert BOB_LARGE_SCID in {c.scid for c in await client.list_channels()}
        lnd.node.settle(forward(lnd, 100_000_000).key, lnd.clock_ns())
        [row] = await client.get_forwarding_history()
        assert row.amount_out_msat == 100_000_000
        with pytest.raises(ConfigurationError, match="fee_macaroon_path"):
            await client.update_channel_policy(BOB_SMALL_SCID, fee_ppm=300)
        assert lnd.changing_calls == []


async def test_a_policy_is_changed_in_what_was_given_and_nothing_else() -> None:
    async with (
        running_lnd() as lnd,
        AsyncLNDgRPCClient(
            lnd_dir=lnd.directory.path, grpc_host=lnd.target, fee_macaroon_path=lnd.directory.macaroon("fees")
        ) as client,
    ):
        before = lnd.node.channel(BOB_SMALL_SCID).policy
        await client.update_channel_policy(scid_text(BOB_SMALL_SCID), fee_ppm=300)
        after = lnd.node.channel(BOB_SMALL_SCID).policy
        with pytest.raises(NodeRefused, match="no open channel"):
            await client.update_channel_policy("1x2x3", fee_ppm=1)
    assert after.fee_ppm == 300
    assert (after.base_fee_msat, after.time_lock_delta, after.max_htlc_msat) == (
        before.base_fee_msat,
        before.time_lock_delta,
        before.max_htlc_msat,
    )


async def test_events_can_be_followed_directly() -> None:
    async with running_lnd() as lnd, connected(lnd) as client:
        events = client.subscribe_htlc_events()
        assert isinstance(await anext(events), Subscribed)
        forward(lnd, TOO_MUCH_MSAT)
        assert isinstance(await anext(events), Refused)
        await events.aclose()  # type: ignore[attr-defined]  # an async generator
