"""PolicyManager: what a script of the Python API can do with prices."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes.lnd import BOB_LARGE_SCID, running_lnd

from lnflow import PolicyManager
from lnflow.domain.errors import ConfigurationError
from lnflow.simulation.lnd_server import LndServer


def manager(lnd: LndServer, home: Path, text: str = "[all]\nstrategy = static\nfee_ppm = 123\n") -> PolicyManager:
    config = home / "policy.conf"
    config.write_text(text)
    return PolicyManager(
        config, "http://localhost:8081", lnd.target, lnd_dir=lnd.directory.path, database=home / "lnflow.sqlite"
    )


async def test_a_script_checks_tries_and_applies(tmp_path: Path) -> None:
    async with running_lnd() as lnd, manager(lnd, tmp_path) as policies:
        assert (await policies.check()).ok
        dry = await policies.apply()
        assert (dry.dry_run, {c.action for c in dry.channels}) == (True, {"update"})
        assert lnd.changing_calls == []
        done = await policies.apply(apply=True)
        assert done.calls.update_channel_policy == 4
        assert lnd.node.channel(BOB_LARGE_SCID).policy.fee_ppm == 123
        [entry] = (await policies.test_channel("700001x1x0")).channels
        assert entry.action == "none"
        assert [c.result for c in (await policies.status()).changes] == ["done"] * 4
        assert (await policies.rollback()).changes[0].would_revert is False


async def test_advice_without_a_price_changes_nothing(tmp_path: Path) -> None:
    async with running_lnd() as lnd, manager(lnd, tmp_path) as policies:
        document = await policies.apply_advice([], apply=True)
        assert {c.action for c in document.channels} == {"no_policy"}
        assert lnd.changing_calls == []


async def test_without_a_macaroon_for_fees_nothing_is_written(tmp_path: Path) -> None:
    async with running_lnd() as lnd, manager(lnd, tmp_path) as policies:
        lnd.directory.macaroon("fees").unlink()
        with pytest.raises(ConfigurationError, match="bakemacaroon"):
            await policies.apply(apply=True)
        assert lnd.changing_calls == []


def test_not_connected_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such directory"):
        PolicyManager(tmp_path / "policy.conf", lnd_dir=tmp_path / "nowhere")
