"""What a node's version string says, leniently: vendors put text before and after, builds add commits."""

from __future__ import annotations

import re

from lnflow.nodes.cln.errors import NodeTooOld

VersionTuple = tuple[int, int, int]
FLOOR: VersionTuple = (23, 11, 0)
_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def parse_version(text: str) -> VersionTuple:
    """Return (year, month, point) of a version; (0, 0, 0) when it has none (a bare commit).

    >>> parse_version('v26.06.6'), parse_version('basedon-v24.11-123-gabc1234-modded')
    ((26, 6, 6), (24, 11, 0))
    >>> parse_version('gdeadbee')
    (0, 0, 0)
    """
    match = _NUMBERS.search(text)
    if match is None:
        return (0, 0, 0)
    return int(match[1]), int(match[2]), int(match[3] or 0)


def require_floor(text: str) -> VersionTuple:
    """Return the version; raise `NodeTooOld` below the first one that can page its forwards (v23.11).

    A version that cannot be read passes: what the node can do is seen when it is asked.
    """
    version = parse_version(text)
    if (0, 0, 0) < version < FLOOR:
        raise NodeTooOld(
            f"Core Lightning {text} cannot page its forwards (listforwards index/start/limit came with"
            " v23.11): upgrade the node"
        )
    return version
