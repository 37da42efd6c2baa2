"""`missed.7d` by channel: what the node refused for want of balance, valued, on the channel that was asked for."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.lnd import ALICE_SCID, BOB_LARGE_SCID, CAROL_ALIAS_SCID, NOW_NS, running_lnd
from tests.integration.lnd.conftest import connection_to

from lnflow.app import lnd_reader
from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.time import DAY_NS, HOUR_NS
from lnflow.pricing.facts import Unknown
from lnflow.service.missed import missed_by_channel
from lnflow.store.reading import StoreReader
from lnflow.store.rows import AttemptFacts
from lnflow.store.writing import StoreWriter

WEEK_S = 7 * 86_400


def attempt(number: int, out_scid: int, outcome: Outcome, cause: Cause, at_ns: int, amount_msat: int) -> AttemptFacts:
    fee_msat = amount_msat // 1000
    return AttemptFacts(
        ALICE_SCID, number, out_scid, number if outcome is Outcome.SETTLED else None, outcome is Outcome.SETTLED, at_ns,
        amount_msat + fee_msat, amount_msat, at_ns, at_ns, at_ns if outcome is Outcome.SETTLED else None, outcome,
        cause, 0, 0, 1,
    )  # fmt: skip


async def test_refusals_are_valued_on_the_channel_that_was_asked_for(tmp_path: Path) -> None:
    database = tmp_path / "store.sqlite"
    start_ns = NOW_NS - 3 * DAY_NS
    async with running_lnd() as lnd, lnd_reader(connection_to(lnd)) as reader:
        states = await reader.list_channels()
    points = {state.scid: state.channel_point for state in states}
    with StoreWriter(database, "node") as writer:
        writer.write_channels(start_ns, states)
        settled = [
            attempt(n, CAROL_ALIAS_SCID, Outcome.SETTLED, Cause.NONE, start_ns + n * HOUR_NS, 10_000_000)
            for n in range(20)
        ]
        refused = [
            attempt(
                100 + n, BOB_LARGE_SCID, Outcome.REFUSED, Cause.INSUFFICIENT_BALANCE, start_ns + n * HOUR_NS,
                (n + 1) * 20_000_000,
            )
            for n in range(10)
        ]  # fmt: skip
        writer.write_batch([*settled, *refused], covered=("live", start_ns, NOW_NS, ""))
        writer.upkeep(NOW_NS)
    with StoreReader(database) as store:
        found = missed_by_channel(store, WEEK_S, NOW_NS)
        assert not isinstance(found, Unknown)
        offered_msat = sum((n + 1) * 20_000 for n in range(10))
        assert set(found) == {points[BOB_LARGE_SCID]}
        assert 0 < found[points[BOB_LARGE_SCID]] <= offered_msat
        assert isinstance(missed_by_channel(store, WEEK_S, NOW_NS - 30 * DAY_NS), Unknown)
