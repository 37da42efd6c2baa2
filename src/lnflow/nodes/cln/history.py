"""What we saw of our channels around an instant: snapshots, connections, states, policies, HTLCs in flight.

Pure and bounded: facts go in with their time, questions are asked about a time.  A restart of lnflow starts
empty, so what lies before it stays unattributed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import pairwise
from math import inf
from operator import attrgetter
from typing import Generic, TypeVar

from msgspec import Struct

from lnflow.domain.time import HOUR_NS, SECOND_NS
from lnflow.nodes.cln.facts import USABLE_STATES
from lnflow.nodes.cln.wire import ForwardRow, PeerChannel, msat, optional_msat, time_ns

DEFAULT_GRACE_S = 600
_OLDER_TERMS = 8  # so many of our earlier prices are remembered beyond what is kept


class Terms(Struct, frozen=True, gc=False):
    """Our policy on one channel."""

    base_fee_msat: int
    fee_ppm: int
    htlc_min_msat: int
    htlc_max_msat: int | None

    def is_raise_from(self, old: Terms) -> bool:
        """Whether the node lets the old terms pass for a while."""
        return (
            self.base_fee_msat > old.base_fee_msat
            or self.fee_ppm > old.fee_ppm
            or self.htlc_min_msat > old.htlc_min_msat
            or (self.htlc_max_msat or 1 << 64) < (old.htlc_max_msat or 1 << 64)
        )

    def amount_out_msat(self, amount_in_msat: int) -> int:
        """Return the most that may leave for what came in; what did leave, if the sender paid exactly.

        ceil((in - base) * 1e6 / (1e6 + ppm)): with floor it would be 1 msat off almost always.

        >>> Terms(500, 400, 0, None).amount_out_msat(1_316_433_417)
        1315906555
        """
        rest = max(0, amount_in_msat - self.base_fee_msat)
        return -(-rest * 1_000_000 // (1_000_000 + self.fee_ppm))


class Snapshot(Struct, frozen=True, gc=False):
    """One channel as the node listed it at an instant."""

    at_ns: int
    channel_id: str
    peer_id: str
    usable: bool
    state: str
    spendable_msat: int | None
    terms: Terms | None
    out_htlcs: int
    out_dust_msat: int
    dust_limit_msat: int | None
    max_htlcs: int | None
    possible_msat: int | None
    """What htlcmax could be at most: capacity less the reserve."""


class PolicyChange(Struct, frozen=True, gc=False):
    """Our terms from an instant on.  `grace_s` is how long the older ones pass; None: seen, not made by us."""

    at_ns: int
    terms: Terms
    grace_s: int | None
    logged: bool
    """True for a change that was told when it happened, False for what a snapshot shows."""


class _Stamped(Struct, frozen=True, gc=False):
    at_ns: int
    value: str


class Flight(Struct, gc=False):
    """An HTLC that we sent on: from `at_ns` until `until_ns` (None: still in flight)."""

    at_ns: int
    amount_out_msat: int
    until_ns: int | None
    settled: bool


class _Income(Struct, frozen=True, gc=False):
    """What came to our side of a channel, by a settled forward or by our own payments (those out: negative)."""

    at_ns: int
    amount_msat: int


T = TypeVar("T", bound="Snapshot | PolicyChange | _Stamped | Flight | _Income")
_at_ns: Callable[[object], int] = attrgetter("at_ns")


class _Line(Generic[T]):
    """Facts in order of time, whatever the order they come in."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[T] = []

    def add(self, item: T) -> None:
        at = bisect_right(self.items, item.at_ns, key=_at_ns)
        self.items.insert(at, item)

    def before(self, at_ns: int) -> T | None:
        """The last fact at or before the instant."""
        at = bisect_right(self.items, at_ns, key=_at_ns)
        return self.items[at - 1] if at else None

    def after(self, at_ns: int) -> T | None:
        """The first fact after the instant."""
        at = bisect_right(self.items, at_ns, key=_at_ns)
        return self.items[at] if at < len(self.items) else None

    def until(self, at_ns: int) -> list[T]:
        return self.items[: bisect_right(self.items, at_ns, key=_at_ns)]

    def forget_before(self, at_ns: int) -> None:
        """Drop what is older, but keep the last fact before: it is still in force."""
        at = bisect_left(self.items, at_ns, key=_at_ns)
        del self.items[: max(0, at - 1)]


