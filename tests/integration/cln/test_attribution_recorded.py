"""Verdicts against the truth of both recordings: what a plugin would say, and what a remote reader could."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.integration.cln.recorded import Truth, final_rows, recording, take, truths
from tests.integration.cln.schemas import RECORDINGS

from lnflow.nodes.cln.attribution import Attribution, Verdict, attribute, judged
from lnflow.nodes.cln.history import NodeHistory
from lnflow.simulation.lightningd.recording import Moment

MAX_DUST_MSAT = 2_000_000  # the recorded router's max-dust-htlc-exposure-msat, told by listconfigs
REMOTE = {"channels", "forwards"}


def verdicts_on(
    name: str, keep: Callable[[Moment], bool], *, max_dust_msat: int | None = MAX_DUST_MSAT
) -> list[tuple[Truth, Attribution]]:
    record = recording(name)
    history = NodeHistory(max_dust_msat=max_dust_msat)
    for moment in record.moments:
        if moment.kind != "forwards" and keep(moment):
            take(history, moment)
    for row in final_rows(record).values():
        history.add_row(row)
    return [(truth, attribute(truth.row, history)) for truth in truths(name, record)]


def table(verdicts: list[tuple[Truth, Attribution]]) -> str:
    lines = [f"{'step':28} {'code':>6} {'truth':24} {'verdict':24} sure  evidence"]
    for truth, found in verdicts:
        if truth.cause != "settled":
            lines.append(
                f"{truth.step:28} {truth.row.failcode or '-':>6} {truth.cause:24} {found.verdict.text:24}"
                f" {found.confidence:.2f}  {'; '.join(found.evidence)}"
            )
    return "\n".join(lines)


def is_right(truth: Truth, found: Attribution) -> bool:
    return truth.cause == ("settled" if found.verdict is Verdict.NOT_REFUSED else found.verdict.text)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_plugin_tells_every_cause(name: str) -> None:
    verdicts = verdicts_on(name, lambda _: True)
    print("\n" + table(verdicts))  # noqa: T201  # the table is asked for
    assert [t.cause for t, found in verdicts if not is_right(t, found)] == []
    of_4103 = {found.verdict for truth, found in verdicts if truth.row.failcode == 4103}
    assert of_4103 == {
        Verdict.INSUFFICIENT_BALANCE,
        Verdict.HTLC_EXCEEDS_MAX,
        Verdict.HTLC_BELOW_MIN,
        Verdict.PEER_OFFLINE,
        Verdict.SLOTS_FULL,
        Verdict.DUST_EXPOSURE,
    }
    assert all(found.evidence and found.confidence >= 0.6 for t, found in verdicts if t.cause != "settled")


BLIND: dict[str, Callable[[Moment], bool]] = {
    "a remote reader without events": lambda m: m.kind in REMOTE,
    "no log of policy changes": lambda m: m.kind != "setchannel",
    "no connection events": lambda m: m.kind not in ("connect", "disconnect"),
    "no coin movements": lambda m: m.kind != "coin_movement",
    "no listings": lambda m: m.kind != "channels",
    "nothing at all": lambda m: False,
}


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("keep", BLIND.values(), ids=BLIND.keys())
def test_with_less_seen_nothing_wrong_is_said_with_confidence(name: str, keep: Callable[[Moment], bool]) -> None:
    verdicts = verdicts_on(name, keep, max_dust_msat=None)
    print("\n" + table(verdicts))  # noqa: T201
    wrong = [
        (truth.step, truth.cause, found.verdict.text, found.confidence)
        for truth, found in verdicts
        if not is_right(truth, found) and found.confidence > 0.9
    ]
    assert wrong == []


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_should_have_left_is_found_without_out_msat(name: str) -> None:
    """Exact wherever the sender paid our price; a refusal for its fee is an estimate with bounds."""
    exact = 0
    for truth, found in verdicts_on(name, lambda _: True):
        if found.amount_out_msat is None or truth.row.out_msat is not None:
            continue
        if truth.cause in ("fee_insufficient", "channel_closing", "unknown_next_peer"):
            assert found.fee is not None
            assert found.fee.low_msat <= found.fee.likely_msat <= found.fee.high_msat
            continue
        assert found.amount_out_msat == truth.out_msat, truth.step
        exact += 1
    assert exact >= 15


@pytest.mark.parametrize("name", RECORDINGS)
def test_attempts_carry_cause_and_amount_to_the_store(name: str) -> None:
    record = recording(name)
    history = NodeHistory(max_dust_msat=MAX_DUST_MSAT)
    for moment in record.moments:
        take(history, moment)
    for truth in truths(name, record):
        attempt, _ = judged(truth.row, history)
        assert attempt.amount_in_msat == truth.row.in_msat
        if truth.cause == "insufficient_balance":
            assert (attempt.cause.text, attempt.amount_out_msat) == ("insufficient_balance", truth.out_msat)
        if truth.cause == "settled":
            assert attempt.amount_out_msat == truth.out_msat
            assert attempt.out_used
