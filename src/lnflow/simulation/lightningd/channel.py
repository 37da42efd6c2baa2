"""One channel of the fake node: balances, HTLCs in flight, our policy and the one older policy it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from lnflow.domain.fees import forward_fee_msat

UNCAPPED_MSAT = 2**64 - 1
CLTV_DELTA = 40


class State(StrEnum):
    """The states that matter to forwarding."""

    AWAITING_LOCKIN = "CHANNELD_AWAITING_LOCKIN"
    NORMAL = "CHANNELD_NORMAL"
    AWAITING_SPLICE = "CHANNELD_AWAITING_SPLICE"
    SHUTTING_DOWN = "CHANNELD_SHUTTING_DOWN"
    CLOSING = "CLOSINGD_COMPLETE"
    AWAITING_UNILATERAL = "AWAITING_UNILATERAL"
    ONCHAIN = "ONCHAIN"


FORWARDING = frozenset({State.NORMAL, State.AWAITING_SPLICE})
SETTABLE = FORWARDING | {State.AWAITING_LOCKIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What we ask of an HTLC that leaves by the channel."""

    base_fee_msat: int
    fee_ppm: int
    htlc_min_msat: int
    htlc_max_msat: int

    def pays(self, amount_in_msat: int, amount_out_msat: int) -> bool:
        fee = forward_fee_msat(amount_out_msat, self.base_fee_msat, self.fee_ppm)
        return amount_in_msat - amount_out_msat >= fee

    def is_raise_from(self, old: Terms) -> bool:
        return (
            self.base_fee_msat > old.base_fee_msat
            or self.fee_ppm > old.fee_ppm
            or self.htlc_min_msat > old.htlc_min_msat
            or self.htlc_max_msat < old.htlc_max_msat
        )


@dataclass(slots=True, kw_only=True)
class Htlc:
    """An HTLC in flight in one channel."""

    id: int
    incoming: bool
    amount_msat: int
    payment_hash: str
    expiry: int


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel with `peer_id`.  `to_us_msat` changes when HTLCs settle, `spendable_msat` at once."""

    peer_id: str
    channel_id: str
    scid: str | None
    alias: str
    remote_alias: str
    total_msat: int
    to_us_msat: int
    terms: Terms
    funding_txid: str
    funding_outnum: int = 0
    opened_by_us: bool = False
    private: bool = False
    state: State = State.NORMAL
    our_reserve_msat: int = 0
    their_reserve_msat: int = 0
    commit_cost_msat: int = 0
    """What the opener keeps back for the commitment transaction and its headroom."""
    dust_limit_msat: int = 546_000
    peer_max_htlcs: int = 483
    peer_min_htlc_msat: int = 0
    peer_max_in_flight_msat: int = UNCAPPED_MSAT
    max_dust_msat: int = 50_000_000
    peer_terms: Terms | None = None
    peer_cltv_delta: int = CLTV_DELTA
    older_scids: list[str] = field(default_factory=list)
    htlcs: list[Htlc] = field(default_factory=list)
    older_terms: Terms | None = None
    older_until_ns: int = 0
    next_out_id: int = 0
    next_in_id: int = 0
    in_fulfilled_msat: int = 0
    in_fulfilled: int = 0
    out_fulfilled_msat: int = 0
    out_fulfilled: int = 0
    close_cause: str = "unknown"
    closer: str | None = None

    @property
    def name(self) -> str:
        """How the node's rows call it: the SCID, or our alias when there is none."""
        return self.scid or self.alias

    def out_htlcs(self) -> list[Htlc]:
        return [h for h in self.htlcs if not h.incoming]

    @property
    def spendable_msat(self) -> int:
        in_flight = sum(h.amount_msat for h in self.out_htlcs())
        kept = self.our_reserve_msat + (self.commit_cost_msat if self.opened_by_us else 0)
        return max(0, self.to_us_msat - kept - in_flight)

    @property
    def receivable_msat(self) -> int:
        in_flight = sum(h.amount_msat for h in self.htlcs if h.incoming)
        kept = self.their_reserve_msat + (0 if self.opened_by_us else self.commit_cost_msat)
        return max(0, self.total_msat - self.to_us_msat - kept - in_flight)

    def dust_msat(self, *, incoming: bool) -> int:
        return sum(h.amount_msat for h in self.htlcs if h.incoming == incoming and h.amount_msat < self.dust_limit_msat)

    def accepted_terms(self, now_ns: int) -> tuple[Terms, ...]:
        """The terms an HTLC may meet now: the present ones, and the older ones while their grace lasts."""
        if self.older_terms is not None and now_ns < self.older_until_ns:
            return (self.terms, self.older_terms)
        return (self.terms,)

    def set_terms(self, terms: Terms, *, grace_s: int, now_ns: int) -> None:
        """Apply new terms; a raise makes the present ones the single older policy that is remembered."""
        if terms.is_raise_from(self.terms):
            self.older_terms = self.terms
            self.older_until_ns = now_ns + grace_s * 1_000_000_000
        self.terms = terms
