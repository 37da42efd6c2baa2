"""Setting apart the tries that stand alone changes no wish: held against the rules applied to every try."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.demand import BURST_NS, ELSEWHERE_NS, NOT_OURS, RETURN_NS, SESSION_NS, Try, Wish, find_wishes
from lnflow.domain.lone_tries import UNKNOWN, Tries, set_apart
from lnflow.domain.time import HOUR_NS, MINUTE_NS, SECOND_NS

T0 = 1_800_000_000 * SECOND_NS
SAT = 1000
Row = tuple[int, int, int, int | None, Outcome]
"""Pause before it (ns), incoming peer, outgoing peer (0: an id that is not ours), amount (msat), outcome."""

_EDGES = [BURST_NS, ELSEWHERE_NS, SESSION_NS, RETURN_NS, 15 * MINUTE_NS]
PAUSES = st.one_of(
    st.sampled_from([0, *_EDGES, *(edge + 1 for edge in _EDGES), *(edge - 1 for edge in _EDGES)]),
    st.integers(0, 2 * SECOND_NS),
    st.integers(0, 2 * MINUTE_NS),
    st.integers(0, HOUR_NS),
)
WHOLE = st.sampled_from([100_000 * SAT, 400_000 * SAT, 640_000 * SAT, 7_654_321])
AMOUNTS = st.one_of(
    WHOLE,
    st.builds(lambda msat, parts: msat >> parts, WHOLE, st.integers(1, 7)),  # halves, and probes
    st.builds(lambda msat, part: msat * part // 8, WHOLE, st.integers(1, 8)),
    st.builds(lambda msat, off: msat + msat * off // 10_000, WHOLE, st.integers(-40, 40)),  # about 0.3 %
    st.integers(0, 10**9),
    st.none(),
)
OUTCOMES = st.sampled_from([Outcome.REFUSED, *Outcome])
ROWS = st.lists(st.tuples(PAUSES, st.integers(1, 3), st.integers(0, 3), AMOUNTS, OUTCOMES), max_size=40)


def tries_of(rows: list[Row]) -> list[Try]:
    now, tries = T0, []
    for pause, in_peer, out_peer, amount, outcome in rows:
        now += pause
        cause = Cause.NONE if outcome is not Outcome.REFUSED else Cause.FEE_INSUFFICIENT if amount else Cause.NO_DETAIL
        out_chan = 20 + out_peer if out_peer else NOT_OURS
        fee = None if amount is None else amount // 1000
        tries.append(Try(now, in_peer, out_peer, 10 + in_peer, out_chan, amount, fee, outcome, cause))
    return tries


def columns_of(tries: list[Try]) -> Tries:
    names = Tries.__slots__
    return Tries(
        **{
            name: np.array([UNKNOWN if (v := getattr(t, name)) is None else int(v) for t in tries], np.int64)
            for name in names
        }
    )


def of_one(at_ns: int, in_chan: int, out_chan: int, msat: int, outcome: int) -> tuple[object, ...]:
    """What matters of a wish that is one try, passed on."""
    arrived = msat if outcome == Outcome.SETTLED else 0
    return (at_ns, in_chan, out_chan, msat, arrived, outcome == Outcome.DOWNSTREAM)


def passed_on(w: Wish) -> tuple[object, ...]:
    assert w.refused == 0
    assert w.amount_msat == w.part_msat
    assert not w.probe
    return (w.first_ns, w.in_chan, w.out_chan, w.amount_msat, w.arrived_msat, w.failed)


R, S, D = Outcome.REFUSED, Outcome.SETTLED, Outcome.DOWNSTREAM
A, B = 100_000 * SAT, 400_000 * SAT
# A refused twice, and B once: that B is forgotten before the second A is due to a payment that stands alone.
FORGOTTEN = [
    (0, 1, 1, A, R), (SECOND_NS, 1, 2, B, R), (5 * MINUTE_NS, 1, 3, 7_654_321, S), (MINUTE_NS, 1, 1, A, R),
    (SECOND_NS, 1, 3, B, S),
]  # fmt: skip


@settings(max_examples=400)
@given(ROWS)
@example([])
@example([(0, 1, 1, A, R), (SECOND_NS, 1, 2, A, S)])  # refused by one peer, passed by another
@example(FORGOTTEN)
@example([(0, 1, 1, A, D), (SESSION_NS, 1, 1, A + 1, R)])
@example([(0, 1, 1, A, D), (RETURN_NS - 1, 1, 1, A, D)])
@example([(0, 1, 0, A, S), (SECOND_NS, 1, 0, B, S)])
def test_the_wishes_are_those_of_the_rules_on_every_try(rows: list[Row]) -> None:
    tries = tries_of(rows)
    everything = find_wishes(tries)
    lone, others = set_apart(columns_of(tries))
    found = find_wishes(others)

    def identity(w: Wish) -> object:
        return astuple(w)

    among = Counter(map(identity, found))
    assert not among - Counter(map(identity, everything)), "a wish of the others is another one among all tries"
    apart = [w for w in everything if identity(w) not in among]
    assert [passed_on(w) for w in apart] == [
        of_one(*values)
        for values in zip(
            lone.arrived_ns.tolist(), lone.in_chan.tolist(), lone.out_chan.tolist(), lone.amount_out_msat.tolist(),
            lone.outcome.tolist(), strict=True,
        )
    ]  # fmt: skip
    assert list(map(identity, found)) == [identity(w) for w in everything if identity(w) in among]


def test_what_is_far_from_everything_and_passed_on_stands_alone() -> None:
    rows: list[Row] = [(SESSION_NS + 1, 1, 1, 1_000 * n + 1, S) for n in range(50)]
    lone, others = set_apart(columns_of(tries_of(rows)))
    assert (len(lone), others) == (50, [])


def test_a_refusal_is_always_looked_at() -> None:
    lone, others = set_apart(columns_of(tries_of([(0, 1, 1, A, R)])))
    assert (len(lone), [t.alone for t in others]) == (0, [True])
