"""Channels, nodes and files for pricing tests: builders name only what matters to the test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lnflow.domain.channel import Policy
from lnflow.domain.scid import parse_scid
from lnflow.pricing.changes import PolicyValues
from lnflow.pricing.decision import Decision, decide
from lnflow.pricing.dialect.policy_file import PolicyFile, build_policy_file
from lnflow.pricing.facts import Balance, ChannelFacts, Flow, NodeFacts, PeerFacts, Unknown

POLICIES = Path(__file__).parent / "policies"
PEER = "02" + "ab" * 32
SCID = parse_scid("840000x12x1")
DAY_S = 86_400
NOON_MONDAY_NS = 1_795_435_200 * 10**9  # 2026-11-23 12:00 UTC, a Monday


def policy(**changes: Any) -> Policy:
    values: dict[str, Any] = {
        "base_fee_msat": 1000,
        "fee_ppm": 100,
        "time_lock_delta": 80,
        "min_htlc_msat": 1,
        "max_htlc_msat": 990_000_000,
    }
    return Policy(**(values | changes))


def channel(
    local_sat: int = 500_000,
    *,
    capacity_sat: int = 1_000_000,
    ours: Policy | Unknown | None = None,
    peer: PeerFacts | None = None,
    **changes: Any,
) -> ChannelFacts:
    """A channel of 1M sat at 100 ppm and 1000 msat, without forwards, 5000 blocks old, as charge_lnd.md §7."""
    remote_sat = capacity_sat - local_sat
    balance = Balance(channels=1, local_msat=local_sat * 1000, remote_msat=remote_sat * 1000)
    values: dict[str, Any] = {
        "channel_point": "aa" * 32 + ":1",
        "scid": SCID,
        "capacity_sat": capacity_sat,
        "local_msat": local_sat * 1000,
        "remote_msat": remote_sat * 1000,
        "ours": ours or policy(),
        "theirs": policy(fee_ppm=250),
        "peer": peer or PeerFacts(pubkey=PEER, graph_channels=10, graph_capacity_sat=100_000_000, active=balance),
        "age_blocks": 5000,
        "age_s": 5000 * 600.0,
        "max_pending_msat": capacity_sat * 990,
        "min_htlc_msat": 1,
        "flows": {days * DAY_S: Flow(days=float(days)) for days in (1, 7, 14, 30)},
    }
    return ChannelFacts(**(values | changes))


def node(**changes: Any) -> NodeFacts:
    values: dict[str, Any] = {
        "now_ns": NOON_MONDAY_NS,
        "block_height": 845_000,
        "synced_to_chain": True,
        "feerates_sat_per_vb": {2: 20.0, 6: 10.0, 144: 2.0},
    }
    return NodeFacts(**(values | changes))


def build(text: str, files: Mapping[str, str] | None = None, *, strict: bool | None = None) -> PolicyFile:
    """Compile a file whose list files and included files are these texts."""
    known = files or {}

    def read(path: str) -> str:
        if path not in known:
            raise FileNotFoundError(2, "No such file or directory", path)
        return known[path]

    return build_policy_file(text, "policy.conf", read, strict=strict)


def decide_one(
    text: str,
    facts: ChannelFacts | None = None,
    node_facts: NodeFacts | None = None,
    *,
    files: Mapping[str, str] | None = None,
    strict: bool | None = None,
) -> Decision:
    return decide(build(text, files, strict=strict), facts or channel(), node_facts or node())


def rule(*lines: str, name: str = "rule") -> str:
    return "\n".join([f"[{name}]", *lines, ""])


def new(decision: Decision) -> PolicyValues:
    assert decision.new is not None, decision.reason
    return decision.new
