"""Payers with LND-like habits: stale prices, retries, memory of failures, splitting, detours, coming back."""

from __future__ import annotations

from math import exp

from lnflow.domain.causes import Cause, Problem
from lnflow.domain.fees import PPM, forward_fee_msat, inbound_fee_msat
from lnflow.domain.time import MINUTE_NS, SECOND_NS
from lnflow.simulation.world.agenda import Agenda
from lnflow.simulation.world.arrivals import Arrivals
from lnflow.simulation.world.luck import normal, subkey, uniform
from lnflow.simulation.world.our_node import Channel, Htlc, OurNode, Peer, Terms
from lnflow.simulation.world.spec import MSAT_PER_SAT, Population, WorldSpec

_NEVER = 1 << 62
_MIN_PART_MSAT = 10_000 * MSAT_PER_SAT  # LND's smallest shard
_MAX_PARTS = 16
_MPP_TIMEOUT_NS = 120 * SECOND_NS  # a receiver waits this long for the rest of a payment
_DISABLE_NS = 20 * MINUTE_NS  # LND announces a channel as disabled after this time offline
_SPELL_NS = 180 * MINUTE_NS  # how long the way behind us stays exhausted
_LOCAL = 7  # beside the paths behind a peer (0 ...), the place of our own refusals in a payment's memory
_PAYERS = 1_000_000

# purposes of a payment's draws; the n-th draw for one is number `purpose + 32 * n`
_DEAD, _DETOUR, _DETOUR_LIMIT, _FEE_LIMIT, _PROBE, _CHOICE, _HOLD, _STUCK, _STUCK_LENGTH, _PAUSE = range(10)
_WAIT, _DOWNSTREAM_FEE, _REACH, _MEMORY, _FEE_RETRY = range(10, 15)
_NTH = 32


