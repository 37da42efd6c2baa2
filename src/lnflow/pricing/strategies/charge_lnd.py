"""charge-lnd's strategies, with its published semantics."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from lnflow.pricing.dialect import values
from lnflow.pricing.matching.charge_lnd import DEFAULT_CONF_TARGET, conf_target
from lnflow.pricing.strategies.terms import Case, NotEvaluable, Strategy, Terms, known

TYPICAL_FUNDING_VBYTES = 223
COMPUTED_LEAST_DELTA_PPM = 10  # what proportional and onchain_fee set when the file has no delta


def common(case: Case, reason: str) -> Terms:
    """Return what every strategy except `ignore` and `disable` sets from the common properties."""
    properties = case.properties
    return Terms(
        base_fee_msat=properties.integer("base_fee_msat"),
        min_htlc_msat=properties.integer("min_htlc_msat"),
        max_htlc_msat=_largest_htlc_msat(case),
        time_lock_delta=properties.integer("time_lock_delta"),
        disabled=False,
        reason=reason,
    )


def priced(case: Case, reason: str, fee_ppm: int | None) -> Terms:
    """Return the common terms with a price and the inbound fees as written."""
    properties = case.properties
    return structs.replace(
        common(case, reason),
        fee_ppm=fee_ppm,
        inbound_base_fee_msat=properties.integer("inbound_base_fee_msat"),
        inbound_fee_ppm=properties.integer("inbound_fee_ppm"),
        inbound_level_ppm=properties.integer("inbound_level_ppm"),
    )


def ignore(case: Case) -> Terms:
    return Terms(reason="ignore: nothing is touched")


def ignore_fees(case: Case) -> Terms:
    return structs.replace(common(case, "ignore_fees: fees are left as they are"), base_fee_msat=None)


def disable(case: Case) -> Terms:
    return Terms(disabled=True, reason="disable")


def static(case: Case) -> Terms:
    fee_ppm = case.properties.integer("fee_ppm")
    price = "no fee_ppm, so the price stays" if fee_ppm is None else f"{fee_ppm} ppm as written"
    return priced(case, f"static: {price}", fee_ppm)


def match_peer(case: Case) -> Terms:
    theirs = known(case.channel.theirs)
    if theirs is None:
        raise NotEvaluable("the peer has announced no policy for this channel, so there is none to match")
    own = priced(case, "", None)

    def first(ours: int | None, peer: int) -> int:
        return peer if ours is None else ours

    fee_ppm = first(case.properties.integer("fee_ppm"), theirs.fee_ppm)
    return structs.replace(
        own,
        fee_ppm=fee_ppm,
        base_fee_msat=first(own.base_fee_msat, theirs.base_fee_msat),
        inbound_fee_ppm=first(own.inbound_fee_ppm, theirs.inbound_fee_ppm),
        inbound_base_fee_msat=first(own.inbound_base_fee_msat, theirs.inbound_base_fee_msat),
        inbound_level_ppm=None,
        reason=f"match_peer: the peer asks {theirs.fee_ppm} ppm, we ask {fee_ppm}",
    )


def cost(case: Case) -> Terms:
    """Price that earns the whole funding transaction's fee back with one capacity of outflow."""
    factor = case.properties.number("cost_factor", 1.0)
    fee_sat = known(case.channel.funding_fee_sat)
    if fee_sat is None:
        return priced(case, "cost: the funding transaction is not in our wallet, so 1 ppm", 1)
    fee_ppm = int(factor * 1_000_000 * fee_sat / case.channel.capacity_sat)
    reason = f"cost: {factor:g} × {fee_sat} sat ÷ {case.channel.capacity_sat} sat = {fee_ppm} ppm"
    return priced(case, reason, fee_ppm)


def onchain_fee(case: Case) -> Terms:
    properties = case.properties
    reference_btc = properties.number("onchain_fee_btc", 0.1)
    if reference_btc <= 0:
        raise properties.bad("onchain_fee_btc must be above 0", key="onchain_fee_btc")
    blocks = properties.integer("onchain_fee_numblocks")
    feerate = known(case.node.feerate(DEFAULT_CONF_TARGET if blocks is None else conf_target(blocks)))
    if feerate < 1:
        raise properties.bad(
            f"strategy = onchain_fee: the fee rate of {feerate:g} sat/vB is below 1, which it cannot price",
            "add a rule before it for cheap times: onchain.max_fee_rate = 1 with another strategy",
        )
    exact = 0.01 / reference_btc * TYPICAL_FUNDING_VBYTES * feerate
    fee_ppm = int(exact + 1e-9)  # 0.01 / 0.1 is a hair below 0.1: 50 sat/vB must give 1115
    reason = f"onchain_fee: {feerate:g} sat/vB for {reference_btc:g} BTC = {fee_ppm} ppm"
    return structs.replace(priced(case, reason, fee_ppm), least_delta_ppm=COMPUTED_LEAST_DELTA_PPM)


def proportional(case: Case) -> Terms:
    properties = case.properties
    lowest, highest = properties.required("min_fee_ppm"), properties.required("max_fee_ppm")
    ratio = _peer_ratio(case) if _sum_peer_chans(case) else known(case.channel.ratio())
    fee_ppm = max(0, int(lowest + (1.0 - ratio) * (highest - lowest)))
    reason = f"proportional: local share {ratio:.3f} between {lowest} and {highest} = {fee_ppm} ppm"
    return structs.replace(priced(case, reason, fee_ppm), least_delta_ppm=COMPUTED_LEAST_DELTA_PPM)


def _sum_peer_chans(case: Case) -> bool:
    if case.strict:  # charge-lnd takes any text for true, "false" too
        return bool(case.properties.text("sum_peer_chans"))
    return case.properties.flag("sum_peer_chans", default=False)


def _peer_ratio(case: Case) -> float:
    """Return our share over the peer's active channels, over all of them if none is active."""
    peer = case.channel.peer
    balances = [peer.active] if peer.active.channels else [peer.inactive]
    local = sum(b.local_msat for b in balances)
    total = local + sum(b.remote_msat for b in balances)
    if total == 0:
        raise NotEvaluable("all balances with this peer are zero")
    return local / total


def _largest_htlc_msat(case: Case) -> int | None:
    """Return the smaller of the fixed size and the share of what the channel can hold; 0 means unset."""
    fixed = case.properties.integer("max_htlc_msat") or None
    share = case.properties.read("max_htlc_msat_ratio", values.number)
    if share is None:
        return fixed
    usable_sat = case.channel.capacity_sat - case.channel.remote_reserve_sat
    by_share = int(min(1.0, max(0.0, share)) * usable_sat * 1000) or None
    return min((size for size in (fixed, by_share) if size is not None), default=None)


STRATEGIES: Mapping[str, Strategy] = {
    "ignore": ignore,
    "ignore_fees": ignore_fees,
    "disable": disable,
    "static": static,
    "match_peer": match_peer,
    "cost": cost,
    "onchain_fee": onchain_fee,
    "proportional": proportional,
}
