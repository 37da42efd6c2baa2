"""Why a Core Lightning node refused what its saved rows show: told from the saved listings, notifications and policy
changes of the same import.

Rows are stored at once with what they say by themselves; the refused ones wait until every file was read, since
rows of other files may come between, and are then told again with their cause.  Memory is bounded: beyond
`MOST_ROWS` rows the older half is told with what is known by then; beyond `MOST_LISTED` the older half of the
evidence goes, and what was refused before stays unattributed.
"""

from __future__ import annotations

from decimal import Decimal

from lnflow.domain.causes import Outcome
from lnflow.domain.htlc import Attempt
from lnflow.ingest.files.items import ClnForward, ClnListing, ClnNotice, TermsChange
from lnflow.nodes.cln.attribution import FRESH_NS, judged
from lnflow.nodes.cln.history import NodeHistory
from lnflow.nodes.cln.observer import remember
from lnflow.nodes.cln.wire import ForwardRow, time_ns
from lnflow.store.attributions import Told

MOST_ROWS = 5_000  # rows that wait; each question goes through the HTLCs of a channel among them
MOST_LISTED = 100_000  # channels in listings, about 30 MB

Evidence = ClnListing | ClnNotice | TermsChange
_Key = tuple[Decimal, str, int | None]


class ClnEvidence:
    """What the files of one import say around each refusal of a Core Lightning node."""

    def __init__(self) -> None:
        self._history = NodeHistory()
        self._listings: list[tuple[int, int]] = []
        """Time of each listing that is kept, and how many channels it had."""
        self._listed = 0
        """Their channels in all."""
        self._rows: dict[_Key, ForwardRow] = {}
        self._refused: set[_Key] = set()
        self._in_history: set[_Key] = set()
        self.told = Told()
        """How sure what was told so far is."""

    def learn(self, seen: Evidence) -> None:
        """Take what was seen of the channels; terms of a channel that no listing showed yet are dropped."""
        match seen:
            case ClnListing():
                self._history.add_snapshot(seen.at_ns, list(seen.channels))
                self._listings.append((seen.at_ns, len(seen.channels)))
                self._listed += len(seen.channels)
                if self._listed > MOST_LISTED:
                    self._drop_older_half()
            case ClnNotice():
                remember(self._history, seen.seen, seen.at_ns)
            case TermsChange():
                self._history.add_policy(seen.at_ns, seen.channel_id, seen.terms, seen.grace_s)

    def add(self, forward: ClnForward) -> list[Attempt]:
        """Take a row; return older refusals that can wait no longer, with their cause."""
        if not self._listings:
            return []  # without a listing nothing can be told
        row = forward.row
        key = (row.received_time, row.in_channel, row.in_htlc_id)
        self._rows[key] = row
        if forward.attempt.outcome is Outcome.REFUSED:
            self._refused.add(key)
        return self._tell(MOST_ROWS // 2) if len(self._rows) > MOST_ROWS else []

    def finish(self) -> list[Attempt]:
        """Return every refusal that waited, with its cause where the evidence tells."""
        return self._tell(len(self._rows))

    def _tell(self, count: int) -> list[Attempt]:
        """Tell the `count` oldest rows, seen among all that are held, and forget what they alone needed."""
        in_order = sorted(self._rows)
        for key in in_order:
            if key not in self._in_history:
                self._history.add_row(self._rows[key])
                self._in_history.add(key)
        told = in_order[:count]
        found = []
        for key in told:
            if key in self._refused:
                attempt, confidence = judged(self._rows[key], self._history)
                self.told.add(attempt, confidence)
                found.append(attempt)
        for key in told:
            del self._rows[key]
        self._refused.difference_update(told)
        self._in_history.difference_update(told)
        if told:
            self._history.forget_forwards_before(time_ns(told[-1][0]) - FRESH_NS)
        return found

    def _drop_older_half(self) -> None:
        self._listings.sort()
        self._listings = self._listings[len(self._listings) // 2 :]
        self._listed = sum(count for _, count in self._listings)
        self._history.forget_listings_before(self._listings[0][0])
