"""A criterion: what it looks at, what it accepts, and how both read in an explanation."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from lnflow.pricing.facts import ChannelFacts, NodeFacts
from lnflow.pricing.problems import Problem

Look = Callable[[ChannelFacts, NodeFacts], Any]
"""Return the observed value, `Unknown` if it cannot be learnt, None if there is none (then: no match)."""


class Criterion(Struct, frozen=True, kw_only=True):
    """One condition of a rule.  `wanted` is its right side as written."""

    key: str
    wanted: str
    line: int | None
    look: Look
    accepts: Callable[[Any], bool]


class Needs(Struct, frozen=True, kw_only=True):
    """Facts that a policy file may ask for, so that a loader fetches those and no others (windows in s)."""

    flow_windows: frozenset[int] = frozenset()
    missed_windows: frozenset[int] = frozenset()
    profit_windows: frozenset[int] = frozenset()
    conf_targets: frozenset[int] = frozenset()
    facts: frozenset[str] = frozenset()
    """Names of costly facts: graph_node, alternatives, funding_fee, price_levels, cost, cheapest_other …"""

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            flow_windows=self.flow_windows | other.flow_windows,
            missed_windows=self.missed_windows | other.missed_windows,
            profit_windows=self.profit_windows | other.profit_windows,
            conf_targets=self.conf_targets | other.conf_targets,
            facts=self.facts | other.facts,
        )


NOTHING_NEEDED = Needs()


class Compiled(Struct, frozen=True, kw_only=True):
    """What one key became: a criterion, or nothing (it only modifies others), or a problem; and its needs."""

    criterion: Criterion | None = None
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()
    needs: Needs = NOTHING_NEEDED


def at_least(bound: float) -> Callable[[Any], bool]:
    return partial(operator.le, bound)


def at_most(bound: float) -> Callable[[Any], bool]:
    return partial(operator.ge, bound)


def equals(wanted: object) -> Callable[[Any], bool]:
    return partial(operator.eq, wanted)
