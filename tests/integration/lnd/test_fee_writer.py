"""The fee writer against the wire-true LND: what it sends, what it must not touch, what LND refuses."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.fakes.lnd import BOB_LARGE_SCID, running_lnd
from tests.integration.lnd.conftest import connection_to

from lnflow.domain.channel import Policy
from lnflow.domain.errors import ConfigurationError, NodeRefused, NodeUnavailable
from lnflow.nodes.lnd.fee_writer import LndFeeWriter
from lnflow.nodes.lnd.wire import methods
from lnflow.simulation.lnd_server import LndServer


def writer_of(lnd: LndServer, macaroon: str = "fees") -> LndFeeWriter:
    return LndFeeWriter(connection_to(lnd, macaroon_path=lnd.directory.macaroon(macaroon)))


def policy_now(lnd: LndServer) -> Policy:
    return lnd.node.channel(BOB_LARGE_SCID).policy


async def test_a_price_is_written_and_everything_else_stays() -> None:
    async with running_lnd() as lnd:
        channel = lnd.node.channel(BOB_LARGE_SCID)
        channel.policy = old = structs.replace(channel.policy, inbound_fee_ppm=-30, inbound_base_fee_msat=-2)
        writer = writer_of(lnd)
        assert await writer.write_policy(channel.channel_point, old, structs.replace(old, fee_ppm=777)) is None
        await writer.close()
        after = policy_now(lnd)
        assert structs.replace(after, last_update_s=None) == structs.replace(old, fee_ppm=777, last_update_s=None)
        [(_, request)] = lnd.changing_calls
        assert request.WhichOneof("scope") == "chan_point"


async def test_everything_can_be_written_at_once() -> None:
    async with running_lnd() as lnd:
        old, point = policy_now(lnd), lnd.node.channel(BOB_LARGE_SCID).channel_point
        new = Policy(
            base_fee_msat=0,
            fee_ppm=5,
            time_lock_delta=40,
            min_htlc_msat=2_000,
            max_htlc_msat=3_000_000,
            inbound_base_fee_msat=-1,
            inbound_fee_ppm=-20,
        )
        writer = writer_of(lnd)
        assert await writer.write_policy(point, old, new) is None
        assert structs.replace(policy_now(lnd), last_update_s=None) == new
        cleared = structs.replace(new, inbound_base_fee_msat=0, inbound_fee_ppm=0)
        assert await writer.write_policy(point, new, cleared) is None
        assert structs.replace(policy_now(lnd), last_update_s=None) == cleared
        await writer.close()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"max_htlc_msat": 10**15}, "invalid parameter: max htlc amount"),
        ({"inbound_fee_ppm": 5}, "positive values for inbound fee rate ppm are not supported: 5"),
        ({"time_lock_delta": 18}, "too small, minimum supported is 24"),
        ({"base_fee_msat": -1}, "out of range"),
        ({"base_fee_msat": 2**32}, "out of range"),
    ],
)
async def test_what_lnd_refuses_is_told_and_not_retried(changes: dict[str, int], part: str) -> None:
    async with running_lnd() as lnd:
        old, point = policy_now(lnd), lnd.node.channel(BOB_LARGE_SCID).channel_point
        writer = writer_of(lnd)
        said = await writer.write_policy(point, old, structs.replace(old, **changes))
        await writer.close()
        assert said is not None
        assert part in said
        assert policy_now(lnd) == old
        assert len(lnd.changing_calls) == (0 if "out of range" in part else 1)


async def test_an_unknown_channel_is_a_failed_update() -> None:
    async with running_lnd() as lnd:
        old = policy_now(lnd)
        writer = writer_of(lnd)
        said = await writer.write_policy("ab" * 32 + ":7", old, structs.replace(old, fee_ppm=1))
        status = await writer.set_enabled("ab" * 32 + ":7", False)
        await writer.close()
        assert said is not None
        assert "no such channel" in said
        assert status is not None
        assert "unable to find channel" in status


async def test_the_disabled_flag() -> None:
    async with running_lnd() as lnd:
        point = lnd.node.channel(BOB_LARGE_SCID).channel_point
        writer = writer_of(lnd)
        assert await writer.set_enabled(point, False) is None
        assert policy_now(lnd).disabled
        lnd.fail_next(methods.UPDATE_CHAN_STATUS, "channel was disabled by hand")
        assert await writer.set_enabled(point, True) is None
        await writer.close()
        assert not policy_now(lnd).disabled
        assert [request.action for _, request in lnd.changing_calls] == [1, 2]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["admin", "monitor", "readonly"])
async def test_only_a_macaroon_for_fees_alone_is_taken(name: str) -> None:
    async with running_lnd() as lnd:
        with pytest.raises(ConfigurationError, match=r"bakemacaroon --save_to=fees\.macaroon") as caught:
            writer_of(lnd, name)
        assert lnd.changing_calls == []
        assert "uri:/lnrpc.Lightning/UpdateChannelPolicy" in str(caught.value)


async def test_a_denied_call_names_the_command_that_bakes_the_right_macaroon() -> None:
    async with running_lnd() as lnd:
        lnd.denied.add(methods.UPDATE_CHAN_STATUS)
        writer = writer_of(lnd)
        with pytest.raises(NodeRefused, match="does not allow UpdateChanStatus"):
            await writer.set_enabled(lnd.node.channel(BOB_LARGE_SCID).channel_point, False)
        await writer.close()


async def test_a_node_that_is_away_is_no_refusal_of_the_change() -> None:
    async with running_lnd() as lnd:
        old, point = policy_now(lnd), lnd.node.channel(BOB_LARGE_SCID).channel_point
        writer = writer_of(lnd)
        await lnd.stop()
        with pytest.raises(NodeUnavailable):
            await writer.write_policy(point, old, structs.replace(old, fee_ppm=1))
        await writer.close()
