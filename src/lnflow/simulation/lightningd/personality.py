"""What differs between the versions that we can meet."""

from __future__ import annotations

from msgspec import Struct

from lnflow.nodes.cln.version import VersionTuple, parse_version


class Personality(Struct, frozen=True, kw_only=True):
    """One release.  `failure_reason` is the proposal of upstream #9419, in no release yet."""

    version: str
    failure_reason: bool = False

    @property
    def number(self) -> VersionTuple:
        return parse_version(self.version)

    @property
    def has_updates(self) -> bool:
        """`updates` and `reestablished` in listpeerchannels."""
        return self.number >= (24, 2, 0)

    @property
    def has_peer_caps(self) -> bool:
        """The two in-flight caps in the place of `max_total_htlc_in_msat`."""
        return self.number >= (25, 2, 0)

    @property
    def has_wait_objects(self) -> bool:
        """`wait` names its object after the subsystem, besides `details`."""
        return self.number >= (25, 5, 0)

    @property
    def has_moves(self) -> bool:
        return self.number >= (25, 9, 0)

    @property
    def has_network_events(self) -> bool:
        return self.number >= (25, 12, 0)

    @property
    def has_withheld(self) -> bool:
        """`funding_withheld` in listclosedchannels."""
        return self.number >= (25, 12, 0)

    @property
    def has_preimage(self) -> bool:
        return self.number >= (26, 4, 0)

    @property
    def init_timeout_s(self) -> float:
        return 120.0 if self.number >= (25, 2, 0) else 60.0


V23_11 = Personality(version="v23.11")
V24_11 = Personality(version="v24.11.2")
V26_06 = Personality(version="v26.06.6")
NEXT = Personality(version="v26.12", failure_reason=True)
PERSONALITIES = (V23_11, V24_11, V26_06, NEXT)
