"""What both ends of our channels ask, over time; a row is stored only where something changed."""

from __future__ import annotations

import sqlite3

from lnflow.domain.channel import ChannelPolicies, Policy
from lnflow.domain.time import SECOND_NS
from lnflow.store.channels import ChannelDictionary
from lnflow.store.peers import peer_id
from lnflow.store.rows import WriteReport

_OUR_SIDE, _PEER_SIDE = 0, 1


def write(
    con: sqlite3.Connection, node_id: int, channels: ChannelDictionary, entry: ChannelPolicies, at_ns: int
) -> WriteReport:
    """Record the policies of one channel as of `at_ns`."""
    report = WriteReport()
    chan = channels.ids.get(entry.scid)
    if chan is None and entry.channel_point is not None:
        row = con.execute(
            "SELECT channel_id FROM channel WHERE node_id = ? AND channel_point = ?",
            (node_id, entry.channel_point),
        ).fetchone()
        chan = row[0] if row else None
    if chan is None:
        chan = channels.incoming(entry.scid)
    con.execute(
        "UPDATE channel SET peer_id = coalesce(peer_id, ?), capacity_sat = coalesce(capacity_sat, ?)"
        " WHERE channel_id = ?",
        (peer_id(con, node_id, entry.peer_pubkey), entry.capacity_sat, chan),
    )
    for side, policy in ((_OUR_SIDE, entry.ours), (_PEER_SIDE, entry.theirs)):
        if policy is None:
            continue
        changed = _write_policy(con, node_id, chan, side, policy, at_ns)
        report.new += changed
        report.known += not changed
    return report


def _write_policy(con: sqlite3.Connection, node_id: int, chan: int, side: int, policy: Policy, at_ns: int) -> bool:
    since_ns = at_ns
    if policy.last_update_s is not None:
        since_ns = min(at_ns, policy.last_update_s * SECOND_NS)
    values = (
        policy.base_fee_msat, policy.fee_ppm, policy.time_lock_delta, policy.min_htlc_msat,
        policy.max_htlc_msat, policy.inbound_base_fee_msat, policy.inbound_fee_ppm, int(policy.disabled),
    )  # fmt: skip
    before = con.execute(
        """SELECT base_fee_msat, fee_ppm, time_lock_delta, min_htlc_msat, max_htlc_msat,
             inbound_base_fee_msat, inbound_fee_ppm, disabled FROM policy
           WHERE node_id = ? AND chan = ? AND side = ? AND since_ns <= ? ORDER BY since_ns DESC LIMIT 1""",
        (node_id, chan, side, since_ns),
    ).fetchone()
    if before == values:
        return False
    con.execute(
        "INSERT OR REPLACE INTO policy VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (node_id, chan, side, since_ns, *values, policy.last_update_s),
    )
    return True
