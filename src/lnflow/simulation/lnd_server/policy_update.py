"""What LND does with UpdateChannelPolicy and UpdateChanStatus (lnd.md §3.2)."""

from __future__ import annotations

from msgspec import structs

from lnflow.domain.channel import Policy
from lnflow.domain.fees import PPM
from lnflow.domain.scid import scid_text
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.simulation.lnd_server import messages
from lnflow.simulation.lnd_server.channels import LndChannel
from lnflow.simulation.lnd_server.node import LndNode
from lnflow.simulation.lnd_server.rpc_error import RpcError

_LEAST_FEE_RATE = 1e-6


def update_channel_policy(node: LndNode, request: pb.PolicyUpdateRequest, now_ns: int) -> pb.PolicyUpdateResponse:
    """Overwrite the policy of one channel, or of all; what one channel refuses is a failed update."""
    _check_call(node, request)
    if request.WhichOneof("scope") == "global":
        targets = list(node.channels)
    else:
        targets = [messages.channel_point_text(request.chan_point)]
    failed: list[pb.FailedUpdate] = []
    for target in targets:
        channel = node.channels.get(target)
        if channel is None:
            failed.append(_failure(target, pb.UPDATE_FAILURE_NOT_FOUND, "not found"))
            continue
        policy = _new_policy(channel.policy, request)
        if (wrong := _out_of_limits(channel, policy)) is not None:
            failed.append(_failure(target, pb.UPDATE_FAILURE_INVALID_PARAMETER, wrong))
            continue
        node.set_policy(channel, policy, now_ns)
    return pb.PolicyUpdateResponse(failed_updates=failed)


def update_chan_status(node: LndNode, request: pb.UpdateChanStatusRequest, now_ns: int) -> pb.UpdateChanStatusResponse:
    """Set or clear the gossip bit; forwards do not care."""
    point = messages.channel_point_text(request.chan_point)
    channel = node.channels.get(point)
    if channel is None:
        raise RpcError(f"unable to find channel with channel point {point}")
    disabled = request.action == pb.DISABLE
    if channel.policy.disabled != disabled:
        node.set_policy(channel, structs.replace(channel.policy, disabled=disabled), now_ns)
    return pb.UpdateChanStatusResponse()


def _check_call(node: LndNode, request: pb.PolicyUpdateRequest) -> None:
    """Raise for what fails the whole call."""
    if request.WhichOneof("scope") is None:
        raise RpcError("unknown scope: <nil>")
    if request.fee_rate and request.fee_rate_ppm:
        raise RpcError("cannot set both FeeRate and FeeRatePpm at the same time")
    if request.fee_rate and request.fee_rate < _LEAST_FEE_RATE:
        raise RpcError(f"fee rate of {request.fee_rate} is too small, min fee rate is {_LEAST_FEE_RATE}")
    least, most = node.personality.min_time_lock_delta, node.personality.max_time_lock_delta
    delta = request.time_lock_delta
    if delta < least:
        raise RpcError(f"time lock delta of {delta} is too small, minimum supported is {least}")
    if delta > most:
        raise RpcError(f"time lock delta of {delta} is too big, maximum supported is {most}")
    if request.HasField("inbound_fee"):
        base, rate = request.inbound_fee.base_fee_msat, request.inbound_fee.fee_rate_ppm
        if base > 0:
            raise RpcError(f"positive values for inbound base fee msat are not supported: {base}")
        if rate > 0:
            raise RpcError(f"positive values for inbound fee rate ppm are not supported: {rate}")


def _new_policy(old: Policy, request: pb.PolicyUpdateRequest) -> Policy:
    """Base fee, rate and delta are always overwritten (the base fee unchecked); the rest is kept if unset."""
    changed = structs.replace(
        old,
        base_fee_msat=request.base_fee_msat,
        fee_ppm=round(request.fee_rate * PPM) if request.fee_rate else request.fee_rate_ppm,
        time_lock_delta=request.time_lock_delta,
    )
    if request.max_htlc_msat:
        changed = structs.replace(changed, max_htlc_msat=request.max_htlc_msat)
    if request.min_htlc_msat_specified:
        changed = structs.replace(changed, min_htlc_msat=request.min_htlc_msat)
    if request.HasField("inbound_fee"):
        changed = structs.replace(
            changed,
            inbound_base_fee_msat=request.inbound_fee.base_fee_msat,
            inbound_fee_ppm=request.inbound_fee.fee_rate_ppm,
        )
    return changed


def _out_of_limits(channel: LndChannel, policy: Policy) -> str | None:
    """Return what is wrong with the amounts, as LND words it."""
    name = scid_text(channel.scid)
    maximum = policy.max_htlc_msat
    if policy.min_htlc_msat < channel.peer_min_htlc_msat:
        return (
            f"min htlc amount of {policy.min_htlc_msat} mSAT is below min htlc parameter of"
            f" {channel.peer_min_htlc_msat} mSAT for channel {name}"
        )
    if maximum is not None and maximum < policy.min_htlc_msat:
        return f"min_htlc {policy.min_htlc_msat} mSAT greater than max_htlc {maximum} mSAT"
    if maximum is not None and maximum > channel.max_pending_msat:
        return f"max htlc amount of {maximum} mSAT is above max pending amount of {channel.max_pending_msat} mSAT"
    return None


def _failure(target: str, reason: pb.UpdateFailure, text: str) -> pb.FailedUpdate:
    txid, _, output = target.partition(":")
    return pb.FailedUpdate(
        outpoint=pb.OutPoint(txid_bytes=bytes.fromhex(txid)[::-1], txid_str=txid, output_index=int(output)),
        reason=reason,
        update_error=text,
    )
