"""Other programs on the node that set fees: CLBOSS and feeadjuster.  We ask them to leave a peer to us, and give
it back as it was.

CLBOSS replaces the whole set of tags of a node, shows it as `a, b` and reads it as `a,b`: a space makes an
unknown tag.  So the union is written, without spaces, and what was there before is restored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from lnflow.domain.channel import Policy
from lnflow.domain.errors import NodeRefused, NodeUnavailable
from lnflow.nodes.cln.fee_writer import ClnFeeWriter
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.wire import HelpReply, PeerChannel

logger = logging.getLogger(__name__)

FEE_TAG = "lnfee"


class FeeControllers(Struct, frozen=True, kw_only=True):
    """Who else sets fees here.  Ask again from time to time: plugins come and go."""

    clboss: bool
    feeadjuster: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(n for n, here in (("CLBOSS", self.clboss), ("feeadjuster", self.feeadjuster)) if here)


class _ClbossStatus(Struct, frozen=True):
    unmanaged: dict[str, Any] = {}


class _Toggle(Struct, frozen=True):
    previous: bool
    current: bool


class _ToggleReply(Struct, frozen=True):
    forward_event_subscription: _Toggle


async def find_controllers(rpc: ClnRpc) -> FeeControllers:
    """Ask the node which commands it has; a command's row may carry its usage after the name."""
    rows = (await rpc.call("help", {}, HelpReply)).help
    commands = {row.command.split()[0] for row in rows if row.command}
    return FeeControllers(clboss="clboss-unmanage" in commands, feeadjuster="feeadjuster-toggle" in commands)


class SoleFeeWriter:
    """A `FeeWriter` that never fights: it writes to peers that nobody else sets fees for.

    With `hand_over` the others are asked to let go, until that is released; without, such a change is refused
    with the remedy.  For one-shot commands the latter: what is handed over must be given back.
    """

    def __init__(self, writer: ClnFeeWriter, rpc: ClnRpc, *, hand_over: HandOver | None = None) -> None:
        self._writer = writer
        self._rpc = rpc
        self._hand_over = hand_over
        self._look = hand_over or HandOver(rpc)
        self._controllers: FeeControllers | None = None
        self._peers: dict[str, str] = {}

    async def write_policy(self, channel_point: str, old: Policy, new: Policy) -> str | None:
        if (refusal := await self._others_in_the_way(channel_point)) is not None:
            return refusal
        return await self._writer.write_policy(channel_point, old, new)

    async def rehearse(self, channel_point: str, old: Policy, new: Policy) -> str | None:
        """Return why the node would refuse, None if it would accept; nothing is changed or handed over."""
        peer = await self._controlled_peer(channel_point)
        if peer is not None and self._hand_over is None and self._controllers is not None:
            refusal = await self._look.why_not(peer, self._controllers)
            if refusal is not None:
                return refusal
        return await self._writer.check_policy(channel_point, old, new)

    async def set_enabled(self, channel_point: str, enabled: bool) -> str | None:
        return await self._writer.set_enabled(channel_point, enabled)

    async def close(self) -> None:
        await self._writer.close()

    async def _others_in_the_way(self, channel_point: str) -> str | None:
        peer = await self._controlled_peer(channel_point)
        if peer is None or self._controllers is None:
            return None
        if self._hand_over is not None:
            await self._hand_over.take([peer], self._controllers)
            return None
        return await self._look.why_not(peer, self._controllers)

    async def _controlled_peer(self, channel_point: str) -> str | None:
        """Return the channel's peer if somebody else may set prices on this node."""
        if self._controllers is None:
            self._controllers = await find_controllers(self._rpc)
            if self._controllers.names:
                async for batch in self._rpc.elements("listpeerchannels", {}, "channels", PeerChannel):
                    self._peers.update({c.channel_id: c.peer_id for c in batch if c.channel_id is not None})
        return self._peers.get(channel_point)


class _Taken(Struct):
    """What we took over, as it is remembered."""

    peers: list[str] = []
    feeadjuster: bool = False


