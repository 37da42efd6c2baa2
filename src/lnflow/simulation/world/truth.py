"""The true answer: what the node would have earned more, had one cause not stood in one peer's way.

A demand is a payment; it asked for peer P if one of its HTLCs named a channel of P in either run.  The truth
for (P, cause) is what the demands that asked for P paid us (by any channel, settled within the window) with
the cause lifted, less what they paid us as it was.  It is pathwise: same payers, same times, same luck.
Payments that kept away because they remembered our failures come back when the failures are gone, and
balances on the other side still deplete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

from lnflow.domain.causes import Problem
from lnflow.simulation.world.our_node import OurNode
from lnflow.simulation.world.run import Ledger, covered_ns, settle_accounts
from lnflow.simulation.world.spec import WorldSpec

LIFTABLE = (Problem.LIQUIDITY, Problem.OFFLINE, Problem.SIZE, Problem.FEE)
Key = tuple[str, Problem]
"""(public key of the outgoing peer, what stood in the way)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Additional fees in msat: of all demands, and of those wished for while somebody listened."""

    window_msat: int
    covered_msat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthEstimate:
    """Mean over lucks of the same demand, with the standard error of the mean (0 for one luck)."""

    window_msat: float
    window_error_msat: float
    covered_msat: float
    covered_error_msat: float


def truth(spec: WorldSpec, seed: int, *, luck: int = 0) -> dict[Key, Truth]:
    """Return the truth of every (peer, cause) that stood in a payment's way; of all others it is 0."""
    base = settle_accounts(spec, seed, luck=luck)
    peers = OurNode(spec, None).peers
    return {
        (peers[index].pubkey, problem): _difference(
            spec, base, settle_accounts(spec, seed, luck=luck, lifted=(index, problem)), index
        )
        for index, problem in sorted(base.met)
        if problem in LIFTABLE
    }


def expected_truth(spec: WorldSpec, seed: int, lucks: Iterable[int]) -> dict[Key, TruthEstimate]:
    """Return the mean truth over several lucks: the same payers at the same times, other fates."""
    return average([truth(spec, seed, luck=luck) for luck in lucks])


def average(truths: Sequence[dict[Key, Truth]]) -> dict[Key, TruthEstimate]:
    """Return means and standard errors of several truths; a key missing in one counts as 0 there."""
    nothing = Truth(window_msat=0, covered_msat=0)
    estimates = {}
    for key in sorted({key for one in truths for key in one}):
        figures = [one.get(key, nothing) for one in truths]
        window, window_error = _mean_and_error([f.window_msat for f in figures])
        covered, covered_error = _mean_and_error([f.covered_msat for f in figures])
        estimates[key] = TruthEstimate(
            window_msat=window,
            window_error_msat=window_error,
            covered_msat=covered,
            covered_error_msat=covered_error,
        )
    return estimates


def _difference(spec: WorldSpec, base: Ledger, other: Ledger, peer: int) -> Truth:
    bit = 1 << peer
    covered = covered_ns(spec)
    window_msat = covered_msat = 0
    for wanted_ns, paid, would_pay, asked, would_ask in zip(
        base.wanted_ns, base.fee_msat, other.fee_msat, base.asked, other.asked, strict=True
    ):
        if paid != would_pay and (asked | would_ask) & bit:
            window_msat += would_pay - paid
            if any(start <= wanted_ns < end for start, end in covered):
                covered_msat += would_pay - paid
    return Truth(window_msat=window_msat, covered_msat=covered_msat)


def _mean_and_error(figures: Sequence[int]) -> tuple[float, float]:
    n = len(figures)
    mean = sum(figures) / n
    if n == 1:
        return mean, 0.0
    return mean, sqrt(sum((f - mean) ** 2 for f in figures) / (n - 1) / n)
