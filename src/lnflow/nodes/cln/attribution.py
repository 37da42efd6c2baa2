"""Why the node refused an HTLC: a verdict with confidence and evidence.

Most failcodes tell.  4103 means any of six things; what we saw of the channel around that instant tells them
apart, in the order in which the node checks.  What cannot be told is said to be unknown.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.htlc import Attempt
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.cln.failcodes import FailCode, cause_of_failcode
from lnflow.nodes.cln.history import ChannelHistory, NodeHistory, Snapshot, Terms, can_forward
from lnflow.nodes.cln.rows import attempt_of, outcome_of
from lnflow.nodes.cln.wire import ForwardRow, msat, optional_msat, time_ns


class Verdict(IntEnum):
    """What happened.  `text` uses the words of the recordings' truth where there is one."""

    UNKNOWN = 0
    NOT_REFUSED = 1
    DOWNSTREAM = 2
    DOWNSTREAM_MALFORMED = 3
    INSUFFICIENT_BALANCE = 4
    PEER_OFFLINE = 5
    HTLC_EXCEEDS_MAX = 6
    HTLC_BELOW_MIN = 7
    SLOTS_FULL = 8
    DUST_EXPOSURE = 9
    IN_FLIGHT_CAP = 10
    BELOW_PEER_MINIMUM = 11
    FEE_INSUFFICIENT = 12
    INCORRECT_CLTV_EXPIRY = 13
    EXPIRY_TOO_SOON = 14
    EXPIRY_TOO_FAR = 15
    UNKNOWN_NEXT_PEER = 16
    CHANNEL_CLOSING = 17
    INVALID_ONION = 18
    DUST_EXPOSURE_INCOMING = 19
    INCOMING_CLOSING = 20
    ONCHAIN_TIMEOUT = 21
    NODE_FAILURE = 22

    @property
    def text(self) -> str:
        return self.name.lower()


_CAUSES = {
    Verdict.INSUFFICIENT_BALANCE: Cause.INSUFFICIENT_BALANCE,
    Verdict.PEER_OFFLINE: Cause.LINK_NOT_ELIGIBLE,
    Verdict.HTLC_EXCEEDS_MAX: Cause.HTLC_EXCEEDS_MAX,
    Verdict.HTLC_BELOW_MIN: Cause.AMOUNT_BELOW_MINIMUM,
    Verdict.SLOTS_FULL: Cause.HTLC_ADD_FAILED,
    Verdict.DUST_EXPOSURE: Cause.NO_DETAIL,
}

_BY_CODE: dict[int, Verdict] = {
    FailCode.AMOUNT_BELOW_MINIMUM: Verdict.BELOW_PEER_MINIMUM,
    FailCode.FEE_INSUFFICIENT: Verdict.FEE_INSUFFICIENT,
    FailCode.INCORRECT_CLTV_EXPIRY: Verdict.INCORRECT_CLTV_EXPIRY,
    FailCode.EXPIRY_TOO_SOON: Verdict.EXPIRY_TOO_SOON,
    FailCode.EXPIRY_TOO_FAR: Verdict.EXPIRY_TOO_FAR,
    FailCode.REQUIRED_NODE_FEATURE_MISSING: Verdict.IN_FLIGHT_CAP,
    FailCode.INVALID_ONION_VERSION: Verdict.INVALID_ONION,
    FailCode.INVALID_ONION_HMAC: Verdict.INVALID_ONION,
    FailCode.INVALID_ONION_KEY: Verdict.INVALID_ONION,
    FailCode.INVALID_ONION_BLINDING: Verdict.INVALID_ONION,
    FailCode.INVALID_ONION_PAYLOAD: Verdict.INVALID_ONION,
}

_GONE = frozenset({"FUNDING_SPEND_SEEN", "ONCHAIN", "CLOSED"})
_BY_NAME = {v.text: v for v in Verdict if v is not Verdict.UNKNOWN}

