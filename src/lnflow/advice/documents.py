"""The documents of `--json`: stable, documented in docs/reference/json-output.md, drawn by every face.

Amounts are integers in the unit of their name, times ISO 8601 in UTC with `Z`, short channel ids text,
public keys hex.  Unknown is null, never 0 and never a missing key.  Keys are added, never renamed.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

SCHEMA_VERSION = "1"

ProblemName = Literal["liquidity", "offline", "size", "fee", "stale_fee", "slots", "unattributed", "other"]
Action = Literal[
    "rebalance_outbound",
    "rebalance_inbound",
    "lower_fees",
    "raise_fees",
    "increase_capacity",
    "raise_max_htlc",
    "fix_uptime",
    "investigate",
]
GroupKey = Literal["cause", "peer", "channel", "in_peer", "pair", "hour"]
CheckStatus = Literal["ok", "warn", "fail"]
AdviceStatus = Literal["open", "taken", "expired", "withdrawn"]
FlowClass = Literal["source", "sink", "balanced", "dormant"]


class Document(Struct, frozen=True, kw_only=True, gc=False):
    """Anything a face may print.  A tree: the garbage collector need not look for cycles in it."""


class NodeDocument(Document, frozen=True, kw_only=True):
    name: str
    pubkey: str | None
    alias: str | None
    implementation: str | None
    network: str | None


class WindowDocument(Document, frozen=True, kw_only=True):
    since: str
    until: str


class SettledDocument(Document, frozen=True, kw_only=True):
    forwards: int
    amount_out_msat: int
    income_msat: int


class AttemptsDocument(Document, frozen=True, kw_only=True):
    total: int
    settled: int
    failed_here: int
    failed_downstream: int
    pending: int


class CauseDocument(Document, frozen=True, kw_only=True):
    cause: str
    attempts: int
    attempted_msat: int
    offered_fee_msat: int
    share: float
    """Of all our own refusals, 0-1."""
    confidence: float | None
    """That this is the cause, 0-1: 1 on LND, whose enums say it; on Core Lightning as sure as what was seen around
    the refusals makes it, 0 for `unattributed`, null for rows that nobody judged when they came."""


class DownstreamDocument(Document, frozen=True, kw_only=True):
    attempts: int
    attempted_msat: int
    offered_fee_msat: int


class TotalsDocument(Document, frozen=True, kw_only=True):
    naive_missed_msat: int
    expected_missed_msat: int
    low_msat: int
    high_msat: int
    per_month_msat: int | None


class OpportunityChannel(Document, frozen=True):
    scid: str | None
    channel_point: str | None
    capacity_sat: int | None
    local_sat: int | None
    attempts: int


class UrgencyParts(Document, frozen=True):
    revenue: float
    frequency: float
    rate: float


class MarginalGain(Document, frozen=True):
    added_sat: int
    gain_per_month_msat: int
    low_msat: int
    high_msat: int


class Recommendation(Document, frozen=True):
    type: Action
    channel: str | None
    amount_sat: int | None
    max_ppm: int | None
    fee_ppm: int | None
    max_htlc_msat: int | None
    gain_per_month_msat: int | None
    cost_msat: int | None
    confidence: float
    text: str
    evidence: list[str]


class Opportunity(Document, frozen=True):
    """What one peer's channels could not do for one reason, and what would mend it."""

    rank: int
    peer_pubkey: str | None
    peer_alias: str | None
    channels: list[OpportunityChannel]
    cause: ProblemName
    confidence: float
    attempts: int
    attempted_msat: int
    demands: int
    servable_demands: int
    offered_fee_msat: int
    settle_chance: float | None
    expected_missed_msat: int
    low_msat: int
    high_msat: int
    per_month_msat: int | None
    failure_rate: float
    urgency: float
    urgency_parts: UrgencyParts
    current_outbound_fee_ppm: int | None
    marginal_gain: list[MarginalGain]
    recommendation: Recommendation


class Layer(Document, frozen=True, kw_only=True):
    """One step from attempts to the expected figure; what is not known of a step is null."""

    name: str
    count: int | None
    amount_msat: int | None
    fee_msat: int | None
    rule: str


