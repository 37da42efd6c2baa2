"""Refusals of unknown amount found in columns are those that the rules find one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.domain.test_lone_tries import AMOUNTS, OUTCOMES, PAUSES, T0, columns_of

from lnflow.domain.blind_tries import set_blind_apart
from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.demand import BLIND_RETURN_NS, NOT_OURS, SESSION_NS, Try, Wish, find_wishes
from lnflow.domain.lone_tries import set_apart
from lnflow.domain.time import SECOND_NS

Row = tuple[int, int, int, int | None, Outcome, Cause, int]
"""Pause before it (ns), incoming peer, outgoing peer (0: not ours), amount, outcome, its cause if refused, channel."""

CAUSES = st.sampled_from([Cause.UNATTRIBUTED, Cause.FEE_INSUFFICIENT, Cause.UNKNOWN_NEXT_PEER])
ROWS = st.lists(
    st.tuples(PAUSES, st.integers(1, 2), st.integers(0, 2), st.none() | AMOUNTS, OUTCOMES, CAUSES, st.integers(0, 1)),
    max_size=40,
)
R, U = Outcome.REFUSED, Cause.UNATTRIBUTED


def tries_of(rows: list[Row]) -> list[Try]:
    now, tries = T0, []
    for pause, in_peer, out_peer, amount, outcome, cause, second in rows:
        now += pause
        out_chan = 20 + 2 * out_peer + second if out_peer else NOT_OURS
        fee = None if amount is None else amount // 1000
        told = cause if outcome is R else Cause.NONE
        tries.append(Try(now, in_peer, out_peer, 10 + 2 * in_peer + second, out_chan, amount, fee, outcome, told))
    return tries


def what_matters(w: Wish) -> tuple[object, ...]:
    """Everything that is stored of a wish, and whether it ended."""
    return (
        w.first_ns, w.last_ns, w.in_chan, w.out_chan, w.cause, w.amount_msat, w.fee_msat, w.part_msat, w.probe,
        w.refused, w.refused_msat, w.refused_fee_msat, w.paid_msat, w.arrived_msat, w.passed_msat, w.failed,
        w.recovered_ns,
    )  # fmt: skip


@settings(max_examples=400)
@given(ROWS)
@example([])
@example([(0, 1, 1, None, R, U, 0), (BLIND_RETURN_NS - 1, 1, 1, None, R, U, 1), (BLIND_RETURN_NS, 1, 1, None, R, U, 0)])
@example([(0, 1, 1, None, R, U, 0), (0, 1, 2, None, R, U, 0), (0, 1, 1, None, R, Cause.FEE_INSUFFICIENT, 0)])
@example([(0, 1, 0, None, R, U, 0), (SECOND_NS, 1, 0, 1000, R, U, 0)])  # not ours: they stay with those of known amount
@example([(0, 1, 1, 1000, Outcome.SETTLED, U, 0), (1, 1, 1, None, R, U, 0), (1, 1, 1, 1000, Outcome.SETTLED, U, 0)])
def test_all_wishes_are_those_of_the_rules_on_every_try(rows: list[Row]) -> None:
    tries = tries_of(rows)
    blind, rest = set_blind_apart(columns_of(tries))
    seeing = rest.each(np.zeros(len(rest), np.int64), np.zeros(len(rest), bool))
    found = sorted(map(what_matters, (*find_wishes(seeing), *blind)), key=repr)
    assert found == sorted(map(what_matters, find_wishes(tries)), key=repr)


def test_refusals_of_unknown_amount_keep_no_other_try_from_standing_alone() -> None:
    pause_ns = SESSION_NS // 2 + 1
    rows: list[Row] = [
        (pause_ns, 1, 1, None if n % 2 else 1_000_000 + n, R if n % 2 else Outcome.SETTLED, U, 0) for n in range(40)
    ]
    blind, rest = set_blind_apart(columns_of(tries_of(rows)))
    lone, others = set_apart(rest)
    assert ([w.refused for w in blind], len(lone), others) == ([20], 20, [])


def test_they_come_in_order_of_their_first_try() -> None:
    rows: list[Row] = [(SECOND_NS, 2 - n % 2, 2 - n // 2 % 2, None, R, U, 0) for n in range(12)]
    blind, rest = set_blind_apart(columns_of(tries_of(rows)))
    assert [(w.first_ns - T0) // SECOND_NS for w in blind] == [1, 2, 3, 4]
    assert [w.refused for w in blind] == [3, 3, 3, 3]
    assert set_apart(rest)[1] == []
