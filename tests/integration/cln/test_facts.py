"""Channels and the node in domain types, from the fake and from what a real node listed."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.integration.cln.network import Network, pubkey
from tests.integration.cln.schemas import RECORDINGS, fixture

from lnflow.domain.errors import NodeRefused
from lnflow.domain.scid import parse_scid, scid_text
from lnflow.nodes.cln.facts import NodeFacts, channel_policies, channel_state, closed_channel
from lnflow.nodes.cln.socket import SocketRpc
from lnflow.nodes.cln.version import parse_version, require_floor
from lnflow.nodes.cln.wire import ClosedPeerChannel, PeerChannel
from lnflow.simulation.lightningd.channel import State
from lnflow.simulation.lightningd.personality import PERSONALITIES, Personality


async def test_the_node_says_who_it_is(rpc: SocketRpc) -> None:
    info = await NodeFacts(rpc).node_info()
    assert (info.pubkey, info.implementation, info.version_tuple) == (pubkey("B"), "cln", (26, 6, 6))


@pytest.mark.parametrize("network", [Network(p) for p in PERSONALITIES], ids=lambda n: n.node.personality.version)
async def test_channels_of_every_version(rpc: SocketRpc, network: Network) -> None:
    network.offer(network.bd, 5_000_000)
    network.node.disconnect(network.be.peer_id)
    channels = [channel_state(c) for c in await NodeFacts(rpc).peer_channels()]
    by_id = {c.channel_point: c for c in channels if c is not None}
    bd, be = by_id[network.bd.channel_id], by_id[network.be.channel_id]
    assert (bd.active, be.active) == (True, False)
    assert (bd.local_msat, bd.unsettled_msat) == (1_495_000_000, 5_000_000)
    assert bd.scid == parse_scid("453x3x0")
    assert [scid_text(s) for s in be.other_scids] == [network.be.alias]
    policies = [channel_policies(c) for c in await NodeFacts(rpc).peer_channels()]
    ours = {p.channel_point: p.ours for p in policies if p is not None}[network.bd.channel_id]
    assert ours is not None
    assert (ours.base_fee_msat, ours.fee_ppm) == (500, 400)


async def test_a_splice_keeps_the_channel(rpc: SocketRpc, network: Network) -> None:
    network.node.splice(network.bc1, "459x1x1", add_msat=300_000_000)
    states = [channel_state(c) for c in await NodeFacts(rpc).peer_channels()]
    spliced = next(s for s in states if s is not None and s.channel_point == network.bc1.channel_id)
    assert (scid_text(spliced.scid), spliced.capacity_sat) == ("459x1x1", 5_300_000)


async def test_closed_channels_stay_known(rpc: SocketRpc, network: Network) -> None:
    network.node.set_state(network.bd, State.CLOSING)
    network.node.forget_channel(network.bd)
    [closed] = await NodeFacts(rpc).closed_channels()
    assert (closed.channel_point, closed.capacity_sat) == (network.bd.channel_id, 4_000_000)


async def test_names_of_peers(rpc: SocketRpc) -> None:
    assert await NodeFacts(rpc).aliases([pubkey("C"), pubkey("nobody")]) == {pubkey("C"): "C"}


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_a_real_node_listed(name: str) -> None:
    listed = json.loads(fixture(name, "listpeerchannels_first.json").read_text())["channels"]
    channels = [channel_state(c) for c in msgspec.convert(listed, list[PeerChannel])]
    assert len([c for c in channels if c is not None and c.active]) == 5
    assert sum(c.capacity_sat for c in channels if c is not None) == 30_000_000
    closed = json.loads(fixture(name, "listclosedchannels.json").read_text())["closedchannels"]
    [gone] = [closed_channel(c) for c in msgspec.convert(closed, list[ClosedPeerChannel])]
    assert gone.settled_sat == closed[0]["final_to_us_msat"] // 1000


def test_old_versions_are_refused_with_the_remedy() -> None:
    with pytest.raises(NodeRefused, match=r"v23\.11"):
        require_floor("v23.08.1")
    assert require_floor("gdeadbee") == (0, 0, 0)
    assert parse_version("v25.12rc1-modded") == (25, 12, 0)


def test_personalities_are_in_order() -> None:
    numbers = [p.number for p in PERSONALITIES]
    assert numbers == sorted(numbers)
    assert not Personality(version="v23.11").has_updates