class WishDocument(Document, frozen=True, kw_only=True):
    """One refused demand; `paid_msat` is what its later tries paid after all."""

    first_at: str
    last_at: str
    in_channel: str | None
    channel: str | None
    cause: str
    attempts: int
    amount_out_msat: int | None
    offered_fee_msat: int | None
    paid_msat: int
    fate: Literal["unserved", "served_later", "probe", "beyond_balance", "senders_fault"]


class ChanceRow(Document, frozen=True, kw_only=True):
    """Unserved demands of one size, and what became of such as were passed on to the same peer."""

    from_sat: int
    below_sat: int | None
    demands: int
    open_fee_msat: int
    prior: float
    settled: int
    failed: int
    reach: float
    chance: float


class ChanceDocument(Document, frozen=True, kw_only=True):
    """`prior` is the node's average, `result` the mean over the open fees."""

    prior: float
    evidence: list[ChanceRow]
    result: float | None


class WhyDocument(Document, frozen=True, kw_only=True):
    schema_version: str = SCHEMA_VERSION
    window: WindowDocument
    coverage: float
    opportunity: Opportunity
    layers: list[Layer]
    demands: list[WishDocument]
    chance: ChanceDocument
    formulas: list[str]
    other_causes: list[ProblemName]
    """What else was refused for the same peer; `--cause` shows it."""
    notes: list[Note]


class Note(Document, frozen=True, kw_only=True):
    code: str
    text: str


class Verdict(Document, frozen=True, kw_only=True):
    """Why the list is empty: `well_served`, `little_traffic` or `watched_briefly`."""

    code: Literal["well_served", "little_traffic", "watched_briefly"]
    text: str
    evidence: list[str]


class AnalyzeDocument(Document, frozen=True, kw_only=True):
    schema_version: str = SCHEMA_VERSION
    node: NodeDocument
    window: WindowDocument
    collecting_since: str | None
    covered_s: int
    coverage: float
    settled: SettledDocument
    attempts: AttemptsDocument
    failures: list[CauseDocument]
    downstream: DownstreamDocument
    totals: TotalsDocument
    opportunities: list[Opportunity]
    verdict: Verdict | None
    notes: list[Note]


class Rejection(Document, frozen=True, kw_only=True):
    line: int | None
    reason: str
    element: int | None = None
    """1-based place in its array, where lines mean little."""


class ImportedFile(Document, frozen=True, kw_only=True):
    path: str
    kind: str
    rows_read: int
    new: int
    known: int
    rejected: int
    rejections: list[Rejection]


class ImportTotals(Document, frozen=True, kw_only=True):
    rows_read: int
    new: int
    known: int
    rejected: int


class ImportDocument(Document, frozen=True, kw_only=True):
    files: list[ImportedFile]
    totals: ImportTotals
    rows_per_s: float | None


class FailureRow(Document, frozen=True, kw_only=True):
    """One row of `lnflow failures`; only the keys that it is grouped by are there, beside `cause`."""

    hour: str | UnsetType = UNSET
    in_peer_pubkey: str | UnsetType | None = UNSET
    in_peer_alias: str | UnsetType | None = UNSET
    peer_pubkey: str | UnsetType | None = UNSET
    peer_alias: str | UnsetType | None = UNSET
    scid: str | UnsetType | None = UNSET
    channel_point: str | UnsetType | None = UNSET
    cause: str
    attempts: int
    attempted_msat: int
    offered_fee_msat: int
    settled: int | None
    failure_rate: float | None


class FailuresDocument(Document, frozen=True, kw_only=True):
    window: WindowDocument
    coverage: float
    by: GroupKey
    rows: list[FailureRow]
    notes: list[Note]


class PolicyDocument(Document, frozen=True, kw_only=True):
    base_fee_msat: int
    fee_ppm: int
    inbound_base_fee_msat: int
    inbound_fee_ppm: int
    min_htlc_msat: int
    max_htlc_msat: int | None
    time_lock_delta: int
    disabled: bool


class ChannelCause(Document, frozen=True, kw_only=True):
    cause: str
    attempts: int
    attempted_msat: int
    offered_fee_msat: int


