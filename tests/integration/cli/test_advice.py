"""The ledger of recommendations through the command: given, marked, found taken, measured."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import msgspec
import pytest
from tests.integration.cli.conftest import Lnflow

from lnflow.advice.documents import Recommendation
from lnflow.domain.causes import Cause
from lnflow.domain.channel import ChannelState
from lnflow.domain.costs import CircularHtlc
from lnflow.domain.htlc import HtlcEvent, Offered, Refused, Settled
from lnflow.domain.time import DAY_NS, HOUR_NS, SECOND_NS, iso_utc
from lnflow.ingest.join import Joiner
from lnflow.store.advice_ledger import AdviceLedger, NewAdvice
from lnflow.store.costs import PAYMENTS_CURSOR
from lnflow.store.writing import StoreWriter

SOURCE, ADVISED, STEADY, SMALL, WANTED = (n << 40 for n in (100, 200, 300, 400, 500))
NOW_NS = time.time_ns() // HOUR_NS * HOUR_NS
CHANGE_NS = NOW_NS - 8 * DAY_NS
# msat a day before and after the change
INCOME = {ADVISED: (1_000, 3_000), STEADY: (2_000, 2_400), SMALL: (1_000, 1_200)}


def key(scid: int) -> str:
    return f"02{scid >> 40:064x}"


def listed(scid: int) -> ChannelState:
    return ChannelState(
        channel_point=f"{scid >> 40:064x}:0",
        scid=scid,
        other_scids=(),
        peer_pubkey=key(scid),
        peer_alias=None,
        capacity_sat=10_000_000,
        local_msat=100_000_000,
        remote_msat=9_800_000_000,
        unsettled_msat=0,
        commit_fee_sat=0,
        local_reserve_sat=100_000,
        remote_reserve_sat=100_000,
        initiator=True,
        private=False,
        active=True,
    )


def forwards() -> list[HtlcEvent]:
    """A settled forward a day by each peer; ten large wishes refused in the last day, such as settled before."""
    events: list[HtlcEvent] = []

    def settle(scid: int, at_ns: int, fee_msat: int, out_msat: int = 1_000_000) -> None:
        number = len(events)
        events.append(Offered(SOURCE, number, at_ns, scid, number, out_msat + fee_msat, out_msat))
        events.append(Settled(SOURCE, number, at_ns + SECOND_NS, scid, number))

    for day in range(-12, 8):
        for scid, income in INCOME.items():
            settle(scid, CHANGE_NS + day * DAY_NS + 12 * HOUR_NS, income[day >= 0])
    for n in range(20):
        settle(WANTED, NOW_NS - (n + 1) * HOUR_NS, 500_000, 700_000_000 + n * 1_000_000)
    for n in range(10):
        out_msat = 400_000_000 + n * 20_000_000
        at_ns = NOW_NS - (n + 1) * 2 * HOUR_NS - HOUR_NS // 2
        events.append(
            Refused(SOURCE, 10_000 + n, at_ns, WANTED, Cause.INSUFFICIENT_BALANCE, out_msat + 500_000, out_msat, 15, 6)
        )
    return events


def advice_given_before_the_change() -> NewAdvice:
    recommendation = Recommendation(
        type="rebalance_outbound",
        channel="200x0x0",
        amount_sat=3_000_000,
        max_ppm=500,
        fee_ppm=None,
        max_htlc_msat=None,
        gain_per_month_msat=60_000,
        cost_msat=None,
        confidence=0.9,
        text="Raise the local balance of 200x0x0 by 3,000,000 sat.",
        evidence=[],
    )
    return NewAdvice(
        peer_pubkey=key(ADVISED),
        peer_alias="advised",
        cause="liquidity",
        recommendation=msgspec.json.encode(recommendation).decode(),
        expected_msat=60_000,
        low_msat=30_000,
        high_msat=90_000,
    )


@pytest.fixture
def node(lnflow: Lnflow) -> Lnflow:
    with StoreWriter(lnflow.database, "router") as writer:
        channels = [listed(scid) for scid in (SOURCE, ADVISED, STEADY, SMALL, WANTED)]
        writer.write_channels(CHANGE_NS - 12 * DAY_NS, channels)
        joiner = Joiner()
        for event in forwards():
            joiner.add(event)
        writer.write_batch(joiner.take(), covered=("live", CHANGE_NS - 12 * DAY_NS, NOW_NS + HOUR_NS, ""))
        writer.upkeep(NOW_NS)
        node_id = writer.node_id
        part = CircularHtlc(
            payment_hash="aa" * 32,
            part=1,
            at_ns=CHANGE_NS,
            out_scid=SOURCE,
            in_scid=ADVISED,
            in_peer_pubkey=key(ADVISED),
            amount_msat=2_000_000_000,
            fee_msat=100_000,
        )
        writer.write_costs(circular=[part], cursors={PAYMENTS_CURSOR: 1})
    with AdviceLedger(lnflow.database, node_id) as ledger:
        ledger.give([advice_given_before_the_change()], CHANGE_NS - HOUR_NS)
    return lnflow


async def advise(node: Lnflow, *options: str) -> Any:
    result = await node("advice", "--json", *options)
    assert result.code == 0, result.err
    return result.document


def rows(node: Lnflow) -> int:
    with sqlite3.connect(node.database) as con:
        return int(con.execute("SELECT count(*) FROM advice").fetchone()[0])


async def test_advice_is_kept_found_taken_and_measured(node: Lnflow) -> None:
    """2 of 3 M sat came back by the peer: taken. It earned 3,000 a day after 1,000, others x 1.2: 14,400
    in the eight days so far; what was added may go on earning, so the score waits."""
    document = await advise(node)
    given, old = document["items"]
    assert (old["id"], old["status"], old["taken_at"], old["marked"]) == (1, "taken", iso_utc(CHANGE_NS), False)
    assert old["expected"] == {"gain_per_month_msat": 60_000, "low_msat": 30_000, "high_msat": 90_000}
    assert old["measured"] == {"gain_per_month_msat": 14_400, "low_msat": 14_400, "high_msat": 14_400}
    assert not old["is_final"]
    assert (given["peer_pubkey"], given["status"], given["measured"]) == (key(WANTED), "open", None)
    assert given["recommendation"]["type"] == "rebalance_outbound"
    assert given["expected"]["gain_per_month_msat"] == given["recommendation"]["gain_per_month_msat"] > 0
    assert document["score"] == {"given": 2, "taken": 1, "measured": 0, "inside_range": 0}
    report = (await node("report", "--json")).document
    assert report["advice"] == document["score"]


async def test_what_is_open_or_withdrawn_is_not_given_again(node: Lnflow) -> None:
    """The numbers stay those that were given; withdrawn on the operator's word, it keeps silent."""
    first = await advise(node)
    number = first["items"][0]["id"]
    second = await advise(node)
    assert [i["given_at"] for i in second["items"]] == [i["given_at"] for i in first["items"]]
    third = await advise(node, "--mark", str(number), "withdrawn")
    assert [(i["id"], i["status"]) for i in third["items"]] == [(number, "withdrawn"), (1, "taken")]
    again = await node("advice", "--mark", str(number), "taken")
    assert again.code == 1
    assert "only an open one can be marked" in again.err
    missing = await node("advice", "--mark", "99", "taken")
    assert (missing.code, "no recommendation 99" in missing.err) == (1, True)


async def test_only_advice_writes(node: Lnflow) -> None:
    """`analyze` and `report` look; the ledger stays as it was."""
    for command in ("analyze", "report"):
        assert (await node(command)).code == 0
    assert rows(node) == 1
    table = await node("advice")
    assert table.code == 0
    assert b"1 given" not in table.out
    assert b"2 given, 1 taken" in table.out
