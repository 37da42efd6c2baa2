"""Wishes behind attempts: what somebody wanted to send through us to one peer, however often he knocked.

No payment hash is on a refusal, so attempts are joined by what stays the same: the incoming peer, the outgoing
peer, the amount that should leave us, and the time.  docs/concepts/demand.md has the rules with worked numbers.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.time import HOUR_NS, MINUTE_NS, SECOND_NS

SESSION_NS = MINUTE_NS
"""A sender's tries of one payment follow each other within a minute (LND gives a payment that long)."""
RETURN_NS = HOUR_NS
"""The very same amount, to the msat, coming back this soon is the same wish again."""
BLIND_RETURN_NS = 15 * MINUTE_NS
"""The same where the node gave no amounts."""
NOT_OURS = 0
"""Outgoing "channel" of ids that are not ours: floods of them are nobody's wish, and told apart by cause only."""
BURST_NS = 200_000_000
"""Equal parts that come closer than a round trip are parts of one payment, not tries after each other."""
ELSEWHERE_NS = 15 * SECOND_NS
"""A refused amount that leaves by another peer of ours this soon was the same payment."""
PERIOD_NS = 6 * HOUR_NS
"""Wishes are kept by the period (UTC) they begin in, so that any period can be made again by itself."""
LOOK_BACK_NS = RETURN_NS
LOOK_AHEAD_NS = RETURN_NS
SMALLEST_SHARD_MSAT = 10_000_000
"""LND splits no further (10,000 sat): who goes on halving below is looking for our balance."""
_PROBE_STEPS = 4
_HALVINGS = 6
_FULFILLED_PERCENT = 95
_REFUSED, _SETTLED, _DOWNSTREAM = Outcome.REFUSED, Outcome.SETTLED, Outcome.DOWNSTREAM  # looked up once
_MENDABLE = (Cause.NONE, Cause.FEE_INSUFFICIENT)
_SCAN = 64  # so many recent wishes of a pair are compared with a try: a flood stays linear


class Try(Struct, frozen=True, gc=False):
    """One attempt as far as it matters here.  `in_peer` and `out_peer` stand for the peers of its channels."""

    arrived_ns: int
    in_peer: int
    out_peer: int
    in_chan: int
    out_chan: int
    amount_out_msat: int | None
    fee_msat: int | None
    outcome: Outcome
    cause: Cause
    lone_settled_ns: int = 0
    """When, before it, the last try of the same incoming peer settled that is left out because it stands alone."""
    alone: bool = False
    """No other try of its pair can be of the same wish: nothing is looked for, nothing is remembered."""


class Wish(Struct, gc=False):
    """What somebody wanted; `refused` counts the tries that we refused, 0 for one that we passed on at once.

    `amount_msat` and `fee_msat` are of the whole, `part_msat` of one part where it came in equal parts at once.
    `paid_msat` are the fees that its tries paid us after all, by whichever of our channels, `arrived_msat` the
    amount that settled, `passed_msat` the largest try that we passed on.
    """

    in_chan: int
    out_chan: int
    cause: Cause
    first_ns: int
    last_ns: int
    amount_msat: int | None
    fee_msat: int | None
    part_msat: int | None
    probe: bool = False
    refused: int = 0
    refused_msat: int = 0
    refused_fee_msat: int = 0
    paid_msat: int = 0
    arrived_msat: int = 0
    passed_msat: int = 0
    failed: bool = False
    """A later hop failed one of its tries."""
    recovered_ns: int | None = None
    """When a later try was passed on whole or the rest had settled: its fate is known, nothing was missed."""
    burst_ns: int = 0
    burst: int = 1
    awaited: tuple[float, ...] = ()
    """Halves that the sender may try next."""


