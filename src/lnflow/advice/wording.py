"""Amounts in words: sat for people, from msat."""

from __future__ import annotations


def sats(msat: int | None) -> str:
    """Return msat as sat: whole from 100 sat on, to the msat below.

    >>> sats(1_234_567), sats(99_001), sats(0), sats(None)
    ('1,235', '99.001', '0', '–')
    """
    if msat is None:
        return "–"
    if abs(msat) >= 100_000:
        return f"{round(msat / 1000):,}"
    return f"{msat / 1000:,.3f}".rstrip("0").rstrip(".")
