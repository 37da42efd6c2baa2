"""What our node has: peers with their terms over time, channels with their money, HTLCs in flight."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from lnflow.domain.causes import Problem
from lnflow.simulation.world.spec import (
    COMMIT_FEE_SAT,
    MSAT_PER_SAT,
    ChannelSpec,
    PeerSpec,
    default_max_htlc_msat,
    spendable_sat,
)

_LONG_AGO_NS = -(1 << 62)
_FIRST_BLOCK = 880_000


class Terms(NamedTuple):
    """What we ask at a peer's channels from `at_ns` on; `max_htlc_msat` None means each channel's default."""

    at_ns: int
    base_fee_msat: int
    fee_ppm: int
    inbound_base_fee_msat: int
    inbound_fee_ppm: int
    max_htlc_msat: int | None


class Peer:
    """A peer, its channels, whether it is connected, and our terms over time (the last are in force)."""

    __slots__ = (
        "away_since_ns",
        "back_ns",
        "channels",
        "index",
        "lifted",
        "online",
        "pool_at_ns",
        "pool_msat",
        "pubkey",
        "ready_ns",
        "spec",
        "terms",
    )

    def __init__(self, index: int, spec: PeerSpec, world: str) -> None:
        self.index = index
        self.spec = spec
        self.pubkey = "02" + sha256(f"{world}/{index}/{spec.alias}".encode()).hexdigest()
        self.channels: list[Channel] = []
        self.terms = [
            Terms(
                _LONG_AGO_NS,
                spec.base_fee_msat,
                spec.fee_ppm,
                spec.inbound_base_fee_msat,
                spec.inbound_fee_ppm,
                None if spec.max_htlc_sat is None else spec.max_htlc_sat * MSAT_PER_SAT,
            )
        ]
        self.online = True
        self.away_since_ns = 0
        self.back_ns = 0
        self.ready_ns = _LONG_AGO_NS
        self.lifted: Problem | None = None
        self.pool_msat = (spec.pool_sat or 0) * MSAT_PER_SAT
        self.pool_at_ns = _LONG_AGO_NS


class Channel:
    """One channel's money.  `local + remote + unsettled` is constant and neither side is ever negative."""

    __slots__ = (
        "capacity_sat",
        "default_max_msat",
        "initiator",
        "local_floor_msat",
        "local_msat",
        "next_in_id",
        "next_out_id",
        "out_count",
        "peer",
        "point",
        "remote_floor_msat",
        "remote_msat",
        "scid",
        "slots",
        "total_msat",
        "unsettled_msat",
    )

    def __init__(self, number: int, spec: ChannelSpec, peer: Peer) -> None:
        self.peer = peer
        self.capacity_sat = spec.capacity_sat
        self.scid = (_FIRST_BLOCK + 137 * number) << 40 | (1 + number * 7 % 900) << 16 | number % 2
        self.point = f"{sha256(f'{peer.pubkey}/{number}'.encode()).hexdigest()}:{number % 2}"
        self.total_msat = spendable_sat(spec) * MSAT_PER_SAT
        self.local_msat = int(spendable_sat(spec) * spec.local_share) * MSAT_PER_SAT
        self.remote_msat = self.total_msat - self.local_msat
        self.unsettled_msat = 0
        reserve = spec.capacity_sat // 100 * MSAT_PER_SAT
        fee_buffer = COMMIT_FEE_SAT * MSAT_PER_SAT
        self.initiator = spec.initiator
        self.local_floor_msat = reserve + (fee_buffer if spec.initiator else 0)
        self.remote_floor_msat = reserve + (0 if spec.initiator else fee_buffer)
        self.default_max_msat = default_max_htlc_msat(spec.capacity_sat)
        self.slots = spec.slots
        self.out_count = 0
        self.next_in_id = 0
        self.next_out_id = 0

    def max_htlc_msat(self, terms: Terms) -> int:
        return self.default_max_msat if terms.max_htlc_msat is None else terms.max_htlc_msat


class Htlc:
    """An HTLC that we passed on; `borrowed` ones leave by capacity that we do not have (size lifted)."""

    __slots__ = (
        "amount_in_msat",
        "amount_out_msat",
        "borrowed",
        "in_channel",
        "in_id",
        "out_channel",
        "out_id",
    )

    def __init__(
        self, in_channel: Channel, in_id: int, out_channel: Channel, amount_in_msat: int, amount_out_msat: int
    ) -> None:
        self.in_channel = in_channel
        self.in_id = in_id
        self.out_channel = out_channel
        self.out_id = out_channel.next_out_id
        self.amount_in_msat = amount_in_msat
        self.amount_out_msat = amount_out_msat
        self.borrowed = False
