"""Payers with LND-like habits: stale prices, retries, memory of failures, splitting, detours, coming back."""

from __future__ import annotations

from math import exp

from lnflow.domain.causes import Cause, Problem
from lnflow.domain.fees import PPM, forward_fee_msat, inbound_fee_msat
from lnflow.domain.time import MINUTE_NS, SECOND_NS
from lnflow.simulation.world.agenda import Agenda
from lnflow.simulation.world.arrivals import Arrivals
from lnflow.simulation.world.beyond import Beyond
from lnflow.simulation.world.holdings import Htlc, Peer
from lnflow.simulation.world.knowledge import Knowledge, asked_channel, keeps_away, pays_inbound
from lnflow.simulation.world.luck import subkey
from lnflow.simulation.world.our_node import OurNode
from lnflow.simulation.world.payment import (
    CHOICE,
    DETOUR,
    DETOUR_LIMIT,
    DOWNSTREAM_FEE,
    FEE_RETRY,
    HOLD,
    PAUSE,
    PROBE,
    STUCK,
    STUCK_LENGTH,
    WAIT,
    Payment,
)
from lnflow.simulation.world.spec import MSAT_PER_SAT, WorldSpec

_MIN_PART_MSAT = 10_000 * MSAT_PER_SAT  # LND's smallest shard
_MAX_PARTS = 16
_MPP_TIMEOUT_NS = 120 * SECOND_NS  # a receiver waits this long for the rest of a payment
_NO_WAY_TO_THE_PEER = (Cause.UNKNOWN_NEXT_PEER, Cause.LINK_NOT_ELIGIBLE, Cause.FEE_INSUFFICIENT)


