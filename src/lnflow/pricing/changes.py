"""From the terms we want to the values we would write: deltas, inbound level, bounds, constraints, in order."""

from __future__ import annotations

from msgspec import Struct, structs

from lnflow.domain.channel import Policy
from lnflow.domain.lacks import Lacks
from lnflow.pricing.facts import ChannelFacts, NodeFacts
from lnflow.pricing.strategies.terms import Properties, Terms

MOST_PPM = 2**32 - 1
MOST_INBOUND = 2**31 - 1
MOST_TIME_LOCK = 65_535
MOST_HTLC_MSAT = 2**63 - 1


class PolicyValues(Struct, frozen=True, kw_only=True, gc=False):
    """What a policy update writes: the seven values, always all of them."""

    base_fee_msat: int
    fee_ppm: int
    inbound_base_fee_msat: int
    inbound_fee_ppm: int
    min_htlc_msat: int
    max_htlc_msat: int | None
    time_lock_delta: int


class Deltas(Struct, frozen=True, kw_only=True):
    """The smallest moves worth writing, from `min_fee_ppm_delta` and `min_inbound_fee_ppm_delta`."""

    outbound_ppm: int
    inbound_ppm: int


class Bounds(Struct, frozen=True, kw_only=True):
    """What the section allows; None: not written."""

    min_fee_ppm: int | None = None
    max_fee_ppm: int | None = None
    min_inbound_fee_ppm: int | None = None
    max_inbound_fee_ppm: int | None = None


def values_of(policy: Policy) -> PolicyValues:
    return PolicyValues(
        base_fee_msat=policy.base_fee_msat,
        fee_ppm=policy.fee_ppm,
        inbound_base_fee_msat=policy.inbound_base_fee_msat,
        inbound_fee_ppm=policy.inbound_fee_ppm,
        min_htlc_msat=policy.min_htlc_msat,
        max_htlc_msat=policy.max_htlc_msat,
        time_lock_delta=policy.time_lock_delta,
    )


def read_deltas(properties: Properties, terms: Terms) -> Deltas:
    """Return the deltas; `proportional` and `onchain_fee` bring one of their own where the file has none."""
    outbound = properties.integer("min_fee_ppm_delta")
    if terms.least_delta_ppm is not None and (outbound is None or outbound < 0):
        outbound = terms.least_delta_ppm
    inbound = properties.integer("min_inbound_fee_ppm_delta")
    outbound = outbound or 0
    return Deltas(outbound_ppm=outbound, inbound_ppm=outbound if inbound is None else inbound)


def read_bounds(properties: Properties, *, lnflow: bool) -> Bounds:
    """Return the bounds.  In a charge-lnd file min/max_fee_ppm are `proportional`'s ends and nothing else."""
    return Bounds(
        min_fee_ppm=properties.integer("min_fee_ppm") if lnflow else None,
        max_fee_ppm=properties.integer("max_fee_ppm") if lnflow else None,
        min_inbound_fee_ppm=properties.integer("min_inbound_fee_ppm"),
        max_inbound_fee_ppm=properties.integer("max_inbound_fee_ppm"),
    )


def clamp(value: int, lowest: int | None, highest: int | None) -> int:
    """Return the value within the bounds; where they contradict each other the lowest wins.

    >>> clamp(7, None, 5), clamp(7, 9, None), clamp(7, 9, 5)
    (5, 9, 9)
    """
    if highest is not None and value > highest:
        value = highest
    return lowest if lowest is not None and value < lowest else value


def bounded_terms(terms: Terms, bounds: Bounds) -> Terms:
    """Return the terms with the outbound price within its bounds."""
    if terms.fee_ppm is None:
        return terms
    return structs.replace(terms, fee_ppm=clamp(terms.fee_ppm, bounds.min_fee_ppm, bounds.max_fee_ppm))


def possible_terms(
    terms: Terms, old: PolicyValues, lacks: Lacks, deltas: Deltas, bounds: Bounds
) -> tuple[Terms, list[str]]:
    """Return the terms without what the node cannot set, and what of it was asked for, each with the reason."""
    unmet = []
    if lacks.inbound_fees is not None:
        outbound_ppm = old.fee_ppm if terms.fee_ppm is None else terms.fee_ppm
        base, ppm = _inbound(terms, old, outbound_ppm, deltas, bounds)
        asked = [f"inbound_fee_ppm = {ppm}"] if ppm != old.inbound_fee_ppm else []
        asked += [f"inbound_base_fee_msat = {base}"] if base != old.inbound_base_fee_msat else []
        if asked:
            unmet.append(f"{' and '.join(asked)} not set: {lacks.inbound_fees}")
        terms = structs.replace(terms, inbound_fee_ppm=None, inbound_base_fee_msat=None, inbound_level_ppm=None)
    if lacks.time_lock_delta is not None:
        if terms.time_lock_delta not in (None, old.time_lock_delta):
            unmet.append(f"time_lock_delta = {terms.time_lock_delta} not set: {lacks.time_lock_delta}")
        terms = structs.replace(terms, time_lock_delta=None)
    if lacks.disabling is not None:
        if terms.disabled:
            unmet.append(f"not disabled: {lacks.disabling}")
        terms = structs.replace(terms, disabled=None)
    return terms, unmet


