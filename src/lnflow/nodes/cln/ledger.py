"""Does what we stored equal what the node says it earned?  Deleting rows does not change the node's sum."""

from __future__ import annotations

from msgspec import Struct

from lnflow.domain.errors import NodeRefused
from lnflow.nodes.cln.errors import METHOD_NOT_FOUND, RpcRefused
from lnflow.nodes.cln.rpc import ClnRpc
from lnflow.nodes.cln.wire import GetInfo, msat


class LedgerCheck(Struct, frozen=True, kw_only=True):
    """Fees of our settled rows against the node's running total, read before and after counting ours."""

    ours_msat: int
    node_before_msat: int
    node_after_msat: int
    complete: bool
    """Whether we hold every forward since the node's first."""

    @property
    def holds(self) -> bool:
        """Equal when complete (to the msat, but for what settled while we counted); never more than the node.

        >>> LedgerCheck(ours_msat=5, node_before_msat=5, node_after_msat=7, complete=True).holds
        True
        >>> LedgerCheck(ours_msat=4, node_before_msat=5, node_after_msat=7, complete=True).holds
        False
        """
        return self.ours_msat <= self.node_after_msat and (not self.complete or self.node_before_msat <= self.ours_msat)

    @property
    def missing_msat(self) -> int:
        """How much the node earned that we do not hold."""
        return max(0, self.node_before_msat - self.ours_msat)


class Autoclean(Struct, frozen=True, kw_only=True):
    """How soon the node deletes failed forwards by itself; None: never."""

    failed_age_s: int | None
    settled_age_s: int | None

    def warning(self, unread_s: float) -> str | None:
        """Return what is wrong if rows are deleted sooner than we read them, else None."""
        soon = [a for a in (self.failed_age_s, self.settled_age_s) if a is not None and a < 2 * unread_s]
        if not soon:
            return None
        return (
            f"autoclean deletes forwards after {min(soon)} s, and up to {unread_s:.0f} s pass before we read them:"
            " rows will be missed; set autoclean-failedforwards-age and autoclean-succeededforwards-age higher"
        )


class _Subsystem(Struct, frozen=True):
    enabled: bool
    age: int | None = None

    @property
    def age_s(self) -> int | None:
        return self.age if self.enabled else None


class _Autocleans(Struct, frozen=True):
    failedforwards: _Subsystem
    succeededforwards: _Subsystem


class _AutocleanReply(Struct, frozen=True):
    autoclean: _Autocleans


async def fees_collected_msat(rpc: ClnRpc) -> int:
    """Ask the node for its running total."""
    return msat((await rpc.call("getinfo", {}, GetInfo)).fees_collected_msat)


async def autoclean(rpc: ClnRpc) -> Autoclean | None:
    """Ask the node what it deletes by itself; None if it does not tell (the rune does not allow it)."""
    try:
        reply = (await rpc.call("autoclean-status", {}, _AutocleanReply)).autoclean
    except RpcRefused as exc:
        if exc.code == METHOD_NOT_FOUND:
            return Autoclean(failed_age_s=None, settled_age_s=None)  # the plugin that would delete is switched off
        return None
    except NodeRefused:
        return None
    return Autoclean(failed_age_s=reply.failedforwards.age_s, settled_age_s=reply.succeededforwards.age_s)
