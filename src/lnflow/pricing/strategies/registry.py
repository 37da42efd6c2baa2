"""All strategies by name, except `use_config`, which `decision` follows into the other file."""

from __future__ import annotations

from collections.abc import Mapping

from lnflow.pricing.strategies import charge_lnd
from lnflow.pricing.strategies.balance import balance_based
from lnflow.pricing.strategies.flow import flow_based
from lnflow.pricing.strategies.inbound import inbound_discount, inbound_premium
from lnflow.pricing.strategies.recovery import cost_recovery
from lnflow.pricing.strategies.revenue import revenue_max
from lnflow.pricing.strategies.terms import Strategy

STRATEGIES: Mapping[str, Strategy] = {
    **charge_lnd.STRATEGIES,
    "balance_based": balance_based,
    "flow_based": flow_based,
    "revenue_max": revenue_max,
    "inbound_discount": inbound_discount,
    "inbound_premium": inbound_premium,
    "cost_recovery": cost_recovery,
}
