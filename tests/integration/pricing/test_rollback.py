"""A simulated fall of revenue after a change takes it back; a fall of the whole node does not."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from tests.fakes.lnd import ALICE_SCID, BOB_LARGE_SCID, CAROL_ALIAS_SCID, NOW_NS, running_lnd
from tests.integration.lnd.conftest import connection_to

from lnflow.app import lnd_policy_service
from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.time import DAY_NS, HOUR_NS
from lnflow.nodes.lnd.reader import LndReader
from lnflow.pricing.changes import PolicyValues, values_of
from lnflow.service.pricing import PolicyService
from lnflow.simulation.lnd_server import LndServer
from lnflow.store.fee_journal import DONE, FeeJournal, NewFeeChange
from lnflow.store.rows import AttemptFacts
from lnflow.store.writing import StoreWriter

CHANGED_NS = NOW_NS - 4 * DAY_NS
BEFORE_DAYS = 10


class FixedClock:
    def __init__(self, at_ns: int = NOW_NS) -> None:
        self._at_ns = at_ns

    def now_ns(self) -> int:
        return self._at_ns

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


def forwards(source: random.Random, out_scid: int, since_ns: int, until_ns: int, per_day: float) -> list[AttemptFacts]:
    count = round(per_day * (until_ns - since_ns) / DAY_NS)
    times = sorted(source.randrange(since_ns, until_ns) for _ in range(count))
    return [
        AttemptFacts(
            ALICE_SCID, source.randrange(2**50), out_scid, n, 1, at, 100_050_000, 100_000_000, at, at, at,
            Outcome.SETTLED, Cause.NONE, 0, 0, 1,
        )
        for n, at in enumerate(times)
    ]  # fmt: skip


async def fill(lnd: LndServer, database: Path, *, after: float, rest_after: float) -> None:
    """Store 10 days before the change and 4 after it: 40 forwards a day by Bob, 60 by Carol, then these shares."""
    reader = LndReader(connection_to(lnd))
    states = await reader.list_channels()
    await reader.close()
    source = random.Random(1)
    since_ns = CHANGED_NS - BEFORE_DAYS * DAY_NS
    with StoreWriter(database, "default") as writer:
        writer.write_channels(since_ns, states)
        facts = [
            *forwards(source, BOB_LARGE_SCID, since_ns, CHANGED_NS, 40),
            *forwards(source, BOB_LARGE_SCID, CHANGED_NS, NOW_NS, 40 * after),
            *forwards(source, CAROL_ALIAS_SCID, since_ns, CHANGED_NS, 60),
            *forwards(source, CAROL_ALIAS_SCID, CHANGED_NS, NOW_NS, 60 * rest_after),
        ]
        writer.write_batch(facts, covered=("live", since_ns, NOW_NS, ""))


def record_change(
    lnd: LndServer,
    database: Path,
    *,
    fee_ppm: int | None = 900,
    inbound_fee_ppm: int | None = -5,
    time_lock_delta: int | None = None,
) -> tuple[PolicyValues, PolicyValues]:
    """Record that a rule changed Bob's policy four days ago, and let the node have it; None: not changed."""
    channel = lnd.node.channel(BOB_LARGE_SCID)
    wanted = {"fee_ppm": fee_ppm, "inbound_fee_ppm": inbound_fee_ppm, "time_lock_delta": time_lock_delta}
    changes = {name: value for name, value in wanted.items() if value is not None}
    old = values_of(channel.policy)
    new = structs.replace(old, **changes)
    channel.policy = structs.replace(channel.policy, **changes)
    with FeeJournal(database, "default") as journal:
        change = NewFeeChange(
            channel_point=channel.channel_point,
            scid="700001x1x0",
            kind="update",
            rule="dear",
            strategy="static",
            old_values=msgspec.json.encode(old).decode(),
            new_values=msgspec.json.encode(new).decode(),
            status_change=None,
            reason="static: 900 ppm as written",
            inputs="{}",
            may_roll_back=True,
            threshold=0.3,
        )
        [number] = journal.begin([change], CHANGED_NS)
        assert number is not None
        journal.complete(number, DONE, None, CHANGED_NS)
    return old, new


@asynccontextmanager
async def service_of(lnd: LndServer, home: Path) -> AsyncIterator[PolicyService]:
    config = home / "policy.conf"
    config.write_text("[lnflow]\ndialect = lnflow\n[dear]\nstrategy = static\nfee_ppm = 900\ninbound_fee_ppm = -5\n")
    async with lnd_policy_service(
        connection_to(lnd),
        config=str(config),
        database=home / "lnflow.sqlite",
        node_name="default",
        stored_name="default",
        clock=FixedClock(),
    ) as service:
        yield service


async def test_a_change_that_hurt_is_taken_back_recorded_and_not_tried_again(tmp_path: Path) -> None:
    async with running_lnd(clock_ns=lambda: NOW_NS) as lnd:
        await fill(lnd, tmp_path / "lnflow.sqlite", after=0.1, rest_after=1.0)
        old, new = record_change(lnd, tmp_path / "lnflow.sqlite")
        async with service_of(lnd, tmp_path) as service:
            dry = await service.rollback(act=False)
            assert [c.would_revert for c in dry.changes] == [True]
            assert lnd.changing_calls == []

            done = await service.rollback(act=True)
            assert done.calls.update_channel_policy == 1
            assert values_of(lnd.node.channel(BOB_LARGE_SCID).policy) == old

            again = await service.rollback(act=True)
            assert again.changes == []
            assert len(lnd.changing_calls) == 1

            applied = await service.apply(act=False)
            [bob] = [c for c in applied.channels if c.scid == "700001x1x0"]
            assert (bob.action, bob.new) == ("refused", new)
            status = await service.status()
            assert [(c.kind, c.result) for c in status.changes] == [("rollback", "done"), ("update", "done")]


