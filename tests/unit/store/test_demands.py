"""The demand tables are what the rules make of every stored try, however the attempts came and when we looked."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import T0

from lnflow.domain.amounts import amount_class
from lnflow.domain.causes import Cause, Circumstance, Outcome
from lnflow.domain.channel import ChannelPolicies, ChannelState, Policy
from lnflow.domain.demand import PERIOD_NS, Try, Wish, find_wishes
from lnflow.domain.lone_tries import Tries
from lnflow.domain.time import HOUR_NS, MINUTE_NS, SECOND_NS
from lnflow.store.demands import _served_alone
from lnflow.store.rows import AttemptFacts
from lnflow.store.writing import StoreWriter

START_NS = T0 - T0 % PERIOD_NS
LATER_NS = START_NS + 100 * PERIOD_NS
MOST_MSAT = 10**15
CAPACITY_SAT = 300
PAUSES_NS = [0, SECOND_NS // 10, SECOND_NS, 20 * SECOND_NS, MINUTE_NS, HOUR_NS // 2, HOUR_NS - 1, HOUR_NS, 2 * HOUR_NS]
CAUSES = [Cause.INSUFFICIENT_BALANCE, Cause.FEE_INSUFFICIENT, Cause.UNKNOWN_NEXT_PEER, Cause.HTLC_EXCEEDS_MAX]


def channel(number: int, local_msat: int = 200_000) -> ChannelState:
    """Channels 1 and 2, 3 and 4, … have the same peer."""
    return ChannelState(
        channel_point=f"{number:064x}:0", scid=number << 40, other_scids=(), peer_pubkey=f"02{(number + 1) // 2:064x}",
        peer_alias="", capacity_sat=CAPACITY_SAT, local_msat=local_msat, remote_msat=100_000, unsettled_msat=0,
        commit_fee_sat=0, local_reserve_sat=0, remote_reserve_sat=0, initiator=True, private=False, active=number < 5,
    )  # fmt: skip


@st.composite
def attempts(draw: st.DrawFn) -> list[AttemptFacts]:
    """Attempts of four channels over two days: at once, again, in halves, probing, without amounts, held for long."""
    facts: list[AttemptFacts] = []
    at_ns = START_NS - HOUR_NS
    for htlc in range(draw(st.integers(0, 30))):
        at_ns += draw(
            st.sampled_from(
                [
                    0,
                    SECOND_NS // 10,
                    SECOND_NS,
                    20 * SECOND_NS,
                    MINUTE_NS,
                    HOUR_NS // 2,
                    HOUR_NS - 1,
                    HOUR_NS,
                    2 * HOUR_NS,
                ]
            )
        )
        in_chan, out_chan = draw(st.integers(1, 3)), draw(st.integers(3, 7))
        msat = draw(st.sampled_from([80_000, 160_000, 320_000, 640_000, 80_100, None, MOST_MSAT + 5]))
        if msat is not None:
            msat >>= draw(st.integers(0, 3))
        outcome = draw(st.sampled_from([Outcome.REFUSED, *Outcome]))
        cause = draw(st.sampled_from(CAUSES)) if outcome is Outcome.REFUSED else Cause.NONE
        ended = outcome is not Outcome.PENDING
        resolved = at_ns + draw(st.sampled_from([0, SECOND_NS, HOUR_NS, 5 * HOUR_NS])) if ended else None
        fee = draw(st.sampled_from([0, 10, -5]))
        facts.append(
            AttemptFacts(
                in_chan << 40, htlc, out_chan << 40, None, int(outcome is not Outcome.REFUSED), at_ns,
                None if msat is None else max(0, msat + fee), msat, at_ns, resolved, None, int(outcome), int(cause),
                0, 0, 1,
            )
        )  # fmt: skip
    return facts


@settings(max_examples=60)
@given(attempts(), st.data())
def test_the_tables_are_what_the_rules_make_of_every_try(facts: list[AttemptFacts], data: st.DataObject) -> None:
    come = data.draw(st.permutations(facts)) if data.draw(st.booleans()) else facts
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        with StoreWriter(path, "node") as writer:
            writer.write_channels(START_NS - 2 * HOUR_NS, [channel(number) for number in range(1, 7)])
            for hours, ppm in ((-2, 100), (3, 200), (8, 150)):
                writer.write_policies([price(number, ppm) for number in (3, 4)], START_NS + hours * HOUR_NS)
            for at_ns, up in ((START_NS + HOUR_NS, False), (START_NS + 4 * HOUR_NS, True)):
                writer.set_online(None, channel(5).peer_pubkey, at_ns, up)
            writer.write_channels(START_NS + 2 * HOUR_NS, [channel(number, 100_000) for number in range(1, 7)])
            while come:
                size = data.draw(st.integers(1, len(come)))
                writer.write_batch(come[:size])
                come = come[size:]
                if data.draw(st.booleans()):
                    writer.upkeep(data.draw(st.sampled_from([START_NS + PERIOD_NS, LATER_NS])))
            writer.upkeep(LATER_NS)
        con = sqlite3.connect(path)
        demand, served = plain(con)
        assert sorted(stored(con, "demand", "demand_id"), key=repr) == sorted(demand, key=repr)
        assert sorted(stored(con, "served", "")) == sorted(served)
        con.close()


def test_a_wish_goes_on_into_the_next_period_that_is_made_with_its_own() -> None:
    """The second period is made from rows that were read for the first: those of the hour before it are among them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        with StoreWriter(path, "node") as writer:
            tries = [START_NS + PERIOD_NS - 59 * MINUTE_NS, START_NS + PERIOD_NS, START_NS + 2 * PERIOD_NS - 1]
            writer.write_batch([refusal(htlc, at_ns) for htlc, at_ns in enumerate(tries)])
            writer.upkeep(LATER_NS)
        con = sqlite3.connect(path)
        assert con.execute("SELECT first_ns, attempts FROM demand ORDER BY 1").fetchall() == [
            (tries[0], 2),
            (tries[2], 1),
        ]
        con.close()


