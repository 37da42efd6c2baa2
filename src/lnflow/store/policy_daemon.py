"""Which policy daemon runs for a node, and when it runs next: a lease that ends soon after the daemon does."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from lnflow.domain.time import SECOND_NS
from lnflow.store.database import explained, open_reader, open_writer, transaction

RENEW_S = 20.0
LEASE_NS = 80 * SECOND_NS  # three renewals may be missed


class DaemonState(Struct, frozen=True, kw_only=True):
    """A daemon that is alive.  `acts`: it writes to the node."""

    acts: bool
    interval_s: float
    next_run_ns: int


class DaemonLease:
    """The lease of one daemon on the prices of one node.  Each call is a short transaction of its own."""

    def __init__(self, path: Path, node_id: int, holder: str) -> None:
        self._path, self._node_id, self._holder = path, node_id, holder

    def take(self, state: DaemonState, now_ns: int) -> bool:
        """Take or renew the lease and say when the next run is; False if another daemon is alive."""
        con = open_writer(self._path)
        try:
            with explained(self._path), transaction(con):
                taken = con.execute(
                    """INSERT INTO policy_daemon (node_id, holder, acts, interval_s, next_run_ns, alive_until_ns)
                       VALUES (?, ?, ?, ?, ?, ?)
                       ON CONFLICT (node_id) DO UPDATE SET holder = excluded.holder, acts = excluded.acts,
                         interval_s = excluded.interval_s, next_run_ns = excluded.next_run_ns,
                         alive_until_ns = excluded.alive_until_ns
                       WHERE policy_daemon.holder = excluded.holder OR policy_daemon.alive_until_ns <= ?""",
                    (
                        self._node_id, self._holder, state.acts, state.interval_s, state.next_run_ns,
                        now_ns + LEASE_NS, now_ns,
                    ),
                )  # fmt: skip
                return taken.rowcount > 0
        finally:
            con.close()

    def release(self) -> None:
        con = open_writer(self._path)
        try:
            with explained(self._path), transaction(con):
                con.execute("DELETE FROM policy_daemon WHERE node_id = ? AND holder = ?", (self._node_id, self._holder))
        finally:
            con.close()


def load_daemon_state(path: Path, node_id: int, now_ns: int) -> DaemonState | None:
    """Return the daemon that is alive for a node, None if there is none."""
    con = open_reader(path)
    try:
        with explained(path):
            row = con.execute(
                "SELECT acts, interval_s, next_run_ns FROM policy_daemon WHERE node_id = ? AND alive_until_ns > ?",
                (node_id, now_ns),
            ).fetchone()
    finally:
        con.close()
    return None if row is None else DaemonState(acts=bool(row[0]), interval_s=row[1], next_run_ns=row[2])