@pytest.mark.parametrize(
    ("after", "rest_after", "words"),
    [(0.1, 0.1, "no harm shown so far"), (1.0, 1.0, "no harm shown so far"), (0.9, 1.0, "no harm shown so far")],
    ids=["the whole node fell", "nothing fell", "a little"],
)
async def test_no_reason_to_take_back(tmp_path: Path, after: float, rest_after: float, words: str) -> None:
    async with running_lnd(clock_ns=lambda: NOW_NS) as lnd:
        await fill(lnd, tmp_path / "lnflow.sqlite", after=after, rest_after=rest_after)
        record_change(lnd, tmp_path / "lnflow.sqlite")
        async with service_of(lnd, tmp_path) as service:
            document = await service.rollback(act=True)
        [change] = document.changes
        assert change.would_revert is False
        assert words in (change.reason or "")
        assert lnd.changing_calls == []


async def test_somebody_elses_later_edit_is_left_alone(tmp_path: Path) -> None:
    async with running_lnd(clock_ns=lambda: NOW_NS) as lnd:
        await fill(lnd, tmp_path / "lnflow.sqlite", after=0.1, rest_after=1.0)
        record_change(lnd, tmp_path / "lnflow.sqlite")
        channel = lnd.node.channel(BOB_LARGE_SCID)
        channel.policy = structs.replace(channel.policy, fee_ppm=901)
        async with service_of(lnd, tmp_path) as service:
            document = await service.rollback(act=True)
        assert [c.reason for c in document.changes] == ["yield: the policy was changed since by somebody else"]
        assert lnd.changing_calls == []


async def test_hours_nobody_listened_to_are_no_evidence(tmp_path: Path) -> None:
    async with running_lnd(clock_ns=lambda: NOW_NS) as lnd:
        database = tmp_path / "lnflow.sqlite"
        await fill(lnd, database, after=0.1, rest_after=1.0)
        with StoreWriter(database, "default") as writer:
            writer.write_batch([], covered=("shed", CHANGED_NS + HOUR_NS, NOW_NS - HOUR_NS, ""))
        record_change(lnd, database)
        async with service_of(lnd, tmp_path) as service:
            document = await service.rollback(act=True)
        assert "covered buckets of 6 h after the change" in (document.changes[0].reason or "")
        assert lnd.changing_calls == []


async def test_a_delta_that_the_node_no_longer_takes_is_raised_on_the_way_back(tmp_path: Path) -> None:
    """LND 0.21 refuses 18: the former price comes back with the smallest delta it takes."""
    async with running_lnd(clock_ns=lambda: NOW_NS) as lnd:
        channel = lnd.node.channel(BOB_LARGE_SCID)
        channel.policy = structs.replace(channel.policy, time_lock_delta=18)
        await fill(lnd, tmp_path / "lnflow.sqlite", after=0.1, rest_after=1.0)
        old, _ = record_change(lnd, tmp_path / "lnflow.sqlite", time_lock_delta=24)
        async with service_of(lnd, tmp_path) as service:
            [change] = (await service.rollback(act=True)).changes
        assert (change.would_revert, change.error) == (True, None)
        assert values_of(lnd.node.channel(BOB_LARGE_SCID).policy) == structs.replace(old, time_lock_delta=24)


async def test_a_rule_that_disabled_a_channel_is_not_judged_by_what_it_earns(tmp_path: Path) -> None:
    async with running_lnd(clock_ns=lambda: NOW_NS) as lnd:
        await fill(lnd, tmp_path / "lnflow.sqlite", after=0.0, rest_after=1.0)
        record_change(lnd, tmp_path / "lnflow.sqlite", fee_ppm=None, inbound_fee_ppm=None)
        async with service_of(lnd, tmp_path) as service:
            [change] = (await service.rollback(act=True)).changes
        assert (change.would_revert, change.reason) == (False, "keep: no price was changed")
        assert lnd.changing_calls == []


async def test_a_charge_lnd_rule_that_asks_for_rollbacks_does_not_flap(tmp_path: Path) -> None:
    """Its file has no limits but the hourly floor; what was taken back still rests for the cool-down."""
    async with running_lnd(clock_ns=lambda: NOW_NS) as lnd:
        await fill(lnd, tmp_path / "lnflow.sqlite", after=0.1, rest_after=1.0)
        record_change(lnd, tmp_path / "lnflow.sqlite")
        async with service_of(lnd, tmp_path) as service:
            await service.rollback(act=True)
            Path(service.config).write_text(
                "[dear]\nstrategy = static\nfee_ppm = 900\ninbound_fee_ppm = -5\nenable_auto_rollback = true\n"
            )
            later = dataclasses.replace(service, clock=FixedClock(NOW_NS + 2 * HOUR_NS))
            [bob] = [c for c in (await later.apply(act=False)).channels if c.scid == "700001x1x0"]
            assert (bob.action, bob.reason.split(":")[0]) == ("refused", "cool-down after a rollback")
            Path(service.config).write_text("[dear]\nstrategy = static\nfee_ppm = 900\n")
            [bob] = [c for c in (await later.apply(act=False)).channels if c.scid == "700001x1x0"]
            assert bob.action == "update"
