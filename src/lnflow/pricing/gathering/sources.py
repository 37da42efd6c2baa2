"""Where facts come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lnflow.nodes.port import FeeFacts, NodeReader
from lnflow.pricing.facts import Unknown
from lnflow.store.reading import StoreReader

Missed = Callable[[int], Mapping[str, int] | Unknown]
"""Return the expected missed msat of a window (in seconds) by channel point, or why that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where facts come from; without a store or further facts, what only they know is `Unknown`."""

    reader: NodeReader
    further: FeeFacts | None = None
    store: StoreReader | None = None
    missed: Missed | None = None
