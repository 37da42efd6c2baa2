"""What the store says of costs and capital: numbers checked by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from tests.builders import OUT, T0

from lnflow.domain.channel import ChannelState, ClosedChannel
from lnflow.domain.costs import CircularHtlc, WalletTransaction
from lnflow.domain.time import HOUR_NS
from lnflow.store.costs import PAYMENTS_CURSOR, WALLET_CURSOR, CapitalRow, CircularRow
from lnflow.store.reading import StoreReader
from lnflow.store.writing import StoreWriter

PEER = "02" + "ab" * 32
CHANNEL = ChannelState(
    channel_point=f"{'cd' * 32}:1",
    scid=OUT,
    other_scids=(),
    peer_pubkey=PEER,
    peer_alias=None,
    capacity_sat=1_000_000,
    local_msat=0,
    remote_msat=0,
    unsettled_msat=0,
    commit_fee_sat=0,
    local_reserve_sat=0,
    remote_reserve_sat=0,
    initiator=True,
    private=False,
    active=True,
)


def part(number: int, *, at_ns: int = T0, in_scid: int = OUT, fee_msat: int = 10) -> CircularHtlc:
    return CircularHtlc(
        payment_hash="ee" * 32,
        part=number,
        at_ns=at_ns,
        out_scid=1,
        in_scid=in_scid,
        in_peer_pubkey=PEER,
        amount_msat=1_000,
        fee_msat=fee_msat,
    )


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter(tmp_path / "store.sqlite", "router") as writer:
        yield writer


def listed(writer: StoreWriter, at_ns: int, local_msat: int) -> None:
    writer.write_channels(at_ns, [structs.replace(CHANNEL, local_msat=local_msat)])


def test_capital_is_the_balance_weighted_by_how_long_it_held(writer: StoreWriter) -> None:
    """100 for one hour of the window, then 400 for three: 325; what was before the window weighs nothing."""
    listed(writer, T0 - 9 * HOUR_NS, 900)
    listed(writer, T0 - HOUR_NS, 100)
    listed(writer, T0 + HOUR_NS, 400)
    with StoreReader(writer.path) as store:
        [chan] = [c.channel_id for c in store.channels(T0)]
        assert store.costs.capital(T0, T0 + 4 * HOUR_NS) == [CapitalRow(chan, 325)]
        assert store.costs.capital(T0 - 20 * HOUR_NS, T0 - 10 * HOUR_NS) == []


def test_circular_payments_are_known_once_a_cursor_says_so(writer: StoreWriter) -> None:
    """A part counts once, by the channel it came back by; a channel nobody knows leaves the peer."""
    listed(writer, T0, 1)
    with StoreReader(writer.path) as store:
        assert store.costs.circular(T0, T0 + 1) is None
    parts = [part(1), part(2, fee_msat=5), part(3, in_scid=77), part(4, at_ns=T0 + HOUR_NS)]
    assert writer.write_costs(circular=parts, cursors={PAYMENTS_CURSOR: 9}).new == 4
    assert writer.write_costs(circular=parts, cursors={PAYMENTS_CURSOR: 9}).known == 4
    with StoreReader(writer.path) as store:
        [chan] = [c.channel_id for c in store.channels(T0)]
        rows = store.costs.circular(T0, T0 + HOUR_NS)
        assert rows == [CircularRow(None, PEER, 1, 1_000, 10), CircularRow(chan, PEER, 2, 2_000, 15)]
        assert store.costs.circular_parts(PEER, T0 + 1) == [(T0 + HOUR_NS, 1_000)]


def test_a_closing_is_remembered_with_who_opened(writer: StoreWriter) -> None:
    closed = ClosedChannel(
        channel_point=CHANNEL.channel_point,
        scid=OUT,
        other_scids=(),
        peer_pubkey=PEER,
        capacity_sat=1_000_000,
        close_height=800_000,
        close_type="cooperative_close",
        closing_txid="cc" * 32,
        settled_sat=1,
        opened_by_us=True,
    )
    closing = WalletTransaction(
        txid="cc" * 32,
        at_ns=T0,
        block_height=800_000,
        fee_sat=0,
        label="0:closechannel",
        outputs=((0, 600_000), (1, 399_000)),
        spends=(CHANNEL.channel_point,),
    )
    writer.write_closed([closed])
    writer.write_closed([structs.replace(closed, opened_by_us=None)])  # an older file does not know it
    writer.write_costs(transactions=[closing], cursors={WALLET_CURSOR: 800_000})
    with StoreReader(writer.path) as store:
        [funding] = store.costs.fundings()
        assert (funding.opened_by_us, funding.closing_txid, funding.close_height) == (True, "cc" * 32, 800_000)
        assert store.costs.transactions() == [closing]
