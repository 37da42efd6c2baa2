"""AdviceService: keeps the ledger of recommendations.  The only answer that writes."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from lnflow.advice import ledger as decisions
from lnflow.advice.analyzing import Selection
from lnflow.advice.documents import AdviceDocument, Opportunity
from lnflow.analysis.facts import Window
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.time import Clock, SystemClock, iso_utc
from lnflow.service.following import Follower, ledger_document, load_ledger
from lnflow.service.opportunities import OpportunityService
from lnflow.service.windows import WindowChoice
from lnflow.store.advice_ledger import AdviceLedger, NewAdvice
from lnflow.store.reading import StoreReader

Mark = Literal["taken", "withdrawn"]


class AdviceService:
    """Gives advice and follows it up, for one node; `open` it, it closes what it opened."""

    def __init__(self, store: StoreReader, ledger: AdviceLedger, clock: Clock) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._opportunities = OpportunityService(store, clock)

    @classmethod
    def open(cls, path: Path, node_name: str | None = None, clock: Clock | None = None) -> Self:
        """Open the store; `StoreError` if there is none, `ConfigurationError` for a node it does not know."""
        store = StoreReader(path, node_name)
        try:
            return cls(store, AdviceLedger(path, store.node.node_id), clock or SystemClock())
        except BaseException:
            store.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()
        self._ledger.close()

    def window(self, choice: WindowChoice) -> Window:
        return self._opportunities.window(choice)

    def mark(self, number: int, status: Mark) -> None:
        """Record what the operator says became of a recommendation; only an open one can be marked."""
        entry = next((e for e in load_ledger(self._store) if e.number == number), None)
        if entry is None:
            raise ConfigurationError(f"there is no recommendation {number}: 'lnflow advice' lists them")
        if entry.status != "open":
            since = "" if entry.ended_ns is None else f" since {iso_utc(entry.ended_ns)}"
            raise ConfigurationError(
                f"recommendation {number} is {entry.status}{since}: only an open one can be marked"
            )
        self._ledger.end(number, status, self._clock.now_ns(), marked=True)

    def advise(self, window: Window, selection: Selection) -> AdviceDocument:
        """Follow up what was given, give what is new, and return the whole ledger."""
        now_ns = self._clock.now_ns()
        self._follow_up(now_ns)
        document = self._opportunities.analyze(window, selection)
        new = decisions.new_advice(document, window.since_ns, load_ledger(self._store))
        self._ledger.give([_stored(o) for o in new], now_ns)
        return ledger_document(self._store, document.node, now_ns)

    def _follow_up(self, now_ns: int) -> None:
        with self._store.consistent():
            entries = load_ledger(self._store)
            follower = Follower(self._store, entries, now_ns)
            taken = {e.number: follower.taken_ns(e) for e in entries if e.status == "open"}
        for entry in entries:
            taken_ns, expired_ns = taken.get(entry.number), decisions.expires_ns(entry, now_ns)
            if taken_ns is not None and (expired_ns is None or taken_ns < expired_ns):
                self._ledger.end(entry.number, "taken", taken_ns, marked=False)
            elif expired_ns is not None:
                self._ledger.end(entry.number, "expired", expired_ns, marked=False)


def _stored(opportunity: Opportunity) -> NewAdvice:
    expected = decisions.expected_gain(opportunity)
    return NewAdvice(
        peer_pubkey=opportunity.peer_pubkey,
        peer_alias=opportunity.peer_alias,
        cause=opportunity.cause,
        recommendation=msgspec.json.encode(opportunity.recommendation).decode(),
        expected_msat=expected.gain_per_month_msat,
        low_msat=expected.low_msat,
        high_msat=expected.high_msat,
    )
