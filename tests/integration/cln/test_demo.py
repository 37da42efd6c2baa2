"""One world, two nodes: the demo's week behind an LND and behind a lightningd that hosts the real plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.unit.simulation_world.tiny_worlds import SINK, SOURCE, plain_population, sink_peer, tiny_world

from lnflow.advice.analyzing import Selection
from lnflow.advice.documents import AnalyzeDocument, Opportunity, ProblemName
from lnflow.analysis.facts import Window
from lnflow.cli.main import cli
from lnflow.domain.causes import Cause
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.htlc import Refused
from lnflow.domain.scid import scid_text
from lnflow.domain.time import HOUR_NS, Clock
from lnflow.plugin.answers import LnflowPlugin
from lnflow.service.opportunities import OpportunityService
from lnflow.simulation.clock import SimulatedClock
from lnflow.simulation.demo import Demo, Listening, Stage, World
from lnflow.simulation.demo_cln import DEMO_TIMES, on_cln
from lnflow.simulation.playing_cln import ClnWorld, served_cln_world, without_inbound_fees
from lnflow.simulation.world import Recording, record
from lnflow.simulation.world.demo_world import demo_world
from lnflow.simulation.world.spec import ChannelSpec, OwnMove, PeerSpec, WorldSpec
from lnflow.store.reading import StoreReader

NOW_NS = 1_790_000_000 * 1_000_000_000
MATERIAL = 0.01  # of the whole estimate: what is worth a line in a comparison

Key = tuple[str | None, ProblemName]


def plugin_of(clock: Clock) -> LnflowPlugin:
    """The plugin as the command makes it."""
    return LnflowPlugin(clock, times=DEMO_TIMES, coalesce_s=0.0)


class Run:
    """What one node's week came to; of a lightningd also what the node and its plugin said at the end."""

    def __init__(self, directory: Path, spec: WorldSpec) -> None:
        self.directory = directory
        self.spec = spec
        self.status: Mapping[str, Any] = {}
        self.world: ClnWorld | None = None
        self.fees_before_msat = 0

    async def on_lnd(self) -> Run:
        return await self._play(None)

    async def on_cln(self) -> Run:
        return await self._play(self._watched)

    async def _play(self, stage: Stage | None) -> Run:
        self.demo = Demo(self.directory / "demo.sqlite", self.directory / "node", NOW_NS, stage=stage, spec=self.spec)
        self.directory.mkdir(parents=True, exist_ok=True)
        await self.demo.run(lambda progress: None)
        with OpportunityService.open(self.demo.database) as service:
            window = Window(since_ns=self.demo.since_ns, until_ns=self.demo.until_ns)
            self.document: AnalyzeDocument = service.analyze(window, Selection(min_failures=0, min_missed_sat=0))
        return self

    @asynccontextmanager
    async def _watched(
        self, recording: Recording, clock: SimulatedClock, directory: Path, database: Path
    ) -> AsyncIterator[tuple[World, Listening]]:
        async with on_cln(plugin_of)(recording, clock, directory, database) as (world, listener):
            assert isinstance(world, ClnWorld)
            self.world, self.fees_before_msat = world, world.node.fees_collected_msat
            yield world, listener
            self.status = await world.commands.call("lnflow-status", {})

    def found(self) -> dict[Key, Opportunity]:
        """Findings with a cause that fall into the material part of the estimate."""
        least = self.document.totals.expected_missed_msat * MATERIAL
        return {
            (o.peer_alias, o.cause): o
            for o in self.document.opportunities
            if o.expected_missed_msat >= least and o.cause != "unattributed"
        }


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """The demo's own week on both nodes, without the inbound discounts that Core Lightning cannot give."""
    spec = without_inbound_fees(demo_world())
    folder = tmp_path_factory.mktemp("weeks")
    return asyncio.run(Run(folder / "lnd", spec).on_lnd()), asyncio.run(Run(folder / "cln", spec).on_cln())


