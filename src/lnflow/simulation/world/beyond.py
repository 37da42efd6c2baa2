"""The way behind our peers: what it carries, fixed by luck and by what was pushed through it before."""

from __future__ import annotations

from math import exp

from lnflow.domain.time import MINUTE_NS
from lnflow.simulation.world.holdings import Peer
from lnflow.simulation.world.luck import uniform
from lnflow.simulation.world.payment import DEAD, REACH, Payment
from lnflow.simulation.world.spec import MSAT_PER_SAT

_SPELL_NS = 180 * MINUTE_NS
_EXHAUSTED = 20  # an exhausted way carries a twentieth


class Beyond:
    """Fates behind our peers.  `key` is the luck that no payment owns: spells of exhaustion."""

    def __init__(self, key: int) -> None:
        self._key = key

    def receiver_is_dead(self, payment: Payment) -> bool:
        return payment.draw(DEAD, payment.returned) < payment.population.dead_share

    def carries(self, now: int, payment: Payment, peer: Peer, way: int, amount_msat: int) -> bool:
        """Whether an HTLC of this payment gets through; if so, it uses up what the peer can pass on."""
        population = payment.population
        luck = payment.draw_normal(REACH, peer.index * 8 + way)
        reach_sat = population.reach_sat * exp(population.reach_sigma * luck)
        if population.exhausted_share > 0:
            spell = (now // _SPELL_NS) * 64 + payment.population_index
            if uniform(self._key ^ peer.index, spell) < population.exhausted_share:
                reach_sat /= _EXHAUSTED
        return amount_msat <= reach_sat * MSAT_PER_SAT and _drawn_from_pool(now, peer, amount_msat)


def _drawn_from_pool(now: int, peer: Peer, amount_msat: int) -> bool:
    pool_sat = peer.spec.pool_sat
    if pool_sat is None:
        return True
    # ns x sat/h = 3.6e12 sat, 3.6e9 msat
    refill_msat = (now - peer.pool_at_ns) * peer.spec.pool_refill_sat_per_h // 3_600_000_000
    level = min(pool_sat * MSAT_PER_SAT, peer.pool_msat + refill_msat)
    carried = amount_msat <= level
    peer.pool_msat = level - amount_msat if carried else level
    peer.pool_at_ns = now
    return carried
