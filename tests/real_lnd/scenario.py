"""What is provoked at B: every refusal lnd's switch can be brought to, and forwards and own payments between.

`run_scenario` leaves the network changed for good (B-D is closed at the end), so it runs once per network.
What it returns is computed from what was *sent*; nothing in it was asked of B.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from tests.real_lnd.network import CONFIRMATIONS_TO_ANNOUNCE, ROUTER_POLICIES, Network, Policy
from tests.real_lnd.payments import (
    HeldInvoice,
    Invoice,
    Leg,
    Sent,
    add_held_invoice,
    add_invoice,
    send,
    unknown_invoice,
)
from tests.real_lnd.processes import Json, Node
from tests.real_lnd.wait import wait_until

FINAL_DELTA = 90  # blocks; invoices ask for 80
SEND_DEADLINE_S = 60.0
MAILBOX_DEADLINE_S = 120.0  # lnd gives up after 60 s
CONFIRMATIONS_TO_CLOSE = 6  # lnd 0.21 wants at least 3, more for a larger channel
SLOTS = 6  # D lets B add so many HTLCs
INVENTED_SCIDS = (722_900 << 40 | 300 << 16 | 1, 701_617 << 40 | 12 << 16 | 1)
D_TO_C_BASE_MSAT = 1_000  # lnd's default policy, which C and D keep: 1 sat + 1 ppm
D_TO_C_PPM = 1


class Cause(StrEnum):
    """How an HTLC that B was to send on ended: settled, failed downstream, or B's own reason."""

    SETTLED = "settled"
    DOWNSTREAM = "downstream"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    HTLC_EXCEEDS_MAX = "htlc_exceeds_max"
    AMOUNT_BELOW_MINIMUM = "amount_below_minimum"
    FEE_INSUFFICIENT = "fee_insufficient"
    UNKNOWN_NEXT_PEER = "unknown_next_peer"
    LINK_NOT_ELIGIBLE = "link_not_eligible"
    HTLC_ADD_FAILED = "htlc_add_failed"
    EXPIRY_TOO_SOON = "expiry_too_soon"
    EXPIRY_TOO_FAR = "expiry_too_far"
    INCORRECT_CLTV_EXPIRY = "incorrect_cltv_expiry"
    CIRCULAR_ROUTE = "circular_route"
    FORWARDS_DISABLED = "forwards_disabled"
    INVALID_ONION = "invalid_onion"


TOLD_TO_SENDER = {
    Cause.INSUFFICIENT_BALANCE: "TEMPORARY_CHANNEL_FAILURE",
    Cause.HTLC_EXCEEDS_MAX: "TEMPORARY_CHANNEL_FAILURE",
    Cause.AMOUNT_BELOW_MINIMUM: "AMOUNT_BELOW_MINIMUM",
    Cause.FEE_INSUFFICIENT: "FEE_INSUFFICIENT",
    Cause.UNKNOWN_NEXT_PEER: "UNKNOWN_NEXT_PEER",
    Cause.LINK_NOT_ELIGIBLE: "UNKNOWN_NEXT_PEER",
    Cause.HTLC_ADD_FAILED: "TEMPORARY_CHANNEL_FAILURE",
    Cause.EXPIRY_TOO_SOON: "EXPIRY_TOO_SOON",
    Cause.EXPIRY_TOO_FAR: "EXPIRY_TOO_FAR",
    Cause.INCORRECT_CLTV_EXPIRY: "INCORRECT_CLTV_EXPIRY",
    Cause.CIRCULAR_ROUTE: "TEMPORARY_CHANNEL_FAILURE",
    Cause.FORWARDS_DISABLED: "CHANNEL_DISABLED",
    Cause.INVALID_ONION: "INVALID_ONION_BLINDING",
}

