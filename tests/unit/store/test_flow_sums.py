"""Sums of flows and refusals: totals, hours and raw rows together are what the rows alone say, for any window."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders import OUT, T0, offered, refused, settled, stored, write

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.htlc import HtlcEvent
from lnflow.domain.time import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from lnflow.store.reading import StoreReader
from lnflow.store.totals import added, signed
from lnflow.store.windows import PERIOD_H
from lnflow.store.writing import StoreWriter

DAYS = 4


def traffic() -> list[HtlcEvent]:
    """Every 20 minutes something settles, is refused or is under way, by three channels in turn."""
    events: list[HtlcEvent] = []
    for n in range(DAYS * 72):
        at_ns, out = T0 + n * 20 * MINUTE_NS, OUT + n % 3
        if n % 4 == 1:
            events.append(refused(n, at_ns, out=out, out_msat=90_000_000 + n))
        elif n % 4 == 2:
            events.append(refused(n, at_ns, out=out, cause=Cause.FEE_INSUFFICIENT, out_msat=2_000_000 + n))
        else:
            events.append(offered(n, at_ns, out=out, out_msat=10_000_000 + n))
            if n % 8:
                events.append(settled(n, at_ns + SECOND_NS, out=out))
    return events


@pytest.fixture(scope="module")
def summed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    last_day_ns = T0 + (DAYS - 1) * DAY_NS  # has no totals yet
    return stored(tmp_path_factory.mktemp("store") / "s", traffic(), last_day_ns)


def of_rows(path: Path, since_ns: int, until_ns: int) -> tuple[Counter[int], Counter[int], Counter[tuple[int, int]]]:
    """Return what settled by each channel in msat, what is pending, and what was refused by channel and cause."""
    con = sqlite3.connect(path)
    rows = con.execute(
        "SELECT out_chan, outcome, cause, amount_out_msat FROM attempt WHERE accounted_ns >= ? AND accounted_ns < ?",
        (since_ns, until_ns),
    ).fetchall()
    con.close()
    left, pending, causes = Counter[int](), Counter[int](), Counter[tuple[int, int]]()
    for chan, outcome, cause, msat in rows:
        left[chan] += msat * (outcome == Outcome.SETTLED)
        pending[chan] += outcome == Outcome.PENDING
        if outcome == Outcome.REFUSED:
            causes[chan, cause] += 1
    return left, pending, causes


def agrees(path: Path, since_ns: int, until_ns: int) -> None:
    left, pending, causes = of_rows(path, since_ns, until_ns)
    with StoreReader(path) as store:
        flows = store.flows(since_ns, until_ns)
        refusals = store.refusals(since_ns, until_ns)
        outgoing, by_cause = store.departures(since_ns, until_ns)
        singly = [one for chan in range(5) for one in store.flows(since_ns, until_ns, chan)]
        assert [r for chan in range(5) for r in store.refusals(since_ns, until_ns, chan)] == refusals
    assert singly == flows
    assert Counter({f.chan: f.out_settled_msat for f in flows}) == left
    assert Counter({f.chan: f.out_pending for f in flows}) == pending
    assert {(r.chan, r.cause): r.attempts for r in refusals} == causes
    assert (
        dict(zip(outgoing["chan"].tolist(), outgoing["out_settled_msat"].tolist(), strict=True)).items()
        <= {f.chan: f.out_settled_msat for f in flows}.items()
    )
    assert sum(outgoing["out_settled_msat"].tolist()) == left.total()
    assert Counter({r.cause: r.attempts for r in by_cause}).total() == causes.total()
    assert sum(r.msat for r in by_cause) == sum(f.out_refused_msat for f in flows)


instants = st.integers(T0 - DAY_NS, T0 + (DAYS + 1) * DAY_NS) | st.integers(-6, (DAYS + 1) * 24).map(
    lambda n: T0 // HOUR_NS * HOUR_NS + n * HOUR_NS
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(since_ns=instants, until_ns=instants)
def test_any_window_is_what_its_rows_say(summed: Path, since_ns: int, until_ns: int) -> None:
    agrees(summed, since_ns, until_ns)


def test_what_becomes_known_later_is_in_the_sums_before_and_after_the_next_upkeep(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        write(writer, traffic())
        writer.upkeep(T0 + 5 * DAY_NS)
        write(writer, [refused(10_000, T0 + DAY_NS + 5 * MINUTE_NS, out_msat=777_000_000)])
        for _ in range(2):
            agrees(path, T0 + 7 * MINUTE_NS, T0 + 3 * DAY_NS)
            writer.upkeep(T0 + 5 * DAY_NS)


def test_a_store_whose_totals_are_still_to_be_made_answers_from_its_hours(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with StoreWriter(path, "node") as writer:
        write(writer, traffic())
    agrees(path, T0 + 7 * MINUTE_NS, T0 + 3 * DAY_NS)


def test_totals_are_kept_for_each_period_in_which_something_changed(summed: Path) -> None:
    con = sqlite3.connect(summed)
    kept = con.execute("SELECT kind, period, part FROM running_total ORDER BY 1, 2").fetchall()
    con.close()
    ended = T0 // HOUR_NS // PERIOD_H
    assert kept == [(kind, ended + n, 0) for kind in (0, 1) for n in range(1, (DAYS - 1) * 24 // PERIOD_H + 1)]


def test_a_sum_beyond_63_bits_is_refused_not_wrapped_and_what_cancels_out_is_exact() -> None:
    huge = np.array([[1, 1, 2**62], [2, 1, 7]])
    assert added([huge, huge, signed(-1, huge, 1)], keys=1).tolist() == huge.tolist()
    assert added([huge, signed(-1, huge, 1)], keys=1).tolist() == []
    with pytest.raises(OverflowError, match="63 bits"):
        added([huge, huge], keys=1)