FRESH_NS = 60 * SECOND_NS
"""How old a snapshot may be and still speak for an instant."""
_LOSS_NOTICED_NS = 30 * SECOND_NS  # a peer may be dead for a while before we notice
_POLLED = 0.85  # by listings alone: something may have come and gone between two of them
_SEEN_ONCE = 0.6
_FEE_DRIFT_MSAT = 100_000  # spendable moves by a few sat with the commitment's fee rate


class FeeRange(Struct, frozen=True, gc=False):
    """What the HTLC would have paid us, msat."""

    low_msat: int
    likely_msat: int
    high_msat: int


class Attribution(Struct, frozen=True, kw_only=True):
    """Why; `amount_out_msat` and `fee` are None where nothing tells them."""

    verdict: Verdict
    confidence: float
    evidence: tuple[str, ...]
    cause: Cause
    amount_out_msat: int | None = None
    fee: FeeRange | None = None


class _Finding(Struct, frozen=True):
    verdict: Verdict
    confidence: float
    evidence: tuple[str, ...]


def attribute(row: ForwardRow, history: NodeHistory) -> Attribution:
    """Return why this row ended as it did."""
    at_ns = time_ns(row.received_time)
    out = None if row.out_channel is None else history.channel(row.out_channel)
    known_terms = None if out is None else out.terms(at_ns)
    amount, fee = _amounts(row, out, history, at_ns)
    outcome = outcome_of(row)
    if outcome is not Outcome.REFUSED:
        found = _not_refused(row, outcome)
    elif row.failure_reason and (told := _BY_NAME.get(_word(row.failure_reason))):
        found = _Finding(told, 0.99, (f"the node says {row.failure_reason!r}",))
    elif row.failcode == FailCode.TEMPORARY_CHANNEL_FAILURE:
        found = _temporary_channel_failure(row, out, history, at_ns)
    else:
        found = _by_code(row, out, history, at_ns)
    evidence = found.evidence
    if amount is not None and row.out_msat is None and known_terms is not None:
        t = known_terms.terms
        evidence += (f"{amount} msat out, if paid exactly {t.base_fee_msat} msat + {t.fee_ppm} ppm",)
    return Attribution(
        verdict=found.verdict,
        confidence=found.confidence,
        evidence=evidence,
        cause=_cause(row, outcome, found.verdict),
        amount_out_msat=amount,
        fee=fee,
    )


def judged(row: ForwardRow, history: NodeHistory) -> tuple[Attempt, float]:
    """Return the attempt with the cause we found and how sure it is, 0-1.

    A refusal also gets the amount that should have left; what was not refused needs no cause.
    """
    if row.status != "local_failed":
        return attempt_of(row), 1.0
    found = attribute(row, history)
    return attempt_of(row, found.cause, found.amount_out_msat), found.confidence


def _cause(row: ForwardRow, outcome: Outcome, verdict: Verdict) -> Cause:
    if outcome is not Outcome.REFUSED:
        return Cause.NONE
    if row.failcode == FailCode.TEMPORARY_CHANNEL_FAILURE:
        return _CAUSES.get(verdict, Cause.UNATTRIBUTED)
    return cause_of_failcode(row.failcode)


def _word(reason: str) -> str:
    return reason.strip().lower().replace(" ", "_").replace("-", "_")


def _not_refused(row: ForwardRow, outcome: Outcome) -> _Finding:
    if outcome is Outcome.DOWNSTREAM and row.status == "local_failed":
        return _Finding(Verdict.ONCHAIN_TIMEOUT, 0.99, ("sent on, then the outgoing channel went on-chain",))
    if outcome is Outcome.DOWNSTREAM and row.failcode is not None:
        return _Finding(
            Verdict.DOWNSTREAM_MALFORMED, 0.99, (f"the next peer could not read its onion ({row.failcode})",)
        )
    if outcome is Outcome.DOWNSTREAM:
        return _Finding(Verdict.DOWNSTREAM, 0.99, ("a later hop failed it",))
    return _Finding(Verdict.NOT_REFUSED, 1.0, ())


