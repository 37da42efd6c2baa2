"""lnflow's own criteria: age in days, activity, flow, revenue, missed, profit, alias, alternatives, time."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lnflow.domain.time import to_datetime
from lnflow.pricing.dialect import values
from lnflow.pricing.dialect.ini import Entry
from lnflow.pricing.facts import ChannelFacts, Flow, NodeFacts, Unknown
from lnflow.pricing.matching.charge_lnd import bound, criterion
from lnflow.pricing.matching.context import Context
from lnflow.pricing.matching.criteria import NOTHING_NEEDED, Compiled, Look, Needs
from lnflow.pricing.problems import Problem

DAY_S = 86_400
ACTIVITY_WINDOW_S = 30 * DAY_S
LEVELS = ("inactive", "low", "medium", "high")
NAMESPACES = frozenset({"activity", "flow", "network", "peer", "revenue", "missed", "profit", "time"})

_WINDOWED = re.compile(r"(flow|revenue|missed|profit)\.(\d+[dh])(?:\.(in|out))?\.(min|max)")
_FIXED = frozenset(
    {
        "chan.min_age_days",
        "chan.max_age_days",
        "activity.level",
        "node.alias",
        "network.min_alternatives",
        "network.max_alternatives",
        "peer.fee_ratio.min",
        "peer.fee_ratio.max",
        "time.of_day",
        "time.day_of_week",
    }
)
EXAMPLES = frozenset(
    f"{name}.{side}"
    for name in ("flow.7d", "flow.7d.in", "flow.7d.out", "revenue.7d", "missed.7d", "profit.30d")
    for side in ("min", "max")
)
SUGGESTIONS = _FIXED | EXAMPLES


def is_own(key: str) -> bool:
    """Return whether this is one of lnflow's own criteria."""
    match = _WINDOWED.fullmatch(key)
    if match is None:
        return key in _FIXED
    return int(match[2][:-1]) > 0 and (match[3] is None or match[1] == "flow")


def compile_key(entry: Entry, section: Mapping[str, Entry], context: Context) -> Compiled:
    """Return what one of lnflow's keys means."""
    match entry.key:
        case "chan.min_age_days" | "chan.max_age_days":
            minimum = entry.key.startswith("chan.min")
            return bound(entry, values.number, _age_days, NOTHING_NEEDED, minimum=minimum)
        case "activity.level":
            return _activity(entry, context)
        case "node.alias":
            return _alias(entry)
        case "network.min_alternatives" | "network.max_alternatives":
            needs = Needs(facts=frozenset({"alternatives"}))
            minimum = entry.key.startswith("network.min")
            return bound(entry, values.integer, lambda c, n: c.peer.alternatives, needs, minimum=minimum)
        case "peer.fee_ratio.min" | "peer.fee_ratio.max":
            needs = Needs(facts=frozenset({"peer_policy"}))
            return bound(entry, values.number, _fee_ratio, needs, minimum=entry.key.endswith("min"))
        case "time.of_day":
            return _time_of_day(entry, context)
        case "time.day_of_week":
            return _day_of_week(entry, context)
    return _windowed(entry)


def _age_days(channel: ChannelFacts, node: NodeFacts) -> float | Unknown:
    age = channel.age_s
    return age if isinstance(age, Unknown) else age / DAY_S


def _fee_ratio(channel: ChannelFacts, node: NodeFacts) -> float | Unknown:
    ours, theirs = channel.ours, channel.theirs
    if isinstance(ours, Unknown):
        return ours
    if isinstance(theirs, Unknown):
        return theirs
    if theirs is None:
        return Unknown("the peer has announced no policy for this channel")
    if theirs.fee_ppm == 0:
        return Unknown("the peer asks 0 ppm, so there is no ratio")
    return ours.fee_ppm / theirs.fee_ppm


