"""The keys and strategies that we know, what stands behind each, and which of them are lnflow's own."""

from __future__ import annotations

import re
from collections.abc import Callable

from lnflow.pricing.dialect import values
from lnflow.pricing.problems import did_you_mean

Reader = Callable[[str], object]


def text(raw: str) -> str:
    """Return the text, which must not be empty."""
    if not raw.strip():
        raise ValueError("'' is empty")
    return raw.strip()


CIRCUITBREAKER_KEYS = frozenset({"cb_max_hourly_rate", "cb_max_pending", "cb_mode", "cb_clear_limit"})

CHARGE_LND_PROPERTIES: dict[str, Reader] = {
    "strategy": text,
    "fee_ppm": values.integer,
    "base_fee_msat": values.integer,
    "inbound_fee_ppm": values.integer,
    "inbound_base_fee_msat": values.integer,
    "inbound_level_ppm": values.integer,
    "min_fee_ppm": values.integer,
    "max_fee_ppm": values.integer,
    "min_fee_ppm_delta": values.integer,
    "min_inbound_fee_ppm_delta": values.integer,
    "min_htlc_msat": values.integer,
    "max_htlc_msat": values.integer,
    "max_htlc_msat_ratio": values.number,
    "time_lock_delta": values.integer,
    "cost_factor": values.number,
    "onchain_fee_btc": values.number,
    "onchain_fee_numblocks": values.integer,
    "sum_peer_chans": values.boolean,
    "config_file": text,
    "cb_max_hourly_rate": values.integer,
    "cb_max_pending": values.integer,
    "cb_mode": values.integer,
    "cb_clear_limit": values.boolean,
}

LNFLOW_PROPERTIES: dict[str, Reader] = {
    "priority": values.integer,
    "enabled": values.boolean,
    "final": values.boolean,
    "manage_status": values.boolean,
    "min_inbound_fee_ppm": values.integer,
    "max_inbound_fee_ppm": values.integer,
    "enable_auto_rollback": values.boolean,
    "rollback_threshold": values.number,
    "learning_enabled": values.boolean,
    "recovery_days": values.number,
}

PROPERTIES: dict[str, Reader] = CHARGE_LND_PROPERTIES | LNFLOW_PROPERTIES

CHARGE_LND_STRATEGIES = frozenset(
    {
        "ignore",
        "ignore_fees",
        "static",
        "match_peer",
        "cost",
        "onchain_fee",
        "proportional",
        "disable",
        "use_config",
    }
)
COMPUTED_STRATEGIES = frozenset(
    {"balance_based", "flow_based", "revenue_max", "inbound_discount", "inbound_premium", "cost_recovery"}
)
"""lnflow's own: their prices come from measurements, so that step limits hold for them."""
STRATEGIES = CHARGE_LND_STRATEGIES | COMPUTED_STRATEGIES


def strategy_remedy(name: str) -> str:
    """Return what to do about a strategy that nobody knows."""
    if " #" in name or " ;" in name:
        return values.NO_INLINE_COMMENT
    return did_you_mean(name, STRATEGIES) or f"one of {', '.join(sorted(STRATEGIES))}"


REQUIRED_PROPERTIES: dict[str, tuple[str, ...]] = {
    "proportional": ("min_fee_ppm", "max_fee_ppm"),
    "use_config": ("config_file",),
    "balance_based": ("fee_ppm",),
    "flow_based": ("fee_ppm",),
    "revenue_max": ("fee_ppm",),
    "inbound_discount": ("fee_ppm",),
    "inbound_premium": ("fee_ppm",),
}

_WINDOWED = re.compile(r"(flow|revenue|missed|profit)_(\d+[dh])_(min|max)")
_OLD_SPELLINGS = {"time_of_day": "time.of_day", "time_day_of_week": "time.day_of_week"}


def current_spelling(key: str) -> str:
    """Return the key under its present name; the earlier lnflow wrote some without dots.

    >>> current_spelling("revenue_7d_min"), current_spelling("time_of_day"), current_spelling("fee_ppm")
    ('revenue.7d.min', 'time.of_day', 'fee_ppm')
    """
    match = _WINDOWED.fullmatch(key)
    return f"{match[1]}.{match[2]}.{match[3]}" if match else _OLD_SPELLINGS.get(key, key)
