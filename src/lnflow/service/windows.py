"""Which window an operator means by --hours, --since, --until and --all."""

from __future__ import annotations

from msgspec import Struct

from lnflow.analysis.facts import Window
from lnflow.domain.errors import ConfigurationError
from lnflow.domain.time import HOUR_NS, iso_utc, parse_time_ns
from lnflow.store.records import StoredCoverage, StoredSpan

DEFAULT_HOURS = 24.0


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
        for name, text in (("--since", self.since), ("--until", self.until)):
            if text is not None:
                _time(name, text)


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
    if since_ns >= until_ns:
        raise ConfigurationError(
            f"the window is empty: it begins at {iso_utc(since_ns)} and ends at {iso_utc(until_ns)}"
        )
    return Window(since_ns=since_ns, until_ns=until_ns)


def _time(name: str, text: str) -> int:
    try:
        return parse_time_ns(text)
    except ValueError as exc:
        raise ConfigurationError(f"{name}: {exc}") from exc