def find_wishes(tries: Sequence[Try]) -> list[Wish]:
    """Return the wishes behind tries that come in order of arrival, in order of their first try.

    Tries that `lone_tries.py` sets apart may be left out; each of them is a wish by itself.
    """
    probes = find_probes(tries)
    pairs: defaultdict[tuple[int, int], _Pair] = defaultdict(_Pair)
    refused_by_peer: defaultdict[int, deque[tuple[int, Wish]]] = defaultdict(deque)
    wishes: list[Wish] = []
    for number, t in enumerate(tries):
        if t.lone_settled_ns:
            _forget_older(refused_by_peer[t.in_peer], t.lone_settled_ns)
        if number in probes:
            wishes.append(_take(_begin(t, probe=True), t, new=True, half=False))
            continue
        wish, half = (None, False) if t.alone else pairs[t.in_peer, t.out_peer].find(t)
        new = wish is None
        if wish is None:
            wish = _begin(t, probe=False)
            wishes.append(wish)
            if t.outcome is _SETTLED and t.amount_out_msat is not None:
                _credit_elsewhere(refused_by_peer[t.in_peer], t)
        _take(wish, t, new=new, half=half)
        if not t.alone:
            pairs[t.in_peer, t.out_peer].keep(wish, t)
        if t.outcome is _REFUSED and t.amount_out_msat is not None:
            refused_by_peer[t.in_peer].append((t.out_peer, wish))
    return wishes


def find_probes(tries: Sequence[Try]) -> set[int]:
    """Return the places of tries that bisect our balance: each half way between what passed and what did not.

    A chain needs four tries with one that passed, or six halvings that go below the smallest shard; nothing of
    it may have settled.  Senders who split after a refusal halve too, but stop above that and never go up.
    """
    chains: defaultdict[tuple[int, int], deque[_Chain]] = defaultdict(deque)
    found: set[int] = set()
    for number, t in enumerate(tries):
        amount = t.amount_out_msat
        if t.alone or amount is None or t.outcome is _SETTLED or t.out_chan == NOT_OURS:
            continue
        live = chains[t.in_peer, t.out_peer]
        while live and t.arrived_ns - live[0].last_ns > SESSION_NS:
            live.popleft()
        refused = t.outcome is _REFUSED
        best: _Chain | None = None
        for chain in live:
            if (best is None or len(chain.places) > len(best.places)) and chain.expects(amount):
                best = chain
        if best is None:
            live.append(_Chain(t.arrived_ns, 0.0, 2.0 * amount, amount, refused, [number]))
            if len(live) > _SCAN:
                live.popleft()
            continue
        best.follow(t.arrived_ns, amount, refused, number)
        steps = len(best.places)
        if (steps >= _PROBE_STEPS and best.low_msat > 0) or (steps >= _HALVINGS and amount < SMALLEST_SHARD_MSAT):
            found.update(best.places)
    return found


class _Chain(Struct, gc=False):
    last_ns: int
    low_msat: float
    high_msat: float
    amount_msat: int
    refused: bool
    places: list[int]

    def expects(self, amount_msat: int) -> bool:
        other = self.low_msat if self.refused else self.high_msat
        wanted = (self.amount_msat + other) / 2
        return abs(amount_msat - wanted) <= 0.003 * wanted

    def follow(self, at_ns: int, amount_msat: int, refused: bool, place: int) -> None:
        if self.refused:
            self.high_msat = self.amount_msat
        else:
            self.low_msat = self.amount_msat
        self.last_ns, self.amount_msat, self.refused = at_ns, amount_msat, refused
        self.places.append(place)


class _Pair:
    """The wishes from one peer to another that a try may belong to."""

    __slots__ = ("blind", "by_amount", "recent")

    def __init__(self) -> None:
        self.by_amount: dict[int, Wish] = {}
        self.recent: deque[Wish] = deque(maxlen=_SCAN)
        self.blind: dict[Cause, Wish] = {}

    def find(self, t: Try) -> tuple[Wish | None, bool]:
        """Return the wish that a try belongs to, if any, and whether it is a half of it."""
        amount, now = t.amount_out_msat, t.arrived_ns
        if amount is None or t.out_chan == NOT_OURS:
            wish = self.blind.get(t.cause)
            return (wish if wish is not None and now - wish.last_ns < BLIND_RETURN_NS else None), False
        while self.recent and now - self.recent[0].last_ns > SESSION_NS:
            self.recent.popleft()
        for wish in reversed(self.recent):
            is_part = _alike(amount, wish.part_msat or 0)
            if is_part and now - wish.burst_ns < BURST_NS:
                return wish, False
            for half in wish.awaited:
                if _alike(amount, half):
                    return wish, True
            if is_part and not wish.arrived_msat and now - wish.last_ns >= BURST_NS:
                return wish, False
        wish = self.by_amount.get(amount)
        if wish is not None and not wish.arrived_msat and BURST_NS <= now - wish.last_ns < RETURN_NS:
            return wish, False
        return None, False

    def keep(self, wish: Wish, t: Try) -> None:
        if t.amount_out_msat is None or t.out_chan == NOT_OURS:
            self.blind[t.cause] = wish
            return
        if wish.part_msat is not None:
            self.by_amount[wish.part_msat] = wish
        if not self.recent or self.recent[-1] is not wish:
            self.recent.append(wish)


