"""Changing prices of an LND: the port's `FeeWriter`, with an allow-list and a macaroon of its own."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio

from lnflow.domain.channel import Policy
from lnflow.domain.errors import ConfigurationError, LnflowError, NodeRefused, NodeUnavailable
from lnflow.nodes.lnd.client import LndClient
from lnflow.nodes.lnd.credentials import Credentials, LndConnection, load_credentials
from lnflow.nodes.lnd.macaroon import read_powers
from lnflow.nodes.lnd.wire import lnd_pb2 as pb
from lnflow.nodes.lnd.wire import methods

FEES_MACAROON = "fees.macaroon"
FEES_ROOT_KEY = 102  # revoked apart from the monitor's: `lncli deletemacaroonid 102`
MOST_BASE_MSAT = 2**32 - 1  # LND casts the base fee without looking: −1 would become four billion
MOST_PPM = 2**32 - 1

_FAILURES = {
    pb.UPDATE_FAILURE_UNKNOWN: "the channel has no policy of ours yet",
    pb.UPDATE_FAILURE_PENDING: "the channel is not open yet",
    pb.UPDATE_FAILURE_NOT_FOUND: "the node has no such channel",
    pb.UPDATE_FAILURE_INTERNAL_ERR: "internal error of LND",
    pb.UPDATE_FAILURE_INVALID_PARAMETER: "invalid parameter",
}


class LndFeeWriter:
    """An LND that may be asked to change a channel's policy or its disabled flag."""

    def __init__(self, connection: LndConnection) -> None:
        """`ConfigurationError` if the macaroon can spend, or cannot change prices."""
        check_fee_macaroon(connection, load_credentials(_as_given(connection)))
        self.connection = connection
        self._client = LndClient(_as_given(connection), allowed=methods.FEE_METHODS)

    async def write_policy(self, channel_point: str, old: Policy, new: Policy) -> str | None:
        """Write base fee, rate and delta (LND always overwrites those), and what else differs from `old`."""
        if not 0 <= new.base_fee_msat <= MOST_BASE_MSAT or not 0 <= new.fee_ppm <= MOST_PPM:
            return f"base fee {new.base_fee_msat} msat or {new.fee_ppm} ppm is out of range"
        request = pb.PolicyUpdateRequest(
            chan_point=_point(channel_point),
            base_fee_msat=new.base_fee_msat,
            fee_rate_ppm=new.fee_ppm,
            time_lock_delta=new.time_lock_delta,
        )
        if new.max_htlc_msat is not None and new.max_htlc_msat != old.max_htlc_msat:
            request.max_htlc_msat = new.max_htlc_msat
        if new.min_htlc_msat != old.min_htlc_msat:
            request.min_htlc_msat = new.min_htlc_msat
            request.min_htlc_msat_specified = True
        if _inbound(new) != _inbound(old):
            base_fee_msat, fee_ppm = _inbound(new)
            request.inbound_fee.CopyFrom(pb.InboundFee(base_fee_msat=base_fee_msat, fee_rate_ppm=fee_ppm))
        try:
            reply = await self._client.call(methods.UPDATE_CHANNEL_POLICY, request, pb.PolicyUpdateResponse, attempts=1)
        except LnflowError as exc:
            return self._refusal(exc, methods.UPDATE_CHANNEL_POLICY)
        failed = [f"{_FAILURES.get(f.reason, f'failure {f.reason}')}: {f.update_error}" for f in reply.failed_updates]
        return "; ".join(failed) or None

    async def set_enabled(self, channel_point: str, enabled: bool) -> str | None:
        """Enable or disable; where enabling is refused the flag is left to LND itself (AUTO)."""
        if not enabled:
            return await self._set_status(channel_point, pb.DISABLE)
        if await self._set_status(channel_point, pb.ENABLE) is None:
            return None
        return await self._set_status(channel_point, pb.AUTO)

    async def close(self) -> None:
        await self._client.close()

    async def _set_status(self, channel_point: str, action: pb.ChanStatusAction) -> str | None:
        request = pb.UpdateChanStatusRequest(chan_point=_point(channel_point), action=action)
        try:
            await self._client.call(methods.UPDATE_CHAN_STATUS, request, pb.UpdateChanStatusResponse, attempts=1)
        except LnflowError as exc:
            return self._refusal(exc, methods.UPDATE_CHAN_STATUS)
        return None

    def _refusal(self, error: LnflowError, method: str) -> str:
        """Return what LND said about this one change; raise what concerns every change."""
        cause = error.__cause__
        if isinstance(cause, grpc.aio.AioRpcError):
            details = cause.details() or ""
            if details.startswith("permission denied"):
                raise NodeRefused(
                    f"LND at {self.connection.target}: the macaroon for fees does not allow "
                    f"{method.rpartition('/')[2]}; bake one that does:\n  {fee_bake_command(self.connection)}"
                ) from cause
            # LND answers a bad value with UNKNOWN; what is about its state was translated to "is not ready"
            if cause.code() in _ABOUT_THE_CHANGE and "is not ready" not in str(error):
                return details
        if isinstance(error, NodeUnavailable | NodeRefused):
            raise error
        return str(error)


_ABOUT_THE_CHANGE = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)


def fee_bake_command(connection: LndConnection) -> str:
    """Return one line for the node's shell; the result can change prices and read a little, and never spend."""
    words = ["lncli"]
    if connection.network not in (None, "mainnet"):
        words.append(f"--network={connection.network}")
    if connection.lnd_dir is not None and connection.lnd_dir != Path.home() / ".lnd":
        words.append(f"--lnddir={connection.lnd_dir}")
    words += ["bakemacaroon", f"--save_to={FEES_MACAROON}", f"--root_key_id={FEES_ROOT_KEY}"]
    words += [f"uri:{method}" for method in sorted(methods.FEE_METHODS)]
    return " ".join(shlex.quote(word) for word in words)


def check_fee_macaroon(connection: LndConnection, credentials: Credentials) -> None:
    """Raise `ConfigurationError` for a macaroon that can spend, or that cannot change prices."""
    if credentials.macaroon is None:
        return
    powers = read_powers(credentials.macaroon)
    where = connection.macaroon_path or "the macaroon for fees"
    if powers.can_spend and not connection.allow_spending_credential:
        raise ConfigurationError(
            f"{where}: this macaroon can do more than change prices ({powers.spending_text or 'unknown powers'}). "
            f"Bake one for this alone:\n  {fee_bake_command(connection)}\n"
            "and give it with --fee-macaroon-path or [fees] macaroon_path"
        )
    if not powers.known:
        return
    write = ("offchain", "write")
    if write not in powers.operations and ("uri", methods.UPDATE_CHANNEL_POLICY) not in powers.operations:
        raise ConfigurationError(
            f"{where}: this macaroon cannot change prices. Bake one that can:\n  {fee_bake_command(connection)}\n"
            "and give it with --fee-macaroon-path or [fees] macaroon_path"
        )


def _as_given(connection: LndConnection) -> LndConnection:
    """Return the connection without the read adapter's check: `check_fee_macaroon` has its own."""
    return replace(connection, allow_spending_credential=True)


def _inbound(policy: Policy) -> tuple[int, int]:
    return policy.inbound_base_fee_msat, policy.inbound_fee_ppm


def _point(channel_point: str) -> pb.ChannelPoint:
    txid, _, output = channel_point.rpartition(":")
    return pb.ChannelPoint(funding_txid_str=txid, output_index=int(output))