class ProfitDocument(Document, frozen=True, kw_only=True):
    """What a channel, a peer or the node made in the window; costs are null until they are read from the node."""

    earned_msat: int
    sourced_msat: int
    rebalance_cost_msat: int | None
    onchain_cost_msat: int | None
    discount_given_msat: int | None
    """As the incoming channel: what senders were spared by its inbound discount."""
    discount_borne_msat: int | None
    """As the outgoing channel: what its fees went without for the discounts of others."""
    net_msat: int | None
    capital_msat: int | None
    """Our balance in it, averaged over the window."""
    return_on_capital: float | None
    """Net per year as a share of the capital."""


class PeerProfit(Document, frozen=True, kw_only=True):
    peer_pubkey: str | None
    peer_alias: str | None
    channels: list[str]
    profit: ProfitDocument


class ChannelDocument(Document, frozen=True, kw_only=True):
    scid: str | None
    scids: list[str]
    channel_point: str | None
    peer_pubkey: str | None
    peer_alias: str | None
    capacity_sat: int | None
    local_sat: int | None
    remote_sat: int | None
    balance_at: str | None
    active: bool | None
    closed: bool
    private: bool | None
    our_policy: PolicyDocument | None
    peer_policy: PolicyDocument | None
    in_forwards: int
    in_msat: int
    in_msat_per_day: int | None
    out_forwards: int
    out_msat: int
    out_msat_per_day: int | None
    earned_msat: int
    sourced_msat: int
    failed_here: int
    failed_downstream: int
    failures: list[ChannelCause]
    uptime: float | None
    flow_class: FlowClass | None
    hours_to_empty: float | None
    profit: ProfitDocument


class ChannelsDocument(Document, frozen=True, kw_only=True):
    """`lnflow channels`; `lnflow channel ID` has exactly one in `channels`."""

    schema_version: str = SCHEMA_VERSION
    node: NodeDocument
    window: WindowDocument
    coverage: float
    channels: list[ChannelDocument]
    peer_profit: list[PeerProfit]
    node_profit: ProfitDocument
    notes: list[Note]


class FlowDocument(Document, frozen=True, kw_only=True):
    scid: str | None
    peer_alias: str | None
    flow_class: FlowClass | None
    net_out_msat_per_day: int | None
    hours_to_empty: float | None


class ChannelProfit(Document, frozen=True, kw_only=True):
    scid: str | None
    peer_alias: str | None
    profit: ProfitDocument


class ReportDocument(AnalyzeDocument, frozen=True, kw_only=True):
    """`analyze`'s document with channels, flows and profit added."""

    channels: list[ChannelDocument]
    flows: list[FlowDocument]
    profit: list[ChannelProfit]
    peer_profit: list[PeerProfit]
    node_profit: ProfitDocument
    advice: AdviceScore


class GainDocument(Document, frozen=True, kw_only=True):
    """What a recommendation promised per month, with its range; null where it had too little evidence."""

    gain_per_month_msat: int | None
    low_msat: int | None
    high_msat: int | None


class MeasuredGain(Document, frozen=True, kw_only=True):
    gain_per_month_msat: int
    low_msat: int
    high_msat: int


class AdviceItem(Document, frozen=True, kw_only=True):
    """A recommendation as it was given, and what became of it."""

    id: int
    given_at: str
    peer_pubkey: str | None
    peer_alias: str | None
    cause: str
    recommendation: Recommendation
    status: AdviceStatus
    taken_at: str | None
    marked: bool
    """The operator said so; else it was told from balances, prices or channels."""
    expected: GainDocument
    measured: MeasuredGain | None
    not_measured: str | None
    """Why there is no measured effect yet; null if there is one, or nothing was taken."""
    is_final: bool
    """False while there is no effect, and while balance that was added still earns (28 days): not in the score yet."""


class AdviceScore(Document, frozen=True, kw_only=True):
    given: int
    taken: int
    measured: int
    inside_range: int


class AdviceDocument(Document, frozen=True, kw_only=True):
    schema_version: str = SCHEMA_VERSION
    node: NodeDocument
    items: list[AdviceItem]
    score: AdviceScore


class Check(Document, frozen=True, kw_only=True):
    name: str
    status: CheckStatus
    found: str
    remedy: str | None


class DoctorDocument(Document, frozen=True, kw_only=True):
    ok: bool
    checks: list[Check]


def encode(document: Document) -> bytes:
    """Return the document as indented JSON in UTF-8, ended by a newline."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