Seen = Literal["both", "incoming", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provoked:
    """One HTLC that reached B to be sent on, as its sender made it."""

    step: str
    cause: Cause
    in_peer: str
    in_scid: int
    out_peer: str | None  # None where B cannot know it
    requested_out_scid: int  # B may use another channel to the same peer; 0 if it could not be read
    in_msat: int
    out_msat: int  # what B was asked to send on
    amounts_seen: Seen = "both"  # which of the two amounts B's events show
    note: str = ""

    @property
    def fee_msat(self) -> int:
        """What the sender offered B; earned only if `cause` is SETTLED."""
        return self.in_msat - self.out_msat


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPayment:
    """A payment of B's own, which must never be counted as an attempt to forward."""

    step: str
    kind: Literal["send", "receive", "rebalance"]
    peer: str
    msat: int
    settled: bool
    cost_msat: int = 0  # of a rebalance
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    started_ns: int
    ended_ns: int


@dataclass(slots=True)
class Outcome:
    """Everything that was provoked, in the order of its ends."""

    htlcs: list[Provoked] = field(default_factory=list)
    own: list[OwnPayment] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def with_cause(self, cause: Cause) -> list[Provoked]:
        return [one for one in self.htlcs if one.cause is cause]

    @property
    def settled(self) -> list[Provoked]:
        return self.with_cause(Cause.SETTLED)

    @property
    def earned_msat(self) -> int:
        return sum(one.fee_msat for one in self.settled)


class UnexpectedEndError(Exception):
    """An HTLC did not end as it was meant to, so what was provoked is not what the scenario says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One HTLC that a neighbour of B wants B to send on."""

    into: str
    out_peer: str
    out_scid: int
    in_msat: int
    out_msat: int
    in_expiry: int
    out_expiry: int
    invoice: Invoice


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """A payment that is under way in a thread."""

    ask: Ask
    sent: Future[Sent]
    note: str


def run_scenario(network: Network, *, with_mailbox_expiry: bool = False) -> Outcome:
    """Provoke everything, about a minute; the mailbox expiry takes another minute."""
    scenario = Scenario(network)
    steps = [
        scenario.settled_forwards,
        scenario.settled_overpaid,
        scenario.multi_part,
        scenario.downstream_probe,
        scenario.downstream_next_hop,
        scenario.insufficient_then_restored,
        scenario.exceeds_max,
        scenario.below_minimum,
        scenario.fee_insufficient,
        scenario.inbound_discount,
        scenario.wrong_expiry,
        scenario.peer_offline,
        scenario.invented_scid,
        scenario.circular,
        scenario.blinding_garbage,
        scenario.slots_full,
        scenario.frozen_peer,
        *([scenario.mailbox_expiry] if with_mailbox_expiry else []),
        scenario.alias_channel,
        scenario.own_payments,
        scenario.rebalance,
        scenario.insufficient_parallel,
        scenario.restart_in_flight,
        scenario.settled_while_down,
        scenario.closing_channel,
    ]
    for step in steps:
        with scenario.step(step.__name__):
            step()
    return scenario.outcome


class Scenario:
    """The steps; each leaves B's policies as `network.ROUTER_POLICIES` has them."""

    def __init__(self, network: Network) -> None:
        self.outcome = Outcome()
        self._network = network
        self._step = ""
        self._policies = dict(ROUTER_POLICIES)
        # not left by `with`: after a failure its threads end when the network is killed
        self._threads = ThreadPoolExecutor(max_workers=2 * SLOTS)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self._step = name
        started_ns = time.time_ns()
        yield
        self.outcome.steps.append(Step(name=name, started_ns=started_ns, ended_ns=time.time_ns()))

    # The steps, in their order

    def settled_forwards(self) -> None:
        """Forwards of several sizes in both directions, at exactly the asked fee."""
        for out, out_msat in (
            ("BD", 1_294_777),
            ("BD", 53_781_042),
            ("BD", 216_968_989),
            ("BC1", 2_523_498),
            ("BC1", 106_537_941),
            ("BC1", 339_755_992),
            ("BC2", 65_617_367),
        ):
            self._forward(out, out_msat)
        self._forward("AB", 49_116_914, into="BD")
        self._forward("AB", 13_578_517, into="BC1")

    def settled_overpaid(self) -> None:
        """A offers more than asked; all of it is B's."""
        self._forward("BC1", 64_563_289, extra_fee_msat=4_774)

    def multi_part(self) -> None:
        """One invoice of C in two parts: two forwards with one preimage."""
        parts = (41_553_634, 64_104_932)
        invoice = add_invoice(self._network.c, sum(parts))
        asks = [self._ask("BC1", part, invoice=invoice) for part in parts]
        for flight in [self._launch(ask, note="one of two parts", total_msat=sum(parts)) for ask in asks]:
            self._land(flight, Cause.SETTLED)

    def downstream_probe(self) -> None:
        """Unknown payment hashes: C and D refuse, B had the liquidity."""
        for out, out_msat in (("BC1", 139_804_723), ("BD", 126_907_324), ("BC2", 71_840_096)):
            self._fail(Cause.DOWNSTREAM, self._ask(out, out_msat))

    def downstream_next_hop(self) -> None:
        """A-B-C-D, where C refuses since A offers C no fee."""
        ask = self._ask("BC1", 110_656_721)
        onward = self._leg("CD", "D", ask.out_msat, ask.out_expiry)
        sent = send(self._network.a, [*self._legs(ask), onward], ask.invoice)
        self._record(Cause.DOWNSTREAM, ask, sent, note="C refuses: fee_insufficient")

    def insufficient_then_restored(self) -> None:
        """One try and three retries fail for lack of balance; D brings balance back; then it passes."""
        amount_msat = 1_318_053_897
        invoice = add_invoice(self._network.d, amount_msat)
        for _ in range(4):
            self._fail(Cause.INSUFFICIENT_BALANCE, self._ask("BD", amount_msat, invoice=invoice))
        self._forward("AB", 643_508_341, into="BD", note="brings balance back to B-D")
        self._pay_router("BD", 392_610_128)
        self._forward("BD", amount_msat, invoice=invoice, note="refused four times before")

    def exceeds_max(self) -> None:
        with self._changed_policy("BD", max_htlc_msat=120_000_000):
            self._fail(Cause.HTLC_EXCEEDS_MAX, self._ask("BD", 137_469_770))
            self._fail(Cause.HTLC_EXCEEDS_MAX, self._ask("BD", 126_225_697))

    def below_minimum(self) -> None:
        with self._changed_policy("BD", min_htlc_msat=10_000_000):
            self._fail(Cause.AMOUNT_BELOW_MINIMUM, self._ask("BD", 5_399_401))

    def fee_insufficient(self) -> None:
        """B raises its fee; A pays the old one: the first is retried at once and settles, the second not."""
        first_msat, second_msat = 118_036_462, 132_286_677
        invoice = add_invoice(self._network.d, first_msat)
        stale = self._ask("BD", first_msat, invoice=invoice)
        not_retried = self._ask("BD", second_msat)
        with self._changed_policy("BD", ppm=1_900):
            self._fail(Cause.FEE_INSUFFICIENT, stale, note="retried at once")
            self._forward("BD", first_msat, invoice=invoice, note="the retry")
            self._fail(Cause.FEE_INSUFFICIENT, not_retried, note="not retried")

    def inbound_discount(self) -> None:
        """Exactly the discounted fee passes, one msat less does not, a sender that ignores it overpays."""
        ignorant = self._ask("BD", 117_168_047, invoice=add_invoice(self._network.d, 117_168_047))
        with self._changed_policy("AB", inbound_base_msat=-150, inbound_ppm=-60):
            self._forward("BD", 116_238_249, note="inbound discount")
            self._fail(Cause.FEE_INSUFFICIENT, self._ask("BD", 110_531_750, extra_fee_msat=-1))
            self._land(self._launch(ignorant, note="sender ignores the discount"), Cause.SETTLED)

    def wrong_expiry(self) -> None:
        height = self._network.height()
        self._fail(Cause.INCORRECT_CLTV_EXPIRY, self._ask("BD", 28_752_617, cltv_delta=20))
        self._fail(Cause.EXPIRY_TOO_SOON, self._ask("BD", 20_596_621, out_expiry=height + 2))
        self._fail(Cause.EXPIRY_TOO_FAR, self._ask("BD", 26_973_636, out_expiry=height + 2_100))
        self._pay_router("BD", 675_217_650)  # balance for what follows

    def peer_offline(self) -> None:
        """D is away for two tries; the third, after its return, passes."""
        network = self._network
        amount_msat = 156_613_717
        invoice = add_invoice(network.d, amount_msat)
        network.d.stop()
        network.wait_until_inactive("B", "BD")
        for _ in range(2):
            self._fail(Cause.UNKNOWN_NEXT_PEER, self._ask("BD", amount_msat, invoice=invoice), note="D offline")
        network.start_again("D")
        self._forward("BD", amount_msat, invoice=invoice, note="D is back")

    def invented_scid(self) -> None:
        for scid, out_msat in zip(INVENTED_SCIDS, (45_454_698, 54_299_081), strict=True):
            ask = replace(self._ask("BD", out_msat), out_scid=scid)
            sent = send(self._network.a, self._legs(ask), ask.invoice)
            self._record(Cause.UNKNOWN_NEXT_PEER, ask, sent, out_peer=None, note="invented scid")

    def circular(self) -> None:
        """A-B-A over the same channel."""
        self._fail(Cause.CIRCULAR_ROUTE, self._ask("AB", 27_342_388))

    def blinding_garbage(self) -> None:
        """B is named as introduction point, but the data for it cannot be decrypted."""
        ask = replace(self._ask("BD", 32_694_457), out_scid=0)
        into, onward = self._legs(ask)
        sent = send(self._network.a, [replace(into, blinding_garbage=True), onward], ask.invoice)
        self._record(Cause.INVALID_ONION, ask, sent, out_peer=None, amounts_seen="incoming", note="blinding garbage")

    def slots_full(self) -> None:
        """Six HTLCs are held at D, two more are refused; then four are settled and two cancelled."""
        held = []
        for out_msat in (11_246_987, 10_645_973, 9_009_843, 9_813_895, 10_624_643, 10_050_137):
            held.append(self._hold("BD", out_msat))
        for out_msat in (17_530_286, 24_954_672):
            ask = self._ask("BD", out_msat)
            self._fail(Cause.HTLC_ADD_FAILED, ask, amounts_seen="none", note="slots full")
        for invoice, _ in held[:4]:
            invoice.settle()
        for invoice, _ in held[4:]:
            invoice.cancel()
        for _, flight in held[:4]:
            self._land(flight, Cause.SETTLED)
        for _, flight in held[4:]:
            self._land(flight, Cause.DOWNSTREAM)

    def frozen_peer(self) -> None:
        """D freezes with one HTLC committed and one not, dies and returns: B offers the second twice."""
        flights = self._send_to_frozen_peer((22_134_155, 23_223_342))
        self._network.start_again("D")
        for flight in flights:
            self._land(flight, Cause.SETTLED)

    def mailbox_expiry(self) -> None:
        """The same, but D stays away: after a minute B gives up the second, which it had offered."""
        committed, waiting = self._send_to_frozen_peer((23_764_809, 24_008_736))
        self._land(waiting, Cause.HTLC_ADD_FAILED, deadline_s=MAILBOX_DEADLINE_S)
        self._network.start_again("D")
        self._land(committed, Cause.SETTLED)

    def alias_channel(self) -> None:
        """A-B-E by the alias of B-E works and can lack balance; by its real SCID the channel is unknown."""
        network = self._network
        self._forward("BE", 112_282_347, note="by alias, not yet mined")
        network.mine(CONFIRMATIONS_TO_ANNOUNCE)
        scid = wait_until("the real SCID of B-E", lambda: _confirmed_scid(network.channel_of("B", "BE")))
        self._forward("BE", 27_883_486, note="by alias, mined")
        self._fail(Cause.INSUFFICIENT_BALANCE, self._ask("BE", 2_951_079_636), note="by alias, mined")
        real = replace(self._ask("BE", 23_927_957), out_scid=scid)
        self._fail(Cause.UNKNOWN_NEXT_PEER, real, note="real scid of the alias channel")

    def own_payments(self) -> None:
        """B pays, is refused, cannot use its own first hop; B is paid, and refuses to be paid."""
        network = self._network
        for channel, peer, amount_msat in (("BC1", network.c, 35_522_862), ("BD", network.d, 35_630_128)):
            self._router_pays(channel, amount_msat, add_invoice(peer, amount_msat), settled=True, note="")
        self._router_pays("BD", 27_849_119, unknown_invoice(), settled=False, note="refused by D")
        self._router_pays("BD", 3_783_739_090, unknown_invoice(), settled=False, note="no balance")
        paid = self._pay_router("AB", 58_005_808)
        self._pay_router("AB", 29_582_732, invoice=unknown_invoice(), note="unknown invoice")
        self._pay_router("BC1", 58_005_808, invoice=paid, note="already settled")
        plain = add_invoice(network.b, 41_046_842)
        self._pay_router("AB", 41_046_842, invoice=plain, amp=True, note="AMP record on a plain invoice")

    def rebalance(self) -> None:
        """B pays itself along B-C-D-B."""
        network = self._network
        amounts = [162_974_470]
        for _ in ("D", "C"):
            amounts.insert(0, amounts[0] + D_TO_C_BASE_MSAT + amounts[0] * D_TO_C_PPM // 1_000_000)
        final = network.height() + FINAL_DELTA
        legs = [
            self._leg("BC1", "C", amounts[0], final + 160),
            self._leg("CD", "D", amounts[1], final + 80),
            self._leg("BD", "B", amounts[2], final),
        ]
        sent = send(network.b, legs, add_invoice(network.b, amounts[-1]))
        _expect(sent.settled, f"rebalance: {sent}")
        cost_msat = amounts[0] - amounts[-1]
        self._record_own("rebalance", "C", amounts[-1], settled=True, cost_msat=cost_msat, note="back from D")

    def insufficient_parallel(self) -> None:
        """More than either B-C channel holds is refused; what only the larger holds passes although the
        smaller was asked."""
        self._fail(Cause.INSUFFICIENT_BALANCE, self._ask("BC1", 2_949_660_001), note="parallel channels")
        self._forward("BC2", 1_600_353_001, note="asked BC2, must leave by BC1")

    def lack_of_balance(self, channel: str, times: int) -> None:
        """Ask for more than any channel with that peer holds, each time for another amount."""
        for n in range(times):
            amount_msat = 2_949_660_001 + n * 150_000_000
            self._fail(Cause.INSUFFICIENT_BALANCE, self._ask(channel, amount_msat), note="more than there is")

    def restart_in_flight(self) -> None:
        """B restarts, with rejecthtlc, while C holds an HTLC: its settle comes without a forward event."""
        network = self._network
        invoice, flight = self._hold("BC1", 155_808_847)
        network.restart("B", "--rejecthtlc")
        invoice.settle()
        self._land(flight, Cause.SETTLED)
        self._fail(Cause.FORWARDS_DISABLED, self._ask("BD", 45_283_854))
        network.restart("B")

    def settled_while_down(self) -> None:
        """D settles a held HTLC while B is down; B learns of it when it returns."""
        network = self._network
        invoice, flight = self._hold("BD", 146_601_654)
        network.b.stop()
        invoice.settle()
        network.start_again("B")
        self._land(flight, Cause.SETTLED)

    def closing_channel(self) -> None:
        """B closes B-D while D holds an HTLC: new ones are refused, the held one settles, B-D closes."""
        network = self._network
        invoice, flight = self._hold("BD", 31_087_820)
        txid, index = network.channels["BD"].point.split(":")
        network.b.delete(f"/v1/channels/{txid}/{index}", no_wait="true", sat_per_vbyte="2")
        network.wait_until_inactive("B", "BD")
        self._fail(Cause.LINK_NOT_ELIGIBLE, self._ask("BD", 20_665_308), note="cooperative close under way")
        invoice.settle()
        self._land(flight, Cause.SETTLED)
        wait_until("the closing transaction", network.chain.mempool)
        network.mine(CONFIRMATIONS_TO_CLOSE)
        wait_until("B to see B-D closed", lambda: network.b.get("/v1/channels/closed")["channels"])
        self._fail(Cause.UNKNOWN_NEXT_PEER, self._ask("BD", 28_680_515), note="channel closed")

    # How HTLCs are made and their ends recorded

    def _ask(
        self,
        out: str,
        out_msat: int,
        *,
        into: str = "AB",
        invoice: Invoice | None = None,
        extra_fee_msat: int = 0,
        cltv_delta: int = 80,
        out_expiry: int | None = None,
    ) -> Ask:
        """Return an HTLC that offers what B asks now plus `extra_fee_msat`; without invoice it is a probe."""
        channel = self._network.channels[out]
        fee_msat = _asked_fee_msat(self._policies[into], self._policies[out], out_msat) + extra_fee_msat
        expiry = self._network.height() + FINAL_DELTA if out_expiry is None else out_expiry
        return Ask(
            into=into,
            out_peer=channel.other_end("B"),
            out_scid=channel.scid,
            in_msat=out_msat + fee_msat,
            out_msat=out_msat,
            in_expiry=expiry + cltv_delta,
            out_expiry=expiry,
            invoice=unknown_invoice() if invoice is None else invoice,
        )

    def _leg(self, channel: str, to: str, amount_msat: int, expiry: int) -> Leg:
        network = self._network
        return Leg(scid=network.scid(channel), to=network.nodes[to], amount_msat=amount_msat, expiry=expiry)

    def _legs(self, ask: Ask) -> tuple[Leg, Leg]:
        out_peer = self._network.nodes[ask.out_peer]
        onward = Leg(scid=ask.out_scid, to=out_peer, amount_msat=ask.out_msat, expiry=ask.out_expiry)
        return self._leg(ask.into, "B", ask.in_msat, ask.in_expiry), onward

    def _sender(self, ask: Ask) -> Node:
        return self._network.nodes[self._network.channels[ask.into].other_end("B")]

    def _launch(self, ask: Ask, *, note: str = "", total_msat: int | None = None) -> InFlight:
        legs = self._legs(ask)
        sent = self._threads.submit(send, self._sender(ask), legs, ask.invoice, total_msat=total_msat)
        return InFlight(ask=ask, sent=sent, note=note)

    def _land(self, flight: InFlight, cause: Cause, *, deadline_s: float = SEND_DEADLINE_S) -> None:
        self._record(cause, flight.ask, flight.sent.result(deadline_s), note=flight.note)

    def _fail(self, cause: Cause, ask: Ask, *, amounts_seen: Seen = "both", note: str = "") -> None:
        sent = send(self._sender(ask), self._legs(ask), ask.invoice)
        self._record(cause, ask, sent, amounts_seen=amounts_seen, note=note)

    def _forward(
        self,
        out: str,
        out_msat: int,
        *,
        into: str = "AB",
        invoice: Invoice | None = None,
        extra_fee_msat: int = 0,
        note: str = "",
    ) -> None:
        """Pay the node at the far end of `out`, and see that it settles."""
        payee = self._network.nodes[self._network.channels[out].other_end("B")]
        invoice = add_invoice(payee, out_msat) if invoice is None else invoice
        ask = self._ask(out, out_msat, into=into, invoice=invoice, extra_fee_msat=extra_fee_msat)
        self._land(self._launch(ask, note=note), Cause.SETTLED)

    def _hold(self, out: str, out_msat: int) -> tuple[HeldInvoice, InFlight]:
        """Bring an HTLC through B to a hold invoice and wait until it is there."""
        payee = self._network.nodes[self._network.channels[out].other_end("B")]
        held = add_held_invoice(payee, out_msat)
        flight = self._launch(self._ask(out, out_msat, invoice=held.invoice), note="held")
        held.wait_until_held()
        return held, flight

    def _send_to_frozen_peer(self, amounts_msat: Sequence[int]) -> list[InFlight]:
        """Freeze D, let B offer it HTLCs one after the other, and kill it.

        B waits for D's answer to the first commitment, so only the first HTLC is committed.
        """
        network = self._network
        network.wait_until_idle("BD")  # else B may still wait for an answer, and commits neither
        invoices = [add_invoice(network.d, amount_msat) for amount_msat in amounts_msat]
        offers = (event for event in network.b.stream("/v2/router/htlcevents") if _is_forward(event))
        network.d.freeze()
        flights = []
        for amount_msat, invoice in zip(amounts_msat, invoices, strict=True):
            flights.append(self._launch(self._ask("BD", amount_msat, invoice=invoice), note="frozen peer"))
            next(offers)
        network.d.kill()
        network.wait_until_inactive("B", "BD")
        return flights

    def _router_pays(self, channel: str, amount_msat: int, invoice: Invoice, *, settled: bool, note: str) -> None:
        network = self._network
        peer = network.channels[channel].other_end("B")
        leg = self._leg(channel, peer, amount_msat, network.height() + FINAL_DELTA)
        sent = send(network.b, [leg], invoice)
        _expect(sent.settled is settled, f"own payment to {peer}: {sent}")
        self._record_own("send", peer, amount_msat, settled=settled, note=note)

    def _pay_router(
        self,
        channel: str,
        amount_msat: int,
        *,
        invoice: Invoice | None = None,
        amp: bool = False,
        note: str = "",
    ) -> Invoice:
        """Pay B by `channel`; an `invoice` given by the caller is one that B must refuse."""
        network = self._network
        peer = network.channels[channel].other_end("B")
        settled = invoice is None
        asked = add_invoice(network.b, amount_msat) if invoice is None else invoice
        leg = replace(self._leg(channel, "B", amount_msat, network.height() + FINAL_DELTA), amp=amp)
        sent = send(network.nodes[peer], [leg], asked)
        _expect(sent.settled is settled, f"payment of {peer} to B: {sent}")
        self._record_own("receive", peer, amount_msat, settled=settled, note=note)
        return asked

    def _record(
        self,
        cause: Cause,
        ask: Ask,
        sent: Sent,
        *,
        out_peer: str | None = "",
        amounts_seen: Seen = "both",
        note: str = "",
    ) -> None:
        _expect(_ended_as(cause, sent), f"{self._step}: wanted {cause}, got {sent}")
        into = self._network.channels[ask.into]
        self.outcome.htlcs.append(
            Provoked(
                step=self._step,
                cause=cause,
                in_peer=into.other_end("B"),
                in_scid=into.scid,
                out_peer=ask.out_peer if out_peer == "" else out_peer,
                requested_out_scid=ask.out_scid,
                in_msat=ask.in_msat,
                out_msat=ask.out_msat,
                amounts_seen=amounts_seen,
                note=note,
            )
        )

    def _record_own(
        self,
        kind: Literal["send", "receive", "rebalance"],
        peer: str,
        msat: int,
        *,
        settled: bool,
        cost_msat: int = 0,
        note: str,
    ) -> None:
        own = OwnPayment(
            step=self._step, kind=kind, peer=peer, msat=msat, settled=settled, cost_msat=cost_msat, note=note
        )
        self.outcome.own.append(own)

    @contextmanager
    def _changed_policy(self, channel: str, **changes: int) -> Iterator[None]:
        """Let B ask something else on `channel` for the block; `_ask` knows of it."""
        before = self._policies[channel]
        self._set_policy(channel, replace(before, **changes))
        yield
        self._set_policy(channel, before)

    def _set_policy(self, channel: str, policy: Policy) -> None:
        self._network.set_policy("B", channel, policy)
        self._policies[channel] = policy


def _asked_fee_msat(into: Policy, out: Policy, out_msat: int) -> int:
    """Return what B asks: the outbound fee plus the inbound one, which is rounded toward zero."""
    outbound_msat = out.fee_msat(out_msat)
    discount_msat = -into.inbound_base_msat + -into.inbound_ppm * (out_msat + outbound_msat) // 1_000_000
    return max(0, outbound_msat - discount_msat)


def _ended_as(cause: Cause, sent: Sent) -> bool:
    match cause:
        case Cause.SETTLED:
            return sent.settled
        case Cause.DOWNSTREAM:
            return not sent.settled and sent.failed_at >= 2
        case _:
            return (sent.failed_at, sent.failure_code) == (1, TOLD_TO_SENDER[cause])


def _confirmed_scid(channel: Json) -> int:
    """Return 0 while the channel is known by its alias only."""
    return int(channel["zero_conf_confirmed_scid"])


def _is_forward(event: dict[str, dict[str, object]]) -> bool:
    return "forward_event" in event.get("result", {})


def _expect(as_wanted: bool, what: str) -> None:
    if not as_wanted:
        raise UnexpectedEndError(what)
