"""What a saved file can hold, once read: the items that the importer takes, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lnflow.domain.channel import ChannelPolicies, ChannelState, ClosedChannel, NodeInfo
from lnflow.domain.costs import CircularHtlc
from lnflow.domain.htlc import Attempt, Forward, StreamEvent
from lnflow.nodes.cln.history import Terms
from lnflow.nodes.cln.observer import Observed
from lnflow.nodes.cln.wire import ForwardRow, PeerChannel
from lnflow.nodes.lnd.json_form import GraphEdge, ReportedFees


class ChannelSnapshot(Struct, frozen=True, gc=False):
    """All our channels at one instant; `at_ns` is None where the file has no date (then: the file's own age).

    `complete` is False if a channel of it was rejected: an absent channel then proves nothing.
    Core Lightning's channels carry their channel_id where LND's carry `txid:output`.
    """

    at_ns: int | None
    channels: tuple[ChannelState, ...]
    complete: bool = True


class ClosedChannels(Struct, frozen=True, gc=False):
    """Some channels that no longer exist; a list of them comes in several of these."""

    channels: tuple[ClosedChannel, ...]


class PolicyRecord(Struct, frozen=True, gc=False):
    """Policies of one channel; `at_ns` is when they were seen, None where the file has no date.

    Only our own key tells which end of a `GraphEdge` we are (`seen_from`); most of a whole graph is not
    ours.  `ChannelPolicies` come from a source that says itself which end is ours (Core Lightning).
    """

    at_ns: int | None
    policies: GraphEdge | ChannelPolicies


class Aliases(Struct, frozen=True, gc=False):
    """Announced names by public key; a list of nodes comes in several of these."""

    names: dict[str, str]


class PaymentPart(Struct, frozen=True, gc=False):
    """A settled part of a payment of ours, and who received it: it went in a circle if that is us."""

    receiver_pubkey: str
    part: CircularHtlc


class Coverage(Struct, frozen=True, gc=False):
    """An interval in which the node was listened to; `until_ns` None means that the file has no end of it."""

    since_ns: int
    until_ns: int | None
    reason: str = ""


class ClnForward(Struct, frozen=True, gc=False):
    """A row of listforwards, and the attempt that it is as long as nothing else is known."""

    attempt: Attempt
    row: ForwardRow


class ClnListing(Struct, frozen=True, gc=False):
    """The channels of a Core Lightning node at an instant, as it listed them: evidence for why it refused."""

    at_ns: int
    channels: tuple[PeerChannel, ...]


class ClnNotice(Struct, frozen=True, gc=False):
    """What a saved notification of a Core Lightning node tells."""

    at_ns: int
    seen: Observed


class TermsChange(Struct, frozen=True, gc=False):
    """Our own change of a channel's terms, as `setchannel` answered; older ones pass for `grace_s`."""

    at_ns: int
    channel_id: str
    terms: Terms
    grace_s: int | None


FileItem = (
    StreamEvent
    | Forward
    | Attempt
    | ClnForward
    | ClnListing
    | ClnNotice
    | TermsChange
    | ChannelSnapshot
    | ClosedChannels
    | PolicyRecord
    | NodeInfo
    | Aliases
    | ReportedFees
    | Coverage
    | PaymentPart
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
