"""What UpdateChannelPolicy accepts, overwrites, keeps and refuses, by release (lnd.md §3.2)."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.fakes import BOB, BOB_LARGE_SCID, BOB_SMALL_SCID, CAROL_ALIAS_SCID, NOW_NS, lnd_node

from lnflow.domain.channel import Policy
from lnflow.domain.time import SECOND_NS
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import LndNode, Personality
from lnflow.simulation.lnd_server.messages import channel_point
from lnflow.simulation.lnd_server.policy_update import update_chan_status, update_channel_policy
from lnflow.simulation.lnd_server.rpc_error import RpcError


def request(node: LndNode, scid: int = BOB_LARGE_SCID) -> pb.PolicyUpdateRequest:
    """A request that changes the fee and nothing that LND would refuse."""
    return pb.PolicyUpdateRequest(
        chan_point=channel_point(node.channel(scid).channel_point),
        base_fee_msat=0,
        fee_rate_ppm=300,
        time_lock_delta=80,
    )


def policy(node: LndNode, scid: int = BOB_LARGE_SCID) -> Policy:
    return node.channel(scid).policy


def test_fee_and_delta_are_overwritten_and_the_rest_is_kept() -> None:
    node = lnd_node()
    before = policy(node)
    asked = request(node)
    asked.time_lock_delta = 144
    assert update_channel_policy(node, asked, NOW_NS) == pb.PolicyUpdateResponse()
    changed = structs.replace(
        before, base_fee_msat=0, fee_ppm=300, time_lock_delta=144, last_update_s=NOW_NS // SECOND_NS + 1
    )
    assert policy(node) == changed
    assert policy(node, BOB_SMALL_SCID).fee_ppm == 250


def test_an_omitted_base_fee_becomes_zero() -> None:
    node = lnd_node()
    asked = request(node)
    asked.ClearField("base_fee_msat")
    update_channel_policy(node, asked, NOW_NS)
    assert policy(node).base_fee_msat == 0


def test_an_inbound_fee_is_kept_when_unset_and_cleared_when_sent_as_zero() -> None:
    node = lnd_node()
    asked = request(node)
    asked.inbound_fee.CopyFrom(pb.InboundFee(base_fee_msat=-10, fee_rate_ppm=-50))
    update_channel_policy(node, asked, NOW_NS)
    update_channel_policy(node, request(node), NOW_NS)
    assert (policy(node).inbound_base_fee_msat, policy(node).inbound_fee_ppm) == (-10, -50)
    asked.inbound_fee.CopyFrom(pb.InboundFee())
    update_channel_policy(node, asked, NOW_NS)
    assert (policy(node).inbound_base_fee_msat, policy(node).inbound_fee_ppm) == (0, 0)


@pytest.mark.parametrize("base_fee_msat", [-1, 1 << 32])
def test_the_base_fee_is_not_checked(base_fee_msat: int) -> None:
    node = lnd_node()
    asked = request(node)
    asked.base_fee_msat = base_fee_msat
    assert not update_channel_policy(node, asked, NOW_NS).failed_updates
    assert policy(node).base_fee_msat == base_fee_msat


def test_a_rate_as_fraction_means_millionths() -> None:
    node = lnd_node()
    asked = request(node)
    asked.fee_rate_ppm, asked.fee_rate = 0, 0.000123
    update_channel_policy(node, asked, NOW_NS)
    assert policy(node).fee_ppm == 123


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fee_rate": 0.1}, "cannot set both"),
        ({"time_lock_delta": 0}, "time lock delta of 0 is too small, minimum supported is 24"),
        ({"time_lock_delta": 23}, "minimum supported is 24"),
        ({"time_lock_delta": 2017}, "time lock delta of 2017 is too big, maximum supported is 2016"),
        (
            {"inbound_fee": pb.InboundFee(base_fee_msat=10)},
            "positive values for inbound base fee msat are not supported: 10",
        ),
        ({"inbound_fee": pb.InboundFee(fee_rate_ppm=1)}, "positive values for inbound fee rate ppm"),
    ],
)
def test_the_whole_call_fails(changes: dict[str, object], words: str) -> None:
    node = lnd_node()
    before = policy(node)
    asked = request(node)
    asked.MergeFrom(pb.PolicyUpdateRequest(**changes))  # type: ignore[arg-type]  # one field per case
    if "time_lock_delta" in changes:
        asked.time_lock_delta = int(str(changes["time_lock_delta"]))
    with pytest.raises(RpcError, match=words):
        update_channel_policy(node, asked, NOW_NS)
    assert policy(node) == before


def test_a_scope_is_needed() -> None:
    with pytest.raises(RpcError, match="unknown scope"):
        update_channel_policy(lnd_node(), pb.PolicyUpdateRequest(time_lock_delta=80), NOW_NS)


@pytest.mark.parametrize(
    ("personality", "least", "most"),
    [
        (Personality.V0_18_5, 18, 65_535),
        (Personality.V0_19_3, 18, 65_535),
        (Personality.V0_20_1, 18, 65_535),
        (Personality.V0_21_2, 24, 2016),
    ],
)
def test_the_limits_of_the_delta_depend_on_the_release(personality: Personality, least: int, most: int) -> None:
    node = lnd_node(personality)
    asked = request(node)
    for delta in (least, most):
        asked.time_lock_delta = delta
        update_channel_policy(node, asked, NOW_NS)
    for delta in (least - 1, most + 1):
        asked.time_lock_delta = delta
        with pytest.raises(RpcError, match="time lock delta"):
            update_channel_policy(node, asked, NOW_NS)


def test_a_maximum_above_what_the_peer_accepts_is_a_failed_update() -> None:
    node = lnd_node()
    asked = request(node)
    asked.max_htlc_msat = node.channel(BOB_LARGE_SCID).max_pending_msat + 1
    [failed] = update_channel_policy(node, asked, NOW_NS).failed_updates
    assert failed.reason == pb.UPDATE_FAILURE_INVALID_PARAMETER
    assert failed.outpoint.txid_str == node.channel(BOB_LARGE_SCID).channel_point[:-2]
    assert policy(node).fee_ppm == 250


def test_a_maximum_below_the_minimum_is_a_failed_update() -> None:
    node = lnd_node()
    asked = request(node)
    asked.max_htlc_msat, asked.min_htlc_msat, asked.min_htlc_msat_specified = 1_000, 2_000, True
    [failed] = update_channel_policy(node, asked, NOW_NS).failed_updates
    assert failed.reason == pb.UPDATE_FAILURE_INVALID_PARAMETER


def test_an_unknown_channel_is_a_failed_update() -> None:
    node = lnd_node()
    asked = request(node)
    asked.chan_point.CopyFrom(pb.ChannelPoint(funding_txid_str="ab" * 32, output_index=7))
    [failed] = update_channel_policy(node, asked, NOW_NS).failed_updates
    assert failed.reason == pb.UPDATE_FAILURE_NOT_FOUND
    assert (failed.outpoint.txid_str, failed.outpoint.output_index) == ("ab" * 32, 7)


def test_global_touches_every_channel() -> None:
    node = lnd_node()
    asked = pb.PolicyUpdateRequest(base_fee_msat=1, fee_rate_ppm=2, time_lock_delta=80)
    setattr(asked, "global", True)  # a keyword of Python
    update_channel_policy(node, asked, NOW_NS)
    assert {channel.policy.fee_ppm for channel in node.channels.values()} == {2}


def test_writing_the_same_again_moves_the_gossip_time_by_a_second() -> None:
    node = lnd_node()
    times = []
    for _ in range(3):
        update_channel_policy(node, request(node), NOW_NS)
        times.append(policy(node).last_update_s)
    assert times == [NOW_NS // SECOND_NS + n for n in (1, 2, 3)]


def test_a_new_price_is_asked_at_once() -> None:
    """There is no grace period for senders who know the old policy."""
    node = lnd_node()
    for scid in (BOB_LARGE_SCID, BOB_SMALL_SCID):
        update_channel_policy(node, request(node, scid), NOW_NS)
    made = node.forward_htlc(
        in_scid=CAROL_ALIAS_SCID,
        requested_out=BOB_LARGE_SCID,
        amount_in_msat=100_026_000,
        amount_out_msat=100_000_000,
        now_ns=NOW_NS,
    )
    assert made.refusal is not None
    assert made.refusal.name == "FEE_INSUFFICIENT"


def test_the_status_bit_is_set_and_cleared() -> None:
    node = lnd_node()
    point = channel_point(node.channels_with(BOB)[0].channel_point)
    update_chan_status(node, pb.UpdateChanStatusRequest(chan_point=point, action=pb.DISABLE), NOW_NS)
    assert policy(node).disabled
    update_chan_status(node, pb.UpdateChanStatusRequest(chan_point=point, action=pb.ENABLE), NOW_NS)
    assert not policy(node).disabled
