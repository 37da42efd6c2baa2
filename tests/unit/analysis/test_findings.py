from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.analysis.builders import DemandGroup, EndGroup, channel, demands, ends, facts

from lnflow.analysis.findings import find
from lnflow.domain.causes import Cause, Circumstance, Problem

WELL_PAID = (ends(1, settled=900, downstream=100),)


def test_retries_do_not_raise_what_is_missed() -> None:
    """Eight tries of each wish are worth what one try is."""
    once = find(facts(demands(attempts=10, demands=10), passed=WELL_PAID))
    often = find(facts(demands(attempts=80, demands=10), passed=WELL_PAID))
    assert once.total == often.total


def test_expected_is_the_open_fee_times_the_chance_to_settle() -> None:
    [finding] = find(facts(demands(open_fee_msat=1_000_000), passed=WELL_PAID)).findings
    assert finding.settle_chance == pytest.approx(0.9, abs=0.005)
    assert finding.expected_msat == pytest.approx(900_000, rel=0.01)


def test_downstream_failures_lower_what_is_missed() -> None:
    poor = find(facts(demands(), passed=(ends(1, settled=10, downstream=990),)))
    good = find(facts(demands(), passed=WELL_PAID))
    assert poor.total.expected_msat < good.total.expected_msat / 10


def test_parallel_channels_of_a_peer_are_one_finding() -> None:
    """LND forwards non-strictly: the refusal says that no channel of the peer could."""
    pair = (channel(1, peer_id=7), channel(2, peer_id=7))
    [finding] = find(facts(demands(1), demands(2), channels=pair)).findings
    assert finding.attempts_by_channel == {1: 20, 2: 20}
    assert finding.attempts == 40


def test_causes_of_one_peer_are_findings_of_their_own() -> None:
    found = find(facts(demands(1), demands(1, cause=Cause.HTLC_EXCEEDS_MAX)))
    assert {f.problem for f in found.findings} == {Problem.LIQUIDITY, Problem.SIZE}


def test_recovered_wishes_are_not_missed() -> None:
    group = demands(cause=Cause.FEE_INSUFFICIENT, recovered=10, open_msat=0, open_fee_msat=0, open_fee_squares=0.0)
    [finding] = find(facts(group, passed=WELL_PAID)).findings
    assert (finding.unserved, finding.expected_msat, finding.failure_rate) == (0, 0, 0)


def test_what_the_sender_did_wrong_is_not_missed() -> None:
    [finding] = find(facts(demands(cause=Cause.EXPIRY_TOO_FAR), passed=WELL_PAID)).findings
    assert (finding.problem, finding.expected_msat, finding.servable) == (Problem.OTHER, 0, 0)


def test_invented_channels_are_noise_but_counted() -> None:
    found = find(facts(demands(0, cause=Cause.UNKNOWN_NEXT_PEER)))
    assert (found.findings, found.noise_attempts) == ((), 20)
    assert found.naive_msat == 1_000_000  # the naive sum is shown as it is


def test_large_amounts_that_never_settle_are_not_large_losses() -> None:
    """Issue 4: 7.5 M sat tried again and again, no success above 1 M sat ever: at most 10 % of the naive fee."""
    small = (ends(1, settled=500, downstream=100, amount_class=4),)
    huge = demands(
        amount_class=9,
        attempts=24,
        offered_fee_msat=24 * 3_750_000,
        demands=3,
        open_msat=3 * 7_500_000_000,
        open_fee_msat=3 * 3_750_000,
    )
    found = find(facts(huge, passed=small))
    assert found.total.expected_msat <= found.naive_msat * 0.10


def test_large_amounts_that_settle_regularly_are_worth_their_fee() -> None:
    regular = (ends(1, settled=40, downstream=2, amount_class=9),)
    huge = demands(amount_class=9, attempts=3, demands=3, open_msat=3 * 5_000_000_000, open_fee_msat=3 * 3_750_000)
    assert find(facts(huge, passed=regular)).total.expected_msat >= 0.75 * 3 * 3_750_000


def test_a_failure_rate_divides_unserved_by_all_wishes_for_the_peer() -> None:
    [finding] = find(facts(demands(demands=10, recovered=4), passed=(ends(1, settled=50, downstream=4),))).findings
    assert finding.failure_rate == pytest.approx(6 / (6 + 54))


def test_amounts_nobody_told_have_no_value_but_are_counted() -> None:
    group = demands(
        0,
        cause=Cause.HTLC_ADD_FAILED,
        amount_class=None,
        attempted_msat=0,
        offered_fee_msat=0,
        open_msat=0,
        open_fee_msat=0,
        open_fee_squares=0.0,
    )
    [finding] = find(facts(group)).findings
    assert (finding.problem, finding.without_amount, finding.channels) == (Problem.SLOTS, 20, ())
    assert finding.settle_chance is None


def test_no_figure_per_month_from_seconds_of_evidence() -> None:
    """The earlier lnflow made 2.8e14 sat a month of five failures in a second."""
    brief = find(facts(demands(), days=1 / 86_400))
    assert brief.per_month_msat is None
    assert brief.findings[0].per_month_msat is None