def _by_code(row: ForwardRow, out: ChannelHistory | None, history: NodeHistory, at_ns: int) -> _Finding:
    """The codes that mean one thing, and those that need a look at one channel."""
    code = row.failcode
    if code == FailCode.UNKNOWN_NEXT_PEER:
        return _unknown_next_peer(row, out, history, at_ns)
    if code == FailCode.TEMPORARY_NODE_FAILURE:
        incoming = history.channel(row.in_channel)
        snapshot = None if incoming is None else incoming.snapshots.before(at_ns)
        limit = None if snapshot is None else snapshot.dust_limit_msat
        if limit is not None and msat(row.in_msat) < limit:
            return _Finding(
                Verdict.DUST_EXPOSURE_INCOMING,
                0.85,
                (f"{msat(row.in_msat)} msat came in, dust below {limit} msat",),
            )
        return _Finding(Verdict.NODE_FAILURE, 0.5, ("8194: dust coming in, or a failure inside the node",))
    if code == FailCode.PERMANENT_CHANNEL_FAILURE:
        return _Finding(Verdict.INCOMING_CLOSING, 0.8, ("16392 without an outgoing channel",))
    verdict = None if code is None else _BY_CODE.get(code)
    if verdict is None:
        return _Finding(Verdict.UNKNOWN, 0.0, (f"failcode {code} is not one that we know",))
    return _Finding(verdict, 0.99, (f"failcode {code} has one meaning",))


def _unknown_next_peer(row: ForwardRow, out: ChannelHistory | None, history: NodeHistory, at_ns: int) -> _Finding:
    if out is None:
        listed = history.listed_since_ns is not None and history.listed_since_ns <= at_ns
        return _Finding(
            Verdict.UNKNOWN_NEXT_PEER,
            0.95 if listed else 0.6,
            (f"{row.out_channel} is no channel that we ever saw here",),
        )
    state = out.state(at_ns)
    if out.private and row.out_channel in out.real_scids and can_forward(state) is not False:
        return _Finding(
            Verdict.UNKNOWN_NEXT_PEER,
            0.9,
            (f"{row.out_channel} is our unannounced channel, known to senders by its alias only",),
        )
    if state in _GONE:
        return _Finding(Verdict.UNKNOWN_NEXT_PEER, 0.9, (f"{row.out_channel} was closed ({state})",))
    if can_forward(state) is False:
        return _Finding(Verdict.CHANNEL_CLOSING, 0.9, (f"{row.out_channel} was {state}",))
    return _Finding(
        Verdict.CHANNEL_CLOSING, 0.6, (f"{row.out_channel} is ours; it was last seen as {state or 'nothing'}",)
    )


def _temporary_channel_failure(
    row: ForwardRow, out: ChannelHistory | None, history: NodeHistory, at_ns: int
) -> _Finding:
    """The six causes of 4103, in the node's order; the first that the facts prove, else the likeliest."""
    if out is None:
        return _Finding(Verdict.UNKNOWN, 0.0, (f"{row.out_channel} was not seen around that time",))
    before, after = _around(out, at_ns)
    terms = out.terms(at_ns)
    if terms is None or (before is None and after is None):
        return _Finding(Verdict.UNKNOWN, 0.0, (f"no listing of {row.out_channel} around that time",))
    accepted = [terms.terms]
    if (older := out.older_terms(at_ns, history.restarts)) is not None:
        accepted.append(older)
    amount = terms.terms.amount_out_msat(msat(row.in_msat))
    sure = _SEEN_ONCE if not out.terms_sure(at_ns) else 0.95 if terms.logged else _POLLED
    slots = _slots(out, at_ns, before or after)
    ceiling = _balance_ceiling(out, history, at_ns, amount, accepted, slots)
    return (
        _limits(amount, accepted, before or after, sure)
        or _offline(out, history, at_ns, before, after)
        or (slots if slots is not None and slots.confidence > _POLLED else None)
        or _balance(out, at_ns, amount, before, after, ceiling)
        or _dust(out, history, at_ns, amount, before or after)
        or slots
        or _late_loss(out, history, at_ns)
        or _Finding(Verdict.UNKNOWN, 0.0, ("connected, within limits, enough balance and free slots by all we saw",))
    )


