"""The LND releases we can be, and what tells them apart on the wire."""

from __future__ import annotations

from enum import Enum

_Version = tuple[int, int, int]


class Personality(Enum):
    """One LND release.  The properties are the differences that a client can see."""

    V0_18_5 = (0, 18, 5)
    V0_19_3 = (0, 19, 3)
    V0_20_1 = (0, 20, 1)
    V0_21_2 = (0, 21, 2)

    @property
    def version(self) -> _Version:
        return self.value

    @property
    def version_text(self) -> str:
        major, minor, patch = self.value
        return f"{major}.{minor}.{patch}-beta commit=v{major}.{minor}.{patch}-beta"

    @property
    def labels_add_failed_as_receive(self) -> bool:
        """HTLC_ADD_FAILED of a forward is typed RECEIVE, without its outgoing channel."""
        return self.value < (0, 21, 2)

    @property
    def fatal_receive_failures(self) -> bool:
        """Refusing a receive for some invoice reasons ends every HTLC event stream."""
        return self.value < (0, 21, 0)

    @property
    def external_validation_exists(self) -> bool:
        return self.value >= (0, 19, 0)

    @property
    def history_has_htlc_ids(self) -> bool:
        return self.value >= (0, 19, 2)

    @property
    def history_filters_channels(self) -> bool:
        return self.value >= (0, 20, 0)

    @property
    def edge_not_found_has_status(self) -> bool:
        """GetChanInfo answers NOT_FOUND for an unknown channel; UNKNOWN before."""
        return self.value >= (0, 20, 0)

    @property
    def streams_channel_updates(self) -> bool:
        """SubscribeChannelEvents tells every commitment change."""
        return self.value >= (0, 21, 0)

    @property
    def inbound_fee_in_custom_records(self) -> bool:
        """The gossip record of the inbound fee shows among a policy's custom records too."""
        return self.value < (0, 20, 0)

    @property
    def tells_locked_in(self) -> bool:
        return self.value >= (0, 19, 0)

    @property
    def pages_transactions(self) -> bool:
        return self.value >= (0, 19, 0)

    @property
    def default_max_payments(self) -> int | None:
        """What `max_payments` 0 means in ListPayments; None: all."""
        return 100 if self.value >= (0, 20, 0) else None

    @property
    def omits_hops(self) -> bool:
        return self.value >= (0, 21, 0)

    @property
    def min_time_lock_delta(self) -> int:
        return 24 if self.value >= (0, 21, 0) else 18

    @property
    def max_time_lock_delta(self) -> int:
        """From 0.20.2 it is the node's `max-cltv-expiry` (the default of which we have)."""
        return 2016 if self.value >= (0, 20, 2) else 65_535
