"""The server at the wire: states, macaroons, answers, streams and faults, seen by a plain gRPC client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from msgspec import structs
from tests.fakes import (
    ALICE,
    ALICE_SCID,
    BOB,
    BOB_LARGE_SCID,
    BOB_SMALL_SCID,
    CAROL_ALIAS_SCID,
    NOW_NS,
    lnd_node,
    running_lnd,
)
from tests.unit.simulation_server.client import Client, connected

from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import LndServer, Personality, ReceiveRefusal
from lnflow.simulation.lnd_server.messages import channel_point, routing_policy

UNKNOWN = grpc.StatusCode.UNKNOWN


@pytest.fixture
async def lnd() -> AsyncIterator[LndServer]:
    async with running_lnd() as server:
        yield server


@pytest.fixture
async def client(lnd: LndServer) -> AsyncIterator[Client]:
    async with connected(lnd) as client:
        yield client


def settle_one(lnd: LndServer) -> None:
    made = lnd.node.forward_htlc(
        in_scid=ALICE_SCID,
        requested_out=BOB_LARGE_SCID,
        amount_in_msat=100_026_000,
        amount_out_msat=100_000_000,
        now_ns=NOW_NS,
    )
    lnd.node.settle(made.key, NOW_NS)


def numbered(number: int) -> bytes:
    return pb.HtlcEvent(timestamp_ns=number).SerializeToString()


async def read_numbers(call: Any, count: int) -> list[int]:
    return [(await call.read()).timestamp_ns for _ in range(count)]


async def failure(awaitable: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value.code(), str(caught.value.details())


async def get_info(client: Client) -> pb.GetInfoResponse:
    return await client.call(methods.GET_INFO, pb.GetInfoRequest(), pb.GetInfoResponse)


# ---- the gate ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (pb.WAITING_TO_START, "waiting to start"),
        (pb.NON_EXISTING, "wallet not created, create one to enable full RPC access"),
        (pb.LOCKED, "wallet locked, unlock it to enable full RPC access"),
        (pb.UNLOCKED, "the RPC server is in the process of starting up"),
    ],
)
async def test_before_it_is_ready_only_the_state_is_told(state: pb.WalletState, words: str) -> None:
    async with running_lnd(state=state) as lnd, connected(lnd) as client:
        code, text = await failure(get_info(client))
        assert (code, text.startswith(words)) == (UNKNOWN, True)
        told = await client.call(methods.GET_STATE, pb.GetStateRequest(), pb.GetStateResponse)
        assert told.state == state


async def test_without_a_macaroon_nothing_but_the_state_is_told(lnd: LndServer) -> None:
    async with connected(lnd, macaroon=None) as client:
        assert await failure(get_info(client)) == (UNKNOWN, "expected 1 macaroon, got 0")
        await client.call(methods.GET_STATE, pb.GetStateRequest(), pb.GetStateResponse)


async def test_a_denied_stream_fails_at_the_first_read(lnd: LndServer) -> None:
    async with connected(lnd, macaroon="fees") as client:
        assert await failure(client.stream(methods.SUBSCRIBE_HTLC_EVENTS).read()) == (UNKNOWN, "permission denied")


async def test_rotated_macaroons_end_the_old_ones(lnd: LndServer, client: Client) -> None:
    lnd.rotate_macaroons()
    code, text = await failure(get_info(client))
    assert (code, text) == (UNKNOWN, "verification failed: signature mismatch after caveat verification")
    async with connected(lnd) as fresh:
        await get_info(fresh)


async def test_a_new_certificate_ends_trust_in_the_old_one(lnd: LndServer) -> None:
    old = grpc.ssl_channel_credentials(lnd.directory.tls_cert.read_bytes())
    port = lnd.port
    await lnd.rotate_certificate()
    assert lnd.port == port
    async with grpc.aio.secure_channel(lnd.target, old) as channel:
        code, _ = await failure(
            Client(channel, None).call(methods.GET_STATE, pb.GetStateRequest(), pb.GetStateResponse)
        )
    assert code is grpc.StatusCode.UNAVAILABLE
    async with connected(lnd) as fresh:
        await get_info(fresh)


async def test_a_method_can_be_denied_and_a_call_can_fail_once(lnd: LndServer, client: Client) -> None:
    lnd.fail_next(methods.GET_INFO, "database is locked")
    assert await failure(get_info(client)) == (UNKNOWN, "database is locked")
    await get_info(client)
    lnd.denied.add(methods.GET_INFO)
    assert await failure(get_info(client)) == (UNKNOWN, "permission denied")


async def test_a_slow_node_exceeds_the_deadline_of_a_call(lnd: LndServer) -> None:
    credentials = grpc.ssl_channel_credentials(lnd.directory.tls_cert.read_bytes())
    lnd.unary_latency_s = 60.0
    async with grpc.aio.secure_channel(lnd.target, credentials) as channel:
        hasty: Any = channel.unary_unary(methods.GET_STATE)
        code, _ = await failure(hasty(b"", timeout=0.2))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_what_lnd_does_not_have_is_unimplemented(client: Client) -> None:
    code, _ = await failure(client.call("/lnrpc.Lightning/SendPaymentSync", pb.GetInfoRequest(), pb.GetInfoResponse))
    assert code is grpc.StatusCode.UNIMPLEMENTED


# ---- answers -------------------------------------------------------------------------------------------


async def test_the_node_says_who_it_is() -> None:
    async with running_lnd(Personality.V0_19_3, network="signet") as lnd, connected(lnd) as client:
        info = await get_info(client)
        assert info.version.startswith("0.19.3-beta")
        assert (info.chains[0].network, info.num_active_channels, info.num_peers) == ("signet", 4, 3)
        version = await client.call(methods.GET_VERSION, pb.VersionRequest(), pb.Version)
        assert (version.app_major, version.app_minor, version.app_patch) == (0, 19, 3)
        assert lnd.directory.macaroon("admin").parent.name == "signet"


async def test_channels_show_their_htlcs_and_can_be_filtered(lnd: LndServer, client: Client) -> None:
    lnd.node.forward_htlc(
        in_scid=ALICE_SCID,
        requested_out=CAROL_ALIAS_SCID,
        amount_in_msat=100_026_000,
        amount_out_msat=100_000_000,
        now_ns=NOW_NS,
    )
    lnd.node.peer_offline(BOB, NOW_NS)
    response = await client.call(
        methods.LIST_CHANNELS, pb.ListChannelsRequest(active_only=True), pb.ListChannelsResponse
    )
    by_id = {channel.chan_id: channel for channel in response.channels}
    assert set(by_id) == {ALICE_SCID, CAROL_ALIAS_SCID}
    [incoming], [outgoing] = by_id[ALICE_SCID].pending_htlcs, by_id[CAROL_ALIAS_SCID].pending_htlcs
    assert (incoming.incoming, incoming.forwarding_channel) == (True, CAROL_ALIAS_SCID)
    assert (outgoing.amount, outgoing.forwarding_channel) == (100_000, ALICE_SCID)
    assert incoming.hash_lock == outgoing.hash_lock
    for channel in response.channels:
        costs = channel.commit_fee + 660
        parts = channel.local_balance + channel.remote_balance + channel.unsettled_balance + costs
        assert channel.capacity - parts in (0, 1)  # the satoshi that two fractions leave out


@pytest.mark.parametrize("personality", Personality)
async def test_an_unknown_edge_has_its_status_from_0_20(personality: Personality) -> None:
    async with running_lnd(personality) as lnd, connected(lnd) as client:
        edge = await client.call(methods.GET_CHAN_INFO, pb.ChanInfoRequest(chan_id=CAROL_ALIAS_SCID), pb.ChannelEdge)
        assert edge.node1_pub < edge.node2_pub
        code, text = await failure(client.call(methods.GET_CHAN_INFO, pb.ChanInfoRequest(chan_id=1), pb.ChannelEdge))
        has_status = personality in (Personality.V0_20_1, Personality.V0_21_2)
        assert (code, text) == (grpc.StatusCode.NOT_FOUND if has_status else UNKNOWN, "edge not found")


async def test_our_own_node_info_has_the_announced_edges_only(lnd: LndServer, client: Client) -> None:
    info = await client.call(
        methods.GET_NODE_INFO, pb.NodeInfoRequest(pub_key=lnd.node.pubkey, include_channels=True), pb.NodeInfo
    )
    assert {edge.channel_id for edge in info.channels} == {ALICE_SCID, BOB_LARGE_SCID, BOB_SMALL_SCID}
    code, _ = await failure(client.call(methods.GET_NODE_INFO, pb.NodeInfoRequest(pub_key="02"), pb.NodeInfo))
    assert code is grpc.StatusCode.NOT_FOUND


async def test_fee_reports_include_private_channels_and_sums(lnd: LndServer, client: Client) -> None:
    settle_one(lnd)
    lnd.clock_ns = lambda: NOW_NS + SECOND_NS
    report = await client.call(methods.FEE_REPORT, pb.FeeReportRequest(), pb.FeeReportResponse)
    assert {fees.chan_id for fees in report.channel_fees} >= {CAROL_ALIAS_SCID}
    assert (report.day_fee_sum, report.month_fee_sum) == (26, 26)


@pytest.mark.parametrize("personality", Personality)
async def test_history_over_the_wire(personality: Personality) -> None:
    async with running_lnd(personality) as lnd, connected(lnd) as client:
        settle_one(lnd)
        asked = pb.ForwardingHistoryRequest(start_time=NOW_NS // SECOND_NS, num_max_events=10)
        history = await client.call(methods.FORWARDING_HISTORY, asked, pb.ForwardingHistoryResponse)
        [row] = history.forwarding_events
        assert (row.fee_msat, row.fee, row.timestamp_ns, row.peer_alias_in) == (26_000, 26, NOW_NS, "")
        has_ids = personality is not Personality.V0_18_5
        assert row.HasField("incoming_htlc_id") == row.HasField("outgoing_htlc_id") == has_ids


async def test_payments_are_paged_and_failed_ones_are_asked_for(lnd: LndServer, client: Client) -> None:
    for amount in (1_000_000, 2_900_000_000, 3_000_000):
        number = lnd.node.send(first_hop=CAROL_ALIAS_SCID, amount_msat=amount, now_ns=NOW_NS)
        if number is not None:
            lnd.node.settle_send(number, NOW_NS)

    async def listed(**asked: Any) -> list[int]:
        request = pb.ListPaymentsRequest(**asked)
        response = await client.call(methods.LIST_PAYMENTS, request, pb.ListPaymentsResponse)
        return [payment.payment_index for payment in response.payments]

    assert await listed() == [1, 3]
    assert await listed(include_incomplete=True) == [1, 2, 3]
    assert await listed(include_incomplete=True, index_offset=1, max_payments=1) == [2]
    assert await listed(include_incomplete=True, reversed=True, max_payments=2) == [2, 3]


async def test_closed_channels_and_their_graph_update(lnd: LndServer, client: Client) -> None:
    graph = client.stream(methods.SUBSCRIBE_CHANNEL_GRAPH, pb.GraphTopologyUpdate)
    graph_read = asyncio.ensure_future(graph.read())
    await lnd.graph_updates.wait_for_clients(1)
    lnd.node.close_channel(lnd.node.channel(BOB_SMALL_SCID), NOW_NS)
    assert (await graph_read).closed_chans[0].chan_id == BOB_SMALL_SCID
    closed = await client.call(methods.CLOSED_CHANNELS, pb.ClosedChannelsRequest(), pb.ClosedChannelsResponse)
    assert [summary.chan_id for summary in closed.channels] == [BOB_SMALL_SCID]
    asked = pb.ClosedChannelsRequest(local_force=True)
    assert not (await client.call(methods.CLOSED_CHANNELS, asked, pb.ClosedChannelsResponse)).channels


async def test_changing_calls_are_noted_apart_from_reads(lnd: LndServer, client: Client) -> None:
    await get_info(client)
    assert lnd.changing_calls == []
    point = channel_point(lnd.node.channel(BOB_LARGE_SCID).channel_point)
    asked = pb.PolicyUpdateRequest(chan_point=point, fee_rate_ppm=400, time_lock_delta=80)
    await client.call(methods.UPDATE_CHANNEL_POLICY, asked, pb.PolicyUpdateResponse)
    assert lnd.changing_calls == [(methods.UPDATE_CHANNEL_POLICY, asked)]
    assert lnd.calls[methods.GET_INFO] == 1


# ---- streams -------------------------------------------------------------------------------------------


async def test_a_stream_starts_with_subscribed_and_has_all_that_follows(lnd: LndServer, client: Client) -> None:
    settle_one(lnd)  # before the subscription: invisible
    events = await client.htlc_events()
    settle_one(lnd)
    kinds = [(await events.read()).WhichOneof("event") for _ in range(3)]
    assert kinds == ["forward_event", "settle_event", "final_htlc_event"]


@pytest.mark.parametrize("personality", Personality)
async def test_an_invoice_mismatch_ends_the_stream_before_0_21(personality: Personality) -> None:
    async with running_lnd(personality) as lnd, connected(lnd) as client:
        events = await client.htlc_events()
        lnd.node.receive(
            in_scid=ALICE_SCID,
            amount_msat=1_000_000,
            now_ns=NOW_NS,
            refusal=ReceiveRefusal.HTLC_INVOICE_TYPE_MISMATCH,
        )
        if personality is Personality.V0_21_2:
            assert (await events.read()).link_fail_event.failure_detail == pb.HTLC_INVOICE_TYPE_MISMATCH
        else:
            words = "unknown fail resolution: htlc invoice type mismatch"
            assert await failure(events.read()) == (UNKNOWN, words)


@pytest.mark.parametrize("personality", Personality)
async def test_channel_updates_are_streamed_from_0_21(personality: Personality) -> None:
    """Four for a forward (two per channel) before 0.21 none; a lost peer is told by all."""
    async with running_lnd(personality) as lnd, connected(lnd) as client:
        updates = client.stream(methods.SUBSCRIBE_CHANNEL_EVENTS, pb.ChannelEventUpdate)
        read = asyncio.ensure_future(updates.read())
        await lnd.channel_events.wait_for_clients(1)
        settle_one(lnd)
        lnd.node.peer_offline(ALICE, NOW_NS)
        kinds = [(await read).type]
        while kinds[-1] != pb.ChannelEventUpdate.INACTIVE_CHANNEL:
            kinds.append((await updates.read()).type)
        assert kinds.count(pb.ChannelEventUpdate.CHANNEL_UPDATE) == (4 if personality is Personality.V0_21_2 else 0)


async def test_peers_come_and_go(lnd: LndServer, client: Client) -> None:
    peers = client.stream(methods.SUBSCRIBE_PEER_EVENTS, pb.PeerEvent)
    read = asyncio.ensure_future(peers.read())
    await lnd.peer_events.wait_for_clients(1)
    lnd.node.peer_offline(BOB, NOW_NS)
    lnd.node.peer_online(BOB, NOW_NS)
    assert [(await read).type, (await peers.read()).type] == [pb.PeerEvent.PEER_OFFLINE, pb.PeerEvent.PEER_ONLINE]


async def test_nothing_is_lost_to_a_slow_reader(lnd: LndServer, client: Client) -> None:
    events = await client.htlc_events()
    for number in range(3_000):
        lnd.htlc_events.push(numbered(number))
    assert await read_numbers(events, 3_000) == list(range(3_000))


async def test_events_may_come_from_another_thread(lnd: LndServer, client: Client) -> None:
    events = await client.htlc_events()

    def push() -> None:
        for number in range(50):
            lnd.htlc_events.push(numbered(number))

    await asyncio.to_thread(push)
    assert await read_numbers(events, 50) == list(range(50))


async def test_duplicates_and_disorder_on_demand(lnd: LndServer, client: Client) -> None:
    events = await client.htlc_events()
    lnd.htlc_events.duplicate_next(2)
    for number in range(3):
        lnd.htlc_events.push(numbered(number))
    lnd.htlc_events.reverse_next(3)
    for number in range(3, 7):
        lnd.htlc_events.push(numbered(number))
    assert await read_numbers(events, 9) == [0, 0, 1, 1, 2, 5, 4, 3, 6]


async def test_a_stalled_stream_delivers_later(lnd: LndServer, client: Client) -> None:
    events = await client.htlc_events()
    lnd.htlc_events.stall()
    lnd.htlc_events.push(numbered(1))
    read = asyncio.ensure_future(events.read())
    await get_info(client)  # other calls are answered meanwhile
    assert not read.done()
    lnd.htlc_events.resume()
    assert (await read).timestamp_ns == 1


async def test_malformed_bytes_go_through_as_they_are(lnd: LndServer, client: Client) -> None:
    call = client.stream(methods.SUBSCRIBE_HTLC_EVENTS)
    await call.read()
    lnd.htlc_events.push(b"\xff\xff\xff")
    assert await call.read() == b"\xff\xff\xff"


async def test_a_dropped_stream_ends_with_its_status(lnd: LndServer, client: Client) -> None:
    events = await client.htlc_events()
    lnd.htlc_events.push(numbered(1))
    lnd.drop_streams("transport is closing", grpc.StatusCode.UNAVAILABLE)
    assert await read_numbers(events, 1) == [1]
    assert await failure(events.read()) == (grpc.StatusCode.UNAVAILABLE, "transport is closing")
    await lnd.htlc_events.wait_for_clients(0)
    await client.htlc_events()


async def test_a_stopping_lnd_refuses_new_streams_while_its_state_is_still_active(
    lnd: LndServer, client: Client
) -> None:
    events = await client.htlc_events()
    stop = asyncio.ensure_future(lnd.begin_stop())
    assert await failure(events.read()) == (UNKNOWN, "htlc event subscription terminated")
    await stop
    words = "subscription server shutting down"
    assert await failure(client.stream(methods.SUBSCRIBE_HTLC_EVENTS).read()) == (UNKNOWN, words)
    told = await client.call(methods.GET_STATE, pb.GetStateRequest(), pb.GetStateResponse)
    assert told.state == pb.SERVER_ACTIVE
    lnd.lock_macaroon_store()
    code, text = await failure(get_info(client))
    assert (code, text.startswith("cannot retrieve macaroon")) == (UNKNOWN, True)


async def test_a_client_that_does_not_read_cannot_hold_up_a_restart(lnd: LndServer, client: Client) -> None:
    """Its windows are full, so its stream cannot even be told that it ends."""
    await client.htlc_events()
    for _ in range(200):
        lnd.htlc_events.push(bytes(100_000))
    await asyncio.wait_for(lnd.restart(), 20)
    assert len(lnd.htlc_events) == 0


async def test_a_restart_walks_through_all_states_and_keeps_htlcs(lnd: LndServer, client: Client) -> None:
    made = lnd.node.forward_htlc(
        in_scid=ALICE_SCID,
        requested_out=BOB_LARGE_SCID,
        amount_in_msat=100_026_000,
        amount_out_msat=100_000_000,
        now_ns=NOW_NS,
    )
    seen: list[pb.WalletState] = []

    async def watch() -> None:
        while not seen or seen[-1] != pb.SERVER_ACTIVE:
            states = client.stream(methods.SUBSCRIBE_STATE, pb.SubscribeStateResponse)
            try:
                while seen[-1:] != [pb.SERVER_ACTIVE]:
                    seen.append((await states.read()).state)
            except grpc.aio.AioRpcError:
                continue

    port = lnd.port
    await lnd.begin_stop()
    await lnd.stop()
    watching = asyncio.ensure_future(watch())
    await lnd.restart(step_s=0.3)
    await asyncio.wait_for(watching, 20)
    walk = [pb.WAITING_TO_START, pb.LOCKED, pb.UNLOCKED, pb.RPC_ACTIVE, pb.SERVER_ACTIVE]
    assert seen == walk[walk.index(seen[0]) :]  # the client may take a moment to reconnect
    assert lnd.port == port
    events = await client.htlc_events()
    lnd.node.settle(made.key, NOW_NS + SECOND_NS)
    settle = await events.read()
    assert (settle.WhichOneof("event"), settle.incoming_htlc_id) == ("settle_event", made.key[1])
    assert lnd.node.forwards.rows[0].amount_out_msat == 100_000_000


async def test_a_subscription_from_state_3_waits_for_the_notifier() -> None:
    async with running_lnd(state=pb.RPC_ACTIVE) as lnd, connected(lnd) as client:
        subscribing = asyncio.ensure_future(client.htlc_events())
        await get_info(client)
        assert not subscribing.done()
        await lnd.set_state(pb.SERVER_ACTIVE)
        await asyncio.wait_for(subscribing, 10)


async def test_a_policy_change_is_gossiped(lnd: LndServer, client: Client) -> None:
    graph = client.stream(methods.SUBSCRIBE_CHANNEL_GRAPH, pb.GraphTopologyUpdate)
    read = asyncio.ensure_future(graph.read())
    await lnd.graph_updates.wait_for_clients(1)
    channel = lnd.node.channel(BOB_LARGE_SCID)
    lnd.node.set_policy(channel, channel.policy, NOW_NS)
    [update] = (await read).channel_updates
    assert (update.chan_id, update.advertising_node) == (BOB_LARGE_SCID, lnd.node.pubkey)


def test_the_inbound_fee_leaked_into_custom_records_before_0_20() -> None:
    policy = structs.replace(lnd_node().channel(BOB_LARGE_SCID).policy, inbound_base_fee_msat=-1, inbound_fee_ppm=-100)
    assert routing_policy(policy, Personality.V0_19_3).custom_records[55_555] == b"\xff\xff\xff\xff\xff\xff\xff\x9c"
    assert not routing_policy(policy, Personality.V0_20_1).custom_records