class _Prices(_Line[PolicyChange]):
    """Our terms over time.  Senders go by stale ones for days, so some earlier prices are kept however old."""

    def forget_before(self, at_ns: int) -> None:
        """Of what is older keep the last word and, of each earlier price, the last time that it was seen."""
        last = max(0, bisect_left(self.items, at_ns, key=_at_ns) - 1)
        earlier = [one for one, following in pairwise(self.items[: last + 1]) if one.terms != following.terms]
        self.items[:last] = earlier[-_OLDER_TERMS:]


def _most_at_once(flights: list[Flight]) -> int:
    """Return how many of these, in order of their beginning, were in flight at once at most."""
    ends_ns: list[float] = []
    most = 0
    for flight in flights:
        while ends_ns and ends_ns[0] <= flight.at_ns:
            heappop(ends_ns)
        heappush(ends_ns, inf if flight.until_ns is None else flight.until_ns)
        most = max(most, len(ends_ns))
    return most


class ChannelHistory:
    """Everything of one channel, by channel_id."""

    def __init__(self, channel_id: str, peer_id: str) -> None:
        self.channel_id = channel_id
        self.peer_id = peer_id
        self.private = False
        self.real_scids: set[str] = set()
        self.snapshots: _Line[Snapshot] = _Line()
        self.states: _Line[_Stamped] = _Line()
        self.policies = _Prices()
        self.flights: _Line[Flight] = _Line()
        self.incomes: _Line[_Income] = _Line()
        self._most_seen = 0

    def state(self, at_ns: int) -> str | None:
        """The channel's state then, by what was told and what was listed; None if nothing was seen before."""
        told, listed = self.states.before(at_ns), self.snapshots.before(at_ns)
        if told is not None and (listed is None or told.at_ns >= listed.at_ns):
            return told.value
        return None if listed is None else listed.state

    def see_terms(self, at_ns: int, terms: Terms) -> None:
        """Take the terms of a listing; of a run of equal ones the first and the last tell everything."""
        seen, line = PolicyChange(at_ns, terms, None, logged=False), self.policies.items
        holds = len(line) > 1 and line[-2].terms == line[-1].terms == terms
        if holds and not line[-1].logged and line[-1].at_ns <= at_ns:
            line[-1] = seen
        else:
            self.policies.add(seen)

    def terms(self, at_ns: int) -> PolicyChange | None:
        """The terms in force; before our first listing those that it showed, unless a change was told between."""
        if (known := self.policies.before(at_ns)) is not None:
            return known
        first = self.policies.after(at_ns)
        return None if first is None or first.logged else first

    def terms_sure(self, at_ns: int) -> bool:
        """Whether no change of somebody else can have come between what we saw before and after."""
        now, then = self.policies.before(at_ns), self.policies.after(at_ns)
        if now is None:
            return False
        return then is None or then.logged or then.terms == now.terms

    def older_terms(self, at_ns: int, restarts: list[int]) -> Terms | None:
        """The one older policy that the node still lets pass, None if there is none."""
        older: Terms | None = None
        until_ns = raised_ns = 0
        line = self.policies.until(at_ns)
        for previous, change in pairwise(line):
            if change.terms.is_raise_from(previous.terms):
                grace_s = DEFAULT_GRACE_S if change.grace_s is None else change.grace_s
                older, raised_ns = previous.terms, change.at_ns
                until_ns = change.at_ns + grace_s * SECOND_NS
        lost = any(raised_ns < restart <= at_ns for restart in restarts)
        return older if older is not None and at_ns < until_ns and not lost else None

    @property
    def most_in_flight(self) -> int:
        """The most HTLCs that we know to have gone out at once; a lower bound of the peer's limit.

        Asked anew each time: an HTLC whose end is not told yet counts as in flight, and no longer once it is.
        """
        return max(self._most_seen, _most_at_once(self.flights.items))

    def saw_in_flight(self, count: int) -> None:
        """So many were listed at once."""
        self._most_seen = max(self._most_seen, count)

    def in_flight(self, at_ns: int) -> list[Flight]:
        """HTLCs of forwards that were going out by this channel then."""
        return [f for f in self.flights.until(at_ns) if f.until_ns is None or f.until_ns > at_ns]

    def spendable_msat(self, at_ns: int, snapshot: Snapshot) -> int | None:
        """What the channel could send, from one snapshot and the forwards between."""
        if snapshot.spendable_msat is None:
            return None
        return snapshot.spendable_msat + self._flow_msat(at_ns) - self._flow_msat(snapshot.at_ns)

    def _flow_msat(self, at_ns: int) -> int:
        gone = sum(
            f.amount_out_msat
            for f in self.flights.until(at_ns)
            if f.settled or f.until_ns is None or f.until_ns > at_ns
        )
        return sum(i.amount_msat for i in self.incomes.until(at_ns)) - gone

    def forget_seen_before(self, at_ns: int) -> None:
        """Drop older listings, states and policies but the last of each, which is still in force."""
        for line in (self.snapshots, self.states, self.policies):
            line.forget_before(at_ns)

    def forget_forwards_before(self, at_ns: int) -> None:
        """Drop what had come and gone before; what it says of the limit stays."""
        self.saw_in_flight(_most_at_once([f for f in self.flights.items if f.until_ns is not None]))
        self.flights.items = [f for f in self.flights.items if f.until_ns is None or f.until_ns >= at_ns]
        self.incomes.forget_before(at_ns)


