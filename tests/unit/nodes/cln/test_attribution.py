"""Attribution on what is rare: policies that overlap, restarts, unknown codes, an inversion that is exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.causes import Cause
from lnflow.domain.errors import NodeUnavailable
from lnflow.domain.fees import forward_fee_msat
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.cln.attribution import Verdict, attribute, judged
from lnflow.nodes.cln.history import NodeHistory, Terms
from lnflow.nodes.cln.rows import attempt_of
from lnflow.nodes.cln.wire import ForwardRow, PeerChannel

T0 = 1_000_000 * SECOND_NS
OLD = Terms(1000, 100, 0, 900_000_000)


def listed(**changes: Any) -> PeerChannel:
    known: dict[str, Any] = {
        "peer_id": "02aa",
        "peer_connected": True,
        "reestablished": True,
        "state": "CHANNELD_NORMAL",
        "channel_id": "c1",
        "short_channel_id": "1x1x1",
        "spendable_msat": 500_000_000,
        "total_msat": 2_000_000_000,
        "our_reserve_msat": 20_000_000,
        "dust_limit_msat": 546_000,
        "fee_base_msat": 1000,
        "fee_proportional_millionths": 100,
        "minimum_htlc_out_msat": 0,
        "maximum_htlc_out_msat": 900_000_000,
        "max_accepted_htlcs": 30,
    }
    return PeerChannel(**(known | changes))


def refused(in_msat: int, *, at_s: float = 5.0, code: int = 4103, **changes: Any) -> ForwardRow:
    known: dict[str, Any] = {
        "in_channel": "9x9x9",
        "in_msat": in_msat,
        "status": "local_failed",
        "received_time": Decimal(1_000_000) + Decimal(str(at_s)),
        "created_index": 1,
        "in_htlc_id": 1,
        "out_channel": "1x1x1",
        "failcode": code,
    }
    return ForwardRow(**(known | changes))


def seen(*listings: tuple[float, PeerChannel]) -> NodeHistory:
    history = NodeHistory()
    for at_s, channel in listings:
        history.add_snapshot(T0 + int(at_s * SECOND_NS), [channel])
    return history


@given(st.integers(0, 10**13), st.integers(0, 2**32 - 1), st.integers(0, 1_000_000))
def test_the_inversion_is_exact_when_the_sender_pays_our_price(out: int, base: int, ppm: int) -> None:
    paid = out + forward_fee_msat(out, base, ppm)
    assert Terms(base, ppm, 0, None).amount_out_msat(paid) == out


@given(st.integers(0, 10**12), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**9))
def test_it_is_an_upper_bound_when_the_sender_pays_more(out: int, base: int, ppm: int, extra: int) -> None:
    paid = out + forward_fee_msat(out, base, ppm) + extra
    found = Terms(base, ppm, 0, None).amount_out_msat(paid)
    assert out <= found <= paid


def test_a_raise_within_its_grace_keeps_the_old_limit() -> None:
    history = seen((0, listed()), (10, listed(maximum_htlc_out_msat=50_000_000)))
    history.add_policy(T0 + 2 * SECOND_NS, "c1", Terms(1000, 100, 0, 50_000_000), 600)
    assert attribute(refused(100_000_000), history).verdict is not Verdict.HTLC_EXCEEDS_MAX
    history.add_restart(T0 + 3 * SECOND_NS)
    assert attribute(refused(100_000_000), history).verdict is Verdict.HTLC_EXCEEDS_MAX


def test_only_one_older_policy_is_remembered() -> None:
    history = seen((0, listed()))
    history.add_policy(T0 + 1 * SECOND_NS, "c1", Terms(1000, 200, 0, 900_000_000), 600)
    history.add_policy(T0 + 2 * SECOND_NS, "c1", Terms(1000, 300, 0, 900_000_000), 600)
    channel = history.channel("1x1x1")
    assert channel is not None
    assert channel.older_terms(T0 + 3 * SECOND_NS, []) == Terms(1000, 200, 0, 900_000_000)
    assert channel.older_terms(T0 + 700 * SECOND_NS, []) is None
    assert channel.older_terms(T0 + 3 * SECOND_NS, [T0 + int(2.5 * SECOND_NS)]) is None


def test_a_refused_fee_is_measured_by_the_earlier_price_days_later() -> None:
    """Senders go by what gossip told them last; listings every half a minute must not push that price out."""
    history = NodeHistory()
    for number in range(300):
        history.add_snapshot(T0 - number * SECOND_NS, [listed()])
    dearer = listed(fee_proportional_millionths=700)
    for number in range(1, 5000):
        history.add_snapshot(T0 + number * 30 * SECOND_NS, [dearer])
        history.forget_before(T0 + number * 30 * SECOND_NS)
    late = refused(100_011_000, at_s=4999 * 30, code=4108)
    attempt, _ = judged(late, history)
    assert (attempt.cause, attempt.amount_out_msat) == (Cause.FEE_INSUFFICIENT, 100_000_000)
    channel = history.channel("1x1x1")
    assert channel is not None
    assert len(channel.policies.items) < 130


def test_a_refused_fee_without_an_earlier_price_has_no_amount() -> None:
    """It was less than we ask; how much less, nobody knows."""
    found = attribute(refused(100_011_000, code=4108), seen((0, listed())))
    assert (found.cause, found.amount_out_msat, found.fee) == (Cause.FEE_INSUFFICIENT, None, None)


def test_a_limit_that_somebody_changed_unseen_is_not_sure() -> None:
    history = seen((0, listed(maximum_htlc_out_msat=50_000_000)), (10, listed()))
    found = attribute(refused(100_000_000), history)
    assert (found.verdict, found.confidence) == (Verdict.HTLC_EXCEEDS_MAX, 0.6)


def test_too_old_a_listing_does_not_speak() -> None:
    history = seen((0, listed(spendable_msat=0)))
    found = attribute(refused(100_000_000, at_s=3600), history)
    assert (found.verdict, found.cause, found.confidence) == (Verdict.UNKNOWN, Cause.UNATTRIBUTED, 0.0)


def test_a_refusal_just_before_the_first_listing_is_told_by_it() -> None:
    found = attribute(refused(600_061_000, at_s=4), seen((5, listed())))
    assert (found.verdict, found.amount_out_msat) == (Verdict.INSUFFICIENT_BALANCE, 600_000_000)
    assert found.confidence <= 0.85


def test_a_forward_between_listing_and_refusal_is_counted() -> None:
    history = seen((0, listed()))
    sent = refused(450_046_000, at_s=1, status="settled", out_msat=450_000_000, failcode=None)
    row = ForwardRow(**{f: getattr(sent, f) for f in sent.__struct_fields__} | {"resolved_time": Decimal(1_000_002)})
    history.add_row(row)
    found = attribute(refused(100_011_000, created_index=2), history)
    assert (found.verdict, found.amount_out_msat) == (Verdict.INSUFFICIENT_BALANCE, 100_000_000)
    assert "50000000 msat" in found.evidence[0]


def test_our_own_limit_of_htlcs_is_certain() -> None:
    history = seen((0, listed(max_accepted_htlcs=2)))
    for number in (10, 11):
        history.add_row(
            refused(1_001_100, at_s=1, created_index=number, status="offered", out_msat=1_000_000, failcode=None)
        )
    found = attribute(refused(2_001_200, created_index=12), history)
    assert (found.verdict, found.confidence) == (Verdict.SLOTS_FULL, 0.95)


def test_the_nodes_own_reason_wins() -> None:
    found = attribute(refused(10_000, failure_reason="peer offline"), seen((0, listed())))
    assert (found.verdict, found.cause, found.confidence) == (Verdict.PEER_OFFLINE, Cause.LINK_NOT_ELIGIBLE, 0.99)


def test_a_reason_that_we_do_not_know_does_not_stop_us() -> None:
    found = attribute(refused(600_061_000, failure_reason="solar flare"), seen((0, listed())))
    assert found.verdict is Verdict.INSUFFICIENT_BALANCE


def test_an_unknown_code_is_kept_and_claims_nothing() -> None:
    found = attribute(refused(10_000, code=12_345), seen((0, listed())))
    assert (found.verdict, found.cause) == (Verdict.UNKNOWN, Cause.UNRECOGNISED)
    assert judged(refused(10_000, code=12_345), NodeHistory())[0].wire_code == 12_345


def test_a_listing_from_before_the_peer_came_back_does_not_speak_for_now() -> None:
    """It was away when listed at 0 s, came at 4 s, and lacks balance at 5 s; without word of its return it is away."""
    history = NodeHistory()
    history.add_snapshot(T0, [listed(peer_connected=False, reestablished=False)])
    history.add_connection(T0 - SECOND_NS, "02aa", connected=False)
    assert attribute(refused(600_061_000), history).verdict is Verdict.PEER_OFFLINE
    history.add_connection(T0 + 4 * SECOND_NS, "02aa", connected=True)
    history.add_snapshot(T0 + 8 * SECOND_NS, [listed()])
    assert attribute(refused(600_061_000), history).verdict is Verdict.INSUFFICIENT_BALANCE


def test_history_before_our_start_is_unattributed() -> None:
    attempt, _ = judged(refused(100_000), NodeHistory())
    assert (attempt.cause, attempt.amount_out_msat) == (Cause.UNATTRIBUTED, None)


def test_an_unknown_status_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(NodeUnavailable, match="status"):
        attempt_of(refused(1000, status="pondering"))


def test_times_keep_their_nanoseconds() -> None:
    row = refused(1000, received_time=Decimal("1795261099.061064512"))
    assert attempt_of(row).arrived_ns == 1_795_261_099_061_064_512


def test_memory_is_bounded_by_time() -> None:
    history = NodeHistory(keep_ns=60 * SECOND_NS)
    for number in range(500):
        at_ns = T0 + number * SECOND_NS
        history.add_snapshot(at_ns, [listed()])
        history.add_connection(at_ns, "02aa", connected=number % 2 == 0)
        history.add_row(
            refused(
                1_001_100,
                at_s=number,
                created_index=number,
                status="settled",
                out_msat=1_000_000,
                failcode=None,
                resolved_time=Decimal(1_000_000 + number),
            )
        )
        history.forget_before(at_ns)
    channel = history.channel("1x1x1")
    assert channel is not None
    assert len(channel.snapshots.items) <= 62
    assert len(channel.policies.items) <= 2, "a price that holds is not listed again and again"
    assert len(channel.flights.items) <= 62
    assert len(history._flights) <= 62
