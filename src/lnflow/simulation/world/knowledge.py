"""What payers know and believe: prices they have heard of, failures they remember (LND's mission control)."""

from __future__ import annotations

from math import exp

from lnflow.domain.causes import Problem
from lnflow.domain.time import MINUTE_NS
from lnflow.simulation.world.holdings import Channel, Peer, Terms
from lnflow.simulation.world.luck import normal, uniform
from lnflow.simulation.world.payment import AT_US, MEMORY, Payment

_DISABLE_NS = 20 * MINUTE_NS  # LND announces a channel as disabled after this time offline
_NEVER = 1 << 62
# draws of a payer: what kind of sender this is
_INBOUND, _DISABLED, _MAX_HTLC = 1, 2, 3
_FIRST_GOSSIP = 64
_FIRST_CHANNEL = 1 << 20


class Knowledge:
    """One memory per payer and outgoing peer, shared by all payments of that payer."""

    def __init__(self) -> None:
        self._failures: dict[int, tuple[int, int]] = {}
        self._heard: dict[int, int] = {}

    def believed_way(self, now: int, payment: Payment, out_index: int, amount: int) -> int | None:
        """Return the first way behind the peer that the payer has no reason to avoid for this amount."""
        remembered = self._failures.get(payment.payer * 256 + out_index)
        if remembered is not None and amount >= remembered[0] and now < remembered[1]:
            return None
        if payment.failed_before(out_index, AT_US, amount):
            return None
        for way in range(1 + payment.population.other_paths):
            if not payment.failed_before(out_index, way, amount):
                return way
        return None

    def remember_failure(self, now: int, payment: Payment, out_index: int, amount: int) -> None:
        """From now on the payer avoids the pair for this amount and more, for a while."""
        payment.note_failure(out_index, AT_US, amount)
        minutes = payment.population.memory_minutes * (0.5 + payment.draw(MEMORY, payment.tries))
        if minutes <= 0:
            return
        place = payment.payer * 256 + out_index
        smallest, until = self._failures.get(place, (_NEVER, 0))
        if now < until:
            amount = min(amount, smallest)
        self._failures[place] = (amount, now + int(minutes * MINUTE_NS))

    def remember_success(self, payment: Payment, out_index: int, amount: int) -> None:
        """What went through is no longer believed to fail."""
        remembered = self._failures.get(payment.payer * 256 + out_index)
        if remembered is not None and amount >= remembered[0]:
            del self._failures[payment.payer * 256 + out_index]

    def known_terms(self, now: int, payment: Payment, peer: Peer) -> Terms:
        """Return the newest terms that the payer has heard of, by gossip or from a refusal."""
        terms = peer.terms
        if len(terms) == 1:
            return terms[0]
        heard = self._heard.get(payment.payer * 256 + peer.index, 0)
        for k in range(len(terms) - 1, heard, -1):
            if now - terms[k].at_ns >= _gossip_ns(payment, peer, k):
                return terms[k]
        return terms[heard]

    def learn_terms(self, payment: Payment, peer: Peer) -> None:
        """A refusal carried our newest channel_update."""
        self._heard[payment.payer * 256 + peer.index] = len(peer.terms) - 1


def pays_inbound(payment: Payment) -> bool:
    """Whether this sender knows of inbound fees at all."""
    return uniform(payment.payer_key, _INBOUND) < payment.population.heeds_inbound


def keeps_away(now: int, payment: Payment, peer: Peer) -> bool:
    """Whether the channel has been announced as disabled and the payer heeds that."""
    if peer.online or now - peer.away_since_ns < _DISABLE_NS + _gossip_ns(payment, peer, 0):
        return False
    return uniform(payment.payer_key, _DISABLED) < payment.population.heeds_disabled


def asked_channel(payment: Payment, peer: Peer, terms: Terms, amount: int) -> Channel | None:
    """Return the channel that the onion names; None if the payer knows that none carries the amount."""
    lifted = peer.lifted is Problem.SIZE
    fitting = [c for c in peer.channels if lifted or amount < c.max_htlc_msat(terms)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        return fitting[int(uniform(payment.payer_key, _FIRST_CHANNEL + peer.index) * len(fitting))]
    if uniform(payment.payer_key, _MAX_HTLC) < payment.population.heeds_max_htlc:
        return None
    return max(peer.channels, key=lambda c: c.capacity_sat)


def _gossip_ns(payment: Payment, peer: Peer, n: int) -> int:
    spread = exp(1.3 * normal(payment.payer_key, _FIRST_GOSSIP + peer.index + 256 * n))
    return int(payment.population.gossip_minutes * spread * MINUTE_NS)