def test_only_a_raise_within_the_hour_makes_a_price_stale() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        with StoreWriter(path, "node") as writer:
            for hours, ppm in ((-2, 100), (3, 200)):
                writer.write_policies([price(3, ppm)], START_NS + hours * HOUR_NS)
            tries = [START_NS + minutes * MINUTE_NS for minutes in (179, 180, 239, 240)]
            writer.write_batch([refusal(htlc, at_ns, msat=100_000 << htlc) for htlc, at_ns in enumerate(tries)])
            writer.upkeep(LATER_NS)
        con = sqlite3.connect(path)
        raised = [
            circumstance == Circumstance.AFTER_RAISE
            for (circumstance,) in con.execute("SELECT circumstance FROM demand ORDER BY first_ns")
        ]
        assert raised == [False, True, True, False]
        con.close()


def refusal(htlc: int, at_ns: int, msat: int = 50_000) -> AttemptFacts:
    return AttemptFacts(
        1 << 40, htlc, 3 << 40, None, 0, at_ns, msat + 10, msat, at_ns, at_ns, None, int(Outcome.REFUSED),
        int(Cause.FEE_INSUFFICIENT), 0, 0, 1,
    )  # fmt: skip


def price(number: int, ppm: int) -> ChannelPolicies:
    policy = Policy(base_fee_msat=0, fee_ppm=ppm, time_lock_delta=80, min_htlc_msat=1, max_htlc_msat=100)
    return ChannelPolicies(
        scid=number << 40, channel_point=f"{number:064x}:0", peer_pubkey=f"02{(number + 1) // 2:064x}", ours=policy,
        theirs=None, capacity_sat=CAPACITY_SAT,
    )  # fmt: skip


def stored(con: sqlite3.Connection, table: str, without: str) -> list[tuple[object, ...]]:
    names = [row[1] for row in con.execute(f"PRAGMA table_info({table})") if row[1] != without]
    return con.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()


