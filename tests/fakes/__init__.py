"""Wire-true servers for tests: a node on loopback that speaks the real protocol."""

from tests.fakes.lnd import (
    ALICE,
    ALICE_SCID,
    BOB,
    BOB_LARGE_SCID,
    BOB_SMALL_SCID,
    CAROL,
    CAROL_ALIAS_SCID,
    CAROL_SCID,
    NOW_NS,
    lnd_node,
    peer_key,
    running_lnd,
)

__all__ = [
    "ALICE",
    "ALICE_SCID",
    "BOB",
    "BOB_LARGE_SCID",
    "BOB_SMALL_SCID",
    "CAROL",
    "CAROL_ALIAS_SCID",
    "CAROL_SCID",
    "NOW_NS",
    "lnd_node",
    "peer_key",
    "running_lnd",
]
