"""One wish to pay, and the luck that belongs to it."""

from __future__ import annotations

from math import exp

from lnflow.simulation.world.holdings import Htlc
from lnflow.simulation.world.luck import normal, uniform
from lnflow.simulation.world.spec import Population

# purposes of a payment's draws; the n-th draw for one is number `purpose + 32 * n`
DEAD, DETOUR, DETOUR_LIMIT, FEE_LIMIT, PROBE, CHOICE, HOLD, STUCK, STUCK_LENGTH, PAUSE = range(10)
WAIT, DOWNSTREAM_FEE, REACH, MEMORY, FEE_RETRY = range(10, 15)
_NTH = 32
PAYERS_PER_POPULATION = 1_000_000
AT_US = 7  # beside the ways behind a peer (0 ...), the place of our own refusals in a payment's memory


class Payment:
    """A payer's wish and what has become of it.  A new epoch begins whenever all parts so far are void."""

    __slots__ = (
        "amount_msat",
        "arrived_msat",
        "bad",
        "epoch",
        "fee_limit_ppm",
        "held",
        "key",
        "number",
        "parts",
        "payer",
        "payer_key",
        "population",
        "population_index",
        "probing",
        "repriced",
        "returned",
        "tries",
    )

    def __init__(
        self,
        number: int,
        population_index: int,
        population: Population,
        payer: int,
        amount_msat: int,
        key: int,
    ) -> None:
        self.number = number
        self.population_index = population_index
        self.population = population
        self.payer = population_index * PAYERS_PER_POPULATION + payer
        self.payer_key = 0
        self.amount_msat = amount_msat
        self.key = key
        self.epoch = 0
        self.returned = 0
        self.tries = 0
        self.parts = 0
        self.arrived_msat = 0
        self.held: list[Htlc] = []
        self.bad: dict[int, int] = {}
        """Smallest amount that failed in this epoch, by out peer * 8 + path behind it (7: at our node)."""
        self.repriced = 0
        self.probing = False
        self.fee_limit_ppm = population.fee_limit_ppm * exp(0.5 * self.draw_normal(FEE_LIMIT))

    def draw(self, purpose: int, n: int = 0) -> float:
        return uniform(self.key, purpose + _NTH * n)

    def draw_normal(self, purpose: int, n: int = 0) -> float:
        return normal(self.key, purpose + _NTH * n)

    def note_failure(self, out_index: int, way: int, amount_msat: int) -> None:
        place = out_index * 8 + way
        self.bad[place] = min(amount_msat, self.bad.get(place, amount_msat))

    def failed_before(self, out_index: int, way: int, amount_msat: int) -> bool:
        """Whether this amount or a smaller one failed there in this epoch."""
        smallest = self.bad.get(out_index * 8 + way)
        return smallest is not None and amount_msat >= smallest
