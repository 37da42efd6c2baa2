"""What a store says over all time, for comparing with the fake node."""

from __future__ import annotations

from pathlib import Path

from lnflow.domain.causes import Cause
from lnflow.domain.time import HOUR_NS, SystemClock
from lnflow.store.reading import StoreReader


class Stored:
    """What the store says over all time."""

    def __init__(self, database: Path) -> None:
        with StoreReader(database) as store, store.consistent():
            until_ns = SystemClock().now_ns() + 100 * HOUR_NS
            flows = store.flows(0, until_ns)
            self.fees_msat = sum(f.earned_msat for f in flows)
            self.sourced_msat = sum(f.sourced_msat for f in flows)
            self.settled = sum(f.out_settled for f in flows)
            self.downstream = sum(f.out_downstream for f in flows)
            self.pending = sum(f.in_pending for f in flows)
            self.causes: dict[str, int] = {}
            for row in store.refusals(0, until_ns):
                self.causes[Cause(row.cause).text] = self.causes.get(Cause(row.cause).text, 0) + row.attempts
            self.refused = sum(f.in_refused for f in flows)
            self.covered = store.coverage(0, until_ns).intervals
            self.channels = {c.channel_point: c for c in store.channels(until_ns)}
