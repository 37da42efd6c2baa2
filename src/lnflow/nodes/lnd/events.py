"""What is common to the two forms of LND's HtlcEvent (protobuf and JSON): refusals, and what is counted.

A refusal is where the fields mean something else from case to case, so one function reads it for both.
"""

from __future__ import annotations

from msgspec import Struct

from lnflow.domain.causes import Cause
from lnflow.domain.htlc import Refused
from lnflow.nodes.lnd.failures import HTLC_ADD_FAILED, UNKNOWN_NAME, classify

SEND = 1
RECEIVE = 2
FORWARD = 3

_UNRECOGNISED = Cause.UNRECOGNISED
_MOST_ASKED = 2  # x what came in: an honest sender with a stale price asks for some percent too much


class DecodeCounts(Struct):
    """What was met in a stream or a file and is no event of ours: running totals."""

    own_sends: int = 0
    own_receives: int = 0
    unrecognised: int = 0
    """Kinds of event and enum numbers that this version does not know; refusals among them are kept."""
    malformed: int = 0


def read_link_failure(
    counts: DecodeCounts,
    event_type: int,
    in_scid: int,
    in_htlc_id: int,
    at_ns: int,
    out_scid: int,
    wire: int,
    detail: int,
    amount_in_msat: int,
    amount_out_msat: int,
) -> Refused | None:
    """Return the refusal that a link_fail event tells of; None (and a count) if it was no forward.

    HTLC_ADD_FAILED is a refused forward whatever the type says: LND before 0.21.2 calls it RECEIVE.  It has
    no amounts, by construction, and before 0.21.2 no outgoing channel.

    `amount_out_msat` is what the sender wrote into the onion: anything up to 64 bits.  What nobody can mean
    counts as what was brought, or a few such onions would outweigh all that was ever sent.
    """
    if amount_out_msat > _MOST_ASKED * amount_in_msat:
        amount_out_msat = amount_in_msat
    if not in_scid or (event_type != FORWARD and detail != HTLC_ADD_FAILED):
        count_foreign(counts, event_type)
        return None
    cause = classify(wire, detail, out_scid, amount_out_msat)
    if cause is _UNRECOGNISED:
        counts.unrecognised += 1
    return Refused(
        in_scid,
        in_htlc_id,
        at_ns,
        out_scid,
        cause,
        amount_in_msat or None,
        amount_out_msat or None,
        0 if wire == UNKNOWN_NAME else wire,
        0 if detail == UNKNOWN_NAME else detail,
    )


def count_foreign(counts: DecodeCounts, event_type: int) -> None:
    """Count an event that is not about a forward."""
    if event_type == SEND:
        counts.own_sends += 1
    elif event_type == RECEIVE:
        counts.own_receives += 1
    else:
        counts.unrecognised += 1