class NodeHistory:
    """All channels, by channel_id, and under every name they had; connections by peer."""

    def __init__(
        self, *, max_dust_msat: int | None = None, keep_ns: int = HOUR_NS, hears_connections: bool = False
    ) -> None:
        """`hears_connections`: we are told of every connect and disconnect, so the first listing holds on."""
        self.max_dust_msat = max_dust_msat
        self._hears_connections = hears_connections
        self._keep_ns = keep_ns
        self._channels: dict[str, ChannelHistory] = {}
        self._names: dict[str, ChannelHistory] = {}
        self._connections: dict[str, _Line[_Stamped]] = {}
        self._flights: dict[int, Flight] = {}
        self.restarts: list[int] = []
        self.listed_since_ns: int | None = None
        """When we first saw all channels: a name that is unknown after it is no channel of ours."""

    def channel(self, name: str) -> ChannelHistory | None:
        """Return the channel with this SCID (of any time), alias or channel_id."""
        return self._names.get(name)

    # -- facts go in

    def add_snapshot(self, at_ns: int, channels: list[PeerChannel]) -> None:
        """Take a listing of all channels."""
        self.listed_since_ns = min(at_ns, self.listed_since_ns or at_ns)
        for listed in channels:
            if listed.channel_id is None:
                continue
            channel = self._of(listed.channel_id, listed.peer_id)
            channel.private = channel.private or listed.private is True
            if listed.short_channel_id:
                channel.real_scids.add(listed.short_channel_id)
                self._names[listed.short_channel_id] = channel
            if listed.alias is not None and listed.alias.local:
                self._names[listed.alias.local] = channel
            if self._hears_connections and listed.peer_id not in self._connections:
                self.add_connection(at_ns, listed.peer_id, connected=listed.peer_connected)
            snapshot = _snapshot(at_ns, listed)
            channel.snapshots.add(snapshot)
            channel.saw_in_flight(snapshot.out_htlcs)
            if snapshot.terms is not None:
                channel.see_terms(at_ns, snapshot.terms)

    def forget_snapshots_before(self, at_ns: int) -> None:
        """Drop older snapshots but the last of each channel."""
        for channel in self._channels.values():
            channel.snapshots.forget_before(at_ns)

    def add_policy(self, at_ns: int, channel_id: str, terms: Terms, grace_s: int | None) -> None:
        """Take a change of our terms at the time it was made."""
        if (channel := self._names.get(channel_id)) is not None:
            channel.policies.add(PolicyChange(at_ns, terms, grace_s, logged=True))

    def recall_terms(self, at_ns: int, channel_id: str, peer_id: str, terms: Terms) -> None:
        """Take our terms of an earlier time, as they were seen then, before any listing shows the channel."""
        self._of(channel_id, peer_id).policies.add(PolicyChange(at_ns, terms, None, logged=False))

    def add_connection(self, at_ns: int, peer_id: str, *, connected: bool) -> None:
        line = self._connections.setdefault(peer_id, _Line())
        line.add(_Stamped(at_ns, "connected" if connected else "gone"))

    def add_state(self, at_ns: int, channel_id: str, peer_id: str, scid: str | None, state: str) -> None:
        channel = self._of(channel_id, peer_id)
        channel.states.add(_Stamped(at_ns, state))
        if scid:
            channel.real_scids.add(scid)
            self._names[scid] = channel

    def add_restart(self, at_ns: int) -> None:
        """The node stopped: older policies are forgotten, every peer is gone."""
        self.restarts.append(at_ns)
        for line in self._connections.values():
            line.add(_Stamped(at_ns, "gone"))

    def add_row(self, row: ForwardRow) -> None:
        """Take a forward that was offered: its HTLC fills a slot and moves balances."""
        if row.out_channel is None or row.out_msat is None or row.created_index is None:
            return
        settled = row.status == "settled"
        until_ns = None if row.resolved_time is None else time_ns(row.resolved_time)
        if row.status == "local_failed":
            until_ns = time_ns(row.received_time)
        known = self._flights.get(row.created_index)
        out, incoming = self._names.get(row.out_channel), self._names.get(row.in_channel)
        if known is not None:
            if known.until_ns is not None:
                return
            known.until_ns, known.settled = until_ns, settled
        elif out is not None:
            flight = Flight(time_ns(row.received_time), msat(row.out_msat), until_ns, settled)
            self._flights[row.created_index] = flight
            out.flights.add(flight)
        if settled and incoming is not None and until_ns is not None:
            incoming.incomes.add(_Income(until_ns, msat(row.in_msat)))

    def add_own_payment(self, at_ns: int, channel_id: str, change_msat: int) -> None:
        """Take a movement of our own money (invoice, payment, rebalance): no forward shows it."""
        if (channel := self._channels.get(channel_id)) is not None:
            channel.incomes.add(_Income(at_ns, change_msat))

    def forget_before(self, at_ns: int) -> None:
        """Drop facts older than an instant minus what is kept."""
        oldest = at_ns - self._keep_ns
        self.forget_listings_before(oldest)
        self.forget_forwards_before(oldest)
        for line in self._connections.values():
            line.forget_before(oldest)
        self.restarts = [r for r in self.restarts if r >= oldest]

    def forget_listings_before(self, at_ns: int) -> None:
        """Drop what was seen of the channels before, but what is still in force."""
        for channel in self._channels.values():
            channel.forget_seen_before(at_ns)

    def forget_forwards_before(self, at_ns: int) -> None:
        """Drop HTLCs that had ended before."""
        for channel in self._channels.values():
            channel.forget_forwards_before(at_ns)
        self._flights = {k: f for k, f in self._flights.items() if f.until_ns is None or f.until_ns >= at_ns}

    # -- questions

    def connected(self, peer_id: str, at_ns: int) -> bool | None:
        """Whether the peer was there, by connection events; None if we were told nothing before."""
        line = self._connections.get(peer_id)
        last = None if line is None else line.before(at_ns)
        return None if last is None else last.value == "connected"

    def last_change_ns(self, peer_id: str, at_ns: int) -> int | None:
        """When the peer last came or went before; a listing from before that does not speak for now."""
        line = self._connections.get(peer_id)
        last = None if line is None else line.before(at_ns)
        return None if last is None else last.at_ns

    def next_loss_ns(self, peer_id: str, at_ns: int) -> int | None:
        """When the peer went away next."""
        line = self._connections.get(peer_id)
        item = None if line is None else line.after(at_ns)
        return None if item is None or item.value == "connected" else item.at_ns

    def _of(self, channel_id: str, peer_id: str) -> ChannelHistory:
        channel = self._channels.get(channel_id)
        if channel is None:
            channel = self._channels[channel_id] = ChannelHistory(channel_id, peer_id)
            self._names[channel_id] = channel
        return channel


