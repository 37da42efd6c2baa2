"""What fails downstream is not ours to earn: more of it never raises what was missed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import T0, downstream, offered, refused, settled, write

from lnflow.advice.analyzing import Selection
from lnflow.analysis.facts import Window
from lnflow.domain.time import DAY_NS, MINUTE_NS
from lnflow.service.opportunities import OpportunityService
from lnflow.store.reading import LIVE
from lnflow.store.writing import StoreWriter

PARTS = 3  # equal ones at once, as senders split


def expected_msat(database: Path, failing: int) -> int:
    """A day of 40 settled wishes and 10 refused ones, with so many split ones that a later hop failed."""
    with StoreWriter(database, "n") as writer:
        for n in range(40):
            write(writer, [offered(n, T0 + n * MINUTE_NS, out_msat=70_000_000 + n * 500_000)])
            write(writer, [settled(n, T0 + n * MINUTE_NS + 1)])
        write(writer, [refused(100 + n, T0 + n * MINUTE_NS, out_msat=72_000_000 + n * 700_000) for n in range(10)])
        for n in range(failing):
            begun_ns = T0 + (60 + 2 * n) * MINUTE_NS
            for part in range(PARTS):
                htlc = 1_000 + n * PARTS + part
                write(writer, [offered(htlc, begun_ns + part, out_msat=75_000_000 + n * 900_000)])
                write(writer, [downstream(htlc, begun_ns + MINUTE_NS // 2)])
        writer.cover(LIVE, T0, T0 + DAY_NS)
        writer.upkeep(T0 + 2 * DAY_NS)
    with OpportunityService.open(database) as service:
        document = service.analyze(Window(since_ns=T0, until_ns=T0 + DAY_NS), Selection(min_missed_sat=0))
    return document.totals.expected_missed_msat


@pytest.mark.parametrize("failing", [1, 5, 20])
def test_split_payments_that_fail_later_never_raise_what_was_missed(tmp_path: Path, failing: int) -> None:
    without = expected_msat(tmp_path / "without.sqlite", 0)
    assert 0 < expected_msat(tmp_path / "with.sqlite", failing) <= without