@pytest.mark.slow
class TestTheSameWeek:
    def test_what_settled_is_the_same_to_the_msat(self, weeks: tuple[Run, Run]) -> None:
        lnd, cln = weeks
        assert cln.document.settled == lnd.document.settled
        assert cln.world is not None
        collected_msat = cln.world.node.fees_collected_msat - cln.fees_before_msat
        assert cln.document.settled.income_msat == collected_msat
        with StoreReader(cln.demo.database, None) as store:
            ever = sum(flow.earned_msat for flow in store.flows(0, NOW_NS + HOUR_NS))
        assert ever == cln.world.node.fees_collected_msat
        assert cln.status["ledger_holds"] is True

    def test_the_order_of_peers_is_the_same_but_for_near_ties(self, weeks: tuple[Run, Run]) -> None:
        """Near ties are findings whose 80 % ranges on LND hold each other's estimate; the first six are none."""
        lnd, cln = weeks[0].found(), weeks[1].found()
        on_lnd, on_cln = list(lnd), [key for key in cln if key in lnd]
        assert on_cln[:6] == on_lnd[:6]
        for upper, one in enumerate(on_lnd):
            for other in on_lnd[upper + 1 :]:
                if one in cln and other in cln and lnd[other].expected_missed_msat < lnd[one].low_msat:
                    assert on_cln.index(one) < on_cln.index(other), (one, other)

    def test_each_material_estimate_is_within_the_range_of_the_lnd_run(self, weeks: tuple[Run, Run]) -> None:
        lnd = weeks[0].found()
        cln = {(o.peer_alias, o.cause): o for o in weeks[1].document.opportunities}
        assert len(lnd) >= 8
        for key, there in lnd.items():
            assert there.low_msat <= cln[key].expected_missed_msat <= there.high_msat, key
        lows, highs = weeks[0].document.totals.low_msat, weeks[0].document.totals.high_msat
        assert lows <= weeks[1].document.totals.expected_missed_msat <= highs

    def test_nothing_is_missing_and_nothing_is_invented(self, weeks: tuple[Run, Run]) -> None:
        """Core Lightning passes circular routes on: they fail later, and not here."""
        lnd, cln = weeks[0].document, weeks[1].document
        assert cln.attempts.total == lnd.attempts.total
        moved = lnd.attempts.failed_here - cln.attempts.failed_here
        assert moved == cln.attempts.failed_downstream - lnd.attempts.failed_downstream
        circular = next(f.attempts for f in lnd.failures if f.cause == "circular_route")
        assert 0 < moved <= circular

    def test_what_cannot_be_told_apart_has_its_share_and_confidence(self, weeks: tuple[Run, Run]) -> None:
        """Nobody listened for 2.7 of 168 hours: the node kept the rows, but not what its channels were like."""
        cln = weeks[1].document
        rows = msgspec.to_builtins(cln)["failures"]
        assert sum(row["share"] for row in rows) == pytest.approx(1, abs=1e-3)
        by_cause = {row["cause"]: row for row in rows}
        assert by_cause["unattributed"]["confidence"] == 0.0
        assert 0.005 < by_cause["unattributed"]["share"] < 0.05
        assert by_cause["insufficient_balance"]["confidence"] > 0.85
        assert by_cause["link_not_eligible"]["confidence"] > 0.9
        note = next(n.text for n in cln.notes if n.code == "unattributed")
        assert f"{by_cause['unattributed']['attempts']:,} of {cln.attempts.failed_here:,}" in note

    def test_while_it_listened_every_cause_was_told(self, weeks: tuple[Run, Run]) -> None:
        _, cln = weeks
        since, until = (cln.demo.since_ns + round(h * HOUR_NS) for h in (64.0, 168.0))
        with OpportunityService.open(cln.demo.database) as service:
            after = service.analyze(Window(since_ns=since, until_ns=until), Selection())
        assert after.attempts.failed_here > 1_000
        assert "unattributed" not in {f.cause for f in after.failures}

    def test_the_demo_rows_are_those_of_core_lightning(self, weeks: tuple[Run, Run]) -> None:
        world = weeks[1].world
        assert world is not None
        assert world.renamed == 0
        for row in world.node.forwards:
            shown = row.listed()
            refused = row.status == "local_failed"
            assert ("out_msat" in shown, "failcode" in shown, "resolved_time" in shown) == (
                not refused,
                refused,
                row.status in ("settled", "failed"),
            )
            assert "payment_hash" not in shown


def busy_world() -> WorldSpec:
    """A day with a sink that runs dry and is away for an hour, and money of our own on the way."""
    sink = PeerSpec(
        alias="sink",
        channels=(
            ChannelSpec(capacity_sat=4_000_000, local_share=0.6),
            ChannelSpec(capacity_sat=2_000_000, local_share=0.4, initiator=False),
        ),
        fee_ppm=1_000,
        offline_h=((10.0, 11.0),),
    )
    return tiny_world(
        sink=sink,
        populations=(plain_population(per_day=150.0, stuck_share=0.02),),
        moves=(OwnMove(from_peer=SOURCE, to_peer=SINK, every_h=3.0, amount_sat=900_000, first_h=1.1, when_above=0.0),),
        strays_per_day=24.0,
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ClnWorld]:
    recording = record(busy_world(), 3)
    async with served_cln_world(recording, tmp_path / "cln", SimulatedClock(recording.since_ns)) as world:
        yield world


async def no_pause() -> None:
    pass


async def test_the_nodes_balances_are_the_worlds(world: ClnWorld) -> None:
    """At every snapshot of the world, to the sat: forwards, our own payments and what is in flight."""
    for snapshot in world.recording.snapshots:
        await world.play(snapshot.at_ns, no_pause)
        for state in snapshot.channels:
            channel = world.node.find_channel(scid_text(state.scid))
            assert channel is not None
            kept = state.local_reserve_sat * 1000 + (state.commit_fee_sat * 1000 if state.initiator else 0)
            assert abs(channel.spendable_msat - max(0, state.local_msat - kept)) < 1_000, snapshot.at_ns


