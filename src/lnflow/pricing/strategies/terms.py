"""What a strategy is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from lnflow.domain.channel import Policy
from lnflow.pricing.dialect import values
from lnflow.pricing.dialect.ini import Entry, T
from lnflow.pricing.facts import ChannelFacts, NodeFacts, Unknown
from lnflow.pricing.problems import Problem


class BadPolicy(Exception):
    """The file is wrong for this channel: it is left alone, and the operator is told where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class NotEvaluable(Exception):
    """A fact that the strategy needs is unknown: the channel is skipped, with this reason."""


class Terms(Struct, frozen=True, kw_only=True):
    """What we want for a channel; None: leave it as it is."""

    fee_ppm: int | None = None
    base_fee_msat: int | None = None
    inbound_fee_ppm: int | None = None
    inbound_base_fee_msat: int | None = None
    inbound_level_ppm: int | None = None
    """Inbound becomes min(0, level − outbound); wins over `inbound_fee_ppm`."""
    min_htlc_msat: int | None = None
    max_htlc_msat: int | None = None
    time_lock_delta: int | None = None
    disabled: bool | None = None
    reason: str
    least_delta_ppm: int | None = None
    """A `min_fee_ppm_delta` that the strategy sets when the file has none."""


class Properties:
    """The overlay of keys that decided, read as the strategy asks for them: a bad value hurts only then."""

    def __init__(self, overlay: Mapping[str, Entry]) -> None:
        self._overlay = overlay

    def __contains__(self, key: str) -> bool:
        return key in self._overlay

    def read(self, key: str, reader: Callable[[str], T]) -> T | None:
        """Return the value, None if the key is absent; raise `BadPolicy` if it cannot be read."""
        entry = self._overlay.get(key)
        if entry is None:
            return None
        value = entry.read(reader)
        if isinstance(value, Problem):
            raise BadPolicy(value)
        return value

    def integer(self, key: str) -> int | None:
        return self.read(key, values.integer)

    def number(self, key: str, default: float) -> float:
        value = self.read(key, values.number)
        return default if value is None else value

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.read(key, values.boolean)
        return default if value is None else value

    def required(self, key: str) -> int:
        value = self.integer(key)
        if value is None:
            strategy = self._overlay["strategy"]
            raise self.bad(f"strategy = {strategy.value} needs {key}", f"add {key} to the section")
        return value

    def text(self, key: str) -> str | None:
        entry = self._overlay.get(key)
        return None if entry is None else entry.value

    def with_entries(self, entries: Mapping[str, Entry]) -> Properties:
        """Return the same properties with these keys instead of their own."""
        return Properties({**self._overlay, **entries})

    def bad(self, text: str, remedy: str | None = None, key: str = "strategy") -> BadPolicy:
        """Return the error to raise, placed at the line of `key`."""
        return BadPolicy(self._overlay[key].problem(text, remedy))


class Case(Struct, frozen=True, kw_only=True):
    """One channel before a strategy.  `ours` is its present policy."""

    channel: ChannelFacts
    node: NodeFacts
    ours: Policy
    properties: Properties
    strict: bool


Strategy = Callable[[Case], Terms]


def known(value: T | Unknown) -> T:
    """Return the value, or raise `NotEvaluable` with the reason why it is unknown."""
    if isinstance(value, Unknown):
        raise NotEvaluable(value.reason)
    return value
