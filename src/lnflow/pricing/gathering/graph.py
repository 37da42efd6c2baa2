"""What the public graph says of our peers: how large they are, and who else could serve them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct


class GraphPlace(Struct, frozen=True, kw_only=True, gc=False):
    """A peer's place in the graph."""

    channels: int
    capacity_sat: int
    alternatives: int | None
    """None: only sizes were asked for."""


def places(
    edges: Iterable[tuple[str, str, int]], ourselves: str, peers: Collection[str], recent: Collection[str]
) -> dict[str, GraphPlace]:
    """Return the place of each peer.

    An alternative of a peer is another node with channels to both this peer and at least one of our other
    `recent` peers (those with traffic in the last 30 days): a payment could go round us by it.

    >>> found = places([("us", "a", 5), ("x", "a", 1), ("x", "b", 1), ("y", "a", 1)], "us", {"a"}, {"a", "b"})
    >>> found["a"].channels, found["a"].capacity_sat, found["a"].alternatives
    (3, 7, 1)
    """
    wanted, marked = set(peers), set(recent)
    channels = dict.fromkeys(wanted, 0)
    capacity_sat = dict.fromkeys(wanted, 0)
    neighbours: dict[str, set[str]] = {peer: set() for peer in wanted}
    reaches: dict[str, set[str]] = {}
    for one, other, sat in edges:
        for here, there in ((one, other), (other, one)):
            if here in wanted:
                channels[here] += 1
                capacity_sat[here] += sat
                neighbours[here].add(there)
            if here in marked:
                reaches.setdefault(there, set()).add(here)
    return {
        peer: GraphPlace(
            channels=channels[peer],
            capacity_sat=capacity_sat[peer],
            alternatives=sum(1 for node in neighbours[peer] - {ourselves, peer} if reaches.get(node, set()) - {peer}),
        )
        for peer in wanted
    }
