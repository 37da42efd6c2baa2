"""Following up what was advised: was it taken, and what did it bring."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lnflow.advice.documents import AdviceDocument, AdviceStatus, GainDocument, NodeDocument, Recommendation
from lnflow.advice.ledger import Entry, item, score
from lnflow.advice.taken import ADDED_ONCE, Balance, Move, Since, taken_at_ns
from lnflow.analysis.effect import DailyIncome, Effect, measure
from lnflow.domain.scid import parse_scid
from lnflow.domain.time import DAY_NS, HOUR_NS
from lnflow.service.protocols import FailureStatsStore
from lnflow.store.advice_ledger import StoredAdvice
from lnflow.store.records import StoredChannel

DAYS = 28  # whole weeks, so that weekends weigh alike on both sides
_COVERED_SHARE = 0.5  # of a day that counts: what settled in the rest comes from the node's history

_recommendation = msgspec.json.Decoder(Recommendation)


def load_ledger(store: FailureStatsStore) -> list[Entry]:
    """Return every recommendation given, the oldest first."""
    return [_entry(row) for row in store.following.ledger()]


class Follower:
    """Answers about the entries of one ledger from one state of the store, as of `now_ns`."""

    def __init__(self, store: FailureStatsStore, ledger: Sequence[Entry], now_ns: int) -> None:
        self._store = store
        self._ledger = ledger
        self._now_ns = now_ns
        self._channels = store.channels(now_ns)
        self._prices = store.costs.our_prices()
        self._channels_then: dict[int, list[StoredChannel]] = {}

    def taken_ns(self, entry: Entry) -> int | None:
        """Return when the store shows that an open recommendation was taken."""
        if entry.peer_pubkey is None:
            return None
        return taken_at_ns(entry.recommendation, self._since(entry, entry.peer_pubkey))

    def effect(self, entry: Entry) -> Effect | str | None:
        """Return what a taken recommendation brought, or why that cannot be said yet; None if it was not taken."""
        if entry.status != "taken" or entry.ended_ns is None:
            return None
        if entry.peer_pubkey is None:
            return "whose channels they were is not known"
        # A change in the middle of an hour is counted from the next: the sums are by hour.
        origin_ns = -(-entry.ended_ns // HOUR_NS) * HOUR_NS
        before, after = self._days(entry, origin_ns)
        income = self._income(origin_ns)
        busy = {
            other.peer_pubkey
            for other in self._ledger
            if other.status == "taken"
            and other.ended_ns is not None
            and abs(other.ended_ns - origin_ns) < DAYS * DAY_NS
        }
        per_peer = {
            pubkey: DailyIncome([days.get(d, 0) for d in before], [days.get(d, 0) for d in after])
            for pubkey, days in income.items()
        }
        changed = per_peer.get(entry.peer_pubkey, DailyIncome([0] * len(before), [0] * len(after)))
        alone = [days for pubkey, days in per_peer.items() if pubkey not in busy]
        return measure(changed, alone, once=entry.recommendation.type in ADDED_ONCE)

    def _days(self, entry: Entry, origin_ns: int) -> tuple[list[int], list[int]]:
        """Return the covered days before and after, without those that another change of the peer fell into."""
        others = [
            other.ended_ns
            for other in self._ledger
            if other.number != entry.number
            and other.peer_pubkey == entry.peer_pubkey
            and other.status == "taken"
            and other.ended_ns is not None
        ]
        begin_ns = max([t for t in others if t <= origin_ns], default=0)
        end_ns = min([t for t in others if t > origin_ns], default=self._now_ns)
        covered = self._store.coverage(origin_ns - DAYS * DAY_NS, origin_ns + DAYS * DAY_NS).intervals

        def counts(day: int) -> bool:
            since_ns, until_ns = origin_ns + day * DAY_NS, origin_ns + (day + 1) * DAY_NS
            if since_ns < begin_ns or until_ns > min(end_ns, self._now_ns):
                return False
            heard_ns = sum(max(0, min(b, until_ns) - max(a, since_ns)) for a, b in covered)
            return heard_ns >= _COVERED_SHARE * DAY_NS

        days = [day for day in range(-DAYS, DAYS) if counts(day)]
        return [d for d in days if d < 0], [d for d in days if d >= 0]

    def _income(self, origin_ns: int) -> dict[str, dict[int, int]]:
        """Return what each peer earned, by day from the change."""
        peer_of = {c.channel_id: c.peer_pubkey for c in self._channels}
        income: dict[str, dict[int, int]] = {}
        for chan, day, msat in self._store.following.daily_income(origin_ns, DAYS, DAYS):
            pubkey = peer_of.get(chan)
            if pubkey is not None:
                days = income.setdefault(pubkey, {})
                days[day] = days.get(day, 0) + msat
        return income

    def _since(self, entry: Entry, pubkey: str) -> Since:
        rows, given_ns = self._store.following, entry.given_ns
        then = self._then(given_ns)
        chans = [c.channel_id for c in self._channels if c.peer_pubkey == pubkey]
        named = _named(self._channels, entry.recommendation.channel)
        before = {c.channel_id: c for c in then}
        # Without a listing from before nothing is known to be new: not a balance, not a channel.
        listed = any(c.listed is not None for c in then)
        first = rows.first_listed(chans) if listed else {}
        moves = self._moves(chans, {c.channel_id: c.state_ns for c in then}, given_ns) if listed else None
        capacity = {c.channel_id: c.capacity_sat for c in self._channels}
        return Since(
            locals_then_msat={c.channel_id: c.listed.local_msat for c in then if c.peer_pubkey == pubkey and c.listed},
            balances=[Balance(*row) for row in rows.balances_since(chans, given_ns)] if moves is not None else [],
            moves=moves or (),
            returned=[Move(*row) for row in self._store.costs.circular_parts(pubkey, given_ns)],
            policy_then=before[named].ours if named in before else None,
            policies=[(p.since_ns, p.policy) for p in self._prices if p.chan == named and p.since_ns > given_ns],
            new_channels=sorted((at_ns, capacity[chan] or 0) for chan, at_ns in first.items() if at_ns > given_ns),
        )

    def _moves(self, chans: Sequence[int], listed_ns: dict[int, int | None], given_ns: int) -> list[Move] | None:
        """Return what forwards moved since the listing that gave a channel's balance; None if not all is kept.

        A balance listed before the rows that are kept has not changed since: then those from `given_ns` on do.
        """
        rows = self._store.following
        moves: list[Move] = []
        for chan in chans:
            found = rows.moves_since([chan], listed_ns.get(chan) or given_ns)
            if found is None:
                found = rows.moves_since([chan], given_ns)
            if found is None:
                return None
            moves += [Move(*row) for row in found]
        return sorted(moves, key=lambda m: m.at_ns)

    def _then(self, at_ns: int) -> list[StoredChannel]:
        if at_ns not in self._channels_then:
            self._channels_then[at_ns] = self._store.channels(at_ns)
        return self._channels_then[at_ns]


def ledger_document(store: FailureStatsStore, node: NodeDocument, now_ns: int) -> AdviceDocument:
    """Return the ledger with the effects measured by now, the newest first; writes nothing."""
    with store.consistent():
        entries = load_ledger(store)
        if not entries:
            return AdviceDocument(node=node, items=[], score=score([]))
        follower = Follower(store, entries, now_ns)
        items = [item(entry, follower.effect(entry)) for entry in reversed(entries)]
    return AdviceDocument(node=node, items=items, score=score(items))


def _named(channels: Sequence[StoredChannel], scid: str | None) -> int | None:
    if scid is None:
        return None
    wanted = parse_scid(scid)
    return next((c.channel_id for c in channels if wanted in c.scids), None)


def _entry(row: StoredAdvice) -> Entry:
    return Entry(
        number=row.advice_id,
        given_ns=row.given_ns,
        peer_pubkey=row.peer_pubkey,
        peer_alias=row.peer_alias,
        cause=row.cause,
        recommendation=_recommendation.decode(row.recommendation),
        expected=GainDocument(gain_per_month_msat=row.expected_msat, low_msat=row.low_msat, high_msat=row.high_msat),
        status=msgspec.convert(row.status, AdviceStatus),
        ended_ns=row.ended_ns,
        marked=row.marked,
    )
