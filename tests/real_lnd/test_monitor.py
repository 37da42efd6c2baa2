"""What `lnflow monitor` stored of a real LND against what was provoked, and against LND's own history."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from tests.real_lnd.monitor import Monitor
from tests.real_lnd.network import Network
from tests.real_lnd.scenario import Cause, Outcome, Provoked
from tests.real_lnd.wait import wait_until

WINDOW = ("--hours", "1", "--min-failures", "0", "--min-missed-sat", "0")


@pytest.fixture(scope="module")
def stored(monitored: Monitor, provoked: Outcome) -> Outcome:
    """What was provoked, once the monitor has stored all of it."""

    def all_there() -> bool:
        attempts = monitored.ask("analyze", *WINDOW)["attempts"]
        seen = (attempts["settled"], attempts["failed_here"], attempts["failed_downstream"])
        return bool(
            seen == (len(provoked.settled), len(refusals(provoked)), len(provoked.with_cause(Cause.DOWNSTREAM)))
        )

    wait_until("every provoked HTLC in the store", all_there, deadline_s=30.0)
    return provoked


def refusals(outcome: Outcome) -> list[Provoked]:
    return [one for one in outcome.htlcs if one.cause not in (Cause.SETTLED, Cause.DOWNSTREAM)]


def known_fee(one: Provoked) -> int:
    return max(0, one.fee_msat) if one.amounts_seen == "both" else 0


def test_every_refusal_has_its_cause_amount_and_fee(monitored: Monitor, stored: Outcome) -> None:
    """`analyze` counts each cause exactly: attempts, amounts and offered fees to the msat."""
    expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in refusals(stored):
        row = expected[one.cause.value]
        row[0] += 1
        row[1] += one.out_msat if one.amounts_seen == "both" else 0
        row[2] += known_fee(one)
    rows = monitored.ask("analyze", *WINDOW)["failures"]
    got = {r["cause"]: [r["attempts"], r["attempted_msat"], r["offered_fee_msat"]] for r in rows}
    assert got == dict(expected)


def test_the_failure_table_names_the_peers(monitored: Monitor, stored: Outcome, real_network: Network) -> None:
    """`failures --by peer`: which peer was asked for, for each cause."""
    names = {getattr(real_network, name.lower()).pubkey: name for name in "ACDE"}
    expected = Counter((one.out_peer, one.cause.value) for one in refusals(stored) if one.out_peer)
    rows = monitored.ask("failures", "--hours", "1", "--by", "peer")["rows"]
    got = Counter[tuple[str, str]]()
    for row in rows:
        if row["peer_pubkey"] is not None:
            got[(names[row["peer_pubkey"]], row["cause"])] += row["attempts"]
    assert got == expected


def test_downstream_failures_are_apart(monitored: Monitor, stored: Outcome) -> None:
    """What a later hop failed is counted, with what it offered, and is not ours."""
    downstream = stored.with_cause(Cause.DOWNSTREAM)
    got = monitored.ask("analyze", *WINDOW)["downstream"]
    assert (got["attempts"], got["offered_fee_msat"]) == (len(downstream), sum(known_fee(d) for d in downstream))


def test_settled_forwards_equal_lnds_own_history(monitored: Monitor, stored: Outcome, real_network: Network) -> None:
    """Count, amount and income are those of ForwardingHistory to the msat, and those that were provoked."""
    history = real_network.b.post("/v1/switch", {"start_time": "0", "num_max_events": 50_000})["forwarding_events"]
    settled = monitored.ask("analyze", *WINDOW)["settled"]
    assert settled["forwards"] == len(history) == len(stored.settled)
    assert settled["amount_out_msat"] == sum(int(row["amt_out_msat"]) for row in history)
    assert settled["income_msat"] == sum(int(row["fee_msat"]) for row in history) == stored.earned_msat


def test_opportunities_name_the_peer_and_the_cause(monitored: Monitor, stored: Outcome, real_network: Network) -> None:
    """Lack of balance towards E, whose only large demand was refused, is an opportunity; invented ids are none."""

    def named() -> set[tuple[str | None, str]]:
        return {(o["peer_pubkey"], o["cause"]) for o in monitored.ask("analyze", *WINDOW)["opportunities"]}

    # wishes are found once a minute while collecting
    wait_until("E among the opportunities", lambda: (real_network.e.pubkey, "liquidity") in named(), deadline_s=120.0)
    assert all(pubkey is not None for pubkey, _ in named())


def test_restarts_are_gaps(monitored: Monitor, stored: Outcome) -> None:
    """B was restarted: the monitor listened before and after, and says that it did not in between."""
    document = monitored.ask("analyze", "--all")
    assert 0.5 < document["coverage"] < 1.0


def test_ctrl_c_ends_the_monitor_with_its_table_and_loses_nothing(monitored: Monitor, stored: Outcome) -> None:
    """SIGINT: exit code 0, the JSON of the opportunities on standard output, and the store still has everything."""
    before = monitored.ask("analyze", *WINDOW)["attempts"]
    assert monitored.stop() == 0, monitored.log.read_text()
    assert '"opportunities"' in monitored.log.read_text()
    assert monitored.ask("analyze", *WINDOW)["attempts"] == before
