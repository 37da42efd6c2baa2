"""Reading the fake LND over gRPC, TLS and macaroon: node, channels, policies, history, events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from tests.fakes.lnd import (
    ALICE,
    ALICE_SCID,
    BOB,
    BOB_LARGE_SCID,
    CAROL,
    CAROL_ALIAS_SCID,
    CAROL_SCID,
    NOW_NS,
    POLICY,
    peer_key,
    running_lnd,
)
from tests.integration.lnd.conftest import reader_of

from lnflow.domain.channel import Policy
from lnflow.domain.errors import NodeRefused, NodeUnavailable
from lnflow.domain.htlc import Forward
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.nodes.port import ChannelEvent, ChannelEventKind, PolicyEvent
from lnflow.simulation.lnd_server import LndServer, Personality


@pytest.fixture
async def lnd() -> AsyncIterator[LndServer]:
    async with running_lnd() as server:
        yield server


@pytest.mark.parametrize("personality", Personality)
async def test_the_node_says_who_it_is(personality: Personality) -> None:
    async with running_lnd(personality) as lnd, reader_of(lnd) as reader:
        await reader.wait_until_ready()
        info = await reader.node_info()
    assert (info.pubkey, info.alias, info.network) == (lnd.node.pubkey, "router", "regtest")
    assert info.version_tuple == personality.version
    assert info.version == personality.version_text.split()[0]
    assert info.implementation == "lnd"


async def test_channels_carry_their_ids_and_limits(lnd: LndServer) -> None:
    async with reader_of(lnd) as reader:
        channels = {channel.scid: channel for channel in await reader.list_channels()}
    carol = channels[CAROL_ALIAS_SCID]
    assert carol.other_scids == (CAROL_SCID,)
    assert carol.private
    assert carol.capacity_sat == 3_000_000
    large = channels[BOB_LARGE_SCID]
    assert (large.peer_pubkey, large.max_accepted_htlcs) == (BOB, 483)
    assert (large.local_reserve_sat, large.remote_reserve_sat) == (50_000, 50_000)
    assert large.local_msat + large.remote_msat + large.commit_fee_sat * 1000 <= 5_000_000_000
    assert large.local_msat > 2_990_000_000


async def test_policies_of_private_channels_are_asked_one_by_one(lnd: LndServer) -> None:
    async with reader_of(lnd) as reader:
        channels = await reader.list_channels()
        policies = {policy.scid: policy for policy in await reader.list_policies(channels)}
    assert lnd.calls[methods.GET_NODE_INFO] == 1
    assert lnd.calls[methods.GET_CHAN_INFO] == 1  # Carol's
    assert set(policies) == {channel.scid for channel in channels}
    for policy in policies.values():
        assert policy.ours is not None
        assert policy.theirs is not None
        assert (policy.ours.base_fee_msat, policy.ours.fee_ppm) == (1_000, 250)
        assert policy.ours.last_update_s == POLICY.last_update_s
    assert policies[CAROL_ALIAS_SCID].peer_pubkey == CAROL


async def test_a_channel_without_an_edge_has_no_policies(lnd: LndServer) -> None:
    """LND says "edge not found" for some tenths of a second on a channel that was only just opened."""
    lnd.fail_next(methods.GET_CHAN_INFO, "edge not found")
    async with reader_of(lnd) as reader:
        carol = next(channel for channel in await reader.list_channels() if channel.peer_pubkey == CAROL)
        [policies] = await reader.list_policies([carol])
    assert (policies.ours, policies.theirs, policies.peer_pubkey) == (None, None, CAROL)


async def test_a_node_that_announced_nothing_still_lists_its_policies(lnd: LndServer) -> None:
    lnd.fail_next(methods.GET_NODE_INFO, "unable to find node")
    async with reader_of(lnd) as reader:
        policies = await reader.list_policies(await reader.list_channels())
    assert len(policies) == 4
    assert all(policy.ours is not None for policy in policies)


async def test_aliases_of_unknown_nodes_are_left_out(lnd: LndServer) -> None:
    async with reader_of(lnd) as reader:
        aliases = await reader.list_aliases([ALICE, BOB, peer_key("stranger"), BOB])
    assert aliases == {ALICE: "alice", BOB: "bob"}
    assert lnd.calls[methods.GET_NODE_INFO] == 3


async def test_closed_channels_keep_their_ids(lnd: LndServer) -> None:
    channel = lnd.node.channel(CAROL_ALIAS_SCID)
    lnd.node.close_channel(channel, NOW_NS)
    async with reader_of(lnd) as reader:
        [closed] = await reader.list_closed_channels()
    assert (closed.channel_point, closed.scid) == (channel.channel_point, CAROL_ALIAS_SCID)
    assert CAROL_SCID in closed.other_scids
    assert (closed.close_type, closed.peer_pubkey) == ("cooperative_close", CAROL)


def add_forwards(lnd: LndServer, *times_ns: int) -> list[int]:
    return [
        lnd.node.forwards.add(Forward(ALICE_SCID, BOB_LARGE_SCID, at_ns, 1_100, 1_000, number, number))
        for number, at_ns in enumerate(times_ns)
    ]


async def pages(lnd: LndServer, since_ns: int, page_size: int) -> list[list[int]]:
    async with reader_of(lnd) as reader, aclosing(reader.forwards_since(since_ns, page_size=page_size)) as found:
        return [[forward.at_ns for forward in page] async for page in found]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100, 1_000_000])
async def test_each_forward_comes_once_and_in_order_whatever_the_page(lnd: LndServer, page_size: int) -> None:
    """Among them a second with more rows than a page, and one whose rows meet the page's edge."""
    times = add_forwards(
        lnd,
        *(NOW_NS + part for part in range(11)),
        *(NOW_NS + SECOND_NS * second for second in range(1, 6)),
        *(NOW_NS + SECOND_NS * 5 + part for part in range(1, 9)),
        NOW_NS + SECOND_NS * 9,
    )
    found = await pages(lnd, 0, page_size)
    assert [at_ns for page in found for at_ns in page] == times
    assert all(0 < len(page) <= page_size for page in found)


