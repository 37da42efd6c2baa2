"""What compiling a rule needs besides its own keys: the file's settings and a way to read list files."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from msgspec import Struct

UTC_ZONE = ZoneInfo("UTC")


class ActivityThresholds(Struct, frozen=True, kw_only=True):
    """Moved sat (in + out) per day ÷ capacity: below `low` is low, below `medium` is medium, else high."""

    low: float = 0.01
    medium: float = 0.10

    def level(self, share_per_day: float) -> str:
        if share_per_day <= 0:
            return "inactive"
        if share_per_day < self.low:
            return "low"
        return "medium" if share_per_day < self.medium else "high"


class Context(Struct, frozen=True, kw_only=True):
    """`strict` reproduces charge-lnd's quirks (except that it disables channels on an error)."""

    strict: bool
    read_file: Callable[[str], str]
    """Return a list file's text; raise `OSError` or `UnicodeDecodeError`."""
    timezone: ZoneInfo = UTC_ZONE
    activity: ActivityThresholds = ActivityThresholds()
