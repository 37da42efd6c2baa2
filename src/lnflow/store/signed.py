"""Short channel ids at the store's edge: SQLite and PostgreSQL know only signed 64-bit integers."""

from __future__ import annotations

from collections.abc import Sequence

_TWO_63 = 1 << 63
_TWO_64 = 1 << 64


def to_signed(scid: int) -> int:
    """Return the stored form of an unsigned 64-bit id.

    >>> to_signed(17592186044416000004)
    -854558029293551612
    """
    return scid - _TWO_64 if scid >= _TWO_63 else scid


def all_signed(scids: Sequence[int]) -> Sequence[int]:
    """Return the stored forms of many ids; few are that large."""
    return scids if max(scids, default=0) < _TWO_63 else [to_signed(scid) for scid in scids]


def from_signed(stored: int) -> int:
    """Return the unsigned id of its stored form.

    >>> from_signed(-854558029293551612)
    17592186044416000004
    """
    return stored + _TWO_64 if stored < 0 else stored