def _balance_ceiling(
    out: ChannelHistory,
    history: NodeHistory,
    at_ns: int,
    amount: int,
    accepted: list[Terms],
    slots: _Finding | None,
) -> float:
    """How sure a lack of balance can be, where a cause that the node checks first cannot be excluded."""
    if slots is not None:
        return 0.75
    if history.connected(out.peer_id, at_ns) is None:
        return _POLLED
    above_max = all(t.htlc_max_msat is not None and amount > t.htlc_max_msat for t in accepted)
    return 0.9 if above_max else 0.95


def _around(out: ChannelHistory, at_ns: int) -> tuple[Snapshot | None, Snapshot | None]:
    """The snapshots before and after that are near enough to speak for the instant."""
    before, after = out.snapshots.before(at_ns), out.snapshots.after(at_ns)
    if before is not None and at_ns - before.at_ns > FRESH_NS:
        before = None
    if after is not None and after.at_ns - at_ns > FRESH_NS:
        after = None
    return before, after


def _limits(amount: int, accepted: list[Terms], snapshot: Snapshot | None, confidence: float) -> _Finding | None:
    """`amount` is an upper bound: what is below the minimum is so for certain.

    An htlcmax at what the channel can hold at all is no limit that could be raised: there the balance speaks.
    """
    maxima = [t.htlc_max_msat for t in accepted if t.htlc_max_msat is not None]
    possible = None if snapshot is None else snapshot.possible_msat
    if len(maxima) == len(accepted) and amount > max(maxima) and max(maxima) < (possible or 1 << 64):
        close = amount * 99 < max(maxima) * 100  # within 1 %: an overpaying sender may have stayed below
        return _Finding(
            Verdict.HTLC_EXCEEDS_MAX,
            min(confidence, 0.7) if close else confidence,
            (f"{amount} msat is above our htlcmax {max(maxima)} msat",),
        )
    minimum = min(t.htlc_min_msat for t in accepted)
    if amount < minimum:
        return _Finding(Verdict.HTLC_BELOW_MIN, confidence, (f"{amount} msat is below our htlcmin {minimum} msat",))
    return None


def _offline(
    out: ChannelHistory,
    history: NodeHistory,
    at_ns: int,
    before: Snapshot | None,
    after: Snapshot | None,
) -> _Finding | None:
    connected = history.connected(out.peer_id, at_ns)
    if connected is False:
        return _Finding(Verdict.PEER_OFFLINE, 0.97, ("the peer had disconnected and not come back",))
    gone = [s for s in (before, after) if s is not None and not s.usable]
    if connected is None and before is not None and before in gone:
        both = after is None or after in gone
        return _Finding(Verdict.PEER_OFFLINE, 0.9 if both else 0.7, ("the listing before shows the peer away",))
    came_ns = history.last_change_ns(out.peer_id, at_ns)
    if before is not None and before in gone and (came_ns is None or before.at_ns >= came_ns):
        return _Finding(Verdict.PEER_OFFLINE, 0.8, ("connected, but the channel was not re-established",))
    return None


def _balance(
    out: ChannelHistory, at_ns: int, amount: int, before: Snapshot | None, after: Snapshot | None, ceiling: float
) -> _Finding | None:
    views = [
        spendable for s in (before, after) if s is not None and (spendable := out.spendable_msat(at_ns, s)) is not None
    ]
    if not views or amount <= min(views) - _FEE_DRIFT_MSAT:
        return None
    seen = " and ".join(f"{max(0, v)} msat" for v in views)
    if amount > max(views) + _FEE_DRIFT_MSAT:
        return _Finding(
            Verdict.INSUFFICIENT_BALANCE,
            min(ceiling, 0.95 if len(views) == 2 else 0.85),
            (f"{amount} msat asked, spendable {seen} by the listings around",),
        )
    return _Finding(Verdict.INSUFFICIENT_BALANCE, 0.6, (f"{amount} msat asked, spendable about {seen}: near the edge",))