class HandOver:
    """What we took over, so that `release` gives exactly that back; `memory` keeps it over a kill."""

    def __init__(self, rpc: ClnRpc, memory: Path | None = None) -> None:
        self._rpc = rpc
        self._memory = memory
        self._added: set[str] = set()
        self._feeadjuster_was_on = False

    @property
    def peers(self) -> frozenset[str]:
        """The peers whose fees we asked CLBOSS to leave alone."""
        return frozenset(self._added)

    def recall(self) -> None:
        """Take over what a killed run had taken; only once nobody else can be running."""
        before = _remembered(self._memory)
        self._added |= set(before.peers)
        self._feeadjuster_was_on = self._feeadjuster_was_on or before.feeadjuster

    async def take(self, peers: Iterable[str], controllers: FeeControllers) -> None:
        """Have these peers' fees to ourselves; raise `NodeRefused` if somebody does not let go."""
        if controllers.feeadjuster:
            reply = await self._rpc.call("feeadjuster-toggle", {"value": False}, _ToggleReply)
            self._feeadjuster_was_on = self._feeadjuster_was_on or reply.forward_event_subscription.previous
            self._remember()
        if not controllers.clboss:
            return
        before = await self._tags()
        wanted = [peer for peer in peers if FEE_TAG not in before.get(peer, frozenset())]
        for peer in wanted:
            self._added.add(peer)
            self._remember()
            await self._set(peer, before.get(peer, frozenset()) | {FEE_TAG})
        after = await self._tags()
        kept = [peer for peer in wanted if FEE_TAG not in after.get(peer, frozenset())]
        if kept:
            raise NodeRefused(f"CLBOSS still sets the fees of {', '.join(kept)}: they are left to it")

    async def release(self) -> None:
        """Give back what we took: our tag only, and feeadjuster if it was on."""
        if not self._added and not self._feeadjuster_was_on:
            return
        if self._added:
            before = await self._tags()
            for peer in sorted(self._added):
                await self._set(peer, before.get(peer, frozenset()) - {FEE_TAG})
                self._added.discard(peer)
        if self._feeadjuster_was_on:
            await self._rpc.call("feeadjuster-toggle", {"value": True}, _ToggleReply)
            self._feeadjuster_was_on = False
        self._remember()

    async def close(self) -> None:
        """Give everything back and end; what cannot be given back now is named, with the remedy."""
        try:
            await self.release()
        except (NodeUnavailable, NodeRefused) as exc:
            for peer in sorted(self._added):
                logger.error("clboss still leaves the fees of %s alone: take %s from its tags", peer, FEE_TAG)
            if self._feeadjuster_was_on:
                logger.error("feeadjuster is still off: lightning-cli feeadjuster-toggle true")
            logger.error("not given back: %s", exc)
        finally:
            await self._rpc.close()

    async def why_not(self, peer: str, controllers: FeeControllers) -> str | None:
        """Return who else sets this peer's fees and how to end that, None if nobody does."""
        if controllers.clboss and FEE_TAG not in (tags := (await self._tags()).get(peer, frozenset())):
            wanted = ",".join(sorted(tags | {FEE_TAG}))
            return f"CLBOSS sets this peer's fees: lightning-cli clboss-unmanage {peer} {wanted}"
        if controllers.feeadjuster:
            return "feeadjuster sets fees here: lightning-cli feeadjuster-toggle false, or stop that plugin"
        return None

    def _remember(self) -> None:
        if self._memory is None:
            return
        if not self._added and not self._feeadjuster_was_on:
            self._memory.unlink(missing_ok=True)
            return
        taken = _Taken(peers=sorted(self._added), feeadjuster=self._feeadjuster_was_on)
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        self._memory.write_bytes(msgspec.json.encode(taken))

    async def _tags(self) -> dict[str, frozenset[str]]:
        status = await self._rpc.call("clboss-status", {}, _ClbossStatus)
        return {
            node: frozenset(tag.strip() for tag in tags.split(",") if tag.strip())
            for node, tags in status.unmanaged.items()
            if node != "comment" and isinstance(tags, str)
        }

    async def _set(self, peer: str, tags: frozenset[str]) -> None:
        await self._rpc.call("clboss-unmanage", {"nodeid": peer, "tags": ",".join(sorted(tags))}, dict)
        logger.info("clboss asked: peer=%s unmanaged=%s", peer, ",".join(sorted(tags)) or "-")


def _remembered(memory: Path | None) -> _Taken:
    """Return what an earlier run took and did not give back; a file that cannot be read tells nothing."""
    if memory is None or not memory.exists():
        return _Taken()
    try:
        return msgspec.json.decode(memory.read_bytes(), type=_Taken)
    except msgspec.DecodeError as exc:
        logger.error("%s: what was handed over before is not known: %s", memory, exc)
        return _Taken()
