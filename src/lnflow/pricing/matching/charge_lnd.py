"""charge-lnd's criteria: `chan.…`, `node.…`, `onchain.…`, with its published semantics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lnflow.domain.channel import Policy
from lnflow.domain.scid import parse_scid
from lnflow.pricing.dialect import values
from lnflow.pricing.dialect.ini import Entry
from lnflow.pricing.facts import Balance, ChannelFacts, Flow, NodeFacts, Unknown
from lnflow.pricing.matching.context import Context
from lnflow.pricing.matching.criteria import (
    NOTHING_NEEDED,
    Compiled,
    Criterion,
    Look,
    Needs,
    at_least,
    at_most,
    equals,
)
from lnflow.pricing.matching.lists import read_list
from lnflow.pricing.problems import Problem, Severity

BLOCK_S = 600
PERIOD = "chan.activity_period"
INVERTED = "chan.activity_period_ignore_channel_age"
REQUIRES_AGE = "chan.activity_period_requires_age"
CONF_TARGET = "onchain.conf_target"
DEFAULT_CONF_TARGET, LEAST_CONF_TARGET, MOST_CONF_TARGET = 6, 2, 1008

Reader = Callable[[str], Any]


def _sat(msat: int) -> int:
    return msat // 1000


def _theirs(part: Callable[[Policy], Any]) -> Look:
    def look(channel: ChannelFacts, node: NodeFacts) -> Any:
        theirs = channel.theirs
        if theirs is None:
            return Unknown("the peer has announced no policy for this channel")
        return theirs if isinstance(theirs, Unknown) else part(theirs)

    return look


def _next_expiry(channel: ChannelFacts, node: NodeFacts) -> int | Unknown | None:
    if channel.next_expiry_height is None:
        return None
    if isinstance(node.block_height, Unknown):
        return node.block_height
    return channel.next_expiry_height - node.block_height


def _ratio_of(*balances: Balance) -> float | None:
    local = sum(b.local_msat for b in balances)
    total = local + sum(b.remote_msat for b in balances)
    return local / total if total else None


def _peer_ratio(channel: ChannelFacts, node: NodeFacts) -> float | Unknown:
    ratio = _ratio_of(channel.peer.active, channel.peer.inactive)
    return Unknown("all balances with this peer are zero") if ratio is None else ratio


_GRAPH = Needs(facts=frozenset({"graph_node"}))
_PEER_POLICY = Needs(facts=frozenset({"peer_policy"}))

# name after min_/max_ → (how its bound is written, what it looks at, what has to be loaded)
CHAN_BOUNDS: dict[str, tuple[Reader, Look, Needs]] = {
    "ratio": (values.number, lambda c, n: c.ratio(), NOTHING_NEEDED),
    "capacity": (values.integer, lambda c, n: c.capacity_sat, NOTHING_NEEDED),
    "local_balance": (values.integer, lambda c, n: _sat(c.local_msat), NOTHING_NEEDED),
    "remote_balance": (values.integer, lambda c, n: _sat(c.remote_msat), NOTHING_NEEDED),
    "base_fee_msat": (values.integer, _theirs(lambda p: p.base_fee_msat), _PEER_POLICY),
    "fee_ppm": (values.integer, _theirs(lambda p: p.fee_ppm), _PEER_POLICY),
    "age": (values.integer, lambda c, n: c.age_blocks, NOTHING_NEEDED),
    "count_pending_htlcs": (values.integer, lambda c, n: c.pending_htlcs, NOTHING_NEEDED),
    "next_pending_htlc_expiry": (values.integer, _next_expiry, NOTHING_NEEDED),
}


def _share(part: float, other: float) -> float | None:
    return part / (part + other) if part + other else None


FLOW_BOUNDS: dict[str, tuple[Reader, Callable[[Flow], Any]]] = {
    "htlcs_in": (values.integer, lambda f: f.htlcs_in),
    "htlcs_out": (values.integer, lambda f: f.htlcs_out),
    "sats_in": (values.integer, lambda f: _sat(f.in_msat)),
    "sats_out": (values.integer, lambda f: _sat(f.out_msat)),
    "htlcs_ratio": (values.number, lambda f: _share(f.htlcs_in, f.htlcs_out)),
    "sats_ratio": (values.number, lambda f: _share(_sat(f.in_msat), _sat(f.out_msat))),
}

NODE_BOUNDS: dict[str, tuple[Reader, Look, Needs]] = {
    "channels": (values.integer, lambda c, n: c.peer.graph_channels, _GRAPH),
    "capacity": (values.integer, lambda c, n: c.peer.graph_capacity_sat, _GRAPH),
    "shared_channels_active": (values.integer, lambda c, n: c.peer.active.channels, NOTHING_NEEDED),
    "shared_channels_inactive": (values.integer, lambda c, n: c.peer.inactive.channels, NOTHING_NEEDED),
    "shared_capacity_active": (
        values.integer,
        lambda c, n: _sat(c.peer.active.local_msat + c.peer.active.remote_msat),
        NOTHING_NEEDED,
    ),
    "shared_capacity_inactive": (
        values.integer,
        lambda c, n: _sat(c.peer.inactive.local_msat + c.peer.inactive.remote_msat),
        NOTHING_NEEDED,
    ),
    "shared_ratio": (values.number, _peer_ratio, NOTHING_NEEDED),
    "shared_ratio_active": (values.number, lambda c, n: _ratio_of(c.peer.active), NOTHING_NEEDED),
    "shared_ratio_inactive": (values.number, lambda c, n: _ratio_of(c.peer.inactive), NOTHING_NEEDED),
}


def bounds(prefix: str, names: Mapping[str, object]) -> list[str]:
    """Return the keys `prefix.min_…` and `prefix.max_…`."""
    return [f"{prefix}.{side}_{name}" for name in names for side in ("min", "max")]


KEYS = frozenset(
    [
        "chan.id",
        "chan.initiator",
        "chan.private",
        "chan.disabled",
        PERIOD,
        INVERTED,
        REQUIRES_AGE,
        *bounds("chan", CHAN_BOUNDS),
        *bounds("chan", FLOW_BOUNDS),
        "node.id",
        *bounds("node", NODE_BOUNDS),
        CONF_TARGET,
        "onchain.min_fee_rate",
        "onchain.max_fee_rate",
        "onchain.synced_to_chain",
    ]
)
LNFLOW_ALIASES = frozenset({REQUIRES_AGE})


def compile_key(entry: Entry, section: Mapping[str, Entry], context: Context) -> Compiled:
    """Return what one of `KEYS` means in its section."""
    match entry.key:
        case "chan.id" | "node.id":
            return _ids(entry, context)
        case "chan.initiator":
            return _flag(entry, lambda c, n: c.initiator)
        case "chan.private":
            return _flag(entry, lambda c, n: c.private)
        case "chan.disabled":
            return _disabled(entry, context)
        case "chan.activity_period":
            return _period(entry, section)
        case "chan.activity_period_ignore_channel_age" | "chan.activity_period_requires_age":
            return _age_switch(entry)
        case "onchain.conf_target":
            target = entry.read(values.integer)
            return Compiled(problem=target) if isinstance(target, Problem) else Compiled()
        case "onchain.synced_to_chain":
            return _flag(entry, lambda c, n: n.synced_to_chain)
        case "onchain.min_fee_rate" | "onchain.max_fee_rate":
            return _feerate(entry, section)
    prefix, _, rest = entry.key.partition(".")
    name = rest[4:]
    if prefix == "chan" and name in FLOW_BOUNDS:
        return _flow_bound(entry, section, context, name)
    table = CHAN_BOUNDS if prefix == "chan" else NODE_BOUNDS
    reader, look, needs = table[name]
    return bound(entry, reader, look, needs, minimum=rest.startswith("min_"))


def bound(entry: Entry, reader: Reader, look: Look, needs: Needs, *, minimum: bool) -> Compiled:
    """Return the criterion `value ≥ bound` or `value ≤ bound`."""
    limit = entry.read(reader)
    if isinstance(limit, Problem):
        return Compiled(problem=limit)
    accepts = at_least(limit) if minimum else at_most(limit)
    return Compiled(criterion=criterion(entry, look, accepts), needs=needs)


def criterion(entry: Entry, look: Look, accepts: Callable[[Any], bool]) -> Criterion:
    return Criterion(key=entry.key, wanted=entry.value or "", line=entry.line, look=look, accepts=accepts)


def _flag(entry: Entry, look: Look) -> Compiled:
    wanted = entry.read(values.boolean)
    if isinstance(wanted, Problem):
        return Compiled(problem=wanted)
    return Compiled(criterion=criterion(entry, look, equals(wanted)))


def _ids(entry: Entry, context: Context) -> Compiled:
    channels = entry.key == "chan.id"
    read = read_list(entry, context, parse_scid if channels else values.pubkey, check_inline=channels)
    if isinstance(read, Problem):
        return Compiled(problem=read)
    found, warnings = read
    if not channels:
        pubkeys = frozenset(found)
        one = criterion(entry, lambda c, n: c.peer.pubkey, pubkeys.__contains__)
        return Compiled(criterion=one, warnings=tuple(warnings))
    scids = frozenset(parse_scid(item) for item in found)
    one = criterion(entry, lambda c, n: (c.scid, *c.other_scids), lambda ids: not scids.isdisjoint(ids))
    return Compiled(criterion=one, warnings=tuple(warnings))


def _disabled(entry: Entry, context: Context) -> Compiled:
    if context.strict:
        return Compiled(
            problem=entry.problem(
                "chan.disabled stops charge-lnd 0.3.1 for the channel, and so it does here (compat = strict)",
                "leave compat out: then it means the peer's disabled flag",
            )
        )
    return Compiled(**_needing(_flag(entry, _theirs(lambda p: p.disabled)), _PEER_POLICY))


def _needing(compiled: Compiled, needs: Needs) -> dict[str, Any]:
    return {"criterion": compiled.criterion, "problem": compiled.problem, "needs": needs}


def _age_matters(section: Mapping[str, Entry]) -> bool | Problem:
    for key in (REQUIRES_AGE, INVERTED):  # charge-lnd's name says the opposite of what it does
        if key in section:
            return section[key].read(values.boolean)
    return True


def _age_switch(entry: Entry) -> Compiled:
    value = entry.read(values.boolean)
    if isinstance(value, Problem):
        return Compiled(problem=value)
    if entry.key == REQUIRES_AGE:
        return Compiled()
    warning = entry.problem(
        f"{INVERTED} = {entry.value} means the opposite of its name: channels younger than the period "
        + ("do not match" if value else "may match"),
        f"write {REQUIRES_AGE} = {str(value).lower()}, which means the same and says so",
        Severity.WARNING,
    )
    return Compiled(warnings=(warning,))


def _period(entry: Entry, section: Mapping[str, Entry]) -> Compiled:
    window = entry.read(values.window_s)
    if isinstance(window, Problem):
        return Compiled(problem=window)
    matters = _age_matters(section)
    if isinstance(matters, Problem):
        return Compiled(problem=matters)
    if not matters:
        return Compiled()

    def age_s(channel: ChannelFacts, node: NodeFacts) -> int | Unknown:
        age = channel.age_blocks
        return age if isinstance(age, Unknown) else age * BLOCK_S

    return Compiled(criterion=criterion(entry, age_s, at_least(window)))


def _flow_bound(entry: Entry, section: Mapping[str, Entry], context: Context, name: str) -> Compiled:
    if PERIOD not in section:
        if context.strict:
            return Compiled(warnings=(_no_period(entry, Severity.WARNING, "it is ignored"),))
        return Compiled(problem=_no_period(entry, Severity.ERROR, "charge-lnd ignores it silently"))
    window = section[PERIOD].read(values.window_s)
    if isinstance(window, Problem):
        return Compiled(problem=window)
    reader, part = FLOW_BOUNDS[name]

    def look(channel: ChannelFacts, node: NodeFacts) -> Any:
        flow = channel.flow(window)
        return flow if isinstance(flow, Unknown) else part(flow)

    needs = Needs(flow_windows=frozenset({window}))
    return bound(entry, reader, look, needs, minimum=entry.key.startswith("chan.min_"))


def _no_period(entry: Entry, severity: Severity, effect: str) -> Problem:
    return entry.problem(f"{entry.key} has no {PERIOD} beside it: {effect}", f"add {PERIOD} = 7d", severity)


def conf_target(blocks: int) -> int:
    """Return a confirmation target that a wallet can estimate: 2 blocks to a week."""
    return min(MOST_CONF_TARGET, max(LEAST_CONF_TARGET, blocks))


def _feerate(entry: Entry, section: Mapping[str, Entry]) -> Compiled:
    target: int | Problem = DEFAULT_CONF_TARGET
    if CONF_TARGET in section:
        target = section[CONF_TARGET].read(values.integer)
    if isinstance(target, Problem):
        return Compiled(problem=target)
    blocks = conf_target(target)
    needs = Needs(conf_targets=frozenset({blocks}))
    minimum = entry.key == "onchain.min_fee_rate"
    return bound(entry, values.number, lambda c, n: n.feerate(blocks), needs, minimum=minimum)
