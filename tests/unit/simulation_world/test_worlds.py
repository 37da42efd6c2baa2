"""The named worlds: fixed, sound, and unlike each other.

The held-out ones are looked at only as far as any estimator may know them: that they run.
"""

from __future__ import annotations

import pytest

from lnflow.domain.causes import Cause, Problem
from lnflow.domain.htlc import Refused
from lnflow.simulation.world import record, truth
from lnflow.simulation.world.development import NamedWorld, development_worlds, large_amounts_world
from lnflow.simulation.world.held_out import held_out_worlds
from lnflow.simulation.world.run import covered_ns
from lnflow.simulation.world.spec import WorldSpec

WORLDS = [*development_worlds(), *held_out_worlds()]


def name_of(world: NamedWorld) -> str:
    return world.spec.name


def test_each_call_gives_the_same_worlds() -> None:
    assert [*development_worlds(), *held_out_worlds()] == WORLDS


def test_no_world_is_another_one_again() -> None:
    assert len({world.spec.name for world in WORLDS}) == len(WORLDS)
    assert len({world.seed for world in WORLDS}) == len(WORLDS)
    assert len(held_out_worlds()) >= 6


def test_the_held_out_worlds_differ_in_size_probes_repricing_and_coverage() -> None:
    specs = [world.spec for world in held_out_worlds()]
    assert max(len(s.peers) for s in specs) > 4 * min(len(s.peers) for s in specs)
    assert max(len(s.probers) for s in specs) >= 10 > 1 >= min(len(s.probers) for s in specs)
    assert max(len(s.policy_changes) for s in specs) >= 15
    covered = [sum(b - a for a, b in covered_ns(s)) / (s.hours * 3_600e9) for s in specs]
    assert min(covered) < 0.5
    assert max(covered) == 1.0


@pytest.mark.parametrize("world", WORLDS, ids=name_of)
def test_every_world_names_only_peers_that_it_has(world: NamedWorld) -> None:
    spec = world.spec
    peers = range(len(spec.peers))
    named = [i for p in spec.populations for i in (p.in_peer, *p.out_peers)]
    named += [i for p in spec.probers for i in (p.in_peer, p.out_peer)]
    named += [i for m in spec.moves for i in (m.from_peer, m.to_peer) if i is not None]
    named += [c.peer for c in spec.policy_changes]
    assert set(named) <= set(peers)
    assert all(p.in_peer not in p.out_peers for p in spec.populations)
    assert all(0 < c.at_h < spec.hours for c in spec.policy_changes)


def shortened(spec: WorldSpec) -> WorldSpec:
    """Return the first six hours, so that the test is quick and nothing is learnt about the whole."""
    fields = {name: getattr(spec, name) for name in spec.__struct_fields__}
    return WorldSpec(**(fields | {"hours": 6.0, "warmup_hours": 2.0}))


@pytest.mark.parametrize("world", WORLDS, ids=name_of)
def test_every_world_keeps_its_books(world: NamedWorld) -> None:
    recording = record(shortened(world.spec), world.seed)
    for channel in recording.snapshots[-1].channels:
        assert min(channel.local_msat, channel.remote_msat, channel.unsettled_msat) >= 0
        listed = channel.local_msat + channel.remote_msat + channel.unsettled_msat
        shared = (channel.capacity_sat - channel.commit_fee_sat - 660) * 1_000
        assert shared - 3_000 < listed <= shared
    assert recording.events


@pytest.mark.parametrize(("arrive", "at_least", "at_most"), [(False, 0.0, 0.1), (True, 0.75, 1.0)])
def test_large_amounts_are_worth_what_they_bring_to_their_end(arrive: bool, at_least: float, at_most: float) -> None:
    """A naive sum cannot tell them apart: right in one, far off in the other."""
    spec, seed = large_amounts_world(arrive=arrive), 107 if arrive else 106
    naive = sum(
        e.amount_in_msat - e.amount_out_msat
        for e in record(spec, seed).events
        if isinstance(e, Refused) and e.cause is Cause.INSUFFICIENT_BALANCE
        if e.amount_in_msat and e.amount_out_msat
    )
    [(key, figure)] = truth(spec, seed).items()
    assert key[1] is Problem.LIQUIDITY
    assert at_least <= figure.window_msat / naive <= at_most
