"""Changing prices of a Core Lightning node: the port's `FeeWriter` over `setchannel`.

The node answers with the values that it really set: those count.  After a raise it lets the older policy pass
for `grace_s`, and remembers only one: so at most one raise per channel in that time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from msgspec import Struct

from lnflow.domain.channel import Policy
from lnflow.domain.errors import NodeUnavailable
from lnflow.domain.lacks import CORE_LIGHTNING
from lnflow.domain.time import SECOND_NS, Clock
from lnflow.nodes.cln.errors import METHOD_NOT_FOUND, OutcomeUnknown, RpcRefused
from lnflow.nodes.cln.history import Terms
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.wire import Msat, PeerChannel, msat, optional_msat

logger = logging.getLogger(__name__)

MOST_U32 = 2**32 - 1


class SetChannel(Struct, frozen=True):
    """One channel in the reply of `setchannel`."""

    channel_id: str
    fee_base_msat: Msat
    fee_proportional_millionths: int
    minimum_htlc_out_msat: Msat
    maximum_htlc_out_msat: Msat
    warning_htlcmin_too_low: str | None = None
    warning_htlcmax_too_high: str | None = None

    @property
    def terms(self) -> Terms:
        return Terms(
            msat(self.fee_base_msat),
            self.fee_proportional_millionths,
            msat(self.minimum_htlc_out_msat),
            msat(self.maximum_htlc_out_msat),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(w for w in (self.warning_htlcmin_too_low, self.warning_htlcmax_too_high) if w)


class _Reply(Struct, frozen=True):
    channels: list[SetChannel]


class _Checked(Struct, frozen=True):
    command_to_check: str


class Written(Struct, frozen=True, kw_only=True):
    """A change that the node accepted: what it set, and for how long the older policy still passes."""

    at_ns: int
    channel_id: str
    terms: Terms
    grace_s: int
    warnings: tuple[str, ...] = ()


class ClnFeeWriter:
    """A node that may be asked to change a channel's policy.  `rpc` is allowed the fee methods alone.

    `on_written` hears of every accepted change, for the log by which refusals are attributed later.
    """

    def __init__(
        self,
        rpc: ClnRpc,
        clock: Clock,
        *,
        grace_s: int = 600,
        raised_ns: Mapping[str, int] | None = None,
        on_written: Callable[[Written], None] = lambda _: None,
    ) -> None:
        self._rpc = rpc
        self._clock = clock
        self._grace_s = grace_s
        self._raised_ns = dict(raised_ns or {})
        self._on_written = on_written

    async def write_policy(self, channel_point: str, old: Policy, new: Policy) -> str | None:
        """Write what differs from `old` and the node can do; what it cannot stays, for the verification to show.

        Returns why nothing was written, None when the node accepted.
        """
        changes = _changes(old, new)
        if refusal := self._refusal(channel_point, old, new, changes):
            return refusal
        try:
            reply = await self._rpc.call(
                "setchannel", {"id": channel_point, **changes, "enforcedelay": self._grace_s}, _Reply
            )
        except RpcRefused as exc:
            return _about_the_change(exc)
        except OutcomeUnknown:
            return await self._look(channel_point, new)
        for channel in reply.channels:
            self._accepted(channel, old, new)
        return None

    async def check_policy(self, channel_point: str, old: Policy, new: Policy) -> str | None:
        """Ask the node to validate the change without acting; the clamps it would make do not show."""
        changes = _changes(old, new)
        if refusal := self._refusal(channel_point, old, new, changes):
            return refusal
        params = {"command_to_check": "setchannel", "id": channel_point, **changes, "enforcedelay": self._grace_s}
        try:
            await self._rpc.call("check", params, _Checked)
        except RpcRefused as exc:
            return _about_the_change(exc)
        return None

    async def set_enabled(self, channel_point: str, enabled: bool) -> str | None:
        """Every channel is enabled while its peer is there; there is nothing to switch."""
        return None if enabled else CORE_LIGHTNING.disabling

    async def close(self) -> None:
        await self._rpc.close()

    def _refusal(self, channel_id: str, old: Policy, new: Policy, changes: Mapping[str, int]) -> str | None:
        """Return what speaks against asking the node at all."""
        if not changes:
            return "; ".join(unsupported(old, new)) or "nothing differs from what the node has"
        if not 0 <= new.base_fee_msat <= MOST_U32 or not 0 <= new.fee_ppm <= MOST_U32:
            return f"base fee {new.base_fee_msat} msat or {new.fee_ppm} ppm is out of range"
        if new.max_htlc_msat is not None and new.min_htlc_msat > new.max_htlc_msat:
            # the node accepts a minimum above the maximum, and then nothing could pass
            return f"htlcmin {new.min_htlc_msat} msat would be above htlcmax {new.max_htlc_msat} msat"
        raised_ns = self._raised_ns.get(channel_id)
        if raised_ns is not None and _terms(new).is_raise_from(_terms(old)):
            left_ns = raised_ns + self._grace_s * SECOND_NS - self._clock.now_ns()
            if left_ns > 0:
                return (
                    f"raised less than {self._grace_s} s ago: the node remembers one older price only, senders who"
                    f" know an earlier one would be refused; in {-(-left_ns // SECOND_NS)} s it can be raised again"
                )
        return None

    def _accepted(self, channel: SetChannel, old: Policy, new: Policy) -> None:
        now_ns = self._clock.now_ns()
        if channel.terms.is_raise_from(_terms(old)):
            self._raised_ns[channel.channel_id] = now_ns
        for warning in channel.warnings:
            logger.warning("the node set other values: channel=%s warning=%s", channel.channel_id, warning)
        self._on_written(
            Written(
                at_ns=now_ns,
                channel_id=channel.channel_id,
                terms=channel.terms,
                grace_s=self._grace_s,
                warnings=channel.warnings,
            )
        )

    async def _look(self, channel_id: str, new: Policy) -> str | None:
        """No answer came: see what the node has now; raises `NodeUnavailable` if it still does not answer."""
        async for batch in self._rpc.elements("listpeerchannels", {}, "channels", PeerChannel):
            for channel in batch:
                if channel.channel_id == channel_id:
                    if _has(channel, new):
                        return None
                    return "the node gave no answer, and shows the former values"
        raise NodeUnavailable(f"setchannel: the node gave no answer and lists no channel {channel_id}")


def unsupported(old: Policy, new: Policy) -> list[str]:
    """Return what the change asks for that this kind of node does not have."""
    found: list[str | None] = []
    if (new.inbound_base_fee_msat, new.inbound_fee_ppm) != (old.inbound_base_fee_msat, old.inbound_fee_ppm):
        found.append(CORE_LIGHTNING.inbound_fees)
    if new.time_lock_delta != old.time_lock_delta:
        found.append(CORE_LIGHTNING.time_lock_delta)
    if new.disabled != old.disabled:
        found.append(CORE_LIGHTNING.disabling)
    return [text for text in found if text is not None]


def _changes(old: Policy, new: Policy) -> dict[str, int]:
    """Only what differs, by name and as integers: a rune that caps a value sees nothing else."""
    changes = {}
    if new.base_fee_msat != old.base_fee_msat:
        changes["feebase"] = new.base_fee_msat
    if new.fee_ppm != old.fee_ppm:
        changes["feeppm"] = new.fee_ppm
    if new.min_htlc_msat != old.min_htlc_msat:
        changes["htlcmin"] = new.min_htlc_msat
    if new.max_htlc_msat is not None and new.max_htlc_msat != old.max_htlc_msat:
        changes["htlcmax"] = new.max_htlc_msat
    return changes


def _terms(policy: Policy) -> Terms:
    return Terms(policy.base_fee_msat, policy.fee_ppm, policy.min_htlc_msat, policy.max_htlc_msat)


def _has(channel: PeerChannel, new: Policy) -> bool:
    return (
        optional_msat(channel.fee_base_msat) == new.base_fee_msat
        and channel.fee_proportional_millionths == new.fee_ppm
        and optional_msat(channel.minimum_htlc_out_msat) == new.min_htlc_msat
        and (new.max_htlc_msat is None or optional_msat(channel.maximum_htlc_out_msat) == new.max_htlc_msat)
    )


def _about_the_change(error: RpcRefused) -> str:
    """Return what the node said about this one change; raise what concerns every change."""
    if error.code == METHOD_NOT_FOUND:
        raise error
    return f"{error.node_message} ({error.code})"