class Payment:
    """A payer's wish and what has become of it.  A new epoch begins whenever all parts so far are void."""

    __slots__ = (
        "amount_msat",
        "arrived_msat",
        "bad",
        "epoch",
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
        self.payer = population_index * _PAYERS + payer
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

    def draw(self, purpose: int, n: int = 0) -> float:
        return uniform(self.key, purpose + _NTH * n)


class Payers:
    """All payers of a world.  What they paid us stands in `fee_msat`, whom they asked for in `asked`."""

    def __init__(
        self, spec: WorldSpec, node: OurNode, agenda: Agenda, arrivals: Arrivals, seed: int, luck: int
    ) -> None:
        self._spec = spec
        self._node = node
        self._agenda = agenda
        self._arrivals = arrivals
        self._payers_key = subkey(seed, 11)
        self._luck_key = subkey(subkey(seed, 13), luck)
        self._memory: dict[int, tuple[int, int]] = {}
        self._heard: dict[int, int] = {}
        self.fee_msat = [0] * len(arrivals.at_ns)
        """Routing fee settled within the window, per payment."""
        self.asked = [0] * len(arrivals.at_ns)
        """Bit i: an HTLC of the payment asked us for peer i."""
        if arrivals.at_ns:
            agenda.put(arrivals.at_ns[0], self._arrive, 0)

    def _arrive(self, now: int, number: int) -> None:
        arrivals = self._arrivals
        if number + 1 < len(arrivals.at_ns):
            self._agenda.put(arrivals.at_ns[number + 1], self._arrive, number + 1)
        index = arrivals.population[number]
        population = self._spec.populations[index]
        payment = Payment(
            number,
            index,
            population,
            arrivals.payer[number],
            arrivals.amount_msat[number],
            subkey(self._luck_key, number),
        )
        payment.payer_key = subkey(self._payers_key, payment.payer)
        payment.probing = payment.draw(_PROBE) < population.probes_first
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
        population = payment.population
        in_peer = self._node.peers[population.in_peer]
        if in_peer.online:
            for out_index in population.out_peers:
                out_peer = self._node.peers[out_index]
                path = self._believed_path(now, payment, out_index, amount)
                if path is None:
                    continue
                if self._keeps_away(now, payment, out_peer):
                    self._node.note(now, out_peer, Problem.OFFLINE)
                    continue
                if self._try(now, payment, amount, in_peer, out_peer, path):
                    return
        self._stuck(now, payment, amount)

    def _try(self, now: int, payment: Payment, amount: int, in_peer: Peer, out_peer: Peer, path: int) -> bool:
        """Hand the part to us; False if no HTLC could reach us for this peer."""
        population = payment.population
        terms = self._known_terms(now, payment, out_peer)
        asked = self._asked_channel(payment, out_peer, terms, amount)
        if asked is None:
            self._node.note(now, out_peer, Problem.SIZE)
            return False
        way = payment.draw(_DOWNSTREAM_FEE, out_peer.index * 8 + path)
        amount_out = amount + 1_000 + amount * int(way * 1_500) // PPM
        fee = forward_fee_msat(amount_out, terms.base_fee_msat, terms.fee_ppm)
        inbound = self._known_terms(now, payment, in_peer)
        if uniform(payment.payer_key, 1) < population.heeds_inbound:
            fee += inbound_fee_msat(amount_out, fee, inbound.inbound_base_fee_msat, inbound.inbound_fee_ppm)
            fee = max(0, fee)
        limit = population.fee_limit_ppm * exp(0.5 * normal(payment.key, _FEE_LIMIT))
        if fee > 1_000 + amount * limit / PPM:
            return False
        payment.tries += 1
        choice = payment.draw(_CHOICE, payment.tries)
        in_channel = self._node.incoming_channel(in_peer, amount_out + fee, choice)
        if in_channel is None:
            return False
        self.asked[payment.number] |= 1 << out_peer.index
        answer = self._node.offer(now, in_channel, asked, amount_out + fee, amount_out, choice)
        if isinstance(answer, Htlc):
            self._agenda.put(now + self._hold_ns(payment), self._answer, answer, payment, payment.epoch, amount, path)
        else:
            self._refused(now, payment, amount, out_peer, answer)
        return True

    def _refused(self, now: int, payment: Payment, amount: int, out_peer: Peer, cause: Cause) -> None:
        """Learn from our refusal and go on, a round trip later."""
        pause = self._pause_ns(payment)
        place = out_peer.index * 8 + _LOCAL
        if cause is Cause.FEE_INSUFFICIENT:
            self._heard[payment.payer * 256 + out_peer.index] = len(out_peer.terms) - 1
            payment.repriced += 1
            if payment.repriced == 1 and payment.draw(_FEE_RETRY) < payment.population.fee_retry:
                self._agenda.put(now + pause, self._attempt, payment, payment.epoch, amount)
                return
        whole_pair = cause in (Cause.UNKNOWN_NEXT_PEER, Cause.LINK_NOT_ELIGIBLE, Cause.FEE_INSUFFICIENT)
        failed = 0 if whole_pair else amount
        payment.bad[place] = min(failed, payment.bad.get(place, _NEVER))
        minutes = payment.population.memory_minutes * (0.5 + payment.draw(_MEMORY, payment.tries))
        if minutes > 0:
            memory = payment.payer * 256 + out_peer.index
            known, until = self._memory.get(memory, (_NEVER, 0))
            if now >= until:
                known = _NEVER
            self._memory[memory] = (min(known, failed), now + int(minutes * MINUTE_NS))
        self._agenda.put(now + pause, self._attempt, payment, payment.epoch, amount)

    def _answer(self, now: int, htlc: Htlc, payment: Payment, epoch: int, amount: int, path: int) -> None:
        """What came back from behind us."""
        out_peer = htlc.out_channel.peer
        if not out_peer.online:  # nothing comes back before the peer does
            again = out_peer.back_ns + SECOND_NS + int(payment.draw(_PAUSE, 0) * 5 * SECOND_NS)
            self._agenda.put(again, self._answer, htlc, payment, epoch, amount, path)
            return
        if payment.epoch != epoch:
            self._node.fail(now, htlc)
            return
        if payment.probing:
            payment.probing = False
            self._node.fail(now, htlc)
            self._agenda.put(now + self._pause_ns(payment), self._attempt, payment, epoch, amount)
            return
        if payment.draw(_DEAD, payment.returned) < payment.population.dead_share:
            self._node.fail(now, htlc)
            self._give_up(now, payment)
            return
        if not self._carried(now, payment, out_peer, path, htlc.amount_out_msat):
            self._node.fail(now, htlc)
            place = out_peer.index * 8 + path
            payment.bad[place] = min(amount, payment.bad.get(place, _NEVER))
            self._agenda.put(now + self._pause_ns(payment), self._attempt, payment, epoch, amount)
            return
        self._remember_success(payment, out_peer, amount)
        if amount == payment.amount_msat:
            payment.epoch += 1
            self._settle(now, htlc, payment)
            return
        payment.held.append(htlc)
        if len(payment.held) == 1:
            self._agenda.put(now + _MPP_TIMEOUT_NS, self._time_out, payment, epoch)
        self._arrived(now, payment, amount)

    def _arrived(self, now: int, payment: Payment, amount: int) -> None:
        payment.arrived_msat += amount
        if payment.arrived_msat < payment.amount_msat:
            return
        payment.epoch += 1
        for i, htlc in enumerate(payment.held):
            self._agenda.put(now + (i + 1) * 300_000_000, self._settle, htlc, payment)
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
        if payment.draw(_DETOUR, payment.returned) < population.detour:
            limit = population.detour_limit_sat * exp(normal(payment.key, _DETOUR_LIMIT))
            if amount <= limit * MSAT_PER_SAT:
                self._agenda.put(now + self._pause_ns(payment), self._elsewhere, payment, payment.epoch, amount)
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
        population = payment.population
        payment.epoch += 1
        for i, htlc in enumerate(payment.held):
            self._agenda.put(now + SECOND_NS + i * 20_000_000, self._drop, htlc)
        payment.held = []
        payment.arrived_msat = 0
        payment.bad = {}
        payment.repriced = 0
        if payment.returned < population.returns:
            payment.returned += 1
            wait = population.return_minutes * (0.5 + payment.draw(_WAIT, payment.returned))
            self._agenda.put(now + int(wait * MINUTE_NS), self._start, payment)

    def _drop(self, now: int, htlc: Htlc) -> None:
        if htlc.out_channel.peer.online:
            self._node.fail(now, htlc)
        else:
            self._agenda.put(htlc.out_channel.peer.back_ns + SECOND_NS, self._drop, htlc)

    def _believed_path(self, now: int, payment: Payment, out_index: int, amount: int) -> int | None:
        """Return the first way behind the peer that the payer has no reason to avoid for this amount."""
        failed, until = self._memory.get(payment.payer * 256 + out_index, (_NEVER, 0))
        if (now < until and amount >= failed) or amount >= payment.bad.get(out_index * 8 + _LOCAL, _NEVER):
            return None
        for path in range(1 + payment.population.other_paths):
            if amount < payment.bad.get(out_index * 8 + path, _NEVER):
                return path
        return None

    def _keeps_away(self, now: int, payment: Payment, peer: Peer) -> bool:
        """The channel has been announced as disabled and the payer heeds that."""
        if peer.online or now - peer.away_since_ns < _DISABLE_NS + self._gossip_ns(payment, peer, 0):
            return False
        return uniform(payment.payer_key, 2) < payment.population.heeds_disabled

    def _known_terms(self, now: int, payment: Payment, peer: Peer) -> Terms:
        """Return the newest terms that the payer has heard of, by gossip or from a refusal."""
        terms = peer.terms
        if len(terms) == 1:
            return terms[0]
        heard = self._heard.get(payment.payer * 256 + peer.index, 0)
        for k in range(len(terms) - 1, heard, -1):
            if now - terms[k].at_ns >= self._gossip_ns(payment, peer, k):
                return terms[k]
        return terms[heard]

    def _gossip_ns(self, payment: Payment, peer: Peer, n: int) -> int:
        spread = exp(1.3 * normal(payment.payer_key, 64 + peer.index + 256 * n))
        return int(payment.population.gossip_minutes * spread * MINUTE_NS)

    def _asked_channel(self, payment: Payment, peer: Peer, terms: Terms, amount: int) -> Channel | None:
        """Return the channel that the onion names; None if the payer knows that none carries the amount."""
        channels = peer.channels
        lifted = peer.lifted is Problem.SIZE
        fitting = [c for c in channels if lifted or amount < c.max_htlc_msat(terms)]
        pick = uniform(payment.payer_key, 1024 + peer.index)
        if fitting:
            return fitting[int(pick * len(fitting))]
        if uniform(payment.payer_key, 3) < payment.population.heeds_max_htlc:
            return None
        return max(channels, key=lambda c: c.capacity_sat)

    def _carried(self, now: int, payment: Payment, peer: Peer, path: int, amount_msat: int) -> bool:
        """Whether the way behind us carries this amount now."""
        population = payment.population
        reach = population.reach_sat * exp(population.reach_sigma * normal(payment.key, _reach(peer, path)))
        if population.exhausted_share > 0:
            spell = (now // _SPELL_NS) * 64 + payment.population_index
            if uniform(self._luck_key ^ peer.index, spell) < population.exhausted_share:
                reach /= 20
        if amount_msat > reach * MSAT_PER_SAT:
            return False
        pool_sat = peer.spec.pool_sat
        if pool_sat is None:
            return True
        refill = (now - peer.pool_at_ns) * peer.spec.pool_refill_sat_per_h // 3_600_000_000  # msat
        level = min(pool_sat * MSAT_PER_SAT, peer.pool_msat + refill)
        carried = amount_msat <= level
        peer.pool_msat = level - (amount_msat if carried else 0)
        peer.pool_at_ns = now
        return carried

    def _remember_success(self, payment: Payment, peer: Peer, amount: int) -> None:
        """What went through is no longer believed to fail."""
        memory = payment.payer * 256 + peer.index
        known = self._memory.get(memory)
        if known is not None and amount >= known[0]:
            del self._memory[memory]

    def _hold_ns(self, payment: Payment) -> int:
        n = payment.tries
        seconds = payment.population.hold_s * exp(0.6 * normal(payment.key, _HOLD + _NTH * n))
        if payment.draw(_STUCK, n) < payment.population.stuck_share:
            seconds += 60 * 60.0 ** (2 * payment.draw(_STUCK_LENGTH, n))  # a minute to sixty hours
        return int(seconds * SECOND_NS)

    def _pause_ns(self, payment: Payment) -> int:
        return int((0.4 + 2.6 * payment.draw(_PAUSE, payment.tries + 1)) * SECOND_NS)


def _reach(peer: Peer, path: int) -> int:
    return _REACH + _NTH * (peer.index * 8 + path)
