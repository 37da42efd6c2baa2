"""The states of an LND that is starting (lnrpc.State).  255 is above 4, so states are never compared by size."""

from __future__ import annotations

from lnflow.nodes.lnd.wire import lnd_pb2 as pb

READY = int(pb.SERVER_ACTIVE)

SUBSCRIBABLE = frozenset({int(pb.RPC_ACTIVE), READY})
"""A subscription made at RPC_ACTIVE waits inside LND and misses nothing; other calls may hang then."""

STARTING = frozenset({int(pb.UNLOCKED), int(pb.RPC_ACTIVE)})
"""Ready by themselves within seconds; the other states wait for the operator (or pass within moments)."""

_PROBLEMS: dict[int, str] = {
    pb.NON_EXISTING: "has no wallet yet: run `lncli create`",
    pb.LOCKED: "is locked: run `lncli unlock`",
    pb.UNLOCKED: "is starting: its wallet is unlocked, its RPC server is not up yet",
    pb.RPC_ACTIVE: "is starting: its server is not active yet",
    pb.WAITING_TO_START: "waits to start: it is the stand-by of a cluster, or still initialising",
}


def state_problem(state: int) -> str:
    """Return what the state says of a node that should be ready, to follow the node's name."""
    return _PROBLEMS.get(state, f"is in state {state}, which this version of lnflow does not know")