def new_values(
    terms: Terms,
    old: PolicyValues,
    channel: ChannelFacts,
    node: NodeFacts,
    deltas: Deltas,
    bounds: Bounds,
    *,
    strict: bool,
) -> PolicyValues:
    """Return what would be written; equal to `old` if nothing is worth a write.

    A price that moves less than its delta stays, also when something else is written; `strict` lets it ride
    along, as charge-lnd does.  The terms are `possible_terms`.
    """
    wanted_ppm = old.fee_ppm if terms.fee_ppm is None else terms.fee_ppm
    moves = wanted_ppm != old.fee_ppm and abs(wanted_ppm - old.fee_ppm) >= deltas.outbound_ppm
    inbound_base, inbound_ppm = _inbound(terms, old, wanted_ppm if moves else old.fee_ppm, deltas, bounds)
    new = PolicyValues(
        base_fee_msat=old.base_fee_msat if terms.base_fee_msat is None else terms.base_fee_msat,
        fee_ppm=wanted_ppm if moves else old.fee_ppm,
        inbound_base_fee_msat=inbound_base,
        inbound_fee_ppm=inbound_ppm,
        min_htlc_msat=_least_htlc(terms, old, channel),
        max_htlc_msat=_largest_htlc(terms, old, channel),
        time_lock_delta=old.time_lock_delta if terms.time_lock_delta is None else terms.time_lock_delta,
    )
    if new == old:
        return old
    if strict:
        new = structs.replace(new, fee_ppm=wanted_ppm)
    if new.time_lock_delta < node.min_time_lock_delta:
        new = structs.replace(new, time_lock_delta=node.min_time_lock_delta)
    return new


def invalid(values: PolicyValues, old: PolicyValues) -> str | None:
    """Return why no node can hold what differs from `old`, None if one can."""
    ranges = (
        ("base_fee_msat", values.base_fee_msat, 0, MOST_PPM),
        ("fee_ppm", values.fee_ppm, 0, MOST_PPM),
        ("inbound_base_fee_msat", values.inbound_base_fee_msat, -MOST_INBOUND - 1, MOST_INBOUND),
        ("inbound_fee_ppm", values.inbound_fee_ppm, -MOST_INBOUND - 1, MOST_INBOUND),
        ("time_lock_delta", values.time_lock_delta, 1, MOST_TIME_LOCK),
        ("min_htlc_msat", values.min_htlc_msat, 0, MOST_HTLC_MSAT),
        ("max_htlc_msat", values.max_htlc_msat or 0, 0, MOST_HTLC_MSAT),
    )
    for name, value, lowest, highest in ranges:
        if value != (getattr(old, name) or 0) and not lowest <= value <= highest:
            return f"{name} = {value} must be between {lowest} and {highest}"
    if values.max_htlc_msat is not None and values.max_htlc_msat < values.min_htlc_msat:
        return f"max_htlc_msat = {values.max_htlc_msat} must be at least min_htlc_msat = {values.min_htlc_msat}"
    return None


def _inbound(terms: Terms, old: PolicyValues, outbound_ppm: int, deltas: Deltas, bounds: Bounds) -> tuple[int, int]:
    base = old.inbound_base_fee_msat
    if terms.inbound_base_fee_msat is not None:
        base = terms.inbound_base_fee_msat
    wanted = terms.inbound_fee_ppm
    if terms.inbound_level_ppm is not None:
        wanted = min(0, terms.inbound_level_ppm - outbound_ppm)
    if wanted is None:
        return base, old.inbound_fee_ppm
    wanted = clamp(wanted, bounds.min_inbound_fee_ppm, bounds.max_inbound_fee_ppm)
    small = abs(wanted - old.inbound_fee_ppm) < deltas.inbound_ppm
    if small and base == old.inbound_base_fee_msat and wanted != 0:
        wanted = old.inbound_fee_ppm
    return base, wanted


def _least_htlc(terms: Terms, old: PolicyValues, channel: ChannelFacts) -> int:
    if terms.min_htlc_msat is None:
        return old.min_htlc_msat
    return clamp(terms.min_htlc_msat, channel.min_htlc_msat, None)


def _largest_htlc(terms: Terms, old: PolicyValues, channel: ChannelFacts) -> int | None:
    if terms.max_htlc_msat is None:
        return old.max_htlc_msat
    return clamp(terms.max_htlc_msat, None, channel.max_pending_msat)
