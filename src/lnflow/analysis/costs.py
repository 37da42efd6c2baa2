"""What channels cost on the chain: whose transaction it was, what it cost, and how it is shared out.

- A funding transaction of our wallet: its fee, shared evenly by all channels that it opened (a batch).
- A closing transaction: what the channel held less what all its outputs got.  It is the opener's to pay.
- A sweep of closed channels: what went in less what came out, shared by the channels it came from.

Shares are whole msat and add up to the fee exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from msgspec import Struct

from lnflow.domain.costs import WalletTransaction

_MSAT = 1000


class CostKind(Enum):
    OPEN = "open"
    CLOSE = "close"
    SWEEP = "sweep"


class Funding(Struct, frozen=True, kw_only=True, gc=False):
    """How a channel began and ended; `opened_by_us` None is not known."""

    channel_point: str
    capacity_sat: int | None
    opened_by_us: bool | None
    closing_txid: str | None


class OnchainCost(Struct, frozen=True, kw_only=True, gc=False):
    """One channel's share of a transaction's fee; `fee_msat` None: it cost something, but not known what."""

    channel_point: str
    kind: CostKind
    at_ns: int
    fee_msat: int | None


def onchain_costs(channels: Sequence[Funding], transactions: Sequence[WalletTransaction]) -> list[OnchainCost]:
    """Return what each transaction cost each channel; transactions that are about no channel are left out."""
    opened: dict[str, list[Funding]] = {}
    closed: dict[str, Funding] = {}
    for channel in sorted(channels, key=lambda c: c.channel_point):
        opened.setdefault(_txid(channel.channel_point), []).append(channel)
        if channel.closing_txid:
            closed[channel.closing_txid] = channel
    amounts = {f"{t.txid}:{place}": sat for t in transactions for place, sat in t.outputs}
    costs: list[OnchainCost] = []
    for t in transactions:
        if t.txid in opened:
            costs += _shared(t, CostKind.OPEN, opened[t.txid], t.fee_sat)
        elif t.txid in closed:
            costs.append(_closing(t, closed[t.txid]))
        else:
            swept = list(dict.fromkeys(_txid(point) for point in t.spends if _txid(point) in closed))
            if swept:
                costs += _shared(t, CostKind.SWEEP, [closed[txid] for txid in swept], _sweep_fee_sat(t, amounts))
    return costs


def split_msat(total_msat: int, shares: int) -> list[int]:
    """Return equal shares that add up; the first ones are a msat larger if it does not divide.

    >>> split_msat(1_000, 3)
    [334, 333, 333]
    """
    each, rest = divmod(total_msat, shares)
    return [each + (n < rest) for n in range(shares)]


def _shared(
    t: WalletTransaction, kind: CostKind, channels: Sequence[Funding], fee_sat: int | None
) -> Iterable[OnchainCost]:
    shares: Sequence[int | None] = [None] * len(channels)
    if fee_sat is not None:
        shares = split_msat(fee_sat * _MSAT, len(channels))
    for channel, fee_msat in zip(channels, shares, strict=True):
        yield OnchainCost(channel_point=channel.channel_point, kind=kind, at_ns=t.at_ns, fee_msat=fee_msat)


def _closing(t: WalletTransaction, channel: Funding) -> OnchainCost:
    fee_msat: int | None = None
    if channel.opened_by_us is False:
        fee_msat = 0
    elif channel.opened_by_us and channel.capacity_sat is not None and t.outputs:
        fee_msat = max(0, channel.capacity_sat - sum(sat for _, sat in t.outputs)) * _MSAT
    return OnchainCost(channel_point=channel.channel_point, kind=CostKind.CLOSE, at_ns=t.at_ns, fee_msat=fee_msat)


def _sweep_fee_sat(t: WalletTransaction, amounts: dict[str, int]) -> int | None:
    if t.fee_sat:
        return t.fee_sat
    inputs = [amounts.get(point) for point in t.spends]
    known = [sat for sat in inputs if sat is not None]
    if len(known) < len(inputs) or not t.outputs:
        return None
    return max(0, sum(known) - sum(sat for _, sat in t.outputs))


def _txid(channel_point: str) -> str:
    return channel_point.partition(":")[0]
