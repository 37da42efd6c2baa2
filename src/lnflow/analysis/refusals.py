"""The refused wishes of a window, sorted by finding: those of one peer and one problem stand together."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from lnflow.analysis.chance import UNKNOWN, Chances, SettleChances
from lnflow.analysis.columns import NO_PROBLEM, Bins, Flags, Ints, missed_table, problem_table
from lnflow.analysis.facts import DemandGroups
from lnflow.analysis.peers import Peers
from lnflow.domain.amounts import AMOUNT_BOUNDS_MSAT
from lnflow.domain.causes import Problem

_PROBLEMS = max(Problem) + 1
_NO_BOUND = np.iinfo(np.int64).max


class Refusals(Struct, frozen=True, kw_only=True):
    """Groups of refused wishes as columns; `bins` are the findings, in the order in which they were met."""

    groups: DemandGroups
    bins: Bins
    peer: Ints
    """Of each finding, by number."""
    problem: Ints
    """Of each finding."""
    missed: Flags
    """Of each group: whether its open wishes could have been income; the `open_` figures count only then."""
    valued: Flags
    """Of each group: missed, and something was offered for it."""
    chances: Chances
    """Of each group; they matter where it is valued."""
    noise_attempts: int
    """Refusals for channels that are not ours, or no longer: nobody's opportunity."""

    def __len__(self) -> int:
        """Return the number of findings."""
        return len(self.peer)

    @property
    def largest_msat(self) -> Ints:
        """No open wish of a group is larger; 0 where no amount is known.

        Exact for a single one, else the bound of the class (above all: twice the mean).
        """
        g = self.groups
        bound = np.array([*AMOUNT_BOUNDS_MSAT, _NO_BOUND])[g.amount_class]
        above = np.flatnonzero(g.amount_class == len(AMOUNT_BOUNDS_MSAT))
        unserved = np.maximum(g.unserved[above], 1)
        mean, rest = np.divmod(g.open_msat[above], unserved)
        bound[above] = 2 * mean + 2 * rest // unserved
        largest = np.where(g.unserved > 1, np.minimum(g.open_msat, bound), g.open_msat)
        return np.where((g.amount_class == UNKNOWN) | (g.unserved <= 0), 0, largest)


def sort_refusals(demands: DemandGroups, peers: Peers, chances: SettleChances) -> Refusals:
    """Tell whose each refusal is and what would mend it; leave out what is nobody's opportunity."""
    standing = peers.standing(demands.channel_id)
    problem = problem_table()[demands.cause, demands.circumstance, demands.oversize, standing]
    peer = peers.of(demands.channel_id)
    ours = np.flatnonzero(problem != NO_PROBLEM)
    what = (peer * _PROBLEMS + problem)[ours]
    met = np.full(len(peers) * _PROBLEMS, len(ours))
    np.minimum.at(met, what, np.arange(len(ours)))
    first = np.sort(met[met < len(ours)])
    number = np.empty_like(met)
    number[what[first]] = np.arange(len(first))  # in the order in which they are met
    of_row = number[what]
    order = np.argsort(of_row, kind="stable")
    of_row = of_row[order]
    rows = ours[order]
    groups = demands.taken(rows)
    missed = missed_table()[groups.cause, groups.circumstance]
    known = (groups.unserved > 0) & (groups.open_msat > 0)
    mean_msat = np.divide(groups.open_msat, groups.unserved, out=np.zeros(len(rows)), where=known)
    return Refusals(
        groups=groups,
        bins=Bins(of_row, np.flatnonzero(np.diff(of_row, prepend=-1) > 0)),
        peer=peer[ours[first]],
        problem=problem[ours[first]],
        missed=missed,
        valued=missed & (groups.open_fee_msat > 0),
        chances=chances.of(peer[rows], groups.amount_class, mean_msat),
        noise_attempts=int(demands.attempts.sum()) - int(groups.attempts.sum()),
    )
