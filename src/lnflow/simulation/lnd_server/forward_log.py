"""The settled forwards of the node and how LND pages through them (ForwardingHistory, lnd.md §2)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection

from lnflow.domain.htlc import Forward
from lnflow.domain.time import SECOND_NS

DEFAULT_PAGE = 100  # what num_max_events = 0 means: the first 100 of the range


class ForwardLog:
    """Rows in time order; the time is LND's primary key, so it is unique."""

    def __init__(self) -> None:
        self._rows: list[Forward] = []
        self._times: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> tuple[Forward, ...]:
        return tuple(self._rows)

    def add(self, forward: Forward) -> int:
        """Store a row and return the time it got: bumped by 1 ns until it is unique."""
        at_ns = forward.at_ns
        place = bisect_left(self._times, at_ns)
        while place < len(self._times) and self._times[place] == at_ns:
            at_ns += 1
            place += 1
        if at_ns != forward.at_ns:
            forward = Forward(
                in_scid=forward.in_scid,
                out_scid=forward.out_scid,
                at_ns=at_ns,
                amount_in_msat=forward.amount_in_msat,
                amount_out_msat=forward.amount_out_msat,
                in_htlc_id=forward.in_htlc_id,
                out_htlc_id=forward.out_htlc_id,
            )
        self._times.insert(place, at_ns)
        self._rows.insert(place, forward)
        return at_ns

    def delete_before(self, before_ns: int) -> int:
        """Forget rows settled before an instant (DeleteForwardingHistory); return how many there were."""
        end = bisect_left(self._times, before_ns)
        del self._times[:end], self._rows[:end]
        return end

    def page(
        self,
        *,
        start_s: int,
        end_s: int,
        index_offset: int,
        num_max_events: int,
        in_scids: Collection[int] = (),
        out_scids: Collection[int] = (),
    ) -> tuple[list[Forward], int]:
        """Return a page and its `last_offset_index`.

        Both ends are inclusive and compared in nanoseconds, so that rows within the second `end_s` are
        left out unless they fall on its very start.
        """
        limit = num_max_events or DEFAULT_PAGE
        first = bisect_left(self._times, start_s * SECOND_NS)
        last = bisect_right(self._times, end_s * SECOND_NS)
        if in_scids or out_scids:
            matching = [
                row
                for row in self._rows[first:last]
                if (not in_scids or row.in_scid in in_scids) and (not out_scids or row.out_scid in out_scids)
            ]
            page = matching[index_offset : index_offset + limit]
        else:
            page = self._rows[first + index_offset : min(last, first + index_offset + limit)]
        return page, index_offset + len(page)

    def fee_sum_msat(self, since_ns: int, until_ns: int) -> int:
        first, last = bisect_left(self._times, since_ns), bisect_right(self._times, until_ns)
        return sum(row.amount_in_msat - row.amount_out_msat for row in self._rows[first:last])
