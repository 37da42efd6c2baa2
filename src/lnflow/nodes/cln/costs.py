"""What rebalancing and transactions cost: from the node's ledger of channel moves and from its bookkeeper.

A rebalance is two moves of one payment hash tagged `invoice`: what left one channel and what came back by
another; the difference is its cost, to the msat.  The node's own names and labels do not matter.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from msgspec import Struct

from lnflow.domain.costs import CircularHtlc, WalletTransaction
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.wire import Msat, msat
from lnflow.nodes.port import PaymentPage

_PAGE = 1000
_OVERLAP = 200  # both legs of a payment stand near each other; a page may have cut between them


class _Move(Struct, frozen=True):
    created_index: int
    account_id: str
    credit_msat: Msat
    debit_msat: Msat
    timestamp: int
    primary_tag: str
    payment_hash: str | None = None
    part_id: int | None = None


class _Moves(Struct, frozen=True):
    channelmoves: list[_Move]


class _Input(Struct, frozen=True):
    txid: str
    index: int


class _Output(Struct, frozen=True):
    index: int
    amount_msat: Msat


class _Transaction(Struct, frozen=True):
    hash: str
    blockheight: int
    inputs: list[_Input]
    outputs: list[_Output]


class _Income(Struct, frozen=True):
    tag: str
    debit_msat: Msat
    timestamp: int
    account: str = ""
    txid: str | None = None
    outpoint: str | None = None


async def circular_payments(
    rpc: ClnRpc, after: int, channels: Mapping[str, tuple[int, str]]
) -> AsyncGenerator[PaymentPage, None]:
    """Yield rebalances found in the moves after an index; `channels` gives SCID and peer by channel_id.

    Some moves before are read again, so a page may repeat what an earlier one had.  Raises `RpcRefused` before
    v25.09, which has no such ledger.
    """
    start = max(1, after + 1 - _OVERLAP)
    credits: dict[str, _Move] = {}
    debits: dict[str, list[_Move]] = {}
    while True:
        page = (
            await rpc.call("listchannelmoves", {"index": "created", "start": start, "limit": _PAGE}, _Moves)
        ).channelmoves
        found: list[CircularHtlc] = []
        for move in page:
            if move.primary_tag != "invoice" or move.payment_hash is None:
                continue
            if msat(move.credit_msat):
                credits[move.payment_hash] = move
            else:
                debits.setdefault(move.payment_hash, []).append(move)
            found += _matched(move.payment_hash, credits, debits, channels)
        if page:
            start = page[-1].created_index + 1
            yield PaymentPage(tuple(found), page[-1].created_index)
        if len(page) < _PAGE:
            return
        oldest = start - _OVERLAP
        credits = {h: m for h, m in credits.items() if m.created_index >= oldest}
        debits = {h: ms for h, ms in debits.items() if ms[-1].created_index >= oldest}


def _matched(
    payment_hash: str,
    credits: dict[str, _Move],
    debits: dict[str, list[_Move]],
    channels: Mapping[str, tuple[int, str]],
) -> list[CircularHtlc]:
    """Return the rebalance whose two legs are known; several parts at once cannot be told apart and are left out."""
    credit, out = credits.get(payment_hash), debits.get(payment_hash, [])
    if credit is None or len(out) != 1:
        return []
    in_scid, in_peer = channels.get(credit.account_id, (0, ""))
    out_scid, _ = channels.get(out[0].account_id, (0, ""))
    arrived = msat(credit.credit_msat)
    return [
        CircularHtlc(
            payment_hash=payment_hash,
            part=out[0].part_id or 0,
            at_ns=credit.timestamp * SECOND_NS,
            out_scid=out_scid,
            in_scid=in_scid,
            in_peer_pubkey=in_peer or None,
            amount_msat=arrived,
            fee_msat=msat(out[0].debit_msat) - arrived,
        )
    ]


async def wallet_transactions(rpc: ClnRpc, since_height: int) -> list[WalletTransaction]:
    """Return the wallet's confirmed transactions; fees and times are the bookkeeper's, which knows ours alone.

    A transaction that the bookkeeper has no on-chain fee for is left out: it cost us nothing.
    """
    fees: dict[str, int] = {}
    times: dict[str, int] = {}
    async for events in rpc.elements("bkpr-listincome", {}, "income_events", _Income):
        for event in events:
            if event.tag == "onchain_fee" and event.txid is not None:
                fees[event.txid] = fees.get(event.txid, 0) + msat(event.debit_msat)
                times.setdefault(event.txid, event.timestamp)
    found: list[WalletTransaction] = []
    async for transactions in rpc.elements("listtransactions", {}, "transactions", _Transaction):
        found += [
            WalletTransaction(
                txid=tx.hash,
                at_ns=times[tx.hash] * SECOND_NS,
                block_height=tx.blockheight,
                fee_sat=fees[tx.hash] // 1000,
                label="",
                outputs=tuple((o.index, msat(o.amount_msat) // 1000) for o in tx.outputs),
                spends=tuple(f"{i.txid}:{i.index}" for i in tx.inputs),
            )
            for tx in transactions
            if tx.hash in fees and tx.blockheight >= max(1, since_height)
        ]
    return found
