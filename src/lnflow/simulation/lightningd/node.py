"""The fake node: channels, what becomes of an HTLC, what is recorded and what is announced."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from lnflow.simulation.lightningd.channel import FORWARDING, Channel, Htlc, State, Terms
from lnflow.simulation.lightningd.checks import (
    NAMES,
    Refusal,
    check_expiry,
    check_incoming,
    check_room,
    check_terms,
)
from lnflow.simulation.lightningd.forwards import SECOND_NS, Forwards, Row
from lnflow.simulation.lightningd.personality import Personality

Listener = Callable[[str, dict[str, Any]], None]


class FakeNode:
    """One router.  Everything happens at `clock()`; HTLCs stay in flight until `settle` or `fail`."""

    def __init__(
        self,
        personality: Personality,
        *,
        node_id: str,
        alias: str,
        clock: Callable[[], int],
        network: str = "regtest",
        block_height: int = 500,
        max_concurrent_htlcs: int = 483,
    ) -> None:
        self.personality = personality
        self.node_id = node_id
        self.alias = alias
        self.clock = clock
        self.network = network
        self.block_height = block_height
        self.max_concurrent_htlcs = max_concurrent_htlcs
        self.channels: dict[str, Channel] = {}
        self.closed: list[Channel] = []
        self.aliases: dict[str, str] = {node_id: alias}
        self.connected: set[str] = set()
        self.reestablished_ns: dict[str, int] = {}
        self.forwards = Forwards()
        self.fees_collected_msat = 0
        self.moves: list[dict[str, Any]] = []
        self.network_events: list[dict[str, Any]] = []
        self.feerates_perkb: dict[int, int] = {2: 20_000, 6: 12_000, 12: 8_000, 100: 2_000}
        self.transactions: list[dict[str, Any]] = []
        self.income_events: list[dict[str, Any]] = []
        self.autoclean_age_s: dict[str, int] = {}
        self.truth: dict[tuple[str, int], str] = {}
        self.unrecorded: list[str] = []
        self._listeners: list[Listener] = []
        self._changed: list[Callable[[], None]] = []

    # -- who listens

    def listen(self, listener: Listener) -> None:
        """Hand every notification to `listener(topic, payload)`, in order."""
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def on_index_change(self, wake: Callable[[], None]) -> None:
        self._changed.append(wake)

    def announce(self, topic: str, payload: dict[str, Any]) -> None:
        for listener in list(self._listeners):
            listener(topic, payload)

    def index_changed(self) -> None:
        """Tell those who wait for an index."""
        for wake in self._changed:
            wake()

    # -- peers and channels

    def add_channel(self, channel: Channel) -> Channel:
        self.channels[channel.channel_id] = channel
        self.connected.add(channel.peer_id)
        return channel

    def link_is_up(self, peer_id: str) -> bool:
        """Whether the peer is there and its channels are re-established."""
        return peer_id in self.connected and self.clock() >= self.reestablished_ns.get(peer_id, 0)

    def connect(self, peer_id: str, *, reestablish_ns: int = 0) -> None:
        """The peer is back; its channels take `reestablish_ns` more until they can forward."""
        self.connected.add(peer_id)
        self.reestablished_ns[peer_id] = self.clock() + reestablish_ns
        self._network_event(peer_id, "connect")
        address = {"type": "ipv4", "address": "127.0.0.1", "port": 9735}
        self.announce("connect", {"id": peer_id, "direction": "in", "address": address})

    def disconnect(self, peer_id: str) -> None:
        self.connected.discard(peer_id)
        self._network_event(peer_id, "disconnect")
        self.announce("disconnect", {"id": peer_id})

    def find_channel(self, name: str) -> Channel | None:
        """Return the channel with this SCID (older ones too), alias or channel_id."""
        for channel in self.channels.values():
            if name in (channel.scid, channel.alias, channel.channel_id) or name in channel.older_scids:
                return channel
        return None

    def splice(self, channel: Channel, new_scid: str, *, add_msat: int = 0) -> None:
        """Lock a splice in: the SCID changes, channel_id and aliases stay, the old SCID still works."""
        if channel.scid is not None:
            channel.older_scids.append(channel.scid)
        channel.scid = new_scid
        channel.total_msat += add_msat
        channel.to_us_msat += add_msat
        self.set_state(channel, State.NORMAL, "splice locked")

    def set_state(self, channel: Channel, state: State, message: str = "", *, cause: str = "user") -> None:
        old, channel.state = channel.state, state
        payload: dict[str, Any] = {
            "peer_id": channel.peer_id,
            "channel_id": channel.channel_id,
            "short_channel_id": channel.scid,
            "timestamp": _iso(self.clock()),
            "old_state": old.value,
            "new_state": state.value,
            "cause": cause,
            "message": message,
        }
        self.announce("channel_state_changed", {k: v for k, v in payload.items() if v is not None})

    def forget_channel(self, channel: Channel) -> None:
        """The close is buried deep: the channel moves to listclosedchannels."""
        del self.channels[channel.channel_id]
        channel.state = State.ONCHAIN
        self.closed.append(channel)

    def restart(self) -> None:
        """Stop and start: what only memory held is gone (the older policies)."""
        self.announce("shutdown", {})
        for channel in self.channels.values():
            channel.older_terms = None

    # -- one HTLC

    def forward(
        self,
        in_channel: Channel,
        out: str | None,
        *,
        in_msat: int,
        out_msat: int,
        payment_hash: str | None = None,
        cltv_delta: int = 40,
        expiry_blocks: int = 100,
        onion_error: int | None = None,
    ) -> Row:
        """An HTLC arrives on `in_channel` for `out` (SCID or alias): refuse it, or offer it to the next hop.

        `onion_error` makes the onion unreadable with that code; `cltv_delta` and `expiry_blocks` are what the
        sender left us, and what remains after us.
        """
        refusal = check_incoming(in_channel, in_msat, onion_error)
        if refusal is not None:
            return self.refuse(in_channel, None, refusal, in_msat=in_msat, payment_hash=payment_hash)
        if out is None:
            raise ValueError("an HTLC for nobody is a payment to us, not a forward")
        verdict = self.check(out, in_msat, out_msat, cltv_delta=cltv_delta, expiry_blocks=expiry_blocks)
        if isinstance(verdict, Channel):
            return self.pass_on(
                in_channel, verdict, in_msat=in_msat, out_msat=out_msat, payment_hash=payment_hash,
                expiry_blocks=expiry_blocks,
            )  # fmt: skip
        return self.refuse(in_channel, out, verdict, in_msat=in_msat, payment_hash=payment_hash)

    def refuse(
        self,
        in_channel: Channel,
        asked: str | None,
        refusal: Refusal,
        *,
        in_msat: int,
        payment_hash: str | None = None,
    ) -> Row:
        """Fail an HTLC here, for a reason that was found before; `asked` is None for one we could not read."""
        row = self._arrived(in_channel, in_msat, payment_hash)
        row.out_channel = asked if refusal.out is None else refusal.out.name
        if row.out_channel is None:
            row.style = None
        row.status, row.failcode, row.failreason = "local_failed", refusal.code, NAMES[refusal.code]
        if self.personality.failure_reason:
            row.failure_reason = refusal.reason
        self.truth[(row.in_channel, row.in_htlc_id)] = refusal.reason
        self._record_new(row)
        return row

    def _arrived(self, in_channel: Channel, in_msat: int, payment_hash: str | None) -> Row:
        htlc_id, in_channel.next_in_id = in_channel.next_in_id, in_channel.next_in_id + 1
        return Row(
            created_index=self.forwards.created + 1,
            in_channel=in_channel.name,
            in_htlc_id=htlc_id,
            in_msat=in_msat,
            status="offered",
            received_ns=self.clock(),
            payment_hash=payment_hash or hashlib.sha256(f"{in_channel.name}/{htlc_id}".encode()).hexdigest(),
        )

    def check(
        self, out: str, in_msat: int, out_msat: int, *, cltv_delta: int = 40, expiry_blocks: int = 100
    ) -> Refusal | Channel:
        """The checks of the daemon in its order; the channel that is chosen when all pass."""
        asked = self.find_channel(out)
        hidden = asked is not None and asked.private and out == asked.scid
        if asked is None or hidden or asked.state not in FORWARDING:
            closing = asked is not None and not hidden
            return Refusal(code=16394, reason="channel_closing" if closing else "unknown_next_peer")
        chosen = self._best_sibling(asked)
        terms = chosen.accepted_terms(self.clock())
        refusal = check_terms(chosen, terms, in_msat, out_msat) or check_expiry(chosen, cltv_delta, expiry_blocks)
        return refusal or self._check_channeld(chosen, out_msat) or chosen

    def _check_channeld(self, channel: Channel, out_msat: int) -> Refusal | None:
        if not self.link_is_up(channel.peer_id):
            return Refusal(code=4103, reason="peer_offline", out=channel)
        return check_room(channel, out_msat, self.max_concurrent_htlcs)

    def _best_sibling(self, asked: Channel) -> Channel:
        """Non-strict forwarding: among the peer's channels with the same fees, the largest spendable."""
        siblings = [
            c
            for c in self.channels.values()
            if c.peer_id == asked.peer_id
            and c.state in FORWARDING
            and (c.terms.base_fee_msat, c.terms.fee_ppm) == (asked.terms.base_fee_msat, asked.terms.fee_ppm)
        ]
        return max(siblings, key=lambda c: c.spendable_msat)

    def pass_on(
        self,
        in_channel: Channel,
        out: Channel,
        *,
        in_msat: int,
        out_msat: int,
        payment_hash: str | None = None,
        expiry_blocks: int = 100,
    ) -> Row:
        """Offer an HTLC to the next hop by the channel that was chosen for it."""
        row = self._arrived(in_channel, in_msat, payment_hash)
        row.out_channel = out.name
        row.out_htlc_id, out.next_out_id = out.next_out_id, out.next_out_id + 1
        row.out_msat = out_msat
        expiry = self.block_height + expiry_blocks
        for channel, incoming, htlc_id, amount in (
            (in_channel, True, row.in_htlc_id, row.in_msat),
            (out, False, row.out_htlc_id, out_msat),
        ):
            channel.htlcs.append(
                Htlc(
                    id=htlc_id,
                    incoming=incoming,
                    amount_msat=amount,
                    payment_hash=row.payment_hash,
                    expiry=expiry,
                )
            )
        self._record_new(row)
        return row

    def settle(self, row: Row) -> None:
        """The next hop gave the preimage: we are paid."""
        in_channel, out = self._legs(row)
        self._take_htlcs(row, in_channel, out)
        in_channel.to_us_msat += row.in_msat
        in_channel.in_fulfilled_msat += row.in_msat
        in_channel.in_fulfilled += 1
        out.to_us_msat -= row.out_msat or 0
        out.out_fulfilled_msat += row.out_msat or 0
        out.out_fulfilled += 1
        fee_msat = row.in_msat - (row.out_msat or 0)
        self.fees_collected_msat += fee_msat
        self._move(in_channel, row, credit_msat=row.in_msat, debit_msat=0, fee_msat=fee_msat)
        self._move(out, row, credit_msat=0, debit_msat=row.out_msat or 0, fee_msat=fee_msat)
        self._resolve(row, "settled")

    def fail(self, row: Row, *, malformed: bool = False) -> None:
        """A later hop failed it; `malformed` if the peer could not read its onion."""
        in_channel, out = self._legs(row)
        self._take_htlcs(row, in_channel, out)
        if malformed:
            row.failcode, row.failreason = 49157, NAMES[49157]
        self._resolve(row, "failed")

    def fail_onchain(self, row: Row) -> None:
        """The outgoing channel went on-chain: updated twice, and no resolved_time."""
        in_channel, out = self._legs(row)
        self._take_htlcs(row, in_channel, out)
        row.status, row.failcode, row.failreason = "local_failed", 16392, NAMES[16392]
        self.truth[(row.in_channel, row.in_htlc_id)] = "onchain_timeout"
        for _ in range(2):
            self.forwards.touch(row)
            self.announce("forward_event", self._event(row, created=False))
        self.index_changed()

    def lose_before_commit(self, in_channel: Channel) -> None:
        """The peer died between our offer and its commitment: the sender is told 4103, no row."""
        in_channel.next_in_id += 1
        self.unrecorded.append("peer_died_before_commit")

    def _legs(self, row: Row) -> tuple[Channel, Channel]:
        in_channel, out = self.find_channel(row.in_channel), self.find_channel(row.out_channel or "")
        if in_channel is None or out is None or row.status != "offered":
            raise ValueError(f"forward {row.created_index} is not in flight")
        return in_channel, out

    def _take_htlcs(self, row: Row, in_channel: Channel, out: Channel) -> None:
        in_channel.htlcs = [h for h in in_channel.htlcs if not (h.incoming and h.id == row.in_htlc_id)]
        out.htlcs = [h for h in out.htlcs if h.incoming or h.id != row.out_htlc_id]

    def _record_new(self, row: Row) -> None:
        self.forwards.add(row)
        self.announce("forward_event", self._event(row, created=True))
        self.index_changed()

    def _resolve(self, row: Row, status: str) -> None:
        row.status = status
        row.resolved_ns = self.clock()
        self.forwards.touch(row)
        self.announce("forward_event", self._event(row, created=False))
        self.index_changed()

    def _event(self, row: Row, *, created: bool) -> dict[str, Any]:
        """The notification of a row: no out_htlc_id, one of the two indexes, the hash always."""
        event = row.listed()
        event.pop("out_htlc_id", None)
        event.pop("updated_index" if created else "created_index", None)
        event["payment_hash"] = row.payment_hash
        if row.status == "settled" and self.personality.has_preimage:
            event["preimage"] = hashlib.sha256(row.payment_hash.encode()).hexdigest()
        return event

    # -- deletion

    def delete(self, rows: Iterable[Row]) -> int:
        """Delete rows, as delforward and autoclean do; fees_collected_msat stays."""
        count = 0
        for row in rows:
            self.forwards.remove(row)
            count += 1
        if count:
            self.index_changed()
        return count

    # -- ledgers

    def _move(self, channel: Channel, row: Row, *, credit_msat: int, debit_msat: int, fee_msat: int) -> None:
        self._add_move(channel, "routed", row.payment_hash, credit_msat, debit_msat, fee_msat)

    def _add_move(
        self, channel: Channel, tag: str, payment_hash: str, credit_msat: int, debit_msat: int, fee_msat: int
    ) -> None:
        move: dict[str, Any] = {
            "created_index": len(self.moves) + 1,
            "account_id": channel.channel_id,
            "credit_msat": credit_msat,
            "debit_msat": debit_msat,
            "timestamp": self.clock() // SECOND_NS,
            "primary_tag": tag,
            "fees_msat": fee_msat,
            "payment_hash": payment_hash,
        }
        self.moves.append(move)
        extra = {"version": 2, "coin_type": "bcrt", "node_id": self.node_id, "type": "channel_mvt"}
        if self.personality.has_moves:
            self.announce("coin_movement", extra | move | {"extra_tags": []})
        else:
            old = {k: v for k, v in move.items() if k not in ("created_index", "primary_tag")}
            self.announce("coin_movement", extra | old | {"tags": [tag]})

    def rebalance(self, out: Channel, back: Channel, *, amount_msat: int, fee_msat: int) -> str:
        """A payment to ourselves, settled: no forward, two moves of one hash.  Returns the hash."""
        payment_hash = hashlib.sha256(f"rebalance {len(self.moves)}".encode()).hexdigest()
        out.to_us_msat -= amount_msat + fee_msat
        back.to_us_msat += amount_msat
        legs = ((back, amount_msat, 0, 0), (out, 0, amount_msat + fee_msat, fee_msat))
        for channel, credit_msat, debit_msat, cost_msat in legs:
            self._add_move(channel, "invoice", payment_hash, credit_msat, debit_msat, cost_msat)
        return payment_hash

    def begin_own(self, channel: Channel, amount_msat: int, *, incoming: bool) -> Htlc:
        """A payment to us comes in, or one of our own goes out; no forward shows it."""
        htlc_id = channel.next_in_id if incoming else channel.next_out_id
        htlc = Htlc(
            id=htlc_id,
            incoming=incoming,
            amount_msat=amount_msat,
            payment_hash=hashlib.sha256(f"own {channel.name}/{incoming}/{htlc_id}".encode()).hexdigest(),
            expiry=self.block_height + 100,
        )
        channel.next_in_id += incoming
        channel.next_out_id += not incoming
        channel.htlcs.append(htlc)
        return htlc

    def settle_own(self, channel: Channel, htlc: Htlc) -> None:
        """A payment of ours is done: the money has moved."""
        channel.htlcs.remove(htlc)
        credit_msat, debit_msat = (htlc.amount_msat, 0) if htlc.incoming else (0, htlc.amount_msat)
        channel.to_us_msat += credit_msat - debit_msat
        self._add_move(channel, "invoice", htlc.payment_hash, credit_msat, debit_msat, 0)

    def _network_event(self, peer_id: str, kind: str) -> None:
        self.network_events.append(
            {
                "created_index": len(self.network_events) + 1,
                "peer_id": peer_id,
                "type": kind,
                "timestamp": self.clock() // SECOND_NS,
            }
        )

    def set_terms(self, channel: Channel, terms: Terms, *, grace_s: int) -> None:
        channel.set_terms(terms, grace_s=grace_s, now_ns=self.clock())

    def warn(self, source: str, text: str) -> None:
        """A line at level warn, as plugins get it."""
        now_ns = self.clock()
        self.announce(
            "warning",
            {
                "level": "warn",
                "time": _seconds(now_ns),
                "timestamp": _iso(now_ns),
                "source": source,
                "log": text,
            },
        )


def _seconds(at_ns: int) -> str:
    seconds, rest = divmod(at_ns, SECOND_NS)
    return f"{seconds}.{rest:09d}"


def _iso(at_ns: int) -> str:
    moment = datetime.fromtimestamp(at_ns // SECOND_NS, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ns % SECOND_NS // 1_000_000:03d}Z"
