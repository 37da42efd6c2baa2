"""Payments around a routing node of ours, with the truth known.

Owns the payers, the liquidity behind and before us, our node's decisions in LND's order of checks, and the
answer to "what would it have earned, had this cause not stood in the way".  It is deterministic and does no
I/O; telling it over a wire is left to the servers beside it.
"""

from lnflow.simulation.world.recording import Happening, OwnHtlc, OwnKind, Recording, Snapshot
from lnflow.simulation.world.run import DEFAULT_START_NS, record
from lnflow.simulation.world.spec import WorldSpec
from lnflow.simulation.world.truth import Truth, TruthEstimate, expected_truth, truth

__all__ = [
    "DEFAULT_START_NS",
    "Happening",
    "OwnHtlc",
    "OwnKind",
    "Recording",
    "Snapshot",
    "Truth",
    "TruthEstimate",
    "WorldSpec",
    "expected_truth",
    "record",
    "truth",
]
