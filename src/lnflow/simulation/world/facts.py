"""What the node would tell of itself: channels, policies, who it is."""

from __future__ import annotations

from hashlib import sha256

from lnflow.domain.channel import ChannelPolicies, ChannelState, NodeInfo, Policy
from lnflow.domain.time import DAY_NS, SECOND_NS
from lnflow.simulation.world.holdings import Channel
from lnflow.simulation.world.our_node import OurNode
from lnflow.simulation.world.spec import COMMIT_FEE_SAT, MSAT_PER_SAT

_TIME_LOCK_DELTA = 80


def our_pubkey(world: str) -> str:
    return "03" + sha256(f"{world}/us".encode()).hexdigest()


def node_info(world: str) -> NodeInfo:
    """Return who we are: an LND of 0.21.2, in sync."""
    return NodeInfo(
        pubkey=our_pubkey(world),
        alias=f"world-{world}",
        implementation="lnd",
        network="simnet",
        version="0.21.2-beta",
        version_tuple=(0, 21, 2),
        block_height=900_000,
        synced_to_chain=True,
        synced_to_graph=True,
    )


def states_now(node: OurNode) -> tuple[ChannelState, ...]:
    """Return what ListChannels would show now."""
    return tuple(_state(c) for c in node.channels)


def policies_now(node: OurNode, start_ns: int) -> tuple[ChannelPolicies, ...]:
    """Return our terms in force now; the peers' own are not part of the world."""
    return tuple(
        ChannelPolicies(
            scid=c.scid,
            channel_point=c.point,
            peer_pubkey=c.peer.pubkey,
            ours=policy_of(c, start_ns),
            theirs=None,
            capacity_sat=c.capacity_sat,
        )
        for c in node.channels
    )


def policy_of(channel: Channel, start_ns: int) -> Policy:
    """Return our announced policy of a channel now; the first terms are announced a day before the window."""
    terms = channel.peer.terms[-1]
    announced_ns = max(terms.at_ns, -DAY_NS) + start_ns
    return Policy(
        base_fee_msat=terms.base_fee_msat,
        fee_ppm=terms.fee_ppm,
        time_lock_delta=_TIME_LOCK_DELTA,
        min_htlc_msat=channel.peer.spec.min_htlc_msat,
        max_htlc_msat=channel.max_htlc_msat(terms),
        inbound_base_fee_msat=terms.inbound_base_fee_msat,
        inbound_fee_ppm=terms.inbound_fee_ppm,
        last_update_s=announced_ns // SECOND_NS,
    )


def _state(channel: Channel) -> ChannelState:
    peer = channel.peer
    reserve_sat = channel.capacity_sat // 100
    return ChannelState(
        channel_point=channel.point,
        scid=channel.scid,
        other_scids=(),
        peer_pubkey=peer.pubkey,
        peer_alias=peer.spec.alias,
        capacity_sat=channel.capacity_sat,
        local_msat=channel.local_msat // MSAT_PER_SAT * MSAT_PER_SAT,  # ListChannels knows whole sats only
        remote_msat=channel.remote_msat // MSAT_PER_SAT * MSAT_PER_SAT,
        unsettled_msat=channel.unsettled_msat // MSAT_PER_SAT * MSAT_PER_SAT,
        commit_fee_sat=COMMIT_FEE_SAT,
        local_reserve_sat=reserve_sat,
        remote_reserve_sat=reserve_sat,
        initiator=channel.initiator,
        private=False,
        active=peer.online,
        min_htlc_msat=1_000,
        max_accepted_htlcs=channel.slots,
    )
