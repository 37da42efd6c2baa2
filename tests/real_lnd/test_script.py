"""The script printed in the documentation, against a real LND: only its sleep, directory and ports are changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.real_lnd.network import Network
from tests.real_lnd.scenario import Outcome, Scenario

from lnflow.domain.scid import scid_text
from lnflow.service.opportunities import OpportunityService
from lnflow.service.windows import WindowChoice

EXAMPLE = Path(__file__).parents[2] / "examples" / "opportunities.py"
DEADLINE_S = 60.0


async def test_the_printed_script_names_the_channel_that_lacked_balance(
    provoked: Outcome,
    real_network: Network,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Four payments that B's channels with C cannot carry: the script prints C's channel and its price."""
    database = tmp_path / "lnflow.sqlite"
    monkeypatch.setenv("LNFLOW_DATABASE", str(database))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    node = real_network.b
    source = EXAMPLE.read_text(encoding="utf-8")
    for old, new in (
        ("asyncio.sleep(3600)", "watch()"),
        ('lnd_dir="~/.lnd"', f'lnd_dir="{node.lnd_dir}", grpc_host="{node.grpc_host}"'),
        ("http://localhost:18081", "http://127.0.0.1:9"),  # nobody runs lnd-manageJ here: it is optional
    ):
        assert old in source
        source = source.replace(old, new)

    async def watch() -> None:
        await asyncio.to_thread(Scenario(real_network).lack_of_balance, "BC1", 4)
        async with asyncio.timeout(DEADLINE_S):
            while not await asyncio.to_thread(stored, database):
                await asyncio.sleep(0.1)

    names: dict[str, object] = {"watch": watch, "__name__": "script"}
    exec(compile(source, str(EXAMPLE), "exec"), names)  # our own example
    await names["main"]()  # type: ignore[operator]  # it is a coroutine function
    printed = capsys.readouterr().out.split()
    assert printed[:2] == [scid_text(real_network.scid("BC1")), "rebalance_outbound"]
    assert printed[4] == "250"


def stored(database: Path) -> bool:
    """The four refusals and the channel's price are in the store."""
    with OpportunityService.open(database) as service:
        channels = service.channels(service.window(WindowChoice(hours=1))).channels
    return any(c.our_policy is not None and c.failed_here == 4 for c in channels)
