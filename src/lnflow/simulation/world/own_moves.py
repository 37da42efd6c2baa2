"""What the operator does himself (payments, receipts, circular rebalances) and refusals without a demand.

All of it is noise to an estimator of missed revenue: it must count nowhere.
"""

from __future__ import annotations

import numpy as np

from lnflow.domain.causes import Cause
from lnflow.domain.fees import PPM
from lnflow.domain.htlc import Resolved
from lnflow.domain.time import HOUR_NS, SECOND_NS
from lnflow.simulation.world.agenda import Agenda
from lnflow.simulation.world.holdings import Channel, Peer
from lnflow.simulation.world.our_node import OurNode
from lnflow.simulation.world.recording import OwnHtlc, OwnKind
from lnflow.simulation.world.spec import MSAT_PER_SAT, OwnMove, WorldSpec

_PAYMENT_NS = 4 * SECOND_NS
_STRAYS = (Cause.INVALID_ONION, Cause.UNKNOWN_NEXT_PEER, Cause.AMOUNT_BELOW_MINIMUM, Cause.CIRCULAR_ROUTE)


class OwnMoves:
    """Our own payments; `own` lists their HTLCs."""

    def __init__(self, spec: WorldSpec, node: OurNode, agenda: Agenda) -> None:
        self._node = node
        self._agenda = agenda
        self._last_ns = int(spec.hours * HOUR_NS)
        self.own: list[OwnHtlc] = []
        for move in spec.moves:
            first_h = move.first_h
            while first_h - move.every_h >= -spec.warmup_hours:
                first_h -= move.every_h
            agenda.put(int(first_h * HOUR_NS), self._make, move)

    def _make(self, now: int, move: OwnMove) -> None:
        following = now + int(move.every_h * HOUR_NS)
        if following < self._last_ns:
            self._agenda.put(following, self._make, move)
        source = None if move.from_peer is None else self._node.peers[move.from_peer]
        target = None if move.to_peer is None else self._node.peers[move.to_peer]
        if source is not None and (not source.online or _local_share(source) <= move.when_above):
            return
        if target is not None and (not target.online or _local_share(target) >= move.when_below):
            return
        amount = move.amount_sat * MSAT_PER_SAT
        fee = amount * move.fee_ppm // PPM
        into = None if target is None else _fullest(target.channels, remote=True)
        if into is not None and into.remote_msat - amount < into.remote_floor_msat:
            return  # it would not come in: no circular payment is tried
        if source is not None:
            out = _fullest(source.channels, remote=False)
            if not self._send(now, out, amount + (fee if into is not None else 0)):
                return
        if into is not None:
            self._receive(now + SECOND_NS, into, amount)

    def _send(self, now: int, channel: Channel, amount: int) -> bool:
        out_id = channel.next_out_id
        if channel.local_msat - amount < channel.local_floor_msat:
            self._record(OwnKind.SEND, now, now, None, 0, channel, out_id, amount, settled=False)
            return False
        channel.next_out_id += 1
        channel.out_count += 1
        channel.local_msat -= amount
        channel.unsettled_msat += amount
        self._agenda.put(now + _PAYMENT_NS, self._sent, channel, out_id, amount, now)
        return True

    def _sent(self, now: int, channel: Channel, out_id: int, amount: int, began: int) -> None:
        channel.out_count -= 1
        channel.unsettled_msat -= amount
        channel.remote_msat += amount
        self._record(OwnKind.SEND, began, now, None, 0, channel, out_id, amount, settled=True)

    def _receive(self, now: int, channel: Channel, amount: int) -> None:
        in_id = channel.next_in_id
        channel.next_in_id += 1
        channel.remote_msat -= amount
        channel.local_msat += amount
        end = now + SECOND_NS
        self._record(OwnKind.RECEIVE, now, end, channel, in_id, None, 0, amount, settled=True)
        if self._node.start_ns is not None:
            self._node.events.append(Resolved(channel.scid, in_id, self._node.start_ns + end, True, True))

    def _record(
        self,
        kind: OwnKind,
        began: int,
        ended: int,
        into: Channel | None,
        in_id: int,
        out: Channel | None,
        out_id: int,
        amount: int,
        *,
        settled: bool,
    ) -> None:
        start = self._node.start_ns
        if start is None:
            return
        self.own.append(
            OwnHtlc(
                kind=kind,
                at_ns=start + began,
                resolved_ns=start + ended,
                in_scid=0 if into is None else into.scid,
                in_htlc_id=in_id,
                out_scid=0 if out is None else out.scid,
                out_htlc_id=out_id,
                amount_msat=amount,
                settled=settled,
                refused=not settled,
            )
        )


class Strays:
    """Refusals that no demand stands behind."""

    def __init__(self, spec: WorldSpec, node: OurNode, agenda: Agenda, seed: int) -> None:
        self._node = node
        rng = np.random.default_rng([seed, 4])
        span_h = spec.hours + spec.warmup_hours
        count = int(rng.poisson(spec.strays_per_day / 24 * span_h))
        at_h = (rng.random(count) * span_h - spec.warmup_hours).tolist()
        rows = zip(
            at_h,
            rng.integers(len(node.channels), size=(count, 2)).tolist(),
            rng.integers(len(_STRAYS), size=count).tolist(),
            rng.integers(1_000, 50_000_000, size=count).tolist(),
            strict=True,
        )
        for when_h, (into, out), kind, amount in rows:
            agenda.put(
                int(when_h * HOUR_NS),
                self._arrive,
                node.channels[into],
                node.channels[out],
                _STRAYS[kind],
                amount,
            )

    def _arrive(self, now: int, into: Channel, out: Channel, cause: Cause, amount: int) -> None:
        if not into.peer.online:
            return
        in_id = into.next_in_id
        into.next_in_id += 1
        refuse = self._node.refuse
        if cause is Cause.INVALID_ONION:
            refuse(now, into, in_id, 0, cause, amount, None)
        elif cause is Cause.UNKNOWN_NEXT_PEER:
            invented = (700_000 + amount % 90_000) << 40 | (amount % 2_000) << 16
            refuse(now, into, in_id, invented, cause, amount + amount // 1000, amount)
        elif cause is Cause.AMOUNT_BELOW_MINIMUM:
            refuse(now, into, in_id, out.scid, cause, 500 + out.peer.terms[-1].base_fee_msat, 500)
        else:
            refuse(now, into, in_id, into.scid, cause, amount + amount // 1000, amount)


def _local_share(peer: Peer) -> float:
    return sum(c.local_msat for c in peer.channels) / sum(c.total_msat for c in peer.channels)


def _fullest(channels: list[Channel], *, remote: bool) -> Channel:
    return max(channels, key=lambda c: c.remote_msat if remote else c.local_msat)
