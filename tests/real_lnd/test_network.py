"""The network does what the scenario says: checked against lnd's own history and events, without lnflow."""

from __future__ import annotations

from collections import Counter

from tests.real_lnd.events import EventLog
from tests.real_lnd.network import Network
from tests.real_lnd.processes import Json
from tests.real_lnd.scenario import Cause, Outcome, Provoked
from tests.real_lnd.wait import wait_until


def test_history_of_b_is_what_was_sent_and_settled(real_network: Network, provoked: Outcome) -> None:
    """Row by row to the msat, by incoming channel and outgoing peer."""
    rows = _history(real_network)
    listed = Counter(
        (
            int(row["chan_id_in"]),
            _peer(real_network, int(row["chan_id_out"])),
            int(row["amt_in_msat"]),
            int(row["amt_out_msat"]),
            int(row["fee_msat"]),
        )
        for row in rows
    )
    sent = Counter((one.in_scid, one.out_peer, one.in_msat, one.out_msat, one.fee_msat) for one in provoked.settled)
    assert listed == sent
    assert sum(int(row["fee_msat"]) for row in rows) == provoked.earned_msat > 0


def test_events_of_b_name_every_cause_and_amount_that_was_provoked(
    real_network: Network, provoked: Outcome, event_log: EventLog
) -> None:
    """Refusals name the channel that was asked for, the others the one that was used."""
    wanted = Counter(_as_told(real_network, one) for one in provoked.htlcs)

    def told() -> Counter[tuple[object, ...]]:
        return Counter(
            (
                one.cause,
                one.in_scid,
                one.out_scid if _asked_not_used(one.cause) else _peer(real_network, one.out_scid),
                one.in_msat,
                one.out_msat,
            )
            for one in event_log.forwarded()
        )

    wait_until("the events of the last HTLC", lambda: told().total() >= wanted.total())
    assert told() == wanted


def test_every_cause_that_can_be_reached_was_provoked(provoked: Outcome) -> None:
    assert {one.cause for one in provoked.htlcs} == set(Cause)


def test_an_offer_to_a_peer_that_froze_is_made_again(provoked: Outcome, event_log: EventLog) -> None:
    """The second HTLC was not committed when the peer went: a forward event twice, one payment."""
    offered = {one.in_msat: one.forward_events for one in event_log.forwarded()}
    frozen = [offered[one.in_msat] for one in provoked.htlcs if one.step == "frozen_peer"]
    assert frozen == [1, 2]


def test_settle_after_a_restart_comes_without_its_forward(provoked: Outcome, event_log: EventLog) -> None:
    """Two HTLCs were in flight when B stopped; each settle reached a later subscription."""
    subscription = 0
    seen: dict[str, dict[tuple[str, str], int]] = {"forward_event": {}, "settle_event": {}}
    for event in event_log.events:
        subscription += "subscribed_event" in event
        for kind in seen.keys() & event.keys():
            if event["event_type"] == "FORWARD":
                seen[kind][event["incoming_channel_id"], event["incoming_htlc_id"]] = subscription
    later = [key for key, settled in seen["settle_event"].items() if settled > seen["forward_event"][key]]
    restarts = ("restart_in_flight", "settled_while_down")
    assert len(later) == len([one for one in provoked.settled if one.step in restarts]) == 2


def _as_told(network: Network, one: Provoked) -> tuple[object, ...]:
    shown = {"both": (one.in_msat, one.out_msat), "incoming": (one.in_msat, 0), "none": (0, 0)}
    out = one.requested_out_scid if _asked_not_used(one.cause) else one.out_peer
    return (one.cause, one.in_scid, out, *shown[one.amounts_seen])


def _asked_not_used(cause: Cause) -> bool:
    return cause not in (Cause.SETTLED, Cause.DOWNSTREAM)


def _peer(network: Network, scid: int) -> str:
    [channel] = [one for one in network.channels.values() if one.scid == scid]
    return channel.other_end("B")


def _history(network: Network) -> list[Json]:
    reply = network.b.post("/v1/switch", {"start_time": 0, "num_max_events": 50_000})
    return list(reply["forwarding_events"])
