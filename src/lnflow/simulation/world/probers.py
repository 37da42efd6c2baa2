"""Balance probes: bisection with unknown hashes.  They never settle and never pay anybody."""

from __future__ import annotations

import numpy as np

from lnflow.domain.causes import Cause
from lnflow.domain.fees import forward_fee_msat
from lnflow.domain.time import HOUR_NS, SECOND_NS
from lnflow.simulation.world.agenda import Agenda
from lnflow.simulation.world.holdings import Channel, Htlc
from lnflow.simulation.world.luck import subkey, uniform
from lnflow.simulation.world.our_node import OurNode
from lnflow.simulation.world.spec import MSAT_PER_SAT, Prober, WorldSpec

_TELLS_BALANCE = (Cause.INSUFFICIENT_BALANCE, Cause.HTLC_EXCEEDS_MAX, Cause.HTLC_ADD_FAILED)


class Session:
    """One bisection of one channel: our balance lies between `low_msat` and `high_msat`."""

    __slots__ = ("channel", "high_msat", "key", "low_msat", "prober", "step")

    def __init__(self, prober: Prober, channel: Channel, key: int) -> None:
        self.prober = prober
        self.channel = channel
        self.key = key
        self.step = 0
        self.low_msat = 0
        top_sat = channel.capacity_sat if prober.top_sat is None else prober.top_sat
        self.high_msat = top_sat * MSAT_PER_SAT


class Probers:
    """All probe sessions of a world, at times that nothing changes."""

    def __init__(self, spec: WorldSpec, node: OurNode, agenda: Agenda, seed: int, luck: int) -> None:
        self._node = node
        self._agenda = agenda
        for index, prober in enumerate(spec.probers):
            rng = np.random.default_rng([seed, 3, index])
            span_h = spec.hours + spec.warmup_hours
            count = int(rng.poisson(prober.sessions_per_day / 24 * span_h))
            starts_h = rng.random(count) * span_h - spec.warmup_hours
            for n, start_h in enumerate(starts_h.tolist()):
                key = subkey(subkey(subkey(seed, 17 + luck), index), n)
                channels = node.peers[prober.out_peer].channels
                channel = channels[int(uniform(key, 0) * len(channels))]
                agenda.put(int(start_h * HOUR_NS), self._step, Session(prober, channel, key))

    def _step(self, now: int, session: Session) -> None:
        if session.step >= session.prober.steps:
            return
        session.step += 1
        amount = (session.low_msat + session.high_msat) // 2
        in_peer = self._node.peers[session.prober.in_peer]
        terms = session.channel.peer.terms[-1]
        # no discount taken: a probe pays nothing in the end
        amount_in = amount + forward_fee_msat(amount, terms.base_fee_msat, terms.fee_ppm)
        choice = uniform(session.key, session.step)
        in_channel = self._node.incoming_channel(in_peer, amount_in, choice) if in_peer.online else None
        if in_channel is None:
            return
        answer = self._node.offer(now, in_channel, session.channel, amount_in, amount, choice)
        if isinstance(answer, Htlc):
            self._agenda.put(now + int((0.8 + 2 * choice) * SECOND_NS), self._failed, answer, session)
        elif answer in _TELLS_BALANCE:
            session.high_msat = amount
            self._agenda.put(now + int((0.4 + choice) * SECOND_NS), self._step, session)

    def _failed(self, now: int, htlc: Htlc, session: Session) -> None:
        peer = htlc.out_channel.peer
        if not peer.online:
            self._agenda.put(peer.back_ns + SECOND_NS, self._failed, htlc, session)
            return
        self._node.fail(now, htlc)
        session.low_msat = htlc.amount_out_msat
        self._agenda.put(now + SECOND_NS // 2, self._step, session)
