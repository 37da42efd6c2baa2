"""Which window an operator means by --hours, --since, --until and --all."""

from __future__ import annotations

from msgspec import Struct

from lnflow.analysis.facts import Window
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.time import HOUR_NS, iso_utc, parse_time_ns
from lnflow.store.records import StoredCoverage, StoredSpan

DEFAULT_HOURS = 24.0
MAX_HOURS = 1_000_000.0  # 114 years; the store counts nanoseconds in 63 bits
MAX_TIME_NS = 2**63 - 1


class WindowChoice(Struct, frozen=True, kw_only=True):
    """What was asked for; nothing set means the last 24 hours."""

    hours: float | None = None
    since: str | None = None
    until: str | None = None
    everything: bool = False

    def check(self) -> None:
        """Raise `ConfigurationError` for options that exclude each other or times nobody can read."""
        if self.everything and (self.hours or self.since or self.until):
            raise ConfigurationError("--all means everything stored: leave out --hours, --since and --until")
        if self.hours is not None and self.since is not None:
            raise ConfigurationError("--hours and --since both say where the window begins: give one of them")
        if self.hours is not None and not 0 < self.hours <= MAX_HOURS:  # neither is nan
            raise ConfigurationError(f"--hours: {self.hours:g} must be above 0 and at most {MAX_HOURS:,.0f}")
        since_ns = None if self.since is None else _time("--since", self.since)
        until_ns = None if self.until is None else _time("--until", self.until)
        if since_ns is not None and until_ns is not None:
            _refuse_empty(since_ns, until_ns)


def resolve(choice: WindowChoice, now_ns: int, span: StoredSpan, coverage: StoredCoverage) -> Window:
    """Return the window.  `--all` goes from the first to just after the last stored instant, not to now."""
    choice.check()
    if choice.everything:
        known = [t for t in (span.first_ns, coverage.first_ns) if t is not None]
        last = [t for t in (span.last_ns, coverage.last_ns) if t is not None]
        if not known or not last:
            return Window(since_ns=now_ns, until_ns=now_ns)
        return Window(since_ns=min(known), until_ns=max(last) + 1)
    until_ns = now_ns if choice.until is None else _time("--until", choice.until)
    if choice.since is not None:
        since_ns = _time("--since", choice.since)
    else:
        since_ns = until_ns - round((choice.hours or DEFAULT_HOURS) * HOUR_NS)
    _refuse_empty(since_ns, until_ns)
    return Window(since_ns=since_ns, until_ns=until_ns)


def _refuse_empty(since_ns: int, until_ns: int) -> None:
    if since_ns >= until_ns:
        raise ConfigurationError(
            f"the window is empty: it begins at {iso_utc(since_ns)} and ends at {iso_utc(until_ns)}"
        )


def _time(name: str, text: str) -> int:
    try:
        time_ns = parse_time_ns(text)
    except ValueError as exc:
        raise ConfigurationError(f"{name}: {exc}") from exc
    if not 0 <= time_ns <= MAX_TIME_NS:
        raise ConfigurationError(f"{name}: {text!r} is not between 1970 and 2262: unix seconds, not milliseconds?")
    return time_ns
