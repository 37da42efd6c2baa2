"""A small LND router to test against, in memory (`lnd_node`) and behind gRPC (`running_lnd`).

Alice sends; Bob has a large and a small channel; Carol's channel is private, zero-conf and known by its
alias.  We ask 1000 msat + 250 ppm towards everybody.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from lnflow.domain.channel import Policy
from lnflow.domain.scid import parse_scid
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import LndChannel, LndNode, LndPeer, LndServer, Personality

NOW_NS = 1_795_256_337_000_000_000  # 2026-11-21T10:18:57Z


def peer_key(name: str) -> str:
    """Return a public key that belongs to a name for ever."""
    return "03" + hashlib.sha256(name.encode()).hexdigest()


ALICE, BOB, CAROL = peer_key("alice"), peer_key("bob"), peer_key("carol")
ALICE_SCID = parse_scid("700000x1x0")
BOB_LARGE_SCID = parse_scid("700001x1x0")
BOB_SMALL_SCID = parse_scid("700002x1x0")
CAROL_ALIAS_SCID = parse_scid("16000000x0x4")  # beyond 63 bits, as every alias
CAROL_SCID = parse_scid("700003x1x0")

POLICY = Policy(
    base_fee_msat=1_000,
    fee_ppm=250,
    time_lock_delta=80,
    min_htlc_msat=1_000,
    max_htlc_msat=None,
    last_update_s=NOW_NS // 10**9,
)


def channel(name: str, scid: int, peer: str, *, capacity_sat: int, local_sat: int) -> LndChannel:
    """Return a public channel with our usual policy; its channel point belongs to `name`."""
    maximum = capacity_sat * 990
    ours = Policy(
        base_fee_msat=POLICY.base_fee_msat,
        fee_ppm=POLICY.fee_ppm,
        time_lock_delta=POLICY.time_lock_delta,
        min_htlc_msat=POLICY.min_htlc_msat,
        max_htlc_msat=maximum,
        last_update_s=POLICY.last_update_s,
    )
    return LndChannel(
        channel_point=f"{hashlib.sha256(name.encode()).hexdigest()}:0",
        scid=scid,
        peer=peer,
        capacity_sat=capacity_sat,
        local_msat=local_sat * 1000,
        policy=ours,
        peer_policy=ours,
    )


def lnd_node(personality: Personality = Personality.V0_21_2, *, network: str = "regtest") -> LndNode:
    """Return the small router of this module's docstring, everybody online."""
    node = LndNode(personality=personality, network=network, alias="router", latest_ns=NOW_NS)
    for key, alias in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")):
        node.add_peer(LndPeer(pubkey=key, alias=alias))
    alice = channel("alice", ALICE_SCID, ALICE, capacity_sat=16_000_000, local_sat=6_000_000)
    alice.initiator = False
    carol = channel("carol", CAROL_ALIAS_SCID, CAROL, capacity_sat=3_000_000, local_sat=2_500_000)
    carol.private = carol.zero_conf = True
    carol.alias_scids = (CAROL_ALIAS_SCID,)
    carol.confirmed_scid = CAROL_SCID
    for each in (
        alice,
        channel("bob large", BOB_LARGE_SCID, BOB, capacity_sat=5_000_000, local_sat=3_000_000),
        channel("bob small", BOB_SMALL_SCID, BOB, capacity_sat=2_000_000, local_sat=1_500_000),
        carol,
    ):
        node.add_channel(each, NOW_NS)
    return node


@asynccontextmanager
async def running_lnd(
    personality: Personality = Personality.V0_21_2,
    *,
    network: str = "regtest",
    node: LndNode | None = None,
    directory: Path | None = None,
    state: pb.WalletState = pb.SERVER_ACTIVE,
    clock_ns: Callable[[], int] = time.time_ns,
) -> AsyncIterator[LndServer]:
    """Serve the small router (or `node`) on a free port with a directory of its own.

    `lnd.directory.path` is its lnddir, `lnd.target` its address, `lnd.node` what happens.
    """
    with tempfile.TemporaryDirectory(prefix="lnflow-lnd-") as scratch:
        served = LndServer(
            node or lnd_node(personality, network=network),
            directory or Path(scratch),
            clock_ns=clock_ns,
            state=state,
        )
        async with served as lnd:
            yield lnd
