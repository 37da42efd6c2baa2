"""Amounts and lengths of time in words."""

from __future__ import annotations


def sats(msat: int | None) -> str:
    """Return msat as sat: whole from 100 sat on, to the msat below 1 sat, to the hundredth between.

    Three decimals of more than a sat would read as thousands: 16.315 beside 1,540.

    >>> sats(1_234_567), sats(16_315), sats(17), sats(0), sats(None)
    ('1,235', '16.32', '0.017', '0', '–')
    """
    if msat is None:
        return "–"
    if abs(msat) >= 100_000:
        return f"{round(msat / 1000):,}"
    text = f"{msat / 1000:.3f}" if abs(msat) < 1000 else f"{msat / 1000:.2f}"
    return text.rstrip("0").rstrip(".")


def duration(seconds: float) -> str:
    """Return a length of time in the largest fitting units.

    >>> duration(45), duration(5_400), duration(200_000)
    ('45 s', '1 h 30 min', '2 d 7 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