def terms_of(channel: PeerChannel) -> Terms | None:
    """Return our terms on a listed channel, None while it has none."""
    base, ppm = channel.fee_base_msat, channel.fee_proportional_millionths
    if base is None or ppm is None:
        return None
    return Terms(
        msat(base),
        ppm,
        optional_msat(channel.minimum_htlc_out_msat) or 0,
        optional_msat(channel.maximum_htlc_out_msat),
    )


def _snapshot(at_ns: int, channel: PeerChannel) -> Snapshot:
    going_out = [msat(h.amount_msat) for h in channel.htlcs if h.direction == "out"]
    dust_limit = optional_msat(channel.dust_limit_msat)
    total = optional_msat(channel.total_msat)
    return Snapshot(
        at_ns,
        channel.channel_id or "",
        channel.peer_id,
        channel.peer_connected and channel.reestablished is not False and not channel.lost_state,
        channel.state,
        optional_msat(channel.spendable_msat),
        terms_of(channel),
        len(going_out),
        sum(amount for amount in going_out if amount < (dust_limit or 0)),
        dust_limit,
        channel.max_accepted_htlcs,
        None if total is None else total - (optional_msat(channel.our_reserve_msat) or 0),
    )


def can_forward(state: str | None) -> bool | None:
    """Whether HTLCs can leave in this state; None if the state is not known."""
    return None if state is None else state in USABLE_STATES
