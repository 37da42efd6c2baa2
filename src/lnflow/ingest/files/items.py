"""What a saved file can hold, once read: the items that the importer takes, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo, Policy
from lnflow.domain.htlc import Attempt, Forward, StreamEvent


class ChannelSnapshot(Struct, frozen=True, gc=False):
    """All our channels at one instant; `at_ns` is None where the file has no date (then: the file's own age).

    `complete` is False if a channel of it was rejected: an absent channel then proves nothing.
    Core Lightning's channels carry their channel_id where LND's carry `txid:output`.
    """

    at_ns: int | None
    channels: tuple[ChannelState, ...]
    complete: bool = True


class ClosedChannels(Struct, frozen=True, gc=False):
    """Some channels that no longer exist.  A long list comes in several of these."""

    channels: tuple[ClosedChannel, ...]


class EdgePolicies(Struct, frozen=True, kw_only=True, gc=False):
    """One channel of the graph with what either end asks; only our own key tells which end we are.

    The policy of `node1_pub` is `node1_policy`; None where an end has announced none.
    """

    scid: int
    channel_point: str | None
    node1_pub: str
    node2_pub: str
    node1_policy: Policy | None
    node2_policy: Policy | None
    capacity_sat: int | None = None

    def seen_from(self, our_pubkey: str) -> ChannelPolicies | None:
        """Return the policies as ours and theirs, or None if the channel is not ours."""
        if our_pubkey == self.node1_pub:
            peer, ours, theirs = self.node2_pub, self.node1_policy, self.node2_policy
        elif our_pubkey == self.node2_pub:
            peer, ours, theirs = self.node1_pub, self.node2_policy, self.node1_policy
        else:
            return None
        return ChannelPolicies(
            scid=self.scid,
            channel_point=self.channel_point,
            peer_pubkey=peer,
            ours=ours,
            theirs=theirs,
            capacity_sat=self.capacity_sat,
        )


class PolicyRecord(Struct, frozen=True, gc=False):
    """Policies of one channel; `at_ns` is when they were seen, None where the file has no date.

    `ChannelPolicies` come from sources that say themselves which end is ours (Core Lightning).
    """

    at_ns: int | None
    policies: EdgePolicies | ChannelPolicies


class FeeReportRow(Struct, frozen=True, kw_only=True, gc=False):
    """Our price on one channel as FeeReport lists it, private channels included; no limits, no date."""

    scid: int
    channel_point: str
    base_fee_msat: int
    fee_ppm: int
    inbound_base_fee_msat: int = 0
    inbound_fee_ppm: int = 0


class Aliases(Struct, frozen=True, gc=False):
    """Announced names by public key.  A long graph comes in several of these."""

    names: dict[str, str]


class Coverage(Struct, frozen=True, gc=False):
    """An interval in which the node was listened to; `until_ns` None means that the file has no end of it."""

    since_ns: int
    until_ns: int | None
    reason: str = ""


FileItem = (
    StreamEvent
    | Forward
    | Attempt
    | ChannelSnapshot
    | ClosedChannels
    | PolicyRecord
    | NodeInfo
    | Aliases
    | FeeReportRow
    | Coverage
)


class Rejected(Struct, frozen=True, gc=False):
    """One line or element that could not be read, and why; reading went on behind it."""

    line: int
    """1-based line of its beginning."""
    reason: str
    element: int | None = None
    """1-based place in its array, or among the values of the file, where lines mean little."""

    def __str__(self) -> str:
        where = f"line {self.line}" if self.element is None else f"line {self.line}, element {self.element}"
        return f"{where}: {self.reason}"


class Chunk(Struct, frozen=True, gc=False):
    """Up to a few thousand items in file order.

    `rows` counts what was read for it, rejected and irrelevant rows (own payments) included.
    """

    items: list[FileItem]
    positions: Sequence[int]
    """Parallel to `items`: the line of each, or its element number where lines mean little."""
    rejected: list[Rejected]
    rows: int
