"""Realistic traffic of a routing node, seeded and fast: the same HTLCs as facts, raw rows or LND's JSON lines.

Channels differ by orders of magnitude (log-normal weights), every incoming channel favours a few dozen outgoing
ones, about a quarter of the attempts is refused, and a refused payment is tried again within two minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lnflow.domain.causes import Cause, Outcome
from lnflow.domain.channel import ChannelPolicies, ChannelState, Policy
from lnflow.nodes.lnd.failures import FailureDetail, WireFailure
from lnflow.store.rows import AttemptFacts

Ints = NDArray[np.int64]

FIRST_NS = 1_780_272_000 * 10**9  # 2026-06-01, the begin of a UTC day
DAY_NS = 86_400 * 10**9
PER_DAY = 167_000  # 5 M attempts in 30 days: a large router
_FAVOURITES = 30
_SETTLED, _DOWNSTREAM = 0.56, 0.22  # shares of first tries; the rest is refused
_RETRIED = 0.35  # of the refused; one to three more tries each
_RETRY_NS = 120 * 10**9
_HOLD_NS = 4 * 10**9
_REFUSALS = (
    (WireFailure.TEMPORARY_CHANNEL_FAILURE, FailureDetail.INSUFFICIENT_BALANCE, Cause.INSUFFICIENT_BALANCE),
    (WireFailure.FEE_INSUFFICIENT, FailureDetail.NO_DETAIL, Cause.FEE_INSUFFICIENT),
    (WireFailure.UNKNOWN_NEXT_PEER, FailureDetail.NO_DETAIL, Cause.UNKNOWN_NEXT_PEER),
    (WireFailure.TEMPORARY_CHANNEL_FAILURE, FailureDetail.HTLC_EXCEEDS_MAX, Cause.HTLC_EXCEEDS_MAX),
)
_REFUSAL_SHARES = (0.75, 0.12, 0.08, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Htlcs:
    """Some HTLCs in order of arrival, column by column; channels are numbers from 0."""

    arrived_ns: Ints
    resolved_ns: Ints
    in_chan: Ints
    in_htlc_id: Ints
    out_chan: Ints
    out_htlc_id: Ints
    amount_in_msat: Ints
    amount_out_msat: Ints
    outcome: Ints
    refusal: Ints
    """Place in `_REFUSALS`; without meaning unless refused."""

    def __len__(self) -> int:
        return len(self.arrived_ns)

    def rows(self) -> Iterator[tuple[int, ...]]:
        """Yield the columns of each HTLC, as Python's integers."""
        columns = [cast("Ints", getattr(self, name)).tolist() for name in self.__slots__]
        return zip(*columns, strict=True)


