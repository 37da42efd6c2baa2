"""Rates are of covered time: a history that was read afterwards has no refusals in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import IN, OUT, T0, offered, refused, settled, write

from lnflow.advice.documents import GroupKey
from lnflow.analysis.facts import Window
from lnflow.domain.htlc import Forward
from lnflow.domain.time import DAY_NS, HOUR_NS
from lnflow.ingest.join import Joiner
from lnflow.service.opportunities import OpportunityService
from lnflow.store.reading import LIVE
from lnflow.store.writing import StoreWriter


@pytest.mark.parametrize("by", ["cause", "peer", "channel", "in_peer", "pair"])
def test_a_backfilled_past_does_not_dilute_the_failure_rate(tmp_path: Path, by: GroupKey) -> None:
    """One refused and one settled while somebody listened: half failed, whatever settled in the weeks before."""
    path = tmp_path / "store.sqlite"
    with StoreWriter(path, "n") as writer:
        write(writer, [offered(1), settled(1), refused(2)])
        writer.cover(LIVE, T0 - 1, T0 + DAY_NS)
        joiner = Joiner()
        for n in range(10, 110):
            joiner.add_forward(Forward(IN, OUT, T0 - n * HOUR_NS, 70_007_000, 70_000_000, n, n))
        writer.write_batch(joiner.take())
    with OpportunityService.open(path) as service:
        [row] = service.failures(Window(since_ns=T0 - 60 * DAY_NS, until_ns=T0 + DAY_NS), by).rows
    assert (row.attempts, row.failure_rate) == (1, 0.5)


def test_an_hour_in_which_listening_began_counts_what_was_heard(tmp_path: Path) -> None:
    """What settled earlier in that hour is known from history alone, and so are no refusals of it."""
    path = tmp_path / "store.sqlite"
    start_ns = T0 // HOUR_NS * HOUR_NS
    with StoreWriter(path, "n") as writer:
        write(writer, [offered(1), settled(1), refused(2)])
        writer.cover(LIVE, T0 - 1, T0 + DAY_NS)
        joiner = Joiner()
        for n in range(10, 40):
            joiner.add_forward(Forward(IN, OUT, start_ns + n, 70_007_000, 70_000_000, n, n))
        writer.write_batch(joiner.take())
    with OpportunityService.open(path) as service:
        [row] = service.failures(Window(since_ns=T0 - DAY_NS, until_ns=T0 + DAY_NS), "hour").rows
    assert (row.attempts, row.settled, row.failure_rate) == (1, 1, 0.5)
