"""Prepared events of HTLCs that live and die, for load: what a busy router would send, as wire bytes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

from lnflow.domain.channel import Policy
from lnflow.domain.htlc import Forward
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import events
from lnflow.simulation.lnd_server.books import LndPeer
from lnflow.simulation.lnd_server.channels import LndChannel
from lnflow.simulation.lnd_server.forwarding import SETTLE_EVENT_DELAY_NS
from lnflow.simulation.lnd_server.node import LndNode
from lnflow.simulation.lnd_server.refusals import Refusal

_IN_FLIGHT = 40  # how many HTLCs overlap
_SETTLED, _DOWNSTREAM = 0.72, 0.14  # shares of the HTLCs; the rest we refuse
_REFUSALS = (
    Refusal.INSUFFICIENT_BALANCE,
    Refusal.INSUFFICIENT_BALANCE,
    Refusal.HTLC_EXCEEDS_MAX,
    Refusal.FEE_INSUFFICIENT,
    Refusal.UNKNOWN_NEXT_PEER,
    Refusal.HTLC_ADD_FAILED,
)


def busy_node(node: LndNode, *, channels: int, now_ns: int) -> LndNode:
    """Give the node this many channels, two with each peer, all of 10 M sat and half full."""
    policy = Policy(
        base_fee_msat=1_000,
        fee_ppm=250,
        time_lock_delta=80,
        min_htlc_msat=1_000,
        max_htlc_msat=9_900_000_000,
        last_update_s=now_ns // 10**9,
    )
    for number in range(channels):
        name = f"peer-{number // 2}"
        pubkey = "03" + hashlib.sha256(name.encode()).hexdigest()
        if pubkey not in node.peers:
            node.add_peer(LndPeer(pubkey=pubkey, alias=name))
        node.add_channel(
            LndChannel(
                channel_point=f"{hashlib.sha256(f'channel-{number}'.encode()).hexdigest()}:0",
                scid=(700_000 + number) << 40 | 1 << 16,
                peer=pubkey,
                capacity_sat=10_000_000,
                local_msat=5_000_000_000,
                policy=policy,
                peer_policy=policy,
            ),
            now_ns,
        )
    return node


def living_htlcs(
    node: LndNode, count: int, *, start_ns: int, spacing_ns: int = 1_000, seed: int = 0
) -> Iterator[bytes]:
    """Yield `count` events, `spacing_ns` apart, as bytes of HtlcEvent; settled forwards enter the history.

    Every HTLC is whole as LND tells it: forward, settle or fail, final; or link_fail, final.  Only the
    last ones may still be under way.
    """
    made = _lives(node, random.Random(seed))
    pending: list[Iterator[tuple[pb.HtlcEvent, Forward | None]]] = []
    chooser = random.Random(seed + 1)
    for number in range(count):
        while len(pending) < _IN_FLIGHT:
            pending.append(next(made))
        at_ns = start_ns + number * spacing_ns
        while (told := next(pending[place := chooser.randrange(len(pending))], None)) is None:
            pending[place] = next(made)
        event, row = told
        event.timestamp_ns = at_ns
        if row is not None:
            node.forwards.add(
                Forward(
                    in_scid=row.in_scid,
                    out_scid=row.out_scid,
                    at_ns=at_ns - SETTLE_EVENT_DELAY_NS,
                    amount_in_msat=row.amount_in_msat,
                    amount_out_msat=row.amount_out_msat,
                    in_htlc_id=row.in_htlc_id,
                    out_htlc_id=row.out_htlc_id,
                )
            )
        yield event.SerializeToString()


def _lives(node: LndNode, luck: random.Random) -> Iterator[Iterator[tuple[pb.HtlcEvent, Forward | None]]]:
    """Yield one HTLC after the other, each an iterator over its events (times are set later)."""
    channels = list(node.channels.values())
    while True:
        incoming, outgoing = luck.sample(channels, 2)
        amount_out_msat = int(luck.lognormvariate(18, 1.5)) + 1_000
        fee_msat = 1_000 + amount_out_msat * 250 // 1_000_000
        end = luck.random()
        key = (incoming.scid, incoming.next_in_id)
        incoming.next_in_id += 1
        info = events.htlc_info(800_120, 800_040, amount_out_msat + fee_msat, amount_out_msat)
        if end >= _SETTLED + _DOWNSTREAM:
            refused = events.link_fail(key, outgoing.scid, luck.choice(_REFUSALS), info, 0, node.personality)
            yield iter([(refused, None), (events.final(key, 0, settled=False), None)])
            continue
        out = (outgoing.scid, outgoing.next_out_id)
        outgoing.next_out_id += 1
        offered = events.forward(key, out, info, 0)
        if end >= _SETTLED:
            failed = events.forward_fail(key, out, 0)
            yield iter([(offered, None), (failed, None), (events.final(key, 0, settled=False), None)])
            continue
        row = Forward(
            in_scid=key[0],
            out_scid=out[0],
            at_ns=0,
            amount_in_msat=amount_out_msat + fee_msat,
            amount_out_msat=amount_out_msat,
            in_htlc_id=key[1],
            out_htlc_id=out[1],
        )
        settled = events.settle(key, out, luck.randbytes(32), 0)
        yield iter([(offered, None), (settled, row), (events.final(key, 0, settled=True), None)])