async def test_refusals_get_the_code_and_the_channel_that_core_lightning_gives(world: ClnWorld) -> None:
    await world.play(world.recording.until_ns, no_pause)
    rows = {(row.in_channel, row.in_htlc_id): row for row in world.node.forwards}
    codes = {
        Cause.INSUFFICIENT_BALANCE: 4103,
        Cause.UNKNOWN_NEXT_PEER: 4103,
        Cause.AMOUNT_BELOW_MINIMUM: 4103,
        Cause.INVALID_ONION: 49157,
    }
    ours = {state.scid for state in world.recording.channels}
    met = set()
    for event in world.recording.events:
        if not isinstance(event, Refused) or event.cause is Cause.CIRCULAR_ROUTE:
            continue
        row = rows[scid_text(event.in_scid), event.in_htlc_id]
        met.add(event.cause)
        unknown = event.cause is Cause.UNKNOWN_NEXT_PEER and event.out_scid not in ours
        assert row.failcode == (16394 if unknown else codes[event.cause])
        assert (row.out_channel is None) == (event.cause is Cause.INVALID_ONION)
        if unknown:
            assert row.out_channel == scid_text(event.out_scid)
    assert met == set(codes)


async def test_the_tries_of_one_payment_share_their_hash(world: ClnWorld) -> None:
    """Only the notification says it, as on the node."""
    heard: list[dict[str, Any]] = []
    world.node.listen(lambda topic, payload: heard.append(payload) if topic == "forward_event" else None)
    await world.play(world.recording.until_ns, no_pause)
    payments = world.recording.payments
    number = {(scid_text(scid), htlc): payment for (scid, htlc), payment in payments.items()}
    hashes: dict[int, set[str]] = {}
    for event in heard:
        key = (event["in_channel"], event["in_htlc_id"])
        if key in number:
            hashes.setdefault(number[key], set()).add(event["payment_hash"])
    assert len(hashes) > 50
    assert {len(found) for found in hashes.values()} == {1}
    assert len({next(iter(found)) for found in hashes.values()}) == len(hashes)


async def test_a_dry_sink_and_its_absence_are_told_apart(tmp_path: Path) -> None:
    run = await Run(tmp_path, busy_world()).on_cln()
    told = {(o.peer_alias, o.cause) for o in run.document.opportunities if o.expected_missed_msat}
    assert told == {("sink", "liquidity"), ("sink", "offline")}
    assert run.status["ledger_holds"] is True


async def test_full_slots_come_with_the_amount_that_lnd_does_not_say(tmp_path: Path) -> None:
    """Three HTLCs fit; payments hang for hours.  The peer's limit is not shown: what never passed tells it."""
    channels = (ChannelSpec(capacity_sat=1_000_000_000, local_share=0.9, slots=3),)
    sink = PeerSpec(alias="sink", channels=channels, fee_ppm=1_000)
    hanging = plain_population(per_day=100.0, stuck_share=0.4)
    spec = tiny_world(sink=sink, populations=(hanging,))
    run = await Run(tmp_path, spec).on_cln()
    assert run.world is not None
    refused = [row for row in run.world.node.forwards if row.status == "local_failed"]
    assert len(refused) > 20
    assert {(row.failcode, row.in_msat > 100_000_000) for row in refused} == {(4103, True)}
    told = {f.cause: f for f in run.document.failures}
    assert told["htlc_add_failed"].share > 0.9
    assert (told["htlc_add_failed"].confidence or 0) > 0.6


async def test_after_the_week_the_world_goes_on_and_is_heard(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "demo.sqlite", tmp_path / "node", NOW_NS, stage=on_cln(plugin_of), spec=busy_world())

    async def a_few_hours(world: World) -> None:
        await world.play(demo.until_ns + 3 * HOUR_NS, no_pause)

    await demo.run(lambda progress: None, after_week=a_few_hours)
    with OpportunityService.open(demo.database) as service:
        later = Window(since_ns=demo.until_ns, until_ns=demo.until_ns + 3 * HOUR_NS)
        assert service.analyze(later, Selection()).attempts.total > 5


async def test_a_path_too_long_for_a_socket_is_refused_with_the_remedy(tmp_path: Path) -> None:
    recording = record(tiny_world(sink=sink_peer(local_share=0.5)), 1)
    with pytest.raises(ConfigurationError, match="shorter --directory"):
        async with served_cln_world(recording, tmp_path / ("x" * 100), SimulatedClock(recording.since_ns)):
            pass


def test_the_command_serves_core_lightning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lnflow.simulation.world.demo_world.demo_world", busy_world)
    result = CliRunner().invoke(cli, ["demo", "--cln", "--json", "--directory", str(tmp_path)])
    assert result.exit_code == 0, result.output
    document = msgspec.json.decode(result.stdout)
    assert document["node"]["implementation"] == "cln"
    assert document["settled"]["forwards"] > 50
