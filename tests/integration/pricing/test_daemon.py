"""What the daemon adds to a run: gaps between writes, one daemon per node, and a next run that ends with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fakes.lnd import running_lnd
from tests.integration.lnd.conftest import connection_to

from lnflow.app import lnd_policy_service
from lnflow.domain.time import SECOND_NS
from lnflow.pricing.pacing import Pacing
from lnflow.store.fee_journal import FeeJournal
from lnflow.store.policy_daemon import LEASE_NS, DaemonLease, DaemonState, load_daemon_state

NOW_NS = 1_795_256_337_000_000_000


class SteppedClock:
    """Time passes only while somebody sleeps, and at once."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []

    def now_ns(self) -> int:
        return NOW_NS + round(sum(self.slept_s) * SECOND_NS)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


async def test_a_paced_run_waits_between_its_writes_and_another_does_not(tmp_path: Path) -> None:
    file = tmp_path / "policy.conf"
    clock = SteppedClock()
    async with running_lnd(clock_ns=clock.now_ns) as lnd:
        for fee_ppm, pacing, gaps in (
            (400, Pacing(clock=clock, draw=lambda low, high: (low + high) / 4), [0.5] * 3),
            (500, None, []),
        ):
            file.write_text(f"[all]\nstrategy = static\nfee_ppm = {fee_ppm}\n")
            async with lnd_policy_service(
                connection_to(lnd),
                config=str(file),
                database=tmp_path / f"{fee_ppm}.sqlite",
                node_name="default",
                stored_name=None,
                clock=clock,
            ) as service:
                clock.slept_s.clear()
                document = await service.apply(act=True, pacing=pacing)
            assert document.calls.update_channel_policy == 4
            assert clock.slept_s == gaps


async def test_two_runs_at_once_write_each_channel_once(tmp_path: Path) -> None:
    """A cron line and a daemon: both planned before either wrote, and the hourly floor still holds."""
    file = tmp_path / "policy.conf"
    file.write_text("[all]\nstrategy = static\nfee_ppm = 400\n")
    clock = SteppedClock()
    async with (
        running_lnd(clock_ns=clock.now_ns) as lnd,
        lnd_policy_service(
            connection_to(lnd),
            config=str(file),
            database=tmp_path / "store.sqlite",
            node_name="default",
            stored_name=None,
            clock=clock,
        ) as service,
    ):
        documents = await asyncio.gather(service.apply(act=True), service.apply(act=True))
        assert len(lnd.changing_calls) == 4
        assert sum(document.calls.update_channel_policy for document in documents) == 4
        errors = [c.error for document in documents for c in document.channels if c.error]
        assert errors == ["not sent: another run wrote this channel less than an hour ago"] * 4


async def test_the_gaps_of_a_large_run_stay_within_half_a_minute_on_average() -> None:
    clock = SteppedClock()
    pacing = Pacing(clock=clock, draw=lambda low, high: (low + high) / 2)
    for _ in range(2000):
        await pacing.wait(2000)
    assert round(sum(clock.slept_s)) == 30


def test_one_daemon_has_the_lease_until_it_lets_go_or_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with FeeJournal(path, "alice") as journal:
        node_id = journal.node_id
    first, second = DaemonLease(path, node_id, "first"), DaemonLease(path, node_id, "second")
    state = DaemonState(acts=True, interval_s=600, next_run_ns=NOW_NS + 600 * SECOND_NS)
    assert load_daemon_state(path, node_id, NOW_NS) is None
    assert first.take(state, NOW_NS)
    assert not second.take(state, NOW_NS + LEASE_NS - 1)
    assert load_daemon_state(path, node_id, NOW_NS + LEASE_NS - 1) == state
    assert load_daemon_state(path, node_id, NOW_NS + LEASE_NS) is None  # killed: nobody renewed it
    assert second.take(state, NOW_NS + LEASE_NS)
    first.release()  # not its own any more
    assert load_daemon_state(path, node_id, NOW_NS + LEASE_NS) == state
    second.release()
    assert load_daemon_state(path, node_id, NOW_NS + LEASE_NS) is None
