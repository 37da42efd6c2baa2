"""The fake router of the tests: the five nodes and channels of the recording, under a clock of the test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lnflow.simulation.lightningd.channel import Channel, Terms
from lnflow.simulation.lightningd.forwards import Row
from lnflow.simulation.lightningd.node import FakeNode
from lnflow.simulation.lightningd.personality import V26_06, Personality

START_NS = 1_795_261_099_000_000_123
SECOND_NS = 1_000_000_000


def pubkey(name: str) -> str:
    return "02" + hashlib.sha256(name.encode()).hexdigest()


def channel_id(name: str) -> str:
    return hashlib.sha256(b"channel " + name.encode()).hexdigest()


@dataclass
class TestClock:
    """Time under control: it moves only when told."""

    __test__ = False
    now: int = START_NS

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * SECOND_NS)


class Network:
    """Router B with A (in), C (two channels), D and E (unadvertised), as in the recording."""

    def __init__(self, personality: Personality = V26_06) -> None:
        self.clock = TestClock()
        self.node = FakeNode(personality, node_id=pubkey("B"), alias="B", clock=self.clock)
        self.node.aliases |= {pubkey(name): name for name in "ACDE"}
        self.ab = self._open("AB", "A", "453x1x0", sat=16_000_000, ours=4_000_000, terms=(1000, 100))
        self.bc1 = self._open("BC1", "C", "453x5x0", sat=5_000_000, ours=3_000_000, terms=(1000, 250))
        self.bc2 = self._open("BC2", "C", "453x4x0", sat=2_000_000, ours=1_500_000, terms=(1000, 250))
        self.bd = self._open("BD", "D", "453x3x0", sat=4_000_000, ours=1_500_000, terms=(500, 400))
        self.be = self._open("BE", "E", "453x6x0", sat=3_000_000, ours=3_000_000, terms=(1000, 1))
        self.be.private = True
        self.be.alias = "7891915x403705x18787"
        self.bd.peer_max_htlcs = 6

    def _open(self, name: str, peer: str, scid: str, *, sat: int, ours: int, terms: tuple[int, int]) -> Channel:
        reserve_msat = sat * 10
        number = len(self.node.channels)
        return self.node.add_channel(
            Channel(
                peer_id=pubkey(peer),
                channel_id=channel_id(name),
                scid=scid,
                alias=f"{5_000_000 + number}x1x1",
                remote_alias=f"{6_000_000 + number}x2x2",
                total_msat=sat * 1000,
                to_us_msat=ours * 1000,
                our_reserve_msat=reserve_msat,
                their_reserve_msat=reserve_msat,
                terms=Terms(
                    base_fee_msat=terms[0],
                    fee_ppm=terms[1],
                    htlc_min_msat=0,
                    htlc_max_msat=sat * 1000 - reserve_msat,
                ),
                peer_terms=Terms(
                    base_fee_msat=1000, fee_ppm=10, htlc_min_msat=0, htlc_max_msat=sat * 1000 - reserve_msat
                ),
                funding_txid=hashlib.sha256(b"tx " + name.encode()).hexdigest(),
            )
        )

    def offer(
        self,
        out: Channel | str,
        out_msat: int,
        *,
        in_channel: Channel | None = None,
        fee_msat: int | None = None,
        cltv_delta: int = 40,
        expiry_blocks: int = 100,
        payment_hash: str | None = None,
    ) -> Row:
        """An HTLC from A (or `in_channel`) at exactly the asked fee, 1 ms after the last thing."""
        self.clock.advance(0.001)
        name = out if isinstance(out, str) else (out.alias if out.private else out.name)
        channel = self.node.find_channel(name)
        if fee_msat is None:
            terms = (channel or self.bd).terms
            fee_msat = terms.base_fee_msat + out_msat * terms.fee_ppm // 1_000_000
        return self.node.forward(
            in_channel or self.ab,
            name,
            in_msat=out_msat + fee_msat,
            out_msat=out_msat,
            cltv_delta=cltv_delta,
            expiry_blocks=expiry_blocks,
            payment_hash=payment_hash,
        )

    def settled(self, out: Channel | str, out_msat: int, **how: int) -> Row:
        row = self.offer(out, out_msat, **how)  # type: ignore[arg-type]  # only fee_msat is passed here
        self.clock.advance(0.05)
        self.node.settle(row)
        return row

    def failed(self, out: Channel | str, out_msat: int) -> Row:
        row = self.offer(out, out_msat)
        self.clock.advance(0.05)
        self.node.fail(row)
        return row
