"""Who collects: at most one program for a node, known to be alive by a lease that it renews."""

from __future__ import annotations

import os
import socket
import sqlite3


def take(con: sqlite3.Connection, node_id: int, holder: str, now_ns: int, until_ns: int) -> bool:
    """Give the lease to a holder (`host:pid:…`) unless somebody else has it who is alive; tell whether it was given."""
    row = con.execute("SELECT holder, until_ns FROM lease WHERE node_id = ?", (node_id,)).fetchone()
    # A lease longer than any is of a clock that was ahead; who holds it renews it within its length.
    longest_ns = now_ns + 2 * (until_ns - now_ns)
    if row is not None and row[0] != holder and now_ns < row[1] <= longest_ns and not _is_gone(row[0]):
        return False
    con.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?)", (node_id, holder, until_ns))
    return True


def release(con: sqlite3.Connection, node_id: int, holder: str) -> None:
    con.execute("DELETE FROM lease WHERE node_id = ? AND holder = ?", (node_id, holder))


def _is_gone(holder: str) -> bool:
    """Tell whether a lease's holder was a process of this machine that no longer runs."""
    host, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, as another user's
        return False
    return False
