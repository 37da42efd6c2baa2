"""How long it takes to decide 2,000 channels by 60 rules, beside a bare loop of the same comparisons.

    python benchmarks/bench_policy.py [--channels N] [--rules N]

Every rule has three criteria and only the last matches, so that each channel meets every rule.  The bare loop
compares three numbers as often, which is what the decision costs if nothing could be configured.  Best of three
runs each.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from lnflow.domain.channel import Policy
from lnflow.pricing.decision import Action, decide_all
from lnflow.pricing.dialect.policy_file import PolicyFile, build_policy_file
from lnflow.pricing.facts import ChannelFacts, Flow, NodeFacts, PeerFacts

LIMIT_S = 1.0
DAY_S = 86_400
T = TypeVar("T")


def make_file(rules: int) -> PolicyFile:
    sections = [
        f"[rule-{n}]\nchan.min_capacity = 1000\nflow.7d.max = 5_000_000\nchan.min_ratio = 1.{n}\n"
        f"strategy = static\nfee_ppm = {n}\n"
        for n in range(rules - 1)
    ]
    sections.append("[last]\nstrategy = balance_based\nfee_ppm = 200\n")

    def no_files(path: str) -> str:
        raise FileNotFoundError(path)

    return build_policy_file("\n".join(sections), "bench.conf", no_files)


def make_channels(count: int) -> list[ChannelFacts]:
    ours = Policy(base_fee_msat=0, fee_ppm=100, time_lock_delta=80, min_htlc_msat=1, max_htlc_msat=10**9)
    return [
        ChannelFacts(
            channel_point=f"{n:064x}:0",
            scid=n << 40,
            peer=PeerFacts(pubkey=f"02{n:064x}"),
            capacity_sat=1_000_000,
            local_msat=(n % 1000) * 1_000_000,
            remote_msat=(1000 - n % 1000) * 1_000_000,
            ours=ours,
            flows={7 * DAY_S: Flow(days=7.0, in_msat=n, out_msat=n)},
        )
        for n in range(count)
    ]


def bare_loop(channels: list[ChannelFacts], rules: int) -> int:
    """Three comparisons per channel and rule, on values already at hand."""
    figures = [(c.capacity_sat, c.local_msat, c.local_msat / 1e9) for c in channels]
    bounds = [(1000, 5_000_000_000, 1 + n / 100) for n in range(rules)]
    matched = 0
    for capacity, flow, ratio in figures:
        for least_capacity, most_flow, least_ratio in bounds:
            if capacity >= least_capacity and flow <= most_flow and ratio >= least_ratio:
                matched += 1
                break
    return matched


def timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def main() -> int:
    parser = argparse.ArgumentParser(description="benchmark of the policy engine")
    parser.add_argument("--channels", type=int, default=2000)
    parser.add_argument("--rules", type=int, default=60)
    options = parser.parse_args()
    channels, file = make_channels(options.channels), make_file(options.rules)
    node = NodeFacts(now_ns=1_800_000_000 * 10**9)
    decided_s, decisions = min((timed(lambda: decide_all(file, channels, node)) for _ in range(3)), key=lambda t: t[0])
    bare_s, _ = min(timed(lambda: bare_loop(channels, options.rules)) for _ in range(3))
    assert all(d.action in {Action.UPDATE, Action.NONE} and d.policy == "last" for d in decisions)
    print(
        f"policy: {options.channels} channels x {options.rules} rules decided in {decided_s * 1000:.0f} ms, "
        f"bare comparisons {bare_s * 1000:.0f} ms, ratio {decided_s / bare_s:.1f} (limit {LIMIT_S * 1000:.0f} ms)"
    )
    return 0 if decided_s < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
