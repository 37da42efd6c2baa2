"""Payments along routes written by hand: the sender's path-finder would avoid most of what is provoked."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.real_lnd.processes import Json, Node
from tests.real_lnd.wait import wait_until

SEND_TIMEOUT_S = 180.0  # the receiver may hold it, and a peer's mailbox gives up after 60 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One hop: what arrives at `to` by the channel `scid`."""

    scid: int
    to: Node
    amount_msat: int
    expiry: int  # block height
    amp: bool = False  # adds an AMP record, which a plain invoice refuses
    blinding_garbage: bool = False  # instead of amount and next hop: data that cannot be decrypted


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What a sender must know of an invoice; both in base64, as lnd's REST wants them."""

    payment_hash: str
    payment_addr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldInvoice:
    """An invoice whose HTLCs stay in flight until it is settled or cancelled."""

    node: Node
    preimage: bytes
    invoice: Invoice

    def wait_until_held(self) -> None:
        path = f"/v1/invoice/{base64.b64decode(self.invoice.payment_hash).hex()}"
        wait_until("a hold invoice to be accepted", lambda: self.node.get(path)["state"] == "ACCEPTED")

    def settle(self) -> None:
        self.node.post("/v2/invoices/settle", {"preimage": _base64(self.preimage)})

    def cancel(self) -> None:
        self.node.post("/v2/invoices/cancel", {"payment_hash": self.invoice.payment_hash})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How one HTLC of a sender ended; `failed_at` counts the hops, the sender being 0."""

    settled: bool
    failure_code: str = ""
    failed_at: int = 0


def unknown_invoice() -> Invoice:
    """Return what looks like an invoice and is none: whoever it reaches refuses it."""
    return Invoice(payment_hash=_random(32), payment_addr=_random(32))


def add_invoice(node: Node, amount_msat: int) -> Invoice:
    reply = node.post("/v1/invoices", {"value_msat": amount_msat})
    return Invoice(payment_hash=reply["r_hash"], payment_addr=reply["payment_addr"])


def add_held_invoice(node: Node, amount_msat: int) -> HeldInvoice:
    preimage = secrets.token_bytes(32)
    payment_hash = _base64(hashlib.sha256(preimage).digest())
    reply = node.post("/v2/invoices/hodl", {"hash": payment_hash, "value_msat": amount_msat})
    invoice = Invoice(payment_hash=payment_hash, payment_addr=reply["payment_addr"])
    return HeldInvoice(node=node, preimage=preimage, invoice=invoice)


def send(sender: Node, legs: Sequence[Leg], invoice: Invoice, *, total_msat: int | None = None) -> Sent:
    """Send one HTLC along `legs` and wait for its end; `total_msat` is for one part of several."""
    hops = [_hop(leg, following) for leg, following in zip(legs, [*legs[1:], legs[-1]], strict=True)]
    hops[-1]["mpp_record"] = {
        "payment_addr": invoice.payment_addr,
        "total_amt_msat": legs[-1].amount_msat if total_msat is None else total_msat,
    }
    if legs[-1].amp:
        hops[-1]["amp_record"] = {"root_share": _random(32), "set_id": _random(32), "child_index": 0}
    route = {"total_amt_msat": legs[0].amount_msat, "total_time_lock": legs[0].expiry, "hops": hops}
    question = {"payment_hash": invoice.payment_hash, "route": route}
    reply = sender.post("/v2/router/route/send", question, timeout_s=SEND_TIMEOUT_S)
    return _sent(reply)


def _hop(leg: Leg, following: Leg) -> dict[str, Any]:
    if leg.blinding_garbage:
        blinded = {
            "blinding_point": _base64(bytes.fromhex(following.to.pubkey)),
            "encrypted_data": _random(48),
        }
        return {"chan_id": leg.scid, "pub_key": leg.to.pubkey, "tlv_payload": True, **blinded}
    return {
        "chan_id": leg.scid,
        "pub_key": leg.to.pubkey,
        "tlv_payload": True,
        "amt_to_forward_msat": following.amount_msat,
        "fee_msat": leg.amount_msat - following.amount_msat,
        "expiry": following.expiry,
    }


def _sent(reply: Json) -> Sent:
    if reply["status"] == "SUCCEEDED":
        return Sent(settled=True)
    failure = reply["failure"]
    return Sent(settled=False, failure_code=failure["code"], failed_at=failure["failure_source_index"])


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _random(length: int) -> str:
    return _base64(secrets.token_bytes(length))
