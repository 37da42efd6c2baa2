"""Luck that belongs to somebody: a payment's n-th draw for a purpose is the same in every run.

Common random numbers: a run with one cause removed meets the same payers with the same luck, however many
draws others made in between.  The mixer is SplitMix64's.
"""

from __future__ import annotations

from statistics import NormalDist

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_TO_UNIT = 2.0**-53
_NORMAL = NormalDist()
# a table keeps the inverse normal out of the inner loop; 4,096 steps are finer than anything we model
_QUANTILES = tuple(_NORMAL.inv_cdf((i + 0.5) / 4096) for i in range(4096))


def uniform(key: int, n: int) -> float:
    """Return the n-th draw of `key`, uniform in [0, 1)."""
    z = (key + n * _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 11) * _TO_UNIT


def normal(key: int, n: int) -> float:
    """Return the n-th draw of `key` as a standard normal, between -3.7 and 3.7."""
    return _QUANTILES[int(uniform(key, n) * 4096)]


def subkey(key: int, n: int) -> int:
    """Return a key of its own for the n-th thing that belongs to `key`."""
    z = (key ^ ((n + 1) * 0xD1342543DE82EF95)) & _MASK
    z = ((z ^ (z >> 32)) * 0xDABA0B6EB09322E3) & _MASK
    z = ((z ^ (z >> 32)) * 0xDABA0B6EB09322E3) & _MASK
    return z ^ (z >> 32)
