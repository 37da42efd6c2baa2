"""Events and stores for tests: name only what matters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lnflow.domain.causes import Cause
from lnflow.domain.htlc import DownstreamFailed, HtlcEvent, Offered, Refused, Settled
from lnflow.domain.time import HOUR_NS, SECOND_NS
from lnflow.ingest.join import Joiner
from lnflow.store.blocks import Block
from lnflow.store.writing import StoreWriter

T0 = 500_000 * HOUR_NS  # a whole hour and a whole six-hour period, 2027-01-15T08:00Z
IN, OUT = 100 << 40, 200 << 40


def rows_of(block: Block) -> list[tuple[Any, ...]]:
    """Return the rows of a block, as SQL would."""
    return list(zip(*(column.tolist() for column in block.values()), strict=True))


def offered(
    htlc: int, at_ns: int = T0, *, out_msat: int = 70_000_000, fee_msat: int = 7_000, out: int = OUT
) -> Offered:
    return Offered(IN, htlc, at_ns, out, htlc, out_msat + fee_msat, out_msat)


def settled(htlc: int, at_ns: int = T0 + SECOND_NS, *, out: int = OUT) -> Settled:
    return Settled(IN, htlc, at_ns, out, htlc)


def downstream(htlc: int, at_ns: int = T0 + SECOND_NS, *, out: int = OUT) -> DownstreamFailed:
    return DownstreamFailed(IN, htlc, at_ns, out, htlc)


def refused(
    htlc: int,
    at_ns: int = T0,
    *,
    out_msat: int | None = 70_000_000,
    fee_msat: int = 7_000,
    out: int = OUT,
    cause: Cause = Cause.INSUFFICIENT_BALANCE,
) -> Refused:
    amount_in = None if out_msat is None else out_msat + fee_msat
    return Refused(IN, htlc, at_ns, out, cause, amount_in, out_msat, 15, 6)


def stored(path: Path, events: Sequence[HtlcEvent], upkept_ns: int) -> Path:
    """Make a store of these events, with totals and blocks of what had ended by then."""
    with StoreWriter(path, "node") as writer:
        write(writer, events)
        writer.upkeep(upkept_ns)
    return path


def write(writer: StoreWriter, events: Iterable[HtlcEvent]) -> None:
    """Store events as one batch."""
    joiner = Joiner()
    for event in events:
        joiner.add(event)
    writer.write_batch(joiner.take())


def dump(path: Path) -> dict[str, list[str]]:
    """Return everything that was counted, in a form that does not depend on numbers given in passing."""
    con = sqlite3.connect(path)
    names = dict(con.execute("SELECT channel_id, coalesce(channel_point, 'scid ' || scid) FROM channel"))
    result: dict[str, list[str]] = {}
    for table, keys in _COUNTED.items():
        columns = [row[1] for row in con.execute(f"PRAGMA table_info({table})")]
        rows = []
        for values in con.execute(f"SELECT * FROM {table}"):
            row = dict(zip(columns, values, strict=True))
            for column in ("in_chan", "out_chan", "chan"):
                if column in row:
                    row[column] = names.get(row[column], row[column])
            for column in ("attempt_id", "demand_id", "twin"):
                row.pop(column, None)
            if any(value for column, value in row.items() if column not in keys):
                rows.append(repr(sorted(row.items())))
        result[table] = sorted(rows)
    con.close()
    return result


def check_rollups(path: Path) -> None:
    """Assert that the rollups are exactly the sums of the rows."""
    con = sqlite3.connect(path)
    fee = "max(coalesce(amount_in_msat - amount_out_msat, 0), 0)"
    for rollup, rows in (
        (
            "SELECT chan, hour, sum(out_settled), sum(earned_msat), sum(out_refused), sum(out_downstream),"
            " sum(out_pending) FROM channel_hour GROUP BY 1, 2 HAVING sum(out_settled) + sum(out_refused)"
            " + sum(out_downstream) + sum(out_pending) <> 0",
            f"SELECT out_chan, accounted_ns / {HOUR_NS}, sum(outcome = 4), sum((outcome = 4) * {fee}),"
            " sum(outcome = 3), sum(outcome = 2), sum(outcome <= 1) FROM attempt WHERE twin IS NULL GROUP BY 1, 2",
        ),
        (
            "SELECT chan, hour, cause, attempts, msat, fee_msat FROM refusal_hour WHERE attempts <> 0",
            f"SELECT out_chan, accounted_ns / {HOUR_NS}, cause, count(*), sum(coalesce(amount_out_msat, 0)),"
            f" sum({fee}) FROM attempt WHERE outcome = 3 AND twin IS NULL GROUP BY 1, 2, 3",
        ),
        (
            "SELECT in_chan, out_chan, day, outcome, cause, attempts, msat, fee_msat FROM pair_day WHERE attempts <> 0",
            f"SELECT in_chan, out_chan, accounted_ns / {24 * HOUR_NS}, outcome, cause, count(*),"
            f" sum(coalesce(amount_out_msat, 0)), sum({fee}) FROM attempt WHERE twin IS NULL GROUP BY 1, 2, 3, 4, 5",
        ),
    ):
        assert sorted(con.execute(rollup)) == sorted(con.execute(rows)), rollup
    con.close()


_COUNTED: dict[str, Sequence[str]] = {
    "attempt": (),
    "channel_hour": ("node_id", "hour", "chan"),
    "refusal_hour": ("node_id", "hour", "chan", "cause"),
    "pair_day": ("node_id", "day", "in_chan", "out_chan", "outcome", "cause"),
    "demand": (),
    "served": (),
}
