"""lnflow's strategies: worked numbers, and what holds for all inputs (monotone, bounded, no cliffs)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.pricing.builders import DAY_S, channel, decide_one, new, policy, rule

from lnflow.pricing.decision import Action
from lnflow.pricing.facts import ChannelCost, Flow, PriceLevel, Unknown
from lnflow.pricing.strategies import balance, flow, inbound, recovery, revenue
from lnflow.pricing.strategies.bounds import Span

CAPACITY = 5_000_000_000
ratios = st.floats(0, 1)
amounts = st.integers(0, 50_000_000_000)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    low, middle, high = sorted(draw(st.tuples(*[st.integers(0, 5000)] * 3)))
    return Span(lowest=low, middle=middle, highest=high)


def flow_of(in_msat: int, out_msat: int, days: float = 7.0) -> Flow:
    return Flow(in_msat=in_msat, out_msat=out_msat, days=days)


@pytest.mark.parametrize(
    ("local_sat", "fee_ppm", "inbound_ppm"),
    [(0, 400, -50), (250_000, 300, -25), (500_000, 200, 0), (750_000, 150, 0), (1_000_000, 100, 0)],
)
def test_balance_based_with_its_own_bounds(local_sat: int, fee_ppm: int, inbound_ppm: int) -> None:
    values = new(decide_one(rule("strategy = balance_based", "fee_ppm = 200"), channel(local_sat)))
    assert (values.fee_ppm, values.inbound_fee_ppm) == (fee_ppm, inbound_ppm)


def test_balance_based_with_written_bounds() -> None:
    lines = ["strategy = balance_based", "fee_ppm = 200", "min_fee_ppm = 10", "max_fee_ppm = 1000"]
    values = new(decide_one(rule(*lines, "min_inbound_fee_ppm = -300"), channel(100_000)))
    assert (values.fee_ppm, values.inbound_fee_ppm) == (840, -240)
    assert new(decide_one(rule(*lines, "min_inbound_fee_ppm = 0"), channel(100_000))).inbound_fee_ppm == 0


@given(spans(), ratios, ratios)
def test_balance_based_falls_with_our_share_within_its_bounds(between: Span, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert between.lowest <= balance.price_at(between, high) <= balance.price_at(between, low) <= between.highest
    assert 0 <= balance.discount_at(300, high) <= balance.discount_at(300, low) <= 300


@given(spans(), ratios)
def test_balance_based_has_no_cliff(between: Span, ratio: float) -> None:
    near = min(1.0, ratio + 0.001)
    step = (between.highest - between.lowest) * 0.002 + 1
    assert abs(balance.price_at(between, ratio) - balance.price_at(between, near)) <= step


@pytest.mark.parametrize(
    "lines", [[], ["fee_ppm = 5", "min_fee_ppm = 9", "max_fee_ppm = 3"], ["fee_ppm = 5", "min_fee_ppm = -9"]]
)
def test_computed_strategies_need_sensible_bounds(lines: list[str]) -> None:
    assert decide_one(rule("strategy = balance_based", *lines)).action is Action.ERROR


@pytest.mark.parametrize(
    ("in_sat", "out_sat", "local_sat", "expected"),
    [
        (0, 7_000_000, 3_000_000, 248),  # a million a day, three left
        (0, 7_000_000, 0, 400),  # nothing left
        (7_000_000, 7_000_000, 2_500_000, 98),  # much moves, nothing is drained
        (0, 0, 2_500_000, 50),  # nothing moves
        (0, 0, 0, 100),  # nothing could move
        (7_000_000, 0, 2_500_000, 50),  # only fills
    ],
)
def test_flow_based_numbers(in_sat: int, out_sat: int, local_sat: int, expected: int) -> None:
    between = Span(lowest=50, middle=100, highest=400)
    moved = flow_of(in_sat * 1000, out_sat * 1000)
    assert flow.price_for(between, moved, local_sat * 1000, CAPACITY - local_sat * 1000, CAPACITY) == expected


@given(spans(), amounts, amounts, amounts, st.integers(0, CAPACITY))
def test_flow_based_is_bounded_and_follows_the_direction(
    between: Span, in_msat: int, out_msat: int, more: int, local: int
) -> None:
    def price(into: int, out: int) -> int:
        return flow.price_for(between, flow_of(into, out), local, CAPACITY - local, CAPACITY)

    here = price(in_msat, out_msat)
    assert between.lowest <= here <= between.highest
    assert price(in_msat, out_msat + more) >= here
    assert price(in_msat + more, out_msat) <= here


@given(spans(), amounts, amounts, st.integers(0, CAPACITY), st.integers(0, CAPACITY))
def test_flow_based_is_cheaper_the_more_is_left(
    between: Span, in_msat: int, out_msat: int, one: int, other: int
) -> None:
    less, more = sorted((one, other))
    moved = flow_of(in_msat, out_msat)
    low = flow.price_for(between, moved, less, CAPACITY - less, CAPACITY)
    assert flow.price_for(between, moved, more, CAPACITY - less, CAPACITY) <= low


def test_flow_based_waits_for_a_covered_day() -> None:
    text = rule("strategy = flow_based", "fee_ppm = 100")
    assert decide_one(text, channel(flows={7 * DAY_S: Flow(days=0.9)})).action is Action.SKIPPED
    assert decide_one(text, channel(flows={7 * DAY_S: Unknown("no store")})).action is Action.SKIPPED
    assert new(decide_one(text, channel(flows={7 * DAY_S: Flow(days=1.0)}))).fee_ppm == 50


def levels(*rows: tuple[int, float, int, int]) -> tuple[PriceLevel, ...]:
    return tuple(PriceLevel(fee_ppm=p, days=d, forwards=n, earned_msat=e) for p, d, n, e in rows)


REVENUE = ["strategy = revenue_max", "fee_ppm = 300", "min_fee_ppm = 50", "max_fee_ppm = 1000"]


def revenue_case(rows: tuple[PriceLevel, ...], *more: str, held: float = 9.0, present: int = 200) -> Any:
    facts = channel(price_levels=rows, days_at_price=held, ours=policy(fee_ppm=present))
    return decide_one(rule(*REVENUE, *more), facts)


def test_revenue_max_without_evidence_asks_fee_ppm() -> None:
    for rows in ((), levels((100, 2.9, 50, 10_000)), levels((100, 30, 0, 0))):
        assert new(revenue_case(rows)).fee_ppm == 300


def test_revenue_max_takes_the_best_price_per_covered_day() -> None:
    rows = levels((100, 10, 100, 900_000), (400, 5, 40, 800_000), (900, 10, 3, 100_000))
    assert new(revenue_case(rows, "learning_enabled = false")).fee_ppm == 400


def test_revenue_max_shrinks_a_lucky_day() -> None:
    rows = levels((100, 30, 300, 3_000_000), (700, 0.1, 1, 50_000))
    assert new(revenue_case(rows, "learning_enabled = false")).fee_ppm == 100
    proven = levels((100, 30, 300, 3_000_000), (700, 3, 30, 1_500_000))
    assert new(revenue_case(proven, "learning_enabled = no")).fee_ppm == 700


def test_revenue_max_never_takes_a_price_outside_the_bounds() -> None:
    rows = levels((10, 10, 100, 9_000_000), (100, 10, 100, 1_000_000), (5000, 10, 100, 9_000_000))
    assert new(revenue_case(rows, "learning_enabled = false")).fee_ppm == 100


def test_revenue_max_holds_a_price_that_is_on_trial() -> None:
    rows = levels((100, 10, 100, 900_000), (200, 1, 1, 100))
    assert new(revenue_case(rows, held=1.9)).fee_ppm == 200
    assert new(revenue_case(rows, held=2.0)).fee_ppm != 200
    assert new(revenue_case(rows, held=1.9, present=4000)).fee_ppm != 4000


def test_revenue_max_tries_untried_neighbours_and_settles_on_a_peak() -> None:
    """Demand of 1,000 sat/day at 100 ppm that ends above 300 ppm: the best price is near 300."""
    seen: dict[int, tuple[float, int, int]] = {}
    price, visits = 100, []
    for _ in range(120):
        days, forwards, earned = seen.get(price, (0.0, 0, 0))
        share = max(0.0, 1 - (price / 500) ** 2)
        seen[price] = (days + 2, forwards + round(40 * share), earned + round(40 * share * price * 100))
        rows = levels(*((p, *figures) for p, figures in seen.items()))
        price = new(revenue_case(rows, held=2.0, present=price)).fee_ppm
        visits.append(price)
    assert max(visits) <= 1000
    late = visits[60:]
    near_peak = [p for p in late if 220 <= p <= 380]  # the peak of p·(1 − (p/500)²) is at 289 ppm
    assert len(near_peak) >= 0.8 * len(late)


@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.floats(0, 90), st.integers(0, 500), st.integers(0, 10**9)), max_size=12
    ),
    spans(),
    st.floats(0, 30),
)
def test_revenue_max_is_bounded(rows: list[tuple[int, float, int, int]], between: Span, held: float) -> None:
    lines = [
        "strategy = revenue_max",
        f"fee_ppm = {between.middle}",
        f"min_fee_ppm = {between.lowest}",
        f"max_fee_ppm = {between.highest}",
    ]
    facts = channel(price_levels=levels(*rows), days_at_price=held)
    assert between.lowest <= new(decide_one(rule(*lines), facts)).fee_ppm <= between.highest


@given(st.lists(st.integers(0, 5000), min_size=1), st.integers(0, 9))
def test_revenue_max_pools_every_day_and_every_msat(prices: list[int], days: int) -> None:
    rows = levels(*((price, days + 1.0, 2, 3) for price in prices))
    pooled = revenue.pool(rows)
    assert sum(level.earned_msat for level in pooled) == 3 * len(prices)
    assert sum(level.days for level in pooled) == pytest.approx((days + 1) * len(prices))


def discount_case(*more: str, **facts: Any) -> int:
    lines = ["strategy = inbound_discount", "fee_ppm = 100", *more]
    values: dict[str, Any] = {
        "cheapest_other_ppm": 120,
        "flows": {30 * DAY_S: Flow(days=30.0, out_msat=10**9, earned_msat=400_000)},
    }
    return new(decide_one(rule(*lines), channel(250_000, **(values | facts)))).inbound_fee_ppm


def test_inbound_discount_is_half_of_what_refills_earn_times_how_empty_we_are() -> None:
    assert discount_case() == -100  # 400 ppm realised · ½ · (1 − 2·0.25)
    assert discount_case(cheapest_other_ppm=30) == -30
    assert discount_case("min_inbound_fee_ppm = -20") == -20
    assert discount_case(cheapest_other_ppm=None) == 0
    assert discount_case(flows={30 * DAY_S: Flow(days=30.0)}) == 0


@pytest.mark.parametrize("facts", [{"cheapest_other_ppm": Unknown("x")}, {"flows": {}}])
def test_inbound_discount_needs_its_measurements(facts: dict[str, Any]) -> None:
    text = rule("strategy = inbound_discount", "fee_ppm = 100")
    assert decide_one(text, channel(**({"cheapest_other_ppm": 9} | facts))).action is Action.SKIPPED


@given(st.floats(0, 10_000), ratios, ratios, st.integers(0, 5000))
def test_inbound_discount_never_exceeds_the_payers_fee(realised: float, one: float, other: float, payer: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= inbound.discount_ppm(realised, high, payer) <= inbound.discount_ppm(realised, low, payer) <= payer


@given(st.integers(0, 5000), ratios, ratios)
def test_inbound_premium_rises_with_our_share(highest: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= inbound.premium_ppm(highest, low) <= inbound.premium_ppm(highest, high) <= highest
    assert inbound.premium_ppm(highest, 0.5) == 0


def test_inbound_premium_by_numbers() -> None:
    text = rule("strategy = inbound_premium", "fee_ppm = 100", "max_inbound_fee_ppm = 200")
    assert new(decide_one(text, channel(750_000))).inbound_fee_ppm == 100
    assert new(decide_one(text, channel(400_000))).inbound_fee_ppm == 0


def cost_case(out_sat_per_day: int, *more: str, capacity_sat: int = 1_000_000) -> int:
    facts = channel(
        capacity_sat=capacity_sat,
        cost=ChannelCost(opening_msat=4_000_000, rebalance_msat=5_000_000, closing_msat=1_000_000),
        flows={30 * DAY_S: Flow(days=10.0, out_msat=out_sat_per_day * 10_000)},
    )
    return new(decide_one(rule("strategy = cost_recovery", *more), facts)).fee_ppm


def test_cost_recovery_by_numbers() -> None:
    assert cost_case(1_000_000) == 112  # 10,000 sat over 90 million sat, rounded up
    assert cost_case(1_000_000, "recovery_days = 30") == 334
    assert cost_case(0, capacity_sat=100_000_000) == 112  # 1 % of the capacity a day is taken as the least
    assert cost_case(0) == 5000
    assert cost_case(0, "max_fee_ppm = 900") == 900
    assert cost_case(10**9, "min_fee_ppm = 7") == 7


@given(st.integers(0, 10**12), st.floats(1, 1e12), st.floats(1, 1e12), st.floats(1, 1000))
def test_cost_recovery_falls_with_flow(cost: int, one: float, other: float, days: float) -> None:
    less, more = sorted((one, other))
    assert 0 <= recovery.recovering_ppm(cost, more, days) <= recovery.recovering_ppm(cost, less, days)
