"""Who pays what on the chain, who gave which discount, what is left: numbers checked by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lnflow.analysis.costs import CostKind, Funding, onchain_costs, split_msat
from lnflow.analysis.discounts import PricedForward, PriceHistory, attribute, discount_msat
from lnflow.analysis.profit import Profit, summed
from lnflow.domain.channel import Policy
from lnflow.domain.costs import WalletTransaction
from lnflow.domain.fees import required_fee_msat

BATCH, CLOSE_A, CLOSE_B, SWEEP = "aa" * 32, "c1" * 32, "c2" * 32, "d0" * 32


def channel(point: str, *, ours: bool | None = True, closing: str | None = None, sat: int = 1_000_000) -> Funding:
    return Funding(channel_point=point, capacity_sat=sat, opened_by_us=ours, closing_txid=closing)


def transaction(
    txid: str, *, fee_sat: int = 0, outputs: tuple[int, ...] = (), spends: tuple[str, ...] = ()
) -> WalletTransaction:
    return WalletTransaction(
        txid=txid,
        at_ns=1,
        block_height=800_000,
        fee_sat=fee_sat,
        label="",
        outputs=tuple(enumerate(outputs)),
        spends=spends,
    )


def costs(channels: list[Funding], *transactions: WalletTransaction) -> list[tuple[str, CostKind, int | None]]:
    return [(c.channel_point, c.kind, c.fee_msat) for c in onchain_costs(channels, transactions)]


def test_a_batch_is_shared_by_the_channels_it_opened() -> None:
    """1,000 sat over three channels: whole msat, and the sum is the fee."""
    channels = [channel(f"{BATCH}:{n}") for n in range(3)]
    shares = costs(channels, transaction(BATCH, fee_sat=1_000), transaction("ee" * 32, fee_sat=77))
    assert [(kind, msat) for _, kind, msat in shares] == [
        (CostKind.OPEN, 333_334),
        (CostKind.OPEN, 333_333),
        (CostKind.OPEN, 333_333),
    ]


def test_a_close_costs_the_opener_what_no_output_got() -> None:
    """1,000,000 sat in, 700,000 and 299,500 out: 500 sat; nothing if the peer opened, unknown if nobody knows."""
    closing = transaction(CLOSE_A, outputs=(700_000, 299_500))
    for ours, msat in ((True, 500_000), (False, 0), (None, None)):
        [(_, kind, cost)] = costs([channel("ab:0", ours=ours, closing=CLOSE_A)], closing)
        assert (kind, cost) == (CostKind.CLOSE, msat)


def test_a_sweep_is_shared_by_the_channels_it_came_from() -> None:
    """Two closings give 400,000 and 100,330 sat, 500,000 come out: 330 sat, 165 each."""
    channels = [channel("ab:0", ours=False, closing=CLOSE_A), channel("cd:1", ours=False, closing=CLOSE_B)]
    closings = [transaction(CLOSE_A, outputs=(600_000, 400_000)), transaction(CLOSE_B, outputs=(100_330,))]
    sweep = transaction(SWEEP, outputs=(500_000,), spends=(f"{CLOSE_A}:1", f"{CLOSE_B}:0"))
    assert costs(channels, *closings, sweep)[2:] == [
        ("ab:0", CostKind.SWEEP, 165_000),
        ("cd:1", CostKind.SWEEP, 165_000),
    ]
    unseen = transaction(SWEEP, outputs=(500_000,), spends=(f"{CLOSE_A}:1", "ff:0"))
    assert costs(channels, closings[0], unseen)[-1] == ("ab:0", CostKind.SWEEP, None)


@given(st.integers(0, 10**12), st.integers(1, 50))
def test_shares_add_up(total_msat: int, shares: int) -> None:
    split = split_msat(total_msat, shares)
    assert sum(split) == total_msat
    assert max(split) - min(split) <= 1


def priced(*, ppm: int = 0, base: int = 0, inbound_ppm: int = 0) -> Policy:
    return Policy(
        base_fee_msat=base,
        fee_ppm=ppm,
        time_lock_delta=40,
        min_htlc_msat=1,
        max_htlc_msat=None,
        inbound_fee_ppm=inbound_ppm,
    )


def test_a_discount_is_of_the_price_in_force_when_the_payment_came_in() -> None:
    """200 ppm asked; 150 ppm of inbound discount only from instant 100 on."""
    prices = {
        1: PriceHistory([0, 100], [priced(), priced(inbound_ppm=-150)]),
        2: PriceHistory([0], [priced(ppm=200)]),
    }
    early = PricedForward(1, 2, 99, 1_000_200, 1_000_000)
    late = PricedForward(1, 2, 100, 1_000_050, 1_000_000)
    unknown = PricedForward(3, 2, 100, 1_000_050, 1_000_000)
    found = attribute([early, late, unknown], prices)
    assert (found.given_msat, found.borne_msat) == ({1: 150}, {2: 150})


@given(
    amount=st.integers(1, 10**12),
    base=st.integers(0, 10_000),
    ppm=st.integers(0, 5_000),
    inbound_ppm=st.integers(-5_000, 0),
    paid_more=st.integers(0, 10**7),
)
def test_a_discount_never_exceeds_what_was_asked_and_not_paid(
    amount: int, base: int, ppm: int, inbound_ppm: int, paid_more: int
) -> None:
    """Who pays the least that is accepted used it whole; who pays more, less; never below nothing."""
    incoming, outgoing = priced(inbound_ppm=inbound_ppm), priced(ppm=ppm, base=base)
    least = required_fee_msat(amount, base, ppm, 0, inbound_ppm)
    asked = required_fee_msat(amount, base, ppm)

    def given_at(fee_msat: int) -> int:
        return discount_msat(PricedForward(1, 2, 0, amount + fee_msat, amount), incoming, outgoing)

    assert given_at(least) == asked - least
    assert given_at(least + paid_more) == max(0, asked - least - paid_more)


def made(earned: int, *, rebalance: int | None = 0, given: int = 0, borne: int = 0) -> Profit:
    return Profit(
        earned_msat=earned,
        sourced_msat=0,
        rebalance_cost_msat=rebalance,
        onchain_cost_msat=1_000,
        discount_given_msat=given,
        discount_borne_msat=borne,
        capital_msat=10_000_000,
    )


def test_net_is_what_is_left_and_discounts_cancel_in_the_sum() -> None:
    """5,000 - 700 - 1,000 - 200 = 3,100; 9,000 - 1,000 + 200 = 8,200; the node 14,000 - 700 - 2,000 = 11,300."""
    giver, bearer = made(5_000, rebalance=700, given=200), made(9_000, borne=200)
    node = summed([giver, bearer])
    assert (giver.net_msat, bearer.net_msat, node.net_msat) == (3_100, 8_200, 11_300)
    assert node.return_on_capital(365 * 86_400) == 11_300 / 20_000_000


def test_what_needs_an_unknown_cost_is_unknown() -> None:
    """Unknown is not nothing: neither of the channel nor of a sum with it."""
    assert made(5_000, rebalance=None).net_msat is None
    assert summed([made(5_000, rebalance=None), made(1)]).net_msat is None
    assert summed([made(5_000, rebalance=None), made(1)]).earned_msat == 5_001
