-- The policy daemon of a node that is alive: a lease, and when it runs next.
CREATE TABLE policy_daemon (
  node_id        INTEGER PRIMARY KEY,
  holder         TEXT NOT NULL,
  acts           INTEGER NOT NULL,   -- 1: it writes to the node
  interval_s     REAL NOT NULL,
  next_run_ns    INTEGER NOT NULL,
  alive_until_ns INTEGER NOT NULL    -- renewed all the while; past: the daemon is gone
) STRICT;