def _dust(
    out: ChannelHistory, history: NodeHistory, at_ns: int, amount: int, snapshot: Snapshot | None
) -> _Finding | None:
    limit = None if snapshot is None else snapshot.dust_limit_msat
    if limit is None or amount >= limit:
        return None
    dust = sum(f.amount_out_msat for f in out.in_flight(at_ns) if f.amount_out_msat < limit)
    if history.max_dust_msat is None:
        return _Finding(
            Verdict.DUST_EXPOSURE,
            0.7 if dust else 0.4,
            (f"{amount} msat is dust (below {limit} msat), {dust} msat of dust were in flight",),
        )
    if dust + amount > history.max_dust_msat:
        return _Finding(
            Verdict.DUST_EXPOSURE,
            0.95,
            (f"{dust} + {amount} msat of dust are above our {history.max_dust_msat} msat",),
        )
    return None


def _slots(out: ChannelHistory, at_ns: int, snapshot: Snapshot | None) -> _Finding | None:
    """The peer's limit is not shown: as many in flight as ever passed, and no other reason, speak for it."""
    forwards = len(out.in_flight(at_ns))
    own = 0 if snapshot is None else snapshot.out_htlcs - len(out.in_flight(snapshot.at_ns))
    count = forwards + max(0, own)
    ours = None if snapshot is None else snapshot.max_htlcs
    if ours is not None and count >= ours:
        return _Finding(Verdict.SLOTS_FULL, 0.95, (f"{count} HTLCs in flight, our own limit is {ours}",))
    if count >= 2 and count >= out.most_in_flight:
        return _Finding(
            Verdict.SLOTS_FULL,
            0.7,
            (f"{count} HTLCs in flight, the most that ever passed; balance, limits and peer were fine",),
        )
    return None


def _late_loss(out: ChannelHistory, history: NodeHistory, at_ns: int) -> _Finding | None:
    lost_ns = history.next_loss_ns(out.peer_id, at_ns)
    if lost_ns is None or lost_ns - at_ns > _LOSS_NOTICED_NS:
        return None
    seconds = (lost_ns - at_ns) / SECOND_NS
    return _Finding(Verdict.PEER_OFFLINE, 0.5, (f"the peer was lost {seconds:.1f} s later",))


def _amounts(
    row: ForwardRow, out: ChannelHistory | None, history: NodeHistory, at_ns: int
) -> tuple[int | None, FeeRange | None]:
    """What left or should have left, and the fee.  A refusal for its fee offered less than we asked."""
    in_msat, out_msat = msat(row.in_msat), optional_msat(row.out_msat)
    if out_msat is not None:
        fee = in_msat - out_msat
        return out_msat, FeeRange(fee, fee, fee)
    terms = None if out is None else out.terms(at_ns)
    if out is None or terms is None:
        return None, None
    amount = terms.terms.amount_out_msat(in_msat)
    asked = in_msat - amount
    if row.failcode != FailCode.FEE_INSUFFICIENT:
        return amount, FeeRange(asked, asked, asked)
    older = _cheaper_before(out, at_ns, terms.terms)
    if older is None:
        return None, None  # less than we ask, nobody knows how much less
    likely = in_msat - older.amount_out_msat(in_msat)
    return in_msat - likely, FeeRange(0, likely, asked)


def _cheaper_before(out: ChannelHistory, at_ns: int, now: Terms) -> Terms | None:
    """The latest earlier terms under which less was asked: what the sender most likely went by."""
    for change in reversed(out.policies.until(at_ns)):
        t = change.terms
        cheaper = (t.base_fee_msat, t.fee_ppm) != (now.base_fee_msat, now.fee_ppm)
        if cheaper and t.base_fee_msat <= now.base_fee_msat and t.fee_ppm <= now.fee_ppm:
            return t
    return None
