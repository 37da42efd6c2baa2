"""Random traffic through the fake node, which knows the truth: no confident verdict is ever wrong."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from tests.integration.cln.network import Network

from lnflow.nodes.cln.attribution import Attribution, attribute
from lnflow.nodes.cln.history import NodeHistory, Terms
from lnflow.nodes.cln.observer import observe
from lnflow.nodes.cln.wire import ForwardRow, PeerChannel
from lnflow.simulation.lightningd.channel import Channel
from lnflow.simulation.lightningd.channel import Terms as NodeTerms
from lnflow.simulation.lightningd.listing import show_channel

ALIASES = {"below_peer_minimum": "below_peer_minimum", "invalid_onion": "invalid_onion"}


class Traffic:
    """A random day of the router, seen as a plugin sees it: events at once, listings every `poll_s`."""

    def __init__(self, seed: int, *, poll_s: float, events: bool) -> None:
        self.random = random.Random(seed)
        self.network = Network()
        self.history = NodeHistory(max_dust_msat=2_000_000)
        self.events = events
        self.poll_s = poll_s
        self.next_poll_ns = 0
        for channel in self.network.node.channels.values():
            channel.max_dust_msat = 2_000_000
        self.network.node.listen(self._hear)
        self.held: list[Any] = []

    def _hear(self, topic: str, payload: dict[str, Any]) -> None:
        if self.events and topic != "forward_event":
            observe(self.history, topic, msgspec.json.decode(msgspec.json.encode(payload)), self.network.clock())

    def poll(self) -> None:
        shown = [show_channel(self.network.node, c) for c in self.network.node.channels.values()]
        decoded = msgspec.json.decode(msgspec.json.encode(shown), type=list[PeerChannel])
        self.history.add_snapshot(self.network.clock(), decoded)
        self.next_poll_ns = self.network.clock() + int(self.poll_s * 1e9)

    def step(self) -> None:
        net, rnd = self.network, self.random
        net.clock.advance(rnd.random())
        if net.clock() >= self.next_poll_ns:
            self.poll()
        choice = rnd.random()
        channels = list(net.node.channels.values())
        if choice < 0.70:
            self._pay(rnd.choice(channels), rnd.choice(channels))
        elif choice < 0.85 and self.held:
            row = self.held.pop(rnd.randrange(len(self.held)))
            (net.node.settle if rnd.random() < 0.6 else net.node.fail)(row)
        elif choice < 0.90:
            peer = rnd.choice(channels).peer_id
            if peer in net.node.connected:
                net.node.disconnect(peer)
            else:
                net.node.connect(peer)
        else:
            self._change(rnd.choice(channels))

    def _pay(self, incoming: Channel, out: Channel) -> None:
        net, rnd = self.network, self.random
        if incoming is out:
            return
        amount = int(10 ** rnd.uniform(5, 9.3))
        terms = out.terms
        fee = terms.base_fee_msat + amount * terms.fee_ppm // 1_000_000
        row = net.offer(out, amount, in_channel=incoming, fee_msat=max(0, fee + rnd.choice((0, 0, 0, -5, 500))))
        if row.status == "offered":
            self.held.append(row)

    def _change(self, channel: Channel) -> None:
        net, rnd = self.network, self.random
        possible = channel.total_msat - channel.their_reserve_msat
        terms = NodeTerms(
            base_fee_msat=rnd.choice((0, 500, 1000)),
            fee_ppm=rnd.choice((1, 100, 400, 900)),
            htlc_min_msat=rnd.choice((0, 0, 1_000_000)),
            htlc_max_msat=rnd.choice((possible, possible, possible // 10)),
        )
        grace = rnd.choice((0, 600))
        net.node.set_terms(channel, terms, grace_s=grace)
        if self.events:
            ours = Terms(terms.base_fee_msat, terms.fee_ppm, terms.htlc_min_msat, terms.htlc_max_msat)
            self.history.add_policy(net.clock(), channel.channel_id, ours, grace)

    def verdicts(self) -> list[tuple[str, Attribution]]:
        rows = [
            msgspec.json.decode(msgspec.json.encode(r.listed()), type=ForwardRow) for r in self.network.node.forwards
        ]
        for row in rows:
            self.history.add_row(row)
        return [
            (self.network.node.truth[(row.in_channel, row.in_htlc_id or 0)], attribute(row, self.history))
            for row in rows
            if row.status == "local_failed"
        ]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("poll_s", "events"), [(2.0, True), (2.0, False), (30.0, True), (30.0, False)])
def test_no_confident_verdict_is_wrong(seed: int, poll_s: float, events: bool) -> None:
    traffic = Traffic(seed, poll_s=poll_s, events=events)
    traffic.poll()
    for _ in range(400):
        traffic.step()
    traffic.poll()
    verdicts = traffic.verdicts()
    wrong = [
        (truth, found.verdict.text, found.confidence, found.evidence)
        for truth, found in verdicts
        if found.verdict.text != truth and found.confidence > 0.9
    ]
    assert len(verdicts) > 50
    assert wrong == []
    if events and poll_s < 5:
        right = sum(found.verdict.text == truth for truth, found in verdicts)
        assert right >= 0.9 * len(verdicts), Counter((t, f.verdict.text) for t, f in verdicts)