def _activity(entry: Entry, context: Context) -> Compiled:
    def read(text: str) -> frozenset[str]:
        levels = frozenset(item.lower() for item in values.items(text) if item)
        if not levels or not levels <= set(LEVELS):
            raise ValueError(f"{text!r} must be one or more of {', '.join(LEVELS)}")
        return levels

    levels = entry.read(read)
    if isinstance(levels, Problem):
        return Compiled(problem=levels)

    def look(channel: ChannelFacts, node: NodeFacts) -> str | Unknown:
        flow = channel.flow(ACTIVITY_WINDOW_S)
        if isinstance(flow, Unknown):
            return flow
        if flow.days <= 0:
            return Unknown("no covered time in the last 30 days")
        moved_per_day = (flow.in_msat + flow.out_msat) / flow.days
        return context.activity.level(moved_per_day / (channel.capacity_sat * 1000))

    needs = Needs(flow_windows=frozenset({ACTIVITY_WINDOW_S}))
    return Compiled(criterion=criterion(entry, look, levels.__contains__), needs=needs)


def _alias(entry: Entry) -> Compiled:
    def read(text: str) -> re.Pattern[str]:
        names = [item.lower() for item in values.items(text) if item]
        if not names:
            raise ValueError("'' names no node")
        # only * and ? are wildcards: an alias may well contain brackets
        return re.compile("|".join(fnmatch.translate(name.replace("[", "[[]")) for name in names))

    pattern = entry.read(read)
    if isinstance(pattern, Problem):
        return Compiled(problem=pattern)

    def look(channel: ChannelFacts, node: NodeFacts) -> str | Unknown | None:
        return channel.peer.alias

    one = criterion(entry, look, lambda alias: pattern.fullmatch(alias.lower()) is not None)
    return Compiled(criterion=one, needs=Needs(facts=frozenset({"alias"})))


def _local_time(node: NodeFacts, context: Context) -> datetime:
    return to_datetime(node.now_ns).astimezone(context.timezone)


def _time_of_day(entry: Entry, context: Context) -> Compiled:
    hours = entry.read(values.time_range)
    if isinstance(hours, Problem):
        return Compiled(problem=hours)
    first, last = hours

    def look(channel: ChannelFacts, node: NodeFacts) -> str:
        return _local_time(node, context).strftime("%H:%M")

    def accepts(clock: str) -> bool:
        minute = int(clock[:2]) * 60 + int(clock[3:])
        if first <= last:
            return first <= minute <= last
        return minute >= first or minute <= last

    return Compiled(criterion=criterion(entry, look, accepts))


def _day_of_week(entry: Entry, context: Context) -> Compiled:
    days = entry.read(values.days_of_week)
    if isinstance(days, Problem):
        return Compiled(problem=days)

    def look(channel: ChannelFacts, node: NodeFacts) -> int:
        return _local_time(node, context).isoweekday()

    return Compiled(criterion=criterion(entry, look, days.__contains__))


def _windowed(entry: Entry) -> Compiled:
    match = _WINDOWED.fullmatch(entry.key)
    if match is None:  # the caller asks only for keys of which is_own is true
        return Compiled(problem=entry.problem(f"{entry.key} is not a criterion"))
    kind, window, direction, side = match.groups()
    seconds = values.window_s(window)
    windows = frozenset({seconds})
    look: Look
    match kind:
        case "missed":
            needs = Needs(missed_windows=windows)

            def look(channel: ChannelFacts, node: NodeFacts) -> Any:
                return _in_sat(channel.missed_msat.get(seconds, _not_loaded("missed", window)))
        case "profit":
            needs = Needs(profit_windows=windows)

            def look(channel: ChannelFacts, node: NodeFacts) -> Any:
                return _in_sat(channel.profit_msat.get(seconds, _not_loaded("profit", window)))
        case _:
            needs = Needs(flow_windows=windows)

            def look(channel: ChannelFacts, node: NodeFacts) -> Any:
                flow = channel.flow(seconds)
                if isinstance(flow, Unknown):
                    return flow
                return _in_sat(flow.earned_msat if kind == "revenue" else _moved_msat(flow, direction))

    return bound(entry, values.number, look, needs, minimum=side == "min")


def _moved_msat(flow: Flow, direction: str | None) -> int:
    inbound = 0 if direction == "out" else flow.in_msat
    outbound = 0 if direction == "in" else flow.out_msat
    return inbound + outbound


def _in_sat(msat: int | Unknown) -> float | Unknown:
    return msat if isinstance(msat, Unknown) else msat / 1000


def _not_loaded(kind: str, window: str) -> Unknown:
    return Unknown(f"no figures of what was {kind} in the last {window}")
