"""A recorded node as the lightningd that it would be when the recording begins: its channels and its history."""

from __future__ import annotations

from lnflow.domain.channel import ChannelState, Policy
from lnflow.domain.scid import scid_text
from lnflow.domain.time import SECOND_NS
from lnflow.simulation.clock import SimulatedClock
from lnflow.simulation.lightningd.channel import UNCAPPED_MSAT, Channel, Terms
from lnflow.simulation.lightningd.forwards import Row
from lnflow.simulation.lightningd.node import FakeNode
from lnflow.simulation.lightningd.personality import V26_06
from lnflow.simulation.world.recording import Recording
from lnflow.simulation.world.spec import ANCHORS_SAT


def node_at_start(recording: Recording, clock: SimulatedClock) -> tuple[FakeNode, dict[int, Channel]]:
    """Return the node, and its channels by SCID; what was in flight is yet to be passed on."""
    info = recording.node
    node = FakeNode(
        V26_06,
        node_id=info.pubkey,
        alias=info.alias,
        clock=clock.now_ns,
        network="regtest",
        block_height=info.block_height,
    )
    channels = _open_channels(node, recording)
    _remember(node, channels, recording)
    return node, channels


def terms_of(policy: Policy) -> Terms:
    """Return what Core Lightning can ask of it: no inbound fees."""
    return Terms(
        base_fee_msat=policy.base_fee_msat,
        fee_ppm=policy.fee_ppm,
        htlc_min_msat=policy.min_htlc_msat,
        htlc_max_msat=UNCAPPED_MSAT if policy.max_htlc_msat is None else policy.max_htlc_msat,
    )


def _open_channels(node: FakeNode, recording: Recording) -> dict[int, Channel]:
    policies = {p.channel_point: p.ours for p in recording.policies}
    going_out: dict[int, int] = {}
    for offered in recording.in_flight:
        going_out[offered.out_scid] = going_out.get(offered.out_scid, 0) + (offered.amount_out_msat or 0)
    channels = {}
    for number, state in enumerate(recording.channels):
        ours = policies[state.channel_point]
        assert ours is not None, "a world announces a policy for each of its channels"
        channel = _channel(number, state, terms_of(ours), going_out.get(state.scid, 0))
        channels[state.scid] = node.add_channel(channel)
        node.aliases[state.peer_pubkey] = state.peer_alias or recording.aliases[state.peer_pubkey]
        if not state.active:
            node.connected.discard(state.peer_pubkey)
    return channels


def _remember(node: FakeNode, channels: dict[int, Channel], recording: Recording) -> None:
    """Put what settled before the recording into the node's history; when it had come in is not known."""
    for number, forward in enumerate(recording.forwards, start=1):
        if forward.at_ns >= recording.since_ns:
            return
        node.forwards.add(
            Row(
                created_index=number,
                updated_index=number,
                in_channel=channels[forward.in_scid].name,
                in_htlc_id=forward.in_htlc_id or 0,
                in_msat=forward.amount_in_msat,
                out_channel=channels[forward.out_scid].name,
                out_htlc_id=forward.out_htlc_id,
                out_msat=forward.amount_out_msat,
                status="settled",
                received_ns=forward.at_ns - SECOND_NS,
                resolved_ns=forward.at_ns,
            )
        )
        node.fees_collected_msat += forward.amount_in_msat - forward.amount_out_msat


def _channel(number: int, state: ChannelState, terms: Terms, going_out_msat: int) -> Channel:
    """A recorded channel as Core Lightning has it: what is in flight is still ours, and so is the opener's cost."""
    costs_msat = (state.commit_fee_sat + ANCHORS_SAT) * 1000
    txid, outnum = state.channel_point.split(":")
    return Channel(
        peer_id=state.peer_pubkey,
        channel_id=txid,
        scid=scid_text(state.scid),
        alias=f"{16_000_000 + number}x1x1",
        remote_alias=f"{17_000_000 + number}x1x1",
        total_msat=state.capacity_sat * 1000,
        to_us_msat=state.local_msat + going_out_msat + (costs_msat if state.initiator else 0),
        our_reserve_msat=state.local_reserve_sat * 1000,
        their_reserve_msat=state.remote_reserve_sat * 1000,
        commit_cost_msat=costs_msat + state.commit_fee_sat * 1000,
        terms=terms,
        peer_terms=Terms(base_fee_msat=0, fee_ppm=100, htlc_min_msat=1_000, htlc_max_msat=terms.htlc_max_msat),
        funding_txid=txid,
        funding_outnum=int(outnum),
        opened_by_us=state.initiator,
        peer_max_htlcs=state.max_accepted_htlcs or 483,
    )