def _begin(t: Try, *, probe: bool) -> Wish:
    amount, at_ns = t.amount_out_msat, t.arrived_ns
    return Wish(t.in_chan, t.out_chan, t.cause, at_ns, at_ns, amount, t.fee_msat, amount, probe, burst_ns=at_ns)


def _take(wish: Wish, t: Try, *, new: bool, half: bool) -> Wish:
    """Add a try to its wish."""
    amount, fee, now = t.amount_out_msat, t.fee_msat, t.arrived_ns
    if half and amount is not None:
        wish.awaited = _without(wish.awaited, amount)
    elif not new:
        _count_parts(wish, t)
    if now > wish.last_ns:
        wish.last_ns = now
    if t.outcome is _REFUSED:
        if not wish.refused:
            wish.out_chan = t.out_chan
        if wish.cause in _MENDABLE:
            wish.cause = t.cause  # a price that was mended, and then something else stood in the way
        if not half and wish.burst == 1 and fee is not None and wish.amount_msat == wish.part_msat:
            wish.fee_msat = max(wish.fee_msat or 0, fee)
        wish.refused += 1
        wish.refused_msat += amount or 0
        wish.refused_fee_msat += fee or 0
    elif amount is not None:
        wish.passed_msat = max(wish.passed_msat, amount)
        wish.failed = wish.failed or t.outcome is _DOWNSTREAM
        if t.outcome is _SETTLED:
            wish.arrived_msat += amount
            wish.paid_msat += fee or 0
        _see_recovery(wish, now)
    if amount is not None and t.outcome is not _SETTLED:
        kept = wish.awaited if half else ()
        wish.awaited = (*kept[-30:], amount / 2, amount / 2)
    return wish


def _count_parts(wish: Wish, t: Try) -> None:
    """Another part of a burst, or the whole again: the wish is as large as its largest burst."""
    if t.arrived_ns - wish.burst_ns >= BURST_NS:
        wish.burst_ns, wish.burst = t.arrived_ns, 1
        return
    wish.burst += 1
    if wish.part_msat and wish.amount_msat is not None and wish.burst * wish.part_msat > wish.amount_msat * 1.01:
        wish.amount_msat += t.amount_out_msat or 0
        wish.fee_msat = (wish.fee_msat or 0) + (t.fee_msat or 0)


def _see_recovery(wish: Wish, now_ns: int) -> None:
    if not wish.refused or wish.recovered_ns is not None or wish.amount_msat is None:
        return
    most = max(wish.passed_msat, wish.arrived_msat)
    if most * 100 >= wish.amount_msat * _FULFILLED_PERCENT:
        wish.recovered_ns = now_ns


def _credit_elsewhere(refused: deque[tuple[int, Wish]], t: Try) -> None:
    """What another peer of ours refused a moment ago went by this one: that wish paid us after all."""
    amount = t.amount_out_msat or 0
    _forget_older(refused, t.arrived_ns)
    for count, (out_peer, wish) in enumerate(reversed(refused)):
        if count >= _SCAN:
            return
        if out_peer != t.out_peer and not wish.arrived_msat and _alike(amount, wish.part_msat or 0):
            wish.paid_msat += t.fee_msat or 0
            wish.arrived_msat += amount
            _see_recovery(wish, t.arrived_ns)
            return


def _forget_older(refused: deque[tuple[int, Wish]], now_ns: int) -> None:
    while refused and now_ns - refused[0][1].last_ns > ELSEWHERE_NS:
        refused.popleft()


def _without(halves: Iterable[float], amount: int) -> tuple[float, ...]:
    rest = list(halves)
    for place, half in enumerate(rest):
        if _alike(amount, half):
            del rest[place]
            break
    return tuple(rest)


def _alike(one_msat: float, other_msat: float) -> bool:
    """Whether two amounts are one within 0.3 % (fees of later hops differ by the way taken) and a sat."""
    larger = one_msat if one_msat > other_msat else other_msat  # `max` takes three times as long
    return abs(one_msat - other_msat) <= 0.003 * larger + 1_000