def test_a_month_is_extrapolated_from_covered_time_only() -> None:
    half = find(facts(demands(), days=2, covered=0.5, passed=WELL_PAID))
    assert half.per_month_msat == pytest.approx(half.total.expected_msat * 30, rel=0.001)


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(
        st.builds(
            lambda chan, cause, size, n, fee, circumstance: demands(
                chan,
                cause=cause,
                amount_class=size,
                circumstance=circumstance,
                demands=n,
                attempts=n * 2,
                open_fee_msat=n * fee,
                open_fee_squares=float(n * fee * fee),
                offered_fee_msat=2 * n * fee,
            ),
            st.integers(0, 4),
            st.sampled_from(list(Cause)),
            st.integers(0, 9),
            st.integers(1, 50),
            st.integers(0, 10**7),
            st.sampled_from(list(Circumstance)),
        ),
        max_size=12,
    ),
    passed=st.lists(
        st.builds(
            lambda chan, s, d, c: ends(chan, settled=s, downstream=d, amount_class=c),
            st.integers(0, 4),
            st.integers(0, 1000),
            st.integers(0, 1000),
            st.integers(0, 9),
        ),
        max_size=8,
    ),
)
def test_figures_hang_together(groups: list[DemandGroup], passed: list[EndGroup]) -> None:
    known = tuple(channel(i) for i in range(1, 5))
    found = find(facts(*groups, channels=known, passed=tuple(passed)))
    assert found.total.expected_msat == sum(f.expected_msat for f in found.findings)
    assert 0 <= found.total.low_msat <= found.total.expected_msat <= found.total.high_msat
    for f in found.findings:
        assert 0 <= f.low_msat <= f.expected_msat <= f.high_msat
        assert 0 <= f.failure_rate <= 1
        assert 0 <= found.urgency.total[f.place] <= 100
    assert sum(f.attempts for f in found.findings) + found.noise_attempts == sum(g.attempts for g in groups)
    assert len({(f.channels, f.problem) for f in found.findings}) == len(found.findings)


def test_a_window_of_which_little_was_covered_has_a_wider_range() -> None:
    whole, tenth = (find(facts(demands(), passed=WELL_PAID, covered=share)).total for share in (1.0, 0.1))
    assert tenth.expected_msat == whole.expected_msat
    assert tenth.high_msat - tenth.low_msat > 1.3 * (whole.high_msat - whole.low_msat)


def test_who_bisects_our_balance_is_counted_as_attempts_only() -> None:
    probe = demands(circumstance=Circumstance.PROBE)
    [finding] = find(facts(probe, passed=WELL_PAID)).findings
    assert (finding.attempts, finding.demands, finding.servable, finding.expected_msat) == (20, 0, 0, 0)


def test_what_the_balance_could_not_serve_either_is_not_missed_for_size() -> None:
    group = demands(cause=Cause.HTLC_EXCEEDS_MAX, circumstance=Circumstance.BALANCE_SHORT)
    [finding] = find(facts(group, passed=WELL_PAID)).findings
    assert (finding.demands, finding.servable, finding.expected_msat) == (10, 0, 0)


def test_downtime_of_a_peer_that_is_always_empty_costs_nothing() -> None:
    """Nothing earned, everything refused for lack of balance: online it would have been refused as well."""
    down = demands(cause=Cause.UNKNOWN_NEXT_PEER, circumstance=Circumstance.LINK_DOWN)
    found = find(facts(demands(), down))
    assert {f.problem: f.expected_msat > 0 for f in found.findings} == {
        Problem.LIQUIDITY: True,
        Problem.OFFLINE: False,
    }


def test_parts_that_nobody_sent_after_the_first_was_refused_are_added() -> None:
    """Served wishes come in three parts, refused ones show the first: three times the fee."""
    three_parts = (msgspec.structs.replace(ends(1, settled=900, downstream=100), part_msat=1000 * 100_000_000 // 3),)
    shown = demands(open_part_msat=10 * 100_000_000)
    plain = find(facts(shown, passed=(ends(1, settled=900, downstream=100),))).total.expected_msat
    assert find(facts(shown, passed=three_parts)).total.expected_msat == pytest.approx(3 * plain, rel=0.001)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 200))
def test_more_downstream_failures_never_raise_what_was_missed(settled: int, failed: int, more: int) -> None:
    before, after = (
        find(facts(demands(), passed=(ends(1, settled=settled, downstream=n),))).total.expected_msat
        for n in (failed, failed + more)
    )
    assert after <= before


def test_a_node_of_many_findings_has_the_ranges_of_one() -> None:
    """Fewer joint samples with more findings: two thousand equal ones scatter around the range of a single one."""
    [alone] = find(facts(demands(), passed=WELL_PAID)).findings
    numbers = range(1, 2_001)
    many = find(
        facts(
            *(demands(n) for n in numbers),
            channels=tuple(channel(n) for n in numbers),
            passed=tuple(ends(n, settled=900, downstream=100) for n in numbers),
        )
    ).findings
    lows, highs = ([getattr(f, end) for f in many] for end in ("low_msat", "high_msat"))
    assert sum(lows) / len(lows) == pytest.approx(alone.low_msat, rel=0.05)
    assert sum(highs) / len(highs) == pytest.approx(alone.high_msat, rel=0.05)
