"""The Python API: the names scripts import, over the same services as the command line.

`from lnflow import AsyncLNDgRPCClient, HTLCMonitor, OpportunityAnalyzer, …`; see examples/opportunities.py.
"""

from lnflow.api.analyzer import MissedOpportunity, OpportunityAnalyzer
from lnflow.api.client import AsyncLNDgRPCClient
from lnflow.api.monitor import HTLCMonitor
from lnflow.api.policies import PolicyManager
from lnflow.api.stats import ChannelFailureStats, MonitorSummary
from lnflow.domain.errors import LnflowError
from lnflow.nodes.lnd_manage.client import LndManageClient
from lnflow.service.opportunities import OpportunityService
from lnflow.service.protocols import (
    ChannelInfoProvider,
    FailureStatsProvider,
    FailureStatsStore,
    HTLCCollector,
)

__all__ = [
    "AsyncLNDgRPCClient",
    "ChannelFailureStats",
    "ChannelInfoProvider",
    "FailureStatsProvider",
    "FailureStatsStore",
    "HTLCCollector",
    "HTLCMonitor",
    "LndManageClient",
    "LnflowError",
    "MissedOpportunity",
    "MonitorSummary",
    "OpportunityAnalyzer",
    "OpportunityService",
    "PolicyManager",
]
