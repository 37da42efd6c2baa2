"""The truth of each world, remembered in a temporary directory because it costs minutes to find out."""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
from pathlib import Path

import lnflow.simulation.world as world_package
from lnflow.domain.causes import Problem
from lnflow.simulation.world import Truth, truth
from lnflow.simulation.world.development import NamedWorld

Key = tuple[str, Problem]
CACHE = Path(tempfile.gettempdir()) / f"lnflow-truths-{os.getuid()}"
# these say which worlds there are, not what happens in one: that is in the spec
_CATALOGUES = {"development.py", "held_out.py", "demo_world.py", "grow.py", "recording.py", "__init__.py"}


def truth_of(world: NamedWorld, luck: int) -> dict[Key, Truth]:
    """Return the truth of one luck; the same code, world and luck are computed once."""
    path = CACHE / f"{world.spec.name}-{_digest(world)}-{luck}.pickle"
    if path.exists():
        found: dict[Key, Truth] = pickle.loads(path.read_bytes())
        return found
    found = truth(world.spec, world.seed, luck=luck)
    CACHE.mkdir(mode=0o700, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(pickle.dumps(found))
    partial.rename(path)
    return found


def _digest(world: NamedWorld) -> str:
    digest = hashlib.sha256(f"{world.seed} {world.spec!r}".encode())
    for path in sorted(Path(world_package.__path__[0]).glob("*.py")):
        if path.name not in _CATALOGUES:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