def plain(con: sqlite3.Connection) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return the rows of both tables, made from all tries of each period one after the other."""
    peers = dict(con.execute("SELECT channel_id, coalesce(peer_id, -channel_id) FROM channel"))
    sizes = dict(con.execute("SELECT channel_id, capacity_sat FROM channel"))
    demand: list[tuple[object, ...]] = []
    served: list[tuple[object, ...]] = []
    for period in range(START_NS // PERIOD_NS - 2, START_NS // PERIOD_NS + 12):
        start_ns, end_ns = period * PERIOD_NS, (period + 1) * PERIOD_NS
        rows = con.execute(
            """SELECT arrived_ns, in_chan, out_chan, amount_in_msat, amount_out_msat, outcome, cause FROM attempt
               WHERE arrived_ns >= ?1 AND accounted_ns >= ?1 AND arrived_ns < ?2 AND accounted_ns < ?2 + ?3
               ORDER BY arrived_ns, in_htlc_id, amount_out_msat, in_chan, attempt_id""",
            (start_ns - HOUR_NS, end_ns + HOUR_NS, PERIOD_NS),
        )
        tries = [
            Try(
                at_ns, peers[in_chan], peers[out_chan], in_chan, out_chan, None if out is None else min(out, MOST_MSAT),
                None if out is None or came is None else max(0, came - out), Outcome(outcome), Cause(cause),
            )
            for at_ns, in_chan, out_chan, came, out, outcome, cause in rows
        ]  # fmt: skip
        sums: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * 5)
        for w in find_wishes(tries):
            if not start_ns <= w.first_ns < end_ns:
                continue
            size = None if w.amount_msat is None else amount_class(w.amount_msat)
            if w.refused:
                largest = max((sizes[c] for c, p in peers.items() if p == peers[w.out_chan] and sizes[c]), default=None)
                oversize = largest is not None and w.part_msat is not None and w.part_msat > largest * 1000
                demand.append((
                    1, w.in_chan, w.out_chan, int(w.cause), int(circumstance(con, w)), size, int(oversize), w.first_ns,
                    w.last_ns, w.refused, w.refused_msat, w.refused_fee_msat, w.amount_msat, w.fee_msat,
                    w.recovered_ns, w.paid_msat, w.part_msat,
                ))  # fmt: skip
            elif not w.probe and w.amount_msat is not None and size is not None and (w.arrived_msat or w.failed):
                arrived = w.arrived_msat * 2 > w.amount_msat
                whole_and_part = (w.amount_msat, w.part_msat or 0) if arrived else (0, 0)
                added = (1, arrived, *whole_and_part, w.arrived_msat)
                total = sums[w.out_chan, size]
                total[:] = [a + b for a, b in zip(total, added, strict=True)]
        served += [(1, period, *key, *values) for key, values in sums.items()]
    return demand, served


def circumstance(con: sqlite3.Connection, w: Wish) -> int:
    """Return what was known at the first try, by asking for nothing else."""

    def last(table: str, value: str) -> list[int]:
        return [
            known
            for (known,) in con.execute(
                f"""SELECT (SELECT {value} FROM {table} WHERE chan = c.channel_id AND at_ns <= ?2
                             ORDER BY at_ns DESC LIMIT 1)
                    FROM channel c WHERE channel_id = ?1
                      OR peer_id = (SELECT peer_id FROM channel WHERE channel_id = ?1)""",
                (w.out_chan, w.first_ns),
            )
            if known is not None
        ]

    if w.probe:
        return Circumstance.PROBE
    if w.cause == Cause.UNKNOWN_NEXT_PEER and (links := last("channel_online", "active")) and not any(links):
        return Circumstance.LINK_DOWN
    if w.cause == Cause.HTLC_EXCEEDS_MAX and (balances := last("channel_snapshot", "local_msat")):
        return Circumstance.BALANCE_SHORT if max(balances) < (w.part_msat or 0) else Circumstance.NONE
    if w.cause == Cause.FEE_INSUFFICIENT:
        prices = con.execute(
            "SELECT since_ns, fee_ppm FROM policy WHERE chan = ? AND side = 0 ORDER BY since_ns", (w.out_chan,)
        ).fetchall()
        raises = [since_ns for (_, before), (since_ns, after) in pairwise(prices) if after > before]
        return Circumstance.AFTER_RAISE if any(0 <= w.first_ns - at < HOUR_NS for at in raises) else Circumstance.NONE
    return Circumstance.NONE


def test_sums_of_amounts_that_nobody_has_do_not_wrap() -> None:
    """10,000 payments of the largest amount that counts are more than 64 bits hold."""
    count = 10_000
    column = {name: np.ones(count, np.int64) for name in Tries.__slots__}
    column |= {"amount_out_msat": np.full(count, MOST_MSAT), "outcome": np.full(count, int(Outcome.SETTLED))}
    [sums] = _served_alone(Tries(**column)).values()
    assert sums == [count, count, count * MOST_MSAT, count * MOST_MSAT, count * MOST_MSAT]
