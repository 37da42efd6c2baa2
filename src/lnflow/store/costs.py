"""What running the node costs: circular payments, wallet transactions, closings; and what they are set against."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import msgspec
from msgspec import Struct

from lnflow.domain.causes import Outcome
from lnflow.domain.channel import ClosedChannel, Policy
from lnflow.domain.costs import CircularHtlc, WalletTransaction
from lnflow.store.rows import WriteReport
from lnflow.store.signed import to_signed

PAYMENTS_CURSOR = "payments"
"""Index of the last payment read; that there is one says that circular payments are known."""
WALLET_CURSOR = "wallet"
"""Block height up to which the wallet was read; that there is one says that on-chain costs are known."""

_outputs = msgspec.json.Decoder(tuple[tuple[int, int], ...])
_spends = msgspec.json.Decoder(tuple[str, ...])


class CircularRow(Struct, frozen=True, gc=False):
    """What came back to us by one channel in a window; `chan` None if only the peer is known, or neither."""

    chan: int | None
    in_peer: str | None
    parts: int
    amount_msat: int
    fee_msat: int


class FundingRow(Struct, frozen=True, gc=False):
    """How a channel began and ended on the chain."""

    chan: int
    channel_point: str
    scid: int | None
    capacity_sat: int | None
    opened_by_us: bool | None
    closing_txid: str | None
    close_height: int | None


class CapitalRow(Struct, frozen=True, gc=False):
    """Our balance in a channel, averaged over the part of a window for which it is known."""

    chan: int
    local_msat: int


class PriceRow(Struct, frozen=True, gc=False):
    """What we asked on a channel from a time on."""

    chan: int
    since_ns: int
    policy: Policy


class ForwardRow(Struct, frozen=True, gc=False):
    """A settled forward; `at_ns` is when it came in, by whose prices it was judged."""

    in_chan: int
    out_chan: int
    at_ns: int
    amount_in_msat: int
    amount_out_msat: int


def write_circular(con: sqlite3.Connection, node_id: int, parts: Iterable[CircularHtlc]) -> WriteReport:
    report = WriteReport()
    for part in parts:
        stored = con.execute(
            "INSERT OR IGNORE INTO circular_htlc VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                node_id, part.payment_hash, part.part, part.at_ns, to_signed(part.out_scid),
                to_signed(part.in_scid), part.in_peer_pubkey, part.amount_msat, part.fee_msat,
            ),
        ).rowcount  # fmt: skip
        report.new += stored
        report.known += not stored
    return report


def write_transactions(con: sqlite3.Connection, node_id: int, transactions: Iterable[WalletTransaction]) -> None:
    con.executemany(
        "INSERT OR REPLACE INTO wallet_transaction VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                node_id, t.txid, t.at_ns, t.block_height, t.fee_sat, t.label,
                msgspec.json.encode(t.outputs).decode(), msgspec.json.encode(t.spends).decode(),
            )
            for t in transactions
        ),
    )  # fmt: skip


def write_closings(con: sqlite3.Connection, node_id: int, closed: Iterable[ClosedChannel]) -> None:
    con.executemany(
        """INSERT INTO channel_close VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
             closing_txid = excluded.closing_txid, close_height = excluded.close_height,
             opened_by_us = coalesce(excluded.opened_by_us, opened_by_us)""",
        ((node_id, c.channel_point, c.closing_txid, c.close_height, c.opened_by_us) for c in closed),
    )


class StoredCosts:
    """Questions about the costs of one node; windows are half open."""

    def __init__(self, con: sqlite3.Connection, node_id: int) -> None:
        self._con = con
        self._node_id = node_id

    def circular(self, since_ns: int, until_ns: int) -> list[CircularRow] | None:
        """Return what came back by each channel; None if circular payments were never read."""
        if not self._is_known(PAYMENTS_CURSOR):
            return None
        rows = self._con.execute(
            """SELECT s.channel_id, c.in_peer, count(*), sum(c.amount_msat), sum(c.fee_msat) FROM circular_htlc c
                 LEFT JOIN channel_scid s ON s.node_id = c.node_id AND s.scid = c.in_scid
               WHERE c.node_id = ? AND c.at_ns >= ? AND c.at_ns < ? GROUP BY 1, 2 ORDER BY 1, 2""",
            (self._node_id, since_ns, until_ns),
        )
        return [CircularRow(*row) for row in rows]

    def circular_parts(self, peer_pubkey: str, since_ns: int) -> list[tuple[int, int]]:
        """Return time and amount of what came back by any channel of a peer, in order of time."""
        return self._con.execute(
            """SELECT c.at_ns, c.amount_msat FROM circular_htlc c
                 LEFT JOIN channel_scid s ON s.node_id = c.node_id AND s.scid = c.in_scid
                 LEFT JOIN channel k ON k.channel_id = s.channel_id LEFT JOIN peer p ON p.peer_id = k.peer_id
               WHERE c.node_id = ? AND c.at_ns >= ? AND coalesce(p.pubkey, c.in_peer) = ? ORDER BY 1""",
            (self._node_id, since_ns, peer_pubkey),
        ).fetchall()

    def transactions(self) -> list[WalletTransaction] | None:
        """Return all transactions of the wallet, oldest first; None if they were never read."""
        if not self._is_known(WALLET_CURSOR):
            return None
        rows = self._con.execute(
            """SELECT txid, at_ns, block_height, fee_sat, label, outputs, spends FROM wallet_transaction
               WHERE node_id = ? ORDER BY block_height, txid""",
            (self._node_id,),
        )
        return [
            WalletTransaction(
                txid=txid, at_ns=at_ns, block_height=height, fee_sat=fee_sat, label=label,
                outputs=_outputs.decode(outputs), spends=_spends.decode(spends),
            )
            for txid, at_ns, height, fee_sat, label, outputs, spends in rows
        ]  # fmt: skip

    def fundings(self) -> list[FundingRow]:
        """Return every channel whose funding transaction is known."""
        rows = self._con.execute(
            """SELECT channel_id, c.channel_point, scid, capacity_sat, coalesce(initiator, opened_by_us), closing_txid,
                 coalesce(x.close_height, closed_height)
               FROM channel c LEFT JOIN channel_close x ON x.node_id = c.node_id AND x.channel_point = c.channel_point
               WHERE c.node_id = ? AND c.channel_point IS NOT NULL ORDER BY channel_id""",
            (self._node_id,),
        )
        return [
            FundingRow(chan, point, scid, capacity, None if ours is None else bool(ours), txid or None, height)
            for chan, point, scid, capacity, ours, txid, height in rows
        ]

    def capital(self, since_ns: int, until_ns: int) -> list[CapitalRow]:
        """Return our mean balance in each channel, each listing weighted by how long it held.

        A closed channel's last listing holds for no time at all.
        """
        rows = self._con.execute(
            """SELECT c.channel_id, at_ns, local_msat, closed_height IS NULL
               FROM channel c CROSS JOIN channel_snapshot s  -- in this order: what lies before is not read
                 ON s.node_id = ?1 AND s.chan = c.channel_id AND at_ns < ?3
                 AND at_ns >= coalesce((SELECT max(at_ns) FROM channel_snapshot
                   WHERE node_id = ?1 AND chan = c.channel_id AND at_ns <= ?2), ?2)
               WHERE +c.node_id = ?1 ORDER BY c.channel_id, at_ns""",  # +: in the order of channels, unsorted
            (self._node_id, since_ns, until_ns),
        )
        return [
            row for chan, listed in groupby(rows, key=itemgetter(0)) for row in _mean(chan, listed, since_ns, until_ns)
        ]

    def our_prices(self) -> list[PriceRow]:
        """Return all our policies there ever were, by channel and time."""
        rows = self._con.execute(
            """SELECT chan, since_ns, base_fee_msat, fee_ppm, time_lock_delta, min_htlc_msat, max_htlc_msat,
                 inbound_base_fee_msat, inbound_fee_ppm, disabled FROM policy
               WHERE node_id = ? AND side = 0 ORDER BY chan, since_ns""",
            (self._node_id,),
        )
        return [
            PriceRow(
                chan,
                since_ns,
                Policy(
                    base_fee_msat=base, fee_ppm=ppm, time_lock_delta=delta, min_htlc_msat=least, max_htlc_msat=most,
                    inbound_base_fee_msat=inbound_base, inbound_fee_ppm=inbound_ppm, disabled=bool(disabled),
                ),
            )
            for chan, since_ns, base, ppm, delta, least, most, inbound_base, inbound_ppm, disabled in rows
        ]  # fmt: skip

    def forwards_in(self, chans: Sequence[int], since_ns: int, until_ns: int) -> list[ForwardRow] | None:
        """Return the settled forwards that came in by some channels; None if not all of their rows are kept."""
        raw_since_ns = self._con.execute(
            "SELECT raw_since_ns FROM node_state WHERE node_id = ?", (self._node_id,)
        ).fetchone()[0]
        if raw_since_ns is not None and since_ns < raw_since_ns:
            return None
        rows = self._con.execute(
            f"""SELECT in_chan, out_chan, coalesce(arrived_ns, accounted_ns), amount_in_msat, amount_out_msat
                FROM attempt
                WHERE node_id = ? AND accounted_ns >= ? AND accounted_ns < ? AND outcome = {Outcome.SETTLED:d}
                  AND twin IS NULL AND amount_in_msat IS NOT NULL AND amount_out_msat IS NOT NULL
                  AND in_chan IN ({", ".join(str(int(c)) for c in chans)})""",
            (self._node_id, since_ns, until_ns),
        )
        return [ForwardRow(*row) for row in rows]

    def _is_known(self, cursor: str) -> bool:
        return (
            self._con.execute("SELECT 1 FROM cursor WHERE node_id = ? AND name = ?", (self._node_id, cursor)).fetchone()
            is not None
        )


def _mean(chan: int, listed: Iterable[tuple[int, int, int, int]], since_ns: int, until_ns: int) -> Iterator[CapitalRow]:
    """Yield the mean of one channel's listings, in order of time; nothing if none of them held for any time."""
    area = held_ns = local = 0
    began_ns: int | None = None
    still_open = False
    for _, at_ns, local_msat, is_open in listed:
        at_ns = max(at_ns, since_ns)
        if began_ns is not None:
            area += local * (at_ns - began_ns)
            held_ns += at_ns - began_ns
        began_ns, local, still_open = at_ns, local_msat, bool(is_open)
    if began_ns is not None and still_open:
        area += local * (until_ns - began_ns)
        held_ns += until_ns - began_ns
    if held_ns:
        yield CapitalRow(chan, round(area / held_ns))