class Traffic:
    """Endless traffic of a node; the same seed gives the same traffic."""

    def __init__(self, *, channels: int = 1_000, per_day: int = PER_DAY, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self.channels = channels
        self._spacing_ns = DAY_NS / per_day
        weights = self._random.lognormal(0, 1.5, channels)
        self._in_share = np.cumsum(weights) / weights.sum()
        leaving = self._random.lognormal(0, 1.5, channels)
        count = min(_FAVOURITES, channels)
        self._favourites = np.stack(
            [self._random.choice(channels, count, replace=False, p=leaving / leaving.sum()) for _ in range(channels)]
        )
        rank = 1 / np.arange(1, count + 1)
        self._rank_share = np.cumsum(rank) / rank.sum()
        self._next_in = np.zeros(channels, np.int64)
        self._next_out = np.zeros(channels, np.int64)
        self._now_ns = float(FIRST_NS)

    def take(self, count: int) -> Htlcs:
        """Return about `count` HTLCs that follow the ones before."""
        luck = self._random
        began_ns = self._now_ns
        first_tries = round(count / 1.154)  # retries make up the rest
        self._now_ns += count * self._spacing_ns
        arrived = np.sort(luck.uniform(began_ns, self._now_ns, first_tries)).astype(np.int64)
        in_chan = np.searchsorted(self._in_share, luck.random(first_tries))
        out_chan = self._favourites[in_chan, np.searchsorted(self._rank_share, luck.random(first_tries))]
        amount_out = luck.lognormal(18, 1.5, first_tries).astype(np.int64) + 1_000
        end = luck.random(first_tries)
        outcome = np.full(first_tries, int(Outcome.REFUSED))
        outcome[end < _SETTLED + _DOWNSTREAM] = int(Outcome.DOWNSTREAM)
        outcome[end < _SETTLED] = int(Outcome.SETTLED)
        refusal = luck.choice(len(_REFUSALS), first_tries, p=_REFUSAL_SHARES)

        again = (outcome == int(Outcome.REFUSED)) & (luck.random(first_tries) < _RETRIED)
        tries = np.repeat(np.arange(first_tries), 1 + np.where(again, luck.integers(1, 4, first_tries), 0))
        retry = np.concatenate(([False], tries[1:] == tries[:-1]))
        arrived = arrived[tries]
        arrived[retry] += luck.integers(10**9, _RETRY_NS, int(retry.sum()))
        arrived = np.minimum(arrived, int(self._now_ns))
        in_order = np.argsort(arrived, kind="stable")
        tries, arrived = tries[in_order], arrived[in_order]

        in_chan, out_chan, amount_out, outcome = in_chan[tries], out_chan[tries], amount_out[tries], outcome[tries]
        passed_on = outcome != int(Outcome.REFUSED)
        hold = luck.exponential(_HOLD_NS, len(tries)).astype(np.int64) + 10**6
        return Htlcs(
            arrived_ns=arrived,
            resolved_ns=np.where(passed_on, arrived + hold, arrived),
            in_chan=in_chan,
            in_htlc_id=_count_up(self._next_in, in_chan, np.ones(len(tries), bool)),
            out_chan=out_chan,
            out_htlc_id=_count_up(self._next_out, out_chan, passed_on),
            amount_in_msat=amount_out + 1_000 + amount_out // 4_000,
            amount_out_msat=amount_out,
            outcome=outcome,
            refusal=refusal[tries],
        )

    def chunks(self, total: int, size: int = 50_000) -> Iterator[Htlcs]:
        """Yield about `total` HTLCs, about `size` at a time."""
        done = 0
        while done < total:
            htlcs = self.take(min(size, total - done))
            done += len(htlcs)
            yield htlcs


def _count_up(following: Ints, chan: Ints, counted: NDArray[np.bool_]) -> Ints:
    """Number the counted rows of each channel on from `following`, which moves on; others get the next number."""
    by_chan = np.argsort(chan, kind="stable")
    ordered = chan[by_chan]
    steps: Ints = np.cumsum(counted[by_chan]) - counted[by_chan]
    starts = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    base = np.maximum.accumulate(np.where(starts, np.arange(len(chan)), 0))
    numbers = np.empty(len(chan), np.int64)
    numbers[by_chan] = steps - steps[base]
    numbers += following[chan]
    following += np.bincount(chan[counted], minlength=len(following))
    return numbers


def scid(chan: int) -> int:
    """Return the short channel id of a channel number."""
    return (700_000 + chan) << 40 | 1 << 16


def to_facts(htlcs: Htlcs) -> list[AttemptFacts]:
    """Return what the joiner would make of the events of these HTLCs."""
    facts: list[AttemptFacts] = []
    refused = int(Outcome.REFUSED)
    for arrived, resolved, in_chan, in_id, out_chan, out_id, amount_in, amount_out, outcome, refusal in htlcs.rows():
        wire, detail, cause = _REFUSALS[refusal] if outcome == refused else (0, 0, Cause.NONE)
        used = outcome != refused
        facts.append(
            AttemptFacts(
                scid(in_chan), in_id, scid(out_chan), out_id if used else None, int(used),
                resolved if used else arrived, amount_in, amount_out, arrived, resolved, None,
                outcome, int(cause), int(wire), int(detail), 1,
            )
        )  # fmt: skip
    return facts


def to_lines(htlcs: Htlcs) -> list[str]:
    """Return the events of these HTLCs as LND's gRPC-JSON lines, in order of time, without line breaks."""
    lines: list[tuple[int, str]] = []
    settled, refused = int(Outcome.SETTLED), int(Outcome.REFUSED)
    for arrived, resolved, in_chan, in_id, out_chan, out_id, amount_in, amount_out, outcome, refusal in htlcs.rows():
        head = (
            f'{{"incoming_channel_id": "{scid(in_chan)}", "outgoing_channel_id": "{scid(out_chan)}",'
            f' "incoming_htlc_id": "{in_id}", "outgoing_htlc_id": "{out_id if outcome != refused else 0}",'
            ' "timestamp_ns": "'
        )
        info = (
            f'{{"incoming_timelock": 800120, "outgoing_timelock": 800040, "incoming_amt_msat": "{amount_in}",'
            f' "outgoing_amt_msat": "{amount_out}"}}'
        )
        if outcome == refused:
            wire, detail, _ = _REFUSALS[refusal]
            lines.append(
                (
                    arrived,
                    f'{head}{arrived}", "event_type": "FORWARD", "link_fail_event": {{"info": {info}, "wire_failure":'
                    f' "{wire.name}", "failure_detail": "{detail.name}", "failure_string": "refused"}}}}',
                )
            )
        else:
            lines.append((arrived, f'{head}{arrived}", "event_type": "FORWARD", "forward_event": {{"info": {info}}}}}'))
            end = '"settle_event": {"preimage": ""}' if outcome == settled else '"forward_fail_event": {}'
            lines.append((resolved, f'{head}{resolved}", "event_type": "FORWARD", {end}}}'))
        lines.append(
            (
                resolved + 10**6,
                f'{{"incoming_channel_id": "{scid(in_chan)}", "outgoing_channel_id": "0",'
                f' "incoming_htlc_id": "{in_id}", "outgoing_htlc_id": "0",'
                f' "timestamp_ns": "{resolved + 10**6}", "event_type": "UNKNOWN",'
                f' "final_htlc_event": {{"settled": {str(outcome == settled).lower()}, "offchain": true}}}}',
            )
        )
    lines.sort()
    return [line for _, line in lines]


def listing(channels: int) -> list[ChannelState]:
    """Return our channels as a node lists them, two with each peer."""
    return [
        ChannelState(
            channel_point=_point(number),
            scid=scid(number),
            other_scids=(),
            peer_pubkey=_pubkey(number),
            peer_alias=f"peer-{number // 2}",
            capacity_sat=10_000_000,
            local_msat=5_000_000_000,
            remote_msat=5_000_000_000,
            unsettled_msat=0,
            commit_fee_sat=2_810,
            local_reserve_sat=100_000,
            remote_reserve_sat=100_000,
            initiator=True,
            private=False,
            active=True,
        )
        for number in range(channels)
    ]


def prices(channels: int) -> list[ChannelPolicies]:
    """Return what both ends of every channel ask."""
    policy = Policy(
        base_fee_msat=1_000, fee_ppm=250, time_lock_delta=80, min_htlc_msat=1_000, max_htlc_msat=9_900_000_000
    )
    return [
        ChannelPolicies(
            scid=scid(number),
            channel_point=_point(number),
            peer_pubkey=_pubkey(number),
            ours=policy,
            theirs=policy,
            capacity_sat=10_000_000,
        )
        for number in range(channels)
    ]


def _pubkey(number: int) -> str:
    return f"03{number // 2:064x}"


def _point(number: int) -> str:
    return f"{number:064x}:0"


def main() -> None:
    """Write so many lines of events to standard output."""
    left = int(sys.argv[1])
    for htlcs in Traffic().chunks(left, 20_000):
        lines = to_lines(htlcs)[:left]
        sys.stdout.write("\n".join(lines) + "\n")
        left -= len(lines)
        if not left:
            return


if __name__ == "__main__":
    main()