class Payers:
    """All payers of a world.  What they paid us stands in `fee_msat`, whom they asked for in `asked`."""

    def __init__(
        self, spec: WorldSpec, node: OurNode, agenda: Agenda, arrivals: Arrivals, seed: int, luck: int
    ) -> None:
        self._populations = spec.populations
        self._node = node
        self._agenda = agenda
        self._arrivals = arrivals
        self._payers_key = subkey(seed, 11)
        self._luck_key = subkey(subkey(seed, 13), luck)
        self._knowledge = Knowledge()
        self._beyond = Beyond(subkey(self._luck_key, 1 << 40))
        self.fee_msat = [0] * len(arrivals.at_ns)
        """Routing fee settled within the window, per payment."""
        self.asked = [0] * len(arrivals.at_ns)
        """Bit i: an HTLC of the payment asked us for peer i."""
        if arrivals.at_ns:
            agenda.put(arrivals.at_ns[0], self._arrive, 0)

    def _arrive(self, now: int, number: int) -> None:
        """A wish is born; the next one is put on the agenda."""
        arrivals = self._arrivals
        if number + 1 < len(arrivals.at_ns):
            self._agenda.put(arrivals.at_ns[number + 1], self._arrive, number + 1)
        index = arrivals.population[number]
        population = self._populations[index]
        payment = Payment(
            number,
            index,
            population,
            arrivals.payer[number],
            arrivals.amount_msat[number],
            subkey(self._luck_key, number),
        )
        payment.payer_key = subkey(self._payers_key, payment.payer)
        payment.probing = population.probes_first > 0 and payment.draw(PROBE) < population.probes_first
        self._start(now, payment)

    def _start(self, now: int, payment: Payment) -> None:
        presplit = payment.population.presplit_sat
        parts = 1
        if presplit is not None:
            parts = max(1, min(_MAX_PARTS, -(-payment.amount_msat // (presplit * MSAT_PER_SAT))))
        payment.parts = parts
        share = payment.amount_msat // parts
        for i in range(1, parts):
            self._agenda.put(now + i * 7_000_000, self._attempt, payment, payment.epoch, share)
        self._attempt(now, payment, payment.epoch, payment.amount_msat - share * (parts - 1))

    def _attempt(self, now: int, payment: Payment, epoch: int, amount: int) -> None:
        """Send one part by the best way through us that the payer still believes in; else see `_stuck`."""
        if payment.epoch != epoch:
            return
        in_peer = self._node.peers[payment.population.in_peer]
        if in_peer.online:
            for out_index in payment.population.out_peers:
                out_peer = self._node.peers[out_index]
                way = self._knowledge.believed_way(now, payment, out_index, amount)
                if way is None:
                    continue
                if keeps_away(now, payment, out_peer):
                    self._node.note(now, out_peer, Problem.OFFLINE)
                elif self._try(now, payment, amount, in_peer, out_peer, way):
                    return
        self._stuck(now, payment, amount)

    def _try(self, now: int, payment: Payment, amount: int, in_peer: Peer, out_peer: Peer, way: int) -> bool:
        """Hand the part to us; False if no HTLC could reach us for this peer."""
        terms = self._knowledge.known_terms(now, payment, out_peer)
        asked = asked_channel(payment, out_peer, terms, amount)
        if asked is None:
            self._node.note(now, out_peer, Problem.SIZE)
            return False
        way_ppm = int(payment.draw(DOWNSTREAM_FEE, out_peer.index * 8 + way) * 1_500)
        amount_out = amount + 1_000 + amount * way_ppm // PPM  # the receiver's part and later hops' fees
        fee = forward_fee_msat(amount_out, terms.base_fee_msat, terms.fee_ppm)
        inbound = self._knowledge.known_terms(now, payment, in_peer)
        if (inbound.inbound_fee_ppm or inbound.inbound_base_fee_msat) and pays_inbound(payment):
            fee += inbound_fee_msat(amount_out, fee, inbound.inbound_base_fee_msat, inbound.inbound_fee_ppm)
            fee = max(0, fee)
        if fee > 1_000 + amount * payment.fee_limit_ppm / PPM:
            return False
        payment.tries += 1
        only_one = len(in_peer.channels) == len(out_peer.channels) == 1
        choice = 0.0 if only_one else payment.draw(CHOICE, payment.tries)
        in_channel = self._node.incoming_channel(in_peer, amount_out + fee, choice)
        if in_channel is None:
            return False
        self.asked[payment.number] |= 1 << out_peer.index
        wish = None if payment.probing else payment.number
        answer = self._node.offer(now, in_channel, asked, amount_out + fee, amount_out, choice, wish)
        if isinstance(answer, Htlc):
            back = now + _hold_ns(payment)
            self._agenda.put(back, self._answer, answer, payment, payment.epoch, amount, way)
        else:
            self._refused(now, payment, amount, out_peer, answer)
        return True

    def _refused(self, now: int, payment: Payment, amount: int, out_peer: Peer, cause: Cause) -> None:
        """Learn from our refusal and go on, a round trip later."""
        self._agenda.put(now + _pause_ns(payment), self._attempt, payment, payment.epoch, amount)
        if cause is Cause.FEE_INSUFFICIENT:
            self._knowledge.learn_terms(payment, out_peer)
            payment.repriced += 1
            if payment.repriced == 1 and payment.draw(FEE_RETRY) < payment.population.fee_retry:
                return
        failed = 0 if cause in _NO_WAY_TO_THE_PEER else amount
        self._knowledge.remember_failure(now, payment, out_peer.index, failed)

    def _answer(self, now: int, htlc: Htlc, payment: Payment, epoch: int, amount: int, way: int) -> None:
        """What came back from behind us."""
        out_peer = htlc.out_channel.peer
        if not out_peer.online:  # nothing comes back before the peer does
            again = out_peer.back_ns + SECOND_NS + int(payment.draw(PAUSE) * 5 * SECOND_NS)
            self._agenda.put(again, self._answer, htlc, payment, epoch, amount, way)
        elif payment.epoch != epoch:
            self._node.fail(now, htlc)
        elif payment.probing:
            payment.probing = False
            self._node.fail(now, htlc)
            self._agenda.put(now + _pause_ns(payment), self._attempt, payment, epoch, amount)
        elif self._beyond.receiver_is_dead(payment):
            self._node.fail(now, htlc)
            self._give_up(now, payment)
        elif not self._beyond.carries(now, payment, out_peer, way, htlc.amount_out_msat):
            self._node.fail(now, htlc)
            payment.note_failure(out_peer.index, way, amount)
            self._agenda.put(now + _pause_ns(payment), self._attempt, payment, epoch, amount)
        else:
            self._knowledge.remember_success(payment, out_peer.index, amount)
            payment.held.append(htlc)
            if len(payment.held) == 1 and amount < payment.amount_msat:
                self._agenda.put(now + _MPP_TIMEOUT_NS, self._time_out, payment, epoch)
            self._arrived(now, payment, amount)

    def _arrived(self, now: int, payment: Payment, amount: int) -> None:
        """A part is at the receiver; with the last one he takes them all."""
        payment.arrived_msat += amount
        if payment.arrived_msat < payment.amount_msat:
            return
        payment.epoch += 1
        for i, htlc in enumerate(payment.held):
            if i == 0:
                self._settle(now, htlc, payment)
            else:
                self._agenda.put(now + i * 300_000_000, self._settle, htlc, payment)
        payment.held = []

    def _settle(self, now: int, htlc: Htlc, payment: Payment) -> None:
        if not htlc.out_channel.peer.online:
            self._agenda.put(htlc.out_channel.peer.back_ns + SECOND_NS, self._settle, htlc, payment)
            return
        fee = self._node.settle(now, htlc)
        if now >= 0:
            self.fee_msat[payment.number] += fee

    def _stuck(self, now: int, payment: Payment, amount: int) -> None:
        """No way through us for this part: a way around us, smaller parts, or nothing."""
        population = payment.population
        if payment.draw(DETOUR, payment.returned) < population.detour:
            limit_sat = population.detour_limit_sat * exp(payment.draw_normal(DETOUR_LIMIT))
            if amount <= limit_sat * MSAT_PER_SAT:
                self._agenda.put(now + _pause_ns(payment), self._elsewhere, payment, payment.epoch, amount)
                return
        if population.mpp and amount >= 2 * _MIN_PART_MSAT and payment.parts < _MAX_PARTS:
            payment.parts += 1
            half = amount // 2
            self._agenda.put(now + 30_000_000, self._attempt, payment, payment.epoch, half)
            self._agenda.put(now + 60_000_000, self._attempt, payment, payment.epoch, amount - half)
            return
        self._give_up(now, payment)

    def _elsewhere(self, now: int, payment: Payment, epoch: int, amount: int) -> None:
        if payment.epoch == epoch:
            self._arrived(now, payment, amount)

    def _time_out(self, now: int, payment: Payment, epoch: int) -> None:
        if payment.epoch == epoch:
            self._give_up(now, payment)

    def _give_up(self, now: int, payment: Payment) -> None:
        """All parts are void; perhaps the payer comes back with the whole later."""
        payment.epoch += 1
        for i, htlc in enumerate(payment.held):
            self._agenda.put(now + SECOND_NS + i * 20_000_000, self._drop, htlc)
        payment.held = []
        payment.arrived_msat = 0
        payment.bad = {}
        payment.repriced = 0
        if payment.returned < payment.population.returns:
            payment.returned += 1
            wait = payment.population.return_minutes * (0.5 + payment.draw(WAIT, payment.returned))
            self._agenda.put(now + int(wait * MINUTE_NS), self._start, payment)

    def _drop(self, now: int, htlc: Htlc) -> None:
        if htlc.out_channel.peer.online:
            self._node.fail(now, htlc)
        else:
            self._agenda.put(htlc.out_channel.peer.back_ns + SECOND_NS, self._drop, htlc)


def _hold_ns(payment: Payment) -> int:
    n = payment.tries
    seconds = payment.population.hold_s * exp(0.6 * payment.draw_normal(HOLD, n))
    if payment.draw(STUCK, n) < payment.population.stuck_share:
        seconds += 60 * 60.0 ** (2 * payment.draw(STUCK_LENGTH, n))  # a minute to sixty hours
    return int(seconds * SECOND_NS)


def _pause_ns(payment: Payment) -> int:
    """The sender's round trip and path-finding."""
    return int((0.4 + 2.6 * payment.draw(PAUSE, payment.tries + 1)) * SECOND_NS)
