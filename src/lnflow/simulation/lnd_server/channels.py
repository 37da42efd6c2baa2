"""A channel of the simulated LND: balances, limits and policies, with LND's arithmetic of what can be spent."""

from __future__ import annotations

from dataclasses import dataclass, field

from lnflow.domain.channel import Policy

ANCHORS_SAT = 660  # two anchor outputs of 330 sat, paid by the opener
COMMIT_WEIGHT = 1_124  # an anchor commitment without HTLCs, weight units
HTLC_WEIGHT = 172  # one more non-dust HTLC on it
DUST_LIMIT_SAT = 354
MAX_HTLCS = 483

_MSAT = 1000


@dataclass(slots=True, kw_only=True)
class InFlight:
    """An HTLC of a channel that has no end yet: one side of a forward, or an own send or receive."""

    incoming: bool
    htlc_id: int
    amount_msat: int
    expiry_height: int
    payment_hash: bytes
    forwarding_scid: int = 0
    forwarding_htlc_id: int = 0
    committed: bool = True


@dataclass(slots=True, kw_only=True)
class LndChannel:
    """One channel as the node keeps it.

    `local_msat` and `remote_msat` are what each side owns apart from HTLCs in flight, *before* the opener's
    commitment fee and anchors: with the HTLCs they always add up to the capacity.
    """

    channel_point: str
    scid: int
    peer: str
    capacity_sat: int
    local_msat: int
    policy: Policy
    peer_policy: Policy | None
    initiator: bool = True
    private: bool = False
    reserve_sat: int = -1
    """-1: one per cent of the capacity, for both sides."""
    fee_per_kw: int = 500
    max_accepted_htlcs: int = MAX_HTLCS
    """How many HTLCs of ours the peer accepts at once."""
    peer_min_htlc_msat: int = 1
    max_pending_msat: int = -1
    """What the peer accepts from us in flight; -1: 99 % of the capacity."""
    alias_scids: tuple[int, ...] = ()
    zero_conf: bool = False
    confirmed_scid: int = 0
    peer_scid_alias: int = 0
    established: bool = True
    """False while the channel is re-established, quiescent or closing: the link is there, but not eligible."""
    flushing: bool = False
    """The outgoing state machine refuses every add (HTLC_ADD_FAILED)."""
    dust_exposed: bool = False
    announced: bool = True
    """False: LND has no channel_update of ours yet; its failures become TEMPORARY_NODE_FAILURE."""
    disabled: bool = False
    """The gossip bit as UpdateChanStatus set it; it never stops a forward."""

    remote_msat: int = field(init=False)
    next_in_id: int = 0
    next_out_id: int = 0
    in_flight: list[InFlight] = field(default_factory=list)
    sent_msat: int = 0
    received_msat: int = 0
    updates: int = 0
    active_since_ns: int = 0

    def __post_init__(self) -> None:
        capacity_msat = self.capacity_sat * _MSAT
        if not 0 <= self.local_msat <= capacity_msat:
            raise ValueError(f"channel {self.channel_point}: local_msat must be within the capacity")
        self.remote_msat = capacity_msat - self.local_msat
        if self.reserve_sat < 0:
            self.reserve_sat = self.capacity_sat // 100
        if self.max_pending_msat < 0:
            self.max_pending_msat = (self.capacity_sat - self.capacity_sat // 100) * _MSAT

    @property
    def commit_weight(self) -> int:
        htlcs = sum(1 for htlc in self.in_flight if htlc.amount_msat >= DUST_LIMIT_SAT * _MSAT)
        return COMMIT_WEIGHT + HTLC_WEIGHT * htlcs

    @property
    def commit_fee_sat(self) -> int:
        return self.commit_weight * self.fee_per_kw // 1000

    def local_balance_sat(self) -> int:
        return self.local_msat // _MSAT - (self._opener_costs_sat if self.initiator else 0)

    def remote_balance_sat(self) -> int:
        return self.remote_msat // _MSAT - (0 if self.initiator else self._opener_costs_sat)

    @property
    def _opener_costs_sat(self) -> int:
        return self.commit_fee_sat + ANCHORS_SAT

    def unsettled_msat(self) -> int:
        return sum(htlc.amount_msat for htlc in self.in_flight)

    def spendable_msat(self) -> int:
        """Return what may leave by the channel now: LND's bandwidth of the link, never below zero.

        The opener keeps a buffer: the commitment with one more HTLC at twice the fee rate.
        """
        free = self.local_msat - self.reserve_sat * _MSAT
        if self.initiator:
            buffer_sat = (self.commit_weight + HTLC_WEIGHT) * 2 * self.fee_per_kw // 1000
            free -= (buffer_sat + ANCHORS_SAT) * _MSAT
        return max(0, free)

    def receivable_msat(self) -> int:
        """Return what the peer may send us by the channel now (its reserve kept)."""
        free = self.remote_msat - self.reserve_sat * _MSAT
        if not self.initiator:
            free -= self._opener_costs_sat * _MSAT
        return max(0, free)

    def add_outgoing(self, amount_msat: int, *, expiry_height: int, payment_hash: bytes) -> InFlight | None:
        """Put an HTLC towards the peer; None if the commitment's own rules refuse it (LND: HTLC_ADD_FAILED)."""
        outgoing = [htlc.amount_msat for htlc in self.in_flight if not htlc.incoming]
        if (
            self.flushing
            or len(outgoing) >= self.max_accepted_htlcs
            or sum(outgoing) + amount_msat > self.max_pending_msat
            or amount_msat < self.peer_min_htlc_msat
            or amount_msat > self.spendable_msat()
        ):
            return None
        htlc = InFlight(
            incoming=False,
            htlc_id=self.next_out_id,
            amount_msat=amount_msat,
            expiry_height=expiry_height,
            payment_hash=payment_hash,
        )
        self.next_out_id += 1
        self.local_msat -= amount_msat
        self.in_flight.append(htlc)
        self.updates += 1
        return htlc

    def add_incoming(self, amount_msat: int, *, expiry_height: int, payment_hash: bytes) -> InFlight:
        """Put an HTLC from the peer; `ValueError` if the peer does not own that much."""
        if amount_msat > self.receivable_msat():
            raise ValueError(
                f"{amount_msat} msat cannot come in by {self.channel_point}: the peer can send"
                f" {self.receivable_msat()} msat"
            )
        htlc = InFlight(
            incoming=True,
            htlc_id=self.next_in_id,
            amount_msat=amount_msat,
            expiry_height=expiry_height,
            payment_hash=payment_hash,
        )
        self.next_in_id += 1
        self.remote_msat -= amount_msat
        self.in_flight.append(htlc)
        self.updates += 1
        return htlc

    def take_back(self, htlc: InFlight) -> None:
        """Undo an add that was never committed: its id will be used again."""
        self.remove(htlc, settled=False)
        others = [other.htlc_id + 1 for other in self.in_flight if not other.incoming]
        self.next_out_id = max([htlc.htlc_id, *others])

    def remove(self, htlc: InFlight, *, settled: bool) -> None:
        """End an HTLC: the money goes to its receiver, or back."""
        self.in_flight.remove(htlc)
        if settled == htlc.incoming:
            self.local_msat += htlc.amount_msat
        else:
            self.remote_msat += htlc.amount_msat
        if settled and htlc.incoming:
            self.received_msat += htlc.amount_msat
        elif settled:
            self.sent_msat += htlc.amount_msat
        self.updates += 1
