"""Advice followed up from the store: what balances and forwards together say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from tests.builders import OUT, T0, offered, settled, write
from tests.unit.store.test_costs import CHANNEL, PEER

from lnflow.advice.documents import Recommendation
from lnflow.domain.time import HOUR_NS, MINUTE_NS
from lnflow.service.following import Follower, load_ledger
from lnflow.store.advice_ledger import AdviceLedger, NewAdvice
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

GIVEN = T0 + 4 * MINUTE_NS


def recommendation(amount_sat: int) -> Recommendation:
    return Recommendation(
        type="rebalance_outbound",
        channel="200x0x0",
        amount_sat=amount_sat,
        max_ppm=100,
        fee_ppm=None,
        max_htlc_msat=None,
        gain_per_month_msat=1,
        cost_msat=None,
        confidence=1.0,
        text="",
        evidence=[],
    )


@pytest.mark.parametrize(
    ("local_then_sat", "later_sat", "taken"), [(900_000, 780_000, False), (900_000, 880_000, True)]
)
def test_forwards_since_the_last_listing_are_no_rebalance(
    tmp_path: Path, local_then_sat: int, later_sat: int, taken: bool
) -> None:
    """900,000 sat listed, 70,000 left before the advice and 70,000 after: 760,000 are explained.

    100,000 were advised: 780,000 an hour later is 20,000 more, 880,000 is 120,000 more.
    """
    path = tmp_path / "store.sqlite"
    with StoreWriter(path, "router") as writer:
        writer.write_channels(T0, [structs.replace(CHANNEL, local_msat=local_then_sat * 1000)])
        write(writer, [offered(1, T0 + MINUTE_NS), settled(1, T0 + 2 * MINUTE_NS)])
        write(writer, [offered(2, T0 + 9 * MINUTE_NS), settled(2, T0 + 10 * MINUTE_NS)])
        writer.write_channels(T0 + HOUR_NS, [structs.replace(CHANNEL, local_msat=later_sat * 1000)])
        node_id = writer.node_id
    advice = NewAdvice(
        peer_pubkey=PEER,
        peer_alias=None,
        cause="liquidity",
        recommendation=msgspec.json.encode(recommendation(100_000)).decode(),
        expected_msat=1,
        low_msat=0,
        high_msat=2,
    )
    with AdviceLedger(path, node_id) as ledger:
        ledger.give([advice], GIVEN)
    with StoreReader(path) as store:
        assert [c.scid for c in store.channels(GIVEN) if c.peer_pubkey == PEER] == [OUT]
        [entry] = load_ledger(store)
        found = Follower(store, [entry], T0 + 2 * HOUR_NS).taken_ns(entry)
    assert found == (T0 + HOUR_NS if taken else None)
