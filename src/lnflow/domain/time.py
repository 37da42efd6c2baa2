"""Time: stored as UTC nanoseconds (int), shown as aware datetimes.  Pure code is given `now`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
MONTH_S = 30 * 86_400  # "per month" means 30 days everywhere


class Clock(Protocol):
    """Where running code asks for the time and waits; tests give their own."""

    def now_ns(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


def iso_utc(at_ns: int) -> str:
    """Return ISO 8601 in UTC with `Z`, to the millisecond.

    >>> iso_utc(1_795_256_337_336_283_872)
    '2026-11-21T10:18:57.336Z'
    """
    return to_datetime(at_ns).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def to_datetime(at_ns: int) -> datetime:
    """Return an aware datetime; nanoseconds below the microsecond are cut off."""
    seconds, rest_ns = divmod(at_ns, SECOND_NS)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=rest_ns // 1000)


def parse_time_ns(text: str) -> int:
    """Return UTC nanoseconds of an ISO 8601 time (without a zone it is UTC) or of unix seconds.

    >>> parse_time_ns('2026-11-21T10:18:57Z') == parse_time_ns('1795256337') == 1_795_256_337 * 10**9
    True
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text) * SECOND_NS
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time: use 2026-11-21T10:18:57Z or unix seconds") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * SECOND_NS + moment.microsecond * 1000
