"""What lnflow needs of a node, as small protocols in domain types.

Every call raises `NodeUnavailable` (try again later) or `NodeRefused` (do not); an empty list means that
we asked and there was none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from enum import IntEnum
from typing import Protocol

from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo, Policy
from lnflow.domain.costs import CircularHtlc, WalletTransaction
from lnflow.domain.htlc import Forward, StreamEvent


class ChannelEventKind(IntEnum):
    OPENED = 1
    CLOSED = 2
    ACTIVE = 3
    INACTIVE = 4
    UPDATED = 5
    """Balances changed (LND 0.21 sends one after each commitment change)."""
    PEER_ONLINE = 6
    PEER_OFFLINE = 7


class ChannelEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that happened to a channel or a peer of ours; unknown parts are None."""

    kind: ChannelEventKind
    at_ns: int
    channel_point: str | None = None
    state: ChannelState | None = None
    peer_pubkey: str | None = None


class PolicyEvent(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody announced a policy for a channel (gossip).  `at_ns` is when we heard of it."""

    at_ns: int
    scid: int
    announced_by: str
    policy: Policy


class HtlcStream(Protocol):
    """One subscription to HTLC events, read by a thread of its own so that the node is never slowed."""

    def run(self, deliver: Callable[[bytes], None]) -> None:
        """Block and hand over raw messages until `cancel`; raise `NodeUnavailable` when the stream ends.

        `deliver` must not block and must not raise.
        """

    def cancel(self) -> None:
        """End `run` from another thread, at once; it then returns instead of raising."""

    def decode(self, raw: bytes) -> StreamEvent | None:
        """Return the event in one raw message, None for what is not a forward (own sends, receives).

        Raise `InputError` for bytes that are no message.
        """

    def counters(self) -> dict[str, int]:
        """Return what `decode` met so far and is no forward: own payments, unknown kinds; running totals."""


class PaymentPage(Struct, frozen=True, gc=False):
    """What of some of our payments went in a circle.  All payments up to index `through` have ended."""

    circular: tuple[CircularHtlc, ...]
    through: int


class FeeFacts(Protocol):
    """Facts that only some pricing rules ask for; each call may be slow, none changes anything."""

    async def list_edges(self) -> list[tuple[str, str, int]]:
        """Return both ends and the capacity in sat of every public channel, some hours old at most."""

    async def list_node_sizes(self, pubkeys: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return number and capacity in sat of these nodes' public channels; unknown nodes are left out."""

    async def feerate_sat_per_vb(self, conf_target: int) -> float: ...

    async def close(self) -> None: ...


class FeeWriter(Protocol):
    """Changing prices and the disabled flag, with a credential that can do that and nothing else.

    Each returns why the node refused this one change, None if it accepted; `NodeUnavailable` and `NodeRefused`
    are about the node or the credential as a whole.
    """

    async def write_policy(self, channel_point: str, old: Policy, new: Policy) -> str | None:
        """Write `new`; what does not differ from `old` stays as the node has it."""

    async def set_enabled(self, channel_point: str, enabled: bool) -> str | None: ...

    async def close(self) -> None: ...


class FeeRehearsal(Protocol):
    """Asking the node whether it would take a change; nothing is changed."""

    async def rehearse(self, channel_point: str, old: Policy, new: Policy) -> str | None:
        """Return why the node would refuse, None if it would accept."""

    async def close(self) -> None: ...


class NodeReader(Protocol):
    """Reading, with a credential that cannot spend."""

    async def wait_until_ready(self) -> None:
        """Return when the node serves reads; raise `NodeUnavailable` saying its state if it does not."""

    async def node_info(self) -> NodeInfo: ...

    async def list_channels(self) -> list[ChannelState]: ...

    async def list_closed_channels(self) -> list[ClosedChannel]: ...

    async def list_policies(self, channels: Sequence[ChannelState]) -> list[ChannelPolicies]:
        """Return both ends' policies of these channels, announced or private."""

    async def list_aliases(self, pubkeys: Sequence[str]) -> dict[str, str]:
        """Return the announced names of these nodes; nodes the graph does not know are left out."""

    def forwards_since(self, since_ns: int, *, page_size: int) -> AsyncIterator[list[Forward]]:
        """Yield pages of settled forwards at or after `since_ns`, in time order, each row once."""

    def payments_after(self, index: int) -> AsyncIterator[PaymentPage]:
        """Yield our payments after a page's `through` (0: all), in order."""

    async def list_transactions(self, since_height: int) -> list[WalletTransaction]:
        """Return the wallet's confirmed transactions from a block height on."""

    def htlc_stream(self) -> HtlcStream: ...

    def channel_events(self) -> AsyncIterator[ChannelEvent]: ...

    def policy_events(self) -> AsyncIterator[PolicyEvent]: ...

    async def close(self) -> None: ...