async def test_history_begins_within_the_second_that_was_asked_for(lnd: LndServer) -> None:
    times = add_forwards(lnd, *(NOW_NS + part * SECOND_NS // 2 for part in range(6)))
    assert await pages(lnd, times[3], 100) == [times[3:]]
    assert await pages(lnd, times[-1] + 1, 100) == []


async def test_a_long_history_takes_one_call_a_page(lnd: LndServer) -> None:
    times = add_forwards(lnd, *(NOW_NS + number * 7_000_000 for number in range(5_000)))  # 143 a second
    found = await pages(lnd, 0, 1_000)
    assert [at_ns for page in found for at_ns in page] == times
    assert lnd.calls[methods.FORWARDING_HISTORY] <= 7


@pytest.mark.parametrize("personality", Personality)
async def test_history_has_htlc_ids_where_the_node_has_them(personality: Personality) -> None:
    async with running_lnd(personality) as lnd, reader_of(lnd) as reader:
        forwarding = lnd.node.forward_htlc(
            in_scid=ALICE_SCID,
            requested_out=BOB_LARGE_SCID,
            amount_in_msat=1_100_000,
            amount_out_msat=1_000_000,
            now_ns=NOW_NS,
        )
        lnd.node.settle(forwarding.key, NOW_NS)
        [[forward]] = [page async for page in reader.forwards_since(0, page_size=10)]
    assert forward.at_ns >= NOW_NS
    assert (forward.amount_in_msat, forward.amount_out_msat) == (1_100_000, 1_000_000)
    assert forward.in_scid == ALICE_SCID
    expected = forwarding.key[1] if personality.history_has_htlc_ids else None
    assert forward.in_htlc_id == expected


async def next_events(events: AsyncIterator[ChannelEvent], count: int) -> list[ChannelEvent]:
    return [await asyncio.wait_for(anext(events), 10) for _ in range(count)]


async def test_channel_and_peer_events_come_from_both_streams(lnd: LndServer) -> None:
    async with reader_of(lnd) as reader, aclosing(reader.channel_events()) as events:
        first = asyncio.ensure_future(next_events(events, 3))
        await lnd.channel_events.wait_for_clients(1)
        await lnd.peer_events.wait_for_clients(1)
        lnd.node.peer_offline(BOB, NOW_NS)
        seen = {(event.kind, event.channel_point or event.peer_pubkey) for event in await first}
        points = [channel.channel_point for channel in lnd.node.channels_with(BOB)]
        assert seen == {
            (ChannelEventKind.PEER_OFFLINE, BOB),
            *((ChannelEventKind.INACTIVE, point) for point in points),
        }
        carol = lnd.node.channel(CAROL_ALIAS_SCID)
        lnd.node.close_channel(carol, NOW_NS)
        [closed] = await next_events(events, 1)
        assert (closed.kind, closed.channel_point, closed.peer_pubkey) == (
            ChannelEventKind.CLOSED,
            carol.channel_point,
            CAROL,
        )
        lnd.node.add_channel(carol, NOW_NS)
        [opened] = await next_events(events, 1)
        assert opened.kind is ChannelEventKind.OPENED
        assert opened.state is not None
        assert opened.state.scid == CAROL_ALIAS_SCID


async def test_balances_follow_each_forward_where_the_node_tells_them(lnd: LndServer) -> None:
    async with reader_of(lnd) as reader, aclosing(reader.channel_events()) as events:
        waiting = asyncio.ensure_future(next_events(events, 1))
        await lnd.channel_events.wait_for_clients(1)
        lnd.node.forward_htlc(
            in_scid=ALICE_SCID,
            requested_out=BOB_LARGE_SCID,
            amount_in_msat=1_100_000,
            amount_out_msat=1_000_000,
            now_ns=NOW_NS,
        )
        [event] = await waiting
    assert event.kind is ChannelEventKind.UPDATED
    assert event.state is not None
    assert event.state.pending


async def test_the_end_of_either_stream_ends_both(lnd: LndServer) -> None:
    async with reader_of(lnd) as reader, aclosing(reader.channel_events()) as events:
        waiting = asyncio.ensure_future(next_events(events, 1))
        await lnd.channel_events.wait_for_clients(1)
        await lnd.peer_events.wait_for_clients(1)
        await lnd.begin_stop()
        with pytest.raises(NodeUnavailable):
            await waiting
    await asyncio.wait_for(lnd.peer_events.wait_for_clients(0), 10)


async def test_only_the_gossip_about_our_channels_is_told(lnd: LndServer) -> None:
    channel = lnd.node.channel(BOB_LARGE_SCID)
    raised = Policy(
        base_fee_msat=1_000,
        fee_ppm=900,
        time_lock_delta=80,
        min_htlc_msat=1_000,
        max_htlc_msat=4_950_000_000,
        inbound_fee_ppm=-50,
    )
    foreign = pb.ChannelEdgeUpdate(
        chan_id=1, advertising_node=peer_key("x"), connecting_node=peer_key("y"), routing_policy=pb.RoutingPolicy()
    )
    async with reader_of(lnd) as reader, aclosing(reader.policy_events()) as events:

        async def take(count: int) -> list[PolicyEvent]:
            return [await asyncio.wait_for(anext(events), 10) for _ in range(count)]

        waiting = asyncio.ensure_future(take(2))
        await lnd.graph_updates.wait_for_clients(1)
        lnd.graph_update(pb.GraphTopologyUpdate(channel_updates=[foreign]))
        lnd.node.set_policy(channel, raised, NOW_NS + 60 * SECOND_NS)
        lnd.node.set_peer_policy(channel, raised, NOW_NS + 60 * SECOND_NS)
        ours, theirs = await waiting
    assert (ours.scid, ours.announced_by, ours.policy.fee_ppm) == (BOB_LARGE_SCID, lnd.node.pubkey, 900)
    assert ours.policy.inbound_fee_ppm == -50
    assert theirs.announced_by == BOB


async def test_an_old_announcement_that_comes_late_is_dropped(lnd: LndServer) -> None:
    """LND sends each on a goroutine of its own: under lag their order is not kept."""

    def announcement(ppm: int, last_update: int) -> pb.GraphTopologyUpdate:
        update = pb.ChannelEdgeUpdate(
            chan_id=BOB_LARGE_SCID,
            advertising_node=BOB,
            connecting_node=lnd.node.pubkey,
            routing_policy=pb.RoutingPolicy(fee_rate_milli_msat=ppm, last_update=last_update),
        )
        return pb.GraphTopologyUpdate(channel_updates=[update])

    async with reader_of(lnd) as reader, aclosing(reader.policy_events()) as events:
        waiting = asyncio.ensure_future(anext(events))
        await lnd.graph_updates.wait_for_clients(1)
        for update in (announcement(2, 20), announcement(1, 10), announcement(3, 30)):
            lnd.graph_update(update)
        assert (await asyncio.wait_for(waiting, 10)).policy.fee_ppm == 2
        assert (await asyncio.wait_for(anext(events), 10)).policy.fee_ppm == 3


async def test_verrpc_may_be_forbidden(lnd: LndServer) -> None:
    lnd.denied.add(methods.GET_VERSION)
    async with reader_of(lnd) as reader:
        assert await reader.get_version() == lnd.node.personality.version


async def test_a_network_that_is_not_the_one_asked_for_is_refused(lnd: LndServer) -> None:
    async with reader_of(
        lnd, network="mainnet", lnd_dir=None, macaroon_path=lnd.directory.macaroon("monitor"),
        cert_path=lnd.directory.tls_cert,
    ) as reader:  # fmt: skip
        with pytest.raises(NodeRefused, match="is on regtest, not on mainnet"):
            await reader.wait_until_ready()


async def test_many_calls_share_one_connection_and_survive_a_restart(lnd: LndServer) -> None:
    async with reader_of(lnd) as reader:
        await reader.wait_until_ready()
        await lnd.restart()
        infos = await asyncio.gather(*(reader.node_info() for _ in range(20)))
    assert {info.pubkey for info in infos} == {lnd.node.pubkey}
